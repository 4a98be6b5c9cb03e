#!/bin/sh
# The study of STUDY.md by scalelab's own commands, from the project's folder.
#   sh sweeps/study.sh fit      every fit, figure and score from the committed tables, under a minute after the build
#   sh sweeps/study.sh train    what is missing of the training first (all of it: about an hour on two quiet cores)
# SCALELAB names another program than the one that cargo builds.
set -eu
cargo build --release --quiet
lab=${SCALELAB:-target/release/scalelab}

train() {
    for sweep in study-pilot study; do $lab sweep sweeps/$sweep.toml --fetch; done
    # A forecast is made once, before the runs that it is about.
    [ -e results/study/forecast.json ] || forecast results/study/forecast.json
    for sweep in study-3x study-10x study-schedules; do $lab sweep sweeps/$sweep.toml --fetch; done
}

forecast() {
    $lab forecast results/study --compute 2.4e13,8e13 --shapes 2x64,2x96,2x128,2x144 \
        --recipe-from results/study-pilot,results/hyperparameters --out "$1"
}

fit() {
    $lab fit results/study-pilot
    $lab fit results/study --conventions --compute 2.4e13,8e13
    $lab fit results/study --law chinchilla,isoflop,isoflop-akima,envelope
    $lab verify results/study/forecast.json results/study-3x results/study-10x --out results/study/verification.json
    $lab fit results/study-schedules --by schedule
}

case ${1:-} in
fit) fit ;;
train) train && fit ;;
*) sed -n '2,5p' "$0" && exit 2 ;;
esac

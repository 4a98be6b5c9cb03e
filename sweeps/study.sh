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
    recipes=results/study-pilot,results/hyperparameters
    forecast study forecast --compute 2.4e13,8e13 --recipe-from $recipes
    forecast study forecast-laws --compute 2.4e13,8e13 --recipe-from $recipes
    forecast study forecast-6nd --compute 2.2e13,7.5e13 --size-measure non-embedding --flop-rule 6nd
    for sweep in study-fixed-rate study-constant; do
        $lab sweep sweeps/$sweep.toml --fetch
        forecast $sweep forecast --compute 2.4e13,8e13
    done
    for sweep in study-3x study-3x-batch study-10x study-schedules; do $lab sweep sweeps/$sweep.toml --fetch; done
}

# forecast FOLDER FILE ...: made once, before the runs that it is about.
forecast() {
    folder=$1 file=results/$1/$2.json
    shift 2
    [ -e $file ] || $lab forecast results/$folder --shapes 2x64,2x96,2x128,2x144 --out $file "$@"
}

score() {
    $lab verify results/$1/$2.json results/study-3x results/study-3x-batch results/study-10x --out results/$1/$3.json
}

fit() {
    $lab fit results/study-pilot
    $lab fit results/study --conventions --compute 2.4e13,8e13
    $lab fit results/study --law chinchilla,gamma,kaplan,power-c,isoflop,isoflop-akima,envelope --out results/study |
        tee results/study/laws.txt
    for sweep in study-fixed-rate study-constant; do $lab fit results/$sweep; done
    for sweep in study study-fixed-rate study-constant; do score $sweep forecast verification; done
    score study forecast-laws verification-laws
    score study forecast-6nd verification-6nd
    # Made after the larger runs had ended: what the present rule would have said of them.
    forecast study forecast-after-the-fact --compute 2.4e13,8e13 --recipe-from results/study-pilot,results/hyperparameters
    score study forecast-after-the-fact verification-after-the-fact
    $lab fit results/study-schedules --by schedule
}

case ${1:-} in
fit) fit ;;
train) train && fit ;;
*) sed -n '2,5p' "$0" && exit 2 ;;
esac

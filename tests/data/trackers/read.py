#!/usr/bin/env python3
"""Reads with tbparse and pandas what `scalelab export` wrote of `wandb/`, and compares it with truth.json.

    read.py FOLDER-OF-EVENTS FOLDER-OF-LINES FOLDER-OF-CHARTS
"""

import json
import struct
import sys
from pathlib import Path

import pandas
from tbparse import SummaryReader

board, lines, charts = map(Path, sys.argv[1:])
truth = json.loads((Path(__file__).parent / "truth.json").read_text())
keys = {"train/loss": "train", "val/loss": "val", "learning_rate": "rate", "grad_norm": "norm"}


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def wanted(run, key):
    return {p["step"]: p[key] for p in truth[f"wandb/{run}"]["points"] if p[key] is not None}


events = SummaryReader(str(board), extra_columns={"dir_name"})
scalars, hparams = events.scalars, events.hparams
table = pandas.read_json(lines / "curves.jsonl", lines=True, precise_float=True)
runs = pandas.read_csv(charts / "runs.csv")
for run, size in [("small", 1e5), ("large", 4e5)]:
    for metric, key in keys.items():
        of = scalars[(scalars.dir_name == run) & (scalars.tag == metric)]
        found = {int(s): v for s, v in zip(of.step, of.value)}
        assert found == {s: single(v) for s, v in wanted(run, key).items()}, f"events of {run}, {metric}"
        of = table[table.run == run][["step", metric]].dropna()
        found = {int(s): v for s, v in zip(of.step, of[metric])}
        assert found == wanted(run, key), f"lines of {run}, {metric}"
        chart = pandas.read_csv(charts / f"{metric.replace('/', '_')}.csv", float_precision="round_trip")
        of = chart[["Step", f"{run} - {metric}"]].dropna()
        found = {int(s): v for s, v in zip(of.Step, of[f"{run} - {metric}"])}
        assert found == wanted(run, key), f"chart of {run}, {metric}"
    of = hparams[(hparams.dir_name == run) & (hparams.tag == "params")]
    assert list(of.value) == [size], "hyperparameters"
    assert list(runs[runs.Name == run].params) == [size], "table of runs"
print("tbparse and pandas read what was written")

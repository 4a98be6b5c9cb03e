"""The module says what the command says, to the last digit."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
import scalelab as sl
from conftest import ROOT, published, refused, said

pytestmark = pytest.mark.filterwarnings("ignore::scalelab.Warned")

EPOCH = "chinchilla_epoch.csv"


def documents(study: sl.Study) -> Any:
    return json.loads(study.to_json())


def without_source(document: Any) -> Any:
    return {name: value for name, value in document.items() if name != "source"}


@pytest.fixture(scope="module")
def epoch() -> Path:
    return published(EPOCH)


@pytest.fixture(scope="module")
def of_command(epoch: Path) -> Any:
    return json.loads(said("fit", str(epoch), "--refits", "40", "--json"))


def test_the_240_points_from_a_path_a_frame_of_pandas_and_one_of_polars(epoch: Path, of_command: Any) -> None:
    assert of_command["points"] >= 240
    by_path = sl.fit(epoch, refits=40)
    assert documents(by_path) == of_command
    assert by_path.to_json() + "\n" == said("fit", str(epoch), "--refits", "40", "--json")
    # pandas reads decimals a unit in the last place off, unless it is asked not to.
    for frame in (pd.read_csv(epoch, float_precision="round_trip"), pl.read_csv(epoch, infer_schema_length=None)):
        assert without_source(documents(sl.fit(frame, refits=40))) == without_source(of_command)


def test_the_screen_is_that_of_the_terminal(epoch: Path) -> None:
    screen = repr(sl.fit(epoch, refits=40))
    printed = said("fit", str(epoch), "--refits", "40")
    # The doubts are counted, and which laws speak stands beside the law.
    lines = [line for line in screen.split("\n\n3 warnings")[0].splitlines() if line not in printed.splitlines()]
    assert lines and lines[0].startswith("  speaks  chinchilla is printed (study.law)") and len(lines) <= 3, screen
    assert "\n3 warnings: study.warnings" in screen and "⚠ line" in printed
    assert max(map(len, screen.splitlines())) <= 80


def test_recommendations_are_those_of_the_command(epoch: Path) -> None:
    study = sl.fit(epoch, refits=40)
    budgets = ["1e21", "3e22"]
    advice = json.loads(said("recommend", str(epoch), "--refits", "40", "--compute", ",".join(budgets), "--json"))
    assert study.advice([float(budget) for budget in budgets]) == advice
    frame = study.allocate([1e21, 3e22])
    for row, one in zip(frame.to_dict("records"), advice):
        for ours, theirs in (("params", "params"), ("tokens", "tokens"), ("loss", "loss"), ("one_run", "loss_of_a_run")):
            found = [row[ours], row[f"{ours}_low"], row[f"{ours}_high"]]
            assert found == [one[theirs][end] for end in ("value", "low", "high")]


def test_predictions_are_forecasts_of_the_command(epoch: Path) -> None:
    study = sl.fit(epoch, refits=40)
    [ahead] = json.loads(said("forecast", str(epoch), "--refits", "40", "--at", "7e9,1.4e11", "--json"))["runs"]
    one = study.predict(params=7e9, tokens=1.4e11)
    assert [one.compute, one.extrapolation] == [ahead["compute"], ahead["extrapolation_factor"]]
    for ours, theirs in ((one.loss, ahead["loss"]), (one.one_run, ahead["one_run"])):
        assert [ours.value, ours.low, ours.high, ours.level] == [theirs[end] for end in ("value", "low", "high", "level")]


def test_groups_by_a_column_are_those_of_the_command(tmp_path: Path) -> None:
    table = published("farseer_train.csv")
    frame = pd.read_csv(table, float_precision="round_trip")
    first = frame.assign(half=["a" if at % 2 else "b" for at in range(len(frame))])
    path = tmp_path / "halves.csv"
    first.to_csv(path, index=False)
    found = sl.fit(first, by="half", refits=40)
    assert json.loads(found.to_json()) == json.loads(said("fit", str(path), "--by", "half", "--refits", "40", "--json"))


@pytest.mark.parametrize("name", ["grid", "study-pilot", "hyperparameters"])
def test_results_of_the_project_from_the_folder(name: str) -> None:
    folder = f"results/{name}"
    found = documents(sl.fit(ROOT / folder, refits=40))
    assert without_source(found) == without_source(json.loads(said("fit", folder, "--refits", "40", "--json")))


def test_isoflop_and_recipes_of_a_frame_of_runs_of_the_project() -> None:
    study = sl.fit(ROOT / "results/grid", refits=40)
    frame = pd.read_csv(ROOT / "results/grid/runs.csv", float_precision="round_trip")
    again = sl.fit(frame, refits=40)
    assert study.isoflop is not None and again.isoflop is not None
    assert again.isoflop.minima.equals(study.isoflop.minima)
    said_by_command = json.loads(said("fit", "results/grid", "--refits", "40", "--json"))
    valleys = said_by_command["laws"]["isoflop"]["valleys"]
    assert list(study.isoflop.minima["params"]) == [one["params"]["value"] for one in valleys]
    assert study.hyperparameters is not None
    assert json.loads(study.hyperparameters.to_json()) == said_by_command["hyperparameters"]


def test_comparisons_and_speedups_are_those_of_the_command() -> None:
    paths = ["results/english", "results/code"]
    found = sl.compare({path.split("/")[1]: ROOT / path for path in paths}, refits=40)
    assert json.loads(found.to_json()) == json.loads(said("compare", *paths, "--refits", "40", "--json"))
    speedup = found.speedup(floor=0.4)
    document = json.loads(said("compare", *paths, "--refits", "40", "--speedup", "--floor", "0.4", "--json"))
    assert json.loads(speedup.document.to_json()) == document
    assert len(speedup.places) == sum(len(one["worth"]["at"]) for one in document["groups"])


def test_refusals_have_the_words_of_the_command(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    table.write_text("params,tokens,loss\n1,2,three\n")
    with pytest.raises(sl.Error) as error:
        sl.fit(table)
    assert str(error.value) == refused("fit", str(table))
    assert isinstance(error.value, ValueError)
    with pytest.raises(sl.Error, match="did you mean 0.95"):
        sl.fit(table, level=95)
    with pytest.raises(sl.Error, match="choose from"):
        sl.fit(table, law="chinchila")


def test_what_a_reader_must_know_comes_as_warnings() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        study = sl.fit(ROOT / "results/grid", refits=40)
    messages = [str(one.message) for one in caught if issubclass(one.category, sl.Warned)]
    assert study.warnings and set(study.warnings) <= set(messages)
    assert all(one.filename == __file__ for one in caught if issubclass(one.category, sl.Warned))

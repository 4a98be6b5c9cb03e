"""How a study is asked from Python: levels, masks, messages, copies, what is shown."""

from __future__ import annotations

import copy
import json
import math
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scalelab as sl
from scalelab._advice import cautions, outside
from scalelab._given import _condition, conditions
from scalelab._speech import Labels, Voice, in_python

pytestmark = pytest.mark.filterwarnings("ignore::scalelab.Warned")


@pytest.fixture(scope="module")
def study(runs: pd.DataFrame) -> sl.Study:
    return sl.fit(runs, refits=60)


def power(N: Any, D: Any, E: Any, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    return E + A / N**alpha + B / D**beta


def heard(call: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert all(one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


def test_another_level_is_that_of_a_fit_at_it(runs: pd.DataFrame, study: sl.Study) -> None:
    narrow = study.allocate(1e20, level=0.8)
    assert narrow.equals(sl.fit(runs, refits=60, level=0.8).allocate(1e20))
    wide = study.allocate(1e20)
    assert list(narrow["level"]) == [0.8] and list(wide["level"]) == [0.95]
    assert narrow.loc[0, "params_low"] > wide.loc[0, "params_low"] and narrow.loc[0, "params"] == wide.loc[0, "params"]
    assert study.advice(1e20, level=0.8)[0]["params"]["level"] == 0.8 and study.law.coefficients["level"][0] == 0.95
    with pytest.raises(sl.Error, match="did you mean 0.95"):
        study.allocate(1e20, level=95)
    with pytest.raises(sl.Error, match=r"law is a choice of the fit.*sl\.fit\(…, law=…\)"):
        study.allocate(1e20, law="gamma")


def test_runs_of_a_path_that_changed_are_not_taken_for_those_that_were_fitted(runs: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    runs.to_csv(path, index=False)
    of_path = sl.fit(path, refits=0, law="chinchilla")
    again = pickle.loads(pickle.dumps(of_path))
    assert again.to_json() == of_path.to_json()
    runs.assign(val_loss=runs.val_loss * 1.1).to_csv(path, index=False)
    with pytest.raises(sl.Error, match="other runs than when it was fitted"):
        of_path.allocate(1e20, level=0.8)


def test_studies_are_copied_and_pickled(runs: pd.DataFrame, study: sl.Study) -> None:
    assert copy.deepcopy(study) is study and copy.copy(study) is study
    own = sl.fit(runs, refits=0, law=power)
    again = pickle.loads(pickle.dumps(own))
    assert again.law(1e9, 1e10) == own.law(1e9, 1e10) and again.law.name == "power"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(sl.compare(runs, runs, refits=0))


def test_which_laws_speak_is_said(study: sl.Study, runs: pd.DataFrame) -> None:
    weights = study.weights
    assert list(weights.columns) == ["law", "weight"] and abs(weights["weight"].sum() - 1) < 1e-9
    assert weights["weight"].is_monotonic_decreasing
    assert "(study.law)" in repr(study) and f"{weights.loc[0, 'law']} {100 * weights.loc[0, 'weight']:.0f} %" in " ".join(repr(study).split())
    alone = sl.fit(runs, refits=0, law="chinchilla")
    assert alone.weights.values.tolist() == [["chinchilla", 1.0]] and "(study.law)" not in repr(alone)


def test_a_saved_study_answers_what_it_holds(study: sl.Study, runs: pd.DataFrame, tmp_path: Path) -> None:
    study.to_json(tmp_path / "study.json")
    saved = sl.load(tmp_path / "study.json")
    known = saved.allocate()
    assert len(known) == 3 and saved.allocate(known["compute"][1:2]).iloc[0].equals(known.iloc[1])
    assert "FLOPs: train" in repr(saved) and len(repr(saved).splitlines()) < 25
    asked: list[Any] = [lambda: saved.allocate(1e21), lambda: saved.predict(1e9, 1e10), saved.figure, saved.details]
    for call in asked:
        with pytest.raises(sl.Error, match=r"sl\.fit\(runs\)"):
            call()
    own = sl.fit(runs, refits=0, law=sl.Law("kept", power, ["E", "A", "alpha", "B", "beta"]))
    own.to_json(tmp_path / "own.json")
    again = sl.load(tmp_path / "own.json").law
    assert abs(again(1e9, 1e10) - own.law(1e9, 1e10)) < 1e-12
    sl.Law("kept", lambda N, E: E + 1 / N, {"E": 1.0})
    with pytest.raises(sl.Error, match="make it again"):
        again(1e9, 1e10)
    for name, words in (("none.json", "no file"), ("runs.csv", r"sl\.fit\(")):
        if name == "runs.csv":
            runs.to_csv(tmp_path / name)
        with pytest.raises(sl.Error, match=words):
            sl.load(tmp_path / name)


def test_allocations_answer_first(study: sl.Study) -> None:
    columns = list(study.allocate(1e20).columns)
    assert columns[:10] == ["compute", *(f"{one}{end}" for one in ("params", "tokens", "loss") for end in ("", "_low", "_high"))]
    assert columns[10:14] == ["one_run_low", "one_run_high", "tokens_per_param", "extrapolation"] and "shape" not in columns
    none = study.allocate([])
    assert len(none) == 0 and list(none.columns) == columns and len(study.predict([], [])) == 0
    said = repr(study.advice(1e20))
    assert said.startswith("1.00e20 FLOPs: train ") and "intervals at 95 %" in " ".join(said.split())
    assert json.loads(json.dumps(study.advice(1e20))) == study.advice(1e20)


def test_answers_keep_the_index_of_the_question(study: sl.Study) -> None:
    budgets = pd.Series([1e20, 1e21], index=["a", "b"])
    assert list(study.allocate(budgets).index) == ["a", "b"] and list(study.allocate([1e20, 1e21]).index) == [0, 1]
    assert list(study.predict(pd.Series([1e8, 2e8], index=[7, 9]), 1e10).index) == [7, 9]


def test_places_outside_of_the_runs_are_warned_of(study: sl.Study) -> None:
    assert heard(lambda: study.predict([1e7, 3e8], [2e9, 6e10])) == []
    [far] = heard(lambda: study.predict(1e12, 1e14))
    assert "beyond the runs" in far and "1T" in far and "lie outside the 10M to 300M of the runs" in far
    [unit] = heard(lambda: study.predict(7, 140))
    assert unit.count("is the unit right") == 2
    [unit] = heard(lambda: study.allocate(21))
    assert "below the smallest run" in unit and "compute is in FLOPs" in unit
    [far] = heard(lambda: study.allocate([1e23, 1e24]))
    assert far.startswith("1.00e24 FLOPs is") and "1 more budgets" in far
    assert heard(lambda: study.allocate(1e19)) == [] and cautions([]) == []
    assert outside([(1e8, 1e9)], [2.0], {"params": (1e7, 1e9), "tokens": (1e8, 1e10)}, 2.5) == []


def test_quantities_are_read_as_the_command_reads_them(study: sl.Study) -> None:
    assert study.predict("7B", "140_000_000_000") == study.predict(7e9, 1.4e11) == study.predict("7e9", "0.14T")
    assert study.allocate("1e21").equals(study.allocate(1e21))
    for wrong in ("7X", "B", "", "1e", "nan", "1,00"):
        with pytest.raises(sl.Error, match="is not a number"):
            study.predict(wrong, 1e10)
    with pytest.raises(sl.Error, match="both sizes"):
        study.predict(None, 1e10)
    with pytest.raises(sl.Error, match="is no budget"):
        study.allocate([None])


def test_a_bare_function_is_a_law(runs: pd.DataFrame) -> None:
    by_name = sl.fit(runs, refits=0, law=power)
    assert by_name.law.name == "power" and sl.fit(runs, refits=0, law=lambda N, E, A, a: E + A / N**a).law.name == "own"
    for wrong, words in ((3, r"sl\.Law\(name"), (sl.published["hoffmann"], "has its coefficients already"), (lambda *x: x, "by its name")):
        with pytest.raises(sl.Error, match=words):
            sl.fit(runs, law=wrong)
    with pytest.raises(sl.Error, match="no coefficient"):
        sl.Law("bare", lambda N: N)
    assert sl.published.besiroglu_huber is sl.published["besiroglu-huber"]


def test_figures_are_those_that_can_be_drawn(study: sl.Study, tmp_path: Path) -> None:
    assert "frontier" in study.figures and "isoflop" not in study.figures and "isoflop" in repr(study.figures)
    figure = study.figure()
    figure.save(tmp_path / "frontier")
    assert figure.name == "frontier" and (tmp_path / "frontier.png").read_bytes() == figure.png
    for name in ("f.svg", "f.pdf"):
        with pytest.raises(sl.Error, match="save it as f.png"):
            figure.save(tmp_path / name)
        assert not (tmp_path / name).exists()


def test_options_of_messages_are_arguments() -> None:
    said = {
        "data frame: --columns params=size: there is no column": 'data frame: params="size": there is no column',
        "say which it is, such as --columns loss=NAME": 'say which it is, such as loss="NAME"',
        "of another unit (--columns 'flops=NAME*1e9'), or": 'of another unit (flops="NAME*1e9"), or',
        "--columns budget=none leaves it out": 'columns={"budget": "none"} leaves it out',
        "--robust refits without it beside, --where leaves it out": "robust=True refits without it beside, where= leaves it out",
        "keeps one: --where 'corpus=the pile'": 'keeps one: where="corpus=the pile"',
        "keep them with --where epochs=1 or the like, or fit --law data-constrained": 'keep them with where="epochs=1" or the like, or fit(law="data-constrained")',
        "unexpected argument '--refit' found\n\n  tip: a similar argument exists: '--refits'": "there is no option refit: did you mean refits?",
        "invalid value '95' for '--level <LEVEL>': wanted": "invalid value '95' for level: wanted",
        "; leave --law out to use those": "; leave law= out to use those",
        "(--law power-n, --law power-d)": '(law="power-n", law="power-d")',
        "--set params=3: the file; --set is for a column that": "params=3: the file; a number is for a column that",
        "(--trust recommends all the same)": "(trust=True recommends all the same)",
        "and 1 more: --details": "and 1 more: .details()",
        "pin the floor (--floor 1.6), (--budgets 1e18,1e19)": "pin the floor (floor=1.6), (budgets=[1e18, 1e19])",
        "`scalelab sweep GRID --retry x` trains it": "`scalelab sweep GRID --retry x` trains it",
        "a well-known --- dash -- stays": "a well-known --- dash -- stays",
    }
    for theirs, ours in said.items():
        assert in_python(theirs) == ours


def test_lines_are_rows_by_their_labels(runs: pd.DataFrame) -> None:
    voice = Voice({"data frame": Labels(["5", "6", "'x'", "8", "9"])})
    assert voice.said("line 2 stands off (line 4)") == "row 5 stands off (row 'x')"
    assert voice.said("blank in lines 2, 3 and 4 and 234 more") == "blank in rows 5, 6 and 'x' and 234 more"
    assert voice.said("data frame, line 1: no") == "data frame: no" and voice.said("sizes.csv, line 3: no") == "sizes.csv, line 3: no"
    several = Voice({"data frame a": Labels(["7"]), "data frame b": Labels(None)})
    assert several.said("data frame b, line 2: no") == "data frame b, row 0: no" and several.said("data frame a, line 2") == "data frame a, row 7"
    assert Labels(["a", "b"], [2, 4]).row(5) == "b" and Voice().said("line 2") == "line 2"
    labelled = runs.astype(object).set_index(pd.Index([f"r{at}" for at in range(16)]))
    labelled.loc["r3", "val_loss"] = "three"
    with pytest.raises(sl.Error, match="data frame, row 'r3', column `val_loss`"):
        sl.fit(labelled.iloc[3:4], refits=0)


def test_masks_and_conditions_keep_rows(runs: pd.DataFrame) -> None:
    table = runs.assign(kind=["a"] * 12 + ["b"] * 4)
    expected = sl.fit(runs.iloc[:12], refits=0, law="chinchilla").law["alpha"].value
    mask = table.kind == "a"
    for where in (mask, mask.to_numpy(), mask.tolist(), mask.iloc[::-1], "kind == 'a'", "kind=a", ["N > 1", mask]):
        found = sl.fit(table, where=where, refits=0, law="chinchilla")
        assert found.document.points == 12 and found.law["alpha"].value == expected
    frame = pl.DataFrame(table.to_dict("list"))
    assert conditions(pl.col("kind") == "a", frame) == (mask.tolist(), [])
    for where, words in (([True], "mask of 1 values"), (~mask & mask, "leaves none"), (3, "where is a condition"), (mask.set_axis(range(3, 19)), "another index")):
        with pytest.raises(sl.Error, match=words):
            sl.fit(table, where=where)
    assert [_condition(text) for text in ("a == 1", "a != 'x y'", "a<=2", "odd")] == ["a=1", "a!=x y", "a<=2", "odd"]


def test_estimates_are_reckoned_with() -> None:
    one = sl.Estimate(2.0, 1.0, 4.0, 0.9)
    assert one * 2 == 2 * one == sl.Estimate(4.0, 2.0, 8.0, 0.9) and 1 - one == sl.Estimate(-1.0, -3.0, 0.0, 0.9)
    assert -one / 2 == sl.Estimate(-1.0, -2.0, -0.5, 0.9) and one + np.float64(1) - 1 == one
    assert f"{one:.3f}" == "2.000" and f"{one}" == repr(one) == "2 [1, 4] at 90 %"
    assert math.isinf((sl.Estimate(1.0, -math.inf, math.inf, 0.9) * 0.5).high)
    with pytest.raises(TypeError):
        one * one  # type: ignore[operator]


def test_what_is_shown_fits_a_screen(study: sl.Study, runs: pd.DataFrame) -> None:
    one = study.predict("7B", 1.4e11)
    assert repr(one).startswith("7B parameters on 140B tokens, 5.88e21 FLOPs, ") and "nats" in repr(one) and "95 %" in repr(one)
    assert "<table>" in one._repr_html_()
    assert study.scrutiny is not None
    for document in (study.document, study.scrutiny):
        assert len(repr(document).splitlines()) <= 31 and max(map(len, repr(document).splitlines())) <= 80
    assert json.loads(study.document.to_json()) == json.loads(study.to_json())
    warned = repr(sl.fit(runs.assign(val_loss=[*runs.val_loss[:15], 4.0]), refits=0))
    assert "study.warnings" in warned and "stands off" not in warned
    assert not [name for name in dir(sl) if name.startswith("_") and not name.startswith("__")]


def test_frames_and_studies_are_compared(study: sl.Study, runs: pd.DataFrame) -> None:
    other = runs.assign(val_loss=runs.val_loss + 0.05)
    found = sl.compare(runs, other, refits=0)
    named = sl.compare({"1": runs, "2": other}, refits=0)
    assert found.to_json() == named.to_json() == sl.compare([runs, other], refits=0).to_json()
    assert "base64" in found._repr_html_()
    of_studies = sl.compare({"1": sl.fit(runs, refits=0), "2": sl.fit(other, refits=0)})
    assert of_studies.to_json() == found.to_json()
    for data, words in (((runs,), "needs two"), ((3, runs), "handed over as"), ((study, runs), "different options")):
        with pytest.raises(sl.Error, match=words) as error:
            sl.compare(*data)
        assert 'sl.compare({"a": df1, "b": df2})' in str(error.value)

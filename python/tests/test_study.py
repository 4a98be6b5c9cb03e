"""A study and its answers, from every kind of table."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scalelab as sl
from conftest import ROOT
from scipy.optimize import least_squares

pytestmark = pytest.mark.filterwarnings("ignore::scalelab.Warned")


def test_every_kind_of_table_is_the_same_runs(runs: pd.DataFrame, tmp_path: Path) -> None:
    n, d, loss = (runs[name].to_numpy() for name in runs)
    structured = np.array(list(zip(n, d, loss)), dtype=[("N", float), ("D", float), ("loss", float)])
    path = tmp_path / "runs.csv"
    runs.to_csv(path, index=False)
    tables: list[sl.Study] = [
        sl.fit(runs, refits=0),
        sl.fit(pl.DataFrame(runs.to_dict("list")), refits=0),
        sl.fit(pl.DataFrame(runs.to_dict("list")).lazy(), refits=0),
        sl.fit({"N": n, "D": list(d), "loss": loss}, refits=0),
        sl.fit(params=n, tokens=d, loss=loss, refits=0),
        sl.fit({"a": n / 1e6, "b": d, "c": loss}, params="a*1e6", tokens="b", loss="c", refits=0),
        sl.fit(runs.to_dict("records"), refits=0),
        sl.fit(structured, refits=0),
        sl.fit(str(path), refits=0),
    ]
    first = tables[0].law["alpha"].value
    assert 0.33 < first < 0.35
    exact = [study.law["alpha"].value for at, study in enumerate(tables) if at != 5]
    assert exact == [first] * len(exact)
    assert abs(tables[5].law["alpha"].value / first - 1) < 1e-9


def test_an_independent_fit_finds_the_same_minimum(runs: pd.DataFrame) -> None:
    law = sl.fit(runs, estimator="least-squares-log", refits=0).law
    n, d, loss = (runs[name].to_numpy() for name in runs)

    def residuals(x: Any) -> Any:
        e, a, alpha, b, beta = x
        return np.log(np.exp(e) + np.exp(a - alpha * np.log(n)) + np.exp(b - beta * np.log(d))) - np.log(loss)

    start = [math.log(1.8), 6.0, 0.35, 6.0, 0.3]
    found = least_squares(residuals, start, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=100_000).x
    e, a, alpha, b, beta = found
    theirs = {"E": math.exp(e), "A": math.exp(a), "alpha": alpha, "B": math.exp(b), "beta": beta}
    for name, value in theirs.items():
        # The curvature of a sum of squares leaves half of the digits of a double to its minimum.
        assert abs(law[name].value / value - 1) < 1e-6, name
    objective = float(np.sum(residuals(found) ** 2))
    assert abs(law.document.objective / objective - 1) < 1e-8
    ours = residuals([math.log(law["E"].value), math.log(law["A"].value), law["alpha"].value, math.log(law["B"].value), law["beta"].value])
    assert float(np.sum(ours**2)) <= objective * (1 + 1e-12)
    assert np.max(np.abs(np.exp(ours) * loss - law(n, d))) < 1e-12


def test_answers_are_in_the_frames_of_the_question(runs: pd.DataFrame) -> None:
    of_pandas, of_polars = sl.fit(runs, refits=60), sl.fit(pl.DataFrame(runs.to_dict("list")), refits=60)
    assert isinstance(of_pandas.law.coefficients, pd.DataFrame) and isinstance(of_polars.law.coefficients, pl.DataFrame)
    assert list(of_pandas.law.coefficients["name"]) == ["E", "A", "B", "alpha", "beta"]
    assert list(of_pandas.law.coefficients.columns) == ["name", "value", "low", "high", "se", "level"]
    frame = of_polars.allocate([1e20, 1e21])
    assert frame.height == 2 and frame["params"][0] < frame["params"][1]
    assert of_pandas.allocate(1e21).shape[0] == 1
    assert of_pandas.allocate().shape[0] == 3
    predicted = of_pandas.predict(params=[1e9, 2e9], tokens=1e11)
    one = of_pandas.predict(params=2e9, tokens=1e11)
    assert predicted.loc[1, "loss"] == one.loss.value and one.loss.low < one.loss.value < one.loss.high
    assert one.one_run.high >= one.loss.high
    narrow = of_pandas.predict(params=2e9, tokens=1e11, level=0.5).loss
    assert narrow.low > one.loss.low and narrow.level == 0.5


def test_a_study_shows_itself(runs: pd.DataFrame, tmp_path: Path) -> None:
    study = sl.fit(runs, refits=0)
    assert repr(study).startswith("data frame: what 16 runs say\n") and "\x1b" not in repr(study)
    page = study._repr_html_()
    assert "<table>" in page and "alpha" in page and "data:image/png;base64," in page
    figure = study.figure("frontier")
    figure.save(tmp_path / "frontier.png")
    assert figure._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n" and (tmp_path / "frontier.png").read_bytes() == figure.png
    with pytest.raises(sl.Error, match="choose from .*isoflop"):
        study.figure("isoflob")
    with pytest.raises(sl.Error, match="the runs have nothing that isoflop shows"):
        study.figure("isoflop")
    assert study.isoflop is None and study.scrutiny is not None and len(study.forecasts) >= 0


def test_what_is_written_is_read_again(runs: pd.DataFrame, tmp_path: Path) -> None:
    study = sl.fit(runs, refits=60, compute=[1e21])
    text = study.to_json(tmp_path / "study.json")
    saved = sl.load(tmp_path / "study.json")
    assert isinstance(saved, sl.Saved) and not isinstance(saved, sl.Study) and json.loads(saved.to_json()) == json.loads(text)
    assert saved.law(1e9, 2e10) == study.law(1e9, 2e10)
    assert saved.recommendations.equals(study.allocate([1e21]))
    folder = sl.load(ROOT / "results/grid")
    assert folder.law["alpha"].value == sl.load(ROOT / "results/grid/fits/chinchilla.json")["alpha"].value
    assert isinstance(sl.load(ROOT / "results/grid/fits/isoflop.json"), sl.Isoflop)
    for text in ("", "{", "[1]", '"a"'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(sl.Error):
            sl.load(tmp_path / "bad.json")


def test_what_cannot_be_read_is_refused_with_what_to_do(runs: pd.DataFrame) -> None:
    refused: list[tuple[Any, dict[str, Any], str]] = [
        (3, {}, "frame of pandas or polars"),
        (None, {}, "there are no runs"),
        (runs.to_numpy(), {}, "two axes"),
        ({"N": [1, 2], "D": [1], "loss": [1, 2]}, {}, "several lengths"),
        (runs[["N", "D"]], {}, "no column for loss"),
        (runs, {"loss": "nowhere"}, "nowhere"),
        (runs, {"refit": 3}, "no option refit: did you mean refits"),
        (runs, {"out": "here"}, "option of the command alone"),
        (runs.iloc[:0], {}, "columns .N, D, val_loss. and no row"),
        ("no such file.csv", {}, "cannot be read"),
        ("x.csv", {"params": [1.0]}, "stand beside the file"),
    ]
    for data, options, words in refused:
        with pytest.raises(sl.Error, match=words):
            sl.fit(data, **options)
    study = sl.fit(runs, refits=0)
    for params, tokens in ((-1, 1), (1, math.nan), (math.inf, 1)):
        with pytest.raises(sl.Error, match="finite number above 0"):
            study.predict(params, tokens)
    with pytest.raises(sl.Error, match="several lengths"):
        study.predict([1, 2], [1, 2, 3])


def test_missing_cells_are_blank_in_every_frame() -> None:
    n = [1e7, 1e7, 3e7, 3e7, 1e8, 1e8, 3e8, 3e8]
    d = [2e9, 2e10, 6e9, 6e10, 2e10, 2e11, 5e10, 9e10]
    loss = [1.7 + 400 / a**0.34 + 410 / b**0.28 for a, b in zip(n, d)]
    hole: list[float | None] = [*loss[:-1], None]
    frames = [
        pd.DataFrame({"N": n, "D": d, "loss": hole}),
        pd.DataFrame({"N": n, "D": d, "loss": pd.array(hole, dtype="Float64")}),
        pl.DataFrame({"N": n, "D": d, "loss": hole}),
        {"N": n, "D": d, "loss": np.array([*loss[:-1], math.nan])},
    ]
    for frame in frames:
        study = sl.fit(frame, refits=0)
        assert study.document.points == 7 and "row 7 left out: loss is blank" in repr(study)


def test_laws_by_name_are_the_formulas() -> None:
    law = sl.published["hoffmann"]
    e, a, b = (law.coefficients[name] for name in ("E", "A", "B"))
    alpha, beta = law.coefficients["alpha"], law.coefficients["beta"]
    assert abs(law(7e9, 1.4e11) - (e + a / 7e9**alpha + b / 1.4e11**beta)) < 1e-12
    many = law(np.array([1e9, 2e9]), 1e11)
    assert isinstance(many, np.ndarray) and many[0] == law(1e9, 1e11) and law([1e9], 1e11) == [law(1e9, 1e11)]
    assert sl.laws["chinchilla"](7e9, 1.4e11, E=e, A=a, B=b, alpha=alpha, beta=beta) == law(7e9, 1.4e11)
    assert "2203.15556" in law.source and "isoflop" not in sl.laws and len(sl.laws) > 8
    allocated = law.allocate([1e22, 1e23])
    assert abs(6 * allocated.loc[0, "params"] * allocated.loc[0, "tokens"] / 1e22 - 1) < 1e-9
    with pytest.raises(KeyError, match="choose from hoffmann"):
        sl.published["hofmann"]
    with pytest.raises(sl.Error, match="no alpha, beta given"):
        sl.laws["chinchilla"](1e9, 1e10, E=e, A=a, B=b)


def test_an_interrupt_is_heard_within_a_second(runs: pd.DataFrame) -> None:
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    begin = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        sl.fit(runs.iloc[:12], refits=20_000, law="gamma")
    assert time.monotonic() - begin < 1.5
    # In a process of its own it ends that at once.
    script = "import scalelab as sl, sys; sl.fit(sys.argv[1], refits=1_000_000, law='gamma', estimator='huber-log')"
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"interrupted-{os.getpid()}.csv"
    runs.to_csv(path, index=False)
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stderr=subprocess.PIPE, text=True)
    time.sleep(3)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    path.unlink()
    assert time.monotonic() - begin < 1.5 and "KeyboardInterrupt" in errors


def test_other_threads_of_python_run_meanwhile(runs: pd.DataFrame) -> None:
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    begin = time.monotonic()
    sl.fit(runs, refits=300)
    seconds = time.monotonic() - begin
    done.set()
    thread.join()
    assert counted > 100 * seconds, (counted, seconds)


def test_importing_takes_less_than_a_fifth_of_a_second() -> None:
    # Of the processor, whatever else the machine does.
    script = "import time; t = time.process_time(); import scalelab, sys; print(time.process_time() - t, 'pandas' in sys.modules, 'numpy' in sys.modules)"
    taken = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]
    assert min(float(seconds) for seconds, *_ in taken) < 0.2
    assert all(others == ["False", "False"] for _, *others in taken)


def test_memory_is_steady_over_a_thousand_fits() -> None:
    script = """
import resource, sys, scalelab as sl
n, d = [1e7, 1e8, 1e9] * 3, [1e9] * 3 + [1e10] * 3 + [1e11] * 3
loss = [1.7 + 400 / a**0.34 + 410 / b**0.28 + 0.001 * (at % 4) for at, (a, b) in enumerate(zip(n, d))]
import warnings; warnings.simplefilter("ignore")
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
fits = int(sys.argv[1])
for at in range(fits):
    study = sl.fit({"N": n, "D": d, "loss": loss}, refits=0, law="power-n-no-floor", estimator="least-squares-log")
    study.law, study.allocate if at % 2 else study.to_json()
    if at == fits // 5:
        before = resident()
print(resident() - before)
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("the system does not say how much memory a process has")
    fits = os.environ.get("SCALELAB_FITS", "1000")
    found = subprocess.run([sys.executable, "-c", script, fits], capture_output=True, text=True, check=True)
    assert float(found.stdout) < 12, f"{found.stdout} MiB more after {fits} fits"


def test_a_forked_process_is_told_to_spawn(runs: pd.DataFrame) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("nothing is forked here")
    script = """
import os, sys, warnings, scalelab as sl
warnings.simplefilter("ignore")
sl.fit(sys.argv[1], refits=0)
child = os.fork()
if child == 0:
    try:
        sl.fit(sys.argv[1], refits=0)
    except sl.Error as error:
        os._exit(7 if "spawn" in str(error) else 1)
    os._exit(2)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"forked-{os.getpid()}.csv"
    runs.to_csv(path, index=False)
    found = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=120)
    path.unlink()
    assert found.stdout.strip() == "7", found

"""Grids are planned and trained by the wheel itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import scalelab as sl
from conftest import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::scalelab.Warned")


def trains() -> bool:
    """Whether this wheel was built with training."""
    found = subprocess.run([sys.executable, "-m", "scalelab", "bench", "-h"], capture_output=True, text=True)
    return found.returncode == 0


def test_the_command_is_in_the_wheel() -> None:
    script = Path(sys.executable).with_name("scalelab")
    for line in ([sys.executable, "-m", "scalelab"], [str(script)] if script.exists() else [sys.executable, "-m", "scalelab"]):
        found = subprocess.run([*line, "explain", "isoflop"], capture_output=True, text=True)
        assert found.returncode == 0 and "IsoFLOP" in found.stdout
        failed = subprocess.run([*line, "fit", "nowhere.csv"], capture_output=True, text=True)
        assert failed.returncode == 2 and failed.stderr.startswith("error: nowhere.csv cannot be read")
        wrong = subprocess.run([*line, "fit", "--levl"], capture_output=True, text=True)
        assert wrong.returncode == 2 and "--level" in wrong.stderr


def test_a_plan_trains_nothing(tmp_path: Path) -> None:
    plan = sl.plan("quick", workers=2)
    assert plan.name == "quick" and len(plan.runs) == 50 and plan.flops > 1e12 and plan.seconds > 0
    assert repr(plan).startswith("sweep quick: 50 runs")
    with pytest.raises(sl.Error, match="did you mean quick"):
        sl.plan("quik")
    with pytest.raises(sl.Error, match="did you mean quick"):
        sl.sweep("quik", results=tmp_path)


def test_a_sweep_is_trained_interrupted_and_resumed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    if not trains():
        pytest.skip("this wheel was built without training")
    timer = threading.Timer(8.0, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            sl.sweep(ROOT / "sweeps/quick.toml", workers=2, results=tmp_path)
    finally:
        timer.cancel()
    kept = list((tmp_path / "quick" / "runs").glob("*.csv"))
    sweep = sl.sweep(ROOT / "sweeps/smoke.toml", workers=2, results=tmp_path)
    assert "runs on 2 workers" in capfd.readouterr().err
    assert sweep.folder == tmp_path / "smoke" and len(sweep.runs) > 0 and set(sweep.runs["status"]) == {"finished"}
    again = sl.sweep(ROOT / "sweeps/smoke.toml", workers=2, results=tmp_path)
    assert len(again.runs) == len(sweep.runs)
    assert all(path.exists() for path in kept)

"""The examples do what they say."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, published

EXAMPLES = ROOT / "python/examples"


def run(name: str, *arguments: str) -> str:
    line = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_chinchilla_is_repeated() -> None:
    code = [line for line in (EXAMPLES / "chinchilla.py").read_text().splitlines() if line.strip() and not line.startswith("#")]
    assert len(code) <= 11, "about ten lines"
    printed = run("chinchilla.py", str(published("chinchilla_epoch.csv")))
    rows = {line.split()[0]: line for line in filter(str.strip, printed.splitlines()) if line.split()[0] in ("E", "A", "B", "alpha", "beta")}
    for name, line in rows.items():
        fields = line.split()
        ours, theirs = float(fields[1]), float(fields[-2])
        assert abs(ours / theirs - 1) < 2e-3, (name, line)
    assert len(rows) == 5


def history(n: float, d: float, seed: int) -> str:
    """The loss along a run, with noise that nobody drew."""
    lines = ["_step,tokens,params,val/loss"]
    for step in range(1, 9):
        seen = d * step / 8
        loss = (1.7 + 400 / n**0.34 + 410 / seen**0.28) * (1 + 0.002 * math.sin(3.1 * seed + step))
        lines.append(f"{100 * step},{seen:.0f},{n:.0f},{loss:.5f}")
    return "\n".join(lines) + "\n"


def test_a_folder_of_wandb_becomes_a_recommendation(tmp_path: Path) -> None:
    places = [(n, d) for n in (1e7, 3e7, 1e8, 3e8) for d in (1e9, 4e9, 1.6e10)]
    for at, (n, d) in enumerate(places):
        (tmp_path / f"run-{at}.csv").write_text(history(n, d, at))
    printed = run("wandb.py", str(tmp_path))
    assert "what 12 runs say" in printed and "times the largest run" in printed
    # The law that was drawn from has its optimum there: (0.34 A / 0.28 B)^(1/0.62) (C/6)^(0.28/0.62).
    best = (0.34 * 400 / (0.28 * 410)) ** (1 / 0.62) * (1e21 / 6) ** (0.28 / 0.62)
    line = next(line for line in printed.splitlines() if "parameters, " in line and " to " in line)
    value, low, high = (float(line.split()[at]) for at in (0, 2, 4))
    assert low < best < high and low < value < high, (line, best)


def test_a_law_of_ones_own_stands_beside_chinchilla() -> None:
    printed = run("own_law.py", "results/grid")
    assert all(f"{name}  AICc" in printed for name in ("limits", "outer", "chinchilla")), printed
    assert "L(N, D) = E + max(A/N^alpha, B/D^beta)" in printed and "gamma" in printed

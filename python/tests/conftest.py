"""What the tests share: runs of a known law, published runs, the command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scalelab import _speech

ROOT = Path(__file__).resolve().parents[2]
#: Tables of the literature, which stand outside of the project.
PUBLISHED = Path(os.environ.get("SCALELAB_PUBLISHED", ROOT.parent / "shared/published"))
#: Tests that were passed over for want of a table.
PASSED_OVER: list[str] = []


def command() -> list[str]:
    """The command that the module is held against: the program of the project where it was built, else that of the wheel."""
    named = os.environ.get("SCALELAB_COMMAND")
    return [named] if named else [sys.executable, "-m", "scalelab"]


def said(*words: str) -> str:
    """What the command prints."""
    return subprocess.run([*command(), *words], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def refused(*words: str) -> str:
    """Why the command refuses, without `error: `."""
    found = subprocess.run([*command(), *words], capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 2, found
    return found.stderr.strip().removeprefix("error: ")


def published(name: str) -> Path:
    """A published table; where it is not there the test is passed over, and counted aloud."""
    path = PUBLISHED / name
    if not path.exists():
        PASSED_OVER.append(name)
        pytest.skip(f"{path} is not there (SCALELAB_PUBLISHED names the folder)")
    return path


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if PASSED_OVER:
        terminalreporter.write_line(f"NOT TESTED for want of published tables: {len(PASSED_OVER)} tests ({', '.join(PASSED_OVER)})")


@pytest.fixture(autouse=True)
def every_message_is_of_python(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever any test is told names no option of the command, but in a line for a shell."""
    heard: list[str] = []
    said = _speech.in_python

    def listened(text: str) -> str:
        heard.append(said(text))
        return heard[-1]

    monkeypatch.setattr(_speech, "in_python", listened)
    yield
    for text in heard:
        assert not re.search(r"(?<![\w-])--[a-z]", re.sub(r"`scalelab [^`]*`|(?m:^\s*(next\s+)?scalelab .*$)", "", text)), text


@pytest.fixture(scope="session")
def runs() -> pd.DataFrame:
    """Sixteen runs about E = 1.7, A = 400, B = 410, alpha = 0.34, beta = 0.28."""
    n = np.array([1e7, 3e7, 1e8, 3e8]).repeat(4)
    d = np.tile([2e9, 6e9, 2e10, 6e10], 4)
    loss = (1.7 + 400 / n**0.34 + 410 / d**0.28) * (1 + 0.003 * np.sin(np.arange(16) * 1.7))
    return pd.DataFrame({"N": n, "D": d, "val_loss": loss})

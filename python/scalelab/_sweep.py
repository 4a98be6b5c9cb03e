"""Grids: what they would train and cost, and training them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from . import _scalelab
from ._answers import Document, Error, warn
from ._frames import frame, words
from ._speech import PLAIN


class Plan:
    """What a grid would train and cost; nothing was trained."""

    def __init__(self, text: str, document: Mapping[str, Any]) -> None:
        #: All of it, as `scalelab plan --json` prints it.
        self.document = Document(document)
        self._text, self._found = text, document

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return str(self._found["sweep"])

    @property
    def runs(self) -> Any:
        """A frame of the runs, with predicted_seconds of each."""
        rows = ({**one["run"], "predicted_seconds": one["predicted_seconds"]} for one in self._found["runs"])
        return frame(({name: value for name, value in row.items() if value is not None} for row in rows), "pandas")

    @property
    def flops(self) -> float:
        """FLOPs of all of it."""
        return float(self._found["total_flops_exact"])

    @property
    def seconds(self) -> float:
        """Predicted seconds on its workers."""
        return float(self._found["predicted_wall_seconds"])

    def __repr__(self) -> str:
        return self._text


class Sweep:
    """The folder of a sweep."""

    def __init__(self, folder: Path) -> None:
        #: The results folder.
        self.folder = folder

    @property
    def runs(self) -> Any:
        """A frame of its runs, the columns of runs.csv."""
        try:
            with open(self.folder / "runs.csv", newline="", encoding="utf-8") as file:
                rows = [{name: _number(cell) for name, cell in row.items()} for row in csv.DictReader(file)]
        except OSError as error:
            raise Error(f"{self.folder} has no finished runs: {error}") from error
        return frame(rows, "pandas")

    def fit(self, **options: Any) -> Any:
        """Fits laws to its runs: see `fit`."""
        from ._study import fit

        return fit(self.folder, **options)

    def __repr__(self) -> str:
        return f"sweep in {self.folder}; .fit() fits its runs, .runs are they"


def _number(cell: str | None) -> Any:
    for read in (int, float):
        try:
            return read(cell or "")
        except ValueError:
            pass
    return cell or None


def plan(grid: str | os.PathLike[str], **options: Any) -> Plan:
    """What a grid file, or a sweep that scalelab knows by name such as "quick", would train and cost, as `scalelab plan`.

    Options are those of the command: workers=2, device="cuda:0". Raises `Error` where the grid is refused.
    """
    (text, document), said = PLAIN.ask(_scalelab.plan, [*words(options), os.fspath(grid)])
    warn([PLAIN.said(one) for one in said], 3)
    return Plan(text, json.loads(document))


def _passed_on(source: IO[str], target: Any, last: list[str]) -> None:
    """Lines of a process as they come, through whatever shows a notebook's output."""
    for line in source:
        last.append(line)
        del last[:-20]
        print(line, end="", file=target, flush=True)


def sweep(
    grid: str | os.PathLike[str], *, workers: int | None = None, results: str | os.PathLike[str] = "results", **options: Any
) -> Sweep:
    """Trains what is missing of a grid, as `scalelab sweep`, in processes of its own; what they say appears as it comes.

    `grid` is a grid file or the name of a sweep that scalelab knows; `workers` train side by side; `results` holds the folder. Other
    options are those of the command: device="cuda:0", fetch=True, retry="failed". An interrupt (Ctrl-C, or the notebook's button) keeps
    what is done and the state of every run; the same call resumes. Raises `Error` where the sweep is refused or runs failed.
    """
    asked = {"workers": workers, **options}
    of_plan = {name: value for name, value in asked.items() if name in ("workers", "device", "slots_per_device", "fetch")}
    folder = Path(results) / plan(grid, **of_plan).name
    main = Path(__file__).with_name("__main__.py")
    line = [sys.executable, str(main), "sweep", *words({**asked, "results": os.fspath(results)}), os.fspath(grid)]
    # A session of its own: an interrupt of the terminal reaches it once, through us.
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    last: list[str] = []
    readers = [
        threading.Thread(target=_passed_on, args=(source, target, last), daemon=True)
        for source, target in ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
    ]
    for reader in readers:
        reader.start()
    try:
        code = process.wait()
    except BaseException:
        process.send_signal(signal.SIGINT)
        try:
            process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        raise
    finally:
        for reader in readers:
            reader.join(timeout=5)
    if code == 75:
        raise KeyboardInterrupt("the sweep was stopped; what is done is kept, and the same call resumes")
    if code != 0:
        said = "".join(last).strip().rpartition("error: ")[2] or f"exit code {code}"
        raise Error(f"the sweep of {os.fspath(grid)} ended: {PLAIN.said(said)}")
    return Sweep(folder)

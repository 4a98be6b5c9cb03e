"""Data sets, recipes and changes side by side."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import _scalelab
from ._answers import Document, Error, Estimate, Figure, estimates, warn, written
from ._frames import AT_HAND, frame, kind_of, runs, words


class Speedup:
    """What each group is worth over the baseline in compute: how many times its compute the baseline needs for the same loss."""

    def __init__(self, text: str, document: Mapping[str, Any], kind: str) -> None:
        #: All of it, as `scalelab compare --speedup --json` prints it.
        self.document = Document(document)
        self._text, self._found, self._kind = text, document, kind

    @property
    def places(self) -> Any:
        """A frame of the places at which it was asked for: group, compute of the group in FLOPs, its loss, speedup with _low and _high,
        and within, whether the runs of both reach there."""
        rows = []
        for group in self._found["groups"]:
            for at in group["worth"]["at"]:
                row = {"group": group["group"], "baseline": self._found["baseline"], "compute": at["compute"], "loss": at["loss"]}
                rows.append(row | Estimate.of(at["speedup"]).row("speedup") | {"within": at["within"]})
        return frame(rows, self._kind)

    def __getitem__(self, group: str) -> Estimate | None:
        """The one number of a group, where it is alike at every budget; else see `places`."""
        for one in self._found["groups"]:
            if one["group"] == group:
                constant = one["worth"].get("constant")
                return None if constant is None else Estimate.of(constant)
        raise KeyError(f"no group {group}; there are {', '.join(one['group'] for one in self._found['groups'])}")

    def __repr__(self) -> str:
        return self._text


class Comparison:
    """Groups of runs side by side: the law of each, whether exponents differ, what each makes of one budget."""

    def __init__(
        self, found: _scalelab._Comparison, given: list[tuple[str, str, bytes | None, list[str]]], line: list[str], kind: str
    ) -> None:
        self._comparison, self._given, self._line, self._kind = found, given, line, kind
        self._read: Mapping[str, Any] | None = None

    def _document(self) -> Mapping[str, Any]:
        if self._read is None:
            self._read = json.loads(_scalelab.comparison_document(self._comparison))
        return self._read

    @property
    def document(self) -> Document:
        """All of it, as the command prints it with --json."""
        return Document(self._document())

    @property
    def laws(self) -> Any:
        """A frame of group, name, value, low, high and se of each coefficient of each group's law."""
        rows: list[dict[str, Any]] = []
        for one in self._document().get("groups", []):
            for part in ("coefficients", "derived"):
                rows.extend({"group": one["group"]} | row for row in estimates(one["fitted"][part]))
        return frame(rows, self._kind)

    @property
    def allocations(self) -> Any:
        """A frame of what each law makes of each budget: compute in FLOPs, group, params, tokens and loss with _low and _high."""
        rows: list[dict[str, Any]] = []
        for budget in self._document().get("allocations", []):
            for name, one in budget["groups"].items():
                row: dict[str, Any] = {"compute": budget["compute"], "group": name}
                for what in ("params", "tokens", "loss"):
                    row |= Estimate.of(one[what]).row(what)
                rows.append(row | {"extrapolation": one["extrapolation_factor"]})
        return frame(rows, self._kind)

    def speedup(
        self, floor: float | str | None = None, baseline: str | None = None, compute: Any = None, **options: Any
    ) -> Speedup:
        """What each group is worth over the baseline in compute, as `scalelab compare --speedup`.

        `floor` is the loss that no compute removes, in the unit of the losses, or "shared" or "free"; `baseline` the group to measure
        against, the first where none is named; `compute` the budgets at which it is asked for, FLOPs. Other options: target_loss,
        budgets. Raises `Error` in the words of the command.
        """
        if not self._given:
            raise Error("groups by a column have no speedup of their own: compare them as data frames by name, {name: df, …}")
        asked = words({"floor": floor, "baseline": baseline, "compute": compute, **options})
        (text, document), said = _scalelab.speedup(self._given, [*self._line, *asked])
        warn(said, 3)
        return Speedup(text, json.loads(document), self._kind)

    def figure(self) -> Figure:
        """The frontiers of all groups."""
        return Figure("comparison", _scalelab.comparison_figure(self._comparison))

    def details(self) -> str:
        """Everything behind the answer, as the command prints it with --details."""
        return _scalelab.comparison_screen(self._comparison, True)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The document as text, written to `path` where one is given."""
        return written(_scalelab.comparison_document(self._comparison), path)

    def __repr__(self) -> str:
        return _scalelab.comparison_screen(self._comparison, False)


def compare(
    data: Mapping[str, Any] | Sequence[Any],
    *,
    params: Any = None,
    tokens: Any = None,
    loss: Any = None,
    flops: Any = None,
    compute: Any = None,
    level: float = 0.95,
    seed: int = 0,
    columns: Mapping[str, Any] | None = None,
    **options: Any,
) -> Comparison:
    """Compares sets of runs, as `scalelab compare` does.

    `data` are frames, dicts or paths by name, `{"before": df1, "after": df2}`, or a list of paths. Columns are named as in `fit`;
    `compute` are budgets in FLOPs that every law allocates. Other options are those of the command.
    """
    named = dict(data) if isinstance(data, Mapping) else {Path(os.fspath(path)).stem: path for path in data}
    own = {"params": params, "tokens": tokens, "loss": loss, "flops": flops, **(columns or {})}
    given: list[tuple[str, str, bytes | None, list[str]]] = []
    constants: list[str] = []
    for name, one in named.items():
        path, table, pairs, constants = runs(one, own)
        given.append((str(name), f"{AT_HAND} {name}" if table is not None else path, table, pairs))
    line = words({"level": level, "seed": seed, **options}) + constants
    found, said = _scalelab.compare(given, [*line, *words({"compute": compute})])
    kind = kind_of(next(iter(named.values()), None))
    warn(said, 3)
    return Comparison(found, given, line, kind)


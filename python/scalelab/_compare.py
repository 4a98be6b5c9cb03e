"""Data sets, recipes and changes side by side."""

from __future__ import annotations

import base64
import html
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import _scalelab
from ._answers import Document, Error, Estimate, Figure, estimates, warn, written
from ._frames import frame, kind_of, words
from ._given import Given, runs
from ._speech import Voice


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
        self, found: _scalelab._Comparison, given: list[tuple[str, Given]], line: list[str], kind: str, voice: Voice
    ) -> None:
        self._comparison, self._line, self._kind, self._voice = found, line, kind, voice
        self._given = [(name, one.path, one.table, one.pairs) for name, one in given]
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
        """A frame of group, name, value, low, high, se and level of each coefficient of each group's law."""
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
        (text, document), said = self._voice.ask(_scalelab.speedup, self._given, [*self._line, *asked])
        warn([self._voice.said(one) for one in said], 3)
        return Speedup(self._voice.said(text), json.loads(document), self._kind)

    def figure(self) -> Figure:
        """The frontiers of all groups."""
        return Figure("comparison", self._voice.ask(_scalelab.comparison_figure, self._comparison))

    def details(self) -> str:
        """Everything behind the answer, as the command prints it with --details."""
        return self._voice.said(_scalelab.comparison_screen(self._comparison, True))

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The document as text, written to `path` where one is given."""
        return written(_scalelab.comparison_document(self._comparison), path)

    def __repr__(self) -> str:
        return self._voice.said(_scalelab.comparison_screen(self._comparison, False))

    def _repr_html_(self) -> str:
        try:
            png = base64.b64encode(self.figure().png).decode()
        except Error:
            picture = ""
        else:
            picture = f'<img alt="comparison" style="max-width: 720px" src="data:image/png;base64,{png}">'
        return f"<pre>{html.escape(repr(self))}</pre>{picture}"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a comparison cannot be pickled: keep .to_json(path), or pickle the frames and compare them again")

    # A comparison does not change, so a copy is the comparison.
    def __copy__(self) -> Comparison:
        return self

    def __deepcopy__(self, memo: Any) -> Comparison:
        return self


#: How runs are handed over to be compared.
_FORM = 'sl.compare({"a": df1, "b": df2})'

#: Choices of a study that a comparison makes itself.
_OWN_CHOICES = ("--level=", "--seed=", "--law=", "--compute=")


def _named(data: Any, more: Sequence[Any]) -> dict[str, Any]:
    """What is compared, by name: paths by their stems, all else by its place."""
    if isinstance(data, Mapping) and not more:
        found = {str(name): one for name, one in data.items()}
    else:
        is_list = isinstance(data, Sequence) and not isinstance(data, (str, bytes)) and not more
        all_of_it = list(data) if is_list else [data, *more]
        found = {}
        for at, one in enumerate(all_of_it):
            is_path = isinstance(one, (str, os.PathLike))
            name = Path(os.fspath(one)).stem if is_path else str(at + 1)
            found[name if name not in found else f"{name} {at + 1}"] = one
    if len(found) < 2:
        raise Error(f"there is one set of runs ({', '.join(found) or 'none'}), and a comparison needs two: {_FORM}")
    return found


def _choices(named: Mapping[str, Any]) -> list[str]:
    """Words of the choices that studies were fitted under; empty where no study is among what is compared."""
    lines = {
        name: [word for word in one._line if not word.startswith(_OWN_CHOICES)] if hasattr(one, "_line") else [] for name, one in named.items()
    }
    if all(line == next(iter(lines.values())) for line in lines.values()):
        return next(iter(lines.values()))
    said = "; ".join(f"{name}: {', '.join(word.removeprefix('--') for word in line) or 'none'}" for name, line in lines.items())
    raise Error(f"the studies were fitted under different options ({said}): compare their runs under the same, {_FORM}")


def compare(
    data: Any,
    *more: Any,
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

    `data` are frames, dicts, paths or studies by name, `{"before": df1, "after": df2}`, or several without names. Columns are named as
    in `fit`; of a study its runs, columns and options are taken. `compute` are budgets in FLOPs that every law allocates. Other options
    are those of the command.
    """
    named = _named(data, more)
    own = {"params": params, "tokens": tokens, "loss": loss, "flops": flops, **(columns or {})}
    chosen = _choices(named)
    given: list[tuple[str, Given]] = []
    constants: list[str] = []
    where_of_all = options.pop("where", None)
    for name, one in named.items():
        if hasattr(one, "_line"):
            found: Given = one._given
        else:
            try:
                found, where = runs(one, own, where_of_all)
            except Error as why:
                raise Error(f"{name}: {why}; runs are handed over as {_FORM}") from None
            constants = where + found.constants
        given.append((name, found.called(name)))
    said_anew = tuple(f"--{name.replace('_', '-')}" for name in options)
    chosen = [word for word in chosen if word.split("=")[0] not in said_anew]
    line = words({"level": level, "seed": seed, **options}) + chosen + constants
    voice = Voice({f"data frame {name}": one.labels for name, one in given if one.labels is not None})
    handed = [(name, one.path, one.table, one.pairs) for name, one in given]
    compared, said = voice.ask(_scalelab.compare, handed, [*line, *words({"compute": compute})])
    first = next(iter(named.values()))
    warn([voice.said(one) for one in said], 3)
    return Comparison(compared, given, line, first._kind if hasattr(first, "_line") else kind_of(first), voice)

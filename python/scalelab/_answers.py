"""What studies and comparisons answer with: numbers with intervals, figures, documents."""

from __future__ import annotations

import html
import json
import math
import os
import warnings as _warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._scalelab import Error


class Warned(UserWarning):
    """What a reader of a study must know."""


def warn(said: list[str], level: int = 4) -> None:
    """Warnings at the line of the caller, `level` calls up."""
    for one in dict.fromkeys(said):
        _warnings.warn(one, Warned, stacklevel=level)


def percent(level: float) -> str:
    """A level of confidence, such as 95 %."""
    return f"{100 * level:.6g} %"


def short(value: float) -> str:
    """A number in three digits with the suffix of its size, as the command writes counts: 2.7B, 61.7B."""
    for step, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        rounded = float(f"{value:.3g}")
        if step <= rounded < 1e15:
            return f"{rounded / step:.3g}{suffix}"
    return f"{value:.3g}" if 1e-3 <= value < 1e15 else f"{value:.2e}".replace("e+", "e")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or (hasattr(value, "item") and getattr(value, "shape", None) == ())


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; an end that the runs do not bound is infinite, one that nobody knows is NaN."""

    value: float
    low: float
    high: float
    #: Confidence level of the interval, such as 0.95; `None` where there is none.
    level: float | None

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Estimate:
        """From a document; what is null there is unbounded."""
        level = found.get("level")
        unknown = math.nan if level is None and found.get("interval") is None and found.get("low") is None else math.inf
        low, high, value = found.get("low"), found.get("high"), found.get("value")
        return cls(
            math.nan if value is None else value,
            -unknown if low is None else low,
            unknown if high is None else high,
            level,
        )

    def __float__(self) -> float:
        return self.value

    @property
    def interval(self) -> str:
        """The number and its ends, in four digits."""
        return f"{self.value:.4g}" if math.isnan(self.low) else f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"

    def __repr__(self) -> str:
        return self.interval if self.level is None or math.isnan(self.low) else f"{self.interval} at {percent(self.level)}"

    def __format__(self, spec: str) -> str:
        """The value in the format of a number; without one the value, its ends and their level."""
        return format(self.value, spec) if spec else repr(self)

    def _scaled(self, factor: float, added: float = 0.0) -> Estimate:
        ends = sorted((self.low * factor + added, self.high * factor + added)) if factor else [added, added]
        return Estimate(self.value * factor + added, ends[0], ends[1], self.level)

    # By numbers alone: two estimates of one study vary together, and their intervals do not tell how.
    def __mul__(self, other: float) -> Estimate:
        return self._scaled(float(other)) if _is_number(other) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, other: float) -> Estimate:
        return self._scaled(1.0 / float(other)) if _is_number(other) else NotImplemented

    def __add__(self, other: float) -> Estimate:
        return self._scaled(1.0, float(other)) if _is_number(other) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: float) -> Estimate:
        return self._scaled(1.0, -float(other)) if _is_number(other) else NotImplemented

    def __rsub__(self, other: float) -> Estimate:
        return self._scaled(-1.0, float(other)) if _is_number(other) else NotImplemented

    def __neg__(self) -> Estimate:
        return self._scaled(-1.0)

    def row(self, name: str) -> dict[str, float]:
        """Columns of a frame: the value and both ends."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


@dataclass(frozen=True)
class Prediction:
    """What a study says of one run that is not trained yet. Losses are in the unit of the runs."""

    #: N, parameters.
    params: float
    #: D, tokens.
    tokens: float
    #: C, FLOPs.
    compute: float
    #: Mean loss over runs.
    loss: Estimate
    #: Loss of one run: its own noise is added.
    one_run: Estimate
    #: C over the largest compute of the runs; above 1 the answer is an extrapolation.
    extrapolation: float
    #: What losses are counted in.
    unit: str = ""

    @classmethod
    def of(cls, found: Mapping[str, Any], unit: str = "") -> Prediction:
        """From a document."""
        return cls(
            found["params"],
            found["tokens"],
            found["compute"],
            Estimate.of(found["loss"]),
            Estimate.of(found["one_run"]),
            found["extrapolation_factor"],
            unit,
        )

    def row(self) -> dict[str, Any]:
        """A row of a frame."""
        row: dict[str, Any] = {"params": self.params, "tokens": self.tokens, "compute": self.compute}
        row |= self.loss.row("loss") | self.one_run.row("one_run")
        return row | {"extrapolation": self.extrapolation, "level": self.loss.level}

    def _lines(self) -> tuple[str, list[tuple[str, str]]]:
        unit = f" {self.unit}" if self.unit else ""
        head = f"{short(self.params)} parameters on {short(self.tokens)} tokens, {short(self.compute)} FLOPs"
        head += f", {short(self.extrapolation)}x the largest run"
        level = "no interval" if self.loss.level is None else f"intervals at {percent(self.loss.level)}"
        return head, [("loss", f"{self.loss.interval}{unit}, mean over runs; {level}"), ("one_run", f"{self.one_run.interval}{unit}, one run")]

    def __repr__(self) -> str:
        head, lines = self._lines()
        return "\n".join([head, *(f"  {name:<8}{text}" for name, text in lines)])

    def _repr_html_(self) -> str:
        head, lines = self._lines()
        rows = "".join(f"<tr><td>{name}</td><td>{html.escape(text)}</td></tr>" for name, text in lines)
        return f"<table><caption>{html.escape(head)}</caption>{rows}</table>"


class Figure:
    """A picture: shown by a notebook, or saved with `save`."""

    def __init__(self, name: str, png: bytes) -> None:
        self.name = name
        #: Bytes of the PNG.
        self.png = png

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"figure {self.name}, {len(self.png):,} bytes of PNG; .save(path) writes it"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the PNG to a path; a name without a suffix gets .png.

        Raises `Error` where the suffix is of another format, `OSError` where it cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() not in ("", ".png"):
            raise Error(f"figures are PNG, and {path.name} ends in {path.suffix}: save it as {path.with_suffix('.png').name}")
        path.with_suffix(".png" if not path.suffix else path.suffix).write_bytes(self.png)


class Document(Mapping[str, Any]):
    """A part of a document: its fields as keys and as attributes."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = dict(fields)

    def __getitem__(self, name: str) -> Any:
        return document_of(self._fields[name])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no {name} in this document; there are {', '.join(self._fields)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._fields]

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """All of it as text, written to `path` where one is given."""
        return written(json.dumps(self._fields, indent=2, ensure_ascii=False), path)

    def __repr__(self) -> str:
        """Its fields, a line each, as many as a screen holds."""
        lines = [f"{name}: {_outlined(value)}" for name, value in self._fields.items()]
        more = [f"… and {len(lines) - _LINES} more fields"] if len(lines) > _LINES else []
        return "\n".join([line if len(line) <= 80 else line[:79] + "…" for line in lines[:_LINES]] + more)

    # Found by the class, so that copies and pickles ask no field.
    def __reduce__(self) -> tuple[Any, ...]:
        return Document, (self._fields,)


#: Fields that the screen of a document shows.
_LINES = 30


def _outlined(value: Any) -> str:
    if isinstance(value, dict) and len(json.dumps(value, ensure_ascii=False)) > 60:
        return f"{{{', '.join(value)}}}"
    if isinstance(value, list) and len(json.dumps(value, ensure_ascii=False)) > 60:
        return f"[{len(value)} of them]"
    return json.dumps(value, ensure_ascii=False)


def document_of(value: Any) -> Any:
    """Objects of a document with attributes, lists of them too."""
    if isinstance(value, dict):
        return Document(value)
    return [document_of(one) for one in value] if isinstance(value, list) else value


def estimates(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of a frame of named estimates."""
    rows = []
    for name, one in found.items():
        estimate = Estimate.of(one)
        rows.append({"name": name, "value": estimate.value, "low": estimate.low, "high": estimate.high, "se": one.get("se"), "level": estimate.level})
    return rows


def written(text: str, path: str | os.PathLike[str] | None) -> str:
    """A text, written to a path where one is given."""
    if path is not None:
        Path(path).write_text(text + "\n", encoding="utf-8")
    return text


__all__ = [
    "Document",
    "Error",
    "Estimate",
    "Figure",
    "Prediction",
    "Warned",
    "document_of",
    "estimates",
    "percent",
    "short",
    "warn",
    "written",
]

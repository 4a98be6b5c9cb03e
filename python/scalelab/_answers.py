"""What studies and comparisons answer with: numbers with intervals, figures, documents."""

from __future__ import annotations

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
    for one in said:
        _warnings.warn(one, Warned, stacklevel=level)


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

    def __repr__(self) -> str:
        return f"{self.value:.4g}" if math.isnan(self.low) else f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"

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

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Prediction:
        """From a document."""
        return cls(
            found["params"],
            found["tokens"],
            found["compute"],
            Estimate.of(found["loss"]),
            Estimate.of(found["one_run"]),
            found["extrapolation_factor"],
        )

    def row(self) -> dict[str, float]:
        """A row of a frame."""
        row = {"params": self.params, "tokens": self.tokens, "compute": self.compute}
        return row | self.loss.row("loss") | self.one_run.row("one_run") | {"extrapolation": self.extrapolation}


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
        """Writes the PNG to a path.

        Raises `OSError` where it cannot be written.
        """
        Path(path).write_bytes(self.png)


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

    def __repr__(self) -> str:
        return json.dumps(self._fields, indent=2, ensure_ascii=False)


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
        rows.append({"name": name, "value": estimate.value, "low": estimate.low, "high": estimate.high, "se": one.get("se")})
    return rows


def written(text: str, path: str | os.PathLike[str] | None) -> str:
    """A text, written to a path where one is given."""
    if path is not None:
        Path(path).write_text(text + "\n", encoding="utf-8")
    return text


__all__ = ["Document", "Error", "Estimate", "Figure", "Prediction", "Warned", "document_of", "estimates", "warn", "written"]

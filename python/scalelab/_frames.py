"""Values in and out: options as words, places as lists of numbers, rows as a frame of pandas or polars."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._scalelab import Error


def words(options: Mapping[str, Any]) -> list[str]:
    """Options as the command takes them: `refits=200` is `--refits=200`, `force=True` is `--force`, a list is one for each."""
    found: list[str] = []
    for name, value in options.items():
        flag = "--" + name.rstrip("_").replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            found.append(flag)
        elif isinstance(value, Mapping):
            found.extend(f"{flag}={key}={_text(one)}" for key, one in value.items())
        elif is_array(value):
            found.extend(f"{flag}={_text(one)}" for one in listed(value))
        else:
            found.append(f"{flag}={_text(value)}")
    return found


def _text(value: Any) -> str:
    if hasattr(value, "item") and not is_array(value):
        value = value.item()
    return repr(value) if isinstance(value, float) else str(value)


def is_array(value: Any) -> bool:
    """Whether a value holds several: a list, an array, a series."""
    if isinstance(value, (str, bytes)) or isinstance(value, os.PathLike):
        return False
    shape = getattr(value, "shape", None)
    return len(shape) > 0 if isinstance(shape, tuple) else isinstance(value, Iterable)


def listed(values: Any) -> list[Any]:
    """The values of a list, an array or a series, or the one of a number, as Python's own."""
    if not is_array(values):
        return [values]
    for name in ("to_list", "tolist"):
        if hasattr(values, name):
            found: list[Any] = getattr(values, name)()
            return found
    return list(values)


def like(values: list[float], *given: Any) -> Any:
    """Values as what was given: a number for numbers, a list for lists, else an array of numpy."""
    arrays = [one for one in given if is_array(one)]
    if not arrays:
        return values[0]
    if all(isinstance(one, (list, tuple, range)) for one in arrays):
        return values
    import numpy

    return numpy.array(values)


#: Suffixes of quantities, as the command reads them.
_SUFFIXES = {"k": 3, "K": 3, "M": 6, "m": 6, "B": 9, "G": 9, "b": 9, "g": 9, "T": 12, "t": 12, "P": 15, "p": 15, "E": 18}


def quantity(value: Any) -> float:
    """A number, or a text as the command reads it: "7B", "1.4e11", "140_000".

    Raises `Error` where it is neither.
    """
    if not isinstance(value, str):
        try:
            return float(value)
        except (TypeError, ValueError):
            raise Error(f"{value!r} is no number: give one, or a text such as \"7B\" or \"1.4e11\"") from None
    text = value.strip()
    power = _SUFFIXES.get(text[-1:], 0)
    digits = text[:-1].rstrip() if power else text
    if re.fullmatch(r"[+-]?\d{1,3}([,_]\d{3})+(\.\d*)?", digits):
        digits = re.sub("[,_]", "", digits)
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", digits):
        raise Error(f"`{value}` is not a number: digits with an optional exponent and suffix k, M, B, T, P, E, such as \"7B\" or \"1.4e11\"")
    # Scaled as text, so that 1.1M is 1100000 and not 1100000.0000000001.
    return float(digits) * 10**power if "e" in digits.lower() else float(f"{digits}e{power}")


def places(**variables: Any) -> dict[str, list[float]]:
    """Variables of a law by name, each with as many values as the longest; what is `None` is left out."""
    given = {name: value for name, value in variables.items() if value is not None}
    lists = {name: [quantity(one) for one in listed(value)] if is_array(value) else None for name, value in given.items()}
    lengths = {len(values) for values in lists.values() if values is not None}
    if len(lengths) > 1:
        said = ", ".join(f"{name} has {len(values)}" for name, values in lists.items() if values is not None)
        raise Error(f"places are given by lists of several lengths ({said}): give one value, or as many of each")
    length = lengths.pop() if lengths else 1
    found: dict[str, list[float]] = {}
    for name, values in lists.items():
        found[name] = values if values is not None else [quantity(given[name])] * length
    return found


def kind_of(data: Any) -> str:
    """Whose frames an answer is given in: those of what was asked about, else pandas where it is there."""
    return "polars" if type(data).__module__.split(".")[0] == "polars" else "pandas"


class Rows(list[dict[str, Any]]):
    """Rows of a table, where there is no pandas and no polars to make a frame of them."""

    def __repr__(self) -> str:
        if not self:
            return "no rows"
        names = list(dict.fromkeys(name for row in self for name in row))
        cells = [names, *([_shown(row.get(name)) for name in names] for row in self)]
        widths = [max(len(row[at]) for row in cells) for at in range(len(names))]
        return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in cells)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)


def index_of(kind: str, *given: Any) -> Any:
    """The index of the first series of pandas among what was asked about, for the answer to keep; else `None`."""
    if kind != "pandas":
        return None
    return next((one.index for one in given if hasattr(one, "iloc") and hasattr(one, "index")), None)


def frame(rows: Iterable[Mapping[str, Any]], kind: str, columns: Sequence[str] | None = None, index: Any = None) -> Any:
    """Rows as a frame of polars or pandas, else as `Rows`; of no rows one with the columns that are named."""
    made = [dict(row) for row in rows]
    if kind == "polars":
        import polars

        if not made and columns is not None:
            return polars.DataFrame({name: [] for name in columns})
        return polars.DataFrame(made, infer_schema_length=None)
    if "pandas" in sys.modules or importlib.util.find_spec("pandas") is not None:
        import pandas

        fits = index is not None and len(index) == len(made)
        return pandas.DataFrame(made, columns=None if made or columns is None else list(columns), index=index if fits else None)
    return Rows(made)


__all__ = ["Rows", "frame", "index_of", "is_array", "kind_of", "like", "listed", "places", "quantity", "words"]

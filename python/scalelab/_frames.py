"""Tables in and out: frames of pandas and polars, dicts, arrays and paths as the bytes of a CSV; rows as a frame."""

from __future__ import annotations

import csv
import importlib.util
import io
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from . import _scalelab
from ._scalelab import Error

#: What a table at hand is called in messages.
AT_HAND = "data frame"

#: Headers by which a table is one of scalelab's own, whose whole numbers are written without a point.
_OWN = {"run_id", "layers", "status"}


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


def places(**variables: Any) -> dict[str, list[float]]:
    """Variables of a law by name, each with as many values as the longest; what is `None` is left out."""
    given = {name: value for name, value in variables.items() if value is not None}
    lists = {name: [float(one) for one in listed(value)] if is_array(value) else None for name, value in given.items()}
    lengths = {len(values) for values in lists.values() if values is not None}
    if len(lengths) > 1:
        said = ", ".join(f"{name} has {len(values)}" for name, values in lists.items() if values is not None)
        raise Error(f"places are given by lists of several lengths ({said}): give one value, or as many of each")
    length = lengths.pop() if lengths else 1
    found: dict[str, list[float]] = {}
    for name, values in lists.items():
        found[name] = values if values is not None else [float(given[name])] * length
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


def frame(rows: Iterable[Mapping[str, Any]], kind: str) -> Any:
    """Rows as a frame of polars or pandas, else as `Rows`."""
    made = [dict(row) for row in rows]
    if kind == "polars":
        import polars

        return polars.DataFrame(made, infer_schema_length=None)
    if "pandas" in sys.modules or importlib.util.find_spec("pandas") is not None:
        import pandas

        return pandas.DataFrame(made)
    return Rows(made)


def _columns(data: Any) -> list[tuple[str, Any]]:
    """Names and values of the columns of what was given."""
    library = type(data).__module__.split(".")[0]
    if library == "polars":
        if hasattr(data, "collect"):
            data = data.collect()
        return [(str(column.name), column.to_list()) for column in data.get_columns()]
    if library == "pyarrow":
        return list(data.to_pydict().items())
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        return [(str(name), data.iloc[:, at].tolist()) for at, name in enumerate(data.columns)]
    names = getattr(getattr(data, "dtype", None), "names", None)
    if names is not None:
        return [(name, data[name].tolist()) for name in names]
    if isinstance(data, Mapping):
        return [(str(name), listed(values) if is_array(values) else values) for name, values in data.items()]
    if isinstance(data, Sequence) and data and all(isinstance(row, Mapping) for row in data):
        names = list(dict.fromkeys(name for row in data for name in row))
        return [(str(name), [row.get(name) for row in data]) for name in names]
    shape = getattr(data, "shape", None)
    if shape is not None and len(shape) == 2:
        raise Error('an array of two axes has no names of columns: give {"params": a[:, 0], "tokens": a[:, 1], "loss": a[:, 2]}')
    raise Error(
        f"runs are a path, a frame of pandas or polars, a dict of columns or a list of dicts, not a {type(data).__name__}"
    )


def _cell(value: Any, own: bool) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return int(value) if own and value.is_integer() and abs(value) < 1e15 else repr(value)
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return ""
    if isinstance(value, bool) and own:
        return str(value).lower()
    return value


def _csv(columns: list[tuple[str, Any]]) -> bytes:
    lengths = {name: len(values) for name, values in columns if isinstance(values, list)}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise Error(f"columns have several lengths: {said}")
    count = next(iter(lengths.values()), 0)
    own = _OWN <= {name for name, _ in columns}
    lists = [values if isinstance(values, list) else [values] * count for _, values in columns]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([name for name, _ in columns])

    def rows() -> Iterator[list[Any]]:
        for row in zip(*lists):
            yield [_cell(value, own) for value in row]

    writer.writerows(rows())
    return out.getvalue().encode()


def runs(data: Any, columns: Mapping[str, Any]) -> tuple[str, bytes | None, list[str], list[str]]:
    """Path, table, pairs of columns and words of constants of some runs.

    `columns` says for each of ours which of theirs it is (a text), its value in every row (a number), or its values (an array).
    """
    said = {name: value for name, value in columns.items() if value is not None}
    pairs = [f"{name}={value}" for name, value in said.items() if isinstance(value, str)]
    arrays = [(name, listed(value)) for name, value in said.items() if not isinstance(value, str) and is_array(value)]
    numbers = {name: value for name, value in said.items() if not isinstance(value, str) and not is_array(value)}
    constants = words({"set": numbers})
    if isinstance(data, (str, os.PathLike)):
        if arrays:
            raise Error(f"values of {arrays[0][0]} stand beside the file {os.fspath(data)}: read the file into a frame and add a column")
        return str(os.fspath(data)), None, pairs, constants
    if data is None and not arrays:
        raise Error("there are no runs: give a path, a frame, or arrays: params=…, tokens=…, loss=…")
    found = [] if data is None else _columns(data)
    taken = {name for name, _ in arrays}
    return AT_HAND, _csv([one for one in found if one[0] not in taken] + arrays), pairs, constants


__all__ = ["AT_HAND", "Rows", "frame", "is_array", "kind_of", "like", "listed", "places", "runs", "words", "_scalelab"]

"""Runs that are handed over: frames of pandas and polars, dicts, arrays and paths as the bytes of a CSV."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._frames import is_array, listed, words
from ._scalelab import Error
from ._speech import Labels, Voice

#: What a table at hand is called in messages.
AT_HAND = "data frame"

#: Headers by which a table is one of scalelab's own, whose whole numbers are written without a point.
_OWN = {"run_id", "layers", "status"}


@dataclass(frozen=True)
class Given:
    """Runs as the Rust side takes them."""

    #: Path of a file or folder, or what the table at hand is called.
    path: str
    #: Bytes of a CSV, where the runs are at hand.
    table: bytes | None
    #: Which columns are which of ours: `params=N`.
    pairs: list[str]
    #: Words of numbers that hold for every run.
    constants: list[str]
    #: What the rows are called, where they are at hand.
    labels: Labels | None

    def called(self, name: str) -> Given:
        """The same under a name of its own."""
        return self if self.table is None else Given(f"{AT_HAND} {name}", self.table, self.pairs, self.constants, self.labels)

    @property
    def voice(self) -> Voice:
        """How messages about them are said."""
        return Voice({self.path: self.labels} if self.labels is not None else {})


def _labels(data: Any, count: int) -> list[str] | None:
    """Names of rows by the index of a frame of pandas; `None` where rows are counted."""
    index = getattr(data, "index", None)
    if not hasattr(data, "iloc") or index is None:
        return None
    if type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1:
        return None
    if not index.is_unique:
        return [f"{at} (by position)" for at in range(count)]
    return [repr(one) if isinstance(one, (str, tuple)) else str(one) for one in index.tolist()]


def _columns(data: Any) -> list[tuple[str, Any]]:
    """Names and values of the columns of what was given."""
    library = type(data).__module__.split(".")[0]
    if library == "polars" and hasattr(data, "get_columns"):
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
    if hasattr(data, "name") and shape is not None:
        raise Error("a series is one column: give arrays, sl.fit(params=df.N, tokens=df.D, loss=df.loss), or the frame")
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


def _csv(columns: list[tuple[str, Any]], kept: list[bool] | None) -> tuple[bytes, int, list[int] | None]:
    """Bytes, number of rows, and the line of each row where any has several."""
    if not columns:
        raise Error("data frame: there are no columns; runs need params, tokens and loss, by these or other names")
    lengths = {name: len(values) for name, values in columns if isinstance(values, list)}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise Error(f"columns have several lengths: {said}")
    count = next(iter(lengths.values()), 0)
    if count == 0:
        raise Error(f"data frame: there are columns ({', '.join(name for name, _ in columns)}) and no row")
    if kept is not None and len(kept) != count:
        raise Error(f"where is a mask of {len(kept)} values, and there are {count} rows")
    own = _OWN <= {name for name, _ in columns}
    lists = [values if isinstance(values, list) else [values] * count for _, values in columns]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([name for name, _ in columns])
    line, lines = 2 + sum(name.count("\n") for name, _ in columns), []

    def rows() -> Iterator[list[Any]]:
        nonlocal line
        for at, row in enumerate(zip(*lists)):
            if kept is None or kept[at]:
                cells = [_cell(value, own) for value in row]
                lines.append(line)
                line += 1 + sum(cell.count("\n") for cell in cells if isinstance(cell, str))
                yield cells

    writer.writerows(rows())
    if not lines:
        raise Error(f"where leaves none of the {count} rows")
    return out.getvalue().encode(), count, lines if lines != list(range(2, len(lines) + 2)) else None


def _is_mask(value: Any) -> bool:
    if not is_array(value) or isinstance(value, Mapping):
        return False
    kind = str(getattr(value, "dtype", "")).lower()
    if kind:
        return kind in ("bool", "boolean")
    return len(list(value)) > 0 and all(isinstance(one, bool) or type(one).__name__ in ("bool_", "bool") for one in value)


def _condition(text: str) -> str:
    """A condition as the command reads it: `a == "b"` is `a=b`."""
    found = re.fullmatch(r"\s*([^=!<>]+?)\s*(==|!=|<=|>=|=|<|>)\s*(.*?)\s*", text, re.DOTALL)
    if found is None:
        return text
    name, compared, value = found.groups()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return f"{name}{'=' if compared == '==' else compared}{value}"


def conditions(where: Any, data: Any) -> tuple[list[bool] | None, list[str]]:
    """A mask of rows and conditions in words, of what `where` holds."""
    if where is None:
        return None, []
    if type(where).__module__.split(".")[0] == "polars" and type(where).__name__ == "Expr":
        if type(data).__module__.split(".")[0] != "polars":
            raise Error("where is an expression of polars, and the runs are no frame of it: give a mask or a text, where=\"dataset=c4\"")
        where = data.select(where).to_series()
    if _is_mask(where):
        index, own = getattr(data, "index", None), getattr(where, "index", None)
        if hasattr(data, "iloc") and hasattr(where, "iloc") and index is not None and own is not None and not index.equals(own):
            if not (own.is_unique and index.isin(own).all()):
                raise Error("where is a mask with another index than the frame: make it from the frame, where=df.dataset == \"c4\"")
            where = where.reindex(index)
        return [one is True or (one is not None and str(one) == "True") for one in listed(where)], []
    if isinstance(where, str):
        return None, [_condition(where)]
    if not is_array(where):
        raise Error(f'where is a condition such as "dataset=c4", a list of them or a mask with a value for each row, not {where!r}')
    mask: list[bool] | None = None
    texts: list[str] = []
    for one in where:
        more, said = conditions(one, data)
        texts += said
        if more is not None:
            mask = more if mask is None or len(mask) != len(more) else [a and b for a, b in zip(mask, more)]
    return mask, texts


def runs(data: Any, columns: Mapping[str, Any], where: Any = None) -> tuple[Given, list[str]]:
    """Some runs, and the conditions on them that the command reads.

    `columns` says for each of ours which of theirs it is (a text), its value in every row (a number), or its values (an array).
    """
    said = {name: value for name, value in columns.items() if value is not None}
    pairs = [f"{name}={value}" for name, value in said.items() if isinstance(value, str)]
    arrays = [(name, listed(value)) for name, value in said.items() if not isinstance(value, str) and is_array(value)]
    numbers = {name: value for name, value in said.items() if not isinstance(value, str) and not is_array(value)}
    constants = words({"set": numbers})
    if type(data).__module__.split(".")[0] == "polars" and hasattr(data, "collect"):
        data = data.collect()
    kept, texts = conditions(where, data)
    texts = words({"where": texts})
    if isinstance(data, (str, os.PathLike)):
        if arrays:
            raise Error(f"values of {arrays[0][0]} stand beside the file {os.fspath(data)}: read the file into a frame and add a column")
        if kept is not None:
            raise Error(f'where is a mask, and {os.fspath(data)} is a path: read it into a frame, or say where="dataset=c4"')
        return Given(str(os.fspath(data)), None, pairs, constants, None), texts
    if data is None and not arrays:
        raise Error("there are no runs: give a path, a frame, or arrays: params=…, tokens=…, loss=…")
    found = [] if data is None else _columns(data)
    taken = {name for name, _ in arrays}
    table, count, lines = _csv([one for one in found if one[0] not in taken] + arrays, kept)
    names = _labels(data, count)
    if kept is not None:
        names = [one for one, keep in zip(names or map(str, range(count)), kept) if keep]
    return Given(AT_HAND, table, pairs, constants, Labels(names, lines)), texts

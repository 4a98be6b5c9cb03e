"""Messages of the command in the words of Python: its options as arguments, lines of a table as rows of a frame. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from ._scalelab import Error

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Columns that `fit` takes by arguments of their own; others go through `columns`.
_OF_THEIR_OWN = ("params", "tokens", "loss", "flops")
#: Options that are given or not.
_SWITCHES = {"robust", "force", "trust", "checkpoints", "conventions", "fetch", "keep-going"}
#: What Python calls where the command has an option.
_CALLS = {"details": ".details()", "json": ".to_json()", "speedup": ".speedup()"}
#: Options whose value is a word.
_OF_WORDS = {"law", "estimator", "vertices", "base", "baseline", "by", "resample", "size-measure", "flop-rule", "protocol"}
#: Words of a sentence that follow an option without being its value.
_NO_VALUES = {"out", "leaves", "is", "are", "names", "as", "asks", "refits", "reads", "cannot", "and", "or", "beside", "to", "goes", "of"}

_VALUE = r"""(?:'[^']*'|"[^"]*"|[^\s;,:()'"]+)"""
_COLUMNS = re.compile(rf"--(columns|set) ('[^']*=[^']*'|\w+={_VALUE}|[\w.]+\.toml|FILE)")
_WHERE = re.compile(rf"--where ('[^']*'|[\w.]+(?:!=|<=|>=|=|<|>){_VALUE})")
_NUMBER = re.compile(r"--([a-z][a-z-]*)[ =]((?:[\d.]+(?:e[+-]?\d+)?)(?:,[\d.]+(?:e[+-]?\d+)?)*(?![\w])|[A-Z][A-Z,…]*\b)")
_WORD = re.compile(rf"--({'|'.join(sorted(_OF_WORDS))})[ =]([a-z][\w-]*|'[^']*')")
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
#: Lines of a shell are those of a shell.
_SHELL = re.compile(r"(`scalelab [^`]*`|^\s*(?:next\s+)?scalelab [a-z].*$)", re.MULTILINE)


def _argument(name: str) -> str:
    return name.replace("-", "_")


def _quoted(value: str) -> str:
    value = value.strip("'\"")
    return '"' + value.replace('"', "'") + '"'


def _column(found: re.Match[str]) -> str:
    which, pairs = found.group(1), found.group(2)
    if "=" not in pairs:
        return "columns={…}"
    last = pairs[-1] if pairs[-1] in ".?!" else ""
    pairs = pairs[: len(pairs) - len(last)]
    own: list[str] = []
    others: list[str] = []
    for pair in (pairs[1:-1] if pairs.startswith("'") else pairs).split(","):
        name, _, value = pair.partition("=")
        is_number = which == "set" and re.fullmatch(r"[\d.]+(?:e[+-]?\d+)?|…", value) is not None
        said = value if is_number else _quoted(value)
        if which == "set" and not is_number:
            own.append(f'set={{"{name}": {said}}}')
        elif name in _OF_THEIR_OWN:
            own.append(f"{name}={said}")
        else:
            others.append(f'"{name}": {said}')
    return ", ".join(own + (["columns={" + ", ".join(others) + "}"] if others else [])) + last


def _of_words(found: re.Match[str]) -> str:
    if found.group(2) in _NO_VALUES:
        return found.group(0)
    return f"{_argument(found.group(1))}={_quoted(found.group(2))}"


def _of_numbers(found: re.Match[str]) -> str:
    name, value = _argument(found.group(1)), found.group(2)
    return f"{name}=[{value.replace(',', ', ')}]" if "," in value.rstrip(",…") else f"{name}={value.rstrip(',…')}"


def _bare(found: re.Match[str]) -> str:
    name = found.group(1)
    return _CALLS.get(name) or _argument(name) + ("=True" if name in _SWITCHES else "=")


def _sentence(text: str) -> str:
    # What the reader of options says.
    text = re.sub(r"unexpected argument '--([a-z][\w-]*)' found", lambda m: f"there is no option {_argument(m.group(1))}", text)
    text = re.sub(r"\s+tip: (?:a|some) similar arguments? exists?: (.*)", lambda m: f": did you mean {m.group(1)}?", text)
    text = re.sub(r"'--([a-z][a-z-]*)(?:\[?[ =][^']*)?'", lambda m: _argument(m.group(1)), text)
    text = re.sub(r"--([a-z-]+) is an option of the command alone", lambda m: f"{_argument(m.group(1))} is an option of the command alone", text)
    text = text.replace("--set is for a column", "a number is for a column").replace("leave --law out", "leave law= out")
    # `fit --law NAME` in the middle of a sentence is a call.
    text = re.sub(r"\bfit --(by|law) ([\w-]+)", lambda m: f"fit({m.group(1)}={_quoted(m.group(2))})", text)
    text = _COLUMNS.sub(_column, text)
    text = _WHERE.sub(lambda m: f"where={_quoted(m.group(1))}", text)
    text = _NUMBER.sub(_of_numbers, text)
    text = _WORD.sub(_of_words, text)
    return _OPTION.sub(_bare, text)


def in_python(text: str) -> str:
    """A message with options of the command as arguments and calls of Python; lines for a shell stay."""
    parts = _SHELL.split(text)
    return "".join(part if at % 2 else _sentence(part) for at, part in enumerate(parts))


@dataclass(frozen=True)
class Labels:
    """What the rows of a frame are called, where its table is handed over as lines."""

    #: A label for each row, `None` where they are counted from 0.
    names: Sequence[str] | None
    #: Line of each row, `None` where each row has one line, from line 2.
    lines: Sequence[int] | None = None

    def row(self, line: int) -> str:
        """The label of the row that stands in a line."""
        at = line - 2 if self.lines is None else bisect_right(self.lines, line) - 1
        return self.names[at] if self.names is not None and 0 <= at < len(self.names) else str(at)


_LINES = re.compile(r"(?P<file>\.\w+, )?(?P<header>, line 1\b)|(?P<of_file>\.\w+, )?\blines?\s+(?P<all>\d+(?:, \d+)*(?: and \d+(?! more|\d))?)")


@dataclass(frozen=True)
class Voice:
    """How messages about some runs are said: frames by name, each with its labels; those of files keep their lines."""

    frames: dict[str, Labels] = field(default_factory=dict)

    def _labels(self, text: str) -> Labels | None:
        named = [labels for name, labels in self.frames.items() if re.search(rf"\b{re.escape(name)}(?!\w)", text)]
        if named:
            return named[0]
        return next(iter(self.frames.values())) if len(self.frames) == 1 else None

    def said(self, text: str) -> str:
        """A message of the command as Python says it."""
        labels = self._labels(text)
        if labels is not None:

            def rows(found: re.Match[str]) -> str:
                if found["file"] or found["of_file"]:
                    return found[0]
                if found["header"]:
                    return ""
                many = "," in found["all"] or " and " in found["all"]
                return ("rows " if many else "row ") + re.sub(r"\d+", lambda number: labels.row(int(number[0])), found["all"])

            text = _LINES.sub(rows, text)
        return in_python(text)

    def ask(self, call: Callable[_P, _T], *args: _P.args, **options: _P.kwargs) -> _T:
        """What a call of the Rust side returns; what it refuses is said in the words of Python."""
        try:
            return call(*args, **options)
        except Error as why:
            raise Error(self.said(str(why))) from None


#: Of what is about no runs.
PLAIN = Voice()

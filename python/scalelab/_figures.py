"""Figures of a study, drawn when they are asked for, each once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import _scalelab
from ._answers import Error, Figure
from ._speech import Voice


class Figures(Mapping[str, str]):
    """Names of the figures that the runs can show, each with what it shows."""

    def __init__(self, study: _scalelab._Study, voice: Voice) -> None:
        self._study, self._voice = study, voice
        self._pictures: dict[str, bytes | Error] = {}

    def drawn(self, name: str) -> Figure:
        """A figure. Raises `Error` where there is none of the name, or the runs have nothing that it shows."""
        if name not in self._pictures:
            try:
                self._pictures[name] = self._voice.ask(_scalelab.figure, self._study, name)
            except Error as why:
                self._pictures[name] = why
        found = self._pictures[name]
        if isinstance(found, Error):
            raise Error(str(found))
        return Figure(name, found)

    def _all(self) -> dict[str, str]:
        found = {}
        for name, shows in _scalelab.figures():
            try:
                self.drawn(name)
            except Error:
                continue
            found[name] = shows
        return found

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        found = self._all()
        width = max(map(len, found), default=0)
        lines = [f"{name:<{width}}  {shows}" for name, shows in found.items()]
        lacking = [name for name, _ in _scalelab.figures() if name not in found]
        return "\n".join(lines + ([f"the runs have nothing for {', '.join(lacking)}"] if lacking else []))

"""The laws by name, and those of the literature."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from . import _scalelab
from ._answers import Error, warn
from ._frames import like, places, words
from ._speech import PLAIN


class OwnLaw(Protocol):
    """A law of one's own, as what was fitted asks it."""

    formula: str
    coefficients: list[str]
    variables: list[str]

    def __call__(self, *args: Any, **by_name: Any) -> Any: ...


#: Laws of one's own by name, the last that was made of each.
OWN: dict[str, OwnLaw] = {}

_T = TypeVar("_T")


def in_order(law: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Coefficients by name in the order of their law; documents have them by the alphabet."""
    names = laws[law].coefficients if law in laws else OWN[law].coefficients if law in OWN else []
    return {name: found[name] for name in names if name in found} | dict(found)


class Registry(Mapping[str, _T]):
    """Laws by name."""

    def __init__(self, read: Callable[[], dict[str, _T]], what: str) -> None:
        self._read, self._what = read, what
        self._found: dict[str, _T] | None = None

    def _all(self) -> dict[str, _T]:
        if self._found is None:
            self._found = self._read()
        return self._found

    def __getitem__(self, name: str) -> _T:
        if name not in self._all():
            raise KeyError(f"there is no {self._what} {name}; choose from {', '.join(self._all())}")
        return self._all()[name]

    def __getattr__(self, name: str) -> _T:
        """A law whose name is also one of Python, such as `published.hoffmann`; `-` is `_`."""
        if name.startswith("_"):
            raise AttributeError(name)
        for known, law in self._all().items():
            if known.replace("-", "_") == name:
                return law
        raise AttributeError(f"there is no {self._what} {name}; choose from {', '.join(self._all())}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(known.replace("-", "_") for known in self._all())]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return "\n".join(repr(law) for law in self._all().values())


class KnownLaw:
    """A formula that scalelab fits. Called with N, D and its coefficients by name, it returns losses."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        #: Its name, as `fit(law=…)` takes it.
        self.name: str = found["name"]
        #: The formula in words.
        self.formula: str = found["formula"]
        #: What it depends on.
        self.variables: list[str] = found["variables"]
        #: Names of its coefficients.
        self.coefficients: list[str] = [one["name"] for one in found["coefficients"]]

    def __call__(
        self,
        N: Any = None,
        D: Any = None,
        *,
        C: Any = None,
        batch: Any = None,
        steps: Any = None,
        unique_tokens: Any = None,
        base: str | None = None,
        **coefficients: float,
    ) -> Any:
        """Loss at N parameters and D tokens, numbers or arrays of one length, with every coefficient given by its name.

        `base` is the published law that data-constrained rests on. Raises `Error` where anything is missing.
        """
        missing = [name for name in self.coefficients if name not in coefficients]
        unknown = [name for name in coefficients if name not in self.coefficients]
        if missing or unknown:
            said = [f"no {', '.join(missing)} given"] * bool(missing) + [f"no coefficient {', '.join(unknown)} in it"] * bool(unknown)
            raise Error(f"{self.name}, {self.formula}: {'; '.join(said)}")
        at = places(**{"N": N, "D": D, "C": C, "batch": batch, "steps": steps, "unique tokens": unique_tokens})
        values = [float(coefficients[name]) for name in self.coefficients]
        return like(PLAIN.ask(_scalelab.losses, self.name, values, at, base), N, D, C, batch, steps, unique_tokens)

    def __repr__(self) -> str:
        return f"{self.name}: {self.formula}"


class PublishedLaw:
    """A law as somebody published it: E + A/N^alpha + B/D^beta. Called with N and D, it returns losses."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        #: Its name, as `scalelab recommend --published` takes it.
        self.name: str = found["name"]
        #: Coefficients by name; N in parameters, D in tokens, losses in nats per token of the source's tokenizer.
        self.coefficients: dict[str, float] = in_order("chinchilla", found["coefficients"])
        #: Paper and table.
        self.source: str = found["source"]

    def __call__(self, N: Any, D: Any) -> Any:
        """Loss at N parameters and D tokens, nats per token; numbers or arrays of one length."""
        at = places(N=N, D=D)
        return like(PLAIN.ask(_scalelab.losses, "chinchilla", list(self.coefficients.values()), at, None), N, D)

    def allocate(self, compute: float | Sequence[float] | Any, **options: Any) -> Any:
        """What it would train with budgets of `compute` FLOPs, C = 6·N·D, as `scalelab recommend --published`; without intervals.

        A frame as of `Study.allocate`. Options are those of the command, such as hardware="h100x8".
        """
        from ._advice import allocations, budgets

        asked = words({"compute": budgets(compute), **options})
        found, said = PLAIN.ask(_scalelab.recommend_published, self.name, asked)
        warn([PLAIN.said(one) for one in said], 3)
        return allocations(json.loads(found), "pandas")

    def __repr__(self) -> str:
        named = ", ".join(f"{name} = {value:.4g}" for name, value in self.coefficients.items())
        return f"{self.name}: {named} ({self.source})"


def _known() -> dict[str, KnownLaw]:
    return {one["name"]: KnownLaw(one) for one in json.loads(_scalelab.formulas())}


def _published() -> dict[str, PublishedLaw]:
    return {one["name"]: PublishedLaw(one) for one in json.loads(_scalelab.published())}


#: Every law that scalelab fits, by name.
laws: Registry[KnownLaw] = Registry(_known, "law")
#: Laws of the literature with their coefficients, by name.
published: Registry[PublishedLaw] = Registry(_published, "published law")

"""Fitted laws and profiles of budgets, live or from files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _scalelab
from ._answers import Document, Error, Estimate, estimates, percent
from ._frames import frame, is_array, like, listed, places, quantity
from ._laws import OWN, OwnLaw, in_order, laws
from ._speech import PLAIN, Voice


class FittedLaw:
    """A law with estimated coefficients. Called with N, D and whatever else it depends on, it returns losses."""

    def __init__(self, document: Mapping[str, Any], kind: str, study: _scalelab._Study | None, voice: Voice = PLAIN) -> None:
        #: All that is known of the fit, as in `fits/<law>.json`.
        self.document = Document(document)
        self._found, self._kind, self._study, self._voice = document, kind, study, voice

    @property
    def _coefficients(self) -> dict[str, Any]:
        return in_order(self.name, self._found["coefficients"])

    @property
    def name(self) -> str:
        """Its name, as `fit(law=…)` takes it."""
        return str(self._found["law"])

    @property
    def formula(self) -> str:
        """The formula in words."""
        return str(self._found.get("formula", self.name))

    @property
    def status(self) -> str:
        """How the fit ended, such as `converged`."""
        return str(self._found["status"])

    @property
    def warnings(self) -> list[str]:
        """What a reader must know of it."""
        return [self._voice.said(one) for one in self._found.get("warnings", [])]

    @property
    def coefficients(self) -> Any:
        """A frame of name, value, low, high, se and level of each coefficient."""
        return frame(estimates(self._coefficients), self._kind)

    @property
    def derived(self) -> Any:
        """The same of what follows from them: a of N* ~ C^a and b of D* ~ C^b."""
        return frame(estimates(self._found["derived"]), self._kind)

    def __getitem__(self, name: str) -> Estimate:
        """A coefficient, or what follows from them, by its name."""
        for part in ("coefficients", "derived"):
            if name in self._found[part]:
                return Estimate.of(self._found[part][name])
        raise KeyError(f"{self.name} has no {name}; there are {', '.join([*self._found['coefficients'], *self._found['derived']])}")

    def __call__(
        self, N: Any = None, D: Any = None, *, C: Any = None, batch: Any = None, steps: Any = None, unique_tokens: Any = None
    ) -> Any:
        """Mean loss by this law alone at N parameters and D tokens, numbers or arrays of one length; in the unit of the runs.

        C, FLOPs, is 6·N·D where it is not given. Raises `Error` where a quantity is missing or not above 0.
        """
        at = places(**{"N": N, "D": D, "C": C, "batch": batch, "steps": steps, "unique tokens": unique_tokens})
        if self._study is not None:
            losses = PLAIN.ask(_scalelab.law_losses, self._study, self.name, at)
        elif self.name not in laws:
            return self._own()(**self._quantities(N, D, C, batch, steps, unique_tokens))
        else:
            values = [one["value"] for one in self._coefficients.values()]
            losses = PLAIN.ask(_scalelab.losses, self.name, values, at, None)
        return like(losses, N, D, C, batch, steps, unique_tokens)

    def _own(self) -> OwnLaw:
        """The law of one's own that was fitted, if it was made again; a file holds its coefficients alone."""
        law = OWN.get(self.name)
        if law is None or law.formula != self.formula:
            raise Error(
                f"{self.name} is a law of your own, and a file holds its coefficients alone: make it again, "
                f'sl.Law("{self.name}", function, [{", ".join(repr(name) for name in self._coefficients)}]), and ask once more'
            )
        return law

    def _quantities(self, N: Any, D: Any, C: Any, batch: Any, steps: Any, unique_tokens: Any) -> dict[str, Any]:
        """Arguments of a law of one's own: quantities of a run, and its fitted coefficients."""
        given = {"N": N, "D": D, "C": C, "batch": batch, "steps": steps, "unique_tokens": unique_tokens}
        if C is None and N is not None and D is not None:
            given["C"] = 6 * _numbers(N) * _numbers(D)
        wanted = self._own().variables
        if lost := [name for name in wanted if given[name] is None]:
            raise Error(f"{self.name} depends on {', '.join(wanted)}: {', '.join(lost)} is missing")
        return {name: _numbers(given[name]) for name in wanted} | {name: one["value"] for name, one in self._coefficients.items()}

    def __repr__(self) -> str:
        found = {name: Estimate.of(one) for name, one in self._coefficients.items()}
        level = next((one.level for one in found.values() if one.level is not None), None)
        at = "" if level is None else f"; intervals at {percent(level)}"
        return f"{self.name}, {self.formula}, {self.status}{at}\n  " + "\n  ".join(f"{name} = {one.interval}" for name, one in found.items())


def _numbers(value: Any) -> Any:
    """A quantity as a number or an array of numpy."""
    if not is_array(value):
        return quantity(value)
    import numpy

    return numpy.array([quantity(one) for one in listed(value)])


class Isoflop:
    """IsoFLOP profiles: the size of lowest loss of each budget, and the powers of compute through them."""

    def __init__(self, document: Mapping[str, Any], kind: str) -> None:
        #: All that is known of them, as in `fits/isoflop.json`.
        self.document = Document(document)
        self._found, self._kind = document, kind

    @property
    def coefficients(self) -> Any:
        """A frame of name, value, low, high and se: exponents a of N* and b of D*, and factors at 1 FLOP."""
        return frame(estimates(self._found["coefficients"]), self._kind)

    def __getitem__(self, name: str) -> Estimate:
        """One of them by its name."""
        return Estimate.of(self._found["coefficients"][name])

    @property
    def minima(self) -> Any:
        """A frame of the minima: compute in FLOPs, N* and D* with their ends, loss, runs."""
        rows = []
        for one in self._found["valleys"]:
            row = {"compute": one["compute"]} | Estimate.of(one["params"]).row("params") | Estimate.of(one["tokens"]).row("tokens")
            rows.append(row | {"loss": one["loss"]})
        return frame(rows, self._kind)

    def __repr__(self) -> str:
        return f"IsoFLOP minima of {len(self._found['valleys'])} budgets: N* ~ C^{self['a'].interval}, D* ~ C^{self['b'].interval}"

"""Fitted laws and profiles of budgets, live or from files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _scalelab
from ._answers import Document, Estimate, estimates
from ._frames import frame, like, places
from ._laws import in_order


class FittedLaw:
    """A law with estimated coefficients. Called with N, D and whatever else it depends on, it returns losses."""

    def __init__(self, document: Mapping[str, Any], kind: str, study: _scalelab._Study | None) -> None:
        #: All that is known of the fit, as in `fits/<law>.json`.
        self.document = Document(document)
        self._found, self._kind, self._study = document, kind, study

    @property
    def _coefficients(self) -> dict[str, Any]:
        return in_order(self.name, self._found["coefficients"])

    @property
    def name(self) -> str:
        """Its name, as `--law` takes it."""
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
        return list(self._found.get("warnings", []))

    @property
    def coefficients(self) -> Any:
        """A frame of name, value, low, high and se of each coefficient."""
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
            losses = _scalelab.law_losses(self._study, self.name, at)
        else:
            values = [one["value"] for one in self._coefficients.values()]
            losses = _scalelab.losses(self.name, values, at, None)
        return like(losses, N, D, C, batch, steps, unique_tokens)

    def __repr__(self) -> str:
        named = (f"{name} = {Estimate.of(one)!r}" for name, one in self._coefficients.items())
        return f"{self.name}, {self.formula}, {self.status}\n  " + "\n  ".join(named)


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
        return f"IsoFLOP minima of {len(self._found['valleys'])} budgets: N* ~ C^{self['a']!r}, D* ~ C^{self['b']!r}"

"""Laws of one's own: a function of Python as a law that is fitted."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from . import _scalelab
from ._answers import Error, warn
from ._laws import OWN, KnownLaw, PublishedLaw
from ._speech import PLAIN
from ._symbols import NoArithmetic, Steps

#: What a formula may depend on besides its coefficients: names of its parameters, and what the laws call them.
_VARIABLES = {"N": "N", "D": "D", "C": "C", "batch": "batch", "steps": "steps", "unique_tokens": "unique tokens"}


def _bounded(
    declared: list[tuple[str, tuple[float, float] | None, float | None]],
) -> Iterator[tuple[str, tuple[float, float], float | None]]:
    for name, bounds, start in declared:
        if bounds is not None:
            yield name, bounds, start


class Law:
    """A law of your own: a function of N, D, C, batch, steps or unique_tokens and of its coefficients, all by name.

    ```python
    def formula(N, D, E, A, alpha, B, beta, gamma):
        return E + (A / N**alpha + B / D**beta) ** gamma

    mine = sl.Law("mine", formula, ["E", "A", "alpha", "B", "beta", "gamma"], bounds={"gamma": (0.1, 10)})
    sl.fit(df, law=mine)
    ```

    `coefficients` are their names, or a dict of names with values to start from; those of the function's parameters that are no
    quantity of a run, where none are given. So a bare function is a law as well: `sl.fit(df, law=formula)`. A floor that is added and A
    and s of a term A/x^s are recognised; of any other say in `bounds` where it lies: (low, high), searched by its logarithm where low
    is at least 0, with a value to start from where an end is 0 or infinite. A fit that ends outside its bounds says so.

    The formula is called once, with symbols, and its arithmetic is kept: + - * / **, numpy's exp, log, sqrt, tanh, maximum and minimum. So
    derivatives are exact, and the law is fitted, scrutinised and compared as those of scalelab, at about their speed.

    A formula that does anything else is called as it stands, with arrays of its quantities, where `bounds` say of every coefficient where
    it lies; `gradient`, which takes the same and returns a dict of derivatives of the loss by coefficient, or finite differences lead the
    search. That is tens of times slower, which a warning says, and intervals are of 200 refits unless `refits` says otherwise. Raises
    `Error` for what cannot be a law. Losses are in the unit of the runs.
    """

    def __init__(
        self,
        name: str,
        formula: Callable[..., Any],
        coefficients: Sequence[str] | Mapping[str, float | None] | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        gradient: Callable[..., Mapping[str, Any]] | None = None,
    ) -> None:
        takes = _taken(name, formula)
        if coefficients is None:
            coefficients = [one for one in takes if one not in _VARIABLES]
            if not coefficients:
                raise Error(f"{name}: the formula takes {', '.join(takes) or 'nothing'}, and no coefficient that could be fitted")
        starts: Mapping[str, float | None] = coefficients if isinstance(coefficients, Mapping) else dict.fromkeys(coefficients)
        self._given = (name, formula, dict(starts), bounds, gradient)
        bounds = dict(bounds or {})
        names = list(starts)
        if stray := [one for one in bounds if one not in names]:
            raise Error(f"{name}: bounds of {', '.join(stray)}, which is no coefficient of it; there are {', '.join(names)}")
        if lost := [one for one in names if one not in takes]:
            raise Error(f"{name}: the formula takes no {', '.join(lost)}; it takes {', '.join(takes)}")
        variables = [one for one in takes if one not in names]
        if strange := [one for one in variables if one not in _VARIABLES]:
            raise Error(
                f"{name}: {', '.join(strange)} is neither a coefficient nor a quantity of a run; those are {', '.join(_VARIABLES)}"
            )
        self.name, self._formula, self.variables = name, formula, variables
        #: Whether the formula is called while it is fitted, its arithmetic being unknown.
        self.is_called = False
        declared = [
            (one, None if one not in bounds else (float(bounds[one][0]), float(bounds[one][1])), _float(starts[one])) for one in names
        ]
        try:
            found = PLAIN.ask(_scalelab.own_law, name, declared, self._arithmetic(names))
        except NoArithmetic as why:
            if lost := [one for one in names if one not in bounds]:
                raise Error(
                    f"{why}; or say where {', '.join(lost)} {'lie' if len(lost) > 1 else 'lies'}, bounds={{\"{lost[0]}\": (0.1, 10)}}, "
                    "and the formula is called as it stands, which is slower"
                ) from why
            self.is_called = True
            warn([f"{why}; it is called as it stands, {'by its gradient' if gradient else 'by finite differences'}, which is slower"], 3)
            found = self._called(declared, gradient)
        self._law, self.formula, self.coefficients = found
        OWN[name] = self

    def _arithmetic(self, names: list[str]) -> list[tuple[str, int | float | str, int]]:
        """The steps of the formula."""
        name, formula, variables = self.name, self._formula, self.variables
        steps = Steps(name)
        symbols = {one: steps.add("variable", _VARIABLES[one]) for one in variables}
        symbols |= {one: steps.add("coefficient", at) for at, one in enumerate(names)}
        try:
            loss = steps.symbol(formula(**symbols))
        except Error:
            raise
        except Exception as error:
            raise NoArithmetic(f"the formula of {name} cannot be called with symbols: {type(error).__name__}: {error}") from error
        # The loss comes last.
        return steps.all[: loss._at + 1]

    def _called(
        self,
        declared: list[tuple[str, tuple[float, float] | None, float | None]],
        gradient: Callable[..., Mapping[str, Any]] | None,
    ) -> tuple[_scalelab._Law, str, list[str]]:
        """The law as a function that is called."""
        import numpy

        names = [name for name, *_ in declared]

        def given(c: list[float], columns: list[list[float]]) -> dict[str, Any]:
            return dict(zip(self.variables, map(numpy.array, columns))) | dict(zip(names, c))

        def laid(values: Any, columns: list[list[float]]) -> list[float]:
            found: list[float] = numpy.broadcast_to(numpy.asarray(values, dtype=float), len(columns[0])).tolist()
            return found

        def losses(c: list[float], columns: list[list[float]]) -> list[float]:
            with numpy.errstate(all="ignore"):
                return laid(self._formula(**given(c, columns)), columns)

        def slopes(c: list[float], columns: list[list[float]]) -> list[list[float]]:
            with numpy.errstate(all="ignore"):
                found = gradient(**given(c, columns)) if gradient else {}
            return [laid(found[name], columns) for name in names]

        text = f"L({', '.join(self.variables)}) = {self.name}({', '.join([*self.variables, *names])})"
        variables = [_VARIABLES[one] for one in self.variables]
        # Once here, so that what it raises is raised where it was written.
        middle = [start if start is not None else (low * high) ** 0.5 if low > 0 else (low + high) / 2 for _, (low, high), start in _bounded(declared)]
        losses(middle, [[1e8, 1e9] for _ in variables])
        if gradient:
            slopes(middle, [[1e8, 1e9] for _ in variables])
        return PLAIN.ask(_scalelab.called_law, self.name, text, declared, variables, losses, slopes if gradient else None)

    def __call__(self, *args: Any, **by_name: Any) -> Any:
        """The formula itself, with quantities and coefficients as it takes them."""
        return self._formula(*args, **by_name)

    def __reduce__(self) -> tuple[Any, ...]:
        return Law, self._given

    def __repr__(self) -> str:
        return f"{self.name}: {self.formula}"


def _taken(name: str, formula: Callable[..., Any]) -> list[str]:
    """Names of the parameters of a formula, each of one value."""
    parameters = inspect.signature(formula).parameters.values()
    if several := [one.name for one in parameters if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD, one.POSITIONAL_ONLY)]:
        raise Error(f"{name}: the formula must take each quantity and coefficient by its name, and not {', '.join(several)}")
    return [one.name for one in parameters]


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def at_hand(law: Any) -> list[str | Law]:
    """What `fit(law=…)` was given, as names and laws; a bare function becomes a law by its name."""
    one = [law] if isinstance(law, (str, Law, KnownLaw, PublishedLaw)) or not hasattr(law, "__iter__") else list(law)
    found: list[str | Law] = []
    for asked in one:
        if isinstance(asked, PublishedLaw):
            raise Error(f"{asked.name} has its coefficients already: law=\"chinchilla\" fits its formula, sl.published[\"{asked.name}\"](N, D) gives losses")
        if isinstance(asked, KnownLaw):
            found.append(asked.name)
        elif isinstance(asked, (str, Law)):
            found.append(asked)
        elif callable(asked):
            name = str(getattr(asked, "__name__", "own"))
            found.append(Law(name if name.isidentifier() else "own", asked))
        else:
            raise Error(
                f"a law is a name such as \"chinchilla\", a function of N, D and its coefficients, or sl.Law(name, function, [\"E\", \"A\", …]), "
                f"not {asked!r}"
            )
    return found


def laws_asked(laws: Sequence[str | Law]) -> tuple[list[str | _scalelab._Law] | None, dict[str, Any]]:
    """Laws at hand, where any is one's own, and else the words that name them."""
    if not any(isinstance(asked, Law) for asked in laws):
        return None, {} if list(laws) == ["auto"] else {"law": list(laws)}
    asked: list[str | _scalelab._Law] = []
    for known in laws:
        asked.extend([known._law] if isinstance(known, Law) else known.split(","))
    return asked, {}

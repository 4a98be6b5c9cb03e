"""The laws by name, those of the literature, and laws of one's own."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from . import _scalelab
from ._answers import Error, warn
from ._frames import is_array, like, listed, places, words

#: What a formula may depend on besides its coefficients: names of its parameters, and what the laws call them.
_VARIABLES = {"N": "N", "D": "D", "C": "C", "batch": "batch", "steps": "steps", "unique_tokens": "unique tokens"}

#: Names of the coefficients of one's own laws, in the order of the fit.
_OWN: dict[str, list[str]] = {}

_T = TypeVar("_T")


def in_order(law: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Coefficients by name in the order of their law; documents have them by the alphabet."""
    names = laws[law].coefficients if law in laws else _OWN.get(law, [])
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
        return like(_scalelab.losses(self.name, values, at, base), N, D, C, batch, steps, unique_tokens)

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
        return like(_scalelab.losses("chinchilla", list(self.coefficients.values()), at, None), N, D)

    def allocate(self, compute: float | Sequence[float] | Any, **options: Any) -> Any:
        """What it would train with budgets of `compute` FLOPs, C = 6·N·D, as `scalelab recommend --published`; without intervals.

        A frame as of `Study.allocate`. Options are those of the command, such as hardware="h100x8".
        """
        from ._study import allocations

        budgets = [float(one) for one in listed(compute)]
        found, said = _scalelab.recommend_published(self.name, words({"compute": budgets, **options}))
        warn(said, 3)
        return allocations(json.loads(found), "pandas")

    def __repr__(self) -> str:
        named = ", ".join(f"{name} = {value:.4g}" for name, value in self.coefficients.items())
        return f"{self.name}: {named} ({self.source})"


class _NoArithmetic(Error):
    """A formula does what is not known here as arithmetic."""


def _bounded(
    declared: list[tuple[str, tuple[float, float] | None, float | None]],
) -> Iterator[tuple[str, tuple[float, float], float | None]]:
    for name, bounds, start in declared:
        if bounds is not None:
            yield name, bounds, start


class _Steps:
    """The arithmetic of a formula while it is called with symbols."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.all: list[tuple[str, int | float | str, int]] = []

    def add(self, what: str, x: int | float | str, y: int = 0) -> _Symbol:
        step = (what, x, y)
        # What was computed before is not computed again: a coefficient stands once.
        if what in ("coefficient", "variable") and step in self.all:
            return _Symbol(self, self.all.index(step))
        self.all.append(step)
        return _Symbol(self, len(self.all) - 1)

    def symbol(self, value: Any) -> _Symbol:
        if isinstance(value, _Symbol):
            return value
        if is_array(value):
            raise _NoArithmetic(f"the formula of {self.name} holds an array; it may hold numbers, its coefficients and quantities of a run")
        return self.add("number", float(value))


#: Functions of numpy as steps: of one argument, and of two.
_OF_TWO = {"add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "divide", "true_divide": "divide"}
_OF_TWO |= {"power": "power", "float_power": "power", "maximum": "max", "minimum": "min", "fmax": "max", "fmin": "min"}


class _Symbol:
    """A number of a formula that is not known yet."""

    __slots__ = ("_steps", "_at")
    #: Numpy leaves operators with its own numbers to these.
    __array_priority__ = 1000

    def __init__(self, steps: _Steps, at: int) -> None:
        self._steps, self._at = steps, at

    def _with(self, what: str, other: Any, turned: bool = False) -> _Symbol:
        pair = (self, self._steps.symbol(other))
        first, second = reversed(pair) if turned else pair
        return self._steps.add(what, first._at, second._at)

    def __add__(self, other: Any) -> _Symbol:
        return self._with("add", other)

    def __radd__(self, other: Any) -> _Symbol:
        return self._with("add", other, True)

    def __sub__(self, other: Any) -> _Symbol:
        return self._with("subtract", other)

    def __rsub__(self, other: Any) -> _Symbol:
        return self._with("subtract", other, True)

    def __mul__(self, other: Any) -> _Symbol:
        return self._with("multiply", other)

    def __rmul__(self, other: Any) -> _Symbol:
        return self._with("multiply", other, True)

    def __truediv__(self, other: Any) -> _Symbol:
        return self._with("divide", other)

    def __rtruediv__(self, other: Any) -> _Symbol:
        return self._with("divide", other, True)

    def __pow__(self, other: Any) -> _Symbol:
        return self._with("power", other)

    def __rpow__(self, other: Any) -> _Symbol:
        return self._with("power", other, True)

    def __neg__(self) -> _Symbol:
        return self._steps.add("negate", self._at)

    def __pos__(self) -> _Symbol:
        return self

    def exp(self) -> _Symbol:
        return self._steps.add("exp", self._at)

    def log(self) -> _Symbol:
        return self._steps.add("ln", self._at)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> _Symbol:
        name = ufunc.__name__
        if method == "__call__" and not options:
            symbols = [self._steps.symbol(one) for one in inputs]
            if name in _OF_TWO:
                return symbols[0]._with(_OF_TWO[name], symbols[1])
            one = symbols[0]
            known: dict[str, Callable[[], _Symbol]] = {
                "exp": one.exp,
                "log": one.log,
                "negative": one.__neg__,
                "sqrt": lambda: one**0.5,
                "square": lambda: one * one,
                "reciprocal": lambda: 1 / one,
                "log2": lambda: one.log() / 0.6931471805599453,
                "log10": lambda: one.log() / 2.302585092994046,
                "log1p": lambda: (1 + one).log(),
                "expm1": lambda: one.exp() - 1,
                "exp2": lambda: (one * 0.6931471805599453).exp(),
                "tanh": lambda: 1 - 2 / ((2 * one).exp() + 1),
            }
            if name in known:
                return known[name]()
        raise _NoArithmetic(
            f"the formula of {self._steps.name} calls numpy.{name}, of which no derivative is known here: "
            "write it with + - * / **, exp, log, sqrt, tanh, maximum, minimum"
        )

    def _no(self, *_: Any) -> Any:
        raise _NoArithmetic(
            f"the formula of {self._steps.name} asks for a number or for which of two is larger, and its coefficients are not known yet: "
            "write numpy.exp for math.exp, numpy.maximum or numpy.minimum for a choice"
        )

    __bool__ = __float__ = __int__ = __lt__ = __le__ = __gt__ = __ge__ = __abs__ = __floordiv__ = __mod__ = _no


class Law:
    """A law of your own: a function of N, D, C, batch, steps or unique_tokens and of its coefficients, all by name.

    ```python
    def formula(N, D, E, A, alpha, B, beta, gamma):
        return E + (A / N**alpha + B / D**beta) ** gamma

    mine = sl.Law("mine", formula, ["E", "A", "alpha", "B", "beta", "gamma"], bounds={"gamma": (0.1, 10)})
    sl.fit(df, law=mine)
    ```

    `coefficients` are their names, or a dict of names with values to start from. A floor that is added and A and s of a term A/x^s are
    recognised; of any other say in `bounds` where it lies: (low, high), searched by its logarithm where low is at least 0, with a value to
    start from where an end is 0 or infinite. A fit that ends outside its bounds says so.

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
        coefficients: Sequence[str] | Mapping[str, float | None],
        bounds: Mapping[str, tuple[float, float]] | None = None,
        gradient: Callable[..., Mapping[str, Any]] | None = None,
    ) -> None:
        starts: Mapping[str, float | None] = coefficients if isinstance(coefficients, Mapping) else dict.fromkeys(coefficients)
        bounds = dict(bounds or {})
        names = list(starts)
        if stray := [one for one in bounds if one not in names]:
            raise Error(f"{name}: bounds of {', '.join(stray)}, which is no coefficient of it; there are {', '.join(names)}")
        takes = list(inspect.signature(formula).parameters)
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
            found = _scalelab.own_law(name, declared, self._arithmetic(names))
        except _NoArithmetic as why:
            if lost := [one for one in names if one not in bounds]:
                raise Error(
                    f"{why}; or say where {', '.join(lost)} {'lie' if len(lost) > 1 else 'lies'}, bounds={{\"{lost[0]}\": (0.1, 10)}}, "
                    "and the formula is called as it stands, which is slower"
                ) from why
            self.is_called = True
            warn([f"{why}; it is called as it stands, {'by its gradient' if gradient else 'by finite differences'}, which is slower"], 3)
            found = self._called(declared, gradient)
        self._law, self.formula, self.coefficients = found
        _OWN[name] = self.coefficients

    def _arithmetic(self, names: list[str]) -> list[tuple[str, int | float | str, int]]:
        """The steps of the formula."""
        name, formula, variables = self.name, self._formula, self.variables
        steps = _Steps(name)
        symbols = {one: steps.add("variable", _VARIABLES[one]) for one in variables}
        symbols |= {one: steps.add("coefficient", at) for at, one in enumerate(names)}
        try:
            loss = steps.symbol(formula(**symbols))
        except Error:
            raise
        except Exception as error:
            raise _NoArithmetic(f"the formula of {name} cannot be called with symbols: {type(error).__name__}: {error}") from error
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
        return _scalelab.called_law(self.name, text, declared, variables, losses, slopes if gradient else None)

    def __call__(self, *args: Any, **by_name: Any) -> Any:
        """The formula itself, with quantities and coefficients as it takes them."""
        return self._formula(*args, **by_name)

    def __repr__(self) -> str:
        return f"{self.name}: {self.formula}"


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def laws_asked(law: Any) -> tuple[list[str | _scalelab._Law] | None, dict[str, Any]]:
    """Laws at hand, where any is one's own, and else the words that name them."""
    one = [law] if isinstance(law, (str, Law, KnownLaw)) else list(law)
    all_of_it = [asked.name if isinstance(asked, KnownLaw) else asked for asked in one]
    if not any(isinstance(asked, Law) for asked in all_of_it):
        return None, {} if all_of_it == ["auto"] else {"law": all_of_it}
    asked: list[str | _scalelab._Law] = []
    for known in all_of_it:
        asked.extend([known._law] if isinstance(known, Law) else str(known).split(","))
    return asked, {}


def _known() -> dict[str, KnownLaw]:
    return {one["name"]: KnownLaw(one) for one in json.loads(_scalelab.formulas())}


def _published() -> dict[str, PublishedLaw]:
    return {one["name"]: PublishedLaw(one) for one in json.loads(_scalelab.published())}


#: Every law that scalelab fits, by name.
laws: Registry[KnownLaw] = Registry(_known, "law")
#: Laws of the literature with their coefficients, by name.
published: Registry[PublishedLaw] = Registry(_published, "published law")

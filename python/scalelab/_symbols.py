"""The arithmetic of a formula, kept while it is called with symbols in place of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._answers import Error
from ._frames import is_array


class NoArithmetic(Error):
    """A formula does what is not known here as arithmetic."""


class Steps:
    """The arithmetic of a formula while it is called with symbols."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.all: list[tuple[str, int | float | str, int]] = []

    def add(self, what: str, x: int | float | str, y: int = 0) -> Symbol:
        step = (what, x, y)
        # What was computed before is not computed again: a coefficient stands once.
        if what in ("coefficient", "variable") and step in self.all:
            return Symbol(self, self.all.index(step))
        self.all.append(step)
        return Symbol(self, len(self.all) - 1)

    def symbol(self, value: Any) -> Symbol:
        if isinstance(value, Symbol):
            return value
        if is_array(value):
            raise NoArithmetic(f"the formula of {self.name} holds an array; it may hold numbers, its coefficients and quantities of a run")
        return self.add("number", float(value))


#: Functions of numpy as steps: of one argument, and of two.
_OF_TWO = {"add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "divide", "true_divide": "divide"}
_OF_TWO |= {"power": "power", "float_power": "power", "maximum": "max", "minimum": "min", "fmax": "max", "fmin": "min"}


class Symbol:
    """A number of a formula that is not known yet."""

    __slots__ = ("_steps", "_at")
    #: Numpy leaves operators with its own numbers to these.
    __array_priority__ = 1000

    def __init__(self, steps: Steps, at: int) -> None:
        self._steps, self._at = steps, at

    def _with(self, what: str, other: Any, turned: bool = False) -> Symbol:
        pair = (self, self._steps.symbol(other))
        first, second = reversed(pair) if turned else pair
        return self._steps.add(what, first._at, second._at)

    def __add__(self, other: Any) -> Symbol:
        return self._with("add", other)

    def __radd__(self, other: Any) -> Symbol:
        return self._with("add", other, True)

    def __sub__(self, other: Any) -> Symbol:
        return self._with("subtract", other)

    def __rsub__(self, other: Any) -> Symbol:
        return self._with("subtract", other, True)

    def __mul__(self, other: Any) -> Symbol:
        return self._with("multiply", other)

    def __rmul__(self, other: Any) -> Symbol:
        return self._with("multiply", other, True)

    def __truediv__(self, other: Any) -> Symbol:
        return self._with("divide", other)

    def __rtruediv__(self, other: Any) -> Symbol:
        return self._with("divide", other, True)

    def __pow__(self, other: Any) -> Symbol:
        return self._with("power", other)

    def __rpow__(self, other: Any) -> Symbol:
        return self._with("power", other, True)

    def __neg__(self) -> Symbol:
        return self._steps.add("negate", self._at)

    def __pos__(self) -> Symbol:
        return self

    def exp(self) -> Symbol:
        return self._steps.add("exp", self._at)

    def log(self) -> Symbol:
        return self._steps.add("ln", self._at)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Symbol:
        name = ufunc.__name__
        if method == "__call__" and not options:
            symbols = [self._steps.symbol(one) for one in inputs]
            if name in _OF_TWO:
                return symbols[0]._with(_OF_TWO[name], symbols[1])
            one = symbols[0]
            known: dict[str, Callable[[], Symbol]] = {
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
        raise NoArithmetic(
            f"the formula of {self._steps.name} calls numpy.{name}, of which no derivative is known here: "
            "write it with + - * / **, exp, log, sqrt, tanh, maximum, minimum"
        )

    def _no(self, *_: Any) -> Any:
        raise NoArithmetic(
            f"the formula of {self._steps.name} asks for a number or for which of two is larger, and its coefficients are not known yet: "
            "write numpy.exp for math.exp, numpy.maximum or numpy.minimum for a choice"
        )

    __bool__ = __float__ = __int__ = __lt__ = __le__ = __gt__ = __ge__ = __abs__ = __floordiv__ = __mod__ = _no

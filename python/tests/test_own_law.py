"""Laws of one's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scalelab as sl

pytestmark = pytest.mark.filterwarnings("ignore::scalelab.Warned")


def additive(N: Any, D: Any, E: Any, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    return E + A / N**alpha + B * D ** (-beta)


def outer(N: Any, D: Any, E: Any, A: Any, alpha: Any, B: Any, beta: Any, gamma: Any) -> Any:
    return E + np.exp(gamma * np.log(A / N**alpha + B / D**beta))


NAMES = ["E", "A", "alpha", "B", "beta"]


def test_the_additive_law_written_down_is_fitted_as_ours(runs: pd.DataFrame) -> None:
    mine = sl.Law("mine", additive, NAMES)
    assert mine.formula == "L(N, D) = E + A/N^alpha + B*D^(-beta)"
    own, ours = sl.fit(runs, law=mine, refits=60), sl.fit(runs, law="chinchilla", refits=60)
    for name in NAMES:
        assert own.law[name].value == ours.law[name].value and own.law[name].low == ours.law[name].low
    assert own.allocate(1e21).equals(ours.allocate(1e21))
    assert own.predict(1e9, 1e11) == ours.predict(1e9, 1e11)


def test_a_law_that_is_no_sum_stands_beside_ours(runs: pd.DataFrame) -> None:
    mine = sl.Law("outer", outer, [*NAMES, "gamma"], {"gamma": (0.02, 20.0)})
    study = sl.fit(runs, law=[mine, sl.laws["gamma"]], refits=0, estimator="least-squares-log")
    own, ours = study.laws["outer"], study.laws["gamma"]
    assert own.status == ours.status == "converged"
    assert abs(own.document.objective / ours.document.objective - 1) < 1e-8
    assert list(study.laws) == ["outer", "gamma"] and study.law.name == "outer"
    values = {name: own[name].value for name in mine.coefficients}
    assert abs(own(1e9, 1e11) / mine(1e9, 1e11, **values) - 1) < 1e-12
    assert study.scrutiny is not None and study.scrutiny.rolling_origin
    assert "outer" in study.details()


def test_other_quantities_and_functions() -> None:
    n = np.array([1e7, 3e7, 1e8, 3e8, 1e9]).repeat(4)
    loss = 1.5 + np.maximum(0.1, 30 / n**0.2) * np.tanh(2.0) + np.sqrt(1e6 / n)

    def formula(N: Any, E: Any, A: Any, s: Any) -> Any:
        return E + np.maximum(0.1, A / N**s) * np.tanh(2.0) + np.sqrt(1e6 / N)

    law = sl.Law("of size", formula, {"E": None, "A": None, "s": 0.2})
    study = sl.fit({"N": n, "tokens": 1e10 * np.arange(1, 21), "loss": loss}, law=law, refits=0)
    assert abs(study.law["s"].value - 0.2) < 1e-6 and abs(study.law(1e8) - formula(1e8, 1.5, 30, 0.2)) < 1e-9


def test_what_is_no_law_is_refused_in_words(runs: pd.DataFrame) -> None:
    def choice(N: Any, D: Any, a: Any) -> Any:
        return a if N > D else N

    def strange(N: Any, D: Any, a: Any) -> Any:
        return a + np.sin(N)

    def of_math(N: Any, a: Any) -> Any:
        return a + math.exp(N)

    def more(N: Any, width: Any, a: Any) -> Any:
        return a + N * width

    def broken(N: Any, a: Any) -> Any:
        return a.real + N

    refused: list[tuple[Any, Any, Any, str]] = [
        (choice, ["a"], None, "which of two is larger"),
        (strange, ["a"], None, "numpy.sin"),
        (of_math, ["a"], None, "numpy.exp for math.exp"),
        (more, ["a"], None, "width is neither"),
        (broken, ["a"], None, "AttributeError"),
        (additive, [*NAMES, "gamma"], None, "takes no gamma"),
        (outer, [*NAMES, "gamma"], None, "say where it lies"),
        (outer, [*NAMES, "gamma"], {"gamma": (2, 1)}, "the first must be the lower"),
        (outer, [*NAMES, "gamma"], {"gama": (1, 2)}, "no coefficient of it"),
        (lambda N, a: N * 2, ["a"], {"a": (1, 2)}, "does not use the coefficient a"),
        (lambda N, a: a + np.array([1.0, 2.0]), ["a"], None, "array"),
    ]
    for formula, names, bounds, words in refused:
        with pytest.raises(sl.Error, match=words):
            sl.Law("mine", formula, names, bounds)
    with pytest.raises(sl.Error, match="already"):
        sl.Law("gamma", additive, NAMES)


def test_a_fit_outside_its_bounds_says_so(runs: pd.DataFrame) -> None:
    mine = sl.Law("narrow", outer, [*NAMES, "gamma"], {"gamma": (3.0, 20.0)})
    study = sl.fit(runs, law=mine, refits=0)
    assert study.law.status == "at-bound" and any("gamma" in one for one in study.law.warnings)


def by_hand(N: Any, E: Any, A: Any, alpha: Any) -> Any:
    """A power of size through what has no arithmetic here."""
    return E + np.where(N > 0, A / N**alpha, 0.0)


def slopes(N: Any, E: Any, A: Any, alpha: Any) -> dict[str, Any]:
    return {"E": 1.0, "A": N**-alpha, "alpha": -A * np.log(N) * N**-alpha}


OF_SIZE, WITHIN = ["E", "A", "alpha"], {"E": (0.5, 4.0), "A": (1.0, 1e3), "alpha": (0.05, 1.0)}


@pytest.mark.parametrize("gradient", [None, slopes])
def test_a_formula_without_arithmetic_is_called(gradient: Any) -> None:
    with pytest.warns(sl.Warned, match="by its gradient" if gradient else "by finite differences"):
        law = sl.Law("by hand", by_hand, OF_SIZE, WITHIN, gradient)
    assert law.is_called
    n = 1e7 * 3.0 ** np.arange(8)
    table = {"N": n, "tokens": 20 * n, "loss": (1.5 + 30 / n**0.2) * (1 + 0.001 * np.sin(2.0 * np.arange(8)))}
    own = sl.fit(table, law=law, refits=0, estimator="least-squares-log").law
    ours = sl.fit(table, law="power-n", refits=0, estimator="least-squares-log").law
    assert own.status == "converged"
    for name in OF_SIZE:
        assert abs(own[name].value / ours[name].value - 1) < 1e-5, name
        assert abs(own[name].low / ours[name].low - 1) < 1e-3, name


def test_what_a_called_formula_raises_is_raised(runs: pd.DataFrame) -> None:
    calls = 0

    def late(N: Any, D: Any, a: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise ZeroDivisionError("the sixth call")
        return np.where(N > 0, a, 0.0)

    law = sl.Law("late", late, ["a"], {"a": (1.0, 4.0)})
    with pytest.raises(ZeroDivisionError, match="the sixth call"):
        sl.fit(runs, law=law, refits=0)
    with pytest.raises(sl.Error, match="bounds="):
        sl.Law("no bounds", by_hand, OF_SIZE)
    with pytest.raises(KeyError):
        sl.Law("half a gradient", by_hand, OF_SIZE, WITHIN, lambda **given: {"E": 1.0})

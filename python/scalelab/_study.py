"""A study of runs, and how it is asked."""

from __future__ import annotations

import base64
import html
import json
import math
import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, overload

from . import _scalelab
from ._advice import Advice, allocations, budgets, cautions, check_options, is_asked, outside
from ._answers import Error, Figure, Prediction, warn, written
from ._compare import Comparison
from ._figures import Figures
from ._frames import frame, index_of, is_array, kind_of, places, words
from ._given import Given, runs
from ._own import Law, at_hand, laws_asked
from ._saved import Saved
from ._speech import Voice

#: Figures that a notebook shows with a study: the first that the runs allow.
_SHOWN = ("isoflop", "frontier", "loss-by-compute", "observed-predicted")


class Study(Saved):
    """What runs say: laws with intervals, what to train for a budget, what losses to expect.

    It keeps the runs that it was given, so it can be pickled, which fits them again where it is read.
    """

    def __init__(self, study: _scalelab._Study, given: Given, line: list[str], laws: list[str | Law], kind: str) -> None:
        super().__init__({}, kind)
        self._study, self._given, self._line, self._laws_given = study, given, line, laws
        self._read: Mapping[str, Any] | None = None
        self._others: dict[str, Study] = {}
        self._known_evidence: Mapping[str, Any] | None = None
        self._figures = Figures(study, self._voice())

    def _document(self) -> Mapping[str, Any]:
        if self._read is None:
            self._read = json.loads(_scalelab.document(self._study))
        return self._read

    def _live(self) -> _scalelab._Study:
        return self._study

    def _voice(self) -> Voice:
        return self._given.voice

    def _values(self) -> dict[str, dict[str, float]]:
        """Coefficients of each law, by which the same fit is known."""
        return {name: {one: law[one].value for one in law._coefficients} for name, law in self.laws.items()}

    def _at(self, level: Any) -> Study:
        """The study of the same runs under the same options with intervals of another level; fitted once for each."""
        if level is None or f"--level={level}" in self._line:
            return self
        said = words({"level": level})[0]
        if said not in self._others:
            line = [said if word.startswith("--level=") else word for word in self._line]
            self._others[said] = _fitted_again(self._given, line, self._laws_given, self._kind, self._values())
        return self._others[said]

    def __reduce__(self) -> tuple[Any, ...]:
        return _fitted_again, (self._given, self._line, self._laws_given, self._kind, self._values())

    # A study does not change, so a copy is the study.
    def __copy__(self) -> Study:
        return self

    def __deepcopy__(self, memo: Any) -> Study:
        return self

    @property
    def warnings(self) -> list[str]:
        """What a reader must know of the runs and of the law."""
        return [self._voice().said(one) for one in _scalelab.warnings(self._study)]

    def _together(self) -> Any:
        found = _scalelab.together(self._study)
        return None if found is None else json.loads(found)

    @property
    def weights(self) -> Any:
        """A frame of law and weight: which laws `predict` and `allocate` speak by, the heaviest first; `law` is the one that is printed."""
        together = self._together()
        pairs = [(self.law.name, 1.0)] if together is None else sorted(together["weights"], key=lambda pair: -pair[1])
        return frame(({"law": name, "weight": weight} for name, weight in pairs), self._kind, ["law", "weight"])

    def allocate(self, compute: float | str | Sequence[float | str] | Any = None, *, level: float | None = None, **options: Any) -> Any:
        """How many parameters and tokens to train for budgets of `compute` FLOPs, and how sure.

        A frame with a row a budget: compute; params (N*), tokens (D*) and loss (the mean), each with _low and _high; one_run_low and
        one_run_high, between which the loss of one run is expected; tokens_per_param; extrapolation, C over the largest of the runs;
        one_run; level, of all intervals; and shape, learning_rate, batch_tokens and steps where the runs tell. N and C are counted as
        the study counts them. Without budgets for 3, 10 and 100 times the largest run; a series of pandas keeps its index.
        `study.advice(1e21)` says one budget as a sentence.

        At another `level` than that of the study the runs are fitted again, once. Other options are those of `scalelab recommend`, such
        as hardware="h100x8", unique_tokens=1e12; `study.advice` returns all they say. Warns of budgets outside of the runs and of what
        forecasts were checked at. Raises `Error` where nothing can be recommended.
        """
        found = self.advice(compute, level=level, **options)
        warn(cautions(found, _scalelab.warnings(self._study)), 3)
        return allocations(found, self._kind, index_of(self._kind, compute))

    def advice(self, compute: float | str | Sequence[float | str] | Any = None, *, level: float | None = None, **options: Any) -> Advice:
        """The same as `scalelab recommend --json` prints it, a list; shown as a sentence a budget.

        It also holds the recipe, costs, alternatives and where numbers come from.
        """
        check_options(options)
        if compute is not None and not is_asked(compute):
            return Advice()
        line = words({"compute": None if compute is None else budgets(compute), **options})
        return Advice(json.loads(self._voice().ask(_scalelab.recommend, self._at(level)._study, line)))

    def predict(self, params: Any, tokens: Any, level: float | None = None) -> Any:
        """The loss of runs of `params` parameters on `tokens` tokens, as `scalelab forecast --at` says it.

        Numbers, or texts such as "7B", give a `Prediction` with loss (the mean over runs) and one_run (of one run), each with value, low
        and high; arrays of one length give a frame with a row each, which keeps the index of a series. Intervals are of `level`, that of
        the study where none is given. Losses are in the unit of the runs. Warns of places outside of the runs and of what forecasts
        were checked at. Raises `Error` where a size is not above 0.
        """
        if params is None or tokens is None:
            raise Error("a place needs both sizes: predict(params=7e9, tokens=1.4e11)")
        at = places(params=params, tokens=tokens)
        found = json.loads(self._voice().ask(_scalelab.predict, self._study, at["params"], at["tokens"], level))
        evidence = self._evidence()
        factors = [one["extrapolation_factor"] or 0.0 for one in found]
        warn(outside(list(zip(at["params"], at["tokens"])), factors, evidence.get("evidence", {}), self._reach()), 3)
        predicted = [Prediction.of(one, evidence.get("loss_unit", "")) for one in found]
        if not is_array(params) and not is_array(tokens):
            return predicted[0]
        columns = ["params", "tokens", "compute", "loss", "loss_low", "loss_high", "one_run", "one_run_low", "one_run_high"]
        rows = (one.row() for one in predicted)
        return frame(rows, self._kind, [*columns, "extrapolation", "level"], index_of(self._kind, params, tokens))

    def _evidence(self) -> Mapping[str, Any]:
        """What a recommendation says of the runs: their extent and the unit of their losses; only the unit where there is none."""
        if self._known_evidence is None:
            try:
                [self._known_evidence] = json.loads(_scalelab.recommend(self._study, ["--compute=1e21"]))
            except Error:
                self._known_evidence = {"loss_unit": self._document().get("loss_unit", "")}
        return self._known_evidence or {}

    def _reach(self) -> float:
        """The largest factor of compute at which a forecast was checked; 1 where none was."""
        together = self._together()
        origins = together["origins"] if together is not None else (self._document().get("scrutiny") or {}).get("rolling_origin", [])
        return max((float(one.get("factor") or 1.0) for one in origins), default=1.0)

    @property
    def forecasts(self) -> Any:
        """How the laws, fitted to the smaller of the runs, forecast the larger: a frame with a row a cut.

        largest is the largest compute that was seen, FLOPs; below and above count runs; factor is the mean factor of compute of those
        above; mean_error and rms_<law> are of ln loss, forecast − found. Of one law alone those of the scrutiny.
        """
        said = self._together()
        if said is None:
            found = (self._document().get("scrutiny") or {}).get("rolling_origin", [])
            flat = ({name: value for name, value in one.items() if not isinstance(value, (list, dict))} for one in found)
            return frame(flat, self._kind)
        names = [name for name, _ in said["weights"]]
        rows = []
        for one in said["origins"]:
            row = {"largest": one["largest"], "below": one["runs"][0], "above": one["runs"][1], "factor": one["factor"]}
            rms = {f"rms_{name}": value for name, value in zip(names, one["rms"])}
            rows.append(row | {"mean_error": one["mean_error"]} | rms)
        return frame(rows, self._kind)

    @property
    def figures(self) -> Mapping[str, str]:
        """Names of the figures that these runs can show, each with what it shows; they are drawn to know, once."""
        return self._figures

    def figure(self, name: str = "frontier") -> Figure:
        """A figure by its name. Raises `Error` where there is none of the name, or the runs have nothing that it shows."""
        return self._figures.drawn(name)

    def details(self) -> str:
        """Everything behind the answer, as `scalelab fit --details` prints it."""
        return self._voice().said(_scalelab.screen(self._study, True))

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The document that `scalelab fit --json` prints, written to `path` where one is given; `load` reads it."""
        return written(_scalelab.document(self._study), path)

    def _speaking(self) -> str:
        """Which law is printed, and which speak."""
        together = self._together()
        if together is None or not self.laws:
            return ""
        losses = ", ".join(f"{name} {100 * weight:.0f} %" for name, weight in sorted(together["weights"], key=lambda pair: -pair[1]))
        sizes = str(together.get("optima_told") or losses).split(";")[0]
        by = f"predict and allocate go by {losses}" if sizes == losses else f"losses are predicted by {losses}, sizes by {sizes}"
        text = f"{self.law.name} is printed (study.law); {by} (study.weights)"
        return textwrap.fill(text, 80, initial_indent="  speaks  ", subsequent_indent=" " * 10, break_long_words=False)

    def __repr__(self) -> str:
        screen = _scalelab.screen(self._study, False).rstrip("\n")
        warned = _scalelab.warnings(self._study)
        # Doubts stand last; what is among the warnings is counted.
        at = screen.rfind("\n\n⚠ ")
        doubts = re.split(r"\n(?=⚠ |  and \d+ more)", screen[at + 2 :]) if at >= 0 else []
        screen = screen[:at] if at >= 0 else screen
        known = {" ".join(one.split()) for one in warned}
        kept = [one for one in doubts if one.startswith("⚠") and " ".join(one[1:].split()) not in known]
        answer, _, rest = screen.partition("\n\n")
        text = "\n".join(filter(None, [answer, self._speaking()])) + ("\n\n" + rest if rest else "")
        text += "".join(f"\n{'' if more else chr(10)}{one}" for more, one in enumerate(kept))
        ask = f"{len(warned)} warning{'s' if len(warned) > 1 else ''}: study.warnings; " if warned else ""
        return self._voice().said(text) + f"\n\n{ask}study.advice(1e21), study.details()"

    def _repr_html_(self) -> str:
        picture = ""
        for name in _SHOWN:
            try:
                png = base64.b64encode(self.figure(name).png).decode()
            except Error:
                continue
            picture = f'<img alt="{name}" style="max-width: 720px" src="data:image/png;base64,{png}">'
            break
        table = ""
        for law in list(self.laws.values())[:1]:
            table = _table((name, law[name]) for name in law._coefficients)
        return f"<pre>{html.escape(repr(self))}</pre>{table}{picture}"


def _table(cells: Any) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{one.value:.4g}</td><td>{one.low:.4g}</td><td>{one.high:.4g}</td></tr>" for name, one in cells
    )
    return f"<table><tr><th>coefficient</th><th>value</th><th>low</th><th>high</th></tr>{rows}</table>"


def _fitted_again(given: Given, line: list[str], laws: list[str | Law], kind: str, expected: dict[str, dict[str, float]]) -> Study:
    """The study of runs that were kept. Raises `Error` where they are no longer those of the first fit."""
    asked, _ = laws_asked(laws)
    study, _ = given.voice.ask(_scalelab.fit, given.path, given.table, given.pairs, line, asked)
    answer = Study(study, given, line, laws, kind)
    found = answer._values()
    same = found.keys() == expected.keys() and all(
        math.isclose(found[law].get(name, math.nan), value, rel_tol=1e-6, abs_tol=1e-12) for law, all_of in expected.items() for name, value in all_of.items()
    )
    if not same:
        raise Error(f"{given.path} holds other runs than when it was fitted: sl.fit({given.path!r}) fits what is there now")
    return answer


@overload
def fit(
    data: Any = None,
    *,
    params: Any = None,
    tokens: Any = None,
    loss: Any = None,
    flops: Any = None,
    by: None = None,
    law: Any = "auto",
    estimator: str | None = None,
    level: float = 0.95,
    seed: int = 0,
    columns: Mapping[str, Any] | None = None,
    **options: Any,
) -> Study: ...


@overload
def fit(
    data: Any = None,
    *,
    params: Any = None,
    tokens: Any = None,
    loss: Any = None,
    flops: Any = None,
    by: str,
    law: Any = "auto",
    estimator: str | None = None,
    level: float = 0.95,
    seed: int = 0,
    columns: Mapping[str, Any] | None = None,
    **options: Any,
) -> Comparison: ...


def fit(
    data: Any = None,
    *,
    params: Any = None,
    tokens: Any = None,
    loss: Any = None,
    flops: Any = None,
    by: str | None = None,
    law: Any = "auto",
    estimator: str | None = None,
    level: float = 0.95,
    seed: int = 0,
    columns: Mapping[str, Any] | None = None,
    **options: Any,
) -> Study | Comparison:
    """Fits scaling laws to runs, as `scalelab fit` does.

    `data` is a frame of pandas or polars, a dict of columns, a list of dicts, or the path of a table or of a results folder. `params`
    (N), `tokens` (D), `loss` and `flops` (C, FLOPs) are names of its columns where those are not recognised (`"size*1e6"` reads
    millions), numbers that hold for every run, or arrays; `columns` says the same of others, such as `{"budget": "C", "run": "id"}`.

    `by` names a column whose groups are compared instead: the answer is then a `Comparison`.

    `where` keeps a part of them: `"dataset=c4"`, a list of such conditions, or a mask with a value for each row, `df.dataset == "c4"`.

    `law` is `"auto"`, several laws weighted by their record, or one of `laws`, a function or a `Law` of your own, or a list of them, of
    which the first speaks. `estimator` is huber-log, least-squares-log, least-squares or absolute-log; `level` that of intervals, 0.5 to
    0.9999; `seed` that of resampling. Other options are those of `scalelab fit`: refits=200, size_measure="total", max_compute=1e20,
    budgets=[1e18, 1e19], force=True.

    How many parameters for 1e21 FLOPs, and how sure: `fit("runs.csv").allocate(1e21)`.

    Raises `Error`, a `ValueError`, in the words of the command; what a reader must know comes as warnings. Python's lock is released
    meanwhile. An interrupt answers at once; the work that it leaves ends by itself in the background.
    """
    own = {"params": params, "tokens": tokens, "loss": loss, "flops": flops, **(columns or {})}
    given, where = runs(data, own, options.pop("where", None))
    laws = at_hand(law)
    asked, named = laws_asked(laws)
    if any(isinstance(one, Law) and one.is_called for one in laws):
        options = {"refits": 200, **options}
    line = words({"estimator": estimator, "level": level, "seed": seed, **named, **options}) + where + given.constants
    voice = given.voice
    if by is not None:
        if asked is not None:
            raise Error("groups are compared by the additive law, and not by a law of your own: fit each of them by itself")
        found, said = voice.ask(_scalelab.fit_by, given.path, given.table, given.pairs, [*words({"by": by}), *line])
        warn([voice.said(one) for one in said], 3)
        return Comparison(found, [], [], kind_of(data), voice)
    study, said = voice.ask(_scalelab.fit, given.path, given.table, given.pairs, line, asked)
    answer = Study(study, given, line, laws, kind_of(data))
    warn([voice.said(one) for one in said] + answer.warnings, 3)
    return answer

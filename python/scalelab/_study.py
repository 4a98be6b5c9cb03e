"""A study, live or from a file, and how it is asked."""

from __future__ import annotations

import base64
import html
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from . import _scalelab
from ._answers import Document, Error, Estimate, Figure, Prediction, document_of, estimates, warn, written
from ._compare import Comparison
from ._frames import frame, is_array, kind_of, like, listed, places, runs, words
from ._laws import Law, in_order, laws_asked

#: Figures that a notebook shows with a study: the first that the runs allow.
_SHOWN = ("isoflop", "frontier", "loss-by-compute", "observed-predicted")


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


class Saved:
    """A study as a document: what `scalelab fit --json` prints, or the files of a results folder."""

    def __init__(self, document: Mapping[str, Any], kind: str = "pandas") -> None:
        self._found, self._kind = document, kind

    @property
    def document(self) -> Document:
        """All of it, as `scalelab fit --json` prints it."""
        return Document(self._document())

    def _document(self) -> Mapping[str, Any]:
        return self._found

    def _live(self) -> _scalelab._Study | None:
        return None

    @property
    def laws(self) -> dict[str, FittedLaw]:
        """The laws that were fitted, the one that speaks first; of a file, which does not say, chinchilla, else by the alphabet."""
        found, live = self._document()["laws"], self._live()
        is_law = {name: "valleys" not in one and "coefficients" in one for name, one in found.items()}
        names = _scalelab.laws(live) if live is not None else sorted(filter(is_law.get, found), key=lambda name: (name != "chinchilla", name))
        return {name: FittedLaw(found[name], self._kind, live) for name in names}

    @property
    def law(self) -> FittedLaw:
        """The law that speaks. Raises `Error` where none was fitted."""
        for law in self.laws.values():
            return law
        raise Error("no law was fitted to these runs: " + "; ".join(self.notes))

    @property
    def isoflop(self) -> Isoflop | None:
        """IsoFLOP profiles, where runs have budgets."""
        found = self._document()["laws"].get("isoflop")
        return None if found is None else Isoflop(found, self._kind)

    @property
    def hyperparameters(self) -> Document | None:
        """What the runs say of learning rate and batch, where several were tried."""
        found = self._document().get("hyperparameters")
        return None if found is None else Document(found)

    @property
    def scrutiny(self) -> Document | None:
        """What a reviewer would ask of the law: influence of runs, forecasts, estimators, criteria."""
        found = self._document().get("scrutiny")
        return None if found is None else Document(found)

    @property
    def notes(self) -> list[str]:
        """What a reader must know of the runs."""
        return list(self._document().get("notes", []))

    @property
    def recommendations(self) -> Any:
        """A frame of what is recommended for each budget that was asked for: see `Study.allocate`."""
        return allocations(self._document().get("recommendations") or [], self._kind)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The document as text, written to `path` where one is given; `load` reads it."""
        return written(json.dumps(self._found, indent=2, ensure_ascii=False), path)

    def __repr__(self) -> str:
        laws = "\n".join(repr(law) for law in self.laws.values())
        return f"a study of {self._document().get('points', '?')} runs\n{laws}"


class Study(Saved):
    """What runs say: laws with intervals, what to train for a budget, what losses to expect."""

    def __init__(self, study: _scalelab._Study, kind: str) -> None:
        super().__init__({}, kind)
        self._study = study
        self._read: Mapping[str, Any] | None = None

    def _document(self) -> Mapping[str, Any]:
        if self._read is None:
            self._read = json.loads(_scalelab.document(self._study))
        return self._read

    def _live(self) -> _scalelab._Study:
        return self._study

    @property
    def warnings(self) -> list[str]:
        """What a reader must know of the runs and of the law."""
        return _scalelab.warnings(self._study)

    def allocate(self, compute: float | Sequence[float] | Any = (), **options: Any) -> Any:
        """How many parameters and tokens to train for budgets of `compute` FLOPs, and how sure.

        A frame with a row a budget: compute; params (N*), tokens (D*), loss (the mean) and one_run (the loss of one run), each with
        _low and _high; tokens_per_param; extrapolation, C over the largest of the runs; and shape, learning_rate, batch_tokens and
        steps where the runs tell. N and C are counted as the study counts them. Without budgets for 3, 10 and 100 times the largest run.

        Options are those of `scalelab recommend`, such as hardware="h100x8", unique_tokens=1e12; `study.advice` returns all they say.
        Raises `Error` where nothing can be recommended.
        """
        return allocations(self.advice(compute, **options), self._kind)

    def advice(self, compute: float | Sequence[float] | Any = (), **options: Any) -> list[dict[str, Any]]:
        """The same as `scalelab recommend --json` prints it: also the recipe, costs, alternatives and where numbers come from."""
        found: list[dict[str, Any]] = json.loads(
            _scalelab.recommend(self._study, words({"compute": [float(one) for one in listed(compute)], **options}))
        )
        return found

    def predict(self, params: Any, tokens: Any, level: float | None = None) -> Any:
        """The loss of runs of `params` parameters on `tokens` tokens, as `scalelab forecast --at` says it.

        Numbers give a `Prediction` with loss (the mean over runs) and one_run (of one run), each with value, low and high; arrays of one
        length give a frame with a row each. Intervals are of `level`, that of the study where none is given. Losses are in the unit of
        the runs. Raises `Error` where a size is not above 0.
        """
        at = places(params=params, tokens=tokens)
        found = json.loads(_scalelab.predict(self._study, at["params"], at["tokens"], level))
        predicted = [Prediction.of(one) for one in found]
        if not is_array(params) and not is_array(tokens):
            return predicted[0]
        return frame((one.row() for one in predicted), self._kind)

    @property
    def forecasts(self) -> Any:
        """How the laws, fitted to the smaller of the runs, forecast the larger: a frame with a row a cut.

        largest is the largest compute that was seen, FLOPs; below and above count runs; factor is the mean factor of compute of those
        above; mean_error and rms_<law> are of ln loss, forecast − found. Of one law alone those of the scrutiny.
        """
        together = _scalelab.together(self._study)
        if together is None:
            found = (self._document().get("scrutiny") or {}).get("rolling_origin", [])
            flat = ({name: value for name, value in one.items() if not isinstance(value, (list, dict))} for one in found)
            return frame(flat, self._kind)
        said = json.loads(together)
        names = [name for name, _ in said["weights"]]
        rows = []
        for one in said["origins"]:
            row = {"largest": one["largest"], "below": one["runs"][0], "above": one["runs"][1], "factor": one["factor"]}
            rms = {f"rms_{name}": value for name, value in zip(names, one["rms"])}
            rows.append(row | {"mean_error": one["mean_error"]} | rms)
        return frame(rows, self._kind)

    @property
    def figures(self) -> dict[str, str]:
        """Names of figures, each with what it shows; the runs may lack what some of them need."""
        return dict(_scalelab.figures())

    def figure(self, name: str) -> Figure:
        """A figure by its name. Raises `Error` where there is none of the name, or the runs have nothing that it shows."""
        return Figure(name, _scalelab.figure(self._study, name))

    def details(self) -> str:
        """Everything behind the answer, as `scalelab fit --details` prints it."""
        return _scalelab.screen(self._study, True)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The document that `scalelab fit --json` prints, written to `path` where one is given; `load` reads it."""
        return written(_scalelab.document(self._study), path)

    def __repr__(self) -> str:
        return _scalelab.screen(self._study, False)

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


def allocations(advice: Sequence[Mapping[str, Any]], kind: str) -> Any:
    """A frame of allocations."""
    rows: list[dict[str, Any]] = []
    for one in advice:
        row: dict[str, Any] = {"compute": one["compute"]}
        for name, ours in (("params", "params"), ("tokens", "tokens"), ("loss", "loss"), ("loss_of_a_run", "one_run")):
            row |= Estimate.of(one[name]).row(ours)
        row["tokens_per_param"] = one["tokens_per_param"]["value"]
        factor = one["extrapolation_factor"]
        row["extrapolation"] = math.nan if factor is None else factor
        row["shape"], row["steps"] = one.get("shape"), one.get("steps")
        for name in ("learning_rate", "batch_tokens"):
            row[name] = (one.get(name) or {}).get("value")
        rows.append({name: value for name, value in row.items()})
    return frame(rows, kind)


@overload
def fit(
    data: Any = None,
    *,
    params: Any = None,
    tokens: Any = None,
    loss: Any = None,
    flops: Any = None,
    by: None = None,
    law: str | Law | Sequence[str | Law] | Any = "auto",
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
    law: str | Law | Sequence[str | Law] | Any = "auto",
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
    law: str | Law | Sequence[str | Law] | Any = "auto",
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

    `law` is `"auto"`, several laws weighted by their record, or one of `laws`, a `Law` of your own, or a list of them, of which the
    first speaks. `estimator` is huber-log, least-squares-log, least-squares or absolute-log; `level` that of intervals, 0.5 to
    0.9999; `seed` that of resampling. Other options are those of `scalelab fit`: refits=200, size_measure="total", where="dataset=c4",
    budgets=[1e18, 1e19], force=True.

    How many parameters for 1e21 FLOPs, and how sure: `fit("runs.csv").allocate(1e21)`.

    Raises `Error`, a `ValueError`, in the words of the command; what a reader must know comes as warnings. Python's lock is released
    meanwhile. An interrupt answers at once; the work that it leaves ends by itself in the background.
    """
    path, table, pairs, constants = runs(data, {"params": params, "tokens": tokens, "loss": loss, "flops": flops, **(columns or {})})
    said_by_default = {"estimator": estimator, "level": level, "seed": seed}
    asked, named = laws_asked(law)
    line = words({**said_by_default, **named, **options}) + constants
    if by is not None:
        if asked is not None:
            raise Error("groups are compared by the additive law, and not by a law of your own: fit each of them by itself")
        found, said = _scalelab.fit_by(path, table, pairs, [*words({"by": by}), *line])
        warn(said, 3)
        return Comparison(found, [], [], kind_of(data))
    study, said = _scalelab.fit(path, table, pairs, line, asked)
    answer = Study(study, kind_of(data))
    warn(said + answer.warnings, 3)
    return answer


def load(path: str | os.PathLike[str]) -> Any:
    """Reads what the command or `to_json` wrote.

    A study (`fit --json`) or a results folder with its fits gives a `Saved` study; `fits/<law>.json` a `FittedLaw` or `Isoflop`;
    recommendations a frame; any other document of scalelab a `Document`. Raises `Error` where it is none.
    """
    path = Path(path)
    if path.is_dir():
        return _load_folder(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Error(f"{path} cannot be read as JSON: {error}") from error
    if isinstance(found, list) and all(isinstance(one, dict) and "extrapolation_factor" in one for one in found):
        return allocations(found, "pandas")
    if not isinstance(found, dict):
        raise Error(f"{path} is no document of scalelab")
    if isinstance(found.get("laws"), dict) and "points" in found:
        return Saved(found)
    if "valleys" in found:
        return Isoflop(found, "pandas")
    if "law" in found and "coefficients" in found:
        return FittedLaw(found, "pandas", None)
    return document_of(found)


def _load_folder(path: Path) -> Saved:
    files = sorted((path / "fits").glob("*.json"))
    laws = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}
    hyperparameters = laws.pop("hyperparameters", None)
    laws = {name: one for name, one in laws.items() if "coefficients" in one}
    if not laws:
        raise Error(f"{path} has no fits/: run `scalelab fit {path}`, or read its runs with fit({str(path)!r})")
    advice = path / "recommendation.json"
    recommendations = json.loads(advice.read_text(encoding="utf-8")) if advice.exists() else []
    points = next(iter(laws.values())).get("points")
    return Saved({"points": points, "laws": laws, "hyperparameters": hyperparameters, "recommendations": recommendations})

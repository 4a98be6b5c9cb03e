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
from ._answers import Document, Error, Estimate, Figure, Prediction, document_of, warn, written
from ._compare import Comparison
from ._fitted import FittedLaw, Isoflop
from ._frames import frame, is_array, kind_of, listed, places, runs, words
from ._laws import Law, laws_asked

#: Figures that a notebook shows with a study: the first that the runs allow.
_SHOWN = ("isoflop", "frontier", "loss-by-compute", "observed-predicted")


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
    if asked is not None and any(getattr(one, "is_called", False) for one in (law if isinstance(law, Sequence) else [law])):
        options = {"refits": 200, **options}
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

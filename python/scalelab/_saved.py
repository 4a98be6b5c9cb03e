"""A study as a document, and what the command wrote."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from . import _scalelab
from ._advice import Advice, allocations, budgets, check_options
from ._answers import Document, Error, document_of, short, written
from ._fitted import FittedLaw, Isoflop
from ._frames import index_of, quantity
from ._speech import PLAIN, Voice


class Saved:
    """A study as a document: what `scalelab fit --json` prints, or the files of a results folder.

    It holds laws with their coefficients and what was recommended, and not the runs: other budgets, predictions, figures and details are
    those of a study that is fitted again, `sl.fit(runs)`.
    """

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

    def _voice(self) -> Voice:
        return PLAIN

    @property
    def laws(self) -> dict[str, FittedLaw]:
        """The laws that were fitted, the one that speaks first; of a file, which does not say, chinchilla, else by the alphabet."""
        found, live = self._document()["laws"], self._live()
        is_law = {name: "valleys" not in one and "coefficients" in one for name, one in found.items()}
        names = _scalelab.laws(live) if live is not None else sorted(filter(is_law.get, found), key=lambda name: (name != "chinchilla", name))
        return {name: FittedLaw(found[name], self._kind, live, self._voice()) for name in names}

    @property
    def law(self) -> FittedLaw:
        """The law that is printed, by itself; `weights` of a study says which laws predict and allocate. Raises `Error` where none was
        fitted."""
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
        return [self._voice().said(one) for one in self._document().get("notes", [])]

    @property
    def recommendations(self) -> Any:
        """A frame of what is recommended for each budget that was asked for: see `Study.allocate`."""
        return allocations(self._document().get("recommendations") or [], self._kind)

    def _refuse(self, wanted: str, instead: str = "") -> NoReturn:
        runs = self._document().get("source")
        at_hand = runs is None or str(runs).startswith("data frame")
        given = "runs" if at_hand else repr(runs)
        raise Error(f"a study that is read from a file holds no runs, so {wanted}: fit them again, sl.fit({given}){instead}")

    def advice(self, compute: Any = None, **options: Any) -> Advice:
        """What was recommended when the study was written, for budgets among those that were asked for then.

        Raises `Error` for other budgets, and for options: these are asked of a study that is fitted.
        """
        known: list[dict[str, Any]] = self._document().get("recommendations") or []
        if options:
            self._refuse(f"{', '.join(options)} cannot be asked for", ".advice(…)")
        if compute is None:
            return Advice(known)
        found = Advice()
        for one in budgets(compute):
            asked = quantity(one)
            plain = f"{asked:g}".replace("e+", "e")
            same = [row for row in known if math.isclose(row["compute"], asked, rel_tol=1e-9)]
            if not same:
                budgets_known = ", ".join(short(row["compute"]) for row in known) or "none"
                self._refuse(
                    f"of budgets it knows those that were asked for ({budgets_known}), and not {short(asked)}",
                    f".allocate({plain}); or write it with them, sl.fit(…, compute=[{plain}]).to_json(path)",
                )
            found.append(same[0])
        return found

    def allocate(self, compute: Any = None, **options: Any) -> Any:
        """A frame of what was recommended when the study was written: see `Study.allocate`, and `advice` for which budgets."""
        check_options(options)
        return allocations(self.advice(compute, **options), self._kind, index_of(self._kind, compute))

    def predict(self, params: Any, tokens: Any, level: float | None = None) -> Any:
        """Raises `Error`: intervals need the runs. `saved.law(N, D)` is the mean loss by one law alone."""
        self._refuse("no loss can be predicted", f".predict({params!r}, {tokens!r}); .law(N, D) is the mean loss by one law alone")

    def figure(self, name: str = "frontier") -> Any:
        """Raises `Error`: figures show the runs."""
        self._refuse("nothing can be drawn", f".figure({name!r})")

    def details(self) -> str:
        """Raises `Error`: they are of a study that is fitted; `document` holds the numbers."""
        self._refuse("there are no details", ".details(); .document holds the numbers")

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The document as text, written to `path` where one is given; `load` reads it."""
        return written(json.dumps(self._found, indent=2, ensure_ascii=False), path)

    def __repr__(self) -> str:
        lines = [f"a study of {self._document().get('points', '?')} runs, read from a file"]
        lines += [repr(law) for law in list(self.laws.values())[:1]]
        if others := list(self.laws)[1:]:
            lines.append(f"also .laws: {', '.join(others)}")
        known = Advice({**one, "warnings": []} for one in (self._document().get("recommendations") or [])[:5])
        return "\n".join(lines + ([repr(known)] if known else []))


def load(path: str | os.PathLike[str]) -> Any:
    """Reads what the command or `to_json` wrote.

    A study (`fit --json`) or a results folder with its fits gives a `Saved` study, which knows its laws and what was recommended;
    `fits/<law>.json` a `FittedLaw` or `Isoflop`; recommendations a frame; any other document of scalelab a `Document`. Raises `Error`
    where it is none.
    """
    path = Path(path)
    if path.is_dir():
        return _load_folder(path)
    found = _read(path)
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


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Error(f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        raise Error(f"{path} cannot be read: {error}") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip()[:1] not in ("{", "["):
            raise Error(f"{path} is no JSON; a table of runs is read by sl.fit({str(path)!r})") from None
        raise Error(f"{path} cannot be read as JSON: {error}") from error


def _load_folder(path: Path) -> Saved:
    laws = {file.stem: _read(file) for file in sorted((path / "fits").glob("*.json"))}
    hyperparameters = laws.pop("hyperparameters", None)
    laws = {name: one for name, one in laws.items() if isinstance(one, dict) and "coefficients" in one}
    if not laws:
        raise Error(f"{path} has no fits/: run `scalelab fit {path}`, or read its runs with sl.fit({str(path)!r})")
    advice = path / "recommendation.json"
    recommendations = _read(advice) if advice.exists() else []
    points = next(iter(laws.values())).get("points")
    document = {"points": points, "laws": laws, "hyperparameters": hyperparameters, "recommendations": recommendations}
    return Saved(document | {"source": os.fspath(path)})

"""scalelab: fit neural scaling laws to your runs, and learn what to train for a budget.

How many parameters for 1e21 FLOPs, and how sure, from a table of runs:

    import scalelab as sl

    study = sl.fit("runs.csv")        # or a pandas or polars frame, a dict of arrays, a results folder
    study                             # the laws, what to train, what is doubtful, on one screen
    study.allocate(1e21)              # a frame: parameters and tokens, each with its interval
    study.predict(params=7e9, tokens=1.4e11)    # the loss of a run that is not trained yet

Columns are recognised by what the field calls them (N, params, tokens, val_loss, flops, …), or named:
sl.fit(df, params="size", tokens="D", loss="final_loss").

compare: data sets and changes side by side · plan, sweep: train a grid of small models · laws, published: by name, each callable ·
Law: one of your own · load: what the command wrote. The same numbers as the `scalelab` command, which this package also installs.
"""

from . import _scalelab as _scalelab
from ._answers import Document, Error, Estimate, Figure, Prediction, Warned
from ._compare import Comparison, Speedup, compare
from ._advice import Advice
from ._laws import KnownLaw, PublishedLaw, Registry, laws, published
from ._fitted import FittedLaw, Isoflop
from ._own import Law
from ._saved import Saved, load
from ._study import Study, fit
from ._sweep import Plan, Sweep, plan, sweep

__version__ = _scalelab.version

__all__ = [
    "Advice",
    "Comparison",
    "Document",
    "Error",
    "Estimate",
    "Figure",
    "FittedLaw",
    "Isoflop",
    "KnownLaw",
    "Law",
    "Plan",
    "Prediction",
    "PublishedLaw",
    "Registry",
    "Saved",
    "Speedup",
    "Study",
    "Sweep",
    "Warned",
    "compare",
    "fit",
    "laws",
    "load",
    "plan",
    "published",
    "sweep",
]


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__version__"]

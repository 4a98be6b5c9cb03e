"""The fit of Hoffmann's approach 3 (2203.15556) as notebooks do it with SciPy, beside `scalelab.fit`, alternately.

Same runs, same objective (Huber's function, delta 1e-3, of the residuals of log loss), the same 4500 starts, L-BFGS with gradients. Prints
seconds of processor time, the lowest objective and how many starts came within a millionth of it.

    python python/benches/beside_scipy.py runs.csv [rounds] [starts]
"""

from __future__ import annotations

import itertools
import sys
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import scalelab as sl
from scipy.optimize import minimize
from scipy.special import logsumexp

warnings.simplefilter("ignore")
frame = pd.read_csv(sys.argv[1], float_precision="round_trip")
frame = frame[frame["used_in_published_fit"] == 1] if "used_in_published_fit" in frame else frame
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 1
most = int(sys.argv[3]) if len(sys.argv) > 3 else 4500
ln_n, ln_d, ln_loss = (np.log(frame[name].to_numpy()) for name in ("params", "tokens", "loss"))
DELTA = 1e-3


def objective(x: Any) -> tuple[float, Any]:
    a, b, e, alpha, beta = x
    terms = np.stack([a - alpha * ln_n, b - beta * ln_d, np.full_like(ln_n, e)])
    said = logsumexp(terms, axis=0)
    r = said - ln_loss
    inside = np.abs(r) <= DELTA
    value = float(np.sum(np.where(inside, 0.5 * r * r, DELTA * (np.abs(r) - 0.5 * DELTA))))
    score = np.where(inside, r, DELTA * np.sign(r)) * np.exp(terms - said)
    return value, np.array([score[0].sum(), score[1].sum(), score[2].sum(), -(score[0] * ln_n).sum(), -(score[1] * ln_d).sum()])


grid = list(itertools.product([0, 5, 10, 15, 20, 25], [0, 5, 10, 15, 20, 25], [-1, -0.5, 0, 0.5, 1], [0, 0.5, 1, 1.5, 2], [0, 0.5, 1, 1.5, 2]))
starts = [grid[at] for at in np.linspace(0, len(grid) - 1, most).astype(int)]


def by_scipy() -> tuple[float, int]:
    options = {"maxiter": 15000, "maxfun": 15000, "ftol": 1e-15, "gtol": 1e-12}
    ends = [minimize(objective, np.array(start, float), jac=True, method="L-BFGS-B", options=options).fun for start in starts]
    best = min(ends)
    return best, sum(end <= best * (1 + 1e-6) for end in ends)


def by_scalelab() -> tuple[float, int]:
    document = sl.fit(frame, law="chinchilla", estimator="huber-log", refits=0).law.document
    return document.objective, document.diagnostics.starts_at_minimum


for number in range(rounds):
    for name, fit, count in (("scipy", by_scipy, len(starts)), ("scalelab", by_scalelab, 4500)):
        begin, wall = time.process_time(), time.perf_counter()
        lowest, there = fit()
        cpu, wall = time.process_time() - begin, time.perf_counter() - wall
        print(f"{number} {name:>8}: {cpu:8.2f} s of processor, {wall:8.2f} s; objective {lowest:.12g}; {there} of {count} starts there", flush=True)

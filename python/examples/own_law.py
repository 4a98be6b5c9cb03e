# %% [markdown]
# # A law of your own
# Size and data meet in an outer exponent; the smaller of the two limits may also speak alone.

# %%
import sys
import warnings
from typing import Any

import numpy as np
import scalelab as sl

warnings.simplefilter("ignore", sl.Warned)


def limits(N: Any, D: Any, E: Any, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    return E + np.maximum(A / N**alpha, B / D**beta)


def outer(N: Any, D: Any, E: Any, A: Any, alpha: Any, B: Any, beta: Any, gamma: Any) -> Any:
    return E + (A / N**alpha + B / D**beta) ** gamma


five = ["E", "A", "alpha", "B", "beta"]
laws = [sl.Law("limits", limits, five), sl.Law("outer", outer, [*five, "gamma"], {"gamma": (0.02, 20.0)})]

# %% [markdown]
# Each beside the law of Chinchilla, on the same runs: by AICc, and by how it forecasts the larger runs.

# %%
study = sl.fit(sys.argv[1] if len(sys.argv) > 1 else "results/grid", law=[*laws, "chinchilla"])
for name, law in study.laws.items():
    criteria = law.document.criteria
    print(f"{name:>11}  AICc {criteria.aicc:8.2f}  {law.formula}")
print(study.laws["outer"].coefficients)

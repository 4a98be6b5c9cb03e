# %% [markdown]
# # Chinchilla, repeated
# The 240 points that Besiroglu et al. (2024, arXiv 2404.10102) recovered from a figure of Hoffmann et al. (2022, arXiv 2203.15556).

# %%
import sys

import scalelab as sl

path = sys.argv[1] if len(sys.argv) > 1 else "chinchilla_epoch.csv"
study = sl.fit(path, where="used_in_published_fit=1", law="chinchilla", level=0.8)
print(study.law.coefficients)

# %% [markdown]
# Their own optimum is found, and the published law of 2022 lies outside of its intervals.

# %%
theirs, first = sl.published["besiroglu-huber"], sl.published["hoffmann"]
for name in ("E", "A", "B", "alpha", "beta"):
    print(f"{name:>5} {study.law[name]!r:>40}  {theirs.coefficients[name]:>9.4g} {first.coefficients[name]:>9.4g}")
print(study.allocate(5.76e23))

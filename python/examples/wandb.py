# %% [markdown]
# # From exports of W&B to what to train
# A folder of tables, a run a file: the histories of runs with what their configuration says of size, as
# `run.history().assign(params=run.config["params"]).to_csv(...)` writes them. Laws see the last loss of each.

# %%
import sys
import warnings

import scalelab as sl

warnings.simplefilter("ignore", sl.Warned)  # `study.warnings` has them
study = sl.fit(sys.argv[1] if len(sys.argv) > 1 else "exports")
print(study)

# %% [markdown]
# How many parameters for 1e21 FLOPs, and how sure?

# %%
answer = study.allocate(1e21).iloc[0]
print(f"{answer['params']:.3g} parameters, {answer['params_low']:.3g} to {answer['params_high']:.3g}")
print(f"{answer['tokens']:.3g} tokens, loss {answer['loss']:.3f}, {answer['extrapolation']:.0f} times the largest run")
print(*study.warnings, sep="\n")

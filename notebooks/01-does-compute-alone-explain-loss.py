# %% [markdown]
# # Does compute alone explain loss?
#
# Guo (2024) claims that the quality of a language model depends on its training compute alone, however that compute is
# split between parameters `N` and tokens `D`. This notebook puts the claim to two tables of published runs: 245 runs
# of the Chinchilla paper, and 18 public models. On each, laws of compute alone compete with laws of `N` and `D`, and
# are judged by how well they predict a run that they have not seen.

# %%
# %matplotlib inline
import pandas as pd

import bayescale as bs

runs = bs.load_runs("chinchilla")
design = bs.describe(runs)
print(*design.can, sep="\n")

# %% [markdown]
# A table can speak about the split only through runs of *like compute and different size*. These runs have them: at
# like compute, `log10 N` scatters by a third of a decade.
#
# ## The Chinchilla runs
#
# `compute_power` and `compute_floor` know only the compute `C`. `tilt` is a law of `C` whose exponents of `N` and `D`
# may differ. `kaplan_nd` and `chinchilla` are laws of both.

# %%
laws = ["compute_power", "compute_floor", "tilt", "kaplan_nd", "chinchilla"]
comparison = bs.compare(bs.fit_laws(runs, laws, random_seed=1))
columns = ["elpd", "se", "p", "elpd_diff", "dse", "weight", "bad_k"]
comparison.table[columns].round(2)

# %% [markdown]
# `elpd_diff` is how many nats worse than the best law each predicts the 245 runs, every run from all others; `dse` is
# its standard error. No law of compute comes near. The figure shows which runs say so. Blue triangles that point up
# are runs that `chinchilla` predicts better, orange ones that point down are runs that `compute_floor` predicts
# better.

# %%
bs.plots.plot_pointwise(comparison, "chinchilla", "compute_floor").figure

# %%
verdict = bs.judge(comparison)
print(verdict.statement)

# %% [markdown]
# A plain "no" would hide the useful part. Near the best split loss is flat, so there is a *range* of tokens per
# parameter in which the split hardly matters. The curve below is the probability that a split costs less than 5%
# extra compute: near one on a plateau around 20 tokens per parameter, and nothing a few times beyond. The marks at the
# bottom are the runs.

# %%
bs.plots.plot_ratio_range(verdict, runs).figure

# %% [markdown]
# Outside this range compute is wasted. A model that is so many times too small or too large needs so much more compute
# than the best split of the same loss (median and 90% credible interval):

# %%
waste = {f"{each.factor:g} times off": each.extra_compute for each in verdict.waste}
pd.DataFrame(
    {name: [f"{part:.0%}" for part in (extra.median, extra.lower, extra.upper)] for name, extra in waste.items()},
    index=["extra compute", "lower", "upper"],
).T

# %% [markdown]
# ## Why others may have seen compute alone
#
# Keep only the runs of 10 to 40 tokens per parameter, as most published models have, and the difference is gone: the
# same runs, seen through a narrower window.

# %%
narrow = bs.select_runs(runs, "10 <= D / N <= 40")
narrow_fits = bs.fit_laws(narrow, ["compute_floor", "tilt", "chinchilla"], random_seed=1)
narrow_verdict = bs.judge(bs.compare(narrow_fits))
print(narrow_verdict.statement)

# %% [markdown]
# ## The public models
#
# The claim was first made on public models, measured by how well they compress text (bits per character). They pool
# seven families, and hardly two models of one recipe share a budget.

# %%
public = bs.load_runs("public-models")
public_laws = ["guo_compute", "compute_floor", "tilt", "kaplan_n", "chinchilla"]
public_fits = bs.fit_laws(public, public_laws, random_seed=1)
public_comparison = bs.compare(public_fits)
public_comparison.table[columns].round(2)

# %%
public_verdict = bs.judge(public_comparison)
print(public_verdict.statement)
print("\nRuns that would decide:", *public_verdict.remedies, sep="\n- ")

# %% [markdown]
# Guo's straight line in the logarithm of compute holds up well here, and its published slope lies inside the
# posterior. Size alone (`kaplan_n`) does not explain these models. But 18 runs of seven recipes cannot tell a law of
# compute from one of parameters and tokens.

# %%
slope = bs.credible_interval(public_fits["guo_compute"].draws["alpha"], 0.9)
published = bs.LAWS["guo_compute"].published["Guo (2024)"]["alpha"]
print(f"bits per character for each e-fold of compute, published: {published}")
print(f"posterior median and 90% interval: {slope.median:.4f} ({slope.lower:.4f} to {slope.upper:.4f})")

# %% [markdown]
# ## The headline, asserted

# %%
assert verdict.answer == "split_matters"
assert verdict.difference.elpd_diff < -100
assert not narrow_verdict.difference.decided
assert public_verdict.answer == "cannot_tell"
assert public_comparison.table.loc["kaplan_n", "elpd_diff"] < -10
assert slope.lower < published < slope.upper

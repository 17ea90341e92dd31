# %% [markdown]
# # A law of your own
#
# A law is a formula, a prior for each of its parameters, and where it comes from. This notebook writes one, has it
# checked, tries it on simulated runs, and lets it compete with the built-in ones on the Chinchilla runs.

# %%
# %matplotlib inline
from dataclasses import replace
from math import log

import pandas as pd

import bayescale as bs


def loss(N, D, *, E, K, gamma):
    return E + K / (N * D**0.7) ** gamma


mine = bs.Law(
    name="mine",
    loss=loss,
    priors={"E": bs.Share(4), "K": bs.Share(3), "gamma": bs.Prior("LogNormal", {"mu": log(0.15), "sigma": 0.4})},
    formula="E + K / (N D^0.7)^gamma",
    reference="this notebook",
    meanings={
        "E": ("what no size or data gets below", "R"),
        "K": ("what is added at N = D = 1", "R (N D^0.7)^gamma"),
        "gamma": ("how fast that falls", "none"),
    },
    rescale=lambda N, D, *, K, gamma, **_: {"K": K * (N * D**0.7) ** gamma},
)

# %% [markdown]
# Parameters after the star are inferred, those before it are columns of the table. The model counts `N` and `D` in
# typical runs of the table, so `E` and `K` are parts of a typical loss, about four to three; `rescale` carries `K` to
# `N = D = 1`. Forget it, and the check says so:

# %%
print(bs.testing.check_law(replace(mine, rescale=None)))
print()
print(bs.testing.check_law(mine))

# %% [markdown]
# What does the prior expect before it has seen a run? The figure shows it along `N`, at a typical `D`: the median falls
# with size, and the bands are wide, so that the runs will decide.

# %%
bs.plots.plot_prior_predictive(bs.plots.prior_predictive(mine), "N").figure

# %% [markdown]
# ## Does it get back what was put in?
#
# Twenty runs are simulated from known parameters, and fitted. A law that does not find them again will not tell the
# truth about your runs either.

# %%
truth = {"E": 1.8, "K": 300.0, "gamma": 0.16}
design = bs.designs.isoflop_design([1e18, 1e19, 1e20, 1e21], [2, 5, 20, 80, 200])
made = bs.simulate(design, mine, truth, random_seed=1)
found = bs.published_draws(bs.fit(made, mine, random_seed=1))
intervals = {name: bs.credible_interval(found[name], 0.9) for name in truth}
pd.DataFrame(
    {name: {"truth": truth[name], "lower": each.lower, "upper": each.upper} for name, each in intervals.items()}
).T.round(3)

# %% [markdown]
# ## Against the built-in laws

# %%
runs = bs.load_runs("chinchilla")
fits = bs.fit_laws(runs, ["compute_floor", "tilt", "chinchilla", mine], random_seed=1)
comparison = bs.compare(fits)
comparison.table[["elpd", "elpd_diff", "dse", "weight"]].round(1)

# %%
bs.plots.plot_elpd(comparison).figure

# %% [markdown]
# The figure shows the same: each mark is how many nats worse than the best law, with one standard error to either side.
# A fixed exponent of 0.7 on the tokens is a guess, and `tilt` infers it: the distance between the two is what the guess
# costs. Both are laws of one product of powers, which the additive law beats by far on runs that reach from 0.04 to 340
# tokens per parameter.
#
# ## The headline, asserted

# %%
assert not bs.testing.check_law(replace(mine, rescale=None)).passed
assert bs.testing.check_law(mine).passed
assert all(each.lower < truth[name] < each.upper for name, each in intervals.items())
assert comparison.table.index[0] == "chinchilla"
assert comparison.table.loc["mine", "elpd_diff"] < comparison.table.loc["tilt", "elpd_diff"] - 20

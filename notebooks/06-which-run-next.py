# %% [markdown]
# # Which run next?
#
# Some cheap runs are done, and a large one is to come. Which further runs would make its size a better decision, and
# when is it time to stop? The runs here are those of the Chinchilla paper: the cheap ones count as done, and each of
# the others can be bought for what it cost. All of them together are the judge of what was decided.

# %%
# %matplotlib inline
import numpy as np
import pandas as pd

import bayescale as bs

runs = bs.load_runs("chinchilla")
target = float(runs.frame["C"].max())
usual = bs.select_runs(runs, "1 <= D / N <= 200").frame
done, others = usual[usual["C"] < 1.5e19], usual[usual["C"] >= 1.5e19]
print(f"{len(done)} runs done, for {done['C'].sum():.2g} FLOP; to decide: a run of {target:.2g} FLOP")

# %% [markdown]
# ## What would tell most?
#
# `bs.plan` takes every run that could be bought, within 1e20 FLOP, and asks how much better the split of the large run
# would be chosen once it is done. That is counted as expected regret: the loss, in nats per token, that the chosen
# split gives away because the best one is not known.

# %%
fit = bs.fit(bs.RunTable.from_frame(done), "chinchilla", random_seed=1)
plan = bs.plan(fit, others[["run", "N", "D", "C"]], spend=1e20, target=target)
print(*plan.notes, sep="\n")
plan.runs[["run", "N", "D", "flops", "regret_saved"]].round(4)

# %%
bs.plots.plot_plan(plan).figure

# %% [markdown]
# The runs done lie at the lower left, the split to be decided at the upper right. A run costs more the further up and
# right it lies, and the line is the spend: what is marked beyond it cannot be bought in this round.
#
# ## Buy, fit again, ask again
#
# Each round buys what the plan chose and fits the law again. It stops when the next runs would save less compute at the
# target than they cost.

# %%
law, judge = bs.LAWS["chinchilla"], bs.fit(runs, "chinchilla", random_seed=1)
full = bs.published_draws(judge)
every_size = np.geomspace(1e9, 1e12, 500)[:, None]
least = law.loss(every_size, target / 6 / every_size, **full).min(axis=0)


def decide(fit):
    allocation = bs.allocate(fit, [target])
    size, interval = float(allocation.recommended["N"][0]), bs.credible_interval(allocation.optima["N"], 0.9)
    return {
        "N": size,
        "lower": interval.lower,
        "upper": interval.upper,
        "expected regret": float(allocation.recommended["expected_regret"][0]),
        "regret by all runs": float((law.loss(size, target / 6 / size, **full) - least).mean()),
    }


rounds = [{"cost": done["C"].sum(), **decide(fit)}]
while plan.targets["flops_saved"].sum() > plan.runs["flops"].sum() and len(rounds) < 6:
    bought = others["run"].isin(plan.runs["run"])
    rounds.append({"cost": others.loc[bought, "C"].sum()})
    done, others = pd.concat([done, others[bought]]), others[~bought]
    fit = bs.fit(bs.RunTable.from_frame(done), "chinchilla", random_seed=1)
    rounds[-1] |= decide(fit)
    plan = bs.plan(fit, others[["run", "N", "D", "C"]], spend=1e20, target=target)
print(plan.notes[-1])

table = pd.DataFrame([*rounds, {"cost": runs.frame["C"].sum(), **decide(judge)}])
table.index = pd.Index([*range(len(rounds)), "all runs"], name="round")
table.map("{:.2g}".format)

# %% [markdown]
# Round 0 is what the cheap runs say, the last row what all 245 runs say. `lower` and `upper` are the ends of the 90%
# interval of the best size, which has what a law misses of it. It narrows, and the expected regret falls, but not to
# nothing: plans count what runs teach the parameters of the law, and what it may miss so far beyond them stays.
# `regret by all runs` is what the chosen size gives away if all runs are believed. It is much lower after the purchases
# than before, but it need not fall in every round: a few runs carry noise, and that can move the size the wrong way.
#
# One start proves little. Leave out every run of fewer than two tokens per parameter, done or on offer, and the same
# rounds end at more than twice the size that all runs name, with an interval that misses theirs.
# [Decision 10](../docs/decisions/0010-plan.md) has fifty starts of three tables: on two of them the plan saves most of
# the compute that random choice needs, on the third it does worse.
#
# ## The headline, asserted
#
# For a small part of the large run's compute, the runs bought make its size a better decision, by the expectation and
# by the judgement of all runs. Then the plan says that more would not pay.

# %%
first, last = table.iloc[0], table.loc[len(rounds) - 1]
assert table["cost"].loc[1 : len(rounds) - 1].sum() < 0.05 * target
assert last["upper"] / last["lower"] < first["upper"] / first["lower"] / 2
assert last["expected regret"] < 0.75 * first["expected regret"]
assert last["regret by all runs"] < first["regret by all runs"] / 2
assert plan.targets["flops_saved"].sum() < plan.runs["flops"].sum()

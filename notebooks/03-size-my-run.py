# %% [markdown]
# # Size my run
#
# From a file of finished runs to a decision: what to train with the accelerators at hand, if the model must then be
# served, and if the data end. The runs here are **simulated** from the refitted Chinchilla law (Besiroglu et al. 2024),
# so that the answers can be checked. With your own file, start at `read_runs`.

# %%
# %matplotlib inline
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import bayescale as bs

truth = bs.LAWS["chinchilla"].published["Besiroglu et al. (2024)"]
design = bs.designs.isoflop_design(np.geomspace(1e18, 1e21, 9), np.geomspace(2, 200, 12))
made = bs.simulate(design, "chinchilla", truth, random_seed=1).frame

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "runs.csv"
odd = pd.DataFrame({"size": made["N"], "seen": made["D"], "val/nats": made["loss"]}).round(4)
odd.loc[3, "val/nats"] = np.nan
odd.to_csv(path, index_label="job")

# %% [markdown]
# ## Read and check
#
# The headers are this file's own, so they are named once. One job crashed and left no loss. Nothing is dropped
# silently: every fault of a file is told at once, with its line and what to do.

# %%
headers = {"run": "job", "N": "size", "D": "seen", "loss": "val/nats"}
try:
    bs.read_runs(path, columns=headers)
except bs.InputError as error:
    print(error)

# %%
odd.dropna().to_csv(path, index_label="job")
runs = bs.read_runs(path, columns=headers)
print(*bs.describe(runs).can, sep="\n")

# %% [markdown]
# ## Which law, and does the split matter?

# %%
comparison = bs.compare(bs.fit_laws(runs, ["compute_floor", "tilt", "chinchilla"], random_seed=1))
verdict = bs.judge(comparison)
print(verdict.statement)

# %% [markdown]
# ## The budget
#
# 64 H100 for three weeks, at 40% of their peak and 2.50 dollars an hour:

# %%
hours = 64 * 24 * 21
budget = bs.hardware.flops_from_hours(hours, "h100", utilisation=0.4)
print(f"{hours} hours, {2.5 * hours:.0f} dollars, {budget:.2g} FLOP")

# %% [markdown]
# ## What to train
#
# Three decisions for the same budget: training alone; training and then serving two trillion tokens out of the same
# budget; and training where only 150 billion distinct tokens are to be had, of which none is used twice.

# %%
limits = {
    "training alone": bs.Constraints(),
    "and 2T tokens to serve": bs.Constraints(inference_tokens=2e12),
    "only 150B tokens": bs.Constraints(unique_tokens=1.5e11),
}
allocations = {name: bs.allocate(comparison, [budget], constraints=limit) for name, limit in limits.items()}
decisions = pd.concat(
    [allocation.recommended[["N", "D", "expected_loss"]].to_dataframe() for allocation in allocations.values()]
).set_index(pd.Index(limits))
sizes = {name: bs.credible_interval(allocation.optima["N"], 0.9) for name, allocation in allocations.items()}
decisions["N, 90%"] = [f"{size.lower / 1e9:.1f}B to {size.upper / 1e9:.1f}B" for size in sizes.values()]
decisions[["N", "N, 90%", "D", "expected_loss"]]

# %% [markdown]
# Both limits cost loss, in opposite directions: what must be served should be smaller, and what cannot have more data
# should be larger. Where the data end there is nothing left to infer: the size is what the budget pays for on all 150
# billion tokens.
#
# A budget that also pays for serving trains less. Seen from the other side: which model reaches the *same loss* with
# the least compute for training and serving together? The more it serves, the smaller it should be and the longer it
# should train, as the figure shows: N falls, D rises.

# %%
served = bs.serving.serve(comparison, [budget], np.geomspace(1e11, 1e13, 13))
bs.plots.plot_serving(served).figure

# %% [markdown]
# And the end of the data: up to some budget it does not matter, beyond it the best size rises faster than without an
# end (dashed). The dotted line repeats tokens, each repeat worth less by the published scale of 15.4 epochs
# (Muennighoff et al. 2023); our own fits of that scale differ much from table to table, so take it as an example.

# %%
exhausted = bs.serving.data_limit(comparison, np.geomspace(1e21, 1e24, 13), 1.5e11, repetition=15.4)
bs.plots.plot_data_limit(exhausted).figure

# %% [markdown]
# ## The report
#
# One page for those who decide, with every number in a file beside it.

# %%
bs.write_report(path.with_name("report.html"), comparison, verdict, allocations["training alone"])
print(*sorted(file.name for file in path.parent.iterdir()), sep="\n")

# %% [markdown]
# ## The headline, asserted
#
# The interval holds the size that the law behind these runs makes best, and both limits move the decision as they
# should, with near certainty if the law holds.

# %%
alpha, beta = truth["alpha"], truth["beta"]
G = (alpha * truth["A"] / (beta * truth["B"])) ** (1 / (alpha + beta))
best_size = G * (budget / 6) ** (beta / (alpha + beta))
assert verdict.answer == "split_matters"
assert sizes["training alone"].lower < best_size < sizes["training alone"].upper
assert sizes["and 2T tokens to serve"].upper < sizes["training alone"].lower < sizes["only 150B tokens"].lower
assert float((served.draws["N"] < served.draws["training_N"]).mean()) > 0.99
assert float((served.draws["D"] > served.draws["training_D"]).mean()) > 0.99

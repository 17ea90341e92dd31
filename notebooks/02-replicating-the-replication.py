# %% [markdown]
# # The Chinchilla replication, with a posterior
#
# Besiroglu et al. (2024) read 245 runs off a figure of the Chinchilla paper and fitted its law again,
#
# $$L(N, D) = E + A / N^{\alpha} + B / D^{\beta}.$$
#
# They left out the five runs of highest loss, minimised Huber's loss on log loss, and took standard errors from a
# bootstrap. This notebook does the same with SciPy, puts a posterior beside it, and then asks what happens if the five
# runs stay in.

# %%
# %matplotlib inline
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.optimize import least_squares

import bayescale as bs

runs = bs.load_runs("chinchilla")
kept = bs.select_runs(runs, "loss < 3.43")
tables = {"240 runs": kept.frame, "245 runs": runs.frame}
names = ["E", "A", "B", "alpha", "beta"]
law = bs.LAWS["chinchilla"]

runs.frame.nlargest(7, "loss")[["N", "D", "C", "loss"]].assign(ratio=lambda frame: frame["D"] / frame["N"])

# %% [markdown]
# The five that were left out are models of 2 to 7 billion parameters that saw less than one token per parameter.
#
# ## Their estimate
#
# The parameters are searched as logs of `E`, `A` and `B`. Huber's loss is square up to a residual of 0.001 and straight
# beyond; these runs scatter by four times that, so most of them lie on the straight part.


# %%
def residuals(point, frame):
    E, A, B = np.exp(point[:3])
    return np.log(law.loss(frame["N"], frame["D"], E=E, A=A, B=B, alpha=point[3], beta=point[4]) / frame["loss"])


start = np.array([np.log(1.8), np.log(500), np.log(2000), 0.35, 0.35])
options = {"f_scale": 1e-3, "x_scale": "jac", "ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12}
points = {
    (kind, rows): least_squares(residuals, start, loss=loss, args=(frame,), **options).x
    for kind, loss in {"Normal": "linear", "Huber": "huber"}.items()
    for rows, frame in tables.items()
}
best = points["Huber", "240 runs"]
rng = np.random.default_rng(1)
resamples = [kept.frame.sample(frac=1, replace=True, random_state=rng) for _ in range(300)]
bootstrap = np.array([least_squares(residuals, best, loss="huber", args=(frame,), **options).x for frame in resamples])
bootstrap[:, :3] = np.exp(bootstrap[:, :3])

# %% [markdown]
# ## The posterior of the same 240 runs
#
# bayescale takes the noise to be Student's t on log loss, and infers how heavy its tails are. No bootstrap is needed:
# the spread of the posterior is the answer.

# %%
fits = {"240 runs": bs.fit(kept, law, random_seed=1), "245 runs": bs.fit(runs, law, random_seed=1)}
draws = pd.DataFrame(bs.published_draws(fits["240 runs"]))[names]
table = pd.DataFrame(
    {
        "published": pd.Series(law.published["Besiroglu et al. (2024)"]),
        "standard error": [0.03, 124.58, 1293.23, 0.02, 0.02],
        "Huber again": np.r_[np.exp(best[:3]), best[3:]],
        "bootstrap s.d.": bootstrap.std(axis=0),
        "posterior median": draws.median(),
        "posterior s.d.": draws.std(),
    }
)
table["shift in s.e."] = (table["posterior median"] - table["published"]) / table["standard error"]
table.map("{:.4g}".format)

# %% [markdown]
# The Huber fit is found again to a few per cent, and the posterior agrees with the published values within their
# standard errors. It is narrower than the bootstrap. Part of this is gain, for Student's t makes better use of the
# runs. Part of it is an assumption that the bootstrap does not make: that the noise is the same in all runs. The figure
# shows each run's distance from the law under the fit of all 245 runs: most of those outside their interval are runs of
# few tokens per parameter. The five that were left out are no accidents. They are the far end of a slope: below one
# token per parameter nearly every run lies above the law, and the more so the fewer tokens it saw. There the law itself
# fails.

# %%
bs.plots.plot_predictive_check(fits["245 runs"], against="tokens_per_parameter").figure

# %% [markdown]
# ## Why the outliers stop mattering
#
# What to train with the compute of Chinchilla, 5.76e23 FLOP? The best size is followed through three kinds of noise,
# with and without the five runs.

# %%
C = 5.76e23
allocations = {rows: bs.allocate(fit, [C]) for rows, fit in fits.items()}
intervals = {rows: bs.credible_interval(allocation.optima["N"], 0.9) for rows, allocation in allocations.items()}
best_size = pd.DataFrame(
    {rows: {"Student t": interval.median} for rows, interval in intervals.items()},
    index=["Normal", "Huber", "Student t"],
)
for (kind, rows), (_, log_A, log_B, alpha, beta) in points.items():
    G = np.exp((np.log(alpha / beta) + log_A - log_B) / (alpha + beta))
    best_size.loc[kind, rows] = G * (C / 6) ** (beta / (alpha + beta))
(best_size / 1e9).round(0)

# %%
ax = Figure(figsize=(5.8, 2.6), layout="constrained").subplots()
for rows, marker, color, y in (("240 runs", "o", "#0072B2", -0.12), ("245 runs", "s", "#D55E00", 0.12)):
    ax.plot(best_size[rows] / 1e9, np.arange(3) + y, marker, color=color, label=rows)
    ax.hlines(2 + y, intervals[rows].lower / 1e9, intervals[rows].upper / 1e9, color=color)
ax.set(xscale="log", xlabel="best size at 5.76e23 FLOP (billions of parameters)")
ax.set_xticks([50, 70, 100, 140, 200], labels=["50", "70", "100", "140", "200"])
ax.set_xticks([], minor=True)
ax.set_yticks(range(3), labels=best_size.index)
ax.invert_yaxis()
ax.legend(frameon=False)
ax.figure

# %% [markdown]
# Circles leave the five runs out, squares keep them. With normal noise the best size more than doubles when they come
# in, and even with Huber's loss it grows by half. With Student's t both estimates lie close together, each well inside
# the other's 90% interval (the bars).
#
# The reason is how much a run may say. Under Student's t a run that lies `z` scales from the law counts
# `(nu + 1) / (nu + z^2)` times what it would under normal noise: the further off, the less it pulls. Under Huber's loss
# the pull is the same however far off a run lies, and under normal noise it grows without end.

# %%
posterior = fits["245 runs"].data["posterior"]
nu, sigma = float(posterior["nu"].median()), float(posterior["sigma"].median())
center = law.loss(runs.frame["N"], runs.frame["D"], **pd.DataFrame(bs.published_draws(fits["245 runs"])).median())
z = np.log(runs.frame["loss"] / center) / sigma
weight = (nu + 1) / (nu + z**2)
pd.DataFrame({"loss": runs.frame["loss"], "z": z.round(0), "weight": weight.round(4)}).nlargest(5, "loss")

# %% [markdown]
# ## The headline, asserted
#
# The posterior finds the published law, and its answer does not depend on leaving runs out by hand.

# %%
assert (table["shift in s.e."].abs() < 1).all()
assert (abs(table["Huber again"] / table["published"] - 1) < 0.03).all()
assert best_size.loc["Normal", "245 runs"] > 2 * best_size.loc["Normal", "240 runs"]
assert best_size.loc["Huber", "245 runs"] > 1.4 * best_size.loc["Huber", "240 runs"]
assert abs(best_size.loc["Student t", "245 runs"] / best_size.loc["Student t", "240 runs"] - 1) < 0.1
assert weight[runs.frame["loss"] > 3.43].max() < 0.05

"""Results of simulated runs, made without a sampler: posteriors are drawn about a least-squares fit."""

import dataclasses
import functools

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import least_squares

from bayescale.comparison.comparison import Comparison, compare
from bayescale.comparison.verdict import Verdict, judge
from bayescale.decisions.allocation import Allocation, allocate
from bayescale.decisions.size_backtesting import FAILED, SizeBacktest
from bayescale.decisions.size_forecasts import IN_USE
from bayescale.decisions.size_scores import score_sizes, size_scores
from bayescale.fits.diagnostics import Diagnostics
from bayescale.fits.discrepancy import GROUP, discrepancy_group
from bayescale.fits.draws import Draws
from bayescale.fits.fit import Fit, reference_values
from bayescale.fits.forecast import Forecast
from bayescale.fits.tree import canonical_frame
from bayescale.forecasts.backtesting import Backtest, _ends, _points, _scores
from bayescale.forecasts.scores import pointwise
from bayescale.laws import LAWS, Law
from bayescale.runs import RunTable

BUDGETS = (1e21, 5.76e23)
GOOD = Diagnostics((), 1.001, 900.0, 800.0, 0.9, 0, 0, 800)


def simulated_runs(name: str = "simulated", labels: str = "run") -> RunTable:
    """Return 48 runs at 8 budgets that follow Chinchilla's published law, with 1% noise."""
    rng = np.random.default_rng(3)
    C, offset = (values.ravel() for values in np.meshgrid(np.geomspace(1e18, 1e22, 8), np.linspace(-0.8, 0.8, 6)))
    N = np.sqrt(C / 120) * np.exp(offset)
    D = C / (6 * N)
    values = LAWS["chinchilla"].published["Besiroglu et al. (2024)"]
    loss = LAWS["chinchilla"].loss(N, D, **values) * np.exp(0.01 * rng.standard_normal(C.size))
    frame = pd.DataFrame({"run": [f"{labels} {i}" for i in range(C.size)], "N": N, "D": D, "C": C, "loss": loss})
    return RunTable.from_frame(frame, name=name, response="loss", unit="nats per token", record={"title": "A table"})


def simulated_fit(law: Law, runs: RunTable, diagnostics: Diagnostics = GOOD) -> Fit:
    """Return a fit whose posterior is normal on the log of each parameter, narrow for a mild Pareto k."""
    frame = canonical_frame(runs)
    reference = reference_values(frame, runs.response)
    observed = np.log(frame[runs.response].to_numpy())
    positive = [name for name in law.parameters if name != "delta"]

    def parameters(z: np.ndarray) -> dict[str, np.ndarray]:
        return {n: np.exp(z[..., i]) if n in positive else z[..., i] for i, n in enumerate(law.parameters)}

    def residuals(z: np.ndarray) -> np.ndarray:
        value = Draws(law, parameters(z[None]), reference).value(frame)
        return np.log(value[0]) - observed

    found = least_squares(residuals, np.log([0.5 if name in "EABK" else 0.3 for name in law.parameters]))
    spread = np.std(found.fun)
    covariance = 0.5 * spread**2 * np.linalg.pinv(found.jac.T @ found.jac)
    rng = np.random.default_rng(0)
    z = rng.multivariate_normal(found.x, covariance, size=(4, 200))
    draws = {**parameters(z), "sigma": spread * np.exp(0.1 * rng.standard_normal((4, 200))), "nu": np.full((4, 200), 9)}
    prior = {name: rng.lognormal(-1, 0.8, 500) for name in draws}
    return with_discrepancy(
        Fit.from_draws(runs, law, draws, scale="reference", prior=prior, diagnostics=diagnostics, random_seed=7)
    )


def with_discrepancy(fitted: Fit) -> Fit:
    """Return a fit that keeps its discrepancy, as sampled ones do: each forecast would infer it anew."""
    tree = fitted.data.copy()
    tree[GROUP] = xr.DataTree(discrepancy_group(fitted))
    return Fit(fitted.law, tree)


def simulated_comparison(laws: tuple[Law, ...], runs: RunTable, failed: tuple[str, ...] = ()) -> Comparison:
    """Compare laws on simulated fits; those named failed have a divergence."""
    bad = dataclasses.replace(GOOD, failures=("3 transitions diverged (none may)",), divergences=3)
    fits = {law.name: simulated_fit(law, runs, bad if law.name in failed else GOOD) for law in laws}
    return compare(fits, max_refits=0)


@functools.cache
def results() -> tuple[Comparison, Verdict, Allocation]:
    """Return a comparison of three laws, its verdict and an allocation, made once."""
    laws = (LAWS["compute_floor"], LAWS["tilt"], LAWS["chinchilla"])
    comparison = simulated_comparison(laws, simulated_runs())
    return comparison, judge(comparison), allocate(comparison, BUDGETS)


def simulated_size_backtest(law: str = "chinchilla") -> SizeBacktest:
    """Return a backtest of best sizes of two methods, one right and one 30% too large, the latter without a law."""
    rng = np.random.default_rng(6)
    minima = np.stack([np.log([1e22, 1e23]), np.log([2e9, 6e9]), [0.1, 0.1]], axis=1)
    parts = []
    for name, method, off in ((law, IN_USE, 0.0), ("", "line", 0.3)):
        scored = score_sizes(minima[:, 1] + off + 0.1 * rng.standard_normal((500, 2)), minima, 0)
        scored.insert(1, "factor", [2.0, 20.0])
        parts.append(scored.assign(law=name, method=method, slices=2))
    points = pd.concat(parts, ignore_index=True)
    notes = (f"{law}: {FAILED} with 2 slices held out",)
    return SizeBacktest(points, size_scores(points), simulated_runs(), notes)


def simulated_backtest(law: str = "chinchilla", failed: tuple[float, ...] = ()) -> Backtest:
    """Return a backtest whose forecasts are drawn about the truth: wide enough by one method, too narrow by the other.

    Thresholds in ``failed`` have a refit whose diagnostics failed.
    """
    runs = simulated_runs()
    frame, rng, done = canonical_frame(runs), np.random.default_rng(5), []
    for threshold in (0.2, 10.0):
        limit = np.quantile(frame["C"], 0.8) if threshold < 1 else frame["C"].max() / threshold
        held, log_loss = frame[frame["C"] > limit], np.log(frame["loss"][frame["C"] > limit].to_numpy())
        for method, spread in (("discrepancy", 0.01), ("plain", 0.002)):
            center = log_loss + 0.01 * rng.standard_normal(log_loss.size)
            forecast = Forecast(center + spread * rng.standard_normal((500, log_loss.size)), np.zeros(log_loss.size))
            points = pointwise(forecast, log_loss).assign(run=held["run"].to_numpy(), **_ends(forecast, held["loss"]))
            points["factor"] = held["C"].to_numpy() / frame["C"][frame["C"] <= limit].max()
            head = {"law": law, "method": method, "threshold": threshold, "passed": threshold not in failed}
            done.append(head | {"points": points.to_json(orient="split", double_precision=15)})
    return Backtest(pd.concat(map(_points, done), ignore_index=True), _scores(done), "C", runs, ("mind the fold",))


def exact_sizes(truth, flops):
    """Return N of least loss of an additive law, by the closed form."""
    ratio = truth["alpha"] * truth["A"] / (truth["beta"] * truth["B"])
    power = ratio * (np.asarray(flops) / 6) ** truth["beta"]
    return power ** (1 / (truth["alpha"] + truth["beta"]))


def crossed(make_runs, truth, *, noise=0.003, seed=0, sizes=9, name="crossed"):
    """Return runs of six budgets, at sizes around the best that do not lie evenly about it."""
    budgets, rng = np.geomspace(1e18, 1e21, 6), np.random.default_rng(100 + seed)
    steps = 0.4 * (np.arange(sizes) - (sizes - 1) / 2) + rng.uniform(-0.5, 0.5, (len(budgets), 1))
    N = (exact_sizes(truth, budgets)[:, None] * np.exp(steps)).ravel()
    return make_runs.of(N, np.repeat(budgets, sizes) / (6 * N), truth=truth, noise=noise, seed=seed, name=name)


def without_paths(*_: object, **__: object) -> None:
    """Stand in for ``paths_of`` where a law is taken at its word, so that its closed forms hold."""

"""Fixtures shared by the tests: runs of a known law, fits made without sampling, and one small sampled fit."""

import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import settings
from made import with_discrepancy
from scipy.optimize import least_squares

from bayescale.comparison.comparison import compare
from bayescale.fits.diagnostics import Diagnostics
from bayescale.fits.fit import Fit, reference_values
from bayescale.fits.fitting import fit
from bayescale.fits.tree import canonical_frame
from bayescale.laws import LAWS, Prior, get_law, reference_scale
from bayescale.planning.plan import plan
from bayescale.runs import RunTable

# No deadline, for the first example may import a library; the same examples every time, for a failure is no chance.
settings.register_profile("bayescale", deadline=None, derandomize=True)
settings.load_profile("bayescale")

TRUTH = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}
FLOOR_TRUTH = {"E": 1.8, "K": 2500.0, "gamma": 0.17}


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory):
    """Keep what the session caches out of the user's cache, and share it between the workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "bayescale-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAYESCALE_CACHE", str(folder))
        yield folder


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Give a test a cache that nothing else writes to."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("BAYESCALE_CACHE", str(folder))
    return folder


# Runs


def runs_of(N, D, *, law="chinchilla", truth=TRUTH, noise=0.005, seed=0, name="made", response="loss", **columns):
    """Return a table of runs that follow a law, with normal noise on the log response."""
    N, D = np.asarray(N, dtype=float), np.asarray(D, dtype=float)
    law = get_law(law)
    covariates = {"N": N, "D": D, "C": 6 * N * D}
    value = law.loss(**{column: covariates[column] for column in law.covariates}, **truth)
    value = value * np.exp(noise * np.random.default_rng(seed).standard_normal(N.size))
    return RunTable.from_frame(pd.DataFrame({"N": N, "D": D, response: value, **columns}), name=name)


def isoflop(budgets=(1e18, 1e19, 1e20, 1e21, 1e22), sizes=24, width=2.0, center=20.0):
    """Return N and D of runs that spend each budget at sizes over ``width`` decades, around ``D = center N``."""
    C = np.repeat(budgets, sizes)
    N = np.sqrt(C / 6 / center) * 10 ** np.tile(np.linspace(-width / 2, width / 2, sizes), len(budgets))
    return N, C / (6 * N)


@pytest.fixture(scope="session")
def make_runs():
    """Return the builder of made tables and its ingredients."""
    return SimpleNamespace(of=runs_of, isoflop=isoflop, truth=TRUTH, floor_truth=FLOOR_TRUTH)


@pytest.fixture(scope="session")
def wide_runs():
    """120 runs of a law of N and D, over two decades of N at each of five budgets."""
    return runs_of(*isoflop(), name="wide")


@pytest.fixture(scope="session")
def small_runs():
    """24 runs of a law of compute, few enough to be sampled in a second."""
    N, D = isoflop(budgets=(1e18, 1e19, 1e20), sizes=8)
    labels = [f"run-{i:02d}" for i in range(N.size)]
    return runs_of(N, D, law="compute_floor", truth=FLOOR_TRUTH, noise=0.01, seed=2, name="small", run=labels)


# Fits


def start_values(law, unit):
    """Return a typical value of each parameter at reference scale, and its prior s.d. on the sampled axis."""
    total = sum(prior.concentration for prior in law.priors.values() if not isinstance(prior, Prior))
    values, widths = {}, {}
    for name, prior in law.priors.items():
        if isinstance(prior, Prior):
            mu, sigma = prior.parameters.get("mu", 0.0), prior.parameters["sigma"]
            typical = {"LogNormal": np.exp(mu), "Normal": mu, "TruncatedNormal": -sigma, "HalfNormal": sigma}[
                prior.family
            ]
            values[name] = typical * (unit if prior.relative else 1.0)
            widths[name] = sigma if prior.family != "TruncatedNormal" else 1.0
    for name, prior in law.priors.items():
        if not isinstance(prior, Prior):
            power = 1.0 if prior.power is None else values[prior.power]
            values[name], widths[name] = unit * (prior.concentration / total) ** power, 1.0
    return values, widths


def moved(values, names, steps):
    """Return values multiplied by ``exp(step)``, or moved by the step where they are zero."""
    return {
        name: values[name] * np.exp(step) if values[name] else step for name, step in zip(names, steps, strict=True)
    }


def fitted_shape(law, frame, response, reference, sigma):
    """Return centre, steps and covariance of a normal posterior around the best parameters (Laplace)."""
    values, widths = start_values(law, reference[response])
    names = list(law.parameters)
    scaled = {name: frame[name].to_numpy() / reference[name] for name in law.covariates}
    log_response = np.log(frame[response].to_numpy())

    def residuals(steps):
        value = law.loss(**scaled, **moved(values, names, steps))
        misfit = (log_response - np.log(np.maximum(value, 1e-6 * reference[response]))) / sigma
        return np.concatenate([misfit, steps / [widths[name] for name in names]])

    found = least_squares(residuals, np.zeros(len(names)))
    spread = sigma * np.std(found.fun[: len(frame)])
    return values, found.x, np.linalg.inv(found.jac.T @ found.jac), spread


def made_fit(law, runs, truth=None, *, spread=0.02, sigma=0.005, chains=4, draws=500, seed=0, failures=()):
    """Make a fit without PyMC.

    With ``truth`` (parameters at the scale of published values) the posterior is narrow around them: independent
    normals of s.d. ``spread`` on the logs. Without, it is the normal approximation at the best parameters.
    """
    law = get_law(law)
    frame = canonical_frame(runs)
    reference = reference_values(frame, runs.response, law)
    names, rng = list(law.parameters), np.random.default_rng(seed)
    if truth is None:
        for _ in range(3):
            values, center, covariance, sigma = fitted_shape(law, frame, runs.response, reference, sigma)
    else:
        values = reference_scale(law, reference, truth)
        center, covariance = np.zeros(len(names)), spread**2 * np.eye(len(names))
    steps = center + rng.standard_normal((chains * draws, len(names))) @ np.linalg.cholesky(covariance).T
    flat = moved(values, names, steps.T)
    flat["sigma"] = sigma * np.exp(rng.standard_normal(chains * draws) / np.sqrt(2 * len(frame)))
    flat["nu"] = 30.0 * np.exp(0.1 * rng.standard_normal(chains * draws))
    variables = {
        "diverging": np.zeros((chains, draws), dtype=bool),
        "energy": rng.standard_normal((chains, draws)),
        "maxdepth_reached": np.zeros((chains, draws), dtype=bool),
    }
    coords = {"chain": np.arange(chains), "draw": np.arange(draws)}
    stats = xr.Dataset({name: (("chain", "draw"), each) for name, each in variables.items()}, coords=coords)
    return Fit.from_draws(
        runs,
        law,
        {name: each.reshape(chains, draws) for name, each in flat.items()},
        scale="reference",
        prior=prior_draws(law, reference[runs.response], rng),
        sample_stats=stats,
        diagnostics=Diagnostics(tuple(failures), 1.0, 2000.0, 2000.0, 1.0, 0, 0, chains * draws),
        random_seed=seed,
    )


def prior_draws(law, unit, rng, count=500):
    """Return draws of roughly the prior, with one chain."""
    values, widths = start_values(law, unit)
    draws = moved(values, values, [widths[name] * rng.standard_normal(count) for name in values])
    draws |= {"sigma": 0.05 * np.abs(rng.standard_normal(count)), "nu": 2 + rng.exponential(10, count)}
    return draws


@pytest.fixture(scope="session")
def synthetic_fit():
    """Return the builder of fits without PyMC: ``synthetic_fit(law, runs, truth=None, ...)``."""
    return made_fit


@pytest.fixture(scope="session")
def wide_fit(wide_runs):
    """Chinchilla on the wide table, not sampled."""
    return with_discrepancy(made_fit("chinchilla", wide_runs))


@pytest.fixture(scope="session")
def wide_comparison(wide_runs, wide_fit):
    """Four laws on the wide table, where N and D matter."""
    others = {name: with_discrepancy(made_fit(name, wide_runs)) for name in ("compute_floor", "tilt", "kaplan_n")}
    return compare({"chinchilla": wide_fit, **others}, max_refits=0)


@pytest.fixture(scope="session")
def wide_plan(wide_fit):
    """One run to do next on the wide table."""
    return plan(wide_fit, spend=1e20, target=1e23, runs=1)


@pytest.fixture(scope="session")
def sampled_fit(small_runs):
    """The one small fit that is really sampled; the session's cache keeps it."""
    return fit(small_runs, "compute_floor", draws=1000, tune=300, random_seed=1)


@pytest.fixture(params=sorted(LAWS))
def law(request):
    """Each built-in law in turn."""
    return LAWS[request.param]

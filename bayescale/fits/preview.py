"""A preview of a posterior: Laplace's method with importance weights, in a tenth of the time that sampling takes."""

import dataclasses

import numpy as np
import xarray as xr

from bayescale.errors import InputError
from bayescale.fits.diagnostics import diagnose
from bayescale.fits.fit import Fit, reference_values
from bayescale.fits.kernel import Bound, Kernel
from bayescale.fits.pareto import good_shape, smoothed
from bayescale.fits.sampler import with_used
from bayescale.fits.sampling import compiled_model, model_data
from bayescale.fits.settings import Settings
from bayescale.fits.tree import canonical_frame, fit_from_draws, sampler_data
from bayescale.laws import Law
from bayescale.laws.priors import parameters_from_free
from bayescale.runs import RunTable
from bayescale.runs.checkpoints import TOGETHER

STARTS = 4
STEP = 1e-4
"""Of the differences of the gradient that curvature is found from."""

LEAST_CURVATURE = 0.05
"""A direction that the runs say nothing about is as wide as this at most: the priors, on this scale, are near 1."""

TAIL = 6.0
"""Degrees of freedom of the proposals: heavier tails than a posterior of a table has."""

PILOT, PROPOSALS = 2000, 8000
"""Points of the first proposal, which only corrects it, and of the second."""


def preview_fit(law: Law, runs: RunTable, settings: Settings) -> Fit:
    """Return a fit whose draws are resampled from a Student t at the mode, marked as a preview by its diagnostics.

    Raises
    ------
    InputError
        If the law or table has no machine code to preview with, or no mode is found.
    """
    frame = canonical_frame(runs)
    reference = reference_values(frame, runs.response, law)
    data = sampler_data(law, frame, runs.response, reference)
    model = None if TOGETHER[0] in data else compiled_model(law)
    if not isinstance(model, Kernel):
        why = "rows share training runs" if model is None else "its formula or a prior cannot be written down"
        raise InputError(f"law '{law.name}' has no preview on {runs.name}: {why}; fit it without preview")
    bound = with_used(model, model_data(law, data))
    rng = np.random.default_rng(settings.random_seed)
    points, pareto_k = _resampled(bound, rng, settings.chains * settings.draws, f"law '{law.name}' on {runs.name}")
    at = {name: column.reshape(settings.chains, -1) for name, column in zip(bound.density.names, points.T, strict=True)}
    posterior = parameters_from_free(law, bound.density.free(at), float(data["loss_unit"]))
    draws = xr.Dataset({name: (("chain", "draw"), values) for name, values in posterior.items()})
    marked = dataclasses.replace(diagnose(draws, xr.Dataset()), failures=(_mark(pareto_k),))
    return fit_from_draws(runs, law, draws, scale="reference", diagnostics=marked, random_seed=settings.random_seed)


def _mark(pareto_k: float) -> str:
    limit = good_shape(PROPOSALS)
    verdict = "good" if pareto_k <= limit else "NOT good"
    return (
        f"this is a preview, by Laplace's method with importance weights ({verdict}: Pareto k {pareto_k:.2f}, at most "
        f"{limit:.2f}), and no sampled posterior; fit without preview before you decide"
    )


def _resampled(bound: Bound, rng: np.random.Generator, count: int, what: str) -> tuple[np.ndarray, float]:
    """Return points (draw, variable) resampled by their weights, and the Pareto k of those."""
    center, spread = _mode(bound, rng, what)
    points, log_weights, _ = _proposed(bound, center, spread, PILOT, rng)
    weights = np.exp(log_weights)
    center = weights @ points
    away = points - center
    spread = np.linalg.cholesky(away.T @ (away * weights[:, None]) + 1e-10 * np.eye(center.size))
    points, log_weights, pareto_k = _proposed(bound, center, spread, PROPOSALS, rng)
    ends = np.cumsum(np.exp(log_weights))
    places = np.searchsorted(ends / ends[-1], (np.arange(count) + rng.uniform(size=count)) / count)
    return points[rng.permutation(places)], pareto_k


def _proposed(
    bound: Bound, center: np.ndarray, spread: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return points of a Student t (draw, variable), their smoothed log weights (draw,), and the Pareto k of those."""
    scores = rng.standard_normal((count, center.size)) * np.sqrt(TAIL / rng.chisquare(TAIL, (count, 1)))
    points = center + scores @ spread.T
    log_proposal = -(TAIL + center.size) / 2 * np.log1p((scores**2).sum(axis=1) / TAIL)
    values = np.array([bound.log_density(point)[0] for point in points])
    ratios = np.where(np.isfinite(values), values, -1e300) - log_proposal
    log_weights, pareto_k = smoothed(ratios)
    return points, log_weights, float(pareto_k)


def _mode(bound: Bound, rng: np.random.Generator, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest mode found from some starts, and a root of the covariance there."""
    from scipy.optimize import minimize  # noqa: PLC0415  (0.3 s that a sampled fit does not need)

    def falling(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = bound.log_density(point)
        return (-value, -slopes) if np.isfinite([value, *slopes]).all() else (1e300, np.zeros_like(point))

    middle = np.array(bound.density.middle)
    starts = [middle, *(middle + rng.uniform(-1, 1, middle.size) for _ in range(STARTS - 1))]
    found = min((minimize(falling, start, jac=True, method="BFGS") for start in starts), key=lambda each: each.fun)
    if not found.fun < 1e300:
        raise InputError(f"{what}: no point has a finite density; look for extreme values in the table")
    steps = STEP * np.eye(middle.size)
    sides = [(falling(found.x + step)[1] - falling(found.x - step)[1]) / (2 * STEP) for step in steps]
    sizes, basis = np.linalg.eigh((np.array(sides) + np.array(sides).T) / 2)
    return found.x, basis / np.sqrt(np.maximum(sizes, LEAST_CURVATURE))

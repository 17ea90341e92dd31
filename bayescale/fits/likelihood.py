"""The density of runs under draws of a law and its noise, and predictive draws."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.fits.draws import Draws
from bayescale.fits.fit import flat_draws
from bayescale.fits.student import log_student
from bayescale.laws import Law
from bayescale.runs.checkpoints import MEMORY, PATH_SHARE, RUN_SHARE, Checkpoints, checkpoints_of


def log_likelihood(
    law: Law,
    posterior: xr.Dataset,
    frame: pd.DataFrame,
    response: str,
    reference: Mapping[str, float],
    *,
    random_seed: int,
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return log likelihood and posterior predictive draws of ``log_response`` (chain, draw, run).

    The same density as in the PyMC model, which a test compares with it; computed here because PyMC
    would compile for longer than it samples. Where rows share a training run, the density of each is that given the
    rows of its run before it, so that those of a run add up to its own; predictive draws are of one row at a time.
    """
    draws = Draws(law, flat_draws(posterior), reference)
    center = draws.log_value(frame, response)
    residuals = np.log(frame[response].to_numpy()) - center
    nu, sigma = draws["nu"][:, None], draws["sigma"][:, None]
    shared = checkpoints_of(frame) if RUN_SHARE in draws else None
    density = log_student(residuals, nu, sigma) if shared is None else run_densities(residuals, draws, shared)
    noise = np.random.default_rng(random_seed).standard_t(nu, size=center.shape)
    shape = (posterior.sizes["chain"], posterior.sizes["draw"], len(frame))
    coords = {"chain": posterior["chain"], "draw": posterior["draw"]}
    dims = ("chain", "draw", "run")
    likelihood, predictive = (
        xr.Dataset({"log_response": (dims, values.reshape(shape))}, coords=coords)
        for values in (density, center + sigma * noise)
    )
    return likelihood, predictive


def density_left_out(likelihood: xr.Dataset, units: np.ndarray) -> np.ndarray:
    """Return the log predictive density of each row given those before it in its training run (row,).

    Parameters
    ----------
    likelihood : xarray.Dataset
        ``log_response`` (chain, draw, run) of rows that the draws have not seen, as :func:`log_likelihood` returns it.
    units : numpy.ndarray
        Number of what each row shares noise with, from 0: its training run, or the row alone (row,).
    """
    values = likelihood["log_response"].to_numpy()
    each = values.reshape(-1, values.shape[-1])
    found = np.empty(units.size)
    for unit in np.unique(units):
        rows = np.flatnonzero(units == unit)
        so_far = np.logaddexp.reduce(np.cumsum(each[:, rows], axis=1), axis=0) - np.log(len(each))
        found[rows] = np.diff(so_far, prepend=0.0)
    return found


def run_densities(residuals: np.ndarray, draws: Mapping[str, np.ndarray], shared: Checkpoints) -> np.ndarray:
    """Return the density of each row given those before it in its training run (draw, row).

    All rows of a training run are one multivariate Student t; its conditional distributions are Student t as well, of
    more degrees of freedom, and their centres and scales come from a Kalman filter of offset and path.

    Parameters
    ----------
    residuals : numpy.ndarray
        Of log response (draw, row).
    draws : mapping of str to numpy.ndarray
        ``sigma``, ``nu``, ``run_share`` and ``path_share`` (draw,).
    shared : Checkpoints
        Which rows share a training run.
    """
    found = np.empty_like(residuals)
    for rows in shared.runs():
        gaps = np.diff(shared.progress[rows], prepend=shared.progress[rows[0]])
        found[:, rows] = _along_run(residuals[:, rows], draws, np.exp(-gaps / MEMORY))
    return found


def _along_run(residuals: np.ndarray, draws: Mapping[str, np.ndarray], kept: np.ndarray) -> np.ndarray:
    """Return the conditional densities of the rows of one training run (draw, row)."""
    steps = _steps(residuals, draws, kept)
    return np.stack([log_student(residuals[:, i] - at, nu, scale) for i, (at, scale, nu) in enumerate(steps)], axis=1)


def next_row(
    residuals: np.ndarray, draws: Mapping[str, np.ndarray], progress: np.ndarray, at: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what is expected of the residual of a further row of a training run: centre, scale and degrees of freedom.

    Parameters
    ----------
    residuals : numpy.ndarray
        Of the log response of the run's rows, in their order (draw, row).
    draws : mapping of str to numpy.ndarray
        ``sigma``, ``nu``, ``run_share`` and ``path_share`` (draw,).
    progress : numpy.ndarray
        Log of the tokens of each row (row,).
    at : float
        Log of the tokens of the further row.
    """
    gaps = np.diff(np.append(progress, at), prepend=progress[0])
    further = np.column_stack([residuals, np.zeros(len(residuals))])
    return list(_steps(further, draws, np.exp(-gaps / MEMORY)))[-1]


def _steps(
    residuals: np.ndarray, draws: Mapping[str, np.ndarray], kept: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield centre, scale and degrees of freedom of each residual of a training run given those before it (draw,).

    ``kept`` is the part of the path that is left from one row to the next (row,). All variances are parts of that of
    a single row.
    """
    sigma, nu, run, within = draws["sigma"], draws["nu"], draws[RUN_SHARE], 1 - draws[RUN_SHARE]
    path, alone = within * draws[PATH_SHARE], within * (1 - draws[PATH_SHARE])
    offset, drift, distance = np.zeros_like(sigma), np.zeros_like(sigma), np.zeros_like(sigma)
    of_offset, of_drift, of_both = run.copy(), path.copy(), np.zeros_like(sigma)  # covariance of offset and drift
    for i, left in enumerate(kept):
        drift, of_both, of_drift = left * drift, left * of_both, left**2 * of_drift + (1 - left**2) * path
        on_offset, on_drift = of_offset + of_both, of_both + of_drift
        variance = on_offset + on_drift + alone
        yield offset + drift, sigma * np.sqrt(variance * (nu + distance) / (nu + i)), nu + i
        surprise = residuals[:, i] - offset - drift
        distance = distance + (surprise / sigma) ** 2 / variance
        offset, drift = offset + on_offset * surprise / variance, drift + on_drift * surprise / variance
        of_offset = of_offset - on_offset**2 / variance
        of_drift = of_drift - on_drift**2 / variance
        of_both = of_both - on_offset * on_drift / variance

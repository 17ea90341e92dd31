"""The density of runs under draws of a law and its noise, and predictive draws."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.fits.blocks import MOST, is_small, predictive_draws, row_blocks
from bayescale.fits.draws import Draws
from bayescale.fits.fit import LIKELIHOOD, Fit, flat_draws
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
    density = _density(draws, frame, response, center)
    noise = np.random.default_rng(random_seed).standard_t(draws["nu"][:, None], size=center.shape)
    predictive = center + draws["sigma"][:, None] * noise
    return _grid(posterior, density), _grid(posterior, predictive)


def log_density(
    law: Law, posterior: xr.Dataset, frame: pd.DataFrame, response: str, reference: Mapping[str, float]
) -> xr.Dataset:
    """Return the log likelihood alone, as :func:`log_likelihood` has it (chain, draw, run)."""
    draws = Draws(law, flat_draws(posterior), reference)
    return _grid(posterior, _density(draws, frame, response, draws.log_value(frame, response)))


def _density(draws: Draws, frame: pd.DataFrame, response: str, center: np.ndarray) -> np.ndarray:
    """Return the log density of each row, given the rows of its training run before it (draw, row)."""
    residuals = np.log(frame[response].to_numpy()) - center
    shared = checkpoints_of(frame) if RUN_SHARE in draws else None
    if shared is not None:
        return run_densities(residuals, draws, shared)
    return log_student(residuals, draws["nu"][:, None], draws["sigma"][:, None])


def _grid(posterior: xr.Dataset, values: np.ndarray) -> xr.Dataset:
    """Return values (draw, row) of a posterior's draws as ``log_response`` (chain, draw, run)."""
    shape = (posterior.sizes["chain"], posterior.sizes["draw"], values.shape[1])
    coords = {"chain": posterior["chain"], "draw": posterior["draw"]}
    return xr.Dataset({"log_response": (("chain", "draw", "run"), values.reshape(shape))}, coords=coords)


def kept_predictions(fitted: Fit) -> dict[str, xr.Dataset]:
    """Return the groups of a fit that hold something of each row under each draw, those that are kept.

    Of a large table (:data:`bayescale.fits.blocks.MOST`) that is no log likelihood, and few of the predictive draws.
    """
    runs, posterior = fitted.runs, fitted.data["posterior"].to_dataset()
    seed, reference = fitted.record["settings"]["random_seed"], fitted.reference
    chains, draws, rows = posterior.sizes["chain"], posterior.sizes["draw"], len(runs.frame)
    small = is_small(chains * draws, rows)
    some = posterior if small else posterior.isel(draw=predictive_draws(chains, draws, rows))
    density, predictive = log_likelihood(fitted.law, some, runs.frame, runs.response, reference, random_seed=seed)
    if small:
        return {LIKELIHOOD: density, "posterior_predictive": predictive}
    said = f"{some.sizes['draw']} of {draws} draws of each chain, as the table is large"
    return {"posterior_predictive": predictive.assign_attrs(thinned=said)}


def density_blocks(fitted: Fit, units: np.ndarray) -> Iterator[tuple[np.ndarray, xr.Dataset]]:
    """Yield rows (row,) and their log likelihood (chain, draw, run): all where the fit keeps it, else in blocks.

    Parameters
    ----------
    fitted : Fit
        The fit.
    units : numpy.ndarray
        Number of what each row is left out with, from 0 (row,); see :func:`bayescale.fits.loo.left_out_together`.
    """
    if LIKELIHOOD in fitted.data.children:
        yield np.arange(units.size), fitted.data[LIKELIHOOD].to_dataset()
        return
    runs, posterior = fitted.runs, fitted.data["posterior"].to_dataset()
    for rows in row_blocks(units, posterior.sizes["chain"] * posterior.sizes["draw"]):
        frame = runs.frame.iloc[rows]
        yield rows, log_density(fitted.law, posterior, frame, runs.response, fitted.reference)


def with_log_likelihood(fitted: Fit) -> Fit:
    """Return a fit with the log likelihood of all its runs, which that of a large table does not keep, for ArviZ.

    It takes 8 bytes for each draw of each run: 3.2 GB for 100 000 runs under 4000 draws.
    """
    if LIKELIHOOD in fitted.data.children:
        return fitted
    runs, tree = fitted.runs, fitted.data.copy()
    found = log_density(fitted.law, tree["posterior"].to_dataset(), runs.frame, runs.response, fitted.reference)
    tree[LIKELIHOOD] = xr.DataTree(found.assign_coords(run=tree["observed_data"]["run"].to_numpy()))
    return Fit(fitted.law, tree)


def density_without(
    law: Law,
    posterior: xr.Dataset,
    frame: pd.DataFrame,
    response: str,
    reference: Mapping[str, float],
    *,
    units: np.ndarray,
) -> np.ndarray:
    """Return the log predictive density of rows that a posterior has not seen, some at a time (row,).

    As :func:`density_left_out` of :func:`log_likelihood`, whose arguments it takes.
    """
    found = np.empty(units.size)
    for rows in row_blocks(units, posterior.sizes["chain"] * posterior.sizes["draw"], MOST):
        density = log_density(law, posterior, frame.iloc[rows], response, reference)
        found[rows] = density_left_out(density, units[rows])
    return found


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

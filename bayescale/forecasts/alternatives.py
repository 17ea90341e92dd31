"""What people use today, to set beside: least squares and Huber's loss with a bootstrap, and conformal intervals.

All fit the same law formula to the same rows on log response, without priors: those only say where searches start, and
how far they go. They forecast single runs, as a :class:`bayescale.fits.forecast.Forecast`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.fits.draws import Draws, evenly_spaced
from bayescale.fits.fit import reference_values
from bayescale.fits.forecast import Forecast
from bayescale.laws import Law, unit_columns
from bayescale.values import FrozenMapping

BOOTSTRAPS = 1000
"""Resamples of the rows; each gives one draw of the forecast."""

MOST_RESAMPLED, FEWEST_BOOTSTRAPS, MOST_DRAWS = 20_000_000, 100, 40_000_000
"""Resamples times rows, of which more than 20 000 get fewer; and draws times rows of a conformal forecast."""

FOLDS = 10
"""Of the conformal method; with fewer rows, each row is a fold of its own."""

HUBER_DELTA = 1e-3
"""Residual of log response from which on the loss grows in proportion (Hoffmann et al. 2022, arXiv:2203.15556)."""

PRIOR_DRAWS = 500
STARTS = 20
"""Searches start from the best of so many draws from the prior."""

REACH = 5.0
"""Searches go no further from the prior's mean than this many of its standard deviations."""

TOLERANCE = 1e-7
"""A search ends where a further step promises to lower the loss by less than this part of it."""

MOST_STEPS = 100
SMALLEST_SCALE = 1e-9
"""Least scale of the noise of log response, for rows that a law goes through exactly."""

FAR_OFF = 1e3
"""Misfit of log response where a law has no finite value."""

BATCH = 2_000_000
"""Entries of the Jacobians that are held at once."""


def least_squares(law: Law, train: pd.DataFrame, test: pd.DataFrame, response: str, *, random_seed: int) -> Forecast:
    """Forecast runs by least squares on log response, with a bootstrap of the rows.

    Each of 1000 resamples of the training rows is fitted. It gives one draw: its law, and Normal noise of its own
    residual standard deviation. The number of parameters is taken off the degrees of freedom twice, for the refit and
    for the fit whose residuals are resampled, so that intervals of few rows are not too narrow by construction. The
    density is the mean of the Normal densities.

    Parameters
    ----------
    law : Law
        The law.
    train, test : pandas.DataFrame
        Runs to fit and runs to forecast: the law's columns, in counts, and the response.
    response : str
        The response column.
    random_seed : int
        The same seed gives the same forecast.

    Returns
    -------
    Forecast
        1000 draws for each test run.

    Raises
    ------
    InputError
        If there are too few rows for the law, a column is missing or not usable, or the law cannot be fitted.
    """
    from scipy.stats import norm  # noqa: PLC0415  (0.5 s that importing this module does not need)

    task = _task(law, train, test, response)
    rng = np.random.default_rng(random_seed)
    weights, fits = _bootstrap(task, _best(task, math.inf), math.inf, rng)
    rows, left = len(train), len(train) - fits.shape[1]
    variance = (weights * task.misfit(fits) ** 2).sum(axis=1) * rows / left**2
    scale = np.maximum(np.sqrt(variance), SMALLEST_SCALE)[:, None]
    center = task.forecast(fits)
    noise = scale * rng.standard_normal(center.shape)
    return _mixture(law, center + noise, norm.logpdf(task.log_observed, center, scale))


def huber(law: Law, train: pd.DataFrame, test: pd.DataFrame, response: str, *, random_seed: int) -> Forecast:
    """Forecast runs by Huber's loss on log response (delta 1e-3), with a bootstrap of the rows.

    Hoffmann et al. (2022) give no noise of a run. Each of the 1000 refits gets Student's t noise, fitted by maximum
    likelihood to the residuals of the fit of all rows and widened for the number of parameters: among the usual
    families the one that describes such residuals best. Its degrees of freedom stay above 2, as in our own model;
    Huber's loss puts some residuals almost at zero, and a free t would follow these alone.

    Parameters
    ----------
    law, train, test, response, random_seed
        As for :func:`least_squares`.

    Returns
    -------
    Forecast
        1000 draws for each test run.

    Raises
    ------
    InputError
        As for :func:`least_squares`.
    """
    from scipy.stats import t  # noqa: PLC0415  (as above)

    task = _task(law, train, test, response)
    rng = np.random.default_rng(random_seed)
    best = _best(task, HUBER_DELTA)
    nu, scale = _fit_student(task.misfit(best[None, :])[0])
    scale *= math.sqrt(len(train) / (len(train) - best.size))
    _, fits = _bootstrap(task, best, HUBER_DELTA, rng)
    center = task.forecast(fits)
    noise = scale * rng.standard_t(nu, center.shape)
    return _mixture(law, center + noise, t.logpdf(task.log_observed, nu, center, scale))


def conformal(law: Law, train: pd.DataFrame, test: pd.DataFrame, response: str, *, random_seed: int) -> Forecast:
    """Forecast runs by least squares on log response and the residuals of rows that were left out (CV+).

    The rows are dealt into 10 folds, and the law is fitted without each. Every row gives one draw: the forecast of the
    fit without its fold, and the residual it had there (Barber et al. 2021, doi:10.1214/20-AOS1965, whose intervals
    are quantiles of these). The density is a Gaussian kernel estimate from the draws, with Scott's bandwidth.

    Parameters
    ----------
    law, train, test, response, random_seed
        As for :func:`least_squares`.

    Returns
    -------
    Forecast
        As many draws for each test run as there are training rows, or as there is room for.

    Raises
    ------
    InputError
        As for :func:`least_squares`.
    """
    from scipy.stats import norm  # noqa: PLC0415  (as above)

    task = _task(law, train, test, response)
    rows = np.arange(len(train))
    fold = np.random.default_rng(random_seed).permutation(rows % FOLDS)
    kept = (np.unique(fold)[:, None] != fold).astype(float)
    fits = _refit(task, np.tile(_best(task, math.inf), (len(kept), 1)), kept, math.inf)
    some = evenly_spaced(min(len(train), max(MOST_DRAWS // len(test), BOOTSTRAPS)), len(train))
    draws = task.forecast(fits)[fold[some]] - task.misfit(fits)[fold[some], rows[some]][:, None]
    bandwidth = np.maximum(draws.std(axis=0, ddof=1) * len(draws) ** -0.2, SMALLEST_SCALE)
    return _mixture(law, draws, norm.logpdf(task.log_observed, draws, bandwidth))


def bootstrap_least_squares(law: Law, train: pd.DataFrame, response: str, *, random_seed: int) -> Draws:
    """Fit a law by least squares on log response to 1000 resamples of the rows, as :func:`least_squares` does.

    Parameters
    ----------
    law, train, response, random_seed
        As for :func:`least_squares`.

    Returns
    -------
    Draws
        One for each resample: approach 3 of Hoffmann et al. (2022), with squares in place of Huber's loss.

    Raises
    ------
    InputError
        As for :func:`least_squares`.
    """
    task = _task(law, train, train, response)
    _, fits = _bootstrap(task, _best(task, math.inf), math.inf, np.random.default_rng(random_seed))
    return task.draws(fits)


METHODS: Mapping[str, Callable[..., Forecast]] = FrozenMapping(
    {"least_squares": least_squares, "huber": huber, "conformal": conformal}
)
"""The alternatives by name, all called as :func:`least_squares` is."""


@dataclass(frozen=True, eq=False)
class _Task:
    """One law, the rows to fit and the rows to forecast; a point (fit, parameter) gives each parameter a coordinate.

    Parameters are at reference scale. One that the prior keeps positive (negative) is the exponential (less the
    exponential) of its coordinate, the others are their coordinate. Bounds of the coordinates are generous.
    """

    law: Law
    train: pd.DataFrame
    test: pd.DataFrame
    response: str
    reference: Mapping[str, float]
    signs: np.ndarray
    starts: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def log_observed(self) -> np.ndarray:
        """Log response of the rows to forecast (run,)."""
        return _log_response(self.test, self.response)

    def misfit(self, points: np.ndarray) -> np.ndarray:
        """Return the log of law over response at the rows to fit (fit, run)."""
        found = self._log_law(points, self.train) - _log_response(self.train, self.response)
        return np.asarray(np.nan_to_num(found, nan=FAR_OFF, posinf=FAR_OFF, neginf=-FAR_OFF))

    def forecast(self, points: np.ndarray) -> np.ndarray:
        """Return the log of the law at the rows to forecast (fit, run)."""
        return self._log_law(points, self.test)

    def jacobian(self, points: np.ndarray, misfit: np.ndarray) -> np.ndarray:
        """Return the derivatives of the misfit by forward differences (fit, parameter, run)."""
        columns = []
        for position in range(points.shape[1]):
            moved = points.copy()
            moved[:, position] += np.sqrt(np.finfo(float).eps) * np.maximum(1.0, np.abs(points[:, position]))
            step = moved[:, position] - points[:, position]  # as it is in binary
            columns.append((self.misfit(moved) - misfit) / step[:, None])
        return np.stack(columns, axis=1)

    def draws(self, points: np.ndarray) -> Draws:
        """Return points as draws of the law."""
        values = np.where(self.signs == 0, points, self.signs * np.exp(points))
        return Draws(self.law, dict(zip(self.law.parameters, values.T, strict=True)), self.reference)

    def _log_law(self, points: np.ndarray, frame: pd.DataFrame) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.draws(points).log_value(frame, self.response)


def _log_response(frame: pd.DataFrame, response: str) -> np.ndarray:
    return np.asarray(np.log(frame[response].to_numpy(dtype=float)))


def _task(law: Law, train: pd.DataFrame, test: pd.DataFrame, response: str) -> _Task:
    from bayescale.fits.sampling import sample_prior  # noqa: PLC0415  (imports PyMC)

    for frame, what in ((train, "to fit"), (test, "to forecast")):
        _check_rows(law, frame, response, what)
    fewest = len(law.parameters) + 2
    if len(train) < fewest:
        raise InputError(
            f"law '{law.name}' has {len(law.parameters)} parameters, and a fit with a residual noise needs at least "
            f"{fewest} rows; found {len(train)}; hold out fewer runs, or choose a law of fewer parameters"
        )
    reference = reference_values(train, response, law)
    prior = sample_prior(law, reference[response], PRIOR_DRAWS, random_seed=0)
    draws = np.stack([prior[name].to_numpy()[0] for name in law.parameters], axis=1)
    signs = np.sign(draws.min(axis=0)) * (np.sign(draws.min(axis=0)) == np.sign(draws.max(axis=0)))
    with np.errstate(all="ignore"):
        starts = np.where(signs == 0, draws, np.log(np.abs(draws)))
    reach = np.maximum(REACH * starts.std(axis=0), 1e-6)  # a prior may be one value
    low, high = starts.mean(axis=0) - reach, starts.mean(axis=0) + reach
    return _Task(law, train, test, response, reference, signs, starts, low, high)


def _check_rows(law: Law, frame: pd.DataFrame, response: str, what: str) -> None:
    names = dict.fromkeys((*unit_columns(law), response))
    missing = [name for name in names if name not in frame]
    if missing:
        raise InputError(f"law '{law.name}': the runs {what} lack {', '.join(missing)}; add the column")
    if not len(frame):
        raise InputError(f"law '{law.name}': there are no runs {what}")
    for name in names:
        values = frame[name].to_numpy(dtype=float)
        if not np.isfinite(values).all() or (name == response and not (values > 0).all()):
            kind = "finite and above zero" if name == response else "finite"
            raise InputError(f"column {name} of the runs {what} must be {kind} in every row; mend or drop the rows")


def _best(task: _Task, delta: float) -> np.ndarray:
    """Return the best fit of all rows (parameter,): by SciPy, from where searches from many starts end."""
    from scipy import optimize  # noqa: PLC0415  (as above)

    order = np.argsort(_loss(task.misfit(task.starts), delta).sum(axis=1), kind="stable")
    starts = task.starts[order[:STARTS]]
    ends = _refit(task, starts, np.ones((len(starts), len(task.train))), delta)
    nearest = ends[np.argmin(_loss(task.misfit(ends), delta).sum(axis=1))]
    kind = {"loss": "linear"} if math.isinf(delta) else {"loss": "huber", "f_scale": delta}
    best = optimize.least_squares(
        lambda point: task.misfit(point[None, :])[0], nearest, bounds=(task.low, task.high), x_scale="jac", **kind
    )
    if np.abs(best.fun).max() >= FAR_OFF:
        raise InputError(
            f"law '{task.law.name}': no fit has a finite value at every row; look for extreme values in "
            f"{', '.join(task.law.covariates)} or {task.response}"
        )
    return np.asarray(best.x)


def _bootstrap(task: _Task, best: np.ndarray, delta: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each row is in each resample (fit, run), and the fits (fit, parameter)."""
    rows = len(task.train)
    count = min(BOOTSTRAPS, max(MOST_RESAMPLED // rows, FEWEST_BOOTSTRAPS))
    kept = np.empty((0, rows))
    while len(kept) < count:  # a resample of too few distinct rows determines no fit
        drawn = rng.multinomial(rows, np.full(rows, 1 / rows), size=count)
        kept = np.concatenate([kept, drawn[(drawn > 0).sum(axis=1) > best.size]])
    weights = kept[:count]
    return weights, _refit(task, np.tile(best, (count, 1)), weights, delta)


def _refit(task: _Task, starts: np.ndarray, weights: np.ndarray, delta: float) -> np.ndarray:
    """Fit the law to weightings of the rows (fit, run) from starts (fit, parameter), and return the fits likewise."""
    size = max(1, BATCH // (weights.shape[1] * starts.shape[1]))
    batches = [slice(first, first + size) for first in range(0, len(weights), size)]
    return np.concatenate([_refit_together(task, starts[batch], weights[batch], delta) for batch in batches])


def _refit_together(task: _Task, starts: np.ndarray, weights: np.ndarray, delta: float) -> np.ndarray:
    """Take steps of Levenberg and Marquardt with all fits at once; those that have arrived drop out."""
    points, misfit = starts.copy(), task.misfit(starts)
    damping = np.full(len(weights), 1e-3)
    moving = np.arange(len(weights))
    for _ in range(MOST_STEPS):
        here, weight = points[moving], weights[moving]
        step, promise = _step(task, here, misfit[moving], weight, damping=damping[moving], delta=delta)
        trial = np.clip(here + step, task.low, task.high)
        reached = task.misfit(trial)
        before = (weight * _loss(misfit[moving], delta)).sum(axis=1)
        better = (weight * _loss(reached, delta)).sum(axis=1) < before
        points[moving[better]], misfit[moving[better]] = trial[better], reached[better]
        damping[moving] *= np.where(better, 0.2, 5.0)
        moving = moving[promise > TOLERANCE * before]
        if not moving.size:
            break
    return points


def _step(
    task: _Task, points: np.ndarray, misfit: np.ndarray, weights: np.ndarray, *, damping: np.ndarray, delta: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return each fit's step (fit, parameter), and by how much it promises to lower the loss (fit,)."""
    size = np.abs(misfit)
    curved = np.where(size <= delta, weights, 0.0)  # the loss is straight beyond delta
    bent = weights * np.minimum(1.0, delta / np.maximum(size, np.finfo(float).tiny))
    jacobian = task.jacobian(points, misfit)
    gradient = (jacobian @ (bent * misfit)[:, :, None])[:, :, 0]
    free = np.where(gradient > 0, points > task.low, points < task.high)
    jacobian, gradient = jacobian * free[:, :, None], gradient * free
    hessian = (jacobian * curved[:, None, :]) @ jacobian.transpose(0, 2, 1)
    scale = ((jacobian**2) @ bent[:, :, None])[:, :, 0]
    scale = np.maximum(scale, 1e-12 * scale.max(axis=1, keepdims=True) + np.finfo(float).tiny)
    diagonal = np.arange(scale.shape[1])
    hessian[:, diagonal, diagonal] += damping[:, None] * scale
    step = -np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
    return step, -(step * gradient).sum(axis=1)


def _loss(misfit: np.ndarray, delta: float) -> np.ndarray:
    """Return Huber's loss: half the square up to delta, then straight."""
    size = np.abs(misfit)
    small = np.minimum(size, delta)
    return np.asarray(small * (size - small / 2))


def _fit_student(residuals: np.ndarray) -> tuple[float, float]:
    """Return degrees of freedom, above 2, and scale of Student's t around zero by maximum likelihood."""
    from scipy.optimize import minimize  # noqa: PLC0415  (as above)
    from scipy.stats import t  # noqa: PLC0415  (as above)

    typical = max(float(np.median(np.abs(residuals))), SMALLEST_SCALE)

    def unlikely(point: np.ndarray) -> float:
        return -float(t.logpdf(residuals, 2.0 + np.exp(point[0]), scale=typical * np.exp(point[1])).sum())

    found = minimize(unlikely, [0.0, 0.0], method="L-BFGS-B", bounds=[(-5.0, 5.0), (-5.0, 5.0)])
    return 2.0 + math.exp(found.x[0]), typical * math.exp(found.x[1])


def _mixture(law: Law, draws: np.ndarray, log_density: np.ndarray) -> Forecast:
    """Return the forecast that gives each draw the same weight, but for those without a finite value."""
    from scipy.special import logsumexp  # noqa: PLC0415  (as above)

    finite = np.isfinite(draws).all(axis=1)
    if finite.mean() < 0.5:
        raise InputError(
            f"law '{law.name}': only {finite.sum()} of {len(draws)} refits have a finite value at every run to "
            "forecast; hold out runs nearer to the others, or choose a law of fewer parameters"
        )
    return Forecast(draws[finite], logsumexp(log_density[finite], axis=0) - math.log(finite.sum()))

"""How good forecasts of held-out runs were: coverage, width, log density, CRPS, bias."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.fits.forecast import Forecast
from bayescale.values import Value

PROBABILITIES = (0.5, 0.8, 0.9, 0.95)
"""Of the equal-tailed intervals whose coverage is measured."""


@dataclass(frozen=True, eq=False, repr=False)
class Scores(Value):
    """How good the forecasts of a set of runs were.

    Attributes
    ----------
    coverage : mapping of float to float
        Part of the runs inside their equal-tailed interval, by the interval's probability.
    width : float
        Mean width of the 90% interval, in the response's unit.
    lpd : float
        Mean log predictive density of the log response, in nats per run.
    crps : float
        Mean continuous ranked probability score, in the response's unit; less is better.
    bias : float
        Mean of predictive median less observed response, in the response's unit.
    rmse : float
        Root of the mean square of the same.
    """

    coverage: Mapping[float, float]
    width: float
    lpd: float
    crps: float
    bias: float
    rmse: float


def score(forecast: Forecast, log_response: np.ndarray) -> Scores:
    """Score the forecast of a set of runs.

    Parameters
    ----------
    forecast : Forecast
        The forecast.
    log_response : numpy.ndarray
        Natural log of the observed response (run,).

    Returns
    -------
    Scores
        The means over runs of what :func:`pointwise` returns.

    Raises
    ------
    InputError
        If the observations are not one finite number for each run of the forecast, or there are none.
    """
    return summarise(pointwise(forecast, log_response))


def summarise(points: pd.DataFrame) -> Scores:
    """Return the scores of a set of runs, of one forecast or of several put together.

    Parameters
    ----------
    points : pandas.DataFrame
        Rows of :func:`pointwise`, one for each run and forecast.

    Raises
    ------
    InputError
        If there is no row.
    """
    if points.empty:
        raise InputError("there is no forecast run to score; hold out at least one")
    coverage = {probability: float(points[_inside(probability)].mean()) for probability in PROBABILITIES}
    means = {name: float(points[name].mean()) for name in ("lpd", "crps")}
    errors = points["error"]
    rmse = float(np.sqrt((errors**2).mean()))
    return Scores(coverage, float(points["width_90"].mean()), **means, bias=float(errors.mean()), rmse=rmse)


def pointwise(forecast: Forecast, log_response: np.ndarray) -> pd.DataFrame:
    """Score the forecast of each run.

    Parameters
    ----------
    forecast : Forecast
        The forecast.
    log_response : numpy.ndarray
        Natural log of the observed response (run,).

    Returns
    -------
    pandas.DataFrame
        One row for each run, in the forecast's order: ``inside_50``, ``inside_80``, ``inside_90`` and ``inside_95``
        (bool), ``lpd`` (nats, density of the log response), and in the response's own unit ``width_90``, ``crps`` and
        ``error`` (predictive median less observed).

    Raises
    ------
    InputError
        If the observations are not one finite number for each run of the forecast.

    Notes
    -----
    The ends of an interval are the draws of rank ``p (draws + 1)``, so that intervals of few draws hold as often as
    they promise. With fewer than 39 draws the 95% interval ends at the outermost draws, and promises too much.
    """
    log_response = np.asarray(log_response, dtype=float)
    runs = forecast.log_density.shape
    if log_response.shape != runs or not np.isfinite(log_response).all():
        raise InputError(
            f"expected one finite log response for each of the {runs[0]} forecast runs, found shape "
            f"{log_response.shape} with {int(np.sum(~np.isfinite(log_response)))} not finite"
        )
    ends = {probability: equal_tailed(forecast.draws, probability) for probability in PROBABILITIES}
    held = {_inside(p): (low <= log_response) & (log_response <= high) for p, (low, high) in ends.items()}
    low, high = ends[0.9]
    response, observed = np.exp(forecast.draws), np.exp(log_response)
    return pd.DataFrame(
        {
            **held,
            "width_90": np.exp(high) - np.exp(low),
            "lpd": forecast.log_density,
            "crps": crps(response, observed),
            "error": np.median(response, axis=0) - observed,
        }
    )


def crps(draws: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return the continuous ranked probability score of a forecast known by its draws.

    ``mean |x_i - y| - sum over pairs |x_i - x_j| / (2 m (m - 1))`` for m draws: the form whose expectation does not
    depend on m ("fair", Ferro 2014, doi:10.1002/qj.2270), so that methods with few and with many draws compare.

    Parameters
    ----------
    draws : numpy.ndarray
        Draws of equal weight, at least two (draw, run).
    observed : numpy.ndarray
        What was observed (run,).

    Returns
    -------
    numpy.ndarray
        In the unit of the observations (run,); less is better. It may fall a little below zero.
    """
    count = len(draws)
    ranks = 2.0 * np.arange(1, count + 1) - count - 1.0
    spread = ranks @ np.sort(draws, axis=0) / (count * (count - 1.0))  # half the mean distance of two draws
    return np.asarray(np.abs(draws - observed).mean(axis=0) - spread)


def equal_tailed(draws: np.ndarray, probability: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the interval of each run, as :func:`pointwise` scores them (run,)."""
    tail = (1 - probability) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0, method="weibull")
    return low, high


def _inside(probability: float) -> str:
    return f"inside_{100 * probability:.0f}"

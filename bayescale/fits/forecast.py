"""Forecasts of single runs: the law, what it misses, and the noise of a run."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.discrepancy import Discrepancy, infer_discrepancy
from bayescale.fits.fit import Fit, complete_points
from bayescale.fits.student import log_student
from bayescale.values import Value

NOISES = 10
"""Runs drawn for each sample of law and discrepancy."""


@dataclass(frozen=True, eq=False, repr=False)
class Forecast(Value):
    """A probabilistic forecast of runs, whatever method made it.

    Attributes
    ----------
    draws : numpy.ndarray
        Draws of the log response, noise of a single run included, all of equal weight (draw, run).
    log_density : numpy.ndarray
        Log of the forecast's density of the log response at what was observed, in nats (run,).

    Raises
    ------
    InputError
        If the shapes do not fit, or a value is not finite.
    """

    draws: np.ndarray
    log_density: np.ndarray

    def __post_init__(self) -> None:
        """Check shapes and values."""
        if self.draws.ndim != 2 or len(self.draws) < 2 or self.log_density.shape != self.draws.shape[1:]:
            raise InputError(
                "a forecast needs at least 2 draws (draw, run) and a log density (run,); found shapes "
                f"{self.draws.shape} and {self.log_density.shape}"
            )
        if not (np.isfinite(self.draws).all() and np.isfinite(self.log_density).all()):
            raise InputError("a forecast has draws or log densities that are not finite; drop the fits they come from")


@checks.kinds
def forecast(
    fitted: Fit,
    N: np.ndarray | None = None,
    D: np.ndarray | None = None,
    *,
    random_seed: int = 0,
    **covariates: np.ndarray,
) -> np.ndarray:
    """Forecast single runs: the law, what it misses, and the noise of a run.

    Parameters
    ----------
    fitted : Fit
        The fit.
    N, D : numpy.ndarray, optional
        Parameters and tokens, in counts (point,).
    random_seed : int
        Seed of the noise.
    **covariates : numpy.ndarray
        Further columns that the law needs, under their names (point,); where C is not given, it is what such a run
        costs: by the table's own C, or 6 N D.

    Returns
    -------
    numpy.ndarray
        Draws of the response of one run at each point, in the table's unit (draw, point).

    Raises
    ------
    InputError
        If a column that the law needs is not given, or is not positive where the runs' own are.
    """
    found = infer_discrepancy(fitted)
    center = found.log_center(complete_points(fitted.draws, {"N": N, "D": D, **covariates}))
    return np.asarray(np.exp(run_draws(found, center, random_seed)))


def forecast_runs(fitted: Fit, frame: pd.DataFrame, *, random_seed: int) -> Forecast:
    """Forecast the runs of a table, and tell the density of what was observed."""
    found = infer_discrepancy(fitted)
    center = found.log_center({name: frame[name].to_numpy() for name in fitted.law.covariates})
    observed = np.log(frame[fitted.runs.response].to_numpy())
    density = log_student(observed - center, found.nu[:, None], found.sigma[:, None])
    mean_density = np.logaddexp.reduce(density, axis=0) - np.log(len(density))
    return Forecast(run_draws(found, center, random_seed), mean_density)


def run_draws(found: Discrepancy, center: np.ndarray, random_seed: int) -> np.ndarray:
    """Add the noise of single runs to the log centre of each sample, several times (draw, point)."""
    center, nu, sigma = (np.repeat(values, NOISES, axis=0) for values in (center, found.nu, found.sigma))
    noise = np.random.default_rng(random_seed).standard_t(nu[:, None], size=center.shape)
    return np.asarray(center + sigma[:, None] * noise)

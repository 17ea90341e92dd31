"""best_sizes: the best size of a budget, with what the law misses of it."""

import numpy as np

from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.runs import RunTable
from bayescale.splits.optimum import find_optimum
from bayescale.splits.paths import Minima, Paths, sample_paths
from bayescale.splits.valleys import Valleys, read_valleys

SAMPLES = 1000
"""Samples of the minima, for the covariance of their errors."""

LEAST_ERROR = 1e-3
"""Added to the error of a minimum, in ln N, for runs without noise."""


def best_sizes(fitted: Fit, flops: np.ndarray, *, random_seed: int = 0) -> np.ndarray:
    """Return ln N of the best split of each budget, with what the law misses of it.

    Parameters
    ----------
    fitted : Fit
        Fit of a law of N and D.
    flops : numpy.ndarray
        Budgets in FLOP (budget,).
    random_seed : int
        Seed of the paths.

    Returns
    -------
    numpy.ndarray
        (draw, budget); NaN where a draw has no best split inside the searched range.

    Raises
    ------
    InputError
        If the law is not a law of N and D alone.
    """
    return np.asarray(np.log(find_optimum(fitted.draws, flops, paths=paths_of(fitted, random_seed=random_seed)).N))


def paths_of(fitted: Fit, *, random_seed: int = 0) -> Paths | None:
    """Sample what the law of a fit misses of its best size, for each of its draws; None for laws of further columns.

    Parameters
    ----------
    fitted : Fit
        Its runs' isoFLOP minima, where they have slices, say what the law misses.
    random_seed : int
        Seed.
    """
    if not fitted.law.splits_compute:
        return None
    valleys = valleys_of(fitted.runs)
    count = fitted.draws.count
    if valleys is None:
        return sample_paths(None, _center(fitted), count, random_seed)
    measured = fitted.draws.measured is not None
    log_flops = np.array([part.log_flops if measured else part.log_training for part in valleys.slices])
    log_law = np.log(find_optimum(fitted.draws, np.exp(log_flops)).N)
    errors = np.atleast_2d(np.cov(valleys.log_sizes.T)) + LEAST_ERROR**2 * np.eye(log_flops.size)
    minima = Minima(log_flops, valleys.log_size, errors, log_law)
    return sample_paths(minima, float(log_flops.mean()), count, random_seed)


def valleys_of(runs: RunTable) -> Valleys | None:
    """Return the isoFLOP minima of a table; None where it has none."""
    if not {"N", "D", "C"} <= set(runs.frame):
        return None
    try:
        return read_valleys(runs, samples=SAMPLES, random_seed=0)
    except (InputError, np.linalg.LinAlgError):
        return None


def _center(fitted: Fit) -> float:
    """Return where a table without slices has its runs, in ln FLOP: the mean of what they cost."""
    frame = fitted.runs.frame
    if not {"N", "D"} <= set(frame):
        return float(np.log(frame["C"]).mean())
    return float(np.log(fitted.draws.flops(frame["N"].to_numpy(), frame["D"].to_numpy())).mean())

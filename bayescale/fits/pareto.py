"""Pareto-smoothed importance weights (Vehtari et al. 2024, arXiv:1507.02646), as ArviZ computes them."""

import numpy as np

LEAST_TAIL = 5
MANY = 225
"""Draws above which the tail is their square root."""

PRIOR_COUNT = 10
PRIOR_SHAPE = 0.5
"""The shape of the tail is drawn to a half, with the weight of this many draws."""


def good_shape(draws: int) -> float:
    """Return the largest Pareto k at which this many draws estimate well."""
    return float(min(1 - 1 / np.log10(draws), 0.7))


def smoothed(log_ratios: np.ndarray, relative_ess: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return normalised log weights (..., draw) and Pareto k (...) of log importance ratios.

    Parameters
    ----------
    log_ratios : numpy.ndarray
        Of any number of targets (..., draw).
    relative_ess : float
        Effective draws for each draw.
    """
    flat = log_ratios.reshape(-1, log_ratios.shape[-1])
    each = [_smoothed(row, relative_ess) for row in flat]
    weights, shapes = np.stack([one[0] for one in each]), np.array([one[1] for one in each])
    return weights.reshape(log_ratios.shape), shapes.reshape(log_ratios.shape[:-1])


def _smoothed(log_ratios: np.ndarray, relative_ess: float) -> tuple[np.ndarray, float]:
    values = log_ratios - log_ratios.max()
    tail = _tail(values.size, relative_ess)
    order = np.argpartition(values, values.size - tail - 1)
    largest = order[values.size - tail :]
    largest = largest[np.argsort(values[largest], kind="stable")]
    cutoff = values[order[values.size - tail - 1]]
    shape = np.inf
    if tail >= LEAST_TAIL and values[largest[0]] < values[largest[-1]]:
        base = np.exp(cutoff)
        shape, scale = _generalised_pareto(np.exp(values[largest]) - base)
        if np.isfinite(shape):
            chances = -np.log1p(-(np.arange(tail) + 0.5) / tail)
            quantiles = base + scale * (np.expm1(shape * chances) / shape if shape else chances)
            values[largest] = np.minimum(np.log(quantiles), 0.0)
    return values - np.logaddexp.reduce(values), float(shape)


def _tail(draws: int, relative_ess: float) -> int:
    most = int(3 * (draws / relative_ess) ** 0.5) if draws * relative_ess > MANY else draws // 5
    return min(most, draws // 2)


def _generalised_pareto(excess: np.ndarray) -> tuple[float, float]:
    """Return shape and scale of a generalised Pareto distribution, by Zhang and Stephens (2009), of sorted values."""
    count = excess.size
    points = 30 + int(count**0.5)
    quartile = excess[int(count / 4 + 0.5) - 1]
    if quartile <= excess[0]:  # far from any such distribution
        return np.nan, np.nan
    grid = (1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))) / (3 * quartile) + 1 / excess[-1]
    shapes = np.log1p(-grid[:, None] * excess).mean(axis=1)
    profile = count * (np.log(-grid / shapes) - shapes - 1)
    weights = np.exp(profile - np.logaddexp.reduce(profile))
    kept = weights >= 10 * np.finfo(float).eps
    chosen = float(np.average(grid[kept], weights=weights[kept]))
    shape = float(np.log1p(-chosen * excess).mean())
    if np.isnan(shape):
        return np.inf, np.nan
    return (count * shape + PRIOR_COUNT * PRIOR_SHAPE) / (count + PRIOR_COUNT), -shape / chosen

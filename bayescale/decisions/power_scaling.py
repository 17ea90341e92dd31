"""Power scaling: how a posterior moves with the weight of its prior or of its runs (Kallioinen et al. 2024).

The numbers are ArviZ's (``arviz.psense``), which a test compares with; importing ArviZ takes longer than an allocation.
"""

import numpy as np

from bayescale.fits.convergence import tail_part
from bayescale.fits.pareto import smoothed


def power_weights(density: np.ndarray, power: float) -> tuple[np.ndarray, float]:
    """Return smoothed log weights (draw,) that give a log density (draw,) this power, and their Pareto k."""
    log_weights, pareto_k = smoothed((power - 1) * density, tail_part(density))
    return log_weights, float(pareto_k)


def sensitivity(values: np.ndarray, lower: np.ndarray, upper: np.ndarray, powers: tuple[float, float]) -> float:
    """Return how far a number (draw,) moves for each doubling of a power, from its weights at a lower and a higher one.

    The distance is the cumulative Jensen-Shannon distance, the larger of that from below and that from above.
    """
    down, up = (max(_distance(side * values, weights) for side in (1, -1)) for weights in (lower, upper))
    return float((up / np.log2(powers[1]) - down / np.log2(powers[0])) / 2)


def _distance(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the cumulative Jensen-Shannon distance between draws as they are and weighted."""
    order = np.argsort(values)
    width, count = np.diff(values[order]), values.size
    plain = np.linspace(1 / count, 1 - 1 / count, count - 1)
    weighted = np.cumsum(weights[order] / weights.sum())[:-1]
    middle = _log2(0.5 * (plain + weighted))
    whole, other = plain @ width, weighted @ width
    parts = (
        (width * mine * (_log2(mine) - middle)).sum() + sign * (other - whole) / (2 * np.log(2))
        for mine, sign in ((plain, 1), (weighted, -1))
    )
    return float(np.sqrt(sum(max(0.0, part) for part in parts) / (whole + other)))


def _log2(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.log2(values, out=np.zeros_like(values), where=values != 0))

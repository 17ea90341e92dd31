"""Extra compute of a size that is not a draw's best one, and the sizes that cost little of it with a probability."""

import numpy as np

from bayescale.decisions.expected_loss import Curve
from bayescale.splits.ranges import shared_range

MOST = 1e3
"""Extra compute beyond this part of a budget counts as this, where limits leave no run that is as good."""

FAR = 1e6
"""Stands for the extra compute of a size that limits forbid, in tolerances."""


def extra_compute(excess: np.ndarray, worse: np.ndarray, tolerance: float) -> np.ndarray:
    """Return the part of a budget that loss above the best run is worth.

    Along best runs, log compute is taken to fall evenly with loss; exact at none and at the tolerance.

    Parameters
    ----------
    excess : numpy.ndarray
        Loss above each draw's best run of the budget (draw, ...).
    worse : numpy.ndarray
        What the best run of ``1 / (1 + tolerance)`` of the budget has above it, of a shape that broadcasts.
    tolerance : float
        A part of the budget.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        steps = np.where(excess <= 0, 0.0, excess / worse)  # NaN stays NaN
        return np.asarray(np.minimum(np.expm1(steps * np.log1p(tolerance)), MOST))


def safe_sizes(curve: Curve, best_N: np.ndarray, worse: np.ndarray, probability: float) -> tuple[float, float]:
    """Return the smallest and the largest size that cost less than the tolerance with a probability; NaN if none does.

    Parameters
    ----------
    curve : Curve
        Of the budget; of a ladder, the sizes are those allowed.
    best_N : numpy.ndarray
        Best size of each draw (draw,).
    worse : numpy.ndarray
        As in :func:`extra_compute` (draw,).
    probability : float
        That every size between them costs less.
    """
    known = np.isfinite(curve.excess).any(axis=0)
    order = np.argsort(curve.N[known])
    N = curve.N[known][order]
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.maximum(curve.excess[:, known][:, order], 0.0) / worse[:, None]
    steps = np.clip(np.nan_to_num(steps, nan=0.0), 0.0, FAR)  # 0 / 0: the best run, where no compute is missed
    if curve.discrete:
        inside = N[(steps <= 1).mean(axis=0) >= probability]
        return (float(inside[0]), float(inside[-1])) if inside.size else (np.nan, np.nan)
    lower, upper = shared_range(_ends(np.log(N), steps, np.log(best_N)), probability)
    return (np.nan, np.nan) if lower is None or upper is None else (lower, upper)


def _ends(log_N: np.ndarray, steps: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Return ln N where each draw's extra compute reaches the tolerance, below and above its best size (end, draw).

    Loss is nearly quadratic about the best size, so the root of the steps, with a sign, is nearly straight in ln N.
    """
    rows = np.arange(len(steps))
    signed = np.where(log_N < best[:, None], -1.0, 1.0) * np.sqrt(steps)
    found = []
    for place, level in (((signed < -1).sum(axis=1), -1.0), ((signed <= 1).sum(axis=1), 1.0)):
        right = np.clip(place, 1, log_N.size - 1) if log_N.size > 1 else np.zeros(rows.size, dtype=int)
        left = np.maximum(right - 1, 0)
        rise = signed[rows, right] - signed[rows, left]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.clip(np.nan_to_num((level - signed[rows, left]) / rise), 0.0, 1.0)
        found.append(log_N[left] + part * (log_N[right] - log_N[left]))
    return np.stack(found)

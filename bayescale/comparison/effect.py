"""find_effects: the extra compute that ignoring the split costs, averaged over laws of both kinds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayescale.fits.draws import evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.intervals import Interval
from bayescale.splits.waste import FACTORS, extra_compute, extra_compute_at
from bayescale.values import Value

OWN = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Quantiles of the runs' D/N over which the cost of their own splits is averaged."""

THINNED = 400
"""Draws of each law that the cost is computed for; its interval moves by less than the noise of sampling."""


TINY = np.finfo(float).tiny


@dataclass(frozen=True, eq=False, repr=False)
class Effect(Value):
    """Extra compute that ignoring the split costs, averaged over laws of compute alone and of N and D.

    Attributes
    ----------
    factor : float or None
        By how much N is off its best, the worse direction; None at the D/N of the runs themselves.
    extra_compute : Interval or None
        As a part of the compute of the best split; nothing with the probability of compute alone. None where no draw of
        a law of N and D has a best split inside the searched range.
    above_tolerance : float
        Probability that it is above the tolerance. Draws whose best split leaves the searched range count as above.
    """

    factor: float | None
    extra_compute: Interval | None
    above_tolerance: float


def find_effects(
    fits: Mapping[str, Fit],
    shares: Mapping[str, float],
    split_probability: float,
    *,
    flops: float,
    tolerance: float,
    probability: float,
) -> tuple[Effect, ...]:
    """Return the cost of ignoring the split: at the runs' own D/N, and with N off its best by 2, 4 and 10.

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits of laws of N and D with a best split.
    shares : mapping of str to float
        Probability of each of them of being the best law of N and D.
    split_probability : float
        Probability that the split matters; with what is left of it the cost is zero.
    flops : float
        Budget in FLOP.
    tolerance : float
        Extra compute that counts as little.
    probability : float
        Of the intervals.
    """
    used = {name: share for name, share in shares.items() if share > 0}
    costs = [_costs(fits[name], flops) for name in used]
    weights = np.concatenate(
        [np.full(len(cost), share / len(cost)) for cost, share in zip(costs, used.values(), strict=True)]
    )
    pooled, weights = np.concatenate(costs), split_probability * weights / weights.sum()
    factors = (None, *FACTORS)
    return tuple(
        _effect(factor, cost, weights, tolerance, probability) for factor, cost in zip(factors, pooled.T, strict=True)
    )


def _costs(fitted: Fit, flops: float) -> np.ndarray:
    """Return the cost at the runs' own D/N, averaged over its quantiles, and of each factor (draw, effect)."""
    draws = fitted.draws.take(np.unique(evenly_spaced(THINNED, fitted.draws.count)))
    frame, factors = fitted.runs.frame, np.array(FACTORS)
    own = np.log(np.quantile(frame["D"] / frame["N"], OWN))
    at_own = extra_compute_at(draws, flops, np.broadcast_to(own, (draws.count, own.size))).mean(axis=1)
    small, large = np.split(extra_compute(draws, flops, np.concatenate([1 / factors, factors])), 2, axis=1)
    return np.column_stack([at_own, np.maximum(small, large)])


def _effect(
    factor: float | None, cost: np.ndarray, weights: np.ndarray, tolerance: float, probability: float
) -> Effect:
    """Return one effect from draws of the laws of N and D and their weights, which add up to what they are worth."""
    above = float(weights[~(cost <= tolerance)].sum())
    known = np.isfinite(cost)
    tail = (1 - probability) / 2
    if not known.any() and weights.sum() > tail:
        return Effect(factor, None, above)
    held = weights[known] * (weights.sum() / max(weights[known].sum(), TINY))  # nothing of nothing where p is zero
    median, lower, upper = np.quantile(
        np.append(cost[known], 0.0),
        [0.5, tail, 1 - tail],
        method="inverted_cdf",
        weights=np.append(held, max(0.0, 1 - held.sum())),
    )
    return Effect(factor, Interval(float(median), float(lower), float(upper), probability), above)

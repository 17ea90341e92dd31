"""find_waste: the extra compute that a model of the wrong size costs."""

from dataclasses import dataclass

import numpy as np

from bayescale.fits.draws import Draws
from bayescale.fits.fit import Fit
from bayescale.intervals import Interval, credible_interval
from bayescale.laws.measured import TokenCost
from bayescale.splits.frontier import RATIOS
from bayescale.splits.optimum import find_optimum, loss_on_budget
from bayescale.splits.search import BestRuns
from bayescale.values import Value
from bayescale.words import short

NEWTON_STEPS = 16
"""Newton's method ends long before."""

ARRIVED = 1e-6
"""Newton steps below this, in ln C, have arrived."""

LONGEST_STEP = 1.0
"""In ln C: a full Newton step overshoots to budgets whose best split lies outside the searched range."""

SMALLEST_LOG_SAVING = np.log(1e-6)
"""The least compute that is looked at, as the log of its part of the budget."""

FACTORS = (2.0, 4.0, 10.0)
"""By how much a model may be mis-sized, in the table of waste."""


@dataclass(frozen=True, eq=False, repr=False)
class Waste(Value):
    """Extra compute that a mis-sized model costs, against the best split of the same loss.

    Attributes
    ----------
    factor : float
        By how much N is off its optimum.
    extra_compute : Interval
        The worse of the two directions.
    too_small, too_large : Interval
        With N divided, and multiplied, by the factor.
    """

    factor: float
    extra_compute: Interval
    too_small: Interval
    too_large: Interval


def find_waste(fitted: Fit, flops: float, probability: float) -> tuple[tuple[Waste, ...], tuple[str, ...]]:
    """Return what mis-sizing costs by each of ``FACTORS``, and a note where some draws have no answer.

    Parameters
    ----------
    fitted : Fit
        Fit of a law of N and D.
    flops : float
        Budget in FLOP.
    probability : float
        Of the intervals.

    Returns
    -------
    waste : tuple of Waste
        Over the draws that have an answer for every factor; empty where none has.
    notes : tuple of str
        How many draws have none: their best split, of this budget or of a smaller one that the wrong size is worth,
        lies outside the searched range of D/N.

    Raises
    ------
    InputError
        If the law says nothing about the split.
    """
    factors = np.array(FACTORS)
    extra = extra_compute(fitted.draws, flops, np.concatenate([1 / factors, factors]))
    known = np.isfinite(extra).all(axis=1)
    notes = _notes(known, flops)
    if not known.any():
        return (), notes
    small, large = np.split(extra[known].T, 2)
    return tuple(_waste(*each, probability) for each in zip(FACTORS, small, large, strict=True)), notes


def _waste(factor: float, small: np.ndarray, large: np.ndarray, probability: float) -> Waste:
    """Return the waste of one factor, from draws of it with N too small and too large (draw,)."""
    intervals = (credible_interval(draws, probability) for draws in (np.maximum(small, large), small, large))
    return Waste(factor, *intervals)


def _notes(known: np.ndarray, flops: float) -> tuple[str, ...]:
    lost = int((~known).sum())
    if not lost:
        return ()
    why = f"their best split leaves {short(RATIOS[0])} to {short(RATIOS[1])} tokens per parameter"
    said = f"extra compute of a wrong size at {short(flops)} FLOP"
    if lost == known.size:
        return (f"{said} is not known: all draws are lost, as {why}",)
    return (f"{said} leaves out {lost} of {known.size} draws, as {why}; it may be too small",)


def extra_compute(draws: Draws, flops: float, factors: np.ndarray) -> np.ndarray:
    """Return the part of a budget that is wasted when N is off its optimum by a factor.

    Parameters
    ----------
    draws : Draws
        Of a law of N and D.
    flops : float
        Budget in FLOP.
    factors : numpy.ndarray
        N over its optimum (factor,).

    Returns
    -------
    numpy.ndarray
        Compute spent over compute needed, less 1 (draw, factor); NaN as for :func:`extra_compute_at`.
    """
    return extra_compute_at(draws, flops, _off(draws.cost, find_optimum(draws, np.array([flops])), factors))


def extra_compute_at(draws: Draws, flops: float, log_ratio: np.ndarray) -> np.ndarray:
    """Return the part of a budget that is wasted by runs of so many tokens per parameter.

    The run spends ``flops``; a run of the best split reaches the same loss with less. Newton steps on the optimal
    ridge find how much less: there ``dL*/d ln C = dL/d ln D`` at fixed N, because N is at its optimum.

    Parameters
    ----------
    draws : Draws
        Of a law of N and D.
    flops : float
        Budget in FLOP.
    log_ratio : numpy.ndarray
        Natural log of D/N (draw, point).

    Returns
    -------
    numpy.ndarray
        Compute spent over compute needed, less 1 (draw, point); NaN where there is no optimum inside the
        searched range, or where Newton's steps have not arrived.
    """
    target = loss_on_budget(draws, np.full_like(log_ratio, flops), log_ratio)
    log_flops = np.full_like(log_ratio, np.log(flops))
    for _ in range(NEWTON_STEPS):
        # A draw that has lost its optimum stays NaN, but must not move the start of the others.
        ridge = find_optimum(draws, np.exp(np.nan_to_num(log_flops, nan=np.log(flops))))
        with np.errstate(divide="ignore", invalid="ignore"):  # a law that is flat to rounding never arrives
            step = (target - ridge.loss) / _ridge_slope(draws, log_flops, ridge.log_ratio)
        step = np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        moved = np.clip(log_flops + step, np.log(flops) + SMALLEST_LOG_SAVING, np.log(flops)) - log_flops
        log_flops = log_flops + moved
        under_way = np.abs(moved) >= ARRIVED
        if not under_way.any():
            break
    return np.where(under_way, np.nan, flops / np.exp(log_flops) - 1)


def _off(cost: TokenCost, best: BestRuns, factors: np.ndarray) -> np.ndarray:
    """Return the log of the tokens per parameter with N off its optimum, for the same compute (draw, factor)."""
    ends = [np.log(cost.per_token(N, {})) for N in (best.N, best.N * factors)]
    return np.asarray(best.log_ratio - np.log(factors) - (ends[1] - ends[0]))


def _ridge_slope(draws: Draws, log_flops: np.ndarray, log_ratio: np.ndarray) -> np.ndarray:
    """Return dL/d ln D at fixed N (draw, point): both budget and ratio move by the same factor."""
    step = 1e-4
    above, below = (loss_on_budget(draws, np.exp(log_flops + h), log_ratio + h) for h in (step, -step))
    return np.asarray((above - below) / (2 * step))

"""ratio_ranges: between which tokens per parameter ignoring the split costs little, at each compute budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import elementwise

from bayescale import checks
from bayescale.fits.fit import Fit
from bayescale.hardware import read_budgets
from bayescale.intervals import Interval, credible_interval
from bayescale.laws.measured import sizes
from bayescale.splits.frontier import RATIOS
from bayescale.splits.optimum import find_optimum
from bayescale.splits.search import BestRuns
from bayescale.values import Value

FIRST_STEP = 0.7
"""The search for an end of a range begins this far from the best split, in ln(D/N): a factor of 2."""

ROUNDED = 9
"""Decimals of the logs of ends: those of draws that differ by rounding alone are one."""

MOST = 0.5
"""Ends of a draw's own range are reported when more than this part of the draws have a best split."""


@dataclass(frozen=True, eq=False, repr=False)
class RatioRange(Value):
    """Tokens per parameter between which ignoring the split costs little, at one compute budget.

    Each posterior draw has a range of its own around its own best split. ``lower`` and ``upper`` hold for the
    posterior as a whole: at every D/N between them the cost is small with the asked probability. They are the range
    to act on. ``lower_end`` and ``upper_end`` say how well the runs locate the range: where the two ends of a single
    draw's range lie. The range to act on is mostly the narrower of the two, for it must lie inside most draws' ranges.

    Attributes
    ----------
    lower, upper : float or None
        Ends of the range; None when no D/N has the asked probability. Where the D/N that have it fall into several
        pieces, as with a posterior of two modes, these are the ends of the piece that holds the median middle of
        the draws' own ranges, or of the longest one when none does.
    tolerance : float
        Extra compute for the same loss that counts as little.
    probability : float
        Posterior probability, at every D/N inside, that the cost is below the tolerance; and of the intervals.
    flops : float
        Compute at which it holds.
    lower_end, upper_end : Interval or None
        Median and credible interval of the ends of a draw's own range, over the draws whose best split lies inside the
        searched range; an end beyond it counts as its limit. None when most draws have none.
    """

    lower: float | None
    upper: float | None
    tolerance: float
    probability: float
    flops: float
    lower_end: Interval | None = None
    upper_end: Interval | None = None


@checks.kinds
def ratio_ranges(
    fitted: Fit, flops: Sequence[float], tolerance: float = 0.05, probability: float = 0.9
) -> tuple[RatioRange, ...]:
    """Return between which tokens per parameter ignoring the split costs little, at each budget.

    Parameters
    ----------
    fitted : Fit
        Fit of a law of N and D.
    flops : sequence of float
        Budgets, in FLOP.
    tolerance : float
        Extra compute for the same loss that counts as little.
    probability : float
        Posterior probability asked for at every D/N of a range, and of the intervals of its ends.

    Returns
    -------
    tuple of RatioRange
        One for each budget, in their order.

    Raises
    ------
    InputError
        If the law says nothing about the split, or an argument is out of range.
    """
    checks.probability(probability)
    checks.tolerance(tolerance)
    budgets = read_budgets(flops)
    ends = ratio_ends(fitted, budgets, tolerance)
    return tuple(ratio_range(ends[..., i], budgets[i], tolerance, probability) for i in range(budgets.size))


def ratio_ends(fitted: Fit, flops: np.ndarray, tolerance: float) -> np.ndarray:
    """Return where each draw's own range ends, as natural logs of D/N (end, draw, budget).

    The extra compute is below the tolerance exactly where the loss is below that of the best split of
    ``flops / (1 + tolerance)``. That split's D/N, at the full budget, lies inside for a law that falls in N and D;
    from there the search goes outward. NaN where a draw has no best split inside the searched range.
    """
    cheaper = find_optimum(fitted.draws, flops / (1 + tolerance))
    return np.stack([_end(fitted, flops, cheaper, direction) for direction in (-1, 1)])


def _end(fitted: Fit, flops: np.ndarray, cheaper: BestRuns, direction: int) -> np.ndarray:
    """Return the nearest D/N beyond the best one, in one direction, at which the loss is that of the cheaper split."""
    names, shape, inside = fitted.law.parameters, cheaper.loss.shape, cheaper.located
    limit = np.log(RATIOS[(1 + direction) // 2])
    columns = [np.broadcast_to(fitted.draws[name][:, None], shape)[inside] for name in names]
    args = (np.broadcast_to(flops, shape)[inside], cheaper.loss[inside], *columns)
    start = cheaper.log_ratio[inside]
    first = np.clip(start + direction * FIRST_STEP, *np.log(RATIOS))
    near, far = np.minimum(start, first), np.maximum(start, first)
    bounds = {"xmin": start, "xmax": limit} if direction > 0 else {"xmin": limit, "xmax": start}
    excess = _excess(fitted)
    bracket = elementwise.bracket_root(excess, near, far, args=args, **bounds)
    found = elementwise.find_root(
        excess, bracket.bracket, args=args, tolerances={"xatol": 1e-6, "xrtol": 0, "fatol": 0}
    )
    ends = np.full(shape, np.nan)
    ends[inside] = np.where(bracket.success & found.success, found.x, limit)
    return ends


def _excess(fitted: Fit) -> Callable[..., np.ndarray]:
    """Return the function that is zero where the law, along a budget, has a given loss."""
    law, reference, cost = fitted.law, fitted.reference, fitted.draws.cost

    def excess(log_ratio: np.ndarray, flops: np.ndarray, loss: np.ndarray, *values: np.ndarray) -> np.ndarray:
        N, D = sizes(flops, log_ratio, cost)
        scaled = {"N": N, "D": D, "C": flops}
        covariates = [scaled[name] / reference[name] for name in law.covariates]
        return np.asarray(law.loss(*covariates, **dict(zip(law.parameters, values, strict=True))) - loss)

    return excess


def chance_inside(ends: np.ndarray, log_ratio: np.ndarray) -> np.ndarray:
    """Return the part of the draws whose own range, given by its ends (end, draw), holds each ln(D/N) (point,)."""
    low, high = np.sort(ends, axis=1)  # NaN comes last, beyond every point
    begun = np.searchsorted(low, log_ratio, side="right")
    return np.asarray((begun - np.searchsorted(high, log_ratio, side="left")) / ends.shape[1])


def ratio_range(ends: np.ndarray, flops: float, tolerance: float, probability: float) -> RatioRange:
    """Return the range at one budget from the ends of each draw's own, as natural logs of D/N (end, draw)."""
    known = ends[:, np.isfinite(ends).all(axis=0)]
    lower, upper = shared_range(ends, probability)
    located: tuple[Interval | None, ...] = (None, None)
    if known.shape[1] > MOST * ends.shape[1]:
        located = tuple(credible_interval(np.exp(end), probability) for end in known)
    return RatioRange(lower, upper, tolerance, probability, float(flops), *located)


def shared_range(ends: np.ndarray, probability: float) -> tuple[float, float] | tuple[None, None]:
    """Return the ends of the range that most draws share, given the logs of those of each draw's own (end, draw).

    Every value between them lies inside a draw's own range with the probability; None where no value does.
    """
    ends = np.round(ends, ROUNDED)
    known = ends[:, np.isfinite(ends).all(axis=0)]
    return _middle_piece(_pieces(ends, known, probability), known)


def _pieces(ends: np.ndarray, known: np.ndarray, probability: float) -> np.ndarray:
    """Return where the pieces of ln(D/N) begin and end in which every one has the probability (end, piece).

    The part of the draws whose range holds a point changes only where a range begins or ends, and is nowhere less
    than just beside it, since a range holds its own ends.
    """
    places = np.unique(known)
    holds = chance_inside(ends, places) >= probability
    joined = chance_inside(ends, (places[1:] + places[:-1]) / 2) >= probability
    first, last = holds & ~np.append(False, joined), holds & ~np.append(joined, False)
    return np.stack([places[first], places[last]])


def _middle_piece(pieces: np.ndarray, known: np.ndarray) -> tuple[float, float] | tuple[None, None]:
    """Return the ends, as D/N, of the piece that holds the median middle of the draws' ranges, or of the longest."""
    if not pieces.size:
        return None, None
    begin, end = pieces
    middle = np.median(known.mean(axis=0))
    holding = np.flatnonzero((begin <= middle) & (middle <= end))
    i = holding[0] if holding.size else np.argmax(end - begin)
    return float(np.exp(begin[i])), float(np.exp(end[i]))

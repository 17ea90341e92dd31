"""What figures of a decision show, computed before anything is drawn: loss, waste and best splits as curves."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.comparison.comparison import Comparison
from bayescale.decisions.allocation import Allocation, allocate
from bayescale.errors import InputError
from bayescale.fits.draws import evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.runs import RunTable
from bayescale.runs.folds import budgets_of
from bayescale.splits.optimum import loss_on_budget
from bayescale.splits.waste import extra_compute
from bayescale.values import Value
from bayescale.words import typed

LOSS_POINTS = 40
"""Budgets of a curve of loss."""

BEYOND = 10.0
"""Times the largest run to which a curve of loss reaches."""

FARTHEST = 10.0
"""Times above and below the best size to which a curve of waste reaches."""

WASTE_POINTS = 33
"""Sizes of a curve of waste."""

THINNED = 8
"""A curve of waste uses every eighth draw, which is enough for its bands."""

CURVE_POINTS = 24
"""Budgets of a curve of best splits: straight lines between them stay within half a pixel of one of many budgets."""

MOST_SLICES = 5
"""Slices of equal compute that one figure can show."""

FEWEST_SIZES = 3
"""Sizes that make runs of like compute a slice."""

MARGIN = 2.0
"""Times beyond the sizes of its runs, or its near-optimal set, to which the curve of a slice reaches."""

SLICE_POINTS = 80
"""Sizes of the curve of a slice."""


@dataclass(frozen=True, eq=False, repr=False)
class LossCurve(Value):
    """The loss that a law expects of runs of the usual tokens per parameter.

    Attributes
    ----------
    law : str
        Name of the law.
    runs : RunTable
        The runs it was fitted to.
    flops : numpy.ndarray
        Compute (point,), in FLOP.
    loss : numpy.ndarray
        The law there (draw, point), in the table's unit.
    tokens_per_parameter : float or None
        D/N of these runs; None for a law of compute alone, which has no use for it.
    """

    law: str
    runs: RunTable
    flops: np.ndarray
    loss: np.ndarray
    tokens_per_parameter: float | None


@checks.kinds
def loss_curve(fitted: Fit) -> LossCurve:
    """Return the loss of runs of typical tokens per parameter, from the smallest run to ten times the largest.

    Parameters
    ----------
    fitted : Fit
        Fit of a law of N, D or C.
    """
    C = fitted.runs.frame["C"]
    flops = np.geomspace(C.min(), BEYOND * C.max(), LOSS_POINTS)
    ratio = fitted.reference["D"] / fitted.reference["N"]
    loss = loss_on_budget(fitted.draws, flops, np.full_like(flops, np.log(ratio)))
    alone = fitted.law.covariates == ("C",)
    return LossCurve(fitted.law.name, fitted.runs, flops, loss, None if alone else ratio)


@dataclass(frozen=True, eq=False, repr=False)
class WasteCurve(Value):
    """The extra compute that a model of another size than the best one costs.

    Attributes
    ----------
    law : str
        Name of the law.
    flops : float
        Compute that is spent, in FLOP.
    factors : numpy.ndarray
        Model size over the best size (factor,).
    extra : numpy.ndarray
        Compute spent over compute that the best split needs for the same loss, less 1 (draw, factor).
    """

    law: str
    flops: float
    factors: np.ndarray
    extra: np.ndarray


@checks.kinds
def waste_curve(fitted: Fit, *, flops: float | None = None) -> WasteCurve:
    """Return what a model that is up to ten times too small or too large costs.

    Parameters
    ----------
    fitted : Fit
        Fit of a law of N and D that has a best split.
    flops : float, optional
        Compute that is spent, in FLOP; by default that of a typical run.

    Raises
    ------
    InputError
        If the law has no best split there.
    """
    spent = fitted.reference["C"] if flops is None else checks.above_zero("flops", flops, "FLOP", "1e21")
    factors = np.geomspace(1 / FARTHEST, FARTHEST, WASTE_POINTS)
    extra = extra_compute(fitted.draws.take(slice(None, None, THINNED)), spent, factors)
    extra = extra[np.isfinite(extra).all(axis=1)]
    if not len(extra):
        raise InputError(f"law '{fitted.law.name}' has no best split at {typed(spent)} FLOP under these runs")
    return WasteCurve(fitted.law.name, spent, factors, extra)


@dataclass(frozen=True, eq=False, repr=False)
class IsoflopSlice(Value):
    """Runs of like compute, and a law at their mean compute.

    Attributes
    ----------
    flops : float
        Geometric mean of the runs' compute, in FLOP.
    runs : pandas.DataFrame
        The runs, as in their table; none where no runs are of like compute.
    N : numpy.ndarray
        Model sizes (point,).
    lower, median, upper : numpy.ndarray
        The law there and the ends of its interval (point,), in the table's unit.
    near : tuple of float
        Smallest and largest size that cost little more compute than the best with the probability; NaN where none does.
    """

    flops: float
    runs: pd.DataFrame
    N: np.ndarray
    lower: np.ndarray
    median: np.ndarray
    upper: np.ndarray
    near: tuple[float, float]


@dataclass(frozen=True, eq=False, repr=False)
class IsoflopSlices(Value):
    """Slices of equal compute through runs and law.

    Attributes
    ----------
    law : str
        Name of the law.
    runs : RunTable
        The table.
    slices : tuple of IsoflopSlice
        Up to five, from the smallest to the largest.
    tolerance : float
        Extra compute that near-optimal sizes may cost.
    probability : float
        Of the intervals.
    """

    law: str
    runs: RunTable
    slices: tuple[IsoflopSlice, ...]
    tolerance: float
    probability: float

    @property
    def of_runs(self) -> bool:
        """Whether the slices are of runs of like compute, rather than of chosen budgets."""
        return any(len(each.runs) for each in self.slices)


@checks.kinds
def isoflop_slices(fitted: Fit, *, tolerance: float = 0.05, probability: float = 0.9) -> IsoflopSlices:
    """Return up to five slices of like compute, or where no runs are of like compute, five budgets of their range.

    Parameters
    ----------
    fitted : Fit
        Fit of a law of N and D that has a best split.
    tolerance : float
        Extra compute that near-optimal sizes may cost.
    probability : float
        Of the intervals.

    Raises
    ------
    InputError
        If the law has no best split there.
    """
    groups = _runs_of_like_compute(fitted.runs)
    best = allocate(fitted, [flops for flops, _ in groups], tolerance=tolerance, probability=probability).recommended
    ends = best[["near_low", "near_high", "N"]].to_array().to_numpy().T
    slices = tuple(_slice(fitted, *group, each, probability) for group, each in zip(groups, ends, strict=True))
    return IsoflopSlices(fitted.law.name, fitted.runs, slices, tolerance, probability)


def _runs_of_like_compute(runs: RunTable) -> list[tuple[float, pd.DataFrame]]:
    """Return compute and runs of up to five slices, evenly among those that there are."""
    labels, _ = budgets_of(runs)
    groups = [group for _, group in runs.frame.groupby(labels) if group["N"].round(-3).nunique() >= FEWEST_SIZES]
    groups.sort(key=lambda group: float(group["C"].mean()))
    if not groups:
        C = runs.frame["C"]
        return [(float(flops), runs.frame.iloc[:0]) for flops in np.geomspace(C.min(), C.max(), MOST_SLICES)]
    chosen = np.unique(evenly_spaced(MOST_SLICES, len(groups)))
    return [(float(np.exp(np.log(groups[i]["C"]).mean())), groups[i]) for i in chosen]


def _slice(fitted: Fit, flops: float, runs: pd.DataFrame, best: np.ndarray, probability: float) -> IsoflopSlice:
    near, size = best[:2], best[2]
    ends = near[np.isfinite(near)]
    seen = np.concatenate([runs["N"].to_numpy(), ends, [size]])
    N = np.sort([*np.geomspace(seen.min() / MARGIN, seen.max() * MARGIN, SLICE_POINTS), *ends])
    points = {"N": N, "D": flops / fitted.draws.flops(N, np.ones_like(N)), "C": np.full_like(N, flops)}
    loss = fitted.draws.value(points)
    tails = [(1 - probability) / 2, 0.5, (1 + probability) / 2]
    lower, median, upper = np.quantile(loss, tails, axis=0)
    return IsoflopSlice(flops, runs, N, lower, median, upper, near=(float(near[0]), float(near[1])))


@checks.kinds
def allocation_curve(comparison: Comparison, allocation: Allocation) -> Allocation:
    """Allocate many budgets, from the smallest run to the largest budget, by the laws of an allocation of a few.

    Parameters
    ----------
    comparison : Comparison
        The comparison that the allocation is from.
    allocation : Allocation
        Of the budgets asked for.

    Returns
    -------
    Allocation
        Of 24 budgets; the one given where some of them have no best split by the same laws.
    """
    budgets, C = allocation.recommended["flops"].to_numpy(), allocation.runs.frame["C"]
    flops = np.geomspace(min(budgets.min(), C.min()), max(budgets.max(), C.max()), CURVE_POINTS)
    first, *others = allocation.weights
    source: Fit | Comparison = comparison if others else comparison.fits.get(first, comparison)
    try:
        curve = allocate(
            source,
            list(flops),
            constraints=allocation.constraints,
            probability=allocation.probability,
            tolerance=allocation.tolerance,
            random_seed=allocation.random_seed,
        )
    except InputError:
        return allocation
    return curve if curve.weights.keys() == allocation.weights.keys() else allocation

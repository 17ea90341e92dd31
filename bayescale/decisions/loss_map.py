"""A law over the plane of N and D, with its best split and where the split hardly matters."""

from dataclasses import dataclass

import numpy as np

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.laws.measured import sizes
from bayescale.runs import RunTable
from bayescale.splits.optimum import find_optimum
from bayescale.splits.ranges import RatioRange, ratio_ranges
from bayescale.values import Value

BUDGETS = 7
"""Budgets of the best split, from the smallest run to the largest budget, beside that of a typical run.

Between them its lines are nearly straight on logarithmic axes."""

BEYOND = 100.0
"""Times the largest run to which the map reaches."""

GRID = 40
"""Points of the map along each axis."""

THINNED = 16
"""The median of the map uses every sixteenth draw, which is enough for a line of equal loss."""

LOCATED = 0.25
"""Part of the draws that must have a best split for a budget to be on the map."""

MARGIN = 1.6
"""Times beyond runs and best splits to which the map reaches."""


@dataclass(frozen=True, eq=False, repr=False)
class LossMap(Value):
    """A law over N and D.

    Attributes
    ----------
    law : str
        Name of the law.
    runs : RunTable
        The runs it was fitted to.
    flops : numpy.ndarray
        Budgets that have a best split (budget,), in FLOP.
    log_ratio : numpy.ndarray
        Lower end, median and upper end of ln(D/N) of the best split (3, budget).
    best_loss : numpy.ndarray
        Median loss of the best split (budget,), in the table's unit.
    ranges : tuple of RatioRange
        Where the split costs little, at each budget.
    N, D : numpy.ndarray
        Sizes and tokens of the map (size,), (tokens,).
    loss : numpy.ndarray
        Posterior median of the law (tokens, size), in the table's unit.
    probability : float
        Of the interval of the best split.
    """

    law: str
    runs: RunTable
    flops: np.ndarray
    log_ratio: np.ndarray
    best_loss: np.ndarray
    ranges: tuple[RatioRange, ...]
    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    probability: float

    @property
    def has_region(self) -> bool:
        """Whether the split costs little anywhere on the map."""
        return any(each.lower is not None for each in self.ranges)


@checks.kinds
def loss_map(fitted: Fit, *, tolerance: float = 0.05, probability: float = 0.9) -> LossMap:
    """Return a law over the plane of N and D, from the smallest run to a hundred times the largest.

    Parameters
    ----------
    fitted : Fit
        Fit of a law of N and D that has a best split.
    tolerance : float
        Extra compute for the same loss that counts as little.
    probability : float
        Of the ranges in which the split costs little, and of the interval of the best split.

    Raises
    ------
    InputError
        If the law has no best split at the compute of the runs.
    """
    tail = (1 - checks.probability(probability)) / 2
    C = fitted.runs.frame["C"]
    flops = np.sort([*np.geomspace(C.min(), BEYOND * C.max(), BUDGETS), fitted.reference["C"]])
    best = find_optimum(fitted.draws, flops)
    located = best.located.mean(axis=0) > LOCATED
    if not located.any():
        raise InputError(f"law '{fitted.law.name}' has no best split at the compute of {fitted.runs.name}")
    flops = flops[located]
    log_ratio = np.nanquantile(best.log_ratio[:, located], [tail, 0.5, 1 - tail], axis=0)
    N, D = (
        _axis(fitted.runs, *side)
        for side in zip(("N", "D"), sizes(flops, log_ratio[1], fitted.draws.cost), strict=True)
    )
    return LossMap(
        fitted.law.name,
        fitted.runs,
        flops,
        log_ratio,
        np.nanmedian(best.loss[:, located], axis=0),
        ratio_ranges(fitted, list(flops), tolerance, probability),
        N,
        D,
        _surface(fitted, N, D),
        probability,
    )


def _axis(runs: RunTable, name: str, best: np.ndarray) -> np.ndarray:
    """Return values of N or D that hold the runs and the best splits."""
    seen = np.concatenate([runs.frame[name].to_numpy(), best])
    return np.geomspace(seen.min() / MARGIN, seen.max() * MARGIN, GRID)


def _surface(fitted: Fit, N: np.ndarray, D: np.ndarray) -> np.ndarray:
    across, up = np.meshgrid(N, D)
    points = {"N": across.ravel(), "D": up.ravel(), "C": fitted.draws.flops(across.ravel(), up.ravel())}
    few = fitted.draws.take(slice(None, None, THINNED))
    return np.asarray(np.median(few.value(points), axis=0).reshape(across.shape))

"""Where along a compute budget a law is smallest, for every posterior draw at once."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import elementwise

from bayescale.errors import InputError
from bayescale.fits.draws import Draws
from bayescale.fits.fit import Fit
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.laws import Law

RATIOS = (1e-3, 1e6)
"""Tokens per parameter that are searched; real runs lie between 0.04 and 2000."""

EDGE = 0.01
"""An optimum this close to an end of the searched range, in ln(D/N), is that end."""

THINNED = 40
"""Every so many draws are enough to see whether a law has a best split."""

NEWTON_STEPS = 16
ARRIVED = 1e-6
"""Newton steps below this, in ln C, have arrived."""

LONGEST_STEP = 1.0
"""In ln C: a full Newton step overshoots to budgets whose best split lies outside the searched range."""

SMALLEST_LOG_SAVING = np.log(1e-6)


@dataclass(frozen=True)
class Optimum:
    """Best split of each budget under each draw.

    Attributes
    ----------
    log_ratio : numpy.ndarray
        Natural log of tokens per parameter at the optimum (draw, budget).
    loss : numpy.ndarray
        The law there, in the table's unit (draw, budget).
    interior : numpy.ndarray
        Whether the optimum lies inside the searched range (draw, budget).
    """

    log_ratio: np.ndarray
    loss: np.ndarray
    interior: np.ndarray


def sizes(flops: np.ndarray, log_ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return N and D that spend ``flops`` exactly at ``D / N = exp(log_ratio)``."""
    N = np.sqrt(flops / FLOPS_PER_TOKEN) * np.exp(-0.5 * log_ratio)
    return N, flops / (FLOPS_PER_TOKEN * N)


def loss_on_budget(draws: Draws, flops: np.ndarray, log_ratio: np.ndarray) -> np.ndarray:
    """Return the law for runs that spend ``flops`` at these tokens per parameter (draw, point).

    ``flops`` and ``log_ratio`` are (point,), or (draw, point) when draws have points of their own.
    """
    N, D = sizes(flops, log_ratio)
    return draws.value({"N": N, "D": D, "C": flops})


def check_splits(law: Law) -> None:
    """Raise InputError for a law that says nothing about the split."""
    if not law.splits_compute:
        raise InputError(
            f"law '{law.name}' is a law of {', '.join(law.covariates)}: along a budget it has no best split of "
            "N and D alone; allocate with a law of both and nothing else, such as chinchilla"
        )


def has_optimum(fitted: Fit, flops: np.ndarray) -> bool:
    """Return whether a law has a best split at these budgets, inside the searched range for most draws."""
    if not fitted.law.splits_compute:
        return False
    few = fitted.draws.take(slice(None, None, THINNED))
    ends = np.array([np.min(flops), np.max(flops)])
    return bool(find_optimum(few, ends).interior.mean() > 0.5)


def find_optimum(draws: Draws, flops: np.ndarray) -> Optimum:
    """Minimise the law along ``C = 6 N D`` for every draw and budget.

    Parameters
    ----------
    draws : Draws
        Of a law of N and D.
    flops : numpy.ndarray
        Budgets in FLOP: (budget,), or (draw, budget) when draws have budgets of their own.

    Raises
    ------
    InputError
        If the law is not a law of N and D.
    """
    law, reference = draws.law, draws.reference
    check_splits(law)
    budgets = np.broadcast_to(np.asarray(flops, dtype=float), (draws.count, np.shape(flops)[-1]))
    names = law.parameters
    parameters = [draws[name][:, None] for name in names]

    def value(log_ratio: np.ndarray, budget: np.ndarray, *values: np.ndarray) -> np.ndarray:
        N, D = sizes(budget, log_ratio)
        return np.asarray(law.loss(N / reference["N"], D / reference["D"], **dict(zip(names, values, strict=True))))

    low, high = np.log(RATIOS)
    start = _start(draws, budgets)
    bracket = elementwise.bracket_minimum(
        value,
        start,
        xl0=np.maximum(start - 0.7, low + EDGE),
        xr0=np.minimum(start + 0.7, high - EDGE),
        xmin=low,
        xmax=high,
        args=(budgets, *parameters),
    )
    found = elementwise.find_minimum(
        value, bracket.bracket, args=(budgets, *parameters), tolerances={"xatol": 1e-6, "fatol": 0, "frtol": 0}
    )
    inside = (found.x > low + EDGE) & (found.x < high - EDGE)
    interior = np.broadcast_to(bracket.success & found.success & inside, budgets.shape)
    log_ratio = np.where(interior, found.x, np.nan)
    return Optimum(log_ratio, np.where(interior, found.f_x, np.nan), interior)


def _start(draws: Draws, budgets: np.ndarray) -> np.ndarray:
    """Return for each budget the best ratio of a coarse grid under the median draw (budget,)."""
    median = replace(draws, arrays={name: np.median(values, keepdims=True) for name, values in draws.items()})
    grid = np.linspace(np.log(RATIOS[0]), np.log(RATIOS[1]), 61)[1:-1]
    typical = np.exp(np.median(np.log(budgets), axis=0))
    losses = np.stack([loss_on_budget(median, np.full_like(grid, budget), grid)[0] for budget in typical])
    return np.asarray(grid[np.argmin(losses, axis=1)])


def extra_compute(draws: Draws, flops: float, factors: np.ndarray) -> np.ndarray:
    """Return the part of a budget that is wasted when N is off its optimum by a factor.

    The run with ``factor * N*`` parameters spends ``flops``; a run of the best split reaches the same loss
    with less. Newton steps on the optimal ridge find how much less: there ``dL*/d ln C = dL/d ln D`` at
    fixed N, because N is at its optimum.

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
        Compute spent over compute needed, less 1 (draw, factor); NaN where there is no optimum inside the
        searched range, or where Newton's steps have not arrived.
    """
    best = find_optimum(draws, np.array([flops]))
    off = best.log_ratio - 2 * np.log(factors)
    target = loss_on_budget(draws, np.full_like(off, flops), off)
    log_flops = np.full_like(off, np.log(flops))
    for _ in range(NEWTON_STEPS):
        # A draw that has lost its optimum stays NaN, but must not move the start of the others.
        ridge = find_optimum(draws, np.exp(np.nan_to_num(log_flops, nan=np.log(flops))))
        step = (target - ridge.loss) / _ridge_slope(draws, log_flops, ridge.log_ratio)
        step = np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        moved = np.clip(log_flops + step, np.log(flops) + SMALLEST_LOG_SAVING, np.log(flops)) - log_flops
        log_flops = log_flops + moved
        under_way = np.abs(moved) >= ARRIVED
        if not under_way.any():
            break
    return np.where(under_way, np.nan, flops / np.exp(log_flops) - 1)


def _ridge_slope(draws: Draws, log_flops: np.ndarray, log_ratio: np.ndarray) -> np.ndarray:
    """Return dL/d ln D at fixed N (draw, point): both budget and ratio move by the same factor."""
    step = 1e-4
    above, below = (loss_on_budget(draws, np.exp(log_flops + h), log_ratio + h) for h in (step, -step))
    return np.asarray((above - below) / (2 * step))

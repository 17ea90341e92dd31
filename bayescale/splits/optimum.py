"""find_optimum: the best split of a whole budget, without limits, for every posterior draw at once."""

import numpy as np

from bayescale.errors import InputError
from bayescale.fits.draws import Draws
from bayescale.fits.fit import Fit
from bayescale.laws import Law
from bayescale.laws.measured import sizes
from bayescale.splits.frontier import frontiers
from bayescale.splits.paths import Paths
from bayescale.splits.search import BestRuns, Search

THINNED = 40
"""Every so many draws are enough to see whether a law has a best split."""


def loss_on_budget(draws: Draws, flops: np.ndarray, log_ratio: np.ndarray) -> np.ndarray:
    """Return the law for runs that spend ``flops`` at these tokens per parameter (draw, point).

    ``flops`` and ``log_ratio`` are (point,), or (draw, point) when draws have points of their own.
    """
    N, D = sizes(flops, log_ratio, draws.cost)
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
    return bool(find_optimum(few, ends).located.mean() > 0.5)


def find_optimum(draws: Draws, flops: np.ndarray, *, paths: Paths | None = None) -> BestRuns:
    """Find the best split of each budget under each draw, where nothing limits it.

    Parameters
    ----------
    draws : Draws
        Of a law of N and D.
    flops : numpy.ndarray
        Budgets in FLOP: (budget,), or (draw, budget) when draws have budgets of their own.
    paths : Paths, optional
        What the law misses of ln N*, for these draws.

    Returns
    -------
    BestRuns
        NaN where a draw has no best split inside the searched range (draw, budget).

    Raises
    ------
    InputError
        If the law is not a law of N and D.
    """
    check_splits(draws.law)
    (frontier,) = frontiers(draws.law, cost=draws.cost)
    return Search(draws, frontier, paths=paths).find_best(flops).known

"""slice_notes: what a table without isoFLOP slices pays for it in its best sizes, and what one slice would cost."""

import numpy as np

from bayescale.decisions.mixture import Mixture
from bayescale.fits.draws import Draws
from bayescale.splits.best_sizes import valleys_of
from bayescale.splits.optimum import find_optimum, loss_on_budget
from bayescale.splits.paths import Minima, Paths, sample_paths
from bayescale.splits.search import BestRuns
from bayescale.words import percent, short

SIZES = np.log(2.0) * np.arange(-2, 3)
"""Of the runs of a slice, in ln N from the best: five, each twice as large as the one before."""

WORTH = 0.9
"""A slice is proposed where it would make the interval of ln N* narrower than this part of what it is."""


def slice_notes(mixture: Mixture, budgets: np.ndarray, probability: float) -> list[str]:
    """Say what no isoFLOP slice costs at the largest budget, and what one slice would bring; nothing where there are.

    Parameters
    ----------
    mixture : Mixture
        The laws; the heaviest of N and D speaks for all.
    budgets : numpy.ndarray
        FLOP of training (budget,).
    probability : float
        Of the intervals.
    """
    laws = [name for name, fitted in mixture.fits.items() if fitted.law.splits_compute]
    if not laws or mixture.sign < 0 or valleys_of(mixture.runs) is not None:
        return []
    own = mixture.searches[max(laws, key=lambda name: mixture.weights[name])][0]
    budget, slice_flops = float(np.max(budgets)), _slice_flops(mixture)
    beside = _with_slice(own.draws, slice_flops, mixture.random_seed)
    now, then = (_width(own.draws, budget, each, probability) for each in (own.paths, beside))
    said = (
        f"no isoFLOP slice of these runs shows what the law misses of the best size; taken from other tables: "
        f"at {short(budget)} FLOP the {percent(probability)} interval of N spans a factor of {short(np.exp(now))}"
    )
    if not then < WORTH * now:
        return [said]
    return [
        f"{said}; with one slice at {short(slice_flops)} FLOP ({SIZES.size} runs, each twice as large as the one "
        f"before, {short(SIZES.size * slice_flops)} FLOP in all) it would span about {short(np.exp(then))}"
    ]


def _slice_flops(mixture: Mixture) -> float:
    """Return the compute of a slice that costs in all what the largest run did, to one digit."""
    most = float(mixture.runs.frame["C"].max()) / SIZES.size
    return float(f"{most:.0e}")


def _with_slice(draws: Draws, flops: float, random_seed: int) -> Paths:
    """Sample what the law would miss if a slice had its minimum where the law has it."""
    log_flops = np.log([flops])
    best = find_optimum(draws, np.exp(log_flops))
    log_law = np.log(best.N)
    seen = Minima(log_flops, np.nanmedian(log_law, axis=0), np.array([[_error(draws, flops, best) ** 2]]), log_law)
    return sample_paths(seen, float(log_flops[0]), draws.count, random_seed)


def _error(draws: Draws, flops: float, best: BestRuns) -> float:
    """Return the standard error of ln N at the minimum of a slice, were loss quadratic in ln N along it."""
    at = best.log_ratio - 2 * SIZES[[1, 2, 3]]  # D/N falls with the square of N along a budget
    low, least, high = np.log(loss_on_budget(draws, np.full_like(at, flops), at)).T
    curvature = float(np.nanmedian((low - 2 * least + high) / SIZES[3] ** 2))
    return float(np.median(draws["sigma"]) / (curvature * np.sqrt((SIZES**2).sum())))


def _width(draws: Draws, budget: float, paths: Paths | None, probability: float) -> float:
    """Return the width of the interval of ln N* at a budget."""
    log_N = np.log(find_optimum(draws, np.array([budget]), paths=paths).N[:, 0])
    low, high = np.nanquantile(log_N, [(1 - probability) / 2, (1 + probability) / 2])
    return float(high - low)

"""slice_price: what a table without isoFLOP slices pays for it in its best sizes, and what one slice would bring."""

from dataclasses import dataclass

import numpy as np

from bayescale.decisions.mixture import Mixture
from bayescale.decisions.size_scores import wasted_compute
from bayescale.fits.draws import Draws
from bayescale.splits.best_sizes import paths_of, valleys_of
from bayescale.splits.optimum import find_optimum, loss_on_budget
from bayescale.splits.paths import Minima, Paths, sample_paths
from bayescale.splits.search import BestRuns
from bayescale.words import percent, short

SIZES = np.log(2.0) * np.arange(-2, 3)
"""Of the runs of a slice, in ln N from the best: five, each twice as large as the one before."""

WORTH = 0.9
"""A slice is proposed where it would make the interval of ln N* narrower than this part of what it is."""


@dataclass(frozen=True, eq=False)
class SlicePrice:
    """What one isoFLOP slice would bring at a larger budget, and its runs.

    Attributes
    ----------
    budget : float
        FLOP of the training that is decided about.
    flops : float
        FLOP of each run of the slice.
    N, D : numpy.ndarray
        Sizes of the runs, in counts (run,).
    span_before, span_after : float
        How many times the upper end of the interval of N* is the lower one, now and with the slice.
    wasted_before, wasted_after : float
        Extra compute of training the median size, as a part of the budget, in the median of the draws: tails of paths
        are too long for a mean.
    """

    budget: float
    flops: float
    N: np.ndarray
    D: np.ndarray
    span_before: float
    span_after: float
    wasted_before: float
    wasted_after: float

    @property
    def cost(self) -> float:
        """FLOP of all its runs."""
        return self.N.size * self.flops

    @property
    def saved(self) -> float:
        """FLOP that it saves at the budget, in the median."""
        return (self.wasted_before - self.wasted_after) * self.budget

    @property
    def narrows(self) -> bool:
        """Whether the interval becomes narrower by enough to propose the slice."""
        return bool(np.log(self.span_after) < WORTH * np.log(self.span_before))


def slice_price(mixture: Mixture, budgets: np.ndarray, probability: float, spend: float = np.inf) -> SlicePrice | None:
    """Return what one slice would bring at the largest budget; None for tables that have slices.

    Parameters
    ----------
    mixture : Mixture
        The laws; the heaviest of N and D speaks for all.
    budgets : numpy.ndarray
        FLOP of training (budget,).
    probability : float
        Of the intervals.
    spend : float
        The most that the slice may cost, in FLOP; never more than the largest run did.
    """
    laws = [name for name, fitted in mixture.fits.items() if fitted.law.splits_compute]
    if not laws or mixture.sign < 0 or valleys_of(mixture.runs) is not None:
        return None
    law = max(laws, key=lambda name: mixture.weights[name])
    own = mixture.searches[law][0]
    budget, flops = float(np.max(budgets)), _slice_flops(mixture, spend)
    now = own.paths
    if now is None:  # of a plan, which takes laws at their word
        every = paths_of(mixture.fits[law], random_seed=mixture.random_seed)
        assert every is not None  # a law of N and D has them
        now = every.take(slice(None, own.draws.count))
    best, after = _with_slice(own.draws, flops, mixture.random_seed)
    N = np.exp(best + SIZES)
    spans, wasted = zip(*(_spread(own.draws, budget, each, probability) for each in (now, after)), strict=True)
    return SlicePrice(budget, flops, N, flops / mixture.cost.per_token(N, {}), *spans, *wasted)


def slice_notes(found: SlicePrice | None, probability: float) -> list[str]:
    """Say what no isoFLOP slice costs at the largest budget, and what one would bring; nothing for ``None``."""
    if found is None:
        return []
    said = (
        f"no isoFLOP slice of these runs shows what the law misses of the best size; taken from other tables: "
        f"at {short(found.budget)} FLOP the {percent(probability)} interval of N spans a factor of "
        f"{short(found.span_before)}"
    )
    if not found.narrows:
        return [said]
    return [
        f"{said}; with one slice at {short(found.flops)} FLOP ({SIZES.size} runs, each twice as large as the one "
        f"before, {short(found.cost)} FLOP in all) it would span about {short(found.span_after)}"
    ]


def _slice_flops(mixture: Mixture, spend: float) -> float:
    """Return the compute of a slice that costs in all at most what the largest run did, to one digit."""
    most = min(float(mixture.runs.frame["C"].max()), spend) / SIZES.size
    digit = 10.0 ** np.floor(np.log10(most))
    return float(np.floor(most / digit * (1 + 1e-12)) * digit)


def _with_slice(draws: Draws, flops: float, random_seed: int) -> tuple[float, Paths]:
    """Return ln N at the minimum of a slice that has it where the law does, and what the law would then miss."""
    log_flops = np.log([flops])
    best = find_optimum(draws, np.exp(log_flops))
    log_law = np.log(best.N)
    seen = Minima(log_flops, np.nanmedian(log_law, axis=0), np.array([[_error(draws, flops, best) ** 2]]), log_law)
    return float(seen.log_size[0]), sample_paths(seen, float(log_flops[0]), draws.count, random_seed)


def _error(draws: Draws, flops: float, best: BestRuns) -> float:
    """Return the standard error of ln N at the minimum of a slice, were loss quadratic in ln N along it."""
    at = best.log_ratio - 2 * SIZES[[1, 2, 3]]  # D/N falls with the square of N along a budget
    low, least, high = np.log(loss_on_budget(draws, np.full_like(at, flops), at)).T
    curvature = float(np.nanmedian((low - 2 * least + high) / SIZES[3] ** 2))
    return float(np.median(draws["sigma"]) / (curvature * np.sqrt((SIZES**2).sum())))


def _spread(draws: Draws, budget: float, paths: Paths, probability: float) -> tuple[float, float]:
    """Return the span of the interval of N* at a budget, and the extra compute that its median costs, in the median."""
    log_N = np.log(find_optimum(draws, np.array([budget]), paths=paths).N[:, 0])
    low, middle, high = np.nanquantile(log_N, [(1 - probability) / 2, 0.5, (1 + probability) / 2])
    return float(np.exp(high - low)), float(np.nanmedian(wasted_compute(log_N - middle)))

"""Losses to reach: the cheapest run of each draw, and the ones to train."""

from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy.optimize import brentq

from bayescale.decisions.expected_loss import Curve, curve_of
from bayescale.decisions.mixture import Mixture
from bayescale.errors import InputError
from bayescale.splits.search import LARGEST_FLOPS, SMALLEST_FLOPS, BestRuns
from bayescale.words import percent, typed

PRECISION = 1e-4
"""In ln FLOP, of the budget that an expected loss or a probability needs."""

GUESS = 1e24
"""FLOP from which a search starts where no draw says anything."""


def reach(mixture: Mixture, losses: np.ndarray, probability: float) -> tuple[xr.Dataset, np.ndarray]:
    """Find the cheapest run of each draw that reaches a loss, and the budget of the one that is expected to.

    Parameters
    ----------
    mixture : Mixture
        The laws.
    losses : numpy.ndarray
        In the unit of the response (loss,).
    probability : float
        With which the law reaches them at the assured run.

    Returns
    -------
    targets : xarray.Dataset
        As in :class:`bayescale.Allocation`, without what single runs make of it.
    flops : numpy.ndarray
        Budget with which the expected loss reaches each (loss,).

    Raises
    ------
    InputError
        If no run is expected to reach a loss.
    """
    cheapest = mixture.find_cheapest(losses)
    flops = np.where(cheapest.located, cheapest.flops, np.inf)
    expected = [_expected_run(mixture, float(loss), flops[:, i]) for i, loss in enumerate(losses)]
    pairs = list(zip(losses.tolist(), expected, strict=True))
    assured = BestRuns.joined([_assured_run(mixture, loss, probability, float(run.flops[0])) for loss, run in pairs])
    dims = ("draw", "budget")
    variables = {
        **{name: (dims, getattr(cheapest.known, name)) for name in ("N", "D")},
        "flops": (dims, flops),
        "probability": ("budget", cheapest.located.mean(axis=0)),
        "law_reaches": ("budget", [_chance(mixture, run, loss) for loss, run in pairs]),
        **{f"assured_{name}": ("budget", getattr(assured, name)) for name in ("N", "D", "flops")},
    }
    return xr.Dataset(variables, coords={"target_loss": ("budget", losses)}), BestRuns.joined(expected).flops


def _expected_run(mixture: Mixture, loss: float, flops: np.ndarray) -> BestRuns:
    """Return the cheapest run whose expected loss reaches a loss; the draws say with how much compute (draw,)."""

    def shortfall(log_flops: float) -> float:
        return _least_at(mixture, log_flops)[1].least - mixture.sign * loss

    reached = np.isfinite(flops)
    found = _cheapest(mixture, shortfall, float(np.median(flops[reached])) if reached.any() else GUESS)
    if not found.located.all():
        raise InputError(
            f"no run is expected to reach {typed(loss, 6)} at any compute within the limits; {percent(reached.mean())} "
            "of the draws say that some run does: ask for another loss, or move a limit"
        )
    return found


def _assured_run(mixture: Mixture, loss: float, probability: float, around: float) -> BestRuns:
    """Return the cheapest run of least expected loss that the laws let reach a loss with a probability, or none."""

    def shortfall(log_flops: float) -> float:
        return probability - _chance(mixture, _run_at(mixture, log_flops), loss)

    return _cheapest(mixture, shortfall, around)


def _chance(mixture: Mixture, run: BestRuns, loss: float) -> float:
    """Return the part of the draws whose law is at a loss, or beyond it, at a run."""
    losses = mixture.losses(int(run.option[0]), run.N, run.D)
    return float((mixture.sign * losses <= mixture.sign * loss).mean())


def _least_at(mixture: Mixture, log_flops: float) -> tuple[int, Curve]:
    """Return the best option at a budget and its curve."""
    flops = float(np.exp(log_flops))
    best = mixture.find_best(np.array([flops]))
    options = range(len(mixture.frontiers))
    curves = [curve_of(mixture, option, flops, best.N[:, 0], best.loss[:, 0]) for option in options]
    option = int(np.argmin([curve.least for curve in curves]))
    return option, curves[option]


def _run_at(mixture: Mixture, log_flops: float) -> BestRuns:
    """Return the run of least expected loss at a budget (1,)."""
    option, curve = _least_at(mixture, log_flops)
    flops, N = np.exp([log_flops]), np.array([curve.best_N])
    D = mixture.frontiers[option].tokens(flops, N)
    loss = np.array([mixture.sign * curve.least])
    return BestRuns(N, D, loss, np.array([option]), flops, np.ones(1, dtype=bool))


def _cheapest(mixture: Mixture, shortfall: Callable[[float], float], around: float) -> BestRuns:
    """Return the run at the smallest budget without a shortfall: widen from a guess, then bisect."""
    lowest = np.log(max([SMALLEST_FLOPS, *(1.01 * each.least_flops for each in mixture.frontiers)]))
    highest = np.log(LARGEST_FLOPS)
    low = high = float(np.clip(np.log(around), lowest, highest))
    while shortfall(high) > 0:
        if high >= highest:
            return _no_run()
        low, high = high, min(high + 1.5, highest)
    while shortfall(low) <= 0:
        if low <= lowest:
            return _run_at(mixture, float(lowest))
        low, high = max(low - 1.5, lowest), low
    return _run_at(mixture, float(brentq(shortfall, low, high, xtol=PRECISION)))


def _no_run() -> BestRuns:
    """Return that no run reaches a loss (1,)."""
    unknown = np.full(1, np.nan)
    return BestRuns(unknown, unknown, unknown, np.zeros(1, dtype=int), unknown, np.zeros(1, dtype=bool))

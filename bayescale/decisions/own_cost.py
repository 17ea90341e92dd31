"""own_cost: best runs under draws of what a token costs, where the cost is learned from runs and not known exactly."""

from dataclasses import replace

import numpy as np

from bayescale.decisions.mixture import Mixture
from bayescale.laws.measured import MeasuredCost
from bayescale.splits.search import BestRuns, chosen

LEAST_ERROR = 0.005
"""Standard error of ln cost below which draws of it change nothing that is printed."""

STEP = 0.05
"""In ln N, of the differences that slope and bend of the loss along a budget are made of."""

STEPS = 2
"""Of Newton's method, from the best run under the expected cost."""

FARTHEST = 1.0
"""In ln N, of one step."""


def own_cost(mixture: Mixture, best: BestRuns, budgets: np.ndarray) -> BestRuns:
    """Return the best runs, each draw with a cost of its own: N and D as they then are, the losses as they were.

    A token that costs more pays for fewer tokens, and a cost that rises more steeply favours smaller models. What
    either changes of the loss is far within its interval. Runs at a limit stay there.

    Parameters
    ----------
    mixture : Mixture
        The laws.
    best : BestRuns
        Under the expected cost (draw, budget).
    budgets : numpy.ndarray
        In FLOP (budget,).
    """
    cost = mixture.cost
    if not isinstance(cost, MeasuredCost):
        return best
    curve, frontiers = cost.curve, mixture.frontiers
    if max(float(curve.error(best.N, each.columns).max()) for each in frontiers) < LEAST_ERROR:
        return best
    rng = np.random.default_rng(mixture.random_seed)
    off = curve.draw(len(best.N), rng)
    log_N = np.log(best.N)

    def tokens(log_N: np.ndarray) -> np.ndarray:
        """Return what the budget pays under each draw's own cost, the limits aside."""
        N = np.exp(log_N)
        paid = [each.tokens(budgets, N) * np.exp(-curve.shift(N, off, each.columns)) for each in frontiers]
        return chosen(paid, best.option)

    def loss(log_N: np.ndarray) -> np.ndarray:
        N, D = np.exp(log_N), tokens(log_N)
        losses = [mixture.losses(option, N, D) for option in range(len(frontiers))]
        return mixture.sign * chosen(losses, best.option)

    for _ in range(STEPS):
        below, here, above = (loss(log_N + step) for step in (-STEP, 0.0, STEP))
        slope, bend = (above - below) / (2 * STEP), (above - 2 * here + below) / STEP**2
        with np.errstate(divide="ignore", invalid="ignore"):  # a flat law does not move
            move = np.where(bend > 0, np.clip(-slope / bend, -FARTHEST, FARTHEST), 0.0)
        log_N = log_N + move
    free = ~_at_limit(mixture, best)
    N, D = np.exp(log_N), tokens(log_N)
    return replace(best, N=np.where(free, N, best.N), D=np.where(free, D, best.D))


def _at_limit(mixture: Mixture, best: BestRuns) -> np.ndarray:
    """Return whether runs lie at a limit, or can be of given sizes only (draw, budget)."""
    frontier = mixture.frontiers[0]
    bound = list(frontier.binding(best.N, best.D).values())
    return np.asarray(np.logical_or.reduce([np.full(best.N.shape, bool(frontier.limits.sizes)), *bound]))

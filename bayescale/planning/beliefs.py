"""What is believed of candidate runs and of the decision, from posterior draws: the goals of a plan."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.comparison.comparison import Comparison
from bayescale.decisions.mixture import Mixture, mixture
from bayescale.errors import InputError
from bayescale.fits.discrepancy import infer_discrepancy
from bayescale.fits.draws import evenly_spaced
from bayescale.fits.fit import Fit, complete_points
from bayescale.planning.goals import LawGoal, NormalGoal

DRAWS = 2000
"""Posterior draws in all, laws by their weights."""

LEAST_STEP = 0.1
"""In ln N: the curvature of the loss around a best size is taken over at least this step."""

GRID = 201
"""Sizes among which the one of least expected loss is looked for, joined by a parabola."""

REACH = (0.005, 0.995)
"""Quantiles of the best size between which it is looked for."""

SIMULATIONS = 100
"""Outcomes simulated under each law."""


@dataclass(frozen=True, eq=False)
class Decision:
    """The decision at each budget under all draws, laws by their weights.

    Attributes
    ----------
    flops : numpy.ndarray
        Budgets (budget,).
    log_size : numpy.ndarray
        ln N of each draw's best split (draw, budget).
    chosen : numpy.ndarray
        ln N of the split of least expected loss (budget,).
    regret : numpy.ndarray
        Loss of that split above each draw's own best, in the response's unit (draw, budget).
    curvature : numpy.ndarray
        Twice the regret over the squared distance of the two splits in ln N (draw, budget): with it
        ``curvature / 2 * distance**2`` is the draw's regret exactly, wherever the draw's optimum lies.
    log_loss : numpy.ndarray
        Log of the law at each draw's best split (draw, budget).
    per_fold : numpy.ndarray
        Loss that the best split gains per e-fold of compute, on average (budget,).
    """

    flops: np.ndarray
    log_size: np.ndarray
    chosen: np.ndarray
    regret: np.ndarray
    curvature: np.ndarray
    log_loss: np.ndarray
    per_fold: np.ndarray


def believe(source: Fit | Comparison, flops: np.ndarray) -> tuple[Mixture, tuple[str, ...]]:
    """Return the laws under draws that have a best split at every budget, and what is to be said of those that do not.

    Laws are taken at their word: single runs teach their parameters, and what a law misses of its best size is learned
    from isoFLOP slices.

    Raises
    ------
    InputError
        If no law has a best split, or most draws of a law have none.
    """
    laws = mixture(source, flops, draws=DRAWS, alone=True)
    inside = laws.find_best(flops).located.all(axis=1)
    lost = []
    for name, own in zip(laws.fits, laws.split_by_law(inside), strict=True):
        if own.mean() < 0.5:
            raise InputError(f"law '{name}': most draws have no best split at these targets; choose others")
        if not own.all():
            lost.append(f"{name}: {1 - own.mean():.1%} of draws have no best split inside the searched range of D/N")
    return laws.take(laws.in_proportion(inside)), tuple(lost)


def candidate_points(fits: Mapping[str, Fit], candidates: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the columns of the candidates that the laws need, and C of what they cost where it is not given."""
    given = {str(name): candidates[name].to_numpy() for name in candidates if name not in ("run", "flops")}
    points: dict[str, np.ndarray] = {}
    for fitted in fits.values():
        used = {name: values for name, values in given.items() if name in (*fitted.law.covariates, "N", "D", "C")}
        points |= complete_points(fitted.draws, used)
    return points


# The decision


def decide(laws: Mixture, flops: np.ndarray) -> Decision:
    """Return the split of least expected loss at each budget, and every draw's regret of it."""
    best = laws.find_best(flops)
    log_size = np.log(best.N)
    chosen = np.array([_least_expected(laws, log_size[:, i], best.loss[:, i], each) for i, each in enumerate(flops)])
    away = chosen - log_size
    step = np.where(away < 0, -1.0, 1.0) * np.maximum(np.abs(away), LEAST_STEP)
    curvature = 2 * (split_loss(laws, flops, log_size + step) - best.loss) / step**2
    more = laws.find_best(flops * np.exp(LEAST_STEP)).known.loss
    per_fold = np.nanmean(best.loss - more, axis=0) / LEAST_STEP
    return Decision(flops, log_size, chosen, 0.5 * curvature * away**2, curvature, np.log(best.loss), per_fold)


def split_loss(laws: Mixture, flops: np.ndarray, log_size: np.ndarray) -> np.ndarray:
    """Return the law of every draw for runs that spend ``flops`` on models of these sizes (draw, point)."""
    N = np.exp(log_size)
    return laws.losses(0, N, laws.frontiers[0].tokens(flops, N))


def size_grid(log_size: np.ndarray) -> np.ndarray:
    """Return the sizes, in ln N, among which the best for all draws lies (point,)."""
    low, high = np.quantile(log_size, REACH)
    return np.linspace(low - LEAST_STEP, high + LEAST_STEP, GRID)


def _least_expected(laws: Mixture, log_size: np.ndarray, best: np.ndarray, flops: float) -> float:
    grid = size_grid(log_size)
    expected = (split_loss(laws, np.full_like(grid, flops), grid) - best[:, None]).mean(axis=0)
    place = int(np.clip(np.argmin(expected), 1, GRID - 2))
    low, mid, high = expected[place - 1 : place + 2]
    bend = high - 2 * mid + low
    shift = 0.5 * (low - high) / bend if bend > 0 else 0.0
    return float(grid[place] + np.clip(shift, -1, 1) * (grid[1] - grid[0]))


# Goals


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What the draws foresee at the candidates.

    Attributes
    ----------
    log_law : numpy.ndarray
        Log of the law (draw, candidate).
    noise : numpy.ndarray
        Variance of the noise of single runs (candidate,).
    """

    log_law: np.ndarray
    noise: np.ndarray


def foresee(laws: Mixture, points: Mapping[str, np.ndarray]) -> Outcomes:
    """Return what the draws foresee: the law and its noise, without what it misses (docs/decisions/0010)."""
    log_law = laws.log_value(points)
    return Outcomes(log_law, np.full(log_law.shape[1], np.median(effective_noise(*laws.noise))))


def effective_noise(sigma: np.ndarray, nu: np.ndarray) -> np.ndarray:
    """Return the variance of normal noise under which a run tells as much as under Student's t."""
    return np.asarray(sigma**2 * (nu + 3) / (nu + 1))


def regret_goal(decision: Decision, outcomes: Outcomes) -> NormalGoal:
    """Lower the expected regret of the split at each budget; budgets count alike.

    A rule that is linear in the outcomes chooses the split. Draws count by their curvature, so that the weighted
    variance of ln N* is the expected regret but for a factor.
    """
    parts = [_joint(outcomes, decision.log_size[:, i], decision.curvature[:, i]) for i in range(decision.flops.size)]
    covariance = np.stack(parts)
    expected = decision.regret.mean(axis=0)
    worth = expected / np.maximum(covariance[:, -1, -1], np.finfo(float).tiny) / decision.flops.size
    return NormalGoal(covariance, np.stack([outcomes.noise] * len(parts)), worth)


def size_goal(decision: Decision, outcomes: Outcomes) -> NormalGoal:
    """Narrow ln N* at each budget."""
    return _spread_goal(decision.log_size, outcomes)


def loss_goal(decision: Decision, outcomes: Outcomes) -> NormalGoal:
    """Narrow the log of the law's loss at each budget's best split."""
    return _spread_goal(decision.log_loss, outcomes)


def _spread_goal(quantities: np.ndarray, outcomes: Outcomes) -> NormalGoal:
    count = quantities.shape[1]
    covariance = np.stack([_joint(outcomes, quantities[:, i], None) for i in range(count)])
    return NormalGoal(covariance, np.stack([outcomes.noise] * count), np.full(count, 1 / count))


def _joint(outcomes: Outcomes, quantity: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the covariance of the outcomes and, last, a quantity, over weighted draws."""
    both = np.column_stack([outcomes.log_law, quantity])
    shares = np.full(len(both), 1 / len(both)) if weights is None else weights / weights.sum()
    away = both - shares @ both
    return np.asarray((away * shares[:, None]).T @ away)


def law_goal(
    fits: Mapping[str, Fit], weights: Mapping[str, float], points: Mapping[str, np.ndarray], random_seed: int
) -> LawGoal:
    """Tell which of several laws holds; what each is known to miss makes outcomes less telling."""
    mean, covariance, noise = [], [], []
    for fitted in fits.values():
        response = fitted.runs.response
        count = fitted.draws.count
        few = fitted.draws.take(evenly_spaced(min(DRAWS, count), count))
        log_law = few.log_value(points, response)
        found = infer_discrepancy(fitted)
        missed = found.log_center(points) - found.draws.log_value(points, response)
        mean.append(log_law.mean(axis=0))
        covariance.append(_covariance(log_law) + _covariance(missed))
        noise.append(np.full(log_law.shape[1], np.median(effective_noise(found.sigma, found.nu))))
    scores = np.random.default_rng(random_seed).standard_normal((SIMULATIONS, len(noise[0])))
    shares = np.array([weights[name] for name in fits])
    return LawGoal(np.stack(mean), np.stack(covariance), np.stack(noise), shares, scores)


def _covariance(values: np.ndarray) -> np.ndarray:
    away = values - values.mean(axis=0)
    return np.asarray(away.T @ away / len(away))

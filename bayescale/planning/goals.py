"""Which of the candidate runs to choose: goals that runs are chosen for, and the search within a spend."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
from scipy.linalg import cho_factor, cho_solve

POWERS = (0.0, 0.5, 1.0)
"""Greedy searches rank runs by gain over cost to these powers: by gain alone, by gain per FLOP, and between."""

PASSES = 4
"""Rounds in which each chosen run may be exchanged for a better one."""

LEAST_GAIN = 2e-3
"""Part of what is uncertain at first below which a further run is not worth listing."""

JITTER = 1e-9


class Goal(Protocol):
    """What the next runs are for."""

    @property
    def size(self) -> int:
        """Number of candidates."""

    def left(self, chosen: Sequence[int]) -> float:
        """Return what is expected to remain once these candidates are run."""

    def gains(self, chosen: Sequence[int]) -> np.ndarray:
        """Return by how much each candidate, run after these, is expected to lower that (candidate,)."""


@dataclass(frozen=True, eq=False)
class NormalGoal:
    """Outcomes of candidates and the quantities to be learned, jointly normal.

    Attributes
    ----------
    covariance : numpy.ndarray
        Of the outcomes without the noise of single runs, and of one quantity, which comes last (quantity, candidate +
        1, candidate + 1).
    noise : numpy.ndarray
        Variance of the noise of single runs (quantity, candidate).
    worth : numpy.ndarray
        What a unit of each quantity's variance costs (quantity,).
    """

    covariance: np.ndarray
    noise: np.ndarray
    worth: np.ndarray

    @property
    def size(self) -> int:
        """Number of candidates."""
        return int(self.noise.shape[1])

    def left(self, chosen: Sequence[int]) -> float:
        """Return the weighted variance that is left once these are run: exact, whatever their outcomes."""
        return float(self.worth @ self.variances(chosen))

    def variances(self, chosen: Sequence[int]) -> np.ndarray:
        """Return the variance of each quantity once these are run (quantity,)."""
        found = [_condition(*each, chosen) for each in zip(self.covariance, self.noise, strict=True)]
        return np.array([variances[-1] for variances, _ in found])

    def gains(self, chosen: Sequence[int]) -> np.ndarray:
        """Return the weighted variance that each candidate would take away (candidate,)."""
        total = np.zeros(self.size)
        for covariance, noise, worth in zip(self.covariance, self.noise, self.worth, strict=True):
            variances, shared = _condition(covariance, noise, chosen)
            total += worth * shared[:-1] ** 2 / (variances[:-1] + noise)
        total[list(chosen)] = 0.0
        return total


def _condition(covariance: np.ndarray, noise: np.ndarray, chosen: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return variances, and covariances with the last quantity, given the outcomes of the chosen candidates."""
    variances, shared = np.diagonal(covariance), covariance[-1]
    if not len(chosen):
        return variances, shared
    rows = list(chosen)
    seen = covariance[np.ix_(rows, rows)] + np.diag(noise[rows] + JITTER * variances[rows])
    across = covariance[rows]
    weights = cho_solve(cho_factor(seen, lower=True), across)
    return variances - (across * weights).sum(axis=0), shared - across[:, -1] @ weights


@dataclass(frozen=True, eq=False)
class LawGoal:
    """Which of several laws holds: what remains is the expected entropy of that question, in nats.

    Each law foresees the outcomes as jointly normal. Outcomes are simulated under each law in turn and every law's
    density of them is followed, run after run.

    Attributes
    ----------
    mean : numpy.ndarray
        Expected outcomes (law, candidate).
    covariance : numpy.ndarray
        Of outcomes without the noise of single runs (law, candidate, candidate).
    noise : numpy.ndarray
        Variance of that noise (law, candidate).
    weights : numpy.ndarray
        Probability of each law beforehand (law,).
    scores : numpy.ndarray
        Standard normal scores behind the simulated outcomes (simulation, candidate).
    """

    mean: np.ndarray
    covariance: np.ndarray
    noise: np.ndarray
    weights: np.ndarray
    scores: np.ndarray

    @cached_property
    def _state(self) -> "Callable[[tuple[int, ...]], _Followed]":
        """What is foreseen after some runs; the search asks for the last few again and again."""
        return lru_cache(maxsize=4)(self._follow)

    @property
    def size(self) -> int:
        """Number of candidates."""
        return int(self.noise.shape[1])

    def left(self, chosen: Sequence[int]) -> float:
        """Return the expected entropy of the laws once these are run."""
        state = self._state(tuple(chosen))
        return float(self.weights @ _entropy(state.log_density, self.weights).mean(axis=-1))

    def gains(self, chosen: Sequence[int]) -> np.ndarray:
        """Return by how much each candidate is expected to lower that entropy (candidate,)."""
        state = self._state(tuple(chosen))
        _, density = self._outcomes(state, slice(None))
        after = _entropy(state.log_density[..., None] + density, self.weights).mean(axis=1)
        gains = self.left(chosen) - self.weights @ after
        gains[list(chosen)] = 0.0
        return np.asarray(gains)

    def _outcomes(self, state: "_Followed", which: int | slice) -> tuple[np.ndarray, np.ndarray]:
        """Simulate outcomes under each law, and return them with every law's log density of them.

        Outcomes are (truth, simulation, candidate), densities (law, truth, simulation, candidate).
        """
        spread = np.diagonal(state.covariance, axis1=1, axis2=2)[:, which] + self.noise[:, which]
        mean = state.mean[..., which]
        own = np.stack([mean[law, law] for law in range(len(self.weights))])
        outcome = own + np.sqrt(spread)[:, None] * self.scores[:, which]
        away = (outcome - mean) ** 2 / spread[:, None, None]
        return outcome, -0.5 * (away + np.log(spread)[:, None, None])

    def _follow(self, chosen: tuple[int, ...]) -> "_Followed":
        """Return what each law foresees, and its density so far, once these are run."""
        if not chosen:
            laws, simulations = len(self.weights), len(self.scores)
            mean = np.broadcast_to(self.mean[:, None, None], (laws, laws, simulations, self.size))
            return _Followed(mean, self.covariance, np.zeros((laws, laws, simulations)))
        before, run = self._state(chosen[:-1]), chosen[-1]
        outcome, density = self._outcomes(before, slice(run, run + 1))
        across = before.covariance[:, run]
        gain = across / (across[:, run] + self.noise[:, run])[:, None]
        surprise = outcome - before.mean[..., run : run + 1]
        return _Followed(
            before.mean + gain[:, None, None] * surprise,
            before.covariance - gain[:, :, None] * across[:, None, :],
            before.log_density + density[..., 0],
        )


@dataclass(frozen=True, eq=False)
class _Followed:
    """What each law foresees after some runs, for outcomes simulated under each law as the truth."""

    mean: np.ndarray  # (law, truth, simulation, candidate)
    covariance: np.ndarray  # (law, candidate, candidate)
    log_density: np.ndarray  # of the outcomes so far (law, truth, simulation)


def _entropy(log_density: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the entropy of the laws given densities (law, truth, ...): (truth, ...)."""
    shape = (-1, *(1 for _ in log_density.shape[1:]))
    joint = log_density + np.log(weights).reshape(shape)
    joint = joint - joint.max(axis=0)
    chance = np.exp(joint)
    total = chance.sum(axis=0)
    return np.asarray(np.log(total) - (chance * joint).sum(axis=0) / total)


def choose(goal: Goal, costs: np.ndarray, spend: float, most: int) -> list[int]:
    """Return the candidates to run, the best per cost first.

    Greedy searches by gain, by gain per cost and between; in each, chosen runs are then exchanged for others while
    that helps; the best of the three is taken. For goals with diminishing returns the better of the first two keeps at
    least ``(1 - 1/e) / 2`` of the best gain there is (Leskovec et al. 2007, doi:10.1145/1281192.1281239); variances
    mostly, but not always, have them.

    Parameters
    ----------
    goal : Goal
        What the runs are for.
    costs : numpy.ndarray
        Of the candidates (candidate,).
    spend : float
        The most that all may cost together.
    most : int
        The most runs.
    """
    found = [_greedy(goal, costs, spend, most, power) for power in POWERS]
    if isinstance(goal, NormalGoal):
        found = [_exchanged(goal, chosen, costs, spend) for chosen in found]
    best = min(found, key=goal.left)
    return _greedy(goal, costs, spend, most, 1.0, among=best)


def _greedy(
    goal: Goal, costs: np.ndarray, spend: float, most: int, power: float, *, among: Sequence[int] | None = None
) -> list[int]:
    """Choose one run after the other by gain over cost to a power, among all candidates or some."""
    allowed = np.ones(goal.size, dtype=bool) if among is None else np.isin(np.arange(goal.size), among)
    least = LEAST_GAIN * goal.left(()) if among is None else -np.inf
    chosen: list[int] = []
    left = spend * (1 + 1e-9)
    while len(chosen) < most:
        gains = goal.gains(chosen)
        usable = allowed & (costs <= left) & (gains > least)
        usable[chosen] = False
        if not usable.any():
            break
        run = int(np.argmax(np.where(usable, gains / costs**power, -np.inf)))
        chosen.append(run)
        left -= float(costs[run])
    return chosen


def _exchanged(goal: NormalGoal, chosen: Sequence[int], costs: np.ndarray, spend: float) -> list[int]:
    """Exchange each chosen run for the affordable one that leaves least, until none is better."""
    current = list(chosen)
    for _ in range(PASSES):
        before = goal.left(current)
        for place in range(len(current)):
            rest = current[:place] + current[place + 1 :]
            affordable = costs <= (spend - costs[rest].sum()) * (1 + 1e-9)
            affordable[rest] = False
            gains = np.where(affordable, goal.gains(rest), -np.inf)
            best = int(np.argmax(gains))
            if gains[best] > gains[current[place]]:
                current[place] = best
        if not goal.left(current) < before * (1 - 1e-6):
            break
    return current

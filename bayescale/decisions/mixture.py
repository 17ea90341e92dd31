"""Mixture: the laws that a decision is averaged over, under draws in proportion to their weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayescale.comparison.comparison import Comparison, difference
from bayescale.errors import InputError
from bayescale.fits.draws import evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.laws.measured import TokenCost
from bayescale.runs import RunTable
from bayescale.splits.best_sizes import paths_of
from bayescale.splits.constraints import UNLIMITED, Constraints
from bayescale.splits.frontier import Frontier
from bayescale.splits.optimum import THINNED, check_splits
from bayescale.splits.search import (
    BestRuns,
    Search,
    best_runs,
    cheapest_runs,
    exhausting_flops,
    missing_columns,
    searches,
    splits,
)
from bayescale.words import chance, percent

LEAST_WEIGHT = 0.005
"""Laws of less stacking weight than this are not averaged."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """The laws of a decision, under some of their draws: so many of each that the laws count by their weights.

    Draws of all laws stand one below the other, in the order of the laws: wherever an array has a dimension of draws,
    it is this one. An option is a combination of further columns that the constraints offer.

    Attributes
    ----------
    fits : mapping of str to Fit
        The laws that have a best run.
    weights : mapping of str to float
        Their weights; they sum to 1.
    searches : mapping of str to sequence of Search
        What each law expects of the runs that the limits allow, one search for each option.
    constraints : Constraints
        The limits.
    random_seed : int
        Seed of what is drawn.
    notes : tuple of str
        Which laws take no part, and why.
    """

    fits: Mapping[str, Fit]
    weights: Mapping[str, float]
    searches: Mapping[str, Sequence[Search]]
    constraints: Constraints
    random_seed: int
    notes: tuple[str, ...]

    @property
    def runs(self) -> RunTable:
        """The runs behind the fits."""
        return next(iter(self.fits.values())).runs

    @property
    def frontiers(self) -> list[Frontier]:
        """The runs that the limits allow, for each option; the same under every law."""
        return [each.frontier for each in next(iter(self.searches.values()))]

    @property
    def cost(self) -> TokenCost:
        """How budgets are spent; the same under every law."""
        return self.frontiers[0].cost

    @property
    def sign(self) -> float:
        """1 where less of the response is better, -1 where more is."""
        return next(iter(self.searches.values()))[0].sign

    @property
    def counts(self) -> list[int]:
        """Number of draws of each law."""
        return [options[0].count for options in self.searches.values()]

    @property
    def law(self) -> np.ndarray:
        """Name of the law of each draw (draw,)."""
        return np.repeat(list(self.searches), self.counts)

    def split_by_law(self, values: np.ndarray) -> list[np.ndarray]:
        """Return values of the draws of each law, given those of all (draw, ...)."""
        return np.split(values, np.cumsum(self.counts)[:-1])

    def take(self, places: np.ndarray) -> "Mixture":
        """Return the same under some of the draws, at these places in rising order."""
        own = self.split_by_law(np.bincount(places, minlength=sum(self.counts)))
        rows = [np.repeat(np.arange(each.size), each) for each in own]
        pairs = zip(self.searches.items(), rows, strict=True)
        return replace(self, searches={name: [each.take(kept) for each in options] for (name, options), kept in pairs})

    def within(self, constraints: Constraints) -> "Mixture":
        """Return the same draws of the same laws within other limits."""
        found = {
            name: searches(self.fits[name], options[0].draws, constraints, self.random_seed, options[0].paths)
            for name, options in self.searches.items()
        }
        return replace(self, searches=found, constraints=constraints)

    def with_serving(self, tokens: float) -> "Mixture":
        """Return the same with other tokens to serve."""
        found = {name: [each.with_serving(tokens) for each in options] for name, options in self.searches.items()}
        return replace(self, searches=found)

    def losses(self, option: int, N: np.ndarray, D: np.ndarray) -> np.ndarray:
        """Return every law for runs, (point,) or (draw, point): (draw, point)."""
        parts = [values if np.ndim(values) < 2 else self.split_by_law(values) for values in (N, D)]
        each_N, each_D = ([part] * len(self.fits) if isinstance(part, np.ndarray) else part for part in parts)
        laws = zip(self.searches.values(), each_N, each_D, strict=True)
        return np.concatenate([options[option].loss(N, D) for options, N, D in laws])

    def log_value(self, points: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the log of every law at columns in counts, whatever the limits (draw, point)."""
        draws = [options[0].draws for options in self.searches.values()]
        return np.concatenate([each.log_value(points, self.runs.response) for each in draws])

    @property
    def noise(self) -> tuple[np.ndarray, np.ndarray]:
        """Scale and degrees of freedom of the noise of single runs (draw,)."""
        draws = [options[0].draws for options in self.searches.values()]
        sigma, nu = (np.concatenate([each[name] for each in draws]) for name in ("sigma", "nu"))
        return sigma, nu

    def find_best(self, budgets: np.ndarray) -> BestRuns:
        """Return the best run of each budget, over all options (draw, budget)."""
        return BestRuns.joined([best_runs(options, budgets) for options in self.searches.values()])

    def find_cheapest(self, losses: np.ndarray, most: np.ndarray | None = None) -> BestRuns:
        """Return the cheapest run that reaches each loss, (loss,) or (draw, loss): (draw, loss).

        ``most`` is a budget that is known to reach it, where there is one (draw, loss).
        """
        count = len(self.fits)
        targets = self.split_by_law(losses) if np.ndim(losses) > 1 else [losses] * count
        known = [None] * count if most is None else self.split_by_law(most)
        laws = zip(self.searches.values(), targets, known, strict=True)
        return BestRuns.joined([cheapest_runs(options, target, upper) for options, target, upper in laws])

    def locate(self, budgets: np.ndarray) -> tuple["Mixture", BestRuns]:
        """Return the best run of each budget (draw, budget), under the draws that have one for every budget.

        Where a law has lost draws, the others go on with fewer: its weight stays what it is. A budget that leaves no
        choice is an ``InputError``.
        """
        for frontier in self.frontiers:
            frontier.check(budgets)
        best = self.find_best(budgets)
        places = self.in_proportion(best.located.all(axis=1))
        return self.take(places), best.take(places)

    def in_proportion(self, usable: np.ndarray) -> np.ndarray:
        """Return places of usable draws, so many of each law as its weight is, evenly spaced (draw,)."""
        places = [np.flatnonzero(each) for each in self.split_by_law(usable)]
        counts = counts_by_weight([each.size for each in places], list(self.weights.values()), max(self.counts))
        starts = np.cumsum([0, *self.counts[:-1]])
        pairs = zip(starts, places, counts, strict=True)
        return np.concatenate([start + own[evenly_spaced(count, own.size)] for start, own, count in pairs])

    def exhausting_flops(self, tokens: float, option: int = 0) -> np.ndarray:
        """Return the budget from which on the best run uses so many tokens (draw,); NaN without one."""
        return np.concatenate([exhausting_flops(options[option], tokens) for options in self.searches.values()])


def counts_by_weight(available: Sequence[int], weights: Sequence[float], total: int) -> list[int]:
    """Return how many draws of each law to take, in proportion to the weights: ``total``, or as many as there are."""
    pairs = list(zip(available, weights, strict=True))
    whole = min([float(total), *(most / weight for most, weight in pairs if most)])
    return [min(most, max(1, round(weight * whole))) for most, weight in pairs]


def mixture(
    source: Fit | Comparison,
    budgets: np.ndarray,
    constraints: Constraints = UNLIMITED,
    *,
    draws: int | None = None,
    alone: bool = False,
    random_seed: int = 0,
) -> Mixture:
    """Return the laws that decide about these budgets within these limits.

    Parameters
    ----------
    source : Fit or Comparison
        A fit, or a comparison, whose laws are averaged by their stacking weights.
    budgets : numpy.ndarray
        In FLOP (budget,).
    constraints : Constraints
        The limits.
    draws : int, optional
        Draws of all laws together; by default as many as the fit with most draws has.
    alone : bool
        Whether laws are taken at their word, without what they miss of the best size.
    random_seed : int
        Seed of what is drawn.

    Raises
    ------
    InputError
        If no law has a best run, or laws do not allow the same runs.
    """
    fits, weights, notes = laws_that_split(source, budgets, constraints)
    available = [fitted.draws.count for fitted in fits.values()]
    counts = counts_by_weight(available, list(weights.values()), draws or max(available))
    found = {}
    for (name, fitted), count, most in zip(fits.items(), counts, available, strict=True):
        places = evenly_spaced(count, most)
        paths = None if alone else paths_of(fitted, random_seed=random_seed)
        found[name] = searches(
            fitted, fitted.draws.take(places), constraints, random_seed, None if paths is None else paths.take(places)
        )
    _check_alike(found)
    return Mixture(fits, weights, found, constraints, random_seed, tuple(notes))


def _check_alike(found: Mapping[str, Sequence[Search]]) -> None:
    """Raise InputError unless the laws allow the same runs: one D for each N, whatever the law."""
    first, *others = found
    for other in others:
        one, two = (found[name][0].frontier for name in (first, other))
        if one.cost != two.cost:
            raise InputError(
                f"laws {first} and {other} count the cost of a run differently ({one.cost.formula}; "
                f"{two.cost.formula}): they cannot be averaged; allocate by one of them"
            )
        if one.cap != two.cap:
            raise InputError(
                f"of laws {first} and {other} one knows what repeated tokens are worth and the other does not: give "
                "repetition, or allocate by one of them"
            )


def laws_that_split(
    source: Fit | Comparison, budgets: np.ndarray, constraints: Constraints = UNLIMITED
) -> tuple[dict[str, Fit], dict[str, float], list[str]]:
    """Return the fits that have a best split, their weights, and what is to be said of the others."""
    if isinstance(source, Fit):
        _check_alone(source, budgets, constraints)
        return {source.law.name: source}, {source.law.name: 1.0}, []
    weights = {str(name): float(weight) for name, weight in source.table["weight"].items()}
    laws = {name: source.fits[name] for name in weights if splits(source.fits[name].law)}
    apart = [_needs(fitted, constraints) for fitted in laws.values() if missing_columns(fitted.law, constraints)]
    usable = {name: fitted for name, fitted in laws.items() if not missing_columns(fitted.law, constraints)}
    split = {name: weights[name] for name, fitted in usable.items() if _has_best(fitted, budgets, constraints)}
    if not split:
        raise InputError(
            f"none of the laws {', '.join(source.fits)} has a best split of N and D; add one that has, "
            f"such as chinchilla{''.join(f'; {each}' for each in apart)}"
        )
    best = next(iter(split))
    kept = {name: weight for name, weight in split.items() if not _refuted(source, name, best)}
    shares = _renormalised(kept)
    known = {name: weight for name, weight in weights.items() if name in usable or name not in laws}
    notes = [f"{each}, so it is not averaged" for each in apart] + _left_out(known, split, kept)
    return {name: source.fits[name] for name in shares}, shares, notes


def _check_alone(fitted: Fit, budgets: np.ndarray, constraints: Constraints) -> None:
    """Raise InputError if a law has no best split."""
    if not splits(fitted.law):
        check_splits(fitted.law)
    if not _has_best(fitted, budgets, constraints):
        served = "; serve fewer tokens, or spend more" if constraints.inference_tokens else ""
        raise InputError(
            f"law '{fitted.law.name}' has its smallest loss at the edge of the searched range of D/N: it has no "
            f"best split; allocate with a law that has one, such as chinchilla{served}"
        )


def _needs(fitted: Fit, constraints: Constraints) -> str:
    columns = ", ".join(missing_columns(fitted.law, constraints))
    return f"{fitted.law.name} needs {columns} among the covariates of the constraints"


def _has_best(fitted: Fit, budgets: np.ndarray, constraints: Constraints) -> bool:
    """Return whether most draws have a best run at these budgets, inside the search or at a limit."""
    options = searches(fitted, fitted.draws.take(slice(None, None, THINNED)), constraints)
    least = max(1.01 * each.frontier.least_flops for each in options)
    ends = np.maximum([np.min(budgets), np.max(budgets)], least)  # what pays for no run is told when it is asked for
    return bool(best_runs(options, ends).located.mean() > 0.5)


def _refuted(comparison: Comparison, law: str, best: str) -> bool:
    """Return whether a law is decidedly worse than the best: it may help predictions, but not decisions."""
    behind = difference(comparison, law, best)
    return behind.decided and behind.elpd_diff < 0


def _renormalised(kept: Mapping[str, float]) -> dict[str, float]:
    """Return weights that sum to 1, without laws too light to count; all on the best law if none is heavy."""
    total = sum(kept.values())
    if total < LEAST_WEIGHT:
        return {next(iter(kept)): 1.0}
    heavy = {name: weight for name, weight in kept.items() if weight >= LEAST_WEIGHT * total}
    return {name: weight / sum(heavy.values()) for name, weight in heavy.items()}


def _left_out(weights: Mapping[str, float], split: Mapping[str, float], kept: Mapping[str, float]) -> list[str]:
    """Say which laws take no part in the average, and why."""
    silent = {name: weight for name, weight in weights.items() if name not in split}
    refuted = {name: weight for name, weight in split.items() if name not in kept}
    notes = []
    if silent:
        notes.append(f"without a best split, so not averaged: {_with_weights(silent)}")
    if refuted:
        notes.append(
            f"decidedly worse than {next(iter(split))} on these runs, so not averaged: {_with_weights(refuted)}"
        )
    if sum(silent.values()) > 0.5:
        notes.append(
            f"laws without a best split hold {percent(sum(silent.values()), 2)} of the stacking weight: on these runs "
            "the split is not what decides the loss, and the recommendation rests on the other laws"
        )
    return notes


def _with_weights(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{name} (weight {chance(weight)})" for name, weight in weights.items())

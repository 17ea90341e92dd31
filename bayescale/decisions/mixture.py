"""Which laws a decision is averaged over, by which weights, and the draws of each."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayescale.comparison.comparison import Comparison, difference
from bayescale.decisions.regret import Posed, check_alike
from bayescale.errors import InputError
from bayescale.fits.draws import Draws, evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.splits.constraints import UNLIMITED, Constraints
from bayescale.splits.optimum import THINNED, check_splits
from bayescale.splits.search import best_runs, missing_columns, searches, splits
from bayescale.words import chance, percent

LEAST_WEIGHT = 0.005
"""Laws of less stacking weight than this are not averaged."""


@dataclass(frozen=True, eq=False)
class Averaged:
    """The laws of a decision.

    Attributes
    ----------
    fits : mapping of str to Fit
        The laws that have a best run.
    weights : mapping of str to float
        Their weights; they sum to 1.
    posed : mapping of str to sequence of Candidates
        What each expects of the runs that the limits allow, under evenly spaced draws in proportion to its weight.
    constraints : Constraints
        The limits.
    random_seed : int
        Seed of what is drawn.
    notes : tuple of str
        Which laws take no part, and why.
    """

    fits: Mapping[str, Fit]
    weights: Mapping[str, float]
    posed: Posed
    constraints: Constraints
    random_seed: int
    notes: tuple[str, ...]


def averaged(
    source: Fit | Comparison, budgets: np.ndarray, constraints: Constraints = UNLIMITED, random_seed: int = 0
) -> Averaged:
    """Return the laws that decide about these budgets within these limits.

    Raises
    ------
    InputError
        If no law has a best run, or laws do not allow the same runs.
    """
    fits, weights, notes = laws_that_split(source, budgets, constraints)
    samples = _mixture(fits, weights)
    posed = {name: searches(fitted, samples[name], constraints, random_seed) for name, fitted in fits.items()}
    check_alike(posed)
    return Averaged(fits, weights, posed, constraints, random_seed, tuple(notes))


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


def _mixture(fits: Mapping[str, Fit], weights: Mapping[str, float]) -> dict[str, Draws]:
    """Return evenly spaced draws of each law, in proportion to its weight."""
    total = max(fitted.draws.count for fitted in fits.values())
    samples = {}
    for name, fitted in fits.items():
        available = fitted.draws.count
        count = available if len(fits) == 1 else max(1, round(weights[name] * total))
        samples[name] = fitted.draws.take(evenly_spaced(min(count, available), available))
    return samples

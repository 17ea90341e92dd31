"""Question: which laws decide what about the targets, and which laws are to be distinguished."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.comparison.comparison import Comparison
from bayescale.decisions.mixture import Mixture
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.laws.costs import DENSE
from bayescale.laws.measured import TokenCost
from bayescale.planning.beliefs import (
    Decision,
    believe,
    candidate_points,
    decide,
    foresee,
    law_goal,
    loss_goal,
    regret_goal,
    size_goal,
)
from bayescale.planning.goals import Goal
from bayescale.planning.proposals import check_candidates, design_candidates
from bayescale.runs import RunTable
from bayescale.words import percent

LEAST_CHANCE = 0.005
"""Laws that are the best with less probability than this are not among those to be distinguished."""


@dataclass(frozen=True, eq=False)
class Question:
    """Who decides what.

    Attributes
    ----------
    table : RunTable
        The runs done so far.
    flops : numpy.ndarray
        Budgets of the decision (target,).
    laws : Mixture or None
        The laws that split, under draws that have a best split at every target; None where there is none.
    decision : Decision or None
        The decision under them.
    contenders : mapping of str to Fit
        The laws to be distinguished; empty unless that is the aim.
    chances : mapping of str to float
        Probability of each of being the best.
    notes, doubts : tuple of str
        What a reader must know.
    """

    table: RunTable
    flops: np.ndarray
    laws: Mixture | None
    decision: Decision | None
    contenders: Mapping[str, Fit]
    chances: Mapping[str, float]
    notes: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def fits(self) -> dict[str, Fit]:
        """The fits of all laws that take part."""
        return {**(self.laws.fits if self.laws else {}), **self.contenders}

    @property
    def cost(self) -> TokenCost:
        """What a run costs."""
        first = next(iter(self.fits.values()))
        return first.draws.cost if first.law.cost == DENSE else DENSE

    def token_cost(self, N: np.ndarray) -> np.ndarray:
        """Return the FLOP of one training token (any shape)."""
        return np.asarray(self.cost.per_token(N, {}))


def ask(source: Fit | Comparison, flops: np.ndarray, aim: str) -> Question:
    """Return who decides about these targets; InputError where no law does and the aim needs one."""
    table = source.runs
    absent = [name for name in ("N", "D", "C") if name not in table.frame]
    if absent:
        raise InputError(f"{table.name}: a plan needs N, D and C of every run; the table has no {', '.join(absent)}")
    contenders, chances = _contenders(source) if aim == "laws" and isinstance(source, Comparison) else ({}, {})
    try:
        laws, lost = believe(source, flops)
    except InputError as error:
        if aim != "laws":
            raise
        said = (f"regret is not reported: {error}",)
        return Question(table, flops, None, None, contenders, chances, said, _doubts(contenders))
    doubts = (*_doubts({**laws.fits, **contenders}), *lost)
    return Question(table, flops, laws, decide(laws, flops), contenders, chances, laws.notes, doubts)


def _contenders(comparison: Comparison) -> tuple[dict[str, Fit], dict[str, float]]:
    """Return the laws that are not decidedly worse than the best, and the probability of each of being the best."""
    table = comparison.table
    open_ = table[~table["decided"].astype(bool) & ~(table["best_probability"] < LEAST_CHANCE)]
    names = [str(name) for name in open_.index]
    if len(names) < 2:
        best = str(table.index[0])
        raise InputError(
            f"no laws are left to distinguish: {best} is decidedly better than the other laws compared, or better with "
            f"a probability above {percent(1 - LEAST_CHANCE)}; choose another aim, or compare other laws"
        )
    chances = open_["best_probability"].fillna(1.0)  # of one training run there are none
    shares = {name: float(chances[name] / chances.sum()) for name in names}
    return {name: comparison.fits[name] for name in names}, shares


def _doubts(fits: Mapping[str, Fit]) -> tuple[str, ...]:
    return tuple(f"{name}: {failure}" for name, fitted in fits.items() for failure in fitted.diagnostics.failures)


def list_candidates(candidates: pd.DataFrame | None, question: Question, spend: float) -> pd.DataFrame:
    """Return the runs that could be done, the user's or a design of our own, with their cost."""
    needed = [name for fitted in question.fits.values() for name in fitted.law.covariates]
    if candidates is not None:
        return check_candidates(candidates, needed, spend, question.cost)
    frame = question.table.frame
    ratio = float(np.exp(np.log(frame["D"] / frame["N"]).mean()))
    if question.decision is not None:
        N = np.exp(question.decision.chosen)
        ratio = float(np.exp(np.mean(np.log(question.flops / question.token_cost(N) / N))))
    return check_candidates(design_candidates(question.table, spend, ratio, question.cost), needed, spend)


def goals_of(question: Question, listed: pd.DataFrame, aim: str, random_seed: int) -> dict[str, Goal]:
    """Return the goal of the aim, and that of the regret where a law has a best split."""
    goals: dict[str, Goal] = {}
    points = candidate_points(question.fits, listed)
    if question.laws is not None and question.decision is not None:
        outcomes = foresee(question.laws, points)
        goals["regret"] = regret_goal(question.decision, outcomes)
        goals["size"] = size_goal(question.decision, outcomes)
        if aim == "loss":
            goals["loss"] = loss_goal(question.decision, outcomes)
    if aim == "laws":
        goals["laws"] = law_goal(question.contenders, question.chances, points, random_seed)
    return goals

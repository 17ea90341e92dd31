"""plan: which runs to do next, so that a decision about a larger one is made well."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.comparison.comparison import Comparison
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.hardware import read_budgets
from bayescale.planning.beliefs import candidate_points
from bayescale.planning.check import Check, check_notes, simulate_outcomes
from bayescale.planning.goals import Goal, NormalGoal, choose
from bayescale.planning.question import Question, ask, goals_of, list_candidates
from bayescale.planning.slice_offer import slice_offer
from bayescale.runs import RunTable
from bayescale.runs.frames import Frame, to_pandas
from bayescale.values import Value
from bayescale.words import percent, short, typed

type Aim = Literal["regret", "laws", "size", "loss"]

AIMS: Mapping[str, str] = {
    "regret": "expected regret of the split at the target",
    "laws": "entropy of which law holds, in nats",
    "size": "s.d. of ln N* at the target",
    "loss": "s.d. of the log of the law's loss at the target",
}
"""What each aim lowers."""

LEAST_SAVING = 1e-3
"""Part of the target's compute; runs that are expected to save less do not change the decision."""

LEAST_PART = 0.05
"""Part of what an aim lowers; runs that take away less do not count."""

MOST_RUNS = 100


@dataclass(frozen=True, eq=False, repr=False)
class Plan(Value):
    """The next runs to do, and what they are expected to tell.

    Attributes
    ----------
    aim : str
        What the runs were chosen for: ``regret``, ``laws``, ``size`` or ``loss``.
    spend : float
        The most that they may cost together, in FLOP.
    runs : pandas.DataFrame
        The runs, the one that lowers the aim most per FLOP first: the candidate's columns, ``tokens_per_parameter``,
        ``flops``, ``candidate`` (its row of ``candidates``), ``regret_saved`` (expected regret that it takes away after
        those before it, in the response's unit, mean over targets), ``gain`` (the same of the aim), and for the aim
        ``regret`` ``flops_saved`` (what that would take at the targets, to be held against ``flops``).
    candidates : pandas.DataFrame
        Every candidate: its columns, ``flops``, ``gain`` (what it alone would take away of the aim), ``affordable`` and
        ``place`` (its place among the runs from 1, or 0).
    targets : pandas.DataFrame
        For each target: ``flops``, ``N`` and ``D`` of the split of least expected loss, ``expected_regret_before`` and
        ``_after``, and ``factor_before`` and ``_after``: how many times larger the upper end of the credible interval
        of N* is than the lower, and ``flops_saved``, what the saved regret would take there in FLOP, to be held against
        what the runs cost. Empty where no law has a best split.
    expected_regret_before, expected_regret_after : float
        Mean over targets, in the response's unit; NaN where no law has a best split.
    aim_before, aim_after, aim_bound : float
        What the aim lowers: now, with these runs, and with every candidate: no plan whatever leaves less.
    check : Check or None
        The same regret by reweighting the draws with simulated outcomes, and how far that can be trusted.
    worthwhile : bool
        Whether the runs would change the decision by more than nothing.
    paying : int
        How many of the runs, from the first on, are worth their cost: for the aim ``regret`` those after which the
        compute saved at the targets exceeds what the runs cost by most; for other aims, which save no compute, all.
    headline : str
        Yes or no, in a sentence.
    weights : mapping of str to float
        Weight of each law in the average; for the aim ``laws`` the probability beforehand of being the best.
    probability : float
        Of the intervals of N*.
    source : RunTable
        The runs done so far.
    notes : tuple of str
        What a reader must know of these numbers.
    doubts : tuple of str
        What the diagnostics hold against them.
    """

    aim: str
    spend: float
    runs: pd.DataFrame
    candidates: pd.DataFrame
    targets: pd.DataFrame
    expected_regret_before: float
    expected_regret_after: float
    aim_before: float
    aim_after: float
    aim_bound: float
    check: Check | None
    worthwhile: bool
    paying: int
    headline: str
    weights: Mapping[str, float]
    probability: float
    source: RunTable
    notes: tuple[str, ...]
    doubts: tuple[str, ...]

    def _lines(self) -> list[str]:
        cost = typed(float(self.runs["flops"].sum()))
        head = f"Plan: {len(self.runs)} of {len(self.candidates)} candidates, {cost} FLOP of {typed(self.spend)}"
        if self.aim == "regret":  # the headline has it, in compute
            return [self.headline, head]
        change = f"{short(self.aim_before, 3)} before, {short(self.aim_after, 3)} after"
        return [self.headline, head, f"{AIMS[self.aim]}: {change}"]

    def _shown(self) -> pd.DataFrame:
        return self.runs


@checks.kinds
def plan(
    source: Fit | Comparison,
    candidates: Frame | None = None,
    *,
    spend: float,
    target: float | Sequence[float],
    aim: Aim = "regret",
    runs: int | None = None,
    probability: float = 0.9,
    random_seed: int = 0,
) -> Plan:
    """Choose the next runs within a spend, so that the decision at a target is made best.

    Outcomes of candidates and what is to be learned are taken as jointly normal, with the covariance of the posterior
    draws, the noise of single runs, and what the law is expected to miss away from the target. What is left once some
    runs are done then follows without a refit. Draws count by the curvature of their loss, so that for the aim
    ``regret`` it is the expected regret of the best rule that is linear in the outcomes. Single runs teach a law's
    parameters; where no isoFLOP slice shows what the law misses of its best size, the plan says what one would save.

    Parameters
    ----------
    source : Fit or Comparison
        A fit of a law of N and D, or a comparison, whose laws are averaged as by :func:`bayescale.allocate`.
    candidates : DataFrame, table or mapping, optional
        Runs that could be done, of pandas, polars or pyarrow, or as a dict of columns: ``N``, ``D``, further columns
        that the laws need, and ``flops`` where the cost is not ``C``, or what such runs cost (6 N D, or by the table's
        own C). Each can be chosen once. By default equal budgets up to the spend at several D/N, and a ladder.
    spend : float
        The most that the runs may cost together, in FLOP.
    target : float or sequence of float
        Budgets of the decision to be made, in FLOP; they count alike.
    aim : {"regret", "laws", "size", "loss"}
        Lower the expected regret of the split at the target; distinguish the laws; narrow N*; narrow the law's loss.
    runs : int, optional
        At most this many runs; by default all affordable runs that are informative.
    probability : float
        Of the intervals of N* before and after.
    random_seed : int
        Of the simulated outcomes.

    Returns
    -------
    Plan
        The runs, the best per FLOP first, with what is expected of them.

    Raises
    ------
    InputError
        If the spend, a target or the number of runs is not positive, the aim is unknown, no candidate is affordable or
        one lacks a column, no law has a best split, or one fit is asked which law holds.
    """
    _check(source, spend, aim, runs, probability)
    flops = read_budgets(target, "target")
    question = ask(source, flops, aim)
    given = None if candidates is None else to_pandas("candidates", candidates)
    listed = list_candidates(given, question, spend)
    goals = goals_of(question, listed, aim, random_seed)
    costs = listed["flops"].to_numpy()
    chosen = choose(goals[aim], costs, spend, runs or MOST_RUNS)
    found = _plan(question, listed, goals, chosen, aim=aim, spend=spend, probability=probability)
    return _marked(_with_slice(_with_check(found, question, random_seed), question))


def _marked(found: Plan) -> Plan:
    """Say in the headline where diagnostics failed: it is read alone."""
    if not found.doubts:
        return found
    failed = ", ".join(dict.fromkeys(doubt.partition(":")[0] for doubt in found.doubts))
    headline = f"Doubtful, by the diagnostics ({failed}): {found.headline[:1].lower()}{found.headline[1:]}"
    return dataclasses.replace(found, headline=headline)


def _check(source: Fit | Comparison, spend: object, aim: str, runs: object, probability: float) -> None:
    checks.probability(probability)
    if aim not in AIMS:
        raise InputError(f"aim is {aim!r}; expected one of {', '.join(AIMS)}")
    checks.above_zero("spend", spend, "FLOP", "1e20")
    if not (runs is None or (isinstance(runs, int) and runs >= 1)):
        raise InputError(f"runs is {runs!r}; expected the most runs, a whole number of at least 1")
    if aim == "laws" and isinstance(source, Fit):
        raise InputError("aim is 'laws' and one fit was given; which law holds takes a comparison of several")


def _with_check(found: Plan, question: Question, random_seed: int) -> Plan:
    """Add what reweighting says of the regret, and a note where the two disagree."""
    if question.laws is None or question.decision is None or found.runs.empty:
        return found
    points = candidate_points(question.laws.fits, found.runs)
    check = simulate_outcomes(question.laws, question.decision, points, random_seed)
    said = (found.expected_regret_before, found.expected_regret_after)
    return dataclasses.replace(found, check=check, notes=(*found.notes, *check_notes(check, said)))


def _with_slice(found: Plan, question: Question) -> Plan:
    """Say first what an isoFLOP slice would save, for the aims that are about the size."""
    if question.laws is None or found.aim not in ("regret", "size"):
        return found
    first, notes = slice_offer(question.laws, question.flops, found.spend, found.probability)
    rest = f" Single runs: {found.headline[:1].lower()}{found.headline[1:]}" if found.paying else ""
    headline = first + rest if first else found.headline
    return dataclasses.replace(found, headline=headline, notes=(*found.notes, *notes))


# Notes


def _plan(
    question: Question,
    listed: pd.DataFrame,
    goals: Mapping[str, Goal],
    chosen: Sequence[int],
    *,
    aim: str,
    spend: float,
    probability: float,
) -> Plan:
    goal, everything = goals[aim], range(len(listed))
    left = {name: _left(each, chosen) for name, each in goals.items()}
    nothing = np.full(len(chosen) + 1, np.nan)
    regrets = left.get("regret", nothing)
    scale = np.sqrt if aim in ("size", "loss") else np.asarray
    lowered = scale(left[aim])
    place = np.zeros(len(listed), dtype=int)
    place[list(chosen)] = np.arange(1, len(chosen) + 1)
    affordable = listed["flops"].to_numpy() <= spend
    alone = scale(goal.left(())) - scale(np.maximum(goal.left(()) - goal.gains(()), 0.0))
    targets = _targets(question, goals, chosen, probability)
    saving = _saving(question, targets)
    targets["flops_saved"] = saving * targets["flops"]
    worthwhile = _is_worthwhile(aim, lowered, saving, chosen)
    costs = listed["flops"].to_numpy()[list(chosen)].cumsum()
    saved = _saved_by_prefix(question, goals, chosen, probability) if aim == "regret" else None
    paying = (len(chosen) if saved is None else _paying(saved, costs)) if worthwhile else 0
    notes = [*question.notes, *_notes(question, listed.iloc[list(chosen)])]
    return Plan(
        aim=aim,
        spend=float(spend),
        runs=_runs(listed, chosen, regrets, lowered, saved),
        candidates=listed.assign(gain=alone, affordable=affordable, place=place),
        targets=targets,
        expected_regret_before=float(regrets[0]),
        expected_regret_after=float(regrets[-1]),
        aim_before=float(lowered[0]),
        aim_after=float(lowered[-1]),
        aim_bound=float(scale(goal.left(everything))) if isinstance(goal, NormalGoal) else 0.0,
        check=None,
        worthwhile=worthwhile,
        paying=paying,
        headline=_headline(aim, costs, saved, paying, compute=question.flops.sum())
        if worthwhile
        else _worthless(aim, lowered, saving),
        weights=question.chances or (question.laws.weights if question.laws else {}),
        probability=probability,
        source=question.table,
        notes=tuple(notes),
        doubts=question.doubts,
    )


def _runs(
    listed: pd.DataFrame, chosen: Sequence[int], regrets: np.ndarray, lowered: np.ndarray, saved: np.ndarray | None
) -> pd.DataFrame:
    """Return the chosen runs in their order, with their ratio and what each takes away."""
    taken = listed.iloc[list(chosen)].reset_index(drop=True)
    taken.insert(taken.columns.get_loc("D") + 1, "tokens_per_parameter", taken["D"] / taken["N"])
    taken = taken.assign(candidate=list(chosen), regret_saved=-np.diff(regrets), gain=-np.diff(lowered))
    return taken if saved is None else taken.assign(flops_saved=np.diff(saved, prepend=0.0))


def _left(goal: Goal, chosen: Sequence[int]) -> np.ndarray:
    """Return what is left after none, one, two, ... of the chosen runs."""
    return np.array([goal.left(chosen[:count]) for count in range(len(chosen) + 1)])


def _targets(question: Question, goals: Mapping[str, Goal], chosen: Sequence[int], probability: float) -> pd.DataFrame:
    """Return regret and interval of N* at each target, before and after."""
    columns = ("flops", "N", "D", "expected_regret_before", "expected_regret_after", "factor_before", "factor_after")
    regret, size, decision = goals.get("regret"), goals.get("size"), question.decision
    if not (isinstance(regret, NormalGoal) and isinstance(size, NormalGoal) and decision is not None):
        return pd.DataFrame(columns=list(columns), dtype=float)
    N = np.exp(decision.chosen)
    width = 2 * NormalDist().inv_cdf((1 + probability) / 2)
    many = question.flops.size * regret.worth
    factors = [np.exp(width * np.sqrt(size.variances(which))) for which in ((), chosen)]
    values = (
        question.flops,
        N,
        question.flops / question.token_cost(N),
        *(many * regret.variances(which) for which in ((), chosen)),
        *factors,
    )
    return pd.DataFrame(dict(zip(columns, values, strict=True)))


def _saving(question: Question, targets: pd.DataFrame) -> np.ndarray:
    """Return what the saved regret is worth, as a part of each target's compute (target,)."""
    if question.decision is None:
        return np.zeros(0)
    saved = targets["expected_regret_before"] - targets["expected_regret_after"]
    per_fold = np.maximum(question.decision.per_fold, np.finfo(float).tiny)  # of a law that is flat in compute, zero
    return np.asarray(-np.expm1(-np.maximum(saved.to_numpy(), 0.0) / per_fold))


def _is_worthwhile(aim: str, lowered: np.ndarray, saving: np.ndarray, chosen: Sequence[int]) -> bool:
    if not len(chosen):
        return False
    if aim == "regret":
        return bool(saving.max() >= LEAST_SAVING)
    return bool(lowered[-1] <= (1 - LEAST_PART) * lowered[0])


def _saved_by_prefix(
    question: Question, goals: Mapping[str, Goal], chosen: Sequence[int], probability: float
) -> np.ndarray:
    """Return the FLOP that the first one, two, ... of the chosen runs save at all targets (run,)."""
    found = []
    for count in range(1, len(chosen) + 1):
        targets = _targets(question, goals, chosen[:count], probability)
        found.append(float((_saving(question, targets) * targets["flops"].to_numpy()).sum()))
    return np.array(found)


def _paying(saved: np.ndarray, costs: np.ndarray) -> int:
    """Return after how many runs the compute saved exceeds their cost by most; 0 where it never exceeds it."""
    net = np.concatenate([[0.0], saved - costs])
    return int(np.argmax(net))


def _headline(aim: str, costs: np.ndarray, saved: np.ndarray | None, paying: int, *, compute: float) -> str:
    """Say whether the runs are worth doing, and how many of them; ``compute`` is that of all targets."""
    if saved is None:
        return f"These {len(costs)} runs, {typed(costs[-1])} FLOP in all, are expected to lower the {AIMS[aim]}."
    if not paying:
        return (
            f"No run is worth its cost: go and train. All {len(costs)} would cost {typed(costs[-1])} FLOP and save "
            f"{short(saved[-1])}."
        )
    rest = len(costs) - paying
    first = f"the first {paying}" if paying > 1 else "the first"
    what = "this run" if len(costs) == 1 else f"{first} of {len(costs)} runs" if rest else f"all {paying} runs"
    cost, worth, part = costs[paying - 1], saved[paying - 1], saved[paying - 1] / compute
    if part < LEAST_SAVING:
        return (
            f"Go and train: {what} would pay ({short(cost)} FLOP to save {short(worth)}), but that is only "
            f"{percent(part, 2)} of the compute."
        )
    left = f" The other {rest} would cost more than they save." if rest else ""
    return f"Worth doing: {what}, {short(cost)} FLOP to save {short(worth)} ({percent(part, 2)} of the compute).{left}"


def _notes(question: Question, chosen: pd.DataFrame) -> list[str]:
    notes = []
    largest = float(question.table.frame["C"].max())
    beyond = question.flops.max() / max(largest, float(chosen["flops"].max()) if len(chosen) else 0.0)
    if beyond > 1:
        notes.append(
            f"targets reach {short(beyond)} times the largest run done or planned: what these runs show about them "
            "rests on the law"
        )
    return notes


def _worthless(aim: str, lowered: np.ndarray, saving: np.ndarray) -> str:
    if aim == "regret":
        most = saving.max() if saving.size else 0.0
        return (
            f"No affordable run would change the decision: the best are expected to save {percent(max(most, 0.0), 2)} "
            f"of the target's compute, less than {percent(LEAST_SAVING)}."
        )
    part = 1 - lowered[-1] / lowered[0] if lowered[0] > 0 else 0.0
    return f"No affordable run would be informative: the best remove {percent(part, 2)} of the {AIMS[aim]}."

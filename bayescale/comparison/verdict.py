"""judge: whether, and over which tokens per parameter, compute alone explains loss."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.comparison.comparison import Comparison, difference
from bayescale.comparison.ranking import FEW_ROWS, Difference
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.intervals import Interval, credible_interval
from bayescale.laws.measured import sizes
from bayescale.runs import RunTable, describe
from bayescale.splits.frontier import RATIOS
from bayescale.splits.optimum import find_optimum, has_optimum
from bayescale.splits.ranges import (
    RatioRange,
    chance_inside,
    ratio_ends,
    ratio_range,
)
from bayescale.splits.waste import Waste, find_waste
from bayescale.values import Value, folded
from bayescale.words import nats, percent, short

LEAST_SPREAD = 0.1
"""Least s.d. of log10 N among runs of like compute, in decades, for a table to speak about the split."""

WIDEST_OPTIMUM = 1.0
"""Widest credible interval of the best D/N, in decades, that still counts as locating it."""

COVERED = (0.1, 0.9)
"""Quantiles of the runs' D/N between which compute must suffice for a yes."""

REMEDY_RATIOS = (1 / 16, 1 / 4, 1, 4, 16)
"""D/N of the runs that would decide, over that of a typical run: N from 4 times smaller to 4 times larger."""

GRID = 541
"""Points of D/N, 60 per decade."""

NAMED_BUDGETS = (1e21, 5.76e23)
"""Budgets whose range is reported too, in FLOP: one of a small study, and that of Gopher and Chinchilla."""

FARTHEST = 100.0
"""Times the largest run beyond which no range is reported: it would rest on the law alone."""


@dataclass(frozen=True, eq=False, repr=False)
class Verdict(Value):
    """Whether compute alone explains loss on one table, and how far.

    Attributes
    ----------
    answer : str
        ``compute_suffices``, ``split_matters`` or ``cannot_tell``.
    statement : str
        The answer in words, with its range and its reason.
    compute_law, split_law : str
        The best law of compute alone and the best law of N and D.
    difference : Difference
        Expected log predictive density, ``compute_law`` minus ``split_law``.
    tilt : Interval
        Relative slope on ln N against ln D at a typical run: slopes s (1 + d) and s (1 - d); 0 is compute alone.
    tilt_law : str
        The law it comes from.
    tokens_per_parameter : RatioRange
        Where ignoring the split costs little.
    ranges : tuple of RatioRange
        The same at that budget, at the largest run's, and at 1e21 and 5.76e23 FLOP where they lie between the
        smallest run and 100 times the largest; by rising compute.
    waste : tuple of Waste
        What mis-sizing costs; empty where no draw has an answer.
    profile : tuple of numpy.ndarray
        D/N and the probability that the split there costs less than the tolerance.
    reasons : tuple of str
        Why the table cannot decide; empty when it can.
    remedies : tuple of str
        Runs that would decide.
    notes : tuple of str
        What a reader must know of these numbers.
    """

    answer: str
    statement: str
    compute_law: str
    split_law: str
    difference: Difference
    tilt: Interval
    tilt_law: str
    tokens_per_parameter: RatioRange
    ranges: tuple[RatioRange, ...]
    waste: tuple[Waste, ...]
    profile: tuple[np.ndarray, np.ndarray]
    reasons: tuple[str, ...]
    remedies: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def waste_table(self) -> pd.DataFrame:
        """What mis-sizing costs, one row for each factor that N is off by.

        ``factor``, and the median of ``extra_compute`` (the worse direction), ``too_small`` and ``too_large`` with the
        ends of their credible intervals, such as ``too_small_lower``, as parts of the compute of the best split.
        """
        return pd.DataFrame([{"factor": each.factor, **_parts(each)} for each in self.waste])

    def _lines(self) -> list[str]:
        return [self.answer.replace("_", " ").capitalize(), self.statement]

    def _shown(self) -> pd.DataFrame:
        return folded(self.waste_table)


def _parts(waste: Waste) -> dict[str, float]:
    return {
        f"{name}{end and '_'}{end}": getattr(getattr(waste, name), end or "median")
        for name in ("extra_compute", "too_small", "too_large")
        for end in ("", "lower", "upper")
    }


@checks.kinds
def judge(
    comparison: Comparison, *, tolerance: float = 0.05, probability: float = 0.9, flops: float | None = None
) -> Verdict:
    """Judge whether compute alone explains loss.

    Parameters
    ----------
    comparison : Comparison
        With at least one law of C alone and one law of N and D that has a best split.
    tolerance : float
        Extra compute for the same loss that counts as little.
    probability : float
        Of the intervals and of the range of D/N.
    flops : float, optional
        Compute at which range and waste are reported; by default that of a typical run (geometric mean).

    Returns
    -------
    Verdict
        ``split_matters`` when the difference is decided against compute; ``compute_suffices`` when it is decided
        for it, or when it is not decided and the data bound the cost of the split over the D/N they span; else
        ``cannot_tell``, with the reasons.

    Raises
    ------
    InputError
        If the comparison lacks one of the two kinds of law, or an argument is out of range.
    """
    checks.probability(probability)
    checks.tolerance(tolerance)
    budget = _budget(comparison, flops)
    compute_law, split_law = _best_laws(comparison, np.array([budget]))
    fitted = comparison.fits[split_law]
    diff = difference(comparison, compute_law, split_law)
    budgets = _range_budgets(comparison.runs, budget)
    ends = ratio_ends(fitted, budgets, tolerance)
    ranges = tuple(ratio_range(ends[..., i], each, tolerance, probability) for i, each in enumerate(budgets))
    asked = int(np.flatnonzero(budgets == budget)[0])
    ratios = ranges[asked]
    faults = _faults(comparison, (compute_law, split_law))
    doubts = _doubts(fitted, diff, ratios, probability, covered=_covered(comparison, ratios))
    answer = _answer(diff, faults, doubts)
    reasons = [*faults, *doubts] if answer == "cannot_tell" else []
    tilt, tilt_law = tilt_draws(comparison, fitted)
    waste, notes = find_waste(fitted, budget, probability)
    return Verdict(
        answer=answer,
        statement=_statement(
            answer, comparison, names=(compute_law, split_law), diff=diff, ratios=ratios, reasons=reasons
        ),
        compute_law=compute_law,
        split_law=split_law,
        difference=diff,
        tilt=credible_interval(tilt, probability),
        tilt_law=tilt_law,
        tokens_per_parameter=ratios,
        ranges=ranges,
        waste=waste,
        profile=_profile(ends[..., asked]),
        reasons=tuple(reasons),
        remedies=_remedies(fitted, diff) if answer == "cannot_tell" else (),
        notes=notes,
    )


def _budget(comparison: Comparison, flops: float | None) -> float:
    """Return the budget of a verdict, by default that of a typical run, or raise InputError if there can be none."""
    absent = [name for name in ("N", "D", "C") if name not in comparison.runs.frame]
    if absent:
        raise InputError(
            f"{comparison.runs.name}: a verdict on compute needs N, D and C of every run; the table has no "
            f"{', '.join(absent)}"
        )
    typical = next(iter(comparison.fits.values())).reference["C"]
    return checks.above_zero("flops", typical if flops is None else flops, "a budget in FLOP", "1e21")


def _best_laws(comparison: Comparison, budget: np.ndarray) -> tuple[str, str]:
    """Return the best law of compute alone and the best law of N and D that has a best split."""
    ranked = [str(name) for name in comparison.table.index]
    compute = [name for name in ranked if comparison.fits[name].law.covariates == ("C",)]
    split = [name for name in ranked if has_optimum(comparison.fits[name], budget)]
    if not compute or not split:
        raise InputError(
            "a verdict needs a law of compute alone (such as compute_floor) and a law of N and D with a best split "
            f"(such as chinchilla); found {', '.join(ranked)}"
        )
    return compute[0], split[0]


def _range_budgets(runs: RunTable, budget: float) -> np.ndarray:
    """Return the budgets whose range is reported, rising."""
    C = runs.frame["C"]
    named = [flops for flops in NAMED_BUDGETS if C.min() <= flops <= FARTHEST * C.max()]
    return np.unique([budget, C.max(), *named])


def _profile(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return D/N and the probability that a run there needs less than the tolerance of extra compute."""
    log_ratio = np.linspace(np.log(RATIOS[0]), np.log(RATIOS[1]), GRID)
    return np.exp(log_ratio), chance_inside(ends, log_ratio)


def tilt_draws(comparison: Comparison, fitted: Fit) -> tuple[np.ndarray, str]:
    """Return the tilt (draw,) by the law that infers it, else by the slopes of a law at a typical run; and that law."""
    if "tilt" in comparison.fits:
        return comparison.fits["tilt"].draws["delta"], "tilt"
    step = 1e-4
    slopes = []
    for name in ("N", "D"):
        points = {other: np.array([fitted.reference[other]]) for other in ("N", "D")}
        above, below = ({**points, name: points[name] * np.exp(h)} for h in (step, -step))
        slopes.append(fitted.draws.value(above) - fitted.draws.value(below))
    on_N, on_D = slopes
    return ((on_N - on_D) / (on_N + on_D))[:, 0], fitted.law.name


def _faults(comparison: Comparison, names: tuple[str, str]) -> list[str]:
    """Return why these runs, or these fits, cannot speak about the split at all."""
    faults = []
    spread = describe(comparison.runs).spread_N_at_like_C
    if not spread >= LEAST_SPREAD:
        faults.append(
            f"runs of like compute hardly differ in size (s.d. of log10 N is {spread:.2f}; it takes "
            f"{LEAST_SPREAD} or more)"
        )
    frame = comparison.runs.frame
    families = frame["family"].nunique() if "family" in frame else 1
    if families > 1:
        faults.append(f"the runs pool {families} families that differ in more than N and D")
    used = [name for name in (*names, "tilt") if name in comparison.fits]
    doubtful = [name for name in used if not comparison.fits[name].diagnostics.passed]
    if doubtful:
        faults.append(f"the diagnostics of {', '.join(doubtful)} failed; fit again with more draws")
    return faults


def _doubts(fitted: Fit, diff: Difference, ratios: RatioRange, probability: float, *, covered: bool) -> list[str]:
    """Return why a difference that is not decided is no proof that compute suffices."""
    doubts, runs = [], fitted.runs
    if diff.runs < FEW_ROWS:
        noun = "runs" if diff.runs == len(runs.frame) else "training runs"
        size = f"{nats(abs(diff.elpd_diff))} nats (s.e. {nats(diff.dse)})"
        doubts.append(f"{diff.runs} {noun} are too few to trust the standard error of a difference of {size}")
    best = find_optimum(fitted.draws, np.array([ratios.flops]))
    if not best.located.mean() >= (1 + probability) / 2:
        doubts.append("the best D/N is not located")
    else:
        interval = credible_interval(best.log_ratio[best.located] / np.log(10), probability)
        if not interval.upper - interval.lower <= WIDEST_OPTIMUM:
            doubts.append(
                f"the best D/N at {short(ratios.flops)} FLOP is known only to lie between "
                f"{short(10**interval.lower)} and {short(10**interval.upper)} ({percent(probability)} interval)"
            )
    if not covered:
        doubts.append("the split may cost more than the tolerance at some of the D/N of these runs")
    return doubts


def _covered(comparison: Comparison, ratios: RatioRange) -> bool:
    """Return whether the range of small cost holds most of the runs' own D/N."""
    if ratios.lower is None or ratios.upper is None:
        return False
    frame = comparison.runs.frame
    low, high = np.quantile(frame["D"] / frame["N"], COVERED)
    return bool(ratios.lower <= low and high <= ratios.upper)


def _answer(diff: Difference, faults: list[str], doubts: list[str]) -> str:
    if faults:
        return "cannot_tell"
    if diff.decided:
        return "split_matters" if diff.elpd_diff < 0 else "compute_suffices"
    return "cannot_tell" if doubts else "compute_suffices"


def _statement(
    answer: str,
    comparison: Comparison,
    *,
    names: tuple[str, str],
    diff: Difference,
    ratios: RatioRange,
    reasons: list[str],
) -> str:
    """Say the answer with its reason and its range."""
    table, (compute_law, split_law) = comparison.runs.name, names
    frame = comparison.runs.frame
    ratio = frame["D"] / frame["N"]
    spanned = f"{short(ratio.min())} to {short(ratio.max())} tokens per parameter"
    worse = "worse" if diff.elpd_diff < 0 else "better"
    numbers = (
        f"{compute_law} predicts runs it has not seen {nats(abs(diff.elpd_diff))} nats {worse} than {split_law} "
        f"(s.e. {nats(diff.dse)})"
    )
    opening = {
        "split_matters": f"On {table}, compute alone does not explain loss over {spanned}: {numbers}.",
        "compute_suffices": f"On {table}, compute alone explains loss as well as any law here, within the range these "
        f"runs span ({spanned}): {numbers}.",
        "cannot_tell": f"{table} cannot tell whether compute alone explains loss: {numbers}"
        + (f"; {'; '.join(reasons)}." if reasons else "."),
    }[answer]
    return f"{opening} {_range_sentence(answer, ratios)}"


def _range_sentence(answer: str, ratios: RatioRange) -> str:
    cost = f"less than {percent(ratios.tolerance)} extra compute"
    where = f"At {short(ratios.flops)} FLOP"
    sure = f"{percent(ratios.probability)} probability"
    if ratios.lower is None or ratios.upper is None:
        return f"{where}, no split can be named whose cost is {cost} with {sure}."
    span = f"{short(ratios.lower)} and {short(ratios.upper)} tokens per parameter"
    if answer == "cannot_tell":
        return f"{where}, splits between {span} cost {cost} with {sure}, if the law holds."
    return f"{where}, ignoring the split costs {cost} between {span} ({sure})."


def _remedies(fitted: Fit, diff: Difference) -> tuple[str, ...]:
    """Name runs of equal compute whose sizes differ enough to see the split."""
    flops = fitted.reference["C"]
    ratio = fitted.reference["D"] / fitted.reference["N"]
    runs = []
    for factor in REMEDY_RATIOS:
        N, D = sizes(np.array(flops), np.log(ratio * factor), fitted.draws.cost)
        runs.append(f"N = {short(float(N))} with D = {short(float(D))}")
    return (
        f"runs of one recipe at {short(flops)} FLOP each: {', '.join(runs)}",
        f"the same at a budget 10 times larger or smaller, and {FEW_ROWS} runs or more in all"
        if diff.runs < FEW_ROWS
        else "the same at a budget 10 times larger or smaller",
    )

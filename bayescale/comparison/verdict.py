"""judge: whether, and over which tokens per parameter, compute alone explains loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.comparison.comparison import Comparison, difference
from bayescale.comparison.cross_validation import CrossValidation
from bayescale.comparison.deciding import DecidingRuns, find_deciding_runs
from bayescale.comparison.effect import Effect, find_effects
from bayescale.comparison.odds import UNKNOWN, Kinds, Odds, sound_kinds, split_odds
from bayescale.comparison.ranking import Difference
from bayescale.comparison.silence import pooled_families, silent_on_split
from bayescale.comparison.statements import Grounds, left_out_notes, verdict_notes, verdict_statement
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.hardware import read_budgets
from bayescale.intervals import Interval, credible_interval
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
from bayescale.words import odds, percent, short

WIDEST_OPTIMUM = 1.0
"""Widest credible interval of the best D/N, in decades, that still counts as locating it."""

LEVELS = (0.05, 0.2, 0.8, 0.95)
"""Probabilities that ignoring the split costs more than the tolerance at which the answer changes."""

GRID = 541
"""Points of D/N, 60 per decade."""

ANSWERS = ("compute_suffices", "probably_suffices", "cannot_tell", "probably_matters", "split_matters")
"""What a verdict can say, from compute alone to the split."""

UNDECIDED = ANSWERS[1:4]
"""Answers for which runs that would decide are looked for."""

NO_REMEDY = "no 200 runs of one compute with N up to 4 times off are expected to decide at the scatter of these runs"
"""Said where runs that would decide were not found."""


@dataclass(frozen=True, eq=False, repr=False)
class Verdict(Value):
    """Whether compute alone explains loss on one table, and how far.

    Attributes
    ----------
    answer : str
        ``compute_suffices``, ``probably_suffices``, ``cannot_tell``, ``probably_matters`` or ``split_matters``.
    probability : float
        That the split matters: that a law of N and D predicts better than compute alone. Calibrated on simulated
        tables; 0.5 where runs of like compute hardly differ in size, so that the table says nothing of it.
    effects : tuple of Effect
        What ignoring the split costs, averaged over laws of both kinds: at the runs' own D/N, and 2, 4 and 10 times
        off.
    statement : str
        The answer in words, with its probability, cost, reason and range.
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
        The same at that budget, at the largest run's, and at the budgets that were asked for; by rising compute.
    waste : tuple of Waste
        What mis-sizing costs if ``split_law`` holds; empty where no draw has an answer.
    profile : tuple of numpy.ndarray
        D/N and the probability that the split there costs less than the tolerance.
    by_criterion : mapping of str to float
        The probability by each criterion: ``point`` (single rows left out), which alone is calibrated, and each
        cross-validation that was given.
    reasons : tuple of str
        Why the table cannot decide; empty when it can.
    deciding : DecidingRuns or None
        Runs that are expected to decide, and what they cost; None when it is decided, or when no such runs were found.
    notes : tuple of str
        What a reader must know of these numbers.
    """

    answer: str
    probability: float
    effects: tuple[Effect, ...]
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
    by_criterion: Mapping[str, float]
    reasons: tuple[str, ...]
    deciding: DecidingRuns | None
    notes: tuple[str, ...] = ()

    @property
    def effect(self) -> Interval | None:
        """Extra compute that ignoring the split costs at the D/N of the runs themselves."""
        return self.effects[0].extra_compute

    @property
    def effect_above_tolerance(self) -> float:
        """Probability that it is above the tolerance."""
        return self.effects[0].above_tolerance

    @property
    def remedies(self) -> tuple[str, ...]:
        """Runs that would decide, in words."""
        if self.deciding:
            return (self.deciding.sentence,)
        return (NO_REMEDY,) if self.answer == "cannot_tell" else ()

    @property
    def waste_table(self) -> pd.DataFrame:
        """What mis-sizing costs, one row for each factor that N is off by.

        ``factor``, and the median of ``extra_compute`` (the worse direction), ``too_small`` and ``too_large`` with the
        ends of their credible intervals, such as ``too_small_lower``, as parts of the compute of the best split.
        """
        return pd.DataFrame([{"factor": each.factor, **_parts(each)} for each in self.waste])

    def _lines(self) -> list[str]:
        answer = self.answer.replace("_", " ").capitalize()
        return [f"{answer} (probability that the split matters: {odds(self.probability)})", self.statement]

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
    comparison: Comparison,
    *,
    tolerance: float = 0.05,
    probability: float = 0.9,
    flops: float | None = None,
    budgets: Sequence[float] = (),
    criteria: Sequence[CrossValidation] = (),
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
        Compute at which effect, range and waste are reported; by default that of a typical run (geometric mean).
    budgets : sequence of float
        Further budgets whose range is reported, in FLOP.
    criteria : sequence of CrossValidation
        The same laws with groups of runs left out; the probability by each is reported too.

    Returns
    -------
    Verdict
        The answer follows from the probability that ignoring the split costs more than the tolerance at the runs' own
        D/N, which is that of the split mattering times that of the cost being so large if it does:
        ``split_matters`` from 0.95, ``probably_matters`` from 0.8, ``probably_suffices`` to 0.2, ``compute_suffices``
        to 0.05, and ``cannot_tell`` between them; ``cannot_tell`` as well where the runs, or the fits, do not speak of
        it. Laws whose diagnostics failed are left out where that changes nothing in the answer.

    Raises
    ------
    InputError
        If the comparison lacks one of the two kinds of law, an argument is out of range, or a criterion is of other
        laws or runs.
    """
    checks.probability(probability)
    checks.tolerance(tolerance)
    budget = _budget(comparison, flops)
    kinds, fitted_kinds = used_kinds(comparison, budget), kinds_of(comparison, np.array([budget]))
    names = (kinds.compute[0], kinds.split[0])
    fitted, diff = comparison.fits[names[1]], difference(comparison, *names)
    found = _odds(comparison, kinds)
    faults = [*_faults(comparison, names), *_unsound(comparison, fitted_kinds, kinds, found.probability)]
    effects = find_effects(
        comparison.fits, found.shares, found.probability, flops=budget, tolerance=tolerance, probability=probability
    )
    ends = ratio_ends(fitted, flops_asked := _range_budgets(comparison, budget, budgets), tolerance)
    ranges = tuple(ratio_range(ends[..., i], each, tolerance, probability) for i, each in enumerate(flops_asked))
    asked = int(np.flatnonzero(flops_asked == budget)[0])
    answer = "cannot_tell" if faults else answer_at(effects[0].above_tolerance)
    reasons = _reasons(faults, _doubts(fitted, found, ranges[asked])) if answer == "cannot_tell" else []
    tilt, tilt_law = tilt_draws(comparison.fits["tilt"] if "tilt" in kinds.names else fitted)
    waste, notes = find_waste(fitted, budget, probability)
    grounds = Grounds(comparison.runs, *names, diff, found.probability, effects[0], ranges[asked], reasons)
    return Verdict(
        answer=answer,
        probability=found.probability,
        effects=effects,
        statement=verdict_statement(answer, grounds),
        compute_law=names[0],
        split_law=names[1],
        difference=diff,
        tilt=credible_interval(tilt, probability),
        tilt_law=tilt_law,
        tokens_per_parameter=ranges[asked],
        ranges=ranges,
        waste=waste,
        profile=_profile(ends[..., asked]),
        by_criterion={"point": found.probability, **_by_criterion(comparison, criteria, kinds)},
        reasons=tuple(reasons),
        deciding=find_deciding_runs(fitted, None if faults else diff) if answer in UNDECIDED else None,
        notes=(
            *notes,
            *left_out_notes(fitted_kinds.names, kinds.names),
            *verdict_notes(names[1], [each.by for each in criteria]),
        ),
    )


def _odds(comparison: Comparison, kinds: Kinds) -> Odds:
    """Return how probable it is that the split matters; one half where the runs say nothing of it."""
    if silent_on_split(comparison.runs):
        return Odds(UNKNOWN, {kinds.split[0]: 1.0})
    return split_odds(comparison, kinds)


def _range_budgets(comparison: Comparison, budget: float, asked: Sequence[float]) -> np.ndarray:
    """Return the budgets whose range is reported, rising."""
    further = read_budgets(list(asked), "budgets").tolist() if len(asked) else []
    return np.unique([budget, comparison.runs.frame["C"].max(), *further])


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


def kinds_of(comparison: Comparison, budget: np.ndarray) -> Kinds:
    """Return the laws by what they say of the split; of each kind the best first."""
    ranked = [str(name) for name in comparison.table.index]
    laws = {name: comparison.fits[name].law for name in ranked}
    compute = tuple(name for name in ranked if laws[name].covariates == ("C",))
    split = tuple(name for name in ranked if has_optimum(comparison.fits[name], budget))
    lean = tuple(name for name in ranked if laws[name].splits_compute and name not in split)
    if not compute or not split:
        raise InputError(
            "a verdict needs a law of compute alone (such as compute_floor) and a law of N and D with a best split "
            f"(such as chinchilla); found {', '.join(ranked)}"
        )
    return Kinds(compute, split, lean)


def used_kinds(comparison: Comparison, budget: float) -> Kinds:
    """Return the laws that a verdict is made of: those whose diagnostics passed, or all where a kind has none."""
    kinds = kinds_of(comparison, np.array([budget]))
    return sound_kinds(kinds, comparison.fits) or kinds


def _by_criterion(comparison: Comparison, criteria: Sequence[CrossValidation], kinds: Kinds) -> dict[str, float]:
    """Return the probability by each criterion, or raise InputError where one is of other laws or runs."""
    hashes = {each.record["table"]["hash"] for each in comparison.fits.values()}
    for each in criteria:
        absent = [name for name in kinds.names if name not in each.fits]
        if absent or {one.record["table"]["hash"] for one in each.fits.values()} != hashes:
            raise InputError(
                f"expected a cross-validation by {each.by} of the laws and runs of the comparison; found "
                f"{', '.join(each.fits)} on {each.runs.name}"
            )
    return {each.by: split_odds(each, kinds).probability for each in criteria}


def _profile(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return D/N and the probability that a run there needs less than the tolerance of extra compute."""
    log_ratio = np.linspace(np.log(RATIOS[0]), np.log(RATIOS[1]), GRID)
    return np.exp(log_ratio), chance_inside(ends, log_ratio)


def tilt_draws(fitted: Fit) -> tuple[np.ndarray, str]:
    """Return the tilt (draw,) where the law infers it, else by its slopes at a typical run; and the law's name."""
    if fitted.law.name == "tilt":
        return fitted.draws["delta"], "tilt"
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
    faults = [*silent_on_split(comparison.runs), *pooled_families(comparison.runs.frame)]
    if difference(comparison, *names).runs < 2:
        faults.append("all rows are of one training run, so that differences have no standard error")
    return faults


def _unsound(comparison: Comparison, fitted: Kinds, used: Kinds, probability: float) -> list[str]:
    """Return which fits failed, if no law of a kind is left without them, or the answer is another with them."""
    failed = [name for name in fitted.names if not comparison.fits[name].diagnostics.passed]
    if not failed:
        return []
    left_out = not set(failed) & set(used.names)
    if left_out and answer_at(_odds(comparison, fitted).probability) == answer_at(probability):
        return []
    return [f"the diagnostics of {', '.join(failed)} failed; fit again with more draws"]


def _doubts(fitted: Fit, found: Odds, ratios: RatioRange) -> list[str]:
    """Return why the probability, or the cost, is in between."""
    doubts = []
    if LEVELS[0] < found.probability < LEVELS[-1]:
        doubts.append("these runs do not show which kind of law predicts better")
    best = find_optimum(fitted.draws, np.array([ratios.flops]))
    if not best.located.mean() >= (1 + ratios.probability) / 2:
        return [*doubts, "the best D/N is not located"]
    interval = credible_interval(best.log_ratio[best.located] / np.log(10), ratios.probability)
    if not interval.upper - interval.lower <= WIDEST_OPTIMUM:
        doubts.append(
            f"the best D/N at {short(ratios.flops)} FLOP is known only to be between {short(10**interval.lower)} and "
            f"{short(10**interval.upper)} ({percent(ratios.probability)} interval)"
        )
    return doubts


def _reasons(faults: list[str], doubts: list[str]) -> list[str]:
    """Return why a table cannot tell: at least one reason."""
    return [*faults, *doubts] or ["what ignoring the split costs at the D/N of these runs is close to the tolerance"]


def answer_at(above_tolerance: float) -> str:
    """Return the answer at a probability that ignoring the split costs more than the tolerance."""
    suffices, probably_suffices, probably_matters, matters = LEVELS
    if above_tolerance >= matters:
        return "split_matters"
    if above_tolerance >= probably_matters:
        return "probably_matters"
    if above_tolerance <= suffices:
        return "compute_suffices"
    return "probably_suffices" if above_tolerance <= probably_suffices else "cannot_tell"

"""verdict_statement: what a verdict says, in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from bayescale.comparison.effect import Effect
from bayescale.comparison.odds import calibration
from bayescale.comparison.ranking import Difference
from bayescale.intervals import Interval
from bayescale.runs import RunTable
from bayescale.runs.units import units_are_families
from bayescale.splits.ranges import RatioRange
from bayescale.words import capital, nats, odds, percent, short

UNKNOWN = 1.0
"""Extra compute above which the upper end of an interval whose lower end is small says that nothing is known."""


@dataclass(frozen=True)
class Grounds:
    """What a verdict rests on."""

    runs: RunTable
    compute_law: str
    split_law: str
    difference: Difference
    probability: float
    effect: Effect
    ratios: RatioRange
    reasons: Sequence[str]


def verdict_statement(answer: str, grounds: Grounds) -> str:
    """Say the answer, with its probability, its cost, its reasons and the range of D/N of small cost."""
    name = _named(grounds.runs)
    ratio = grounds.runs.frame["D"] / grounds.runs.frame["N"]
    span = f"{short(ratio.min())} to {short(ratio.max())} tokens per parameter"
    enough = f"within the range these runs span ({span})"
    opening = {
        "split_matters": f"On {name}, compute alone does not explain loss over {span}",
        "probably_matters": f"On {name}, compute alone probably does not explain loss over {span}",
        "compute_suffices": f"On {name}, compute alone explains loss well enough {enough}",
        "probably_suffices": f"On {name}, compute alone probably explains loss well enough {enough}",
        "cannot_tell": f"{name} cannot tell whether compute alone explains loss",
    }[answer]
    because = reasons_sentence(grounds.reasons)
    return f"{opening}: {_numbers(grounds)}. {_cost(grounds)}{because} {_range(answer, grounds.ratios)}"


def _named(runs: RunTable) -> str:
    """Name the runs, and the families that the question is asked within."""
    if not units_are_families(runs.frame):
        return runs.name
    return f"{runs.name} (within {runs.frame['family'].nunique()} families)"


def reasons_sentence(reasons: Sequence[str]) -> str:
    """Return reasons as the sentence of a statement; where they are listed, the statement goes without it."""
    return f" {capital('; '.join(reasons))}." if reasons else ""


def _numbers(grounds: Grounds) -> str:
    """Say the probability and the difference of the laws that it comes from."""
    diff = grounds.difference
    side = "below" if diff.elpd_diff < 0 else "above"
    within = units_are_families(grounds.runs.frame)
    where = "models of held-out families, given the smallest of each" if within else "held-out runs"
    return (
        f"the split matters with probability {odds(grounds.probability)}, as {grounds.compute_law} scores "
        f"{nats(abs(diff.elpd_diff))} nats {side} {grounds.split_law} on {where} (s.e. {nats(diff.dse)})"
    )


def _cost(grounds: Grounds) -> str:
    """Say what ignoring the split costs at the D/N of the runs themselves."""
    effect, tolerance = grounds.effect, percent(grounds.ratios.tolerance)
    if effect.extra_compute is None:
        return "What ignoring the split costs is not known: no law here has its best split inside the searched range."
    found = effect.extra_compute
    if found.lower < grounds.ratios.tolerance and found.upper > UNKNOWN:
        ends = f"{percent(found.lower, 2)} to {percent(found.upper, 2)}"
        return f"These runs do not show what ignoring it costs: the {percent(found.probability)} interval is {ends}."
    return (
        f"Ignoring it costs {part(effect.extra_compute)} more compute at the D/N of these runs, and more than "
        f"{tolerance} with probability {odds(effect.above_tolerance)}."
    )


def left_out_notes(fitted: Sequence[str], used: Sequence[str]) -> list[str]:
    """Name the laws that were left out of the verdict."""
    names = [name for name in fitted if name not in used]
    return [f"left out of the verdict, as their diagnostics failed: {', '.join(names)}"] if names else []


def verdict_notes(split_law: str, criteria: Sequence[str]) -> list[str]:
    """Say what ranges of D/N leave out, and that probabilities by further criteria are not calibrated."""
    notes = [f"ranges of D/N take {split_law} at its word; best sizes of allocate also have what a law misses of them"]
    return notes + [_uncalibrated(by) for by in criteria]


def _uncalibrated(by: str) -> str:
    """Say how well the probability by a further criterion held on simulated tables, beside that by single rows."""
    said, found = f"the probability by {by} is not calibrated", calibration().get("criteria", {}).get(by)
    if not found:
        return said
    return (
        f"{said}: on {found['tables']} simulated tables its Brier score was {found['brier']:.2f}, that by single rows "
        f"{found['point_brier']:.2f}"
    )


def part(found: Interval) -> str:
    """Return extra compute with its interval: 12% (90% interval 3% to 25%)."""
    ends = f"{percent(found.lower, 2)} to {percent(found.upper, 2)}"
    return f"{percent(found.median, 2)} ({percent(found.probability)} interval {ends})"


def _range(answer: str, ratios: RatioRange) -> str:
    cost = f"less than {percent(ratios.tolerance)} extra compute"
    where = f"At {short(ratios.flops)} FLOP"
    sure = f"{percent(ratios.probability)} probability"
    if ratios.lower is None or ratios.upper is None:
        return f"{where}, no split can be named whose cost is {cost} with {sure}."
    span = f"{short(ratios.lower)} and {short(ratios.upper)} tokens per parameter"
    if answer == "cannot_tell":
        return f"{where}, splits between {span} cost {cost} with {sure}, if the law holds."
    return f"{where}, ignoring the split costs {cost} between {span} ({sure})."

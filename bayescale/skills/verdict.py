"""judge_skills: whether compute alone explains capability on a table of scores."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr

from bayescale import checks
from bayescale.errors import InputError
from bayescale.intervals import Interval, credible_interval
from bayescale.skills.comparison import SkillComparison, difference_over
from bayescale.skills.fit import SkillFit
from bayescale.skills.laws import SKILL_LAWS
from bayescale.skills.table import ScoreTable
from bayescale.values import Value
from bayescale.words import chance, nats, percent, short

SURE, PROBABLE = 0.95, 0.75
"""Probabilities from which an answer is given, and from which it is called probable."""

FEW_FAMILIES, FEW_MODELS, LEAST_SPAN = 5, 3, 1.0
"""A table can answer with so many families of so many models, over so many decades of compute."""


@dataclass(frozen=True, eq=False, repr=False)
class SkillVerdict(Value):
    """Whether compute alone explains capability.

    Attributes
    ----------
    answer : str
        ``compute_suffices``, ``probably_suffices``, ``cannot_tell``, ``probably_matters`` or ``family_matters``.
    probability : float
        That the family adds to what compute says of scores left out.
    statement : str
        The answer in words.
    effect : Interval
        Factor of compute by which families differ: one standard deviation.
    family_law : str
        The best law with families.
    elpd_diff, dse : float
        Its log predictive density less that of compute alone, and the standard error over families.
    reasons : tuple of str
        Why the table cannot decide; empty when it can.
    """

    answer: str
    probability: float
    statement: str
    effect: Interval
    family_law: str
    elpd_diff: float
    dse: float
    reasons: tuple[str, ...]

    def _lines(self) -> list[str]:
        return [self.answer.replace("_", " ").capitalize(), self.statement]


@checks.kinds
def judge_skills(comparison: SkillComparison, fitted: SkillFit, *, probability: float = 0.9) -> SkillVerdict:
    """Say whether compute alone explains capability on these benchmarks.

    Parameters
    ----------
    comparison : SkillComparison
        With the law ``compute`` and one with families.
    fitted : SkillFit
        Fit of a law with gains of families, to all scores.
    probability : float
        Of the credible intervals.

    Returns
    -------
    SkillVerdict
        The answer with its probability, and by how much families differ.

    Raises
    ------
    InputError
        If the comparison lacks one of the two kinds of law, or the fit has no families.
    """
    laws = list(comparison.table["law"])
    with_family = [law for law in laws if law in SKILL_LAWS and SKILL_LAWS[law].gain]
    if "compute" not in laws or not with_family or not fitted.law.gain:
        raise InputError("a verdict needs the law compute and one with families, such as family_benchmark")
    best, pointwise = with_family[0], comparison.pointwise
    family = pointwise.index.get_level_values("family").to_numpy()
    difference, dse = difference_over(pointwise[best] - pointwise["compute"], family)
    families = len(np.unique(family))
    above = float(stdtr(families - 1, difference / dse)) if dse > 0 else 0.5
    effect = credible_interval(10.0 ** fitted.flat("gain_scale"), probability)
    reasons = _reasons(comparison.scores)
    answer = "cannot_tell" if reasons else _answer(above)
    gained = (
        f"{best} forecasts scores left out better than compute alone by {nats(difference)} nats (standard error "
        f"{nats(dse)} over families); probability {chance(above)}"
    )
    statement = _statement(answer, effect, float(10 ** np.median(fitted.flat("residual"))), gained)
    return SkillVerdict(answer, above, statement, effect, best, difference, dse, tuple(reasons))


def _answer(probability: float) -> str:
    if probability >= SURE:
        return "family_matters"
    if probability >= PROBABLE:
        return "probably_matters"
    if probability <= 1 - SURE:
        return "compute_suffices"
    return "probably_suffices" if probability <= 1 - PROBABLE else "cannot_tell"


def _reasons(table: ScoreTable) -> list[str]:
    known = table.models[table.models["C"].notna()]
    sizes = known["family"].value_counts()
    large = sizes.index[sizes >= FEW_MODELS]
    reasons = []
    if len(large) < FEW_FAMILIES:
        reasons.append(
            f"{len(large)} families have {FEW_MODELS} or more models of known compute; {FEW_FAMILIES} are needed"
        )
    logs = np.log10(known["C"].astype(float))
    spans = logs.groupby(known["family"]).agg(lambda own: own.max() - own.min())
    widest = float(spans.max()) if len(spans) else 0.0
    if widest < LEAST_SPAN:
        reasons.append(f"compute spans {short(widest)} decades within a family; {LEAST_SPAN:.0f} is needed")
    return reasons


WORDS = {
    "family_matters": "On these benchmarks compute alone does not explain capability",
    "probably_matters": "On these benchmarks compute alone probably does not explain capability",
    "cannot_tell": "This table cannot say whether compute alone explains capability",
    "probably_suffices": "On these benchmarks compute alone probably explains capability",
    "compute_suffices": "On these benchmarks compute alone explains capability",
}


def _statement(answer: str, effect: Interval, within: float, gained: str) -> str:
    return (
        f"{WORDS[answer]}: at equal compute, families had a skill that differs by a factor of {short(effect.median)} "
        f"(one standard deviation; {percent(effect.probability)} interval {short(effect.lower)} to "
        f"{short(effect.upper)}), and models of one family by {short(within)}. {gained}."
    )


@checks.kinds
def equivalent_compute(fitted: SkillFit, family: str, *, probability: float = 0.9) -> pd.DataFrame:
    """Return the compute with which a model of one family would have each model's skill.

    Parameters
    ----------
    fitted : SkillFit
        The fit.
    family : str
        In whose compute is counted.
    probability : float
        Of the credible intervals.

    Returns
    -------
    pandas.DataFrame
        ``run``, ``family``, ``C``, and ``equivalent`` with its ends, in FLOP.

    Raises
    ------
    InputError
        If there is no such family.
    """
    table = fitted.table
    if family not in table.families:
        raise InputError(f"there is no family {family!r}; the families are {', '.join(table.families)}")
    position = table.families.index(family)
    own = (fitted.flat("location") + fitted.flat("gain")[:, position])[:, None]
    x = (fitted.flat("skill") - own) / (1 + fitted.flat("turn")[:, position, None])
    tail = (1 - probability) / 2
    lower, median, upper = 10.0 ** (fitted.center + np.quantile(x, [tail, 0.5, 1 - tail], axis=0))
    columns = {"equivalent": median, "equivalent_lower": lower, "equivalent_upper": upper}
    return table.models[["run", "family", "C"]].assign(**columns)

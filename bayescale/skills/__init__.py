"""Skills: scores of many models on several benchmarks, compute multipliers of families, and forecasts of scores."""

from bayescale.skills.catalogued import SCORE_TABLES, load_scores
from bayescale.skills.comparison import SkillComparison, compare_skills
from bayescale.skills.evaluation import next_scores
from bayescale.skills.fit import SkillFit, family_table
from bayescale.skills.fitting import fit_skills
from bayescale.skills.forecast import ScoreForecast, forecast_scores
from bayescale.skills.laws import SKILL_LAWS, SkillLaw, with_publication, with_second_skill
from bayescale.skills.reading import read_scores
from bayescale.skills.table import ScoreTable
from bayescale.skills.verdict import SkillVerdict, equivalent_compute, judge_skills

__all__ = [
    "SCORE_TABLES",
    "SKILL_LAWS",
    "ScoreForecast",
    "ScoreTable",
    "SkillComparison",
    "SkillFit",
    "SkillLaw",
    "SkillVerdict",
    "compare_skills",
    "equivalent_compute",
    "family_table",
    "fit_skills",
    "forecast_scores",
    "judge_skills",
    "load_scores",
    "next_scores",
    "read_scores",
    "with_publication",
    "with_second_skill",
]

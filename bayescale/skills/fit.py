"""SkillFit: a law of skill, the scores it was fitted to, and its posterior."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayescale import checks
from bayescale.fits.diagnostics import Diagnostics
from bayescale.fits.settings import Settings
from bayescale.fits.student import log_student
from bayescale.intervals import credible_interval
from bayescale.skills.laws import DEGREES, LEAST_VARIANCE, SkillLaw
from bayescale.skills.table import ScoreTable
from bayescale.values import Value, folded
from bayescale.words import short


@dataclass(frozen=True, eq=False, repr=False)
class SkillFit(Value):
    """A law of skill, the scores it was fitted to, and its posterior.

    Attributes
    ----------
    law : SkillLaw
        The law.
    table : ScoreTable
        The scores.
    posterior : xarray.Dataset
        ``loading`` (logits per decade), ``intercept`` (logits), ``sigma``, ``floor`` and ``level_scale`` (decades), all
        (chain, draw, response); ``skill``, in decades of an average family's compute over the mean of the models
        (chain, draw, run); ``second``, the second skill in standard deviations (chain, draw, run), and
        ``second_loading`` in logits (chain, draw, response); ``gain`` and ``turn`` (chain, draw, family), ``level``
        (chain, draw, family, response); ``residual``, ``gain_scale``, ``turn_scale``, ``publication``, ``slope`` and
        ``location`` (chain, draw). What a law does not have is zero.
    center : float
        Mean of log10 compute over the models, from which skills are counted.
    diagnostics : Diagnostics
        Result of the diagnostics gate.
    settings : Settings
        How it was sampled.
    """

    law: SkillLaw
    table: ScoreTable
    posterior: xr.Dataset
    center: float
    diagnostics: Diagnostics
    settings: Settings

    def flat(self, name: str) -> np.ndarray:
        """Return a quantity's draws, chain after chain (draw, ...)."""
        values = self.posterior[name].to_numpy()
        return values.reshape(-1, *values.shape[2:])

    @property
    def doubts(self) -> tuple[str, ...]:
        """What speaks against its numbers; empty when every check passed."""
        return tuple(f"law {self.law.name}: {failure}" for failure in self.diagnostics.failures)

    def _typical(self, name: str) -> str:
        return short(float(np.median(self.flat(name))))

    def _lines(self) -> list[str]:
        runs, responses = self.table.scores.shape
        state = "diagnostics passed" if self.diagnostics.passed else "diagnostics FAILED"
        return [
            f"SkillFit of {self.law.name} to {runs} models on {responses} responses of {self.table.name} "
            f"({self.posterior.sizes['chain']} x {self.posterior.sizes['draw']} draws, {state})",
            *self.diagnostics.failures[:1],
            f"skill = {self.law.formula}; families differ by {self._typical('gain_scale')} decades (s.d.), models of "
            f"one family by {self._typical('residual')}",
        ]

    def _shown(self) -> pd.DataFrame:
        return folded(family_table(self))


@checks.kinds
def family_table(fitted: SkillFit, probability: float = 0.9) -> pd.DataFrame:
    """Return what compute is worth in each family: its multiplier over the average family.

    Parameters
    ----------
    fitted : SkillFit
        Fit of a law with gains of families.
    probability : float
        Of the credible intervals.

    Returns
    -------
    pandas.DataFrame
        ``family``, ``models``, ``multiplier``, ``multiplier_lower`` and ``multiplier_upper``, largest first.
    """
    gain = fitted.flat("gain")
    draws = 10.0 ** (gain - gain.mean(axis=1, keepdims=True))
    counts = fitted.table.models["family"].value_counts()
    rows = []
    for position, family in enumerate(fitted.table.families):
        interval = credible_interval(draws[:, position], probability)
        ends = {"multiplier_lower": interval.lower, "multiplier_upper": interval.upper}
        rows.append({"family": family, "models": int(counts[family]), "multiplier": interval.median, **ends})
    return pd.DataFrame(rows).sort_values(["multiplier", "family"], ascending=[False, True], ignore_index=True)


def expected_scores(draws: Mapping[str, np.ndarray], skill: np.ndarray, ceiling: np.ndarray) -> np.ndarray:
    """Return the expected scores of models of some skill.

    Parameters
    ----------
    draws : mapping of str to numpy.ndarray
        ``loading``, ``intercept`` and ``floor`` (draw, response).
    skill : numpy.ndarray
        Skill, with the level of its family on the response, in decades (draw, run, response or 1).
    ceiling : numpy.ndarray
        Largest score (response,).
    """
    logit = draws["intercept"][:, None, :] + draws["loading"][:, None, :] * skill
    floor = draws["floor"][:, None, :]
    return np.asarray(floor + (ceiling - floor) / (1 + np.exp(-logit)))


def score_scale(expected: np.ndarray, sigma: np.ndarray, inverse_items: np.ndarray) -> np.ndarray:
    """Return the scale of the noise of scores: of the response, and of its number of questions.

    Parameters
    ----------
    expected : numpy.ndarray
        Expected scores (draw, run, response).
    sigma : numpy.ndarray
        Noise of each response (draw, response).
    inverse_items : numpy.ndarray
        One over the number of questions; zero where there are none (response,).
    """
    variance = np.maximum(expected * (1 - expected), LEAST_VARIANCE) * inverse_items
    return np.asarray(np.sqrt(sigma[:, None, :] ** 2 + variance))


def inverse_items(table: ScoreTable) -> np.ndarray:
    """Return one over the number of questions, and zero where a score is no part of questions (response,)."""
    counted = (table.responses["kind"] == "count") & table.responses["items"].notna()
    return np.where(counted, 1.0 / table.responses["items"].fillna(1.0), 0.0)


def second_in_decades(fitted: SkillFit, second: np.ndarray) -> np.ndarray:
    """Return what a second skill (draw, run) adds to the skill for each response, in decades (draw, run, response)."""
    share = fitted.flat("second_loading") / fitted.flat("loading")
    return np.asarray(second[:, :, None] * share[:, None, :])


def model_scores(fitted: SkillFit) -> np.ndarray:
    """Return the expected scores of the models of the table (draw, run, response)."""
    skill = fitted.flat("skill")[:, :, None] + fitted.flat("level")[:, fitted.table.family_of, :]
    skill = skill + second_in_decades(fitted, fitted.flat("second"))
    ceiling = fitted.table.responses["ceiling"].to_numpy(dtype=float)
    return expected_scores({name: fitted.flat(name) for name in ("loading", "intercept", "floor")}, skill, ceiling)


def log_densities(fitted: SkillFit, expected: np.ndarray) -> np.ndarray:
    """Return the log density of each score of the table (draw, run, response), NaN where there is none."""
    scale = score_scale(expected, fitted.flat("sigma"), inverse_items(fitted.table))
    return np.asarray(log_student(fitted.table.scores - expected, DEGREES, scale))

"""Gains of families given skills: normal, so drawn after sampling."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayescale.skills.laws import SkillLaw
from bayescale.skills.reading import log_compute
from bayescale.skills.table import ScoreTable


@dataclass(frozen=True)
class FamilyCompute:
    """Mean log10 compute of families: in standard deviations (family,), and the mean and spread over families."""

    standard: np.ndarray
    mean: float
    spread: float


def family_compute(table: ScoreTable) -> FamilyCompute:
    """Return how families differ in the compute of their models."""
    logs, _ = log_compute(table)
    counts = np.bincount(table.family_of)
    means = np.bincount(table.family_of, weights=logs) / counts
    spread = float(means.std()) or 1.0
    return FamilyCompute((means - means.mean()) / spread, float(means.mean()), spread)


def family_draws(
    law: SkillLaw,
    data: Mapping[str, np.ndarray],
    skill: np.ndarray,
    scales: Mapping[str, np.ndarray],
    families: int,
    *,
    random_seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw what the model integrates out, from its normal distribution given skills and scales.

    Parameters
    ----------
    law : SkillLaw
        The law.
    data : mapping of str to numpy.ndarray
        ``x``, ``x_sd``, ``family`` and, for a law that uses it, ``family_x`` (run,).
    skill : numpy.ndarray
        Skills in decades (chain, draw, run).
    scales : mapping of str to numpy.ndarray
        ``residual``, ``gain_scale``, ``turn_scale`` and, for a law that has it, ``publication`` (chain, draw).
    families : int
        How many there are.
    random_seed : int
        Of the draws.

    Returns
    -------
    location : numpy.ndarray
        Mean of skill less compute for the average family (chain, draw).
    gain, turn : numpy.ndarray
        Of each family, in decades, and in decades a decade (chain, draw, family).
    """
    shape, rng = skill.shape[:2], np.random.default_rng([random_seed, families])
    misfit = (skill - data["x"]).reshape(-1, skill.shape[2])
    draws = len(misfit)
    zeros = np.zeros((*shape, families))
    if not law.residual:
        return misfit.mean(axis=1).reshape(shape), zeros, zeros
    flat = {name: values.reshape(-1, 1) for name, values in scales.items()}
    drift = flat["publication"] * flat["gain_scale"] if law.publication else np.zeros((draws, 1))
    larger = np.zeros(families)
    larger[data["family"]] = data["family_x"] if law.publication else 0.0
    misfit = misfit - drift * larger[data["family"]]
    member = (data["family"][:, None] == np.arange(families)).astype(float)
    groups = _Groups(data["x"], 1 / (flat["residual"] ** 2 + data["x_sd"] ** 2), member, flat)
    ones = np.ones_like(misfit)
    weight = groups.product(ones, ones)
    location = groups.product(ones, misfit) / weight + rng.standard_normal(draws) / np.sqrt(weight)
    gain, turn = groups.draw(misfit - location[:, None], rng)
    return location.reshape(shape), (gain + drift * larger).reshape(zeros.shape), turn.reshape(zeros.shape)


class _Groups:
    """Families whose misfits are normal with covariance ``diag(1 / precision) + gain + turn x x'``."""

    def __init__(
        self, x: np.ndarray, precision: np.ndarray, member: np.ndarray, scales: Mapping[str, np.ndarray]
    ) -> None:
        self.x, self.precision, self.member = x, precision, member
        self.gain, self.turn = scales["gain_scale"], scales["turn_scale"]
        self.own, self.with_x, self.with_xx = (precision * x**k @ member for k in (0, 1, 2))
        gain, turn = self.gain**2, self.turn**2
        self.determinant = (1 + gain * self.own) * (1 + turn * self.with_xx) - gain * turn * self.with_x**2

    def product(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return ``first' inverse(covariance) second`` (draw,)."""
        gain, turn = self._means(second)
        fitted = gain @ self.member.T + turn @ self.member.T * self.x
        return np.asarray((self.precision * first * (second - fitted)).sum(axis=1))

    def draw(self, misfit: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw gain and turn of each family (draw, family): noise of the prior, and what the misfits say of it."""
        gain = self.gain * rng.standard_normal(self.own.shape)
        turn = self.turn * rng.standard_normal(self.own.shape)
        noise = rng.standard_normal(misfit.shape) / np.sqrt(self.precision)
        simulated = gain @ self.member.T + turn @ self.member.T * self.x + noise
        more_gain, more_turn = self._means(misfit - simulated)
        return gain + more_gain, turn + more_turn

    def _means(self, misfit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the expected gain and turn of each family given misfits (draw, family)."""
        total = self.precision * misfit @ self.member
        total_x = self.precision * misfit * self.x @ self.member
        gain, turn = self.gain**2, self.turn**2
        cross = gain * turn * self.with_x
        return (
            (gain * (1 + turn * self.with_xx) * total - cross * total_x) / self.determinant,
            (turn * (1 + gain * self.own) * total_x - cross * total) / self.determinant,
        )

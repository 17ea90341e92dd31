"""split_odds: how probable it is that N and D predict loss better than compute alone, from scores of runs left out."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayescale.catalogue import data_dir
from bayescale.comparison.comparison import Comparison
from bayescale.comparison.cross_validation import CrossValidation
from bayescale.fits.fit import Fit
from bayescale.runs.units import counted_rows, independent_units, numbered

FILE = "verdict-calibration.json"
"""What it takes to lead, and how well the probability then holds: written by docs/make_verdict_calibration.py."""

DRAWS = 20000
"""Draws of the totals of all laws; the error of a probability of 0.95 is then 0.0015."""

UNKNOWN = 0.5
"""Probability that the split matters where runs say nothing about it."""


@dataclass(frozen=True)
class Odds:
    """How probable it is that the split matters.

    Attributes
    ----------
    probability : float
        That some law of N and D predicts better than every law of compute alone.
    shares : mapping of str to float
        Probability of each law of N and D of being the best of them, if the split matters.
    """

    probability: float
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Lead:
    """By how much a law of N and D must lead, in nats.

    Attributes
    ----------
    split, lean : float
        Margin of a law with a best split, and of one without.
    error : float
        Standard deviation that is added to that of the difference.
    """

    split: float
    lean: float
    error: float


@dataclass(frozen=True)
class Kinds:
    """Names of laws by what they say of the split, the best of each kind first.

    Attributes
    ----------
    compute : tuple of str
        Laws of compute alone.
    split : tuple of str
        Laws of N and D that have a best split.
    lean : tuple of str
        Laws of N and D that have none, such as ``tilt``, which says that N counts for more than D, or less.
    """

    compute: tuple[str, ...]
    split: tuple[str, ...]
    lean: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All of them, in this order."""
        return [*self.compute, *self.split, *self.lean]


def sound_kinds(kinds: Kinds, fits: Mapping[str, Fit]) -> Kinds | None:
    """Return the laws whose diagnostics passed; None where a law of compute alone, or one with a best split, lacks."""
    compute, split, lean = (
        tuple(name for name in names if fits[name].diagnostics.passed)
        for names in (kinds.compute, kinds.split, kinds.lean)
    )
    return Kinds(compute, split, lean) if compute and split else None


def split_odds(found: Comparison | CrossValidation, kinds: Kinds) -> Odds:
    """Return how probable it is that N and D predict better than compute alone.

    The laws' totals are drawn jointly, from the Student t distribution that a sum over so many independent units has.
    In each draw the best law of each kind is chosen anew, so that the choice counts. A law of N and D has to lead by a
    margin, for it has more freedom than the truth may need, and a few nats of error are added, for no law is the truth;
    margins and error are those under which the probability was calibrated on simulated tables. A row whose density is
    not to be trusted (high Pareto k, not refitted) adds the square of its difference to the variance. Within families
    the first model of each, which shows the family's level, does not count.

    Parameters
    ----------
    found : Comparison or CrossValidation
        Scores of runs left out; units are training runs, families, or the groups that were left out.
    kinds : Kinds
        The laws.
    """
    totals = drawn_totals(*_scores(found, kinds.names))
    score, best = score_of(totals, kinds)
    counts = np.bincount(best, minlength=len(kinds.names) - len(kinds.compute))
    shares = dict(zip((*kinds.split, *kinds.lean), map(float, counts / counts.sum()), strict=True))
    return Odds(bounded(score), shares)


def score_of(totals: np.ndarray, kinds: Kinds, lead: Lead | None = None) -> tuple[float, np.ndarray]:
    """Return in what part of the draws a law of N and D leads, and which of those laws does in each of these draws.

    Parameters
    ----------
    totals : numpy.ndarray
        Totals of all laws, in the order of the kinds, and a standard normal number for the error (draw, law + 1).
    kinds : Kinds
        The laws.
    lead : Lead, optional
        What it takes to lead; by default as calibrated.

    Returns
    -------
    score : float
        Part of the draws; one half where there are no totals.
    best : numpy.ndarray
        Place of the leading law of N and D, over the draws in which one leads; over all where none does.
    """
    if not np.isfinite(totals).all():
        return UNKNOWN, np.zeros(1, dtype=int)
    lead, first = lead or Lead(**calibration()["lead"]), len(kinds.compute)
    margins = np.repeat([lead.split, lead.lean], [len(kinds.split), len(kinds.lean)])
    of_both = totals[:, first:-1] - margins
    ahead = of_both.max(axis=1) + lead.error * totals[:, -1] > totals[:, :first].max(axis=1)
    leading = of_both.argmax(axis=1)
    return float(ahead.mean()), leading[ahead] if ahead.any() else leading


def drawn_totals(elpd_i: np.ndarray, units: np.ndarray, doubtful: np.ndarray, random_seed: int = 0) -> np.ndarray:
    """Draw the laws' totals jointly, relative to the first law, and a standard normal number with each draw.

    Parameters
    ----------
    elpd_i : numpy.ndarray
        Density of each row left out, in nats (law, row).
    units : numpy.ndarray
        Number of each row's independent unit (row,).
    doubtful : numpy.ndarray
        Whether a density is not to be trusted (law, row).
    random_seed : int
        Of the draws.

    Returns
    -------
    numpy.ndarray
        Totals and the number (draw, law + 1); NaN with a single unit.
    """
    relative = elpd_i - elpd_i[0]
    sums = np.stack([np.bincount(units, each) for each in relative])
    count = sums.shape[1]
    if count < 2:
        return np.full((1, len(elpd_i) + 1), np.nan)
    covariance = count * np.atleast_2d(np.cov(sums)) + _doubt(relative, doubtful)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(values.clip(min=0.0))
    rng = np.random.default_rng(random_seed)
    normal = rng.standard_normal((DRAWS, len(elpd_i))) @ root.T
    wide = np.sqrt((count - 1) / rng.chisquare(count - 1, size=(DRAWS, 1)))
    return np.column_stack([sums.sum(axis=1) + normal * wide, rng.standard_normal(DRAWS)])


def _doubt(relative: np.ndarray, doubtful: np.ndarray) -> np.ndarray:
    """Return the variance that rows add whose density, of either law, is not to be trusted (law, law)."""
    extra = np.where(doubtful, relative, 0.0)
    return np.asarray(extra @ extra.T)


def _scores(found: Comparison | CrossValidation, names: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return densities (law, row), units (row,) and which densities are not to be trusted (law, row)."""
    counted = counted_rows(found.runs.frame)
    if isinstance(found, CrossValidation):
        scored = (found.folds >= 0) & (counted if found.by in ("family", "training_run") else True)
        elpd_i = found.elpd_i.sel(law=names).to_numpy()[:, scored]
        return elpd_i, _held_units(found, scored), np.zeros(elpd_i.shape, dtype=bool)
    pointwise = [found.pointwise[name] for name in names]
    elpd_i = np.stack([each.elpd_i.to_numpy() for each in pointwise])
    doubtful = np.stack([each.pareto_k.to_numpy() > each.good_k for each in pointwise])
    return elpd_i[:, counted], numbered(independent_units(found.runs)[counted]), doubtful[:, counted]


def _held_units(found: CrossValidation, scored: np.ndarray) -> np.ndarray:
    """Return the independent unit of each row left out: its group, or its training run where all are left out once."""
    if found.by in ("largest", "random"):
        return numbered(independent_units(found.runs)[scored])
    return numbered(found.groups[scored])


def bounded(probability: float) -> float:
    """Return a probability no nearer to 0 and 1 than the simulated tables can vouch for."""
    least = calibration()["least"]
    return float(np.clip(probability, least, 1 - least))


@functools.cache
def calibration() -> dict[str, Any]:
    """Return what it takes to lead, the least probability, and how well the probability holds."""
    return dict(json.loads((data_dir() / FILE).read_text(encoding="utf-8")))

"""compare_skills: how well laws of skill forecast scores that they were not fitted to."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.fits.settings import Settings
from bayescale.fits.versions import source_hash, versions
from bayescale.laws import Given
from bayescale.skills.fit import SkillFit, inverse_items, log_densities, model_scores, score_scale
from bayescale.skills.fitting import sample_fit
from bayescale.skills.folds import ScoreFold, Target, score_folds, table_by
from bayescale.skills.laws import DEGREES, SKILL_LAWS, SkillLaw, priors_of, skill_law
from bayescale.skills.reading import Scores, read_scores
from bayescale.skills.table import ScoreTable
from bayescale.storage import cache_dir, content_hash, keep, kept
from bayescale.values import Value
from bayescale.words import percent, short

PROBABILITY = 0.9
"""Of the intervals whose coverage is counted."""

REFIT = Settings(draws=800, tune=500)
"""How refits are sampled."""

OF_ONE = ("skill", "second", "gain", "turn", "level")
"""What a refit has of single models and families, hundreds of numbers of which only the worst must mix."""

type Progress = Callable[[str, int, int], object]


@dataclass(frozen=True, eq=False, repr=False)
class SkillComparison(Value):
    """How well laws of skill forecast scores that they were not fitted to.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each law, best first: ``law``, ``elpd`` (log predictive density of the scores left out, those of one
        model jointly), ``elpd_diff`` to the best law, its standard error over families ``dse``, ``coverage_90``,
        ``mean_error`` (of the median), ``width`` of the 90% interval, and ``doubtful`` (refits that fail the gate).
    pointwise : pandas.DataFrame
        Log density of each model's scores, a column for each law; index ``run`` and ``family``.
    cells : pandas.DataFrame
        Each score left out: ``law``, ``run``, ``response``, ``score``, ``median``, ``lower`` and ``upper``.
    by : str
        What was left out together.
    scores : ScoreTable
        The scores.
    notes, doubts : tuple of str
        What a reader must know of these numbers, and what speaks against them.
    """

    table: pd.DataFrame
    pointwise: pd.DataFrame
    cells: pd.DataFrame
    by: str
    scores: ScoreTable
    notes: tuple[str, ...]
    doubts: tuple[str, ...]

    def _lines(self) -> list[str]:
        best = self.table.iloc[0]
        return [
            f"SkillComparison of {len(self.table)} laws on {len(self.pointwise)} models of {self.scores.name}, "
            f"left out by {self.by}",
            f"best: {best['law']}; 90% intervals hold {percent(best['coverage_90'])}, mean error "
            f"{short(best['mean_error'])}",
        ]

    def _shown(self) -> pd.DataFrame:
        return self.table


@checks.kinds
def compare_skills(
    scores: Scores,
    laws: Iterable[str | SkillLaw] | None = None,
    *,
    by: str = "model",
    folds: int | None = None,
    cutoff: float | str | None = None,
    target: Target = None,
    priors: Given | None = None,
    random_seed: int = 0,
    cache: bool = True,
    progress: Progress | None = None,
) -> SkillComparison:
    """Leave scores out, forecast them with each law, and score the forecasts.

    Parameters
    ----------
    scores : ScoreTable, DataFrame, table, mapping or path-like
        The scores, as :func:`bayescale.skills.read_scores` takes them.
    laws : iterable of str or SkillLaw, optional
        Laws to compare; by default all of :data:`bayescale.skills.SKILL_LAWS`.
    by : str
        ``model`` (all scores of a model whose family is known), ``family`` (of a family), ``largest`` (models of most
        compute), ``date`` (the latest; models without a date are not used at all), ``cell`` (single scores) or
        ``response`` (one response of the largest models, from their other scores).
    folds : int, optional
        By model, family or cell; 5 by default.
    cutoff : float or str, optional
        Compute in FLOP above which models are left out, or the first date; by default that of the last third.
    target : str or sequence of str, optional
        The response, or several, by response.
    priors : mapping of str to Prior or str, optional
        Priors of one's own, for each law that has the parameter.
    random_seed : int
        Of folds and sampling.
    cache : bool
        Whether to read refits from the cache, and to keep them there.
    progress : callable, optional
        Is given the law, and how many of its refits are done, of how many.

    Returns
    -------
    SkillComparison
        Scored on the same scores.

    Raises
    ------
    InputError
        If the table cannot be divided so, or there is no such law.
    """
    read = read_scores(scores)
    table = table_by(read, by)
    chosen = [_with(law, priors) for law in (SKILL_LAWS if laws is None else laws)]
    parts = score_folds(table, by, folds=folds, cutoff=cutoff, target=target, random_seed=random_seed)
    settings = dataclasses.replace(REFIT, random_seed=random_seed)
    found: dict[str, list[dict[str, Any]]] = {}
    for law in chosen:
        found[law.name] = []
        for done, fold in enumerate(parts):
            if progress:
                progress(law.name, done, len(parts))
            found[law.name].append(forecast_fold(law, table, fold, settings, cache=cache))
    return _comparison(table, by, parts, found, notes=table.notes[len(read.notes) :])


def _with(law: str | SkillLaw, priors: Given | None) -> SkillLaw:
    chosen = skill_law(law)
    own = priors_of(chosen, priors or {})
    return skill_law(chosen, {name: prior for name, prior in own.items() if name in chosen.priors})


def planned_refits(
    table: ScoreTable,
    laws: Iterable[str | SkillLaw],
    *,
    by: str,
    cutoff: float | str | None = None,
    target: Target = None,
    priors: Given | None = None,
    random_seed: int = 0,
    cache: bool = True,
) -> dict[str, tuple[int, int]]:
    """Return how many refits :func:`compare_skills` needs of each law, and how many of them the cache holds."""
    table = table_by(table, by)
    parts = score_folds(table, by, folds=None, cutoff=cutoff, target=target, random_seed=random_seed)
    settings = dataclasses.replace(REFIT, random_seed=random_seed)
    planned = {}
    for law in (_with(each, priors) for each in laws):
        known = [cache and isinstance(kept(_path(law, table, fold, settings)), dict) for fold in parts]
        planned[law.name] = (len(parts), sum(known))
    return planned


def _path(law: SkillLaw, table: ScoreTable, fold: ScoreFold, settings: Settings) -> Path:
    """Return where the forecast of a fold is kept."""
    content = {
        "law": law.record,
        "table": table.hash,
        "held": np.flatnonzero(fold.held).tolist(),
        "settings": dataclasses.asdict(settings),
        "versions": {**versions(), "skills": source_hash("skills")},
    }
    return cache_dir() / "skill-refits" / f"{content_hash(content)[:32]}.json"


def forecast_fold(
    law: SkillLaw, table: ScoreTable, fold: ScoreFold, settings: Settings, *, cache: bool
) -> dict[str, Any]:
    """Return the forecast of the scores left out, as plain data."""
    path = _path(law, table, fold, settings)
    known = kept(path) if cache else None
    if isinstance(known, dict):
        return known
    fitted = sample_fit(law, table, ~fold.held, settings, attempts=(0.8,), unchecked=OF_ONE)
    value = _scored(fitted, fold.held)
    if cache:
        keep(path, value)
    return value


def _scored(fitted: SkillFit, held: np.ndarray) -> dict[str, Any]:
    expected = model_scores(fitted)
    runs = np.flatnonzero(held.any(axis=1))
    density = np.where(held, log_densities(fitted, expected), 0.0)[:, runs]
    joint = _log_mean(density.sum(axis=2)) if fitted.law.shared else _log_mean(density).sum(axis=-1)
    cells = np.argwhere(held)
    center = expected[:, held]
    scale = score_scale(expected, fitted.flat("sigma"), inverse_items(fitted.table))[:, held]
    noise = np.random.default_rng(fitted.settings.random_seed).standard_t(DEGREES, size=center.shape)
    tail = (1 - PROBABILITY) / 2
    lower, median, upper = np.quantile(center + scale * noise, [tail, 0.5, 1 - tail], axis=0)
    return {
        "runs": runs.tolist(),
        "elpd": joint.tolist(),
        "cells": cells.tolist(),
        "lower": lower.tolist(),
        "median": median.tolist(),
        "upper": upper.tolist(),
        "failures": list(fitted.diagnostics.failures[:3]),
    }


def _log_mean(density: np.ndarray) -> np.ndarray:
    return np.asarray(np.logaddexp.reduce(density, axis=0) - np.log(len(density)))


def _comparison(
    table: ScoreTable,
    by: str,
    parts: list[ScoreFold],
    found: Mapping[str, list[dict[str, Any]]],
    *,
    notes: tuple[str, ...] = (),
) -> SkillComparison:
    pointwise = {
        law: pd.concat([pd.Series(fold["elpd"], index=fold["runs"]) for fold in folds]).groupby(level=0).sum()
        for law, folds in found.items()
    }
    frame = pd.DataFrame(pointwise).sort_index()
    family = table.models["family"].iloc[frame.index].to_numpy()
    cells = pd.concat([_cells(table, law, fold) for law, folds in found.items() for fold in folds], ignore_index=True)
    rows = [_row(law, frame, family, cells[cells["law"] == law], folds) for law, folds in found.items()]
    ranked = pd.DataFrame(rows).sort_values("elpd", ascending=False, ignore_index=True)
    best = frame[ranked["law"].iloc[0]]
    differences = [difference_over(frame[law] - best, family) for law in ranked["law"]]
    ranked.insert(2, "elpd_diff", [each[0] for each in differences])
    ranked.insert(3, "dse", [each[1] for each in differences])
    doubts = [
        f"law {row['law']}: {row['doubtful']} of {len(parts)} refits fail the diagnostics gate"
        for row in rows
        if row["doubtful"]
    ]
    runs = table.models["run"].iloc[frame.index]
    frame.index = pd.MultiIndex.from_arrays([runs, family], names=["run", "family"])  # a law may be called family
    notes = (f"left out: {'; '.join(part.what for part in parts)}", "standard errors are over families", *notes)
    return SkillComparison(ranked, frame, cells, by, table, notes, tuple(doubts))


def _cells(table: ScoreTable, law: str, fold: Mapping[str, Any]) -> pd.DataFrame:
    run, response = np.array(fold["cells"]).T
    return pd.DataFrame(
        {
            "law": law,
            "run": table.models["run"].to_numpy()[run],
            "response": np.array(table.names)[response],
            "score": table.scores[run, response],
            **{name: fold[name] for name in ("median", "lower", "upper")},
        }
    )


def _row(
    law: str, frame: pd.DataFrame, family: np.ndarray, cells: pd.DataFrame, folds: list[dict[str, Any]]
) -> dict[str, Any]:
    inside = (cells["lower"] <= cells["score"]) & (cells["score"] <= cells["upper"])
    return {
        "law": law,
        "elpd": float(frame[law].sum()),
        "se": difference_over(frame[law], family)[1],
        "coverage_90": float(inside.mean()),
        "mean_error": float((cells["score"] - cells["median"]).abs().mean()),
        "width": float((cells["upper"] - cells["lower"]).mean()),
        "doubtful": sum(bool(fold["failures"]) for fold in folds),
    }


def difference_over(pointwise: "pd.Series[float]", family: np.ndarray) -> tuple[float, float]:
    """Return a sum over models, and its standard error where the models of one family count as one."""
    sums = pd.Series(pointwise.to_numpy()).groupby(family).sum()
    spread = float(np.sqrt(len(sums)) * sums.std(ddof=1)) if len(sums) > 1 else float("nan")
    return float(sums.sum()), spread

"""Skills, their comparison and forecasts of scores as plain data."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayescale.intervals import Interval
from bayescale.skills import ScoreForecast, ScoreTable, SkillComparison, SkillFit, SkillVerdict, family_table
from bayescale.values import Value

SCHEMA = "bayescale/skills/1"
COLUMNS = ("elpd", "elpd_diff", "dse", "coverage_90", "mean_error")


def skills_record(
    fitted: SkillFit,
    comparison: SkillComparison | None,
    verdict: SkillVerdict | None,
    forecasts: Sequence[ScoreForecast],
    *,
    probability: float,
    defaults: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a fit of skills and what follows from it as plain data.

    Parameters
    ----------
    fitted : SkillFit
        The fit.
    comparison, verdict
        Of laws on scores left out; None where laws were not compared.
    forecasts : sequence of ScoreForecast
        What models would score.
    probability : float
        Of the credible intervals.
    defaults : sequence of str
        What was chosen by default.
    """
    parts: list[Value | None] = [comparison, *forecasts]
    notes = [fitted.table.notes, *(getattr(part, "notes", ()) for part in parts)]
    doubts = [fitted.doubts, *(getattr(part, "doubts", ()) for part in parts)]
    return {
        "schema": SCHEMA,
        "scores": scores_record(fitted.table),
        "law": fitted.law.name,
        "probability": probability,
        "by": None if comparison is None else comparison.by,
        "laws": [] if comparison is None else _laws(comparison),
        "families": _families(fitted, probability),
        "responses": _responses(fitted, probability),
        "forecasts": [row for forecast in forecasts for row in _forecasts(forecast)],
        "needed": [row for forecast in forecasts for row in _needed(forecast)],
        "verdict": None if verdict is None else _verdict(verdict),
        "defaults": list(defaults),
        "notes": list(dict.fromkeys(note for each in notes for note in each)),
        "doubts": list(dict.fromkeys(doubt for each in doubts for doubt in each)),
    }


def scores_record(table: ScoreTable) -> dict[str, Any]:
    """Return what a record says of the table of scores."""
    runs, responses = table.scores.shape
    found = int(np.isfinite(table.scores).sum())
    return {
        "name": table.name,
        "models": runs,
        "families": len(table.families),
        "responses": responses,
        "scores": found,
    }


def _laws(comparison: SkillComparison) -> list[dict[str, Any]]:
    rows = comparison.table.to_dict("records")
    return [{"name": row["law"], **{name: float(row[name]) for name in COLUMNS}} for row in rows]


def _families(fitted: SkillFit, probability: float) -> list[dict[str, Any]]:
    if not fitted.law.gain:
        return []
    rows = family_table(fitted, probability).to_dict("records")
    return [
        {
            "family": row["family"],
            "models": int(row["models"]),
            "multiplier": Interval(
                row["multiplier"], row["multiplier_lower"], row["multiplier_upper"], probability
            ).record(),
        }
        for row in rows
    ]


def _responses(fitted: SkillFit, probability: float) -> list[dict[str, Any]]:
    """Return what ten times the compute adds to each response, in logits."""
    tail = (1 - probability) / 2
    ends = np.quantile(fitted.flat("loading"), [tail, 0.5, 1 - tail], axis=0).T
    return [
        {"response": name, "loading": Interval(float(mid), float(low), float(high), probability).record()}
        for name, (low, mid, high) in zip(fitted.table.names, ends, strict=True)
    ]


def _forecasts(forecast: ScoreForecast) -> list[dict[str, Any]]:
    return [
        {
            "family": forecast.family,
            "flops": float(flops),
            "response": response,
            "score": forecast.interval(budget, position).record(),
            "probability": forecast.passes(budget, position),
        }
        for budget, flops in enumerate(forecast.flops)
        for position, response in enumerate(forecast.responses)
    ]


def _needed(forecast: ScoreForecast) -> list[dict[str, Any]]:
    if forecast.needed is None:
        return []
    return [
        {
            "family": forecast.family,
            "response": str(response),
            "threshold": forecast.threshold,
            "flops": {str(chance): float(value) for chance, value in row.items()},
        }
        for response, row in forecast.needed.iterrows()
    ]


def _verdict(verdict: SkillVerdict) -> dict[str, Any]:
    return {
        "answer": verdict.answer,
        "probability": verdict.probability,
        "effect": verdict.effect.record(),
        "statement": verdict.statement,
        "elpd_diff": verdict.elpd_diff,
        "dse": verdict.dse,
        "reasons": list(verdict.reasons),
    }

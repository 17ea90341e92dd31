"""A comparison, a cross-validation and a verdict as plain data."""

import dataclasses
from typing import Any

import numpy as np

from bayescale.comparison.comparison import Comparison
from bayescale.comparison.cross_validation import CrossValidation
from bayescale.comparison.deciding import DecidingRuns
from bayescale.comparison.statements import reasons_sentence
from bayescale.comparison.verdict import Verdict
from bayescale.fits.discrepancy import infer_discrepancy
from bayescale.intervals import Interval
from bayescale.records.runs import runs_record
from bayescale.runs.folds import ALONE
from bayescale.runs.units import independent_units
from bayescale.splits.ranges import RatioRange


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data, best law first.

    ``missed`` is the size of a law's discrepancy, the smooth part of what it misses, at a typical run, and ``noise``
    the scale of what is left: medians, in log response. A law that misses much may take it for noise. Neither the
    discrepancy nor what it explains plays a part in ``elpd``.
    """
    columns = ("elpd", "se", "p", "elpd_diff", "dse", "weight", "best_probability")
    return {
        "runs": runs_record(comparison.runs),
        "laws": [
            {
                "name": name,
                **{column: float(comparison.table.loc[name, column]) for column in columns},
                "decided": bool(comparison.table.loc[name, "decided"]),
                "missed": float(np.median(infer_discrepancy(comparison.fits[name]).size)),
                "noise": float(np.median(comparison.fits[name].draws["sigma"])),
                "bad_k": int(comparison.table.loc[name, "bad_k"]),
                "exact_refits": len(comparison.exact[name]),
                "diagnostics_passed": comparison.fits[name].diagnostics.passed,
            }
            for name in comparison.table.index
        ],
        "ranking_probability": comparison.ranking_probability,
        "conventions": [{**dataclasses.asdict(each), "statement": each.statement} for each in comparison.conventions],
        "independent_runs": int(independent_units(comparison.runs).max()) + 1,
        "notes": list(comparison.notes),
    }


def cross_validation_record(validation: CrossValidation) -> dict[str, Any]:
    """Return a cross-validation as plain data, best law first."""
    columns = ("elpd", "se", "elpd_diff", "dse", "weight", "best_probability")
    table, scored = validation.table, validation.folds != ALONE
    return {
        "by": validation.by,
        "groups": np.unique(validation.groups[scored]).size,
        "folds": np.unique(validation.folds[scored]).size,
        "rows": int(scored.sum()),
        "laws": [
            {
                "name": name,
                **{column: float(table.loc[name, column]) for column in columns},
                "decided": bool(table.loc[name, "decided"]),
                "failed_folds": validation.failed[name],
            }
            for name in table.index
        ],
        "ranking_probability": validation.ranking_probability,
        "notes": list(validation.notes),
    }


def verdict_record(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain data."""
    return {
        "answer": verdict.answer,
        "probability": verdict.probability,
        "effect": _interval(verdict.effect),
        "effect_above_tolerance": verdict.effect_above_tolerance,
        "statement": verdict.statement,
        "summary": verdict.statement.replace(reasons_sentence(verdict.reasons), "", 1),
        "elpd_diff": verdict.difference.elpd_diff,
        "dse": verdict.difference.dse,
        "decided": verdict.difference.decided,
        "compute_law": verdict.compute_law,
        "split_law": verdict.split_law,
        "tilt": verdict.tilt.record(),
        "tilt_law": verdict.tilt_law,
        "tokens_per_parameter": range_record(verdict.tokens_per_parameter),
        "ranges": [range_record(each) for each in verdict.ranges],
        "waste": [
            {
                "factor": waste.factor,
                "extra_compute": waste.extra_compute.record(),
                "too_small": waste.too_small.record(),
                "too_large": waste.too_large.record(),
            }
            for waste in verdict.waste
        ],
        "effects": [
            {
                "factor": each.factor,
                "extra_compute": _interval(each.extra_compute),
                "above_tolerance": each.above_tolerance,
            }
            for each in verdict.effects
        ],
        "by_criterion": dict(verdict.by_criterion),
        "reasons": list(verdict.reasons),
        "deciding_runs": _deciding(verdict.deciding),
        "remedies": list(verdict.remedies),
        "notes": list(verdict.notes),
    }


def _interval(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else found.record()


def _deciding(found: DecidingRuns | None) -> dict[str, Any] | None:
    """Return the runs that would decide, and what they cost, as plain data."""
    if found is None:
        return None
    return {
        "N": found.N.tolist(),
        "D": found.D.tolist(),
        "flops": found.flops,
        "total_flops": found.flops * len(found.N),
        "part_of_table": found.part,
        "probability_if_matters": found.if_matters,
        "probability_if_not": found.if_not,
    }


def range_record(ratios: RatioRange) -> dict[str, Any]:
    """Return a range as plain data."""
    ends = {"lower_end": ratios.lower_end, "upper_end": ratios.upper_end}
    return {
        "lower": ratios.lower,
        "upper": ratios.upper,
        "tolerance": ratios.tolerance,
        "probability": ratios.probability,
        "flops": ratios.flops,
        **{name: end.record() if end else None for name, end in ends.items()},
    }

"""Results of fits as plain data: the JSON of ``fit``, ``compare``, ``allocate`` and ``report``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bayescale.comparison.comparison import Comparison
from bayescale.comparison.cross_validation import CrossValidation
from bayescale.comparison.verdict import Verdict
from bayescale.decisions.allocation import Allocation
from bayescale.decisions.prior_shift import PriorShift
from bayescale.fits.fit import Fit, contraction, published_draws
from bayescale.forecasts.backtesting import Backtest
from bayescale.forecasts.reliability import reliability_statement
from bayescale.intervals import credible_interval
from bayescale.laws import NOISE_PRIORS, given_record
from bayescale.records import backtest
from bayescale.records.allocation import allocation_record
from bayescale.records.comparison import comparison_record, cross_validation_record, verdict_record
from bayescale.records.priors import given_priors, shift_record
from bayescale.records.runs import runs_record
from bayescale.records.sensitivity import sensitivity_record

LEAST_CONTRACTION = 0.5
"""Below this the runs have taken less than half of the prior's variance away."""


def fit_record(
    fits: Mapping[str, Fit], probability: float, paths: Mapping[str, Path], defaults: Sequence[str]
) -> dict[str, Any]:
    """Return parameters with credible intervals and diagnostics of each law."""
    return {
        "schema": "bayescale/fits/1",
        "runs": runs_record(next(iter(fits.values())).runs),
        "probability": probability,
        "fits": [_law_record(name, fitted, probability, paths.get(name)) for name, fitted in fits.items()],
        "priors": given_record(fitted.law for fitted in fits.values()),
        "defaults": list(defaults),
        "doubts": _fit_doubts(fits),
    }


def _law_record(name: str, fitted: Fit, probability: float, path: Path | None) -> dict[str, Any]:
    at_typical, published = fitted.draws, published_draws(fitted)
    scales = (at_typical, published)
    names = (*fitted.law.parameters, *(each for each in published if each not in fitted.law.parameters))
    names = (*names, *(each for each in NOISE_PRIORS if each in at_typical))
    diagnostics = fitted.diagnostics
    told = contraction(fitted)
    text = {**{each: str(prior) for each, prior in fitted.law.priors.items()}, **NOISE_PRIORS}.get
    return {
        "law": name,
        "formula": fitted.law.formula,
        "typical_run": dict(fitted.reference),
        "parameters": [
            {"name": each, "contraction": told.get(each), "prior": text(each), "given": each in fitted.law.replaced}
            | {
                scale: credible_interval(draws[each], probability).record() if each in draws else None
                for scale, draws in zip(("reference", "published"), scales, strict=True)
            }
            for each in names
        ],
        "diagnostics": {
            "passed": diagnostics.passed,
            "failures": list(diagnostics.failures),
            **{
                each: getattr(diagnostics, each)
                for each in ("rhat", "ess_bulk", "ess_tail", "bfmi", "divergences", "saturated", "draws")
            },
        },
        "decided_by_prior": [
            each
            for each, part in told.items()
            if each in fitted.law.parameters and part is not None and part < LEAST_CONTRACTION
        ],
        "path": None if path is None else str(path),
    }


def compare_record(
    comparison: Comparison,
    verdict: Verdict | None,
    defaults: Sequence[str],
    notes: Sequence[str] = (),
    criteria: Sequence[CrossValidation] = (),
) -> dict[str, Any]:
    """Return a comparison and its verdict, or the note that says why there is none, and further criteria."""
    record = comparison_record(comparison)
    return {
        "schema": "bayescale/compare/1",
        "runs": record.pop("runs"),
        "laws": record.pop("laws"),
        "probability": None if verdict is None else verdict.tokens_per_parameter.probability,
        "verdict": None if verdict is None else verdict_record(verdict),
        "notes": [*record.pop("notes"), *notes],
        **record,
        "criteria": [cross_validation_record(each) for each in criteria],
        "priors": given_priors(comparison),
        "defaults": list(defaults),
        "doubts": [*_comparison_doubts(comparison), *(doubt for each in criteria for doubt in each.doubts)],
    }


def allocate_record(
    source: Fit | Comparison, allocation: Allocation, defaults: Sequence[str], shift: PriorShift | None = None
) -> dict[str, Any]:
    """Return an allocation with the runs behind it, and what priors by hand change of it."""
    doubts, aside = doubts_of_laws(source, list(allocation.weights))
    told = allocation_record(allocation)
    return {
        "schema": "bayescale/allocate/1",
        "runs": runs_record(allocation.runs),
        **told,
        "notes": [*told["notes"], *aside],
        "sensitivity": sensitivity_record(source, allocation),
        "priors": given_priors(source),
        "prior_shift": shift_record(shift),
        "defaults": list(defaults),
        "doubts": [*doubts, *allocation.doubts],
    }


def backtest_record(found: Backtest, defaults: Sequence[str]) -> dict[str, Any]:
    """Return the scores of a backtest, and in a few sentences what to take from them."""
    return {
        "schema": "bayescale/backtest/1",
        **backtest.backtest_record(found),
        "statement": reliability_statement(found.points),
        "defaults": list(defaults),
        "doubts": list(found.doubts),
    }


def report_doubts(comparison: Comparison, allocation: Allocation | None, found: Backtest | None) -> list[str]:
    """Return what the diagnostics hold against the numbers of a report."""
    used = list(allocation.weights) if allocation else list(comparison.fits)
    doubts = [*doubts_of_laws(comparison, used)[0], *(allocation.doubts if allocation else [])]
    return doubts + (list(found.doubts) if found else [])


def doubts_of_laws(source: Fit | Comparison, used: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what is held against the laws behind a number, and a note on each other law that failed."""
    if isinstance(source, Fit):
        return _fit_doubts({source.law.name: source}), []
    others = {name: fitted for name, fitted in source.fits.items() if name not in used}
    aside = [
        f"{name} failed its diagnostics ({fitted.diagnostics.failures[0]}) and takes no part in these numbers"
        for name, fitted in others.items()
        if not fitted.diagnostics.passed
    ]
    return [doubt for doubt in _comparison_doubts(source) if doubt.partition(":")[0] not in others], aside


def _fit_doubts(fits: Mapping[str, Fit]) -> list[str]:
    """Return one sentence for each law that failed: the diagnostics themselves are in the record of the fit."""
    failed = {name: fitted.diagnostics.failures for name, fitted in fits.items() if fitted.diagnostics.failures}
    return [
        f"{name}: {failures[0]}" + (f" (and {len(failures) - 1} more)" if failures[1:] else "")
        for name, failures in failed.items()
    ]


def _comparison_doubts(comparison: Comparison) -> list[str]:
    bad = {str(name): int(count) for name, count in comparison.table["bad_k"].items()}
    high = [f"{name}: Pareto k of {count} run{'s' * (count != 1)} is too high" for name, count in bad.items() if count]
    return [*_fit_doubts(comparison.fits), *high]

"""The numbers of a report as plain data: everything its page says comes from here."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayescale.catalogue import TABLES, load_runs
from bayescale.comparison.comparison import Comparison, pointwise_difference
from bayescale.comparison.verdict import Verdict
from bayescale.decisions.allocation import Allocation
from bayescale.decisions.prior_shift import PriorShift
from bayescale.decisions.size_backtesting import NO_LAW, SizeBacktest, why_no_size_backtest
from bayescale.decisions.size_scores import size_earned
from bayescale.errors import InputError
from bayescale.fits.fit import Fit, contraction, flat_draws, published_draws
from bayescale.forecasts.backtesting import Backtest, can_backtest
from bayescale.forecasts.reliability import earned, reliability_statement
from bayescale.intervals import credible_interval
from bayescale.laws import NOISE_PRIORS
from bayescale.laws.bibliography import METHOD as CITED
from bayescale.laws.bibliography import bibtex
from bayescale.planning.plan import Plan
from bayescale.records.allocation import allocation_record
from bayescale.records.assumptions import assumptions, limits_text
from bayescale.records.backtest import backtest_record
from bayescale.records.badges import METHOD, SIZE_METHOD, badges, cause_record
from bayescale.records.comparison import comparison_record, verdict_record
from bayescale.records.plain import without_infinities
from bayescale.records.plan import plan_record
from bayescale.records.priors import given_priors, shift_record
from bayescale.records.runs import description_record, runs_record
from bayescale.records.sensitivity import sensitivity_record
from bayescale.records.size_backtest import size_backtest_record
from bayescale.runs import RunTable, describe

SCHEMA = "bayescale/report/2"

NO_HEADING: Mapping[str, str] = {"title": "", "author": "", "date": ""}
"""Title, author and date of a report where none are given."""


def law_in_use(comparison: Comparison, allocation: Allocation | None) -> str:
    """Return the law of most weight in the allocation, or the best one where there is no allocation."""
    if allocation is None:
        return str(comparison.table.index[0])
    return max(allocation.weights, key=lambda name: allocation.weights[name])


def own_backtest(backtest: Backtest, law: str) -> Backtest:
    """Return the part of a backtest that is of one law, or raise InputError if it has no forecasts that serve."""
    points = backtest.points[backtest.points["law"] == law]
    if METHOD not in set(points["method"]):
        raise InputError(
            f"the report needs a backtest of law '{law}' by method {METHOD}; found laws "
            f"{', '.join(backtest.points['law'].unique())} and methods {', '.join(backtest.points['method'].unique())}"
        )
    scores = backtest.scores[backtest.scores["law"] == law]
    return dataclasses.replace(backtest, points=points, scores=scores)


def own_size_backtest(found: SizeBacktest, law: str) -> SizeBacktest:
    """Return the part of a backtest of sizes that is of one law or of none, or raise InputError if none serves."""
    points = found.points[found.points["law"].isin((law, NO_LAW))]
    if not ((points["law"] == law) & (points["method"] == SIZE_METHOD)).any():
        raise InputError(
            f"the report needs a backtest of sizes of law '{law}' by method {SIZE_METHOD}; found laws "
            f"{', '.join(found.points['law'].unique())} and methods {', '.join(found.points['method'].unique())}"
        )
    return dataclasses.replace(found, points=points, scores=found.scores[found.scores["law"].isin((law, NO_LAW))])


def report_record(
    comparison: Comparison,
    verdict: Verdict,
    allocation: Allocation | None,
    *,
    backtest: Backtest | None = None,
    size_backtest: SizeBacktest | None = None,
    plan: Plan | None = None,
    shift: PriorShift | None = None,
    command: str = "",
    heading: Mapping[str, str] = NO_HEADING,
    refusal: str = "",
    spent: Sequence[str] = (),
    asked: Sequence[float] = (),
) -> dict[str, Any]:
    """Return the numbers of a report as plain data; what is not finite becomes None."""
    fits = comparison.fits
    probability = allocation.probability if allocation else verdict.tokens_per_parameter.probability
    record = {
        "schema": SCHEMA,
        "command": command,
        "heading": {**NO_HEADING, **heading},
        "asked": [float(flops) for flops in asked],
        "cause": None if allocation else cause_record(comparison.runs, list(fits), refusal),
        "badges": badges(allocation, backtest, size_backtest) if allocation else [],
        "probability": probability,
        "runs": runs_record(comparison.runs),
        "data": _data(comparison.runs),
        "comparison": comparison_record(comparison),
        "pointwise": _pointwise(comparison, verdict.compute_law, verdict.split_law),
        "verdict": verdict_record(verdict),
        "allocation": allocation_record(allocation) if allocation else None,
        "spent": list(spent),
        "sensitivity": sensitivity_record(comparison, allocation, verdict) if allocation else None,
        "priors": given_priors(comparison),
        "prior_shift": shift_record(shift),
        "backtest": _backtest(backtest, allocation) if backtest else None,
        "no_backtest": None if backtest else _why_none(comparison, law_in_use(comparison, allocation)),
        "size_backtest": _size_backtest(size_backtest, allocation) if size_backtest else None,
        "no_size_backtest": None if size_backtest else _why_no_sizes(comparison, law_in_use(comparison, allocation)),
        "plan": plan_record(plan) if plan else None,
        "no_plan": None if plan else _why_no_plan(comparison, allocation),
        "assumptions": assumptions(comparison, allocation),
        "limits": limits_text(allocation.constraints) if allocation else "",
        "laws": {name: _law(fitted) for name, fitted in fits.items()},
        "posteriors": {name: posterior_record(fitted, probability) for name, fitted in fits.items()},
        "diagnostics": {name: _diagnostics(fitted) for name, fitted in fits.items()},
        "settings": {name: dict(fitted.record["settings"]) for name, fitted in fits.items()},
        "versions": {name: dict(fitted.record["versions"]) for name, fitted in fits.items()},
        "bibtex": bibtex([*_references(comparison), *CITED]),
    }
    plain: dict[str, Any] = without_infinities(record)
    return plain


def _data(runs: RunTable) -> dict[str, Any]:
    fields = ("name", "response", "unit", "compute")
    return {
        **{name: getattr(runs, name) for name in fields},
        "rows": len(runs.frame),
        "record": dict(runs.record),
        "notes": list(runs.notes),
        "runs": None if _is_shipped(runs) else _columns(runs),
        "description": description_record(describe(runs)),
    }


def _is_shipped(runs: RunTable) -> bool:
    """Return whether runs are all those of a table that ships."""
    if runs.name not in TABLES:
        return False
    whole, own = load_runs(runs.name).frame, runs.frame
    return len(whole) == len(own) and all(whole[name].equals(own[name]) for name in ("N", "D", "C", runs.response))


def _columns(runs: RunTable) -> dict[str, list[Any]]:
    """Return the columns of a table as they were given, so that reading them again gives the same table."""
    frame = runs.frame.drop(columns=["C"] * (runs.compute == "6ND"))
    return {str(name): values.tolist() for name, values in frame.items()}


def _backtest(backtest: Backtest, allocation: Allocation | None) -> dict[str, Any]:
    """Return a backtest's scores, and what it says of forecasts as far out as each budget."""
    record = backtest_record(backtest)
    points = backtest.points[backtest.points["method"] == METHOD]
    reaches = allocation.recommended["extrapolation"].to_numpy() if allocation else [float(points["factor"].max())]
    return {
        "law": str(points["law"].iloc[0]),
        "methods": [str(name) for name in backtest.points["method"].unique()],
        **{name: record[name] for name in ("by", "scores", "by_factor", "notes")},
        "statement": reliability_statement(backtest.points),
        "earned": [earned(points, float(reach)) for reach in reaches],
    }


def _why_none(comparison: Comparison, law: str) -> str:
    runs = comparison.runs
    if "C" not in runs.frame:
        return "The table has no C, so there are no largest runs to hold out."
    if not can_backtest(comparison.fits[law].law, runs):
        return (
            f"{len(runs.frame)} runs are too few, or too alike in C: without the largest of them, too few are left to "
            f"fit {law} to, or fewer than three to forecast."
        )
    return f"None was asked for. In Python, bs.backtest(runs, [{law!r}]) makes one, and write_report takes it."


def _size_backtest(found: SizeBacktest, allocation: Allocation | None) -> dict[str, Any]:
    """Return a backtest of best sizes, and what it says of sizes as far out as each budget."""
    points = found.points[found.points["method"] == SIZE_METHOD]
    reaches = allocation.recommended["extrapolation"].to_numpy() if allocation else [float(points["factor"].max())]
    return {
        "law": str(points["law"].iloc[0]),
        **size_backtest_record(found),
        "earned": [size_earned(points, float(reach)) for reach in reaches],
    }


def _why_no_sizes(comparison: Comparison, law: str) -> str:
    why = why_no_size_backtest(comparison.fits[law].law, comparison.runs)
    if why:
        return f"It cannot be made: {why}."
    return f"None was asked for. In Python, bs.backtest_sizes(runs, [{law!r}]) makes one, and write_report takes it."


def _why_no_plan(comparison: Comparison, allocation: Allocation | None) -> str:
    if allocation is None:
        return "No law here has a best split, so no decision can be made surer."
    name = comparison.runs.name
    return f"In Python, bs.plan makes one for {name} or says why it cannot, and write_report takes it."


def _references(comparison: Comparison) -> list[str]:
    """Return what the table and the laws cite, in words."""
    laws = [fitted.law for fitted in comparison.fits.values()]
    return [str(comparison.runs.record.get("reference", "")), *(law.reference for law in laws)]


def _pointwise(comparison: Comparison, first: str, second: str) -> dict[str, Any]:
    """Return how many runs each of two laws predicts better, by how much in all, and of which tokens per parameter."""
    ahead = pointwise_difference(comparison, first, second)
    ratio = (comparison.runs.frame["D"] / comparison.runs.frame["N"]).to_numpy()
    better = {first: ahead > 0, second: ahead < 0}
    return {
        "first": first,
        "second": second,
        "better": [
            {
                "name": name,
                "runs": int(inside.sum()),
                "nats": float(np.abs(ahead[inside]).sum()),
                "tokens_per_parameter": float(np.median(ratio[inside])) if inside.any() else None,
            }
            for name, inside in better.items()
        ],
    }


def _law(fitted: Fit) -> dict[str, Any]:
    law = fitted.law
    return {
        "formula": law.formula,
        "reference": law.reference,
        "covariates": list(law.covariates),
        "typical_run": dict(fitted.reference),
    }


def _diagnostics(fitted: Fit) -> dict[str, Any]:
    return {"passed": fitted.diagnostics.passed, **dataclasses.asdict(fitted.diagnostics)}


def posterior_record(fitted: Fit, probability: float) -> dict[str, Any]:
    """Return each parameter's prior and posterior at reference scale, and its posterior at published scale.

    Parameters
    ----------
    fitted : Fit
        The fit.
    probability : float
        Of the credible intervals.

    Returns
    -------
    dict
        For each parameter ``prior``, ``reference`` and ``published`` (intervals, or None), ``given`` (whether its
        prior is one by hand), ``contraction`` (1 less posterior variance over prior variance) and ``published_values``
        by source.
    """
    prior = flat_draws(fitted.data["prior"].to_dataset())
    published = published_draws(fitted)
    names = dict.fromkeys([*fitted.draws, *published])
    told = contraction(fitted)
    return {
        name: _parameter(fitted, name, prior, published, probability) | {"contraction": told.get(name)}
        for name in names
    }


def _parameter(
    fitted: Fit,
    name: str,
    prior: Mapping[str, np.ndarray],
    published: Mapping[str, np.ndarray],
    probability: float,
) -> dict[str, Any]:
    law, draws = fitted.law, fitted.draws
    derived = law.derived or (lambda **_: {})
    values = {
        source: {**values, **derived(**values)} for source, values in law.published_for(fitted.runs.response).items()
    }
    return {
        "prior_text": str(law.priors[name]) if name in law.priors else NOISE_PRIORS.get(name, ""),
        "given": name in law.replaced,
        "prior": _interval(prior, name, probability),
        "reference": _interval(draws, name, probability),
        "published": _interval(published, name, probability),
        "published_values": {source: found[name] for source, found in values.items() if name in found},
    }


def _interval(draws: Mapping[str, np.ndarray], name: str, probability: float) -> dict[str, float] | None:
    return credible_interval(draws[name], probability).record() if name in draws else None

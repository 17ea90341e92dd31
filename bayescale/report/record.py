"""The numbers of a report as plain data: everything its page says comes from here."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescale.allocation import Allocation, allocation_record
from bayescale.comparison import Comparison, comparison_record
from bayescale.fits import Fit, contraction, flat_draws, published_draws
from bayescale.intervals import credible_interval
from bayescale.laws import NOISE_PRIORS
from bayescale.runs import RunTable, describe, description_record
from bayescale.verdict import Verdict, verdict_record

SCHEMA = "bayescale/report/1"


def report_record(
    comparison: Comparison, verdict: Verdict, allocation: Allocation | None, *, command: str = ""
) -> dict[str, Any]:
    """Return the numbers of a report as plain data; what is not finite becomes None."""
    fits = comparison.fits
    probability = allocation.probability if allocation else verdict.tokens_per_parameter.probability
    record = {
        "schema": SCHEMA,
        "command": command,
        "probability": probability,
        "data": _data(comparison.runs),
        "comparison": comparison_record(comparison),
        "verdict": verdict_record(verdict),
        "allocation": allocation_record(allocation) if allocation else None,
        "laws": {name: _law(fitted) for name, fitted in fits.items()},
        "posteriors": {name: posterior_record(fitted, probability) for name, fitted in fits.items()},
        "diagnostics": {name: _diagnostics(fitted) for name, fitted in fits.items()},
        "settings": {name: dict(fitted.record["settings"]) for name, fitted in fits.items()},
        "versions": {name: dict(fitted.record["versions"]) for name, fitted in fits.items()},
    }
    plain: dict[str, Any] = _plain(record)
    return plain


def _data(runs: RunTable) -> dict[str, Any]:
    fields = ("name", "response", "unit", "compute")
    return {
        **{name: getattr(runs, name) for name in fields},
        "rows": len(runs.frame),
        "record": dict(runs.record),
        "notes": list(runs.notes),
        "description": description_record(describe(runs)),
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
        For each parameter ``prior``, ``reference`` and ``published`` (intervals, or None), ``contraction``
        (1 less posterior variance over prior variance) and ``published_values`` by source.
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
        "prior": _interval(prior, name, probability),
        "reference": _interval(draws, name, probability),
        "published": _interval(published, name, probability),
        "published_values": {source: found[name] for source, found in values.items() if name in found},
    }


def _interval(draws: Mapping[str, np.ndarray], name: str, probability: float) -> dict[str, float] | None:
    return credible_interval(draws[name], probability).record() if name in draws else None


def _plain(value: Any) -> Any:  # noqa: ANN401  (any plain data)
    """Return the same data with plain numbers, and None for what is not finite."""
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value

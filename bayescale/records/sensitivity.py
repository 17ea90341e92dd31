"""How far the numbers of an allocation move with the weight of prior or runs, as plain data."""

from dataclasses import asdict
from typing import Any

from bayescale.comparison.comparison import Comparison
from bayescale.comparison.verdict import Verdict
from bayescale.decisions.allocation import Allocation
from bayescale.decisions.sensitivity import Sensitivity, Shift, sensitivity_of
from bayescale.decisions.verdict_sensitivity import verdict_sensitivity
from bayescale.errors import InputError
from bayescale.fits.fit import Fit

UNTOLD = "how much prior and runs decide the best run within limits is not reported; for the laws' parameters it is"
"""Note on an allocation within limits."""


def sensitivity_record(
    source: Fit | Comparison, allocation: Allocation, verdict: Verdict | None = None
) -> dict[str, Any]:
    """Return the sensitivity of an allocation's numbers, and of a verdict's, as plain data.

    No numbers, and a note, where a fit was saved without what it takes.
    """
    fits = source.fits if isinstance(source, Comparison) else {source.law.name: source}
    comparison = source if isinstance(source, Comparison) else None
    limited = bool(allocation.constraints.record())  # what follows is of the best split of a whole budget
    flops, probability = [] if limited else allocation.optima["flops"].to_numpy().tolist(), allocation.probability
    try:
        found = sensitivity_of(
            {name: fits[name] for name in allocation.weights}, flops, probability, comparison, verdict
        )
        of_verdict = verdict_sensitivity(comparison, verdict) if comparison and verdict else ()
    except InputError as error:
        found, of_verdict = Sensitivity((), probability, (str(error),)), ()
    return {
        "probability": found.probability,
        "verdict": list(of_verdict),
        "numbers": [_shift_record(shift) for shift in found.shifts],
        "notes": [*found.notes, *([UNTOLD] if limited else [])],
    }


def _shift_record(shift: Shift) -> dict[str, Any]:
    rescaled = [
        {**asdict(each), "interval": each.interval.record() if each.interval else None} for each in shift.rescaled
    ]
    return {**asdict(shift), "fitted": shift.fitted.record(), "rescaled": rescaled}

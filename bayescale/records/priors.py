"""Priors by hand, and what they change, as plain data."""

from typing import Any

from bayescale.comparison.comparison import Comparison
from bayescale.decisions.prior_shift import PriorShift
from bayescale.fits.fit import Fit
from bayescale.laws import given_record


def given_priors(source: Fit | Comparison) -> list[dict[str, str]]:
    """Return the priors by hand behind a fit or a comparison, as plain data."""
    fits = source.fits.values() if isinstance(source, Comparison) else [source]
    return given_record(fitted.law for fitted in fits)


def shift_record(shift: PriorShift | None) -> dict[str, Any] | None:
    """Return what priors by hand change as plain data."""
    if shift is None:
        return None
    return {
        "probability": shift.probability,
        "method": "a second fit with the laws' own priors",
        "moved": [
            {
                "flops": each.flops,
                "quantity": each.quantity,
                "given": each.given.record(),
                "own": each.own.record(),
                "sentence": each.sentence,
            }
            for each in shift.moved
        ],
        "notes": list(shift.notes),
    }

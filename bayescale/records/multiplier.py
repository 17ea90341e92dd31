"""A compute multiplier as plain data."""

from typing import Any

from bayescale.groups.multipliers import Multiplier, located_draws, multiplier_statements
from bayescale.intervals import credible_interval


def multiplier_record(found: Multiplier) -> dict[str, Any]:
    """Return a multiplier as plain data, one entry per budget."""
    return {
        "from": found.reference,
        "to": found.other,
        "budgets": [_budget_record(found, i) for i in range(found.flops.size)],
        "statements": list(multiplier_statements(found)),
        "notes": list(found.notes),
        "doubts": list(found.doubts),
    }


def _budget_record(found: Multiplier, budget: int) -> dict[str, Any]:
    draws = located_draws(found, budget)
    return {
        "flops": float(found.flops[budget]),
        "multiplier": credible_interval(draws, found.probability).record(),
        "above_one": float((draws > 1).mean()),
    }

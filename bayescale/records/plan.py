"""A plan as plain data."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescale.planning.plan import AIMS, Plan


def plan_record(found: Plan) -> dict[str, Any]:
    """Return a plan as plain data."""
    check = found.check
    return {
        "aim": found.aim,
        "spend": found.spend,
        "cost": float(found.runs["flops"].sum()),
        "probability": found.probability,
        "weights": dict(found.weights),
        "next_runs": [_row(row) for row in found.runs.to_dict(orient="records")],
        "targets": [_row(row) for row in found.targets.to_dict(orient="records")],
        "expected_regret_before": found.expected_regret_before,
        "expected_regret_after": found.expected_regret_after,
        "reweighted": None
        if check is None
        else {"before": check.before, "after": check.after, "effective": check.effective, "reliable": check.reliable},
        "lowers": {
            "what": AIMS[found.aim],
            "before": found.aim_before,
            "after": found.aim_after,
            "after_every_candidate": found.aim_bound,
        },
        "candidates": len(found.candidates),
        "affordable": int(found.candidates["affordable"].sum()),
        "worthwhile": found.worthwhile,
        "paying": found.paying,
        "headline": found.headline,
        "notes": list(found.notes),
        "doubts": list(found.doubts),
    }


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value.item() if isinstance(value, np.generic) else value for name, value in row.items()}

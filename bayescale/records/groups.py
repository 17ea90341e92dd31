"""Disparities between groups as plain data."""

import math
from typing import Any

from bayescale.groups.disparities import Disparities
from bayescale.groups.worst import WorstAllocation
from bayescale.intervals import credible_interval


def groups_record(found: Disparities, defaults: list[str]) -> dict[str, Any]:
    """Return what scale does to each group as plain data; ``exponent`` is the power of compute of a law's loss."""
    fitted = found.fitted
    return {
        "schema": "bayescale/groups/1",
        "runs": {"name": fitted.name, "rows": int(fitted.cells.units.size), "runs": int(fitted.cells.units.max()) + 1},
        "law": fitted.law.name if fitted.law else fitted.form,
        "from": found.from_flops,
        "to": found.to_flops,
        "reference": found.reference,
        "probability": found.probability,
        "groups": [_group(found, i) for i in range(len(fitted.groups))],
        "some_worsens": found.some_worsens,
        "expected_worsening": found.expected_worsening,
        "within": credible_interval(found.within, found.probability).record(),
        "composition": credible_interval(found.composition, found.probability).record(),
        "statements": list(found.statements),
        "defaults": defaults,
        "doubts": list(found.doubts),
    }


def _group(found: Disparities, position: int) -> dict[str, Any]:
    row = found.table.iloc[position]
    slopes = found.slopes[:, position]
    exponent = credible_interval(-slopes / math.log(10), found.probability).record()
    return {
        "name": found.fitted.groups[position],
        "response": row["response"],
        "exponent": exponent if found.fitted.form == "law" else None,
        "slope": credible_interval(slopes, found.probability).record(),
        "raw_slope": float(row["raw"]),
        "worsens": float(row["worsens"]),
        "reversal": {"flops": float(row["reversal"]), "inside": float(row["reversal_inside"])},
        "gap": {"from": float(row["gap_from"]), "to": float(row["gap_to"]), "grows": float(row["gap_grows"])},
    }


def worst_record(found: WorstAllocation) -> dict[str, Any]:
    """Return the split that the worst-off regrets least as plain data."""
    return {
        "flops": found.flops,
        "N": found.N,
        "D": found.D,
        "extra_compute": found.extra_compute,
        "mean": {"N": found.mean_N, "D": found.mean_D},
        "price": found.price,
        "gain": found.gain,
        "near": {"tolerance": found.tolerance, "shared": list(found.shared) if found.shared else None},
        "groups": [{"name": name, **row} for name, row in found.table.to_dict("index").items()],
        "statements": list(found.statements),
    }

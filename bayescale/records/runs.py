"""What a table of runs can say, as plain data."""

import math
from dataclasses import asdict
from typing import Any

from bayescale.runs import Description, RunTable


def description_record(description: Description) -> dict[str, Any]:
    """Return a description as plain data for JSON; numbers that are not finite become None."""
    record = asdict(description)
    record["ranges"] = {name: list(limits) for name, limits in description.ranges.items()}
    record["can"], record["cannot"] = list(description.can), list(description.cannot)
    for name in ("correlation", "spread_N_at_like_C", "span_N_at_like_C", "condition"):
        record[name] = record[name] if math.isfinite(record[name]) else None
    return record


def runs_record(table: RunTable) -> dict[str, Any]:
    """Return what each record says of the table it was made from."""
    return {"name": table.name, "rows": len(table.frame), "response": table.response, "unit": table.unit}

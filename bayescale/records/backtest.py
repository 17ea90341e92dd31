"""A backtest as plain data."""

from typing import Any

import numpy as np
import pandas as pd

from bayescale.forecasts.backtesting import Backtest, scores_by_factor
from bayescale.records.runs import runs_record


def backtest_record(found: Backtest) -> dict[str, Any]:
    """Return a backtest as plain data."""
    keys = ("width", "lpd", "crps", "bias", "rmse")

    def scored(row: pd.Series) -> dict[str, Any]:
        coverage = {f"{p:g}": float(row[f"coverage_{100 * p:.0f}"]) for p in (0.5, 0.8, 0.9, 0.95)}
        return {"coverage": coverage, **{name: float(row[name]) for name in keys}}

    scores = [
        {
            "law": row["law"],
            "method": row["method"],
            "threshold": row["threshold"],
            "held_out": int(row["held_out"]),
            "factor": float(row["factor"]),
            **scored(row),
            "diagnostics_passed": bool(row["passed"]),
        }
        for _, row in found.scores.iterrows()
    ]
    pooled = [
        {
            "law": row["law"],
            "method": row["method"],
            "factor": [float(row["low"]), None if np.isinf(row["high"]) else float(row["high"])],
            "held_out": int(row["runs"]),
            **scored(row),
        }
        for _, row in scores_by_factor(found.points).iterrows()
    ]
    return {
        "runs": runs_record(found.runs),
        "by": found.by,
        "scores": scores,
        "by_factor": pooled,
        "notes": list(found.notes),
    }

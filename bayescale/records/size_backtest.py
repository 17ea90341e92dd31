"""A backtest of best sizes as plain data: the JSON of ``backtest --of size`` and of the report."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayescale.decisions.size_backtesting import SizeBacktest
from bayescale.decisions.size_scores import PROBABILITIES, overall, statement
from bayescale.records.runs import runs_record

SCHEMA = "bayescale/backtest-sizes/1"


def size_backtest_record(found: SizeBacktest, defaults: Sequence[str] = ()) -> dict[str, Any]:
    """Return a backtest of sizes as plain data, with a sentence that says what to take from it."""
    total = overall(found.scores)
    return {
        "schema": SCHEMA,
        "runs": runs_record(found.runs),
        "slices_held_out": [int(count) for count in dict.fromkeys(found.points["slices"])],
        "scores": [_scores_record(row, float(row["factor"])) for _, row in total.iterrows()],
        "by_factor": [
            _scores_record(row, [float(row["low"]), None if np.isinf(row["high"]) else float(row["high"])])
            for _, row in found.scores.drop(index=total.index).iterrows()
        ],
        "statement": statement(found.scores),
        "notes": list(found.notes),
        "defaults": list(defaults),
        "doubts": list(found.doubts),
    }


def _scores_record(row: pd.Series, factor: float | list[float | None]) -> dict[str, Any]:
    return {
        "law": row["law"] or None,
        "method": row["method"],
        "held_out": int(row["held_out"]),
        "factor": factor,
        "coverage": {f"{p:g}": float(row[f"coverage_{100 * p:.0f}"]) for p in PROBABILITIES},
        **{name: float(row[name]) for name in ("width", "bias", "rmse", "lpd")},
        "extra_compute": {
            "mean": float(row["extra_mean"]),
            "median": float(row["extra_median"]),
            "lower": float(row["extra_05"]),
            "upper": float(row["extra_95"]),
        },
    }

"""What intervals of forecasts have earned: how often they held in the backtests over published tables."""

import functools
import json
from collections.abc import Mapping
from typing import Any

from bayescale.catalogue import data_dir
from bayescale.words import percent

FILE = "calibration.json"
SIZES = "size-calibration.json"


def coverage_earned(factor: float) -> str:
    """Say how often 90% intervals held for runs so many times beyond those that a law was fitted to.

    Parameters
    ----------
    factor : float
        Compute over the largest compute of the runs; above 1.

    Returns
    -------
    str
        A sentence without its full stop, from the counts that docs/make_calibration.py wrote.
    """
    record = _record(FILE)
    entry = _entry(record, factor)
    if entry is None:
        return "no backtest over published tables of loss says how often such intervals hold"
    return (
        f"over published tables of loss, {percent(record['probability'])} intervals of runs {_span(entry)} times "
        f"beyond the fitted runs {_held(entry, factor)}"
    )


def size_coverage_earned(factor: float) -> str:
    """Say how often 90% intervals of the best size held at budgets so many times the largest run, and what it cost.

    Parameters
    ----------
    factor : float
        Budget over the compute of the largest run; above 1.

    Returns
    -------
    str
        A sentence without its full stop, from the counts that docs/make_best_sizes.py wrote.
    """
    record = _record(SIZES)
    entry = _entry(record, factor)
    if entry is None:
        return "no backtest over published tables says how often such intervals of the best size hold"
    return (
        f"over published tables with isoFLOP slices, {percent(record['probability'])} intervals of the best size by "
        f"law {record['law']} {_span(entry)} times beyond the fitted runs {_held(entry, factor)}, and following them "
        f"wasted {percent(entry['extra_compute'], 2)} of the compute on average (95% point "
        f"{percent(entry['extra_compute_95'], 2)})"
    )


def _entry(record: Mapping[str, Any], factor: float) -> dict[str, Any] | None:
    """Return the counts of the bin of a factor, or of the farthest below it."""
    found = [entry for entry in record["bins"] if entry["low"] <= factor]
    return found[-1] if found else None


def _span(entry: Mapping[str, Any]) -> str:
    return f"{entry['low']:g} to {entry['high']:g}" if entry["high"] else f"more than {entry['low']:g}"


def _held(entry: Mapping[str, Any], factor: float) -> str:
    count = entry["forecasts"]
    far = factor > (entry["high"] or entry["reached"])
    beyond = ", none so far beyond" if far else ""
    return f"held {percent(entry['inside'] / count, 2)} of {count} forecasts ({entry['tables']} tables){beyond}"


@functools.cache
def _record(name: str) -> dict[str, Any]:
    return dict(json.loads((data_dir() / name).read_text(encoding="utf-8")))

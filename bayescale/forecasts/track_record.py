"""What intervals of forecasts have earned: how often they held in the backtests over published tables."""

import functools
import json
from typing import Any

from bayescale.catalogue import data_dir
from bayescale.words import percent, short

FILE = "calibration.json"


def coverage_earned(factor: float) -> str:
    """Say how often 90 % intervals held for runs so many times beyond those that a law was fitted to.

    Parameters
    ----------
    factor : float
        Compute over the largest compute of the runs; above 1.

    Returns
    -------
    str
        A sentence without its full stop, from the counts that docs/make_calibration.py wrote.
    """
    record = _record()
    found = [entry for entry in record["bins"] if entry["low"] <= factor]
    if not found:
        return "no backtest over published tables of loss says how often such intervals hold"
    entry = found[-1]
    count = entry["forecasts"]
    held = f"{percent(entry['inside'] / count, 2)} of {count} forecasts ({entry['tables']} tables)"
    span = f"{short(entry['low'], 1)} to {short(entry['high'], 1)}" if entry["high"] else f"more than {entry['low']:g}"
    beyond = "" if entry["high"] or factor < entry["reached"] else ", none so far beyond"
    return (
        f"over published tables of loss, {percent(record['probability'])} intervals of runs {span} times beyond the "
        f"runs fitted held {held}{beyond}"
    )


@functools.cache
def _record() -> dict[str, Any]:
    return dict(json.loads((data_dir() / FILE).read_text(encoding="utf-8")))

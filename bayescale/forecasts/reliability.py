"""How often forecast intervals of held-out runs held: counts by reach, their uncertainty, and the same in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from bayescale import checks
from bayescale.errors import InputError
from bayescale.forecasts.backtesting import EDGES
from bayescale.forecasts.scores import PROBABILITIES
from bayescale.words import percent, short

BAR = 0.9
"""Probability of the interval of a coverage."""


def reliability(points: pd.DataFrame, probability: float = 0.9) -> pd.DataFrame:
    """Count how many forecast intervals held, by method and by how far beyond the training runs they reached.

    Parameters
    ----------
    points : pandas.DataFrame
        ``points`` of one backtest, or of several put together, then with a column ``table`` that tells their runs
        apart. Laws and thresholds are pooled.
    probability : float
        Of the intervals: 0.5, 0.8, 0.9 or 0.95.

    Returns
    -------
    pandas.DataFrame
        One row for each method and bin of the factor, methods in the order of the points: ``method``, ``low`` and
        ``high`` (of the bin), ``reach`` (the largest factor), ``forecasts``, ``held``, ``runs`` (different ones among
        the forecasts), ``coverage`` and its 90% interval ``lower`` to ``upper``.

    Raises
    ------
    InputError
        If there is no such interval.

    Notes
    -----
    The interval is Jeffreys' for a proportion (Brown, Cai & DasGupta 2001, doi:10.1214/ss/1009213286) of as many
    trials as there are different runs, for a run that is forecast several times is one run. Runs that one fit
    forecasts also err together, so that even this interval is rather too short.
    """
    checks.probability(probability)
    if probability not in PROBABILITIES:
        raise InputError(f"there are intervals of {', '.join(map(str, PROBABILITIES))}, none of {probability:g}")
    held = f"inside_{100 * probability:.0f}"
    place = np.digitize(points["factor"].to_numpy(), EDGES) - 1
    rows = []
    for (method, i), group in points.assign(place=place).groupby(["method", "place"], sort=False):
        labels = group[[name for name in ("table", "run") if name in group]]
        row = {
            "method": method,
            "low": EDGES[i],
            "high": EDGES[i + 1],
            "reach": group["factor"].max(),
            "forecasts": len(group),
            "held": int(group[held].sum()),
            "runs": len(labels.drop_duplicates()),
        }
        rows.append(row | _proportion(row["held"] / row["forecasts"], row["runs"]))
    order = {method: i for i, method in enumerate(points["method"].unique())}
    found = pd.DataFrame(rows)
    return found.sort_values(["method", "low"], key=lambda column: column.replace(order), ignore_index=True)


def _proportion(part: float, trials: int) -> dict[str, float]:
    """Return a proportion and Jeffreys' interval of it, whose ends are 0 and 1 where none and all of the trials did."""
    tail = (1 - BAR) / 2
    shape = (part * trials + 0.5, (1 - part) * trials + 0.5)
    lower = 0.0 if part == 0 else float(betaincinv(*shape, tail))
    upper = 1.0 if part == 1 else float(betaincinv(*shape, 1 - tail))
    return {"coverage": part, "lower": lower, "upper": upper}


def reach_text(low: float, high: float, reach: float) -> str:
    """Return in words how far the forecasts of a bin went; ``reach`` is the largest factor among them."""
    if high <= 1:
        return "within the fitted runs"
    if low <= 1:
        return f"up to {high:g} times beyond the fitted runs"
    end = short(reach) if np.isinf(high) else f"{high:g}"
    return f"{low:g} to {end} times beyond the fitted runs"


def held_text(row: Mapping[str, Any]) -> str:
    """Return a row of :func:`reliability`, of 90% intervals, as a clause."""
    counted = f"{row['held']} of {row['forecasts']}"
    again = f" forecasts ({row['runs']} different runs)" if row["runs"] < row["forecasts"] else ""
    return f"90% intervals of runs {reach_text(row['low'], row['high'], row['reach'])} held {counted}{again}"


def reliability_statement(points: pd.DataFrame) -> str:
    """Return in a few sentences how many of the 90% intervals of each method held, over all thresholds."""
    held = points.groupby("method", sort=False)["inside_90"]
    counts = [f"{method} {group.sum()} of {len(group)} ({percent(group.mean(), 2)})" for method, group in held]
    off = (held.mean() - 0.9).abs()
    nearest = [str(name) for name in off.index if np.isclose(off[name], off.min())]
    sentences = [f"90% intervals held: {', '.join(counts)}."]
    if len(off) > 1:
        sentences.append(f"Nearest to the 90% that all promise: {' and '.join(nearest)}.")
    half = points.groupby("method", sort=False)["inside_50"].mean()
    sentences.append(
        f"50% intervals held: {', '.join(f'{method} {percent(part, 2)}' for method, part in half.items())}."
    )
    return f"{' '.join(sentences)} Fewer means intervals that are too narrow, more too wide."


def earned(points: pd.DataFrame, factor: float) -> str:
    """Return what intervals of forecasts that reach so far have earned, or of those nearest to it.

    Parameters
    ----------
    points : pandas.DataFrame
        ``points`` of a backtest, of one method.
    factor : float
        Compute over that of the largest training run.
    """
    rows = reliability(points)
    below = rows[rows["low"] <= factor]
    row = (below if len(below) else rows.iloc[:1]).iloc[-1]
    words = held_text(row.to_dict())
    reach = float(rows["reach"].max())
    return f"{words}; none was as far as {short(factor)} times" if factor > reach else words

"""How good forecasts of best sizes were: coverage, width, bias, log density, and what following them wastes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayescale.forecasts.scores import equal_tailed
from bayescale.words import percent, short

PROBABILITIES = (0.5, 0.8, 0.9)
"""Of the equal-tailed intervals whose coverage is measured."""

EDGES = (1.0, 3.0, 12.0, 64.0, np.inf)
"""Of the bins of the extrapolation factor."""

GAMMA = 0.35
"""Exponent of N and of D in the curve that says what a wrong size costs: near those of published laws."""


def wasted_compute(log_off: np.ndarray) -> np.ndarray:
    """Return the part of the compute that a size wastes which is off by this in ln N, either way."""
    return np.asarray(np.cosh(GAMMA * np.asarray(log_off)) ** (2 / GAMMA) - 1)


def score_sizes(draws: np.ndarray, minima: np.ndarray, random_seed: int) -> pd.DataFrame:
    """Score the forecast of each slice's best size by the minimum that its own runs show.

    Parameters
    ----------
    draws : numpy.ndarray
        Draws of ln N (draw, slice).
    minima : numpy.ndarray
        ln C, ln N and the standard deviation of the latter (slice, 3).
    random_seed : int
        Of the errors of the minima.

    Returns
    -------
    pandas.DataFrame
        One row for each slice: the columns of ``points`` of
        :class:`bayescale.decisions.size_backtesting.SizeBacktest` from ``flops`` on, without the factor.
    """
    _, observed, error = minima.T
    shaken = draws + error * np.random.default_rng(random_seed).standard_normal(draws.shape)
    low, high = equal_tailed(draws, 0.9)
    median = np.median(draws, axis=0)
    inside = {}
    for probability in PROBABILITIES:
        ends = equal_tailed(shaken, probability)
        inside[f"inside_{100 * probability:.0f}"] = (ends[0] <= observed) & (observed <= ends[1])
    return pd.DataFrame(
        {
            "flops": np.exp(minima[:, 0]),
            "observed": np.exp(observed),
            "observed_error": error,
            "N": np.exp(median),
            "low_90": np.exp(low),
            "high_90": np.exp(high),
            **inside,
            "width_90": high - low,
            "lpd": _log_density(draws, observed, error),
            "error": median - observed,
            "extra_compute": wasted_compute(median - observed),
        }
    )


def _log_density(draws: np.ndarray, observed: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return the log density of minima that are known up to Normal errors (slice,)."""
    logs = -0.5 * ((observed - draws) / error) ** 2 - np.log(error * np.sqrt(2 * np.pi))
    return np.asarray(np.logaddexp.reduce(logs, axis=0) - np.log(len(draws)))


def size_scores(points: pd.DataFrame, edges: Sequence[float] = EDGES) -> pd.DataFrame:
    """Pool forecasts over all distances, and by how far beyond the runs fitted they reach.

    Parameters
    ----------
    points : pandas.DataFrame
        ``points`` of one backtest of sizes, or of several put together.
    edges : sequence of float
        Of the bins of ``factor``.

    Returns
    -------
    pandas.DataFrame
        As ``scores`` of :class:`SizeBacktest`.
    """
    rows = []
    for (law, method), group in points.groupby(["law", "method"], sort=False):
        head = {"law": law, "method": method}
        rows.append({**head, "low": edges[0], "high": edges[-1], **_summary(group)})
        place = np.digitize(group["factor"].to_numpy(), edges) - 1
        rows += [
            {**head, "low": edges[i], "high": edges[i + 1], **_summary(group[place == i])} for i in np.unique(place)
        ]
    return pd.DataFrame(rows)


def _summary(points: pd.DataFrame) -> dict[str, float]:
    low, median, high = np.quantile(points["extra_compute"], [0.05, 0.5, 0.95])
    return {
        "held_out": len(points),
        "factor": float(points["factor"].max()),
        **{f"coverage_{100 * p:.0f}": float(points[f"inside_{100 * p:.0f}"].mean()) for p in PROBABILITIES},
        "width": float(points["width_90"].mean()),
        "bias": float(points["error"].mean()),
        "rmse": float(np.sqrt((points["error"] ** 2).mean())),
        "lpd": float(points["lpd"].mean()),
        "extra_mean": float(points["extra_compute"].mean()),
        "extra_median": float(median),
        "extra_05": float(low),
        "extra_95": float(high),
    }


def overall(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of scores that are over all distances."""
    return scores[(scores["low"] == scores["low"].min()) & np.isinf(scores["high"])].drop_duplicates(["law", "method"])


def statement(scores: pd.DataFrame) -> str:
    """Return in a few sentences how often 90% intervals held, and what following each method would have wasted."""
    total = overall(scores)
    several = len(set(total["law"]) - {""}) > 1
    rows = [(_title(row) if several else row["method"], row) for _, row in total.iterrows()]
    held = [
        f"{title} {row['coverage_90'] * row['held_out']:.0f} of {row['held_out']} ({percent(row['coverage_90'], 2)})"
        for title, row in rows
    ]
    wasted = [f"{title} {percent(row['extra_mean'], 2)} ({percent(row['extra_95'], 2)})" for title, row in rows]
    return (
        f"90% intervals of the best size held: {', '.join(held)}. Following their medians would have wasted of the "
        f"compute, on average (and at the 95% point): {', '.join(wasted)}."
    )


def size_earned(points: pd.DataFrame, factor: float) -> str:
    """Return what intervals of best sizes that reach so far have earned, or those nearest to it.

    Parameters
    ----------
    points : pandas.DataFrame
        ``points`` of a backtest of sizes, of one method.
    factor : float
        Budget over the compute of the largest run.
    """
    scores = size_scores(points)
    rows = scores.drop(index=overall(scores).index).sort_values("low")
    below = rows[rows["low"] <= factor]
    row = (below if len(below) else rows.iloc[:1]).iloc[-1]
    end = f"{row['high']:g}" if np.isfinite(row["high"]) else short(row["factor"])
    words = (
        f"90% intervals of the best size {row['low']:g} to {end} times beyond the runs fitted held "
        f"{row['coverage_90'] * row['held_out']:.0f} of {row['held_out']:.0f}, and following them wasted "
        f"{percent(row['extra_mean'], 2)} of the compute on average"
    )
    reach = float(points["factor"].max())
    return f"{words}; none was as far as {short(factor)} times" if factor > reach else words


def _title(row: pd.Series) -> str:
    return f"{row['method']} ({row['law']})" if row["law"] else str(row["method"])

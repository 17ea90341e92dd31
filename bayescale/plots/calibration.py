"""Figures of a backtest: whether forecast intervals held, by how far they reached, and run by run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.errors import InputError
from bayescale.forecasts.backtesting import Backtest, threshold_text
from bayescale.forecasts.reliability import BAR, reliability
from bayescale.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    draw_ticks,
    finish,
    log_axis,
    new_axes,
    styled,
)
from bayescale.words import percent

WORDS: Mapping[str, str] = {
    "discrepancy": "law with discrepancy",
    "plain": "law, constant noise",
    "least_squares": "least squares, bootstrap",
    "huber": "Huber's loss, bootstrap",
    "conformal": "conformal",
}
"""What the methods are called in a legend."""

LINES = (
    (BLUE, "-", "o"),
    (VERMILLION, "--", "s"),
    (ORANGE, "-.", "^"),
    (PURPLE, ":", "v"),
    (GREEN, (0, (5, 1, 1, 1, 1, 1)), "D"),
)
"""Colour, line and mark of each method, told apart by colour-blind readers and in grey as well."""

LAST = 3.0
"""Times its lower end that the open bin reaches on the axis, at least."""

APART = 0.035
"""Part of a decade between the marks of two methods in one bin."""


@styled
@checks.kinds
def plot_calibration(found: Backtest | pd.DataFrame, ax: Axes | None = None, *, probability: float = 0.9) -> Axes:
    """Draw the coverage of forecast intervals against how far beyond the training runs they reach, by method.

    Parameters
    ----------
    found : Backtest or pandas.DataFrame
        A backtest, or the ``points`` of several put together with a column ``table``; laws and thresholds are pooled.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    probability : float
        Of the intervals: 0.5, 0.8, 0.9 or 0.95.

    Returns
    -------
    matplotlib.axes.Axes
        Coverage in each bin of :func:`bayescale.forecasts.backtesting.scores_by_factor`, bars of its 90%
        interval by the number of different runs, and the nominal probability.

    Raises
    ------
    InputError
        If there is no such interval.
    """
    rows = reliability(found.points if isinstance(found, Backtest) else found, probability)
    ax = new_axes(ax)
    ends = _ends(rows)
    ax.set_xlim(ends[0], ends[-1])
    log_axis(ax, "x", "ratio")
    for edge in ends[1:-1]:
        ax.axvline(edge, color=MUTED, lw=0.6, alpha=0.4)
    promised = f"promised: {percent(probability)}"
    ax.axhline(100 * probability, color=INK, lw=1.2, ls=(0, (6, 3)), label=promised)
    methods = list(dict.fromkeys(rows["method"]))
    for i, method in enumerate(methods):
        own = rows[rows["method"] == method]
        shift = 10 ** (APART * (i - (len(methods) - 1) / 2))
        _draw_method(ax, own, _centers(own, ends) * shift, LINES[i % len(LINES)], WORDS.get(method, str(method)))
    ax.plot([], [], color=MUTED, lw=1.3, label=f"{percent(BAR)} interval of the part, by runs")
    _write_counts(ax, rows, ends)
    ax.set_ylim(-3, 112)
    ax.set_yticks(range(0, 101, 20))
    return finish(
        ax,
        title=f"How often {percent(probability)} forecast intervals held",
        xlabel="held-out run over the largest training run (times)",
        ylabel="intervals that held (%)",
    )


def _ends(rows: pd.DataFrame) -> np.ndarray:
    """Return the ends of the bins on the axis, the outermost two finite."""
    edges = np.unique(rows[["low", "high"]].to_numpy())
    if edges[0] <= 0:
        edges[0] = edges[1] / LAST
    if np.isinf(edges[-1]):
        edges[-1] = max(LAST * edges[-2], float(rows["reach"].max()))
    return np.asarray(edges)


def _centers(rows: pd.DataFrame, ends: np.ndarray) -> np.ndarray:
    low, high = (np.clip(rows[name].to_numpy(), ends[0], ends[-1]) for name in ("low", "high"))
    return np.asarray(np.sqrt(low * high))


def _draw_method(ax: Axes, rows: pd.DataFrame, x: np.ndarray, style: tuple[Any, ...], label: str) -> None:
    color, line, marker = style
    part, lower, upper = (100 * rows[name].to_numpy() for name in ("coverage", "lower", "upper"))
    ax.vlines(x, lower, upper, color=color, lw=1.3, alpha=0.8)
    ax.plot(x, part, color=color, ls=line, lw=1.6, marker=marker, ms=5, mew=0, label=label)


def _write_counts(ax: Axes, rows: pd.DataFrame, ends: np.ndarray) -> None:
    """Write above each bin how many different runs it holds."""
    for _, group in rows.groupby("low"):
        runs = int(group["runs"].max())
        where: Any = {"ha": "center", "va": "center", "fontsize": 8, "color": MUTED}
        ax.text(_centers(group, ends)[0], 107, f"{runs} run{'s' if runs > 1 else ''}", **where)


@styled
@checks.kinds
def plot_held_out(found: Backtest, ax: Axes | None = None, *, method: str = "discrepancy") -> Axes:
    """Draw each held-out run against the interval that was forecast for it.

    Parameters
    ----------
    found : Backtest
        A backtest of one law; of its thresholds the one is drawn that held out most runs.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    method : str
        Whose forecasts.

    Returns
    -------
    matplotlib.axes.Axes
        90% forecast intervals and runs over the predicted median, less 1, in percent.

    Raises
    ------
    InputError
        If the method is not among the forecasts, or there are several laws.
    """
    points = most_held_out(found, method)
    ax = new_axes(ax)
    median = (points["error"] + points["observed"]).to_numpy()
    low, high, observed = (100 * (points[name].to_numpy() / median - 1) for name in ("low_90", "high_90", "observed"))
    inside, x = points["inside_90"].to_numpy(dtype=bool), points["factor"].to_numpy(dtype=float)
    label = f"90% forecast interval (held {inside.sum()} of {len(inside)})"
    draw_ticks(ax, x, np.stack([low, high]), SKY, label, width=3)
    ax.axhline(0.0, color=BLUE, lw=1)
    ax.plot(x[inside], observed[inside], "o", color=INK, ms=3.5, mew=0, alpha=0.65, label="run inside")
    ax.plot(x[~inside], observed[~inside], "D", color=VERMILLION, ms=4, mew=0, label="run outside")
    log_axis(ax, "x", "ratio")
    law, response = points["law"].iloc[0], found.runs.response
    return finish(
        ax,
        title=f"{law}, held out: {threshold_text(points['threshold'].iloc[0], found.by)}",
        xlabel="held-out run over the largest training run (times)",
        ylabel=f"observed over predicted {response} (%)",
        columns=1,
    )


def most_held_out(found: Backtest, method: str) -> pd.DataFrame:
    """Return the forecasts of one law by a method, for the threshold that held out most runs.

    Raises
    ------
    InputError
        If the method is not among the forecasts, or there are several laws.
    """
    points = found.points[found.points["method"] == method]
    if points.empty or len(points["law"].unique()) > 1:
        raise InputError(
            f"expected forecasts of one law by {method}; found laws {', '.join(found.points['law'].unique())} and "
            f"methods {', '.join(found.points['method'].unique())}"
        )
    threshold = points["threshold"].astype(str).value_counts(sort=True).index[0]
    return points[points["threshold"].astype(str) == threshold]

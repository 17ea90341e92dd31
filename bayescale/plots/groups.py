"""Figures of groups: slopes with intervals, gaps against compute, and what sizes suit whom."""

import numpy as np
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.groups.disparities import Disparities
from bayescale.groups.worst import WorstAllocation
from bayescale.plots.style import (
    BLUE,
    COLORS,
    MUTED,
    VERMILLION,
    draw_ranges,
    finish,
    interval_label,
    log_axis,
    name_rows,
    new_axes,
    styled,
)
from bayescale.words import percent

ROW = 0.26
"""Height of a row of names, in inches."""


@styled
@checks.kinds
def plot_slopes(found: Disparities, ax: Axes | None = None) -> Axes:
    """Draw the slope of each group with its interval, and the slope by least squares for each alone.

    Parameters
    ----------
    found : Disparities
        What scale does to each group.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        One row for each group, the largest slope on top.
    """
    table = found.table.sort_values("slope", ascending=False)
    ax = new_axes(ax, height=1.4 + ROW * len(table))
    rows = table[["slope_lower", "slope_upper"]].to_numpy()
    draw_ranges(ax, rows, BLUE, interval_label(found.probability), width=2)
    places = np.arange(len(table))
    ax.plot(table["slope"], places, "o", color=BLUE, ms=4, label="median")
    ax.plot(table["raw"], places, "x", color=VERMILLION, ms=5, label="each alone, by least squares")
    ax.axvline(0.0, color=MUTED, lw=1)
    name_rows(ax, [str(name) for name in table.index])
    unit = "log response" if found.fitted.form == "law" else "response"
    return finish(
        ax, title="What a decade of compute changes", xlabel=f"slope of {unit} (a decade of compute)", ylabel=""
    )


@styled
@checks.kinds
def plot_gaps(found: Disparities, ax: Axes | None = None) -> Axes:
    """Draw the gap of each group to the reference at both scales, with its interval.

    Parameters
    ----------
    found : Disparities
        What scale does to each group.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Gap against compute; a line that leaves zero is a gap that grows.
    """
    ax = new_axes(ax)
    flops = np.array([found.from_flops, found.to_flops])
    tail = (1 - found.probability) / 2
    others = [i for i, name in enumerate(found.fitted.groups) if name != found.reference]
    for place, i in enumerate(others):
        low, middle, high = np.quantile(found.gaps[:, :, i], [tail, 0.5, 1 - tail], axis=0)
        color, name = COLORS[place % len(COLORS)], found.fitted.groups[i]
        ax.errorbar(
            flops * 1.03**place, middle, [middle - low, high - middle], color=color, marker="o", ms=4, label=name
        )
    ax.axhline(0.0, color=MUTED, lw=1)
    log_axis(ax, "x", "flops")
    what = "ratio (log)" if found.fitted.form == "law" else "difference"
    return finish(
        ax,
        title=f"Gaps to {found.reference}, {percent(found.probability)} credible intervals",
        xlabel="training compute (FLOP)",
        ylabel=f"{what} of response",
    )


@styled
@checks.kinds
def plot_worst(found: WorstAllocation, ax: Axes | None = None) -> Axes:
    """Draw the near-optimal sizes of each group, and the sizes for the worst-off and for the mean.

    Parameters
    ----------
    found : WorstAllocation
        The split that the worst-off regrets least.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        One row for each group, the largest best size on top.
    """
    table = found.table.sort_values("N", ascending=False)
    ax = new_axes(ax, height=1.4 + ROW * len(table))
    log_axis(ax, "x", "count")
    near = f"near-optimal ({percent(found.tolerance)} of extra compute)"
    draw_ranges(ax, table[["near_low", "near_high"]].to_numpy(), BLUE, near, width=5, alpha=0.4)
    interval = f"best size, {interval_label(found.probability)}"
    draw_ranges(ax, table[["N_lower", "N_upper"]].to_numpy(), BLUE, interval, width=1)
    ax.plot(table["N"], np.arange(len(table)), "o", color=BLUE, ms=4, label="median")
    price = f"for the worst-off: {percent(found.price, 2)} more compute for the mean"
    ax.axvline(found.N, color=VERMILLION, lw=1.5, label=price)
    ax.axvline(found.mean_N, color=MUTED, lw=1.5, ls="--", label="for the mean")
    name_rows(ax, [str(name) for name in table.index])
    return finish(ax, title="Which sizes suit whom", xlabel="parameters N", ylabel="", columns=1)

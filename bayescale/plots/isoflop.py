"""Figure of isoFLOP slices: loss against size at several budgets, with what is nearly as good as the best."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.decisions.curves import IsoflopSlice, IsoflopSlices
from bayescale.plots.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    clip_far,
    finish,
    interval_label,
    log_axis,
    new_axes,
    styled,
)
from bayescale.words import percent, typed

LINES = (
    (VERMILLION, "-", "v"),
    (ORANGE, "--", "s"),
    (PURPLE, "-.", "D"),
    (SKY, (0, (5, 1, 1, 1)), "o"),
    (BLUE, ":", "^"),
)
"""Colour, line and mark of each slice, told apart by colour-blind readers and in grey as well."""


@styled
@checks.kinds
def plot_isoflop(found: IsoflopSlices, ax: Axes | None = None) -> Axes:
    """Draw loss against size along slices of like compute, runs and law, with the near-optimal sizes of each.

    Parameters
    ----------
    found : IsoflopSlices
        What :func:`bayescale.plots.isoflop_slices` returned.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The slices, from the smallest to the largest: runs, the law's median with its band, and the part of it where a
        size costs little.
    """
    ax = new_axes(ax, height=5.0)
    near = f"less than {percent(found.tolerance)} extra compute, {percent(found.probability)} sure"
    ax.plot([], [], color=GREEN, lw=6, alpha=0.5, label=near)
    ax.fill_between([], [], color=INK, alpha=0.15, lw=0, label=interval_label(found.probability))
    for look, each in zip(LINES, found.slices, strict=False):
        _draw_slice(ax, each, look, found)
    log_axis(ax, "x", "count")
    _leave_out_far_ends(ax, found)
    return finish(
        ax,
        title=f"Slices of equal compute under {found.law}",
        xlabel="model size N (parameters)",
        ylabel=f"{found.runs.response} ({found.runs.unit})",
    )


def _draw_slice(ax: Axes, each: IsoflopSlice, look: Any, found: IsoflopSlices) -> None:  # noqa: ANN401  (line styles)
    color, line, marker = look
    runs = f", {len(each.runs)} runs" if len(each.runs) else ""
    label = f"{typed(each.flops, 2)} FLOP{runs}"
    band = f"{interval_label(found.probability)}, {label}"
    ax.fill_between(each.N, each.lower, each.upper, color=color, alpha=0.15, lw=0, gid=band)
    inside = (each.near[0] <= each.N) & (each.near[1] >= each.N)
    ax.plot(each.N[inside], each.median[inside], color=GREEN, lw=6, alpha=0.5, zorder=2.2)
    ax.plot(each.N, each.median, color=color, ls=line, lw=1.6, label=label, marker="")
    ax.plot(each.runs["N"], each.runs[found.runs.response], marker, color=color, ms=4, mew=0, alpha=0.8)


def _leave_out_far_ends(ax: Axes, found: IsoflopSlices) -> None:
    """Let the axis hold the runs of the slices, and not the ends of curves far above them."""
    runs = pd.concat([each.runs for each in found.slices])
    seen = runs[found.runs.response].to_numpy()
    if seen.size:
        room = 0.08 * (seen.max() - seen.min())
        bottom, top = ax.get_ylim()
        ax.set_ylim(max(bottom, seen.min() - 3 * room), min(top, seen.max() + room))
        clip_far(ax, runs["N"].to_numpy(), seen)

"""Figure of isoFLOP slices: loss against size at several budgets, with what is nearly as good as the best."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bayescale.decisions.allocation import allocate
from bayescale.fits.draws import evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.plots.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    finish,
    interval_label,
    log_axis,
    new_axes,
    styled,
)
from bayescale.runs import RunTable
from bayescale.runs.folds import budgets_of
from bayescale.words import percent, typed

LINES = (
    (VERMILLION, "-", "v"),
    (ORANGE, "--", "s"),
    (PURPLE, "-.", "D"),
    (SKY, (0, (5, 1, 1, 1)), "o"),
    (BLUE, ":", "^"),
)
"""Colour, line and mark of each slice, told apart by colour-blind readers and in grey as well."""

FEWEST = 3
"""Sizes that make runs of like compute a slice."""

MARGIN = 2.0
"""Times beyond the sizes of its runs, or its near-optimal set, to which a curve is drawn."""

POINTS = 80


@styled
def plot_isoflop(fitted: Fit, ax: Axes | None = None, *, tolerance: float = 0.05, probability: float = 0.9) -> Axes:
    """Draw loss against size along slices of like compute, runs and law, with the near-optimal set of each.

    Parameters
    ----------
    fitted : Fit
        Fit of a law of N and D that has a best split.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    tolerance : float
        Extra compute that the near-optimal set may cost.
    probability : float
        Of the bands.

    Returns
    -------
    matplotlib.axes.Axes
        Up to five slices, from the smallest to the largest: runs, the law's median with its band, and the part of it
        where a size costs little; at the geometric mean of their compute, or where no runs are of like compute, at five
        budgets of the runs' range.

    Raises
    ------
    InputError
        If the law has no best split there.
    """
    slices = _slices(fitted.runs)
    found = allocate(fitted, [flops for flops, _ in slices], tolerance=tolerance, probability=probability)
    ax = new_axes(ax, height=5.0)
    ax.plot([], [], color=GREEN, lw=6, alpha=0.5, label=f"near-optimal: {percent(tolerance)} extra compute")
    ax.fill_between([], [], color=INK, alpha=0.15, lw=0, label=interval_label(probability))
    ends = found.recommended[["near_low", "near_high"]].to_array().to_numpy().T
    for look, (flops, group), near in zip(LINES, slices, ends, strict=False):
        _draw_slice(ax, fitted, flops, group, (near, look, probability))
    log_axis(ax, "x", "count")
    _leave_out_far_ends(ax, fitted.runs, slices)
    return finish(
        ax,
        title=f"Slices of equal compute under {fitted.law.name}",
        xlabel="model size N (parameters)",
        ylabel=f"{fitted.runs.response} ({fitted.runs.unit})",
    )


def _slices(runs: RunTable) -> list[tuple[float, pd.DataFrame]]:
    """Return compute and runs of up to five slices, evenly among those that there are."""
    labels, _ = budgets_of(runs)
    groups = [group for _, group in runs.frame.groupby(labels) if group["N"].round(-3).nunique() >= FEWEST]
    groups.sort(key=lambda group: float(group["C"].mean()))
    if not groups:
        C = runs.frame["C"]
        return [(float(flops), runs.frame.iloc[:0]) for flops in np.geomspace(C.min(), C.max(), len(LINES))]
    chosen = np.unique(evenly_spaced(len(LINES), len(groups)))
    return [(float(np.exp(np.log(groups[i]["C"]).mean())), groups[i]) for i in chosen]


def _draw_slice(ax: Axes, fitted: Fit, flops: float, group: pd.DataFrame, how: tuple[np.ndarray, Any, float]) -> None:
    near, (color, line, marker), probability = how
    seen = np.concatenate([group["N"].to_numpy(), near])
    N = np.sort([*np.geomspace(seen.min() / MARGIN, seen.max() * MARGIN, POINTS), *near])
    low, median, high = _law(fitted, flops, N, probability)
    runs = f", {len(group)} runs" if len(group) else ""
    label = f"{typed(flops, 2)} FLOP{runs}"
    ax.fill_between(N, low, high, color=color, alpha=0.15, lw=0, gid=f"{interval_label(probability)}, {label}")
    inside = (near[0] <= N) & (near[1] >= N)
    ax.plot(N[inside], median[inside], color=GREEN, lw=6, alpha=0.5, zorder=2.2)
    ax.plot(N, median, color=color, ls=line, lw=1.6, label=label, marker="")
    ax.plot(group["N"], group[fitted.runs.response], marker, color=color, ms=4, mew=0, alpha=0.8)


def _law(fitted: Fit, flops: float, N: np.ndarray, probability: float) -> np.ndarray:
    """Return lower end, median and upper end of the law at each size (3, point)."""
    runs = {"N": N, "D": flops / (FLOPS_PER_TOKEN * N), "C": np.full_like(N, flops)}
    loss = fitted.draws.value(runs)
    return np.asarray(np.quantile(loss, [(1 - probability) / 2, 0.5, (1 + probability) / 2], axis=0))


def _leave_out_far_ends(ax: Axes, runs: RunTable, slices: list[tuple[float, pd.DataFrame]]) -> None:
    """Let the axis hold the runs of the slices, and not the ends of curves far above them."""
    seen = np.concatenate([group[runs.response].to_numpy() for _, group in slices])
    if seen.size:
        room = 0.08 * (seen.max() - seen.min())
        bottom, top = ax.get_ylim()
        ax.set_ylim(max(bottom, seen.min() - 3 * room), min(top, seen.max() + room))

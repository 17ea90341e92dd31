"""Map of a law over N and D: lines of equal loss, the best split, and where compute alone is good enough."""

from itertools import groupby

import numpy as np
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.decisions.loss_map import LossMap
from bayescale.laws.measured import TokenCost, sizes, table_cost
from bayescale.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    finish,
    interval_label,
    log_axis,
    new_axes,
    styled,
)
from bayescale.splits.constraints import UNLIMITED
from bayescale.splits.frontier import Frontier
from bayescale.splits.ranges import RatioRange
from bayescale.words import percent, typed

MOST_LINES = 8
DOTTED = (0, (1, 2.5))


@styled
@checks.kinds
def plot_iso_loss(found: LossMap, ax: Axes | None = None) -> Axes:
    """Draw a law over the plane of N and D, and where in it compute alone is good enough.

    Each line of equal loss touches the line of equal compute of its number at the best split, and stays close to it
    inside the shaded region: there the loss hardly depends on how the compute is split.

    Parameters
    ----------
    found : LossMap
        What :func:`bayescale.plots.loss_map` returned.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Lines of equal loss (posterior median), lines of equal compute, the best split with its band, the region of
        :func:`bayescale.splits.ranges.ratio_ranges`, the runs, and what lies beyond the largest of them.
    """
    ax = new_axes(ax, height=5.4)
    ax.set(xlim=found.N[[0, -1]], ylim=found.D[[0, -1]])
    log_axis(ax, "x", "count")
    log_axis(ax, "y", "count")
    cost = table_cost(found.runs)
    _draw_region(ax, found.ranges, cost)
    _draw_ridge(ax, found, cost)
    _draw_lines(ax, found, cost)
    _draw_beyond(ax, float(found.runs.frame["C"].max()), cost)
    ax.plot(found.runs.frame["N"], found.runs.frame["D"], "o", color=ORANGE, ms=3, mew=0, alpha=0.8, label="runs")
    title = "Where compute alone is good enough" if found.has_region else "Loss over parameters and tokens"
    return finish(ax, title=title, xlabel="model size N (parameters)", ylabel="training set D (tokens)")


def _draw_region(ax: Axes, ranges: tuple[RatioRange, ...], cost: TokenCost) -> None:
    """Shade where the split costs little; apart where budgets between have no such range."""
    part_more, sure = percent(ranges[0].tolerance), percent(ranges[0].probability)
    label: str | None = f"split costs less than {part_more} more compute\n({sure} posterior probability)"
    for there, part in groupby(ranges, lambda each: each.lower is not None):
        if there:
            found = list(part)
            flops = np.array([each.flops for each in found])
            ends = np.log(np.array([[each.lower, each.upper] for each in found], dtype=float).T)
            _fill_between(ax, *_around(flops, ends, cost), GREEN, alpha=0.25, label=label)
            label = None


def _draw_ridge(ax: Axes, found: LossMap, cost: TokenCost) -> None:
    """Draw the best split and its interval."""
    lower, median, upper = found.log_ratio
    ax.plot(*sizes(found.flops, median, cost), color=BLUE, lw=1.8, label="best split, median")
    label = f"best split, {interval_label(found.probability)}"
    _fill_between(ax, *_around(found.flops, np.stack([lower, upper]), cost), BLUE, alpha=0.35, label=label)


def _around(flops: np.ndarray, log_ratio: np.ndarray, cost: TokenCost) -> tuple[np.ndarray, np.ndarray]:
    """Return N and D around what lies between two tokens per parameter of each budget (2, budget)."""
    there, back = sizes(flops, log_ratio[0], cost), sizes(flops[::-1], log_ratio[1, ::-1], cost)
    return np.concatenate([there[0], back[0]]), np.concatenate([there[1], back[1]])


def _fill_between(ax: Axes, N: np.ndarray, D: np.ndarray, color: str, *, alpha: float, label: str | None) -> None:
    ax.fill(N, D, color=color, alpha=alpha, lw=0, label=label)


def _draw_lines(ax: Axes, found: LossMap, cost: TokenCost) -> None:
    """Draw lines of equal compute at powers of ten, and of the loss of their best splits."""
    log_flops = np.log10(found.flops)
    powers = np.arange(np.ceil(log_flops[0]), np.floor(log_flops[-1]) + 1)
    powers = powers[:: -(-len(powers) // MOST_LINES)]
    _draw_equal_compute(ax, 10.0**powers, cost)
    levels = np.unique(np.interp(powers, log_flops, found.best_loss))
    if levels.size:
        lines = ax.contour(found.N, found.D, found.loss, levels=levels, colors=INK, linewidths=0.8, alpha=0.75)
        ax.clabel(lines, fmt=typed, fontsize=8)
    label = f"equal {found.runs.response} ({found.runs.unit}), median"
    ax.plot([], [], color=INK, lw=0.8, alpha=0.75, label=label)


def _draw_equal_compute(ax: Axes, budgets: np.ndarray, cost: TokenCost) -> None:
    """Draw each budget's line from edge to edge, its FLOP at the upper left."""
    (N_low, N_high), (D_low, D_high) = ax.get_xlim(), ax.get_ylim()
    label: str | None = "equal compute (FLOP)"
    for flops in budgets:
        N = np.geomspace(max(N_low, _size_with(flops, D_high, cost)), min(N_high, _size_with(flops, D_low, cost)), 30)
        D = flops / cost.per_token(N, {})
        ax.plot(N, D, color=MUTED, lw=0.7, ls=DOTTED, label=label)
        ax.text(N[0], D[0], f" {typed(flops)}", color=MUTED, fontsize=7.5, va="top", clip_on=True)
        label = None


def _size_with(flops: float, tokens: float, cost: TokenCost) -> float:
    """Return N of the run that spends a budget on so many tokens."""
    return float(np.exp(Frontier(cost, UNLIMITED, {}, np.inf).log_size(np.array(flops), tokens=tokens)))


def _draw_beyond(ax: Axes, largest: float, cost: TokenCost) -> None:
    """Shade what lies beyond the largest run's compute."""
    N = np.geomspace(*ax.get_xlim(), 50)
    edge, top = largest / cost.per_token(N, {}), np.full_like(N, ax.get_ylim()[1])
    ax.fill_between(N, edge, top, where=edge < top, color=MUTED, alpha=0.13, lw=0, label="beyond the largest run")

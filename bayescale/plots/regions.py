"""Map of a law over N and D: lines of equal loss, the best split, and where compute alone is good enough."""

from itertools import groupby

import numpy as np
from matplotlib.axes import Axes

from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.hardware import FLOPS_PER_TOKEN
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
from bayescale.runs import RunTable
from bayescale.splits.optimum import find_optimum, sizes
from bayescale.splits.ranges import RatioRange, ratio_ranges
from bayescale.words import percent, typed

BUDGETS = 7
"""From the smallest run to the largest budget, beside that of a typical run, at which a verdict is told.

Between them the lines are nearly straight on these axes."""

BEYOND = 100.0
"""Times the largest run to which the map reaches."""

GRID = 40
"""Points of the map along each axis."""

THINNED = 16
"""Every so many draws are enough for the median of a line of equal loss."""

LOCATED = 0.25
"""Part of the draws that must have a best split for it to be drawn."""

MOST_LINES = 8
MARGIN = 1.6
"""By how much the map reaches beyond runs and best splits."""

DOTTED = (0, (1, 2.5))


@styled
def plot_iso_loss(fitted: Fit, ax: Axes | None = None, *, tolerance: float = 0.05, probability: float = 0.9) -> Axes:
    """Draw a law over the plane of N and D, and where in it compute alone is good enough.

    Each line of equal loss touches the line of equal compute of its number at the best split, and stays close to it
    inside the shaded region: there the loss hardly depends on how the compute is split.

    Parameters
    ----------
    fitted : Fit
        Fit of a law of N and D that has a best split.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    tolerance : float
        Extra compute for the same loss that counts as little.
    probability : float
        Of the shaded region, at each of its points, and of the band of the best split.

    Returns
    -------
    matplotlib.axes.Axes
        Lines of equal loss (posterior median), lines of equal compute, the best split with its band, the region of
        :func:`bayescale.ratio_ranges`, the runs, and what lies beyond the largest of them.

    Raises
    ------
    InputError
        If the law has no best split at the compute of the runs.
    """
    ax = new_axes(ax, height=5.4)
    C = fitted.runs.frame["C"]
    budgets = np.sort([*np.geomspace(C.min(), BEYOND * C.max(), BUDGETS), fitted.reference["C"]])
    best = find_optimum(fitted.draws, budgets)
    located = best.interior.mean(axis=0) > LOCATED
    if not located.any():
        raise InputError(f"law '{fitted.law.name}' has no best split at the compute of {fitted.runs.name}")
    budgets, tail = budgets[located], (1 - probability) / 2
    ridge = np.nanquantile(best.log_ratio[:, located], [tail, 0.5, 1 - tail], axis=0)
    _frame(ax, fitted.runs, budgets, ridge[1])
    _draw_region(ax, ratio_ranges(fitted, list(budgets), tolerance, probability))
    _draw_ridge(ax, budgets, ridge, probability)
    _draw_lines(ax, fitted, budgets, np.nanmedian(best.loss[:, located], axis=0))
    _draw_beyond(ax, float(C.max()))
    ax.plot(fitted.runs.frame["N"], fitted.runs.frame["D"], "o", color=ORANGE, ms=3, mew=0, alpha=0.8, label="runs")
    return finish(
        ax,
        title="Where compute alone is good enough",
        xlabel="model size N (parameters)",
        ylabel="training set D (tokens)",
    )


def _frame(ax: Axes, runs: RunTable, budgets: np.ndarray, log_ratio: np.ndarray) -> None:
    """Set the axes so that they hold the runs and the best splits."""
    for which, name, ridge in zip("xy", ("N", "D"), sizes(budgets, log_ratio), strict=True):
        seen = np.concatenate([runs.frame[name].to_numpy(), ridge])
        ax.set(**{f"{which}lim": (seen.min() / MARGIN, seen.max() * MARGIN)})
    log_axis(ax, "x", "count")
    log_axis(ax, "y", "count")


def _draw_region(ax: Axes, ranges: tuple[RatioRange, ...]) -> None:
    """Shade where the split costs little; apart where budgets between have no such range."""
    cost, sure = percent(ranges[0].tolerance), percent(ranges[0].probability)
    label: str | None = f"split costs less than {cost} more compute\n({sure} posterior probability)"
    for there, part in groupby(ranges, lambda each: each.lower is not None):
        if there:
            found = list(part)
            flops = np.array([each.flops for each in found])
            ends = np.log(np.array([[each.lower, each.upper] for each in found], dtype=float).T)
            _fill_between(ax, flops, ends, GREEN, alpha=0.25, label=label)
            label = None


def _draw_ridge(ax: Axes, budgets: np.ndarray, ridge: np.ndarray, probability: float) -> None:
    """Draw the best split from lower end, median and upper end of its ln(D/N) (3, budget)."""
    ax.plot(*sizes(budgets, ridge[1]), color=BLUE, lw=1.8, label="best split, median")
    _fill_between(ax, budgets, ridge[[0, 2]], BLUE, alpha=0.35, label=f"best split, {interval_label(probability)}")


def _fill_between(
    ax: Axes, flops: np.ndarray, log_ratio: np.ndarray, color: str, *, alpha: float, label: str | None
) -> None:
    """Fill between two tokens per parameter of each budget (2, budget)."""
    there, back = sizes(flops, log_ratio[0]), sizes(flops[::-1], log_ratio[1, ::-1])
    outline = [np.concatenate(pair) for pair in zip(there, back, strict=True)]
    ax.fill(*outline, color=color, alpha=alpha, lw=0, label=label)


def _draw_lines(ax: Axes, fitted: Fit, budgets: np.ndarray, losses: np.ndarray) -> None:
    """Draw lines of equal compute at powers of ten, and of the loss of their best splits."""
    low, high = np.log10(budgets[[0, -1]])
    powers = np.arange(np.ceil(low), np.floor(high) + 1)
    powers = powers[:: -(-len(powers) // MOST_LINES)]
    _draw_equal_compute(ax, 10.0**powers)
    N, D = (np.geomspace(*limits, GRID) for limits in (ax.get_xlim(), ax.get_ylim()))
    across, up = np.meshgrid(N, D)
    points = {"N": across.ravel(), "D": up.ravel(), "C": FLOPS_PER_TOKEN * (across * up).ravel()}
    few = fitted.draws.take(slice(None, None, THINNED))
    surface = np.median(few.value(points), axis=0).reshape(across.shape)
    levels = np.unique(np.interp(powers, np.log10(budgets), losses))
    if levels.size:
        lines = ax.contour(N, D, surface, levels=levels, colors=INK, linewidths=0.8, alpha=0.75)
        ax.clabel(lines, fmt=lambda value: f"{value:.3g}", fontsize=8)
    runs = fitted.runs
    ax.plot([], [], color=INK, lw=0.8, alpha=0.75, label=f"equal {runs.response} ({runs.unit}), median")


def _draw_equal_compute(ax: Axes, budgets: np.ndarray) -> None:
    """Draw each budget's line from edge to edge, its FLOP at the upper left."""
    (N_low, N_high), (D_low, D_high) = ax.get_xlim(), ax.get_ylim()
    label: str | None = "equal compute (FLOP)"
    for flops in budgets:
        product = flops / FLOPS_PER_TOKEN
        N = np.array([max(N_low, product / D_high), min(N_high, product / D_low)])
        ax.plot(N, product / N, color=MUTED, lw=0.7, ls=DOTTED, label=label)
        ax.text(N[0], product / N[0], f" {typed(flops)}", color=MUTED, fontsize=7.5, va="top", clip_on=True)
        label = None


def _draw_beyond(ax: Axes, largest: float) -> None:
    """Shade what lies beyond the largest run's compute."""
    N = np.geomspace(*ax.get_xlim(), 50)
    edge, top = largest / (FLOPS_PER_TOKEN * N), np.full_like(N, ax.get_ylim()[1])
    ax.fill_between(N, edge, top, where=edge < top, color=MUTED, alpha=0.13, lw=0, label="beyond the largest run")

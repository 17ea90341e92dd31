"""The figure that is the answer: the best size against compute, with the runs behind it and the budgets asked for."""

import numpy as np
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.decisions.allocation import Allocation
from bayescale.plots.style import (
    INK,
    MUTED,
    VERMILLION,
    draw_bands,
    finish,
    log_axis,
    mark_end,
    new_axes,
    styled,
)
from bayescale.words import count_text

HEIGHT = 3.7
"""Height of this figure in inches."""


@styled
@checks.kinds
def plot_answer(curve: Allocation, asked: Allocation | None = None, ax: Axes | None = None) -> Axes:
    """Draw the best size against compute, the runs, and what is recommended for the budgets asked for.

    Parameters
    ----------
    curve : Allocation
        Of many budgets, as :func:`bayescale.plots.allocation_curve` returns it.
    asked : Allocation, optional
        Of the budgets asked for.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Median of the best size with its 50% band and that of the allocation's probability, the runs, the recommended
        sizes with their numbers, and what lies beyond the runs shaded.
    """
    ax = new_axes(ax, height=HEIGHT)
    frame = curve.runs.frame
    ax.plot(frame["C"], frame["N"], "o", color=MUTED, ms=3, mew=0, alpha=0.6, label="runs")
    flops, draws = curve.optima["flops"].to_numpy(), curve.optima["N"].transpose("draw", "budget").to_numpy()
    draw_bands(ax, flops, draws, curve.probability, label="best size, median")
    best = None if asked is None else asked.recommended
    if best is not None:
        C, N = best["flops"].to_numpy(), best["N"].to_numpy()
        ax.plot(C, N, "D", color=VERMILLION, ms=6, mew=0, label="budgets asked for", zorder=4)
    log_axis(ax, "x", "flops")
    log_axis(ax, "y", "count")
    if best is not None:
        _name_sizes(ax, C, N)
    mark_end(ax, curve.runs)
    return finish(
        ax,
        title="Compute-optimal model size",
        xlabel="training compute C (FLOP)",
        ylabel="model size N (parameters)",
    )


def _name_sizes(ax: Axes, C: np.ndarray, N: np.ndarray) -> None:
    """Write each size to the left of its mark, above the band."""
    for flops, size in zip(C, N, strict=True):
        ax.annotate(
            count_text(float(size), 2),
            (flops, size),
            xytext=(-7, 5),
            textcoords="offset points",
            ha="right",
            fontweight="bold",
            color=INK,
        )

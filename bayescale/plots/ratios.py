"""Figure of a verdict: where on the scale of D/N the split hardly matters."""

import numpy as np
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.comparison.verdict import Verdict
from bayescale.plots.style import (
    BLUE,
    GREEN,
    INK,
    VERMILLION,
    draw_ticks,
    finish,
    log_axis,
    new_axes,
    styled,
)
from bayescale.runs import RunTable
from bayescale.words import percent, short


@styled
@checks.kinds
def plot_ratio_range(verdict: Verdict, runs: RunTable | None = None, ax: Axes | None = None) -> Axes:
    """Draw the probability that a split costs less than the tolerance, against tokens per parameter.

    Parameters
    ----------
    verdict : Verdict
        The verdict.
    runs : RunTable, optional
        Runs whose D/N are marked along the bottom.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The probability, the range in which it is high enough, and the runs.
    """
    ax = new_axes(ax)
    ratio, chance = verdict.profile
    ratios = verdict.tokens_per_parameter
    tolerance = percent(ratios.tolerance)
    if ratios.lower is not None and ratios.upper is not None:
        span = f"{short(ratios.lower)} to {short(ratios.upper)} tokens per parameter"
        ax.axvspan(ratios.lower, ratios.upper, color=GREEN, alpha=0.2, lw=0, label=span)
    ax.plot(ratio, chance, color=BLUE, lw=1.8, label="posterior probability")
    threshold = f"{percent(ratios.probability)} posterior probability"
    ax.axhline(ratios.probability, color=VERMILLION, lw=1.2, ls="--", label=threshold)
    shown = [ratio[chance > 0.005]]
    if runs is not None:
        own = (runs.frame["D"] / runs.frame["N"]).to_numpy()
        draw_ticks(ax, own, np.full((2, own.size), [[-0.08], [-0.03]]), INK, "runs", width=0.9)
        shown.append(own)
    seen = np.concatenate(shown)
    low, high = (seen.min(), seen.max()) if seen.size else (ratio[0], ratio[-1])
    ax.set_xlim(low / 1.5, high * 1.5)
    log_axis(ax, "x", "ratio")
    ax.set_ylim(-0.1, 1.03)
    return finish(
        ax,
        title=f"Where the split costs less than {tolerance} extra compute",
        xlabel=f"tokens per parameter D/N, at {short(ratios.flops)} FLOP",
        ylabel="posterior probability",
    )

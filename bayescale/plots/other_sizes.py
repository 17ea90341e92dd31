"""Figure of what another size than the recommended one costs, for several budgets at once."""

import numpy as np
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.decisions.allocation import Allocation
from bayescale.plots.style import BLUE, GREEN, MUTED, ORANGE, PURPLE, VERMILLION, finish, log_axis, new_axes, styled
from bayescale.words import count_text, percent, typed

LINES = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (PURPLE, ":"), (ORANGE, "-"))
"""Colour and line of each budget."""

HIGHEST = 6.0
"""Times the tolerance to which the axis reaches: beyond, nobody would go."""


WIDE = 4.0
"""Times the recommended size to which the axis reaches at least."""


@styled
@checks.kinds
def plot_other_sizes(allocation: Allocation, ax: Axes | None = None) -> Axes:
    """Draw the extra compute that a model of another size costs, against its size.

    Parameters
    ----------
    allocation : Allocation
        Of up to five budgets that are drawn; more are left out.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Median of the extra compute against N over the recommended N, a line for each budget, and the tolerance.
    """
    ax = new_axes(ax)
    tolerance, best = allocation.tolerance, allocation.recommended
    for i, (color, line) in enumerate(LINES[: best.sizes["budget"]]):
        regret = allocation.regret.isel(budget=i).dropna("size")
        N, size = regret["N"].to_numpy(), float(best["N"][i])
        extra = 100 * regret["extra_compute"].to_numpy()
        label = f"{typed(float(best['flops'][i]))} FLOP, 1 is {count_text(size, 2)}"
        order = np.argsort(N)
        ax.plot(N[order] / size, extra[order], color=color, ls=line, lw=1.8, label=label)
    ax.axhline(100 * tolerance, color=MUTED, lw=1, ls=(0, (1, 2)), label=percent(tolerance))
    near = (best["N"] / best["near_low"]).to_numpy()[: len(LINES)]
    reach = max([WIDE, *(near[np.isfinite(near)] ** 2)])
    ax.set(xlim=(1 / reach, reach), ylim=(0, 100 * HIGHEST * tolerance))
    log_axis(ax, "x", "ratio")
    return finish(
        ax,
        title="What another size costs",
        xlabel="model size over the recommended one (times)",
        ylabel="extra compute, median (%)",
        columns=1,
    )

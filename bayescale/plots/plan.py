"""Figure of a plan: candidates over N and D, the runs chosen, and what each saves."""

import numpy as np
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.laws.measured import TokenCost, table_cost
from bayescale.planning.plan import Plan
from bayescale.plots.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    SKY,
    VERMILLION,
    finish,
    log_axis,
    new_axes,
    styled,
)
from bayescale.words import typed

AREA = (25.0, 260.0)
"""Of the smallest and the largest mark of a chosen run, in square points."""

LINE_POINTS = 40
"""Of the line of runs of one cost."""

MOST_NUMBERS = 20
"""Chosen runs whose place is written beside them."""


@styled
@checks.kinds
def plot_plan(found: Plan, ax: Axes | None = None) -> Axes:
    """Draw the candidates of a plan over N and D, with the runs chosen.

    Parameters
    ----------
    found : Plan
        The plan.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Runs done, candidates (those beyond the spend apart), the runs chosen with their place, their area by what each
        takes away of the aim, and the split to be decided at each target.
    """
    ax = new_axes(ax, height=5.4)
    done, listed, chosen = found.source.frame, found.candidates, found.runs
    ax.plot(done["N"], done["D"], "o", color=ORANGE, ms=3.5, mew=0, alpha=0.8, label="runs done")
    kinds = ((listed["affordable"], SKY, "candidates"), (~listed["affordable"], MUTED, "candidates beyond the spend"))
    for which, color, label in kinds:
        if which.any():
            ax.plot(listed.loc[which, "N"], listed.loc[which, "D"], "+", color=color, ms=5, mew=1, label=label)
    if len(chosen):
        _draw_chosen(ax, found)
    if len(found.targets):
        ax.plot(
            found.targets["N"], found.targets["D"], "*", color=VERMILLION, ms=12, mew=0, label="split to be decided"
        )
    log_axis(ax, "x", "count")
    log_axis(ax, "y", "count")
    _draw_spend(ax, found.spend, table_cost(found.source))
    title = f"The next {len(chosen)} runs" if len(chosen) != 1 else "The next run"
    return finish(ax, title=title, xlabel="model size N (parameters)", ylabel="training set D (tokens)")


def _draw_chosen(ax: Axes, found: Plan) -> None:
    gain = np.maximum(found.runs["gain"].to_numpy(), 0.0)
    share = gain / gain.max() if gain.max() > 0 else np.ones_like(gain)
    area = AREA[0] + (AREA[1] - AREA[0]) * share
    label = "chosen, area by gain"
    ax.scatter(found.runs["N"], found.runs["D"], s=area, color=BLUE, alpha=0.65, lw=0, label=label)
    for place, (N, D) in enumerate(zip(found.runs["N"], found.runs["D"], strict=True), 1):
        if place <= MOST_NUMBERS:
            ax.annotate(str(place), (N, D), xytext=(5, 4), textcoords="offset points", fontsize=8, color=INK)


def _draw_spend(ax: Axes, spend: float, cost: TokenCost) -> None:
    """Draw the runs that cost all that may be spent."""
    limits = ax.get_xlim(), ax.get_ylim()
    N = np.geomspace(*limits[0], LINE_POINTS)
    label = f"one run of {typed(spend)} FLOP"
    ax.plot(N, spend / cost.per_token(N, {}), color=MUTED, lw=0.8, ls=(0, (1, 2.5)), label=label)
    ax.set(xlim=limits[0], ylim=limits[1])

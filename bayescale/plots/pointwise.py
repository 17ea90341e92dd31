"""Figure of a comparison run by run: where in the plane of N and D each of two laws predicts better."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.comparison.comparison import Comparison, pointwise_difference
from bayescale.errors import InputError
from bayescale.plots.style import finish, log_axis, new_axes, styled
from bayescale.words import short

FIRST = ("#7fb8d8", "#3391c2", "#00527f")
SECOND = ("#f0b27a", "#e0762b", "#943f00")
"""Pale to dark blue and orange: told apart by colour-blind readers, and by the marks as well."""

SIZES = (4.0, 5.5, 7.5)
WIDEST_LABEL = 38
"""Characters of a legend entry of which two stand side by side."""

LARGEST = 0.9
"""Part of the runs whose difference is inside the scale; the rest is marked as beyond it, however far."""


@styled
@checks.kinds
def plot_pointwise(comparison: Comparison, first: str, second: str, ax: Axes | None = None) -> Axes:
    """Draw every run at its N and D, coloured by how much better one of two laws predicts it when it is left out.

    Parameters
    ----------
    comparison : Comparison
        The comparison.
    first, second : str
        Two of its laws. The difference of elpd is the first less the second: positive, blue and pointing up where the
        first law predicts the run better, orange and pointing down where the second does.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Three classes a side, the same for both: a third of the 90% quantile of the absolute difference (nats), the
        quantile, and beyond.

    Raises
    ------
    InputError
        If the laws are one, or not of this comparison, or the table has no N or D.
    """
    difference = pointwise_difference(comparison, first, second)
    frame = comparison.runs.frame
    absent = [name for name in ("N", "D") if name not in frame]
    if absent:
        raise InputError(f"{comparison.runs.name}: a map of the runs needs N and D; the table has no {absent[0]}")
    ax = new_axes(ax, 4.9)
    limit = float(np.quantile(np.abs(difference), LARGEST))
    edges = (0.0, limit / 3, limit, np.inf)
    words = (f"under {short(limit / 3)}", f"{short(limit / 3)} to {short(limit)}", f"over {short(limit)}")
    labels = []
    for law, ahead, colors, marker in ((first, difference, FIRST, "^"), (second, -difference, SECOND, "v")):
        for step, color in enumerate(colors):
            inside = (ahead >= edges[step]) & (ahead < edges[step + 1]) & ((ahead != 0) | (law == first))
            labels.append(f"{_counted(inside)}: {law} by {words[step]}")
            style: Any = {"marker": marker, "ls": "", "color": color, "ms": SIZES[step], "mew": 0, "zorder": 2 + step}
            ax.plot(frame["N"][inside], frame["D"][inside], label=labels[-1], **style)
    log_axis(ax, "x", "count")
    log_axis(ax, "y", "count")
    return finish(
        ax,
        title="Nats by which a law predicts a run left out better",
        xlabel="model size N (parameters)",
        ylabel="training set D (tokens)",
        columns=2 if max(map(len, labels)) <= WIDEST_LABEL else 1,
    )


def _counted(inside: np.ndarray) -> str:
    return "1 run" if inside.sum() == 1 else f"{inside.sum()} runs"

"""Figure of a backtest of best sizes: how far off forecasts were, by how far they reached."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.decisions.size_backtesting import SizeBacktest
from bayescale.plots.calibration import APART, LINES
from bayescale.plots.style import INK, finish, log_axis, new_axes, styled

WORDS = {
    "path": "law and what it misses",
    "law": "law alone",
    "line": "line through minima",
    "parabola": "parabolas",
    "least_squares": "least squares",
}
"""What the methods are called in a legend."""


@styled
@checks.kinds
def plot_size_errors(found: SizeBacktest | pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw by how much forecasts of the best size were off, against how far beyond the fitted runs they reached.

    Parameters
    ----------
    found : SizeBacktest or pandas.DataFrame
        A backtest of best sizes, or the ``points`` of several put together; laws are pooled.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Median of each forecast over the size that the held-out slice shows, by method.
    """
    points = found.points if isinstance(found, SizeBacktest) else found
    ax = new_axes(ax)
    methods = list(dict.fromkeys(points["method"]))
    ax.axhline(1.0, color=INK, lw=1)
    for i, method in enumerate(methods):
        own = points[points["method"] == method]
        color, _, marker = LINES[i % len(LINES)]
        shift = 10 ** (APART / 2 * (i - (len(methods) - 1) / 2))
        label = f"{WORDS.get(method, str(method))} ({own['inside_90'].sum()} of {len(own)})"
        ax.plot(own["factor"] * shift, np.exp(own["error"]), marker, color=color, ms=4, mew=0, alpha=0.75, label=label)
    log_axis(ax, "x", "ratio")
    log_axis(ax, "y", "ratio")
    return finish(
        ax,
        title="Forecast best sizes, and 90% intervals that held",
        xlabel="budget of the held-out slice over the largest run fitted (times)",
        ylabel="forecast size over the one found (times)",
    )

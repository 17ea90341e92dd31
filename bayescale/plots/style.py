"""The look every figure shares: colours, number formats, bands, and a figure as SVG text."""

import io
from collections.abc import Sequence
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine
from matplotlib.legend import Legend
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import blended_transform_factory

from bayescale.runs import RunTable
from bayescale.words import count_text, percent, short, typed

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY = "#CC79A7", "#56B4E9"
COLORS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)
"""Okabe and Ito (2008): told apart by colour-blind readers, on white and on black."""

INK = "#1a1a1a"
"""Text, axes and run marks. A report turns it into the reader's own text colour."""

MUTED = "#808080"
"""Grey that shows on white and on black."""

STYLE: Any = {  # matplotlib types the keys, and differently in each version
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.facecolor": "none",
    "font.family": ["sans-serif"],
    "font.size": 9.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,  # names are the user's: a dollar sign is a dollar sign
    "xtick.color": INK,
    "ytick.color": INK,
}

styled = mpl.rc_context(STYLE)
"""Decorator: draw a figure in the house style."""

WIDTH = 4.7
"""Width of a new figure in inches: on a telephone of 360 pixels its text is as large as that of a caption."""

SHOWN_DPI = 110
"""Dots per inch of a figure in a notebook, on white: a notebook may be dark, and the ink is not."""

FAR_PART, FAR_SPANS = 0.02, 1.0
"""Runs are far that lie beyond this quantile of the runs, at either end, by more than so many times what it spans."""

MARGIN, TITLE_ROOM, LEGEND_GAP = 0.05, 0.25, 0.09
"""Around the figure, above its axes, and between axes and legend, in inches."""

LEGEND_LEFT = 0.02
"""Left edge of the legend, as a part of the figure's width."""


def new_axes(ax: Axes | None, height: float = 3.9) -> Axes:
    """Return the axes given, or those of a new figure (height in inches) that belongs to no window."""
    if ax is not None:
        return ax
    figure = Figure(figsize=(WIDTH, height), layout=Beside())
    FigureCanvasAgg(figure)  # measures text
    return figure.add_subplot(axes_class=ShownAxes)


class ShownAxes(Axes):
    """Axes that a notebook shows as their figure, which no window and no list of open figures holds on to.

    Figures of pyplot would stay in memory until they are closed, so those of a report, or of a loop, would pile up.
    """

    def _repr_png_(self) -> bytes:
        figure = self.get_figure(root=True)
        assert figure is not None
        content = io.BytesIO()
        with mpl.rc_context(STYLE):
            figure.savefig(content, format="png", dpi=SHOWN_DPI, facecolor="white")
        return content.getvalue()


class Beside(LayoutEngine):
    """Gives the only axes of a figure the room that labels, title and legend leave.

    Constrained layout finds the same by measuring everything twice, which takes as long as drawing.
    """

    _adjust_compatible = True
    _colorbar_gridspec = True

    def execute(self, fig: Figure) -> None:
        """Measure below the axes, then to their left."""
        if len(fig.axes) != 1:
            return
        ax, (width, height) = fig.axes[0], fig.get_size_inches()
        below, across = ax.xaxis.get_tightbbox(), ax.bbox
        legend = ax.get_legend()
        bottom = MARGIN + (_inches(fig, across.y0 - below.y0) if below else 0.0)
        bottom += LEGEND_GAP + _inches(fig, legend.get_window_extent().height) if legend else 0.0
        right = MARGIN + (_inches(fig, max(0.0, below.x1 - across.x1)) if below else 0.0)
        fig.subplots_adjust(bottom=bottom / height, top=1 - TITLE_ROOM / height, right=1 - right / width)
        beside = ax.yaxis.get_tightbbox()
        left = MARGIN + (_inches(fig, ax.bbox.x0 - beside.x0) if beside else 0.0)
        fig.subplots_adjust(left=left / width)


def _inches(figure: Figure, pixels: float) -> float:
    return pixels / figure.dpi


def log_axis(ax: Axes, which: Literal["x", "y"], kind: Literal["flops", "count", "ratio"]) -> None:
    """Make a logarithmic axis whose ticks read 1e21, 10B or 20."""
    ax.set(**{f"{which}scale": "log"})
    axis = ax.xaxis if which == "x" else ax.yaxis
    write = count_text if kind == "count" else typed
    axis.set_major_locator(LogLocator(numticks=9))
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    low, high = sorted(axis.get_view_interval())
    if high < 300 * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 30 * low else (1.0, 3.0), numticks=12))
    axis.set_minor_locator(NullLocator())


def interval_label(probability: float) -> str:
    """Name the kind of interval and its probability."""
    return f"{percent(probability)} credible interval"


def draw_bands(
    ax: Axes, x: np.ndarray, draws: np.ndarray, probability: float, *, color: str = BLUE, label: str = "median"
) -> None:
    """Draw the median with a 50% band and one of the probability asked; bars where points are few.

    Parameters
    ----------
    ax : Axes
        Axes to draw on.
    x : numpy.ndarray
        Where (point,).
    draws : numpy.ndarray
        Posterior draws (draw, point).
    probability : float
        Of the wider band.
    color : str
        Of the bands.
    label : str
        Of the median.
    """
    tails = [(1 - probability) / 2, 0.25, 0.5, 0.75, (1 + probability) / 2]
    low, inner_low, median, inner_high, high = np.nanquantile(draws, tails, axis=0)
    widest, inner = interval_label(probability), interval_label(0.5)
    if x.size > 4:
        order = np.argsort(x)
        ax.fill_between(x[order], low[order], high[order], color=color, alpha=0.28, lw=0, label=widest)
        ax.fill_between(x[order], inner_low[order], inner_high[order], color=color, alpha=0.5, lw=0, label=inner)
        ax.plot(x[order], median[order], color=color, lw=1.8, label=label)
        return
    ax.vlines(x, low, high, color=color, lw=1.5, label=widest)
    ax.vlines(x, inner_low, inner_high, color=color, lw=5, alpha=0.6, label=inner)
    ax.plot(x, median, "o", color=color, ms=6, label=label)


def mark_end(ax: Axes, runs: RunTable) -> None:
    """Shade what lies beyond the largest run."""
    end, (low, high) = float(runs.frame["C"].max()), ax.get_xlim()
    if end < high:
        ax.axvspan(end, high, color=MUTED, alpha=0.13, lw=0, zorder=0, label="beyond the largest run")
        ax.axvline(end, color=MUTED, lw=1, ls=(0, (1, 2)), gid="largest run")
    ax.set_xlim(low, high)


def clip_far(ax: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Let the axis hold all runs but those far from the others, and mark these by arrows at its edge.

    Parameters
    ----------
    ax : Axes
        Axes with everything drawn.
    x, y : numpy.ndarray
        The runs (run,).
    """
    part = max(FAR_PART, 1.5 / y.size)
    low, high = np.quantile(y, part, method="higher"), np.quantile(y, 1 - part, method="lower")
    room = FAR_SPANS * (high - low)
    above, below = y > high + room, y < low - room
    if not (above | below).any() or (above | below).all():
        return
    inner = y[~(above | below)]
    margin = 0.1 * (inner.max() - inner.min())
    bottom, top = ax.get_ylim()
    bottom = max(bottom, inner.min() - margin) if below.any() else bottom
    top = min(top, inner.max() + margin) if above.any() else top
    ax.set_ylim(bottom, top)
    for far, edge, marker in ((above, top, "^"), (below, bottom, "v")):
        if far.any():
            label = f"{far.sum()} beyond the axis, to {short(y[far].max() if marker == '^' else y[far].min())}"
            ax.plot(x[far], np.full(far.sum(), edge), marker, color=VERMILLION, ms=6, mew=0, clip_on=False, label=label)


def draw_ranges(ax: Axes, rows: np.ndarray, color: str, label: str, *, width: float, alpha: float = 1.0) -> None:
    """Draw one horizontal line per row from its first to its second value."""
    ax.hlines(np.arange(len(rows)), rows[:, 0], rows[:, 1], color=color, lw=width, alpha=alpha, label=label)


def draw_ticks(ax: Axes, x: np.ndarray, ends: np.ndarray, color: str, label: str | None, *, width: float) -> None:
    """Draw a vertical line at each x between its ends (2, point); as one path, even where lines overlap."""
    gap = np.full_like(x, np.nan)
    style: Any = {"color": color, "lw": width, "alpha": 0.5, "solid_capstyle": "butt", "label": label}
    ax.plot(np.column_stack([x, x, gap]).ravel(), np.column_stack([*ends, gap]).ravel(), **style)


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """Write names at the left, the first one at the top."""
    ax.set_yticks(range(len(names)))
    for text in ax.set_yticklabels(list(names)):
        text.set_parse_math(False)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)


def finish(ax: Axes, *, title: str, xlabel: str, ylabel: str, columns: int = 2) -> Axes:
    """Title and label the axes, put the legend below them, and take every text literally."""
    texts = [ax.set_title(title), ax.set_xlabel(xlabel), ax.set_ylabel(ylabel)]
    if ax.get_legend_handles_labels()[0]:
        texts += _add_legend(ax, columns).get_texts()
    for artist in (*ax.lines, *ax.collections, *ax.patches):
        artist.set_in_layout(False)  # clipped by the axes, so the layout need not look at them
    for text in texts:
        text.set_parse_math(False)
    return ax


def _add_legend(ax: Axes, columns: int) -> Legend:
    """Put the legend below the axes: from the figure's left edge where the axes are alone in it."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    where: Any = {"loc": "upper left", "bbox_to_anchor": (0.0, -0.75 / _inches(figure, ax.bbox.height))}
    if isinstance(figure.get_layout_engine(), Beside):
        corner = (LEGEND_LEFT, MARGIN / figure.get_figheight())
        where = {"loc": "lower left", "bbox_to_anchor": corner, "bbox_transform": figure.transFigure}
    elif len(figure.axes) == 1:
        where["bbox_to_anchor"] = (LEGEND_LEFT, where["bbox_to_anchor"][1])
        where["bbox_transform"] = blended_transform_factory(figure.transFigure, ax.transAxes)
    return ax.legend(ncols=columns, borderaxespad=0.0, **where)

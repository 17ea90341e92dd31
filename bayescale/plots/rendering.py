"""Finished figures as text: SVG, and what they show as CSV."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescale.plots.data import figure_data
from bayescale.plots.style import STYLE


class Rendered(NamedTuple):
    """A figure as SVG, and what it shows as CSV."""

    svg: str
    csv: str


def render(named: tuple[str, Axes], settings: Any) -> Rendered:  # noqa: ANN401  (as below)
    """Return a figure as text, the same in every process.

    Parameters
    ----------
    named : tuple of str and matplotlib.axes.Axes
        Its name and its only axes.
    settings : dict
        Matplotlib's settings in the process that made it (:func:`rendering_settings`).
    """
    name, ax = named
    with mpl.rc_context(settings):
        csv = figure_data(ax).to_csv(index=False, float_format="%.6g", lineterminator="\n")
        return Rendered(svg_text(ax, name), csv)


def rendering_settings() -> Any:  # noqa: ANN401  (Matplotlib types the keys, and differently in each version)
    """Return Matplotlib's settings here, without the one that names a window system."""
    return {name: value for name, value in mpl.rcParams.items() if name != "backend"}


def svg_text(ax: Axes, salt: str) -> str:
    """Return the figure of these axes as SVG, the same text for the same figure and salt."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    settings = {"svg.hashsalt": salt, "svg.fonttype": "none"}
    content = io.StringIO()
    with mpl.rc_context(STYLE | settings), warnings.catch_warnings(), _laid_out(figure):
        warnings.filterwarnings("ignore", "Glyph")  # the reader's own fonts draw the text
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    return content.getvalue()


@contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """Lay a figure out once: with a layout engine Matplotlib draws twice, the first time only to measure."""
    engine = figure.get_layout_engine()
    if engine is None:
        yield
        return
    engine.execute(figure)
    with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)
        yield
    figure.set_layout_engine(engine)

"""What a law's prior expects, before it has seen a run."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.prior_predictive import PriorPredictive
from bayescale.plots.style import WIDTH, draw_bands, finish, log_axis, new_axes, styled
from bayescale.storage import write_whole

FORMATS = (".svg", ".png", ".pdf")
TICKS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)
LARGEST = 30.0
"""Highest value that is drawn, over the typical response."""


@styled
@checks.kinds
def plot_prior_predictive(found: PriorPredictive, covariate: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw what the prior of a law expects along one of its columns, the others at a typical run.

    Parameters
    ----------
    found : PriorPredictive
        What :func:`bayescale.plots.prior_predictive` returned.
    covariate : str, optional
        Column of the x-axis; by default the law's first.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Median, 50% and 90% of the law over the typical response, without the noise of single runs.

    Raises
    ------
    InputError
        If the law has no such column.
    """
    law, name = found.law, covariate or found.law.covariates[0]
    if name not in law.covariates:
        raise InputError(f"law '{law.name}' has no column {name}; it has {', '.join(law.covariates)}")
    ax = new_axes(ax)
    draw_bands(ax, found.points[name], found.ratio[name], 0.9, label="median of the prior")
    log_axis(ax, "x", "flops" if name == "C" else "count")
    log_axis(ax, "y", "ratio")
    ax.yaxis.set_major_locator(FixedLocator(TICKS))
    low, high = ax.get_ylim()
    ax.set_ylim(max(min(low, 0.45), 1 / LARGEST), min(max(high, 2.2), LARGEST))
    return finish(
        ax,
        title=f"{law.name}: what its prior expects along {name}",
        xlabel=f"{name} (columns beside it as in a typical run)",
        ylabel=f"{law.responses[0]} over that of a typical run",
    )


@styled
def save_prior_predictive(found: PriorPredictive, path: Path) -> None:
    """Write one picture with a panel for each column of a law; see :func:`plot_prior_predictive`.

    Raises
    ------
    InputError
        If the suffix of the path is none of ``.svg``, ``.png`` and ``.pdf``.
    """
    if path.suffix not in FORMATS:
        raise InputError(f"{path}: a picture ends in {', '.join(FORMATS)}; found {path.suffix or 'no suffix'}")
    count = len(found.points)
    columns = min(count, 2)
    rows = -(-count // columns)
    figure = Figure(figsize=(WIDTH * columns, 4.0 * rows), layout="constrained", facecolor="white")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for name, ax in zip(found.points, panels, strict=False):
        plot_prior_predictive(found, name, ax)
    for ax in panels[count:]:
        ax.set_axis_off()
    write_whole(path, lambda temporary: figure.savefig(temporary, facecolor="white", dpi=150))

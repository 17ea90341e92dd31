"""What a law's prior expects, before it has seen a run."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from bayescale.errors import InputError
from bayescale.laws import SMALLEST_VALUE, Law, get_law, real_range, reference_units, unit_columns
from bayescale.plots.style import WIDTH, draw_bands, finish, log_axis, new_axes, styled
from bayescale.storage import write_whole

DRAWS = 1000
POINTS = 60
DECADES = 2.0
"""How far the picture reaches from the typical run, each way."""

FORMATS = (".svg", ".png", ".pdf")
TICKS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)
LARGEST = 30.0
"""Highest value that is drawn, over the typical response."""


@styled
def plot_prior_predictive(
    law: str | Law, covariate: str | None = None, ax: Axes | None = None, *, random_seed: int = 0
) -> Axes:
    """Draw what the prior of a law expects along one of its columns, the others at a typical run.

    Parameters
    ----------
    law : str or Law
        The law.
    covariate : str, optional
        Column of the x-axis; by default the law's first.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    random_seed : int
        Seed of the 1000 draws.

    Returns
    -------
    matplotlib.axes.Axes
        Median, 50 % and 90 % of the law over the typical response, without the noise of single runs.

    Raises
    ------
    InputError
        If the law has no such column.
    """
    law = get_law(law)
    name = covariate or law.covariates[0]
    if name not in law.covariates:
        raise InputError(f"law '{law.name}' has no column {name}; it has {', '.join(law.covariates)}")
    return _draw_prior(law, name, new_axes(ax), _prior_draws(law, random_seed))


def _draw_prior(law: Law, name: str, ax: Axes, draws: Mapping[str, np.ndarray]) -> Axes:
    x = _span(name)
    draw_bands(ax, x, _prior_values(law, name, x, draws), 0.9, label="median of the prior")
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
def save_prior_predictive(law: str | Law, path: Path, *, random_seed: int = 0) -> None:
    """Write one picture with a panel for each column of a law; see :func:`plot_prior_predictive`.

    Raises
    ------
    InputError
        If the suffix of the path is none of ``.svg``, ``.png`` and ``.pdf``.
    """
    law = get_law(law)
    if path.suffix not in FORMATS:
        raise InputError(f"{path}: a picture ends in {', '.join(FORMATS)}; found {path.suffix or 'no suffix'}")
    count = len(law.covariates)
    columns = min(count, 2)
    rows = -(-count // columns)
    figure = Figure(figsize=(WIDTH * columns, 4.0 * rows), layout="constrained", facecolor="white")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    draws = _prior_draws(law, random_seed)
    for name, ax in zip(law.covariates, panels, strict=False):
        _draw_prior(law, name, ax, draws)
    for ax in panels[count:]:
        ax.set_axis_off()
    write_whole(path, lambda temporary: figure.savefig(temporary, facecolor="white", dpi=150))


def _typical(name: str) -> float:
    low, high = real_range(name)
    return float(np.sqrt(low * high))


def _span(name: str) -> np.ndarray:
    low, high = real_range(name)
    middle, factor = _typical(name), 10.0**DECADES
    return np.geomspace(max(low, middle / factor), min(high, middle * factor), POINTS)


def _prior_draws(law: Law, random_seed: int) -> dict[str, np.ndarray]:
    """Return the prior's draws of each parameter at reference scale, over the typical response (draw, 1)."""
    from bayescale.fits.sampling import sample_prior  # noqa: PLC0415  (imports PyMC)

    draws = sample_prior(law, 1.0, DRAWS, random_seed)
    return {name: draws[name].to_numpy().reshape(-1, 1) for name in law.parameters}


def _prior_values(law: Law, name: str, x: np.ndarray, draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the law over the typical response (draw, point), at reference scale."""
    typical = {each: _typical(each) for each in unit_columns(law)}
    reference = reference_units(law, typical)
    points: dict[str, float | np.ndarray] = {**typical, name: x}
    values = law.loss(**{each: points[each] / reference[each] for each in law.covariates}, **draws)
    return np.asarray(np.maximum(np.broadcast_to(np.asarray(values), (DRAWS, POINTS)), SMALLEST_VALUE))

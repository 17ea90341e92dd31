"""Figures of what a choice costs: a size that is off, and the weight that each law has in an average."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.comparison.comparison import Comparison
from bayescale.comparison.cross_validation import weights_by
from bayescale.decisions.curves import WasteCurve
from bayescale.plots.style import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    PURPLE,
    VERMILLION,
    draw_bands,
    finish,
    log_axis,
    name_rows,
    new_axes,
    styled,
)
from bayescale.words import percent, typed

CRITERIA = ((BLUE, "o"), (VERMILLION, "s"), (GREEN, "^"), (ORANGE, "v"), (PURPLE, "D"))


@styled
@checks.kinds
def plot_waste(found: WasteCurve, ax: Axes | None = None, *, tolerance: float = 0.05, probability: float = 0.9) -> Axes:
    """Draw the compute that a model of the wrong size costs, against how far its size is off.

    Parameters
    ----------
    found : WasteCurve
        What :func:`bayescale.plots.waste_curve` returned.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    tolerance : float
        Extra compute to mark.
    probability : float
        Of the wider band.

    Returns
    -------
    matplotlib.axes.Axes
        Compute spent over what the best split needs for the same loss, against N over the best N.
    """
    ax = new_axes(ax)
    draw_bands(ax, found.factors, 1 + found.extra, probability)
    label = f"{percent(tolerance)} extra compute"
    ax.axhline(1 + tolerance, color=VERMILLION, ls="--", lw=1.2, label=label)
    ax.axvline(1.0, color=MUTED, lw=1, ls=(0, (1, 2)), label="best size")
    log_axis(ax, "x", "ratio")
    log_axis(ax, "y", "ratio")
    return finish(
        ax,
        title=f"What a wrong size costs under {found.law}",
        xlabel=f"model size over the best size (times), at {typed(found.flops)} FLOP",
        ylabel="compute spent over compute needed (times)",
    )


@styled
@checks.kinds
def plot_weights(source: Comparison | pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the weight that each law has in an average of predictions, by each criterion.

    Parameters
    ----------
    source : Comparison or pandas.DataFrame
        A comparison, or what :func:`bayescale.comparison.cross_validation.weights_by` returned.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        One row per law: stacking weight and the probability of being the best of these laws, for each criterion.
    """
    table = weights_by({"run left out": source}) if isinstance(source, Comparison) else source
    ax = new_axes(ax)
    criteria = list(dict.fromkeys(table.columns.get_level_values("criterion")))
    places = np.arange(len(table))
    for i, criterion in enumerate(criteria):
        color, marker = CRITERIA[i % len(CRITERIA)]
        shifted = places + 0.18 * (i - (len(criteria) - 1) / 2)
        weight = table[(criterion, "weight")].to_numpy(dtype=float)
        chance = table[(criterion, "best_probability")].to_numpy(dtype=float)
        ax.hlines(shifted, 0, weight, color=color, lw=2, alpha=0.6)
        ax.plot(weight, shifted, marker, color=color, ms=7, mew=0, label=f"stacking weight, {criterion}")
        look: Any = {"ms": 9, "mfc": "none", "mew": 1.4, "ls": "", "marker": marker, "color": color}
        ax.plot(chance, shifted, **look, label=f"probability of being best, {criterion}")
    ax.set_xlim(-0.03, 1.03)
    name_rows(ax, [str(name) for name in table.index])
    return finish(
        ax,
        title="What each law weighs in predictions",
        xlabel="stacking weight, and probability (parts of 1)",
        ylabel="law",
        columns=1,
    )

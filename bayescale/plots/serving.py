"""Figures of the two ways away from the compute-optimal split: serving, and an end of the data."""

from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayescale import checks
from bayescale.decisions.serving import DataLimit, Serving
from bayescale.errors import InputError
from bayescale.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    VERMILLION,
    WIDTH,
    draw_bands,
    finish,
    interval_label,
    log_axis,
    new_axes,
    styled,
)
from bayescale.storage import write_whole
from bayescale.words import count_text, short, typed

FORMATS = (".svg", ".png", ".pdf")

CASE_LOOKS: dict[str, tuple[str, Literal["-", "--", ":"], str]] = {
    "free": (BLUE, "-", "no end of the data, median"),
    "once": (VERMILLION, "--", "each token once at most, median"),
    "repeated": (GREEN, ":", "repeated where it helps, median"),
}

BESIDE = 1.12
"""Between bars of one budget, which would hide each other."""


@styled
@checks.kinds
def plot_serving(found: Serving, budget: int = 0, ax: Axes | None = None) -> Axes:
    """Draw how size and training tokens change with the tokens to serve, at one loss.

    Parameters
    ----------
    found : Serving
        Of many demands for bands, of a few for bars.
    budget : int
        Position of the budget.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        N and D over those of the training-only optimum, against tokens served over its training tokens.
    """
    ax = new_axes(ax)
    draws = found.draws.isel(budget=budget)
    multiples = draws["served_tokens"].to_numpy() / float(draws["training_D"].median())
    looks = {"D": (ORANGE, "training tokens D, median"), "N": (BLUE, "model size N, median")}
    for name, (color, label) in looks.items():
        ratio = (draws[name] / draws[f"training_{name}"]).transpose("draw", "demand").to_numpy()
        _draw_quietly(ax, multiples, ratio, found.probability, color=color, label=label)
    ax.axhline(1.0, color=MUTED, lw=1, ls=(0, (1, 2)))
    log_axis(ax, "x", "ratio")
    log_axis(ax, "y", "ratio")
    _name_bands(ax, found.probability)
    N, D = (count_text(float(draws[f"training_{name}"].median())) for name in ("N", "D"))
    return finish(
        ax,
        title=f"What serving changes: same loss as {typed(float(draws['flops']))} FLOP of training alone",
        xlabel=f"tokens served, over the {D} that the training-only optimum trains on",
        ylabel=f"times the training-only optimum (N = {N})",
    )


@styled
@checks.kinds
def plot_data_limit(found: DataLimit, ax: Axes | None = None) -> Axes:
    """Draw the best model size against compute, with and without an end of the data.

    Parameters
    ----------
    found : DataLimit
        Of many budgets for bands, of a few for bars.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        N in each case, and the budget from which on the data end.
    """
    ax = new_axes(ax)
    flops = found.draws["flops"].to_numpy()
    cases = [str(case) for case in found.draws["case"].to_numpy()]
    for i, case in enumerate(cases):
        color, line, label = CASE_LOOKS[case]
        N = found.draws["N"].sel(case=case).transpose("draw", "budget").to_numpy()
        beside = 1.0 if flops.size > 4 else BESIDE ** (i - (len(cases) - 1) / 2)
        _draw_quietly(ax, flops * beside, N, found.probability, color=color, label=label)
        if flops.size > 4:
            ax.lines[-1].set_linestyle(line)
    begins = found.draws["begins"].to_numpy()
    begins = begins[np.isfinite(begins)]
    if begins.size:
        low, median, high = np.quantile(begins, [(1 - found.probability) / 2, 0.5, (1 + found.probability) / 2])
        span = f"data end: {short(median)} ({short(low)} to {short(high)}) FLOP"
        ax.axvspan(low, high, color=MUTED, alpha=0.15, lw=0, zorder=0)
        ax.axvline(median, color=INK, lw=1, ls="--", label=span)
    log_axis(ax, "x", "flops")
    log_axis(ax, "y", "count")
    _name_bands(ax, found.probability)
    return finish(
        ax,
        title=f"Model size when there are {count_text(found.unique_tokens)} unique tokens",
        xlabel="training compute C (FLOP)",
        ylabel="best model size N (parameters)",
        columns=1 if begins.size else 2,
    )


def _draw_quietly(ax: Axes, x: np.ndarray, draws: np.ndarray, probability: float, *, color: str, label: str) -> None:
    """Draw bands whose intervals are named once for all colours, by :func:`_name_bands`."""
    before = len(ax.collections)
    draw_bands(ax, x, draws, probability, color=color, label=label)
    for artist in ax.collections[before:]:
        artist.set_label("_nolegend_")


def _name_bands(ax: Axes, probability: float) -> None:
    ax.fill_between([], [], color=MUTED, alpha=0.2, lw=0, label=interval_label(probability))
    ax.fill_between([], [], color=MUTED, alpha=0.5, lw=0, label=interval_label(0.5))


@styled
def save_prediction(found: Serving | DataLimit, path: Path) -> None:
    """Write the figure of a prediction; with a panel for each budget where it is about serving.

    Raises
    ------
    InputError
        If the suffix of the path is none of ``.svg``, ``.png`` and ``.pdf``.
    """
    if path.suffix not in FORMATS:
        raise InputError(f"{path}: a picture ends in {', '.join(FORMATS)}; found {path.suffix or 'no suffix'}")
    count = found.draws.sizes["budget"] if isinstance(found, Serving) else 1
    figure = Figure(figsize=(1.15 * WIDTH, 4.6 * count), layout="constrained", facecolor="white")
    panels = figure.subplots(count, 1, squeeze=False).ravel()
    for i, ax in enumerate(panels):
        if isinstance(found, Serving):
            plot_serving(found, i, ax)
        else:
            plot_data_limit(found, ax)
    write_whole(path, lambda temporary: figure.savefig(temporary, facecolor="white", dpi=150))

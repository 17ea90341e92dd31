"""Figures of an allocation: loss, best split and regret against compute and size."""

from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.interpolate import PchipInterpolator

from bayescale import checks
from bayescale.decisions.allocation import Allocation
from bayescale.decisions.curves import LossCurve
from bayescale.forecasts.backtesting import Backtest
from bayescale.plots.calibration import most_held_out
from bayescale.plots.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    clip_far,
    draw_bands,
    draw_ticks,
    finish,
    log_axis,
    mark_end,
    new_axes,
    styled,
)
from bayescale.runs import RunTable
from bayescale.words import count_text, percent, typed

TOP, TOPS = 2.0, (0.2, 2.0)
"""Extra compute is drawn up to so many times the 95% point of the recommended size, between these ends."""

type Quantity = Literal["N", "D", "tokens_per_parameter"]

LABELS = {
    "N": "best model size N (parameters)",
    "D": "best training set D (tokens)",
    "tokens_per_parameter": "best D/N (tokens per parameter)",
}
TITLES = {
    "N": "Model size to train with each budget",
    "D": "Tokens to train on with each budget",
    "tokens_per_parameter": "Tokens per parameter to train with",
}

HOFFMANN_TABLE_3 = (
    (1.92e19, 400e6, 8.0e9),
    (1.21e20, 1e9, 20.2e9),
    (1.23e22, 10e9, 205.1e9),
    (5.76e23, 67e9, 1.5e12),
    (3.85e24, 175e9, 3.7e12),
    (9.90e24, 280e9, 5.9e12),
    (3.43e25, 520e9, 11.0e12),
    (1.27e26, 1e12, 21.2e12),
    (1.30e28, 10e12, 216.2e12),
)
"""FLOP, parameters and tokens of approach 1 in Table 3 of Hoffmann et al. (2022), arXiv:2203.15556."""

RATIO_EDGES = (5.0, 20.0, 80.0, 320.0)
"""Tokens per parameter that part the classes of runs, a factor of 4 apart around the well-known 20."""

RUN_MARKS: Any = {"ms": 4, "mew": 0, "alpha": 0.75}
RUN_STYLES = ((VERMILLION, "v"), (ORANGE, "s"), (GREEN, "o"), (SKY, "D"), (PURPLE, "^"))


@styled
@checks.kinds
def plot_loss(
    source: Allocation | LossCurve,
    ax: Axes | None = None,
    *,
    probability: float | None = None,
    held_out: Backtest | None = None,
) -> Axes:
    """Draw the loss of the runs, and the law's loss, against compute.

    Parameters
    ----------
    source : Allocation or LossCurve
        An allocation of many budgets gives the loss at the best split of each; what :func:`bayescale.plots.loss_curve`
        returned gives the law's loss at the runs' typical tokens per parameter.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    probability : float, optional
        Of the wider band: the allocation's own, or 0.9 for a curve.
    held_out : Backtest, optional
        A backtest of one law on these runs, whose forecasts of held-out runs are drawn over them.

    Returns
    -------
    matplotlib.axes.Axes
        Loss against compute: runs by tokens per parameter, median with bands, what lies beyond the runs shaded, and
        the 90% forecast interval of each run that was held out by the threshold that held out most.
    """
    ax = new_axes(ax)
    runs = source.runs
    _draw_runs(ax, runs)
    if held_out is not None:
        _draw_forecasts(ax, runs, most_held_out(held_out, "discrepancy"))
    if isinstance(source, Allocation):
        flops, losses = source.optima["flops"].to_numpy(), source.optima["loss"].transpose("draw", "budget").to_numpy()
        chosen, label = source.probability, "best split, median"
    else:
        flops, losses, chosen, label = source.flops, source.loss, 0.9, _typical_label(source)
    draw_bands(ax, flops, losses, probability or chosen, label=label)
    log_axis(ax, "x", "flops")
    clip_far(ax, runs.frame["C"].to_numpy(), runs.frame[runs.response].to_numpy())
    mark_end(ax, runs)
    return finish(
        ax,
        title=f"{_name(runs)} against compute",
        xlabel="training compute C (FLOP)",
        ylabel=f"{runs.response} ({runs.unit})",
    )


def _name(runs: RunTable) -> str:
    return "Loss" if runs.response == "loss" else runs.response


def _typical_label(curve: LossCurve) -> str:
    ratio = curve.tokens_per_parameter
    return f"{curve.law}, median" if ratio is None else f"{curve.law} at D/N {typed(ratio, 2)}, median"


def _draw_runs(ax: Axes, runs: RunTable) -> None:
    ratio = runs.frame["D"] / runs.frame["N"]
    classes = np.searchsorted(RATIO_EDGES, ratio)
    edges = [typed(edge) for edge in RATIO_EDGES]
    names = [f"below {edges[0]}", *(f"{low} to {high}" for low, high in pairwise(edges))]
    for i, name in enumerate([*names, f"above {edges[-1]}"]):
        color, marker = RUN_STYLES[i]
        if (classes == i).any():
            frame = runs.frame[classes == i]
            ax.plot(frame["C"], frame[runs.response], marker, color=color, **RUN_MARKS, label=f"runs, D/N {name}")


def _draw_forecasts(ax: Axes, runs: RunTable, points: pd.DataFrame) -> None:
    """Draw the interval that was forecast for each held-out run."""
    C = points["run"].map(runs.frame.set_index("run")["C"]).to_numpy(dtype=float)
    ends = points[["low_90", "high_90"]].to_numpy(dtype=float).T
    draw_ticks(ax, C, ends, INK, "90% forecast of a held-out run", width=1.6)


@styled
@checks.kinds
def plot_allocation(
    allocation: Allocation, quantity: Quantity = "N", ax: Axes | None = None, *, budgets: tuple[float, ...] = ()
) -> Axes:
    """Draw the best size, tokens or tokens per parameter against compute.

    Parameters
    ----------
    allocation : Allocation
        Of many budgets for bands, of a few for bars.
    quantity : {"N", "D", "tokens_per_parameter"}
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    budgets : tuple of float
        Budgets to mark, in FLOP.

    Returns
    -------
    matplotlib.axes.Axes
        Median with 50% band and that of the allocation's probability, the split of least expected loss, the
        near-optimal sizes, the end of the data, and published recommendations where the response is a loss.
    """
    ax = new_axes(ax)
    flops = allocation.optima["flops"].to_numpy()
    draws = allocation.optima[quantity].transpose("draw", "budget").to_numpy()
    draw_bands(ax, flops, draws, allocation.probability, label="best split, median")
    best = allocation.recommended
    order = np.argsort(flops)
    line = "--" if flops.size > 4 else ""
    marker = "" if line else "D"
    chosen = _from_size(quantity, best["N"].to_numpy(), best["D"].to_numpy())
    ax.plot(flops[order], chosen[order], ls=line, marker=marker, color=VERMILLION, lw=1.5, label="least expected loss")
    for i, end in enumerate(("near_low", "near_high")):
        edge = _from_size(quantity, best[end].to_numpy(), best[f"{end}_D"].to_numpy())[order]
        sure = f"{percent(allocation.probability)} sure"
        label = f"less than {percent(allocation.tolerance)} extra compute, {sure}" if i == 0 else None
        ax.plot(flops[order], edge, ls=":" if line else "", marker="_", ms=0 if line else 9, color=GREEN, label=label)
    if allocation.runs.response == "loss":
        _draw_published(ax, quantity, flops)
    log_axis(ax, "x", "flops")
    log_axis(ax, "y", "ratio" if quantity == "tokens_per_parameter" else "count")
    for budget in budgets:
        ax.axvline(budget, color=INK, lw=0.7, alpha=0.6, label="budgets asked for" if budget == budgets[0] else None)
    mark_end(ax, allocation.runs)
    return finish(ax, title=TITLES[quantity], xlabel="training compute C (FLOP)", ylabel=LABELS[quantity])


def _from_size(quantity: Quantity, N: np.ndarray, D: np.ndarray) -> np.ndarray:
    """Return the quantity of a model of N parameters on D tokens."""
    values: dict[Quantity, np.ndarray] = {"N": N, "D": D, "tokens_per_parameter": D / N}
    return values[quantity]


def _draw_published(ax: Axes, quantity: Quantity, flops: np.ndarray) -> None:
    rows = np.array(HOFFMANN_TABLE_3)
    C, N, D = rows[(rows[:, 0] >= flops.min() / 2) & (rows[:, 0] <= flops.max() * 2)].T
    values = {"N": N, "D": D, "tokens_per_parameter": D / N}
    if C.size:
        ax.plot(C, values[quantity], "x", color=INK, ms=6, mew=1.4, label="Hoffmann et al. 2022, approach 1")


@styled
@checks.kinds
def plot_regret(allocation: Allocation, budget: int = 0, ax: Axes | None = None) -> Axes:
    """Draw the extra compute that every model size costs at one budget, against knowing the best.

    Parameters
    ----------
    allocation : Allocation
        The allocation.
    budget : int
        Position of the budget.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Extra compute in per cent against N, its median and what one draw in twenty exceeds, with the split of least
        expected loss and the near-optimal sizes, where there are some.
    """
    ax = new_axes(ax)
    best = allocation.recommended.isel(budget=budget)
    median, high = (_extra_curve(allocation, budget, name) for name in ("extra_compute", "high_extra_compute"))
    N = np.exp(np.linspace(float(median.x[0]), float(median.x[-1]), 800))
    top = float(np.clip(TOP * best["high_extra_compute"], *TOPS))
    N = N[median(np.log(N)) <= top]
    near = (float(best["near_low"]), float(best["near_high"]))
    if np.isfinite(near).all():
        ax.axvspan(*near, color=GREEN, alpha=0.2, lw=0, label=_near_label(allocation, near))
    ax.plot(N, 100 * median(np.log(N)), color=BLUE, lw=1.8, label="median")
    ax.plot(N, 100 * high(np.log(N)), color=BLUE, lw=1.4, ls=":", label="95% point")
    ax.axvline(
        float(best["N"]), color=VERMILLION, ls="--", lw=1.5, label=f"recommended: {count_text(float(best['N']))}"
    )
    log_axis(ax, "x", "count")
    ax.set_ylim(0, 100 * top)
    return finish(
        ax,
        title=f"What another size costs, at {typed(float(best['flops']))} FLOP",
        xlabel="model size N (parameters)",
        ylabel="extra compute (%)",
    )


def _near_label(allocation: Allocation, near: tuple[float, float]) -> str:
    most, sure = percent(allocation.tolerance), percent(allocation.probability)
    return f"less than {most}, {sure} sure: {count_text(near[0])} to {count_text(near[1])}"


def _extra_curve(allocation: Allocation, budget: int, name: str) -> PchipInterpolator:
    """Join the extra compute of the candidate splits, over ln N."""
    splits = allocation.regret.isel(budget=budget)
    values = splits[name].to_numpy()
    known = np.isfinite(values)
    N = splits["N"].to_numpy()[known]
    order = np.argsort(N)
    return PchipInterpolator(np.log(N[order]), values[known][order])

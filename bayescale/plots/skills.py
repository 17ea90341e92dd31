"""Figures of skills: against compute, by family, of forecasts, and whether their intervals held."""

import numpy as np
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.errors import InputError
from bayescale.plots.style import (
    BLUE,
    COLORS,
    INK,
    MUTED,
    VERMILLION,
    draw_bands,
    draw_ranges,
    finish,
    interval_label,
    log_axis,
    name_rows,
    new_axes,
    styled,
)
from bayescale.skills import ScoreForecast, SkillComparison, SkillFit, family_table
from bayescale.words import percent

ROW = 0.22
"""Height of a row of names, in inches."""


@styled
@checks.kinds
def plot_skills(fitted: SkillFit, ax: Axes | None = None, *, probability: float = 0.9) -> Axes:
    """Draw the skill of each model against its compute, with the families of most models in colour.

    Parameters
    ----------
    fitted : SkillFit
        The fit.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    probability : float
        Of the credible intervals.

    Returns
    -------
    matplotlib.axes.Axes
        Skill as compute of the average family; the line is where it equals compute.
    """
    ax = new_axes(ax)
    models = fitted.table.models
    known = models["C"].notna().to_numpy()
    compute = models["C"].to_numpy(dtype=float)[known]
    average = fitted.flat("location") + fitted.flat("gain").mean(axis=1)
    logs = fitted.flat("skill")[:, known] - average[:, None] + fitted.center
    tail = (1 - probability) / 2
    low, middle, high = 10.0 ** np.quantile(logs, [tail, 0.5, 1 - tail], axis=0)
    ax.vlines(compute, low, high, color=MUTED, lw=1, alpha=0.5, label=interval_label(probability))
    largest = [str(name) for name in models["family"][known].value_counts().index[: len(COLORS)]]
    family = models["family"].to_numpy(dtype=str)[known]
    rest = ~np.isin(family, largest)
    ax.plot(compute[rest], middle[rest], "o", color=MUTED, ms=3, label="other families")
    for color, name in zip(COLORS, largest, strict=False):
        own = family == name
        ax.plot(compute[own], middle[own], "o", color=color, ms=5, label=name)
    ends = [compute.min(), compute.max()]
    ax.plot(ends, ends, color=INK, lw=1, ls=(0, (6, 3)), label="the average family")
    log_axis(ax, "x", "flops")
    log_axis(ax, "y", "flops")
    labels = {"xlabel": "training compute (FLOP)", "ylabel": "skill (FLOP of the average family)"}
    return finish(ax, title=f"Skill by {fitted.law.name}", **labels, columns=3)


@styled
@checks.kinds
def plot_families(fitted: SkillFit, ax: Axes | None = None, *, probability: float = 0.9) -> Axes:
    """Draw what compute is worth in each family, over the average one.

    Parameters
    ----------
    fitted : SkillFit
        Fit of a law with gains of families.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    probability : float
        Of the credible intervals.

    Returns
    -------
    matplotlib.axes.Axes
        One row for each family, the largest multiplier on top.
    """
    table = family_table(fitted, probability)
    ax = new_axes(ax, height=1.2 + ROW * len(table))
    rows = table[["multiplier_lower", "multiplier_upper"]].to_numpy()
    draw_ranges(ax, rows, BLUE, interval_label(probability), width=2)
    ax.plot(table["multiplier"], np.arange(len(table)), "o", color=BLUE, ms=4, label="median")
    ax.axvline(1.0, color=MUTED, lw=1)
    log_axis(ax, "x", "ratio")
    name_rows(ax, [f"{row['family']} ({row['models']})" for row in table.to_dict("records")])
    return finish(ax, title="Families", xlabel="compute multiplier over the average family", ylabel="")


@styled
@checks.kinds
def plot_loadings(fitted: SkillFit, ax: Axes | None = None, *, probability: float = 0.9) -> Axes:
    """Draw what ten times the compute adds to each response, and what a second skill does.

    Parameters
    ----------
    fitted : SkillFit
        The fit.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    probability : float
        Of the credible intervals.

    Returns
    -------
    matplotlib.axes.Axes
        One row for each response, the steepest on top.
    """
    order = np.argsort(-np.median(fitted.flat("loading"), axis=0))
    ax = new_axes(ax, height=1.6 + ROW * len(order))
    kinds = [("loading", "skill, for ten times the compute", BLUE, 0.0)]
    if fitted.law.second:
        kinds.append(("second_loading", "second skill, for one standard deviation", VERMILLION, 0.25))
    tail = (1 - probability) / 2
    for name, label, color, below in kinds:
        shown = order if name == "loading" else order[np.isin(np.array(fitted.table.names)[order], fitted.law.second)]
        low, middle, high = np.quantile(fitted.flat(name)[:, shown], [tail, 0.5, 1 - tail], axis=0)
        rows = np.flatnonzero(np.isin(order, shown)) + below
        ax.hlines(rows, low, high, color=color, lw=2, label=interval_label(probability) if name == "loading" else "")
        ax.plot(middle, rows, "o", color=color, ms=4, label=label)
    ax.set_xlim(left=0)
    name_rows(ax, [fitted.table.names[each] for each in order])
    return finish(ax, title="What moves each response", xlabel="loading (logits)", ylabel="")


@styled
@checks.kinds
def plot_scores(
    forecast: ScoreForecast, response: str, ax: Axes | None = None, *, comparison: SkillComparison | None = None
) -> Axes:
    """Draw the forecast score of a family against compute, and the models of it that were left out.

    Parameters
    ----------
    forecast : ScoreForecast
        At several budgets.
    response : str
        Which of its responses.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    comparison : SkillComparison, optional
        Draws the scores of the family's models, with the interval of the best law when they were left out.

    Returns
    -------
    matplotlib.axes.Axes
        Score against compute.

    Raises
    ------
    InputError
        If the response is not among those forecast.
    """
    if response not in forecast.responses:
        raise InputError(f"{response!r} is not forecast; the responses are {', '.join(forecast.responses)}")
    ax = new_axes(ax)
    draws = forecast.scores[:, :, forecast.responses.index(response)]
    draw_bands(ax, forecast.flops, draws, forecast.probability)
    if comparison is not None:
        _draw_left_out(ax, forecast, response, comparison)
    if forecast.threshold is not None:
        ax.axhline(forecast.threshold, color=MUTED, lw=1, ls=":", label="threshold")
    log_axis(ax, "x", "flops")
    title = f"{response}: {forecast.run or forecast.family}"
    return finish(ax, title=title, xlabel="training compute (FLOP)", ylabel="score")


def _draw_left_out(ax: Axes, forecast: ScoreForecast, response: str, comparison: SkillComparison) -> None:
    cells = comparison.cells
    best = comparison.table["law"].iloc[0]
    cells = cells[(cells["law"] == best) & (cells["response"] == response)]
    models = comparison.scores.models.set_index("run")
    cells = cells[[models.loc[run, "family"] == forecast.family for run in cells["run"]]]
    compute = models.loc[cells["run"], "C"].to_numpy(dtype=float)
    ax.vlines(compute, cells["lower"], cells["upper"], color=VERMILLION, lw=1, label="forecast when left out, 90%")
    ax.plot(compute, cells["score"], "s", color=INK, ms=4, label="measured")


@styled
@checks.kinds
def plot_score_calibration(comparison: SkillComparison, ax: Axes | None = None) -> Axes:
    """Draw the part of each response's scores that the 90% interval of each law held when they were left out.

    Parameters
    ----------
    comparison : SkillComparison
        The comparison.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        One row for each response, one mark for each law.
    """
    cells = comparison.cells
    held = (cells["lower"] <= cells["score"]) & (cells["score"] <= cells["upper"])
    parts = held.groupby([cells["response"], cells["law"]]).mean().unstack("law")
    ax = new_axes(ax, height=1.6 + ROW * len(parts))
    for color, law in zip(COLORS, comparison.table["law"], strict=False):
        ax.plot(100 * parts[law], np.arange(len(parts)), "o", color=color, ms=5, label=law)
    ax.axvline(90, color=INK, lw=1.2, ls=(0, (6, 3)), label=f"promised: {percent(0.9)}")
    name_rows(ax, [str(name) for name in parts.index])
    title = f"Scores held, left out by {comparison.by}"
    return finish(ax, title=title, xlabel="part of the scores (%)", ylabel="")

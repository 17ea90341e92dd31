"""Figures of the laws themselves: how well each predicts, its exponents, and its misfits."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from bayescale import checks
from bayescale.comparison.comparison import Comparison
from bayescale.fits.fit import Fit, flat_draws
from bayescale.laws import Law, Prior
from bayescale.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    clip_far,
    draw_ranges,
    draw_ticks,
    finish,
    interval_label,
    log_axis,
    name_rows,
    new_axes,
    styled,
)
from bayescale.words import percent

type Order = Literal["C", "tokens_per_parameter"]

PUBLISHED_STYLES = ((VERMILLION, "D"), (GREEN, "s"), (ORANGE, "^"), (PURPLE, "v"))


@styled
@checks.kinds
def plot_elpd(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Draw how much worse each law predicts an unseen run than the best one, best at the top.

    Parameters
    ----------
    comparison : Comparison
        The comparison.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Differences of elpd to the best law, with one standard error of the difference to either side.
    """
    ax = new_axes(ax)
    table = comparison.table
    places = np.arange(len(table))
    diff, dse = table["elpd_diff"].to_numpy(dtype=float), table["dse"].fillna(0.0).to_numpy(dtype=float)
    ax.axvline(0.0, color=MUTED, lw=1, ls=(0, (1, 2)))
    ends = np.column_stack([diff - dse, diff + dse])
    draw_ranges(ax, ends, BLUE, "± 1 standard error of the difference", width=2)
    ax.plot(diff, places, "o", color=BLUE, ms=6, label="difference to the best law")
    failed = [i for i, name in enumerate(table.index) if not comparison.fits[name].diagnostics.passed]
    if failed:
        ax.plot(diff[failed], places[failed], "x", color=VERMILLION, ms=11, mew=2, label="diagnostics failed")
    name_rows(ax, [str(name) for name in table.index])
    return finish(
        ax,
        title="Laws by how they predict unseen runs",
        xlabel=f"difference of elpd (nats over {len(comparison.runs.frame)} runs)",
        ylabel="law",
    )


@styled
@checks.kinds
def plot_pareto_k(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Draw the Pareto k of every run under every law, with the limit above which its elpd is doubtful.

    Parameters
    ----------
    comparison : Comparison
        The comparison; runs refitted exactly have no k.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        One row of marks per law, in the order of the comparison.
    """
    ax = new_axes(ax)
    names = [str(name) for name in comparison.table.index]
    for place, name in enumerate(names):
        loo = comparison.pointwise[name]
        k = loo.pareto_k.to_numpy()
        high = k > loo.good_k
        ends = place + np.full((2, k.size), [[-0.28], [0.28]])
        labels = ("run", "run with k too high") if place == 0 else (None, None)
        draw_ticks(ax, k[~high], ends[:, ~high], BLUE, labels[0], width=0.8)
        ax.plot(k[high], np.full(high.sum(), place), "D", color=VERMILLION, ms=5, label=labels[1])
        exact = len(comparison.exact[name])
        names[place] = f"{name} ({exact} refitted)" if exact else name
    limit = max(loo.good_k for loo in comparison.pointwise.values())
    ax.axvline(limit, color=VERMILLION, ls="--", lw=1.2, label=f"limit {limit:.2f}")
    name_rows(ax, names)
    return finish(ax, title="How far single runs sway each law", xlabel="Pareto k of a run left out", ylabel="law")


@styled
@checks.kinds
def plot_exponents(
    fits: Mapping[str, Fit] | Sequence[Fit], ax: Axes | None = None, *, probability: float = 0.9
) -> Axes:
    """Draw the posterior of each law's exponents beside its prior and published values.

    Parameters
    ----------
    fits : mapping or sequence of Fit
        The fits.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    probability : float
        Of the wider intervals.

    Returns
    -------
    matplotlib.axes.Axes
        One row per exponent: prior interval in grey, posterior median with two intervals, published values.
    """
    chosen = list(fits.values()) if isinstance(fits, Mapping) else list(fits)
    rows = [(fitted, name) for fitted in chosen for name in exponents(fitted.law)]
    ax = new_axes(ax, 2.4 + 0.3 * len(rows))
    tail = (1 - probability) / 2
    posterior = _quantiles([fitted.draws[name] for fitted, name in rows], [tail, 1 - tail, 0.25, 0.75, 0.5])
    priors = [flat_draws(fitted.data["prior"].to_dataset())[name] for fitted, name in rows]
    prior = _quantiles(priors, [tail, 1 - tail])
    wide = interval_label(probability)
    draw_ranges(ax, prior, MUTED, f"prior, {wide}", width=9, alpha=0.3)
    draw_ranges(ax, posterior[:, :2], BLUE, f"posterior, {wide}", width=1.8)
    draw_ranges(ax, posterior[:, 2:4], BLUE, f"posterior, {interval_label(0.5)}", width=5)
    ax.plot(posterior[:, 4], range(len(rows)), "|", color=INK, ms=9, mew=1.5, label="posterior median")
    _show_posteriors(ax, [*posterior.ravel(), *_draw_published(ax, rows)])
    name_rows(ax, [f"{fitted.law.name} {name}" for fitted, name in rows])
    return finish(ax, title="Exponents", xlabel="exponent (no unit)", ylabel="law and exponent")


def exponents(law: Law) -> list[str]:
    """Return the parameters of a law that have no unit: those whose prior does not scale with the response."""
    return [name for name in law.parameters if isinstance(prior := law.priors[name], Prior) and not prior.relative]


def _quantiles(draws: Sequence[np.ndarray], points: Sequence[float]) -> np.ndarray:
    """Return quantiles (row, point), also of no rows."""
    return np.array([np.quantile(values, points) for values in draws]).reshape(len(draws), len(points))


def _show_posteriors(ax: Axes, values: Sequence[float]) -> None:
    """Let the axis span posteriors and published values; a prior much wider than they runs off it."""
    if values:
        margin = 0.3 * (max(values) - min(values))
        ax.set_xlim(min(values) - margin, max(values) + margin)
    if values and min(values) < 0:
        ax.axvline(0.0, color=MUTED, lw=1, ls=(0, (1, 2)))


def _draw_published(ax: Axes, rows: Sequence[tuple[Fit, str]]) -> list[float]:
    """Draw published values a little below the posteriors, and return them."""
    drawn = []
    published = [fitted.law.published_for(fitted.runs.response) for fitted, _ in rows]
    sources = dict.fromkeys(source for values in published for source in values)
    for i, source in enumerate(sources):
        found = [
            (values[source][name], place)
            for place, (values, (_, name)) in enumerate(zip(published, rows, strict=True))
            if source in values
        ]
        color, marker = PUBLISHED_STYLES[i % len(PUBLISHED_STYLES)]
        if found:
            values, places = np.array(found).T
            ax.plot(values, places + 0.27, marker, color=color, ms=5, mew=0, label=source)
            drawn += values.tolist()
    return drawn


@styled
@checks.kinds
def plot_predictive_check(
    fitted: Fit,
    ax: Axes | None = None,
    *,
    against: Order = "C",
    probability: float = 0.9,
) -> Axes:
    """Draw how far each run lies from what the law expects of it, with its predictive interval.

    Parameters
    ----------
    fitted : Fit
        The fit.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; by default those of a new figure.
    against : {"C", "tokens_per_parameter"}
        What the runs are ordered by: a trend means a law that is wrong there.
    probability : float
        Of the posterior predictive interval.

    Returns
    -------
    matplotlib.axes.Axes
        Observed over predicted median, less 1, in percent.
    """
    ax = new_axes(ax)
    frame = fitted.runs.frame
    x = (frame["C"] if against == "C" else frame["D"] / frame["N"]).to_numpy()
    observed = fitted.data["observed_data"]["log_response"].to_numpy()
    low, median, high = _predictive(fitted, probability)
    outside = (observed < low) | (observed > high)
    off = _percent(observed - median)
    held = f"holds {percent(1 - outside.mean())} of the runs"
    label = f"{percent(probability)} posterior predictive interval ({held})"
    draw_ticks(ax, x, _percent(np.stack([low - median, high - median])), SKY, label, width=3)
    ax.axhline(0.0, color=BLUE, lw=1)
    ax.plot(x[~outside], off[~outside], "o", color=INK, ms=3.5, mew=0, alpha=0.65, label="run inside")
    ax.plot(x[outside], off[outside], "D", color=VERMILLION, ms=4, mew=0, label="run outside")
    log_axis(ax, "x", "flops" if against == "C" else "ratio")
    clip_far(ax, x, off)
    return finish(
        ax,
        title=f"Runs against what {fitted.law.name} expects",
        xlabel="training compute C (FLOP)" if against == "C" else "tokens per parameter D/N",
        ylabel=f"observed over predicted {fitted.runs.response} (%)",
        columns=1,
    )


def _predictive(fitted: Fit, probability: float) -> np.ndarray:
    """Return ends and median of each run's predictive distribution (3, run)."""
    draws = fitted.data["posterior_predictive"]["log_response"].to_numpy()
    tail = (1 - probability) / 2
    return np.asarray(np.quantile(draws.reshape(-1, draws.shape[-1]), [tail, 0.5, 1 - tail], axis=0))


def _percent(log_ratio: np.ndarray) -> np.ndarray:
    return 100 * np.expm1(log_ratio)

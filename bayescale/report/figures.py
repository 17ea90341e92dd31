"""The pictures of a report, as SVG that lives inside the page."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup, escape

from bayescale.allocation import Allocation, allocate
from bayescale.backtesting import Backtest
from bayescale.comparison import Comparison
from bayescale.errors import InputError
from bayescale.fits import Fit
from bayescale.intervals import short
from bayescale.plots import (
    plot_allocation,
    plot_calibration,
    plot_elpd,
    plot_exponents,
    plot_held_out,
    plot_iso_loss,
    plot_loss,
    plot_pareto_k,
    plot_pointwise,
    plot_predictive_check,
    plot_ratio_range,
    plot_regret,
    svg_text,
)
from bayescale.plots.decisions import Quantity
from bayescale.plots.laws import Order
from bayescale.plots.style import BLUE, INK, percent_text, power_text
from bayescale.verdict import Verdict

CURVE_POINTS = 24
"""Budgets of a curve: with straight lines between them it stays within about half a pixel of one of many."""

CARDS = 3
"""Budgets whose answer stands at the top, and whose regret is drawn; the table holds all."""


@dataclass(frozen=True)
class Picture:
    """A figure in the page.

    Attributes
    ----------
    svg : markupsafe.Markup
        The drawing.
    caption : str
        What to see, and how to read it.
    laws : tuple of str
        The laws it shows, whose failed diagnostics touch it.
    """

    svg: Markup
    caption: str
    laws: tuple[str, ...]


def draw_figures(
    comparison: Comparison, verdict: Verdict, allocation: Allocation | None, backtest: Backtest | None = None
) -> dict[str, tuple[Picture, ...]]:
    """Draw every figure of a report.

    Returns
    -------
    dict
        By section: ``allocation``, ``comparison``, ``posteriors``, ``checks``, ``backtest``.
    """
    ranked = tuple(str(name) for name in comparison.table.index)
    groups = {
        "allocation": _split_plots(comparison, allocation) if allocation else _loss_plots(comparison, ranked[0]),
        "comparison": _comparison_plots(comparison, verdict, ranked),
        "posteriors": (_exponents_plot(comparison, ranked),),
        "checks": _check_plots(comparison, verdict, ranked),
        "backtest": _backtest_plots(backtest) if backtest else (),
    }
    return {
        name: tuple(_picture(f"{name}-{i}", plot) for i, plot in enumerate(plots)) for name, plots in groups.items()
    }


SPLITS: dict[Quantity, str] = {
    "N": "Best model size",
    "D": "Best number of training tokens",
    "tokens_per_parameter": "Best tokens per parameter",
}


class Plot(NamedTuple):
    """What draws the axes, the caption, and the laws shown."""

    draw: Callable[[], Any]
    caption: str
    laws: tuple[str, ...]


def _split_plots(comparison: Comparison, allocation: Allocation) -> tuple[Plot, ...]:
    curve = _curve(comparison, allocation)
    budgets = tuple(float(budget) for budget in allocation.recommended["flops"].to_numpy())
    laws = tuple(allocation.weights)
    wide = percent_text(allocation.probability)
    bands = f"median with 50 % and {wide} credible intervals; shaded: beyond the largest run"
    loss = f"The runs' {allocation.runs.response}, and that of the best split of each budget: {bands}."
    sizes = [
        Plot(partial(plot_allocation, curve, quantity, budgets=budgets), f"{what} for each budget: {bands}.", laws)
        for quantity, what in SPLITS.items()
    ]
    regrets = [
        Plot(partial(plot_regret, allocation, i), _regret_caption(budget, allocation.tolerance), laws)
        for i, budget in enumerate(budgets[:CARDS])
    ]
    return (Plot(partial(plot_loss, curve), loss, laws), *sizes, *regrets)


def _regret_caption(budget: float, tolerance: float) -> str:
    return (
        f"What a model of another size is expected to lose at {power_text(budget)} FLOP, against knowing the best; "
        f"sizes in the green range cost on average at most {percent_text(tolerance)} more compute."
    )


def _curve(comparison: Comparison, allocation: Allocation) -> Allocation:
    """Allocate many budgets from the smallest run to the largest budget, by the same laws; else keep the few."""
    budgets, C = allocation.recommended["flops"].to_numpy(), allocation.runs.frame["C"]
    flops = np.geomspace(min(budgets.min(), C.min()), max(budgets.max(), C.max()), CURVE_POINTS)
    first, *others = allocation.weights
    source: Fit | Comparison = comparison if others else comparison.fits.get(first, comparison)
    try:
        curve = allocate(
            source,
            list(flops),
            constraints=allocation.constraints,
            probability=allocation.probability,
            tolerance=allocation.tolerance,
        )
    except InputError:
        return allocation
    return curve if curve.weights.keys() == allocation.weights.keys() else allocation


def _loss_plots(comparison: Comparison, best: str) -> tuple[Plot, ...]:
    fitted = comparison.fits[best]
    caption = f"The runs, and the {fitted.runs.response} that {best} expects, with 50 % and 90 % credible intervals."
    return (Plot(partial(plot_loss, fitted), caption, (best,)),)


def _comparison_plots(comparison: Comparison, verdict: Verdict, ranked: tuple[str, ...]) -> tuple[Plot, ...]:
    ratios = verdict.tokens_per_parameter
    split = (
        f"Probability, under {verdict.split_law}, that a run of {short(ratios.flops)} FLOP at this D/N needs less than "
        f"{percent_text(ratios.tolerance)} more compute than one of the best split. Marks below: the runs' own D/N."
    )
    elpd = "Difference of expected log predictive density to the best law; bars are 1 standard error of the difference."
    return (
        Plot(partial(plot_elpd, comparison), elpd, ranked),
        _pointwise_plot(comparison, verdict),
        Plot(partial(plot_ratio_range, verdict, comparison.runs), split, (verdict.split_law,)),
        _iso_loss_plot(comparison, verdict),
    )


def _iso_loss_plot(comparison: Comparison, verdict: Verdict) -> Plot:
    ratios = verdict.tokens_per_parameter
    caption = (
        f"The {comparison.runs.response} that {verdict.split_law} expects over sizes and tokens. In the green region "
        "compute alone is good enough: lines of equal loss stay close to those of equal compute, which they touch at "
        "the best split."
    )
    fitted = comparison.fits[verdict.split_law]
    draw = partial(plot_iso_loss, fitted, tolerance=ratios.tolerance, probability=ratios.probability)
    return Plot(draw, caption, (verdict.split_law,))


def _pointwise_plot(comparison: Comparison, verdict: Verdict) -> Plot:
    names = (verdict.compute_law, verdict.split_law)
    caption = (
        f"Each run at its size and tokens, by which of {names[0]} and {names[1]} predicts it better when it is left "
        "out: marks of one kind together show where that law holds and the other does not."
    )
    return Plot(partial(plot_pointwise, comparison, *names), caption, names)


def _exponents_plot(comparison: Comparison, ranked: tuple[str, ...]) -> Plot:
    fits = [comparison.fits[name] for name in ranked]
    caption = (
        "Exponents of each law: posterior medians with 50 % and 90 % credible intervals, on the 90 % interval of the "
        "prior (grey; it may run off the figure), beside published values. Exponents are the same at both scales."
    )
    return Plot(partial(plot_exponents, fits), caption, ranked)


def _check_plots(comparison: Comparison, verdict: Verdict, ranked: tuple[str, ...]) -> tuple[Plot, ...]:
    names = dict.fromkeys((verdict.split_law, ranked[0]))
    orders: dict[Order, str] = {"C": "compute", "tokens_per_parameter": "tokens per parameter"}
    checks = [
        Plot(
            partial(plot_predictive_check, comparison.fits[name], against=what),
            f"Each run against what {name} expects of it, by {words}: a trend means that the law is wrong there.",
            (name,),
        )
        for name in names
        for what, words in orders.items()
    ]
    pareto = "Pareto k of each run: beyond the limit the run sways the posterior too much for the elpd to be trusted."
    return (*checks, Plot(partial(plot_pareto_k, comparison), pareto, ranked))


def _backtest_plots(backtest: Backtest) -> tuple[Plot, ...]:
    law = str(backtest.points["law"].iloc[0])
    held = (
        "How many 90 % forecast intervals held, by how far beyond the training runs they reached, over all thresholds. "
        "Bars are 90 % intervals by the number of different runs; runs that one fit forecasts err together, so take "
        "them as rather too short."
    )
    runs = (
        f"Each run that was held out against the forecast of {law} from the smaller runs, for the threshold that held "
        "out most."
    )
    return (
        Plot(partial(plot_calibration, backtest), held, (law,)),
        Plot(partial(plot_held_out, backtest), runs, (law,)),
    )


def _picture(name: str, plot: Plot) -> Picture:
    return Picture(inline_svg(svg_text(plot.draw(), name), name, plot.caption), plot.caption, plot.laws)


def inline_svg(text: str, name: str, label: str) -> Markup:
    """Return SVG fit for an HTML page: own ids, a label, the reader's text colour, short numbers, no metadata."""
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>| xmlns(:\w+)?=\"[^\"]*\"", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href", "href").replace(INK, "currentColor")
    body = body.replace(BLUE.lower(), "var(--blue)")  # lighter on a dark page
    used = set(re.findall(r'(?:href="|url\()#([^")]*)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    body = body.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    body = re.sub(r'\b(?:d|x|y|transform)="[^"]*"', _rounded, body)
    box = re.search(r'viewBox="([^"]*)"', body)
    head = f'<svg class="figure" role="img" aria-label="{escape(label)}" viewBox="{box.group(1) if box else ""}">'
    return Markup(head + body[body.index(">") + 1 :].strip())


def _rounded(attribute: re.Match[str]) -> str:
    return re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", attribute[0])

"""The pictures of a report: what is drawn in each section, and what to see in it."""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup, escape

from bayescale.comparison.comparison import Comparison
from bayescale.comparison.verdict import Verdict
from bayescale.decisions.allocation import Allocation
from bayescale.decisions.curves import allocation_curve, isoflop_slices, loss_curve, waste_curve
from bayescale.decisions.prior_shift import PriorShift
from bayescale.fits.fit import Fit
from bayescale.forecasts.backtesting import Backtest
from bayescale.planning.plan import Plan
from bayescale.plots.answer import plot_answer
from bayescale.plots.calibration import plot_calibration, plot_held_out
from bayescale.plots.decisions import Quantity, plot_allocation, plot_loss
from bayescale.plots.given import plot_given_prior
from bayescale.plots.isoflop import plot_isoflop
from bayescale.plots.laws import Order, plot_elpd, plot_exponents, plot_pareto_k, plot_predictive_check
from bayescale.plots.other_sizes import plot_other_sizes
from bayescale.plots.plan import plot_plan
from bayescale.plots.ratios import plot_ratio_range
from bayescale.plots.rendering import render, rendering_settings
from bayescale.plots.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SKY, VERMILLION
from bayescale.plots.waste import plot_waste
from bayescale.processes import alongside
from bayescale.records.badges import METHOD
from bayescale.records.report import law_in_use
from bayescale.report import captions
from bayescale.splits.optimum import has_optimum

SECTIONS = ("answer", "decision", "verdict", "forecasts", "laws", "next", "diagnostics")
"""Sections that have pictures."""

CARDS = 3
"""Budgets whose answer stands at the top, and whose regret is drawn; the table holds all."""


PAGE_COLORS = {
    BLUE: "blue",
    GREEN: "green",
    MUTED: "soft",
    ORANGE: "orange",
    PURPLE: "purple",
    SKY: "sky",
    VERMILLION: "vermillion",
}
"""Colours of figures that a page replaces by its own, which are lighter where the page is dark."""


@dataclass(frozen=True)
class Picture:
    """A figure of a report.

    Attributes
    ----------
    name : str
        Of its files.
    svg : str
        The drawing, as a file of its own.
    csv : str
        What is drawn, as :func:`bayescale.plots.figure_data` tells it.
    caption : str
        What to see, and how to read it.
    laws : tuple of str
        The laws it shows, whose failed diagnostics touch it.
    """

    name: str
    svg: str
    csv: str
    caption: str
    laws: tuple[str, ...]

    @property
    def on_white(self) -> str:
        """The drawing on white paper, for readers whose page is dark."""
        return re.sub(r"(<svg[^>]*>)", r'\1\n <rect width="100%" height="100%" fill="#ffffff"/>', self.svg, count=1)


class Plot(NamedTuple):
    """Name, what draws the axes, the caption, and the laws shown."""

    name: str
    draw: Callable[[], Any]
    caption: str
    laws: tuple[str, ...]


def draw_figures(
    comparison: Comparison,
    verdict: Verdict,
    allocation: Allocation | None,
    backtest: Backtest | None = None,
    plan: Plan | None = None,
    *,
    shift: PriorShift | None = None,
) -> dict[str, tuple[Picture, ...]]:
    """Draw every figure of a report, by section; another process writes one down while the next is drawn here."""
    plots, drawn = itertools.tee(_plots(comparison, verdict, allocation, backtest, plan, shift=shift))
    render_here = partial(render, settings=rendering_settings())
    rendered = alongside(render_here, ((plot.name, plot.draw()) for _, plot in drawn))
    figures: dict[str, list[Picture]] = {section: [] for section in SECTIONS}
    for (section, plot), texts in zip(plots, rendered, strict=True):
        figures[section].append(Picture(plot.name, *texts, plot.caption, plot.laws))
    return {section: tuple(pictures) for section, pictures in figures.items()}


def _plots(
    comparison: Comparison,
    verdict: Verdict,
    allocation: Allocation | None,
    backtest: Backtest | None,
    plan: Plan | None,
    *,
    shift: PriorShift | None,
) -> Iterator[tuple[str, Plot]]:
    """Yield sections and what to draw in them: what is quickly drawn first, so that no process waits."""
    for plot in _check_plots(comparison, verdict):
        yield "diagnostics", plot
    yield from zip(itertools.repeat("laws"), _law_plots(comparison, shift), strict=False)
    if plan:
        yield "next", Plot("plan", partial(plot_plan, plan), captions.plan(plan), tuple(plan.weights))
    for plot in _verdict_plots(comparison, verdict):
        yield "verdict", plot
    curve = allocation_curve(comparison, allocation) if allocation else None
    if allocation and curve:
        laws = tuple(allocation.weights)
        yield "answer", Plot("answer", partial(plot_answer, curve, allocation), captions.best(curve, "N"), laws)
        for plot in _decision_plots(comparison, allocation, curve):
            yield "decision", plot
    yield "forecasts", _loss_plot(comparison, curve, backtest)
    if backtest:
        for plot in _backtest_plots(backtest):
            yield "forecasts", plot


def _ranked(comparison: Comparison) -> tuple[str, ...]:
    return tuple(str(name) for name in comparison.table.index)


def _decision_plots(comparison: Comparison, allocation: Allocation, curve: Allocation) -> tuple[Plot, ...]:
    budgets = tuple(float(budget) for budget in allocation.recommended["flops"].to_numpy())
    laws, used = tuple(allocation.weights), comparison.fits[law_in_use(comparison, allocation)]
    what: Quantity = "tokens_per_parameter"
    ratio = partial(plot_allocation, curve, what, budgets=budgets)
    return (
        Plot("best-tokens-per-parameter", ratio, captions.best(curve, what), laws),
        Plot("other-sizes", partial(plot_other_sizes, allocation), captions.other_sizes(allocation), laws),
        *_slices_plot(used, allocation.tolerance),
    )


def _slices_plot(fitted: Fit, tolerance: float) -> tuple[Plot, ...]:
    """Return the figure of isoFLOP slices, where the law has a best split among the runs."""
    C = fitted.runs.frame["C"]
    if not has_optimum(fitted, np.array([C.min(), C.max()])):
        return ()
    found = isoflop_slices(fitted, tolerance=tolerance)
    return (Plot("isoflop-slices", partial(plot_isoflop, found), captions.slices(found), (fitted.law.name,)),)


def _loss_plot(comparison: Comparison, curve: Allocation | None, backtest: Backtest | None) -> Plot:
    """Return loss against compute: of the best splits, or of the best law where none has one."""
    source = curve or loss_curve(comparison.fits[_ranked(comparison)[0]])
    laws = tuple(source.weights) if isinstance(source, Allocation) else (source.law,)
    caption = captions.loss(source, backtested=backtest is not None)
    return Plot("loss", partial(plot_loss, source, held_out=backtest), caption, laws)


def _verdict_plots(comparison: Comparison, verdict: Verdict) -> tuple[Plot, ...]:
    ranked = _ranked(comparison)
    split, both = comparison.fits[verdict.split_law], (verdict.split_law, verdict.compute_law)
    ratio_range = partial(plot_ratio_range, verdict, comparison.runs)
    return (
        Plot("elpd", partial(plot_elpd, comparison), captions.elpd(comparison), ranked),
        Plot("tokens-per-parameter", ratio_range, captions.ratio_range(verdict), both[:1]),
        *_waste_plot(split, verdict),
    )


def _waste_plot(split: Fit, verdict: Verdict) -> tuple[Plot, ...]:
    """Return the figure of the cost of a wrong size, where the verdict knows it."""
    if not verdict.waste:
        return ()
    ratios = verdict.tokens_per_parameter
    found = waste_curve(split, flops=ratios.flops)
    draw = partial(plot_waste, found, tolerance=ratios.tolerance, probability=ratios.probability)
    return (Plot("waste", draw, captions.waste(verdict, split.runs), (split.law.name,)),)


def _exponents_plot(comparison: Comparison) -> Plot:
    ranked = _ranked(comparison)
    fits = [comparison.fits[name] for name in ranked]
    return Plot("exponents", partial(plot_exponents, fits), captions.exponents(fits), ranked)


def _law_plots(comparison: Comparison, shift: PriorShift | None) -> Iterator[Plot]:
    """Yield the figure of exponents, and one of each prior by hand beside its posterior."""
    yield _exponents_plot(comparison)
    for law in _ranked(comparison):
        fitted, own = comparison.fits[law], shift.fits.get(law) if shift else None
        for name in fitted.law.replaced:
            draw = partial(plot_given_prior, fitted, name, own=own)
            yield Plot(f"prior-{law}-{name}", draw, captions.given_prior(fitted, name, own), (law,))


def _check_plots(comparison: Comparison, verdict: Verdict) -> tuple[Plot, ...]:
    ranked = _ranked(comparison)
    orders: dict[Order, str] = {"C": "compute", "tokens_per_parameter": "tokens per parameter"}
    checks = [
        Plot(
            f"check-{i}-{words.replace(' ', '-')}",
            partial(plot_predictive_check, comparison.fits[name], against=what),
            captions.check(comparison.fits[name], words),
            (name,),
        )
        for i, name in enumerate(dict.fromkeys((verdict.split_law, ranked[0])), 1)
        for what, words in orders.items()
    ]
    return (*checks, Plot("pareto-k", partial(plot_pareto_k, comparison), captions.pareto_k(comparison), ranked))


def _backtest_plots(backtest: Backtest) -> tuple[Plot, ...]:
    law = (str(backtest.points["law"].iloc[0]),)
    return (
        Plot("calibration", partial(plot_calibration, backtest), captions.calibration(), law),
        Plot("held-out", partial(plot_held_out, backtest), captions.held_out(backtest, METHOD), law),
    )


def inline_svg(picture: Picture, *, paper: bool = False) -> Markup:
    """Return SVG fit for an HTML page: own ids, a label, short numbers, no metadata, on a screen the page's colours."""
    name, body = picture.name, picture.svg[picture.svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>| xmlns(:\w+)?=\"[^\"]*\"", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href", "href")
    if not paper:
        body = body.replace(INK, "currentColor")
        for color, name_of in PAGE_COLORS.items():
            body = body.replace(color.lower(), f"var(--{name_of})")
    used = set(re.findall(r'(?:href="|url\()#([^")]*)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    body = body.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    body = re.sub(r'\b(?:d|x|y|transform)="[^"]*"', _rounded, body)
    box = re.search(r'viewBox="([^"]*)"', body)
    label = escape(picture.caption)
    head = f'<svg class="figure" role="img" aria-label="{label}" viewBox="{box.group(1) if box else ""}">'
    return Markup(head + body[body.index(">") + 1 :].strip())


def _rounded(attribute: re.Match[str]) -> str:
    return re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", attribute[0])

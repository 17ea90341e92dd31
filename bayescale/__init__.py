"""What scaling runs really say: competing laws, an honest verdict, and a split with its uncertainty.

Names load when they are first used, so that ``import bayescale`` and the command line answer at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bayescale.catalogue import list_tables, load_runs, resolve_runs
    from bayescale.comparison.comparison import Comparison, compare
    from bayescale.comparison.cross_validation import CrossValidation, cross_validate, weights_by
    from bayescale.comparison.verdict import Verdict, judge
    from bayescale.decisions.allocation import Allocation, allocate
    from bayescale.decisions.demand import Demand, demand_for_size, implied_demand
    from bayescale.decisions.minima import IsoflopMinima, isoflop_minima, line_sizes
    from bayescale.decisions.sensitivity import Sensitivity, reweigh
    from bayescale.decisions.serving import DataLimit, Serving, data_limit, serve
    from bayescale.designs.grids import (
        crossed_design,
        fixed_ratio_design,
        isoflop_design,
        ladder_design,
        random_design,
        ridge_design,
    )
    from bayescale.designs.identifiability import Identifiability, identify
    from bayescale.designs.simulation import simulate
    from bayescale.errors import InputError
    from bayescale.fits.diagnostics import Diagnostics
    from bayescale.fits.discrepancy import Discrepancy, infer_discrepancy
    from bayescale.fits.fit import Fit, predict, published_draws
    from bayescale.fits.fitting import fit, fit_laws
    from bayescale.fits.forecast import forecast
    from bayescale.fits.saving import load_fit
    from bayescale.forecasts.backtesting import Backtest, backtest, scores_by_factor
    from bayescale.groups.fitting import fit_groups
    from bayescale.groups.multipliers import Multiplier, multiplier
    from bayescale.hardware import (
        HARDWARE,
        Hardware,
        flops_from_hours,
        flops_from_money,
        hours_from_flops,
        money_from_flops,
        params_that_fit,
    )
    from bayescale.importers import import_runs
    from bayescale.intervals import Interval, credible_interval
    from bayescale.laws import LAWS, Example, Law, Prior, Share, list_laws
    from bayescale.planning.plan import Plan, plan
    from bayescale.plots.calibration import plot_calibration, plot_held_out
    from bayescale.plots.data import figure_data
    from bayescale.plots.decisions import plot_allocation, plot_loss, plot_regret
    from bayescale.plots.isoflop import plot_isoflop
    from bayescale.plots.laws import plot_elpd, plot_exponents, plot_pareto_k, plot_predictive_check
    from bayescale.plots.plan import plot_plan
    from bayescale.plots.pointwise import plot_pointwise
    from bayescale.plots.priors import plot_prior_predictive
    from bayescale.plots.ratios import plot_ratio_range
    from bayescale.plots.regions import plot_iso_loss
    from bayescale.plots.serving import plot_data_limit, plot_serving
    from bayescale.plots.waste import plot_waste, plot_weights
    from bayescale.report import write_report
    from bayescale.runs import Description, RunTable, describe, read_runs, select_runs
    from bayescale.splits.constraints import Constraints
    from bayescale.splits.ranges import RatioRange, ratio_ranges

__version__ = "0.1.0"

_MODULES = {
    "decisions.allocation": ("Allocation", "allocate"),
    "forecasts.backtesting": ("Backtest", "backtest", "scores_by_factor"),
    "catalogue": ("list_tables", "load_runs", "resolve_runs"),
    "comparison.comparison": ("Comparison", "compare"),
    "splits.constraints": ("Constraints",),
    "decisions.demand": ("Demand", "demand_for_size", "implied_demand"),
    "designs.grids": (
        "crossed_design",
        "fixed_ratio_design",
        "isoflop_design",
        "ladder_design",
        "random_design",
        "ridge_design",
    ),
    "fits.diagnostics": ("Diagnostics",),
    "fits.discrepancy": ("Discrepancy", "infer_discrepancy"),
    "errors": ("InputError",),
    "fits.fit": ("Fit", "predict", "published_draws"),
    "fits.saving": ("load_fit",),
    "fits.fitting": ("fit", "fit_laws"),
    "fits.forecast": ("forecast",),
    "hardware": (
        "HARDWARE",
        "Hardware",
        "flops_from_hours",
        "flops_from_money",
        "hours_from_flops",
        "money_from_flops",
        "params_that_fit",
    ),
    "designs.identifiability": ("Identifiability", "identify"),
    "importers": ("import_runs",),
    "intervals": ("Interval", "credible_interval"),
    "laws": ("LAWS", "Example", "Law", "Prior", "Share", "list_laws"),
    "groups.multipliers": ("Multiplier", "multiplier"),
    "planning.plan": ("Plan", "plan"),
    "plots.calibration": ("plot_calibration", "plot_held_out"),
    "plots.data": ("figure_data",),
    "plots.decisions": ("plot_allocation", "plot_loss", "plot_regret"),
    "plots.laws": ("plot_elpd", "plot_exponents", "plot_pareto_k", "plot_predictive_check"),
    "plots.plan": ("plot_plan",),
    "plots.pointwise": ("plot_pointwise",),
    "plots.serving": ("plot_data_limit", "plot_serving"),
    "plots.priors": ("plot_prior_predictive",),
    "plots.ratios": ("plot_ratio_range",),
    "plots.regions": ("plot_iso_loss",),
    "plots.isoflop": ("plot_isoflop",),
    "plots.waste": ("plot_waste", "plot_weights"),
    "groups.fitting": ("fit_groups",),
    "decisions.serving": ("DataLimit", "Serving", "data_limit", "serve"),
    "splits.ranges": ("RatioRange", "ratio_ranges"),
    "report": ("write_report",),
    "runs": ("Description", "RunTable", "describe", "read_runs", "select_runs"),
    "decisions.sensitivity": ("Sensitivity", "reweigh"),
    "designs.simulation": ("simulate",),
    "decisions.minima": ("IsoflopMinima", "isoflop_minima", "line_sizes"),
    "comparison.cross_validation": ("CrossValidation", "cross_validate", "weights_by"),
    "comparison.verdict": ("Verdict", "judge"),
}
_SUBMODULES = ("plots", "testing", "tradeoffs")
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "HARDWARE",
    "LAWS",
    "Allocation",
    "Backtest",
    "Comparison",
    "Constraints",
    "CrossValidation",
    "DataLimit",
    "Demand",
    "Description",
    "Diagnostics",
    "Discrepancy",
    "Example",
    "Fit",
    "Hardware",
    "Identifiability",
    "InputError",
    "Interval",
    "IsoflopMinima",
    "Law",
    "Multiplier",
    "Plan",
    "Prior",
    "RatioRange",
    "RunTable",
    "Sensitivity",
    "Serving",
    "Share",
    "Verdict",
    "__version__",
    "allocate",
    "backtest",
    "compare",
    "credible_interval",
    "cross_validate",
    "crossed_design",
    "data_limit",
    "demand_for_size",
    "describe",
    "figure_data",
    "fit",
    "fit_groups",
    "fit_laws",
    "fixed_ratio_design",
    "flops_from_hours",
    "flops_from_money",
    "forecast",
    "hours_from_flops",
    "identify",
    "implied_demand",
    "import_runs",
    "infer_discrepancy",
    "isoflop_design",
    "isoflop_minima",
    "judge",
    "ladder_design",
    "line_sizes",
    "list_laws",
    "list_tables",
    "load_fit",
    "load_runs",
    "money_from_flops",
    "multiplier",
    "params_that_fit",
    "plan",
    "plot_allocation",
    "plot_calibration",
    "plot_data_limit",
    "plot_elpd",
    "plot_exponents",
    "plot_held_out",
    "plot_iso_loss",
    "plot_isoflop",
    "plot_loss",
    "plot_pareto_k",
    "plot_plan",
    "plot_pointwise",
    "plot_predictive_check",
    "plot_prior_predictive",
    "plot_ratio_range",
    "plot_regret",
    "plot_serving",
    "plot_waste",
    "plot_weights",
    "predict",
    "published_draws",
    "random_design",
    "ratio_ranges",
    "read_runs",
    "resolve_runs",
    "reweigh",
    "ridge_design",
    "scores_by_factor",
    "select_runs",
    "serve",
    "simulate",
    "weights_by",
    "write_report",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first used."""
    if name in _SUBMODULES:
        return import_module(f"bayescale.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'bayescale' has no attribute '{name}'")
    value = getattr(import_module(f"bayescale.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted((*__all__, *_SUBMODULES))

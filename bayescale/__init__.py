"""What scaling runs really say: competing laws, an honest verdict, and a split with its uncertainty.

Names load when they are first used, so that ``import bayescale`` and the command line answer at once. The names of
every day are here; the others are in submodules, such as ``bayescale.plots`` and ``bayescale.serving``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bayescale import catalogue as catalogue
    from bayescale import designs as designs
    from bayescale import groups as groups
    from bayescale import hardware as hardware
    from bayescale import laws as laws
    from bayescale import plots as plots
    from bayescale import report as report
    from bayescale import runs as runs
    from bayescale import skills as skills
    from bayescale import testing as testing
    from bayescale import tradeoffs as tradeoffs
    from bayescale.catalogue import load_runs
    from bayescale.comparison import cross_validation as cross_validation
    from bayescale.comparison import metrics as metrics
    from bayescale.comparison.comparison import Comparison, compare
    from bayescale.comparison.cross_validation import cross_validate
    from bayescale.comparison.verdict import Verdict, judge
    from bayescale.decisions import demand as demand
    from bayescale.decisions import sensitivity as sensitivity
    from bayescale.decisions import serving as serving
    from bayescale.decisions.allocation import Allocation, allocate
    from bayescale.decisions.size_backtesting import SizeBacktest, backtest_sizes
    from bayescale.designs.identifiability import identify
    from bayescale.designs.simulation import simulate
    from bayescale.errors import InputError
    from bayescale.fits import diagnostics as diagnostics
    from bayescale.fits import discrepancy as discrepancy
    from bayescale.fits.fit import Fit, predict, published_draws
    from bayescale.fits.fitting import fit, fit_laws
    from bayescale.fits.forecast import forecast
    from bayescale.fits.saving import load_fit
    from bayescale.forecasts import backtesting as backtesting
    from bayescale.forecasts import curves as curves
    from bayescale.forecasts.backtesting import Backtest, backtest
    from bayescale.groups.response_fitting import fit_responses
    from bayescale.importers import import_runs
    from bayescale.intervals import Interval, credible_interval
    from bayescale.laws import LAWS, Law, Prior, Share
    from bayescale.planning.plan import Plan, plan
    from bayescale.report import make_report, write_report
    from bayescale.runs import RunTable, describe, read_runs, select_runs
    from bayescale.splits import minima as minima
    from bayescale.splits import ranges as ranges
    from bayescale.splits.constraints import Constraints

__version__ = "0.2.0"

_MODULES = {
    "catalogue": ("load_runs",),
    "comparison.comparison": ("Comparison", "compare"),
    "comparison.cross_validation": ("cross_validate",),
    "comparison.verdict": ("Verdict", "judge"),
    "decisions.allocation": ("Allocation", "allocate"),
    "decisions.size_backtesting": ("SizeBacktest", "backtest_sizes"),
    "designs.identifiability": ("identify",),
    "designs.simulation": ("simulate",),
    "errors": ("InputError",),
    "fits.fit": ("Fit", "predict", "published_draws"),
    "fits.saving": ("load_fit",),
    "fits.fitting": ("fit", "fit_laws"),
    "fits.forecast": ("forecast",),
    "forecasts.backtesting": ("Backtest", "backtest"),
    "groups.response_fitting": ("fit_responses",),
    "importers": ("import_runs",),
    "intervals": ("Interval", "credible_interval"),
    "laws": ("LAWS", "Law", "Prior", "Share"),
    "planning.plan": ("Plan", "plan"),
    "report": ("make_report", "write_report"),
    "runs": ("RunTable", "describe", "read_runs", "select_runs"),
    "splits.constraints": ("Constraints",),
}
_SUBMODULES = {
    "": (
        *("catalogue", "designs", "groups", "hardware", "laws", "plots", "report", "runs", "skills", "testing"),
        "tradeoffs",
    ),
    "comparison.": ("cross_validation", "metrics"),
    "decisions.": ("demand", "sensitivity", "serving"),
    "fits.": ("diagnostics", "discrepancy"),
    "forecasts.": ("backtesting", "curves"),
    "splits.": ("minima", "ranges"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}
_PLACES = {name: f"{package}{name}" for package, names in _SUBMODULES.items() for name in names}

__all__ = [
    "LAWS",
    "Allocation",
    "Backtest",
    "Comparison",
    "Constraints",
    "Fit",
    "InputError",
    "Interval",
    "Law",
    "Plan",
    "Prior",
    "RunTable",
    "Share",
    "SizeBacktest",
    "Verdict",
    "__version__",
    "allocate",
    "backtest",
    "backtest_sizes",
    "compare",
    "credible_interval",
    "cross_validate",
    "describe",
    "fit",
    "fit_laws",
    "fit_responses",
    "forecast",
    "identify",
    "import_runs",
    "judge",
    "load_fit",
    "load_runs",
    "make_report",
    "plan",
    "predict",
    "published_draws",
    "read_runs",
    "select_runs",
    "simulate",
    "write_report",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module, or a submodule, when it is first used."""
    if name in _PLACES:
        value: object = import_module(f"bayescale.{_PLACES[name]}")
    elif name in _HOMES:
        value = getattr(import_module(f"bayescale.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'bayescale' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names and submodules."""
    return sorted((*__all__, *_PLACES))

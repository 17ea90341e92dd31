"""The pages of the Python interface: every public name, in groups."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import isfunction
from pathlib import Path

from law_pages import remove_others, write_changed

import bayescale as bs


@dataclass(frozen=True)
class Group:
    """Names that are described on one page: by the submodule they are reached by, or ``""`` for the package itself."""

    page: str
    title: str
    text: str
    names: Mapping[str, Sequence[str]]


GROUPS = (
    Group(
        "runs",
        "Runs",
        "A table of finished runs: read, checked, described, imported, or made up.",
        {
            "": (
                *("RunTable", "read_runs", "select_runs", "load_runs", "import_runs", "describe", "identify"),
                "simulate",
            ),
            "catalogue": ("list_tables", "resolve_runs"),
            "runs": ("Description",),
            "designs": (
                *("isoflop_design", "ladder_design", "ridge_design", "fixed_ratio_design", "random_design"),
                *("crossed_design", "Identifiability"),
            ),
        },
    ),
    Group(
        "laws",
        "Laws",
        "What a scaling law is. The built-in ones have a page each: [laws](../laws/index.md).",
        {"": ("Law", "Prior", "Share", "LAWS"), "laws": ("Example", "list_laws")},
    ),
    Group(
        "fits",
        "Fits",
        "The posterior of a law, its diagnostics and its forecasts.",
        {
            "": (
                *("fit", "fit_laws", "Fit", "load_fit", "predict", "published_draws", "forecast"),
                *("credible_interval", "Interval"),
            ),
            "diagnostics": ("Diagnostics",),
            "discrepancy": ("infer_discrepancy", "Discrepancy"),
            "sensitivity": ("reweigh", "Sensitivity"),
        },
    ),
    Group(
        "comparing",
        "Comparison and verdict",
        "Which law predicts best, and whether compute alone explains loss.",
        {
            "": (
                *("compare", "Comparison", "cross_validate", "judge", "Verdict"),
                *("backtest", "Backtest", "backtest_sizes", "SizeBacktest"),
            ),
            "cross_validation": ("CrossValidation", "weights_by"),
            "metrics": ("judge_metrics", "MetricVerdicts"),
            "ranges": ("ratio_ranges", "RatioRange"),
            "minima": ("isoflop_minima", "IsoflopMinima", "line_sizes"),
            "backtesting": ("scores_by_factor",),
        },
    ),
    Group(
        "deciding",
        "Decisions",
        "What to train with a budget, within which limits, and what to run first.",
        {
            "": ("allocate", "Allocation", "Constraints", "plan", "Plan"),
            "serving": ("serve", "Serving", "data_limit", "DataLimit"),
            "demand": ("Demand", "demand_for_size", "implied_demand"),
            "groups": ("fit_groups", "multiplier", "Multiplier"),
        },
    ),
    Group(
        "responses",
        "Groups and curves",
        "Several responses or groups of the same runs in one model, who gets worse as runs grow, and where a run in "
        "progress will end.",
        {
            "": ("fit_responses",),
            "groups": (
                *("Response", "ResponseFit", "disparities", "Disparities", "sign_conflicts"),
                *("allocate_worst", "WorstAllocation", "mean_change", "mean_slope", "crossing", "reversal_tokens"),
            ),
            "curves": ("forecast_run", "forecast_end", "RunForecast"),
        },
    ),
    Group(
        "skills",
        "Skills and scores",
        "Scores of public models on several benchmarks: which law of skill forecasts them, what compute is worth in "
        "each family, and what the next model of a family would score.",
        {"skills": tuple(bs.skills.__all__)},
    ),
    Group(
        "spending",
        "Hardware and money",
        "FLOP from hours and money, and back.",
        {
            "hardware": (
                *("HARDWARE", "Hardware", "flops_from_hours", "flops_from_money", "hours_from_flops"),
                *("money_from_flops", "params_that_fit"),
            )
        },
    ),
    Group(
        "figures",
        "Figures and reports",
        "Each figure takes a finished result and returns the Axes; its data can be had too. The report is one file.",
        {
            "plots": [name for name, value in vars(bs.plots).items() if isfunction(value)],
            "": ("make_report", "write_report"),
            "report": ("Report",),
        },
    ),
    Group("errors", "Errors and version", "", {"": ("InputError", "__version__")}),
    Group(
        "tradeoffs",
        "Decisions of single laws",
        "Functions of the parameters of one law, published or fitted, such as the best number of experts. They take a "
        "law's published values, or the draws of `bs.published_draws`.",
        {"tradeoffs": tuple(bs.tradeoffs.__all__)},
    ),
    Group("testing", "Testing a law", "Is a law what it says?", {"testing": ("check_law", "LawCheck")}),
)


def write_api(folder: Path) -> None:
    """Write the pages of the interface into a folder."""
    for group in GROUPS:
        write_changed(folder / f"{group.page}.md", group_page(group))
    write_changed(folder / "index.md", index_page(GROUPS))
    remove_others(folder, {"index", *(group.page for group in GROUPS)})
    alike = file_names()
    remove_others(folder / "names", {alike.get(name, name) for name in full_names()})


def module_of(submodule: str) -> str:
    """Return the full name of the module that a submodule of ``bs`` is; of the package where none is named."""
    return getattr(bs, submodule).__name__ if submodule else bs.__name__


def full_names() -> Iterator[str]:
    """Yield every name on the pages, with its module."""
    for group in GROUPS:
        for submodule, names in group.names.items():
            yield from (f"{module_of(submodule)}.{name}" for name in names)


def file_names() -> dict[str, str]:
    """Return other names of pages for names that differ in case alone, which macOS would keep in one file."""
    seen: set[str] = set()
    alike = {}
    for name in full_names():
        if name.lower() in seen:
            alike[name] = f"{name}_"
        seen.add(name.lower())
    return alike


def group_page(group: Group) -> str:
    """Return a page that lists a group's names, each with a page of its own."""
    blocks = [f"# {group.title}\n\n{group.text}\n"]
    for submodule, names in group.names.items():
        intro = f"In `bs.{submodule}`:\n\n" if submodule else ""
        lines = "\n".join(f"   {name}" for name in names)
        blocks.append(
            f"{intro}```{{eval-rst}}\n.. currentmodule:: {module_of(submodule)}\n\n.. autosummary::\n"
            f"   :toctree: names\n   :nosignatures:\n\n{lines}\n```\n"
        )
    return "\n".join(blocks)


def index_page(groups: Iterable[Group]) -> str:
    """Return the front page of the interface."""
    groups = list(groups)
    lines = "\n".join(": ".join(filter(None, (f"- [{group.title}]({group.page}.md)", group.text))) for group in groups)
    pages = "\n".join(group.page for group in groups)
    return (
        "# Python interface\n\n`import bayescale as bs`. Results are frozen records: nothing changes what it was "
        "given. Sizes count parameters and tokens in ones, compute is in FLOP, loss in nats per token unless the table "
        "says otherwise. Randomness enters by `random_seed` alone.\n\n"
        f"{lines}\n\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"
    )

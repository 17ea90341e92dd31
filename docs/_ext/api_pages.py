"""The pages of the Python interface: every public name, in groups."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from law_pages import remove_others, write_changed

import bayescale as bs


@dataclass(frozen=True)
class Group:
    """Names that are told on one page."""

    page: str
    title: str
    text: str
    names: Sequence[str]


GROUPS = (
    Group(
        "runs",
        "Runs",
        "A table of finished runs: read, checked, described, imported, or made up.",
        (
            *("RunTable", "read_runs", "select_runs", "load_runs", "list_tables", "resolve_runs"),
            *("import_runs", "describe", "Description", "identify", "Identifiability", "simulate"),
            *("isoflop_design", "ladder_design", "ridge_design", "fixed_ratio_design", "random_design"),
            "crossed_design",
        ),
    ),
    Group(
        "laws",
        "Laws",
        "What a scaling law is. The built-in ones have a page each: [laws](../laws/index.md).",
        ("Law", "Prior", "Share", "Example", "LAWS", "list_laws"),
    ),
    Group(
        "fits",
        "Fits",
        "The posterior of a law, its diagnostics and its forecasts.",
        (
            *("fit", "fit_laws", "Fit", "load_fit", "predict", "published_draws", "Diagnostics"),
            *("infer_discrepancy", "Discrepancy", "forecast", "reweigh", "Sensitivity"),
            *("credible_interval", "Interval"),
        ),
    ),
    Group(
        "comparing",
        "Comparison and verdict",
        "Which law predicts best, and whether compute alone explains loss.",
        (
            *("compare", "Comparison", "cross_validate", "CrossValidation", "weights_by", "judge", "Verdict"),
            *("ratio_ranges", "RatioRange", "isoflop_minima", "IsoflopMinima", "line_sizes"),
            *("backtest", "Backtest", "scores_by_factor"),
        ),
    ),
    Group(
        "deciding",
        "Decisions",
        "What to train with a budget, within which limits, and what to run first.",
        (
            *("allocate", "Allocation", "Constraints", "plan", "Plan", "serve", "Serving"),
            *("data_limit", "DataLimit", "Demand", "demand_for_size", "implied_demand"),
            *("fit_groups", "multiplier", "Multiplier"),
        ),
    ),
    Group(
        "spending",
        "Hardware and money",
        "FLOP from hours and money, and back.",
        (
            *("HARDWARE", "Hardware", "flops_from_hours", "flops_from_money", "hours_from_flops"),
            *("money_from_flops", "params_that_fit"),
        ),
    ),
    Group(
        "figures",
        "Figures and reports",
        "Each figure takes a finished result and returns the Axes; its data can be had too. The report is one file.",
        (*(name for name in bs.__all__ if name.startswith("plot_")), "figure_data", "write_report"),
    ),
    Group("errors", "Errors and version", "", ("InputError", "__version__")),
)

TRADEOFFS = Group(
    "tradeoffs",
    "Decisions of single laws",
    "`bs.tradeoffs`: functions of the parameters of one law, published or fitted, such as the best number of experts. "
    "They take a law's published values, or the draws of `bs.published_draws`.",
    tuple(bs.tradeoffs.__all__),
)
TESTING = Group("testing", "Testing a law", "`bs.testing`: is a law what it says?", ("check_law", "LawCheck"))
MODULES = (
    *((group, "bayescale") for group in GROUPS),
    (TRADEOFFS, "bayescale.tradeoffs"),
    (TESTING, "bayescale.testing"),
)
"""Each group, with the module that its names are told to live in."""


def write_api(folder: Path) -> None:
    """Write the pages of the interface into a folder."""
    for group, module in MODULES:
        write_changed(folder / f"{group.page}.md", group_page(group, module))
    write_changed(folder / "index.md", index_page(group for group, _ in MODULES))
    remove_others(folder, {"index", *(group.page for group, _ in MODULES)})
    alike = file_names()
    remove_others(folder / "names", {alike.get(name, name) for name in full_names()})


def full_names() -> Iterator[str]:
    """Yield every name that the pages tell, with its module."""
    yield from (f"{module}.{name}" for group, module in MODULES for name in group.names)


def file_names() -> dict[str, str]:
    """Return other names of pages for names that differ in case alone, which macOS would keep in one file."""
    seen: set[str] = set()
    alike = {}
    for name in full_names():
        if name.lower() in seen:
            alike[name] = f"{name}_"
        seen.add(name.lower())
    return alike


def group_page(group: Group, module: str) -> str:
    """Return a page that lists a group's names, each with a page of its own."""
    names = "\n".join(f"   {name}" for name in group.names)
    return (
        f"# {group.title}\n\n{group.text}\n\n"
        f"```{{eval-rst}}\n.. currentmodule:: {module}\n\n.. autosummary::\n   :toctree: names\n   :nosignatures:\n\n"
        f"{names}\n```\n"
    )


def index_page(groups: Iterable[Group]) -> str:
    """Return the front page of the interface."""
    groups = list(groups)
    lines = "\n".join(": ".join(filter(None, (f"- [{group.title}]({group.page}.md)", group.text))) for group in groups)
    pages = "\n".join(group.page for group in groups)
    return (
        "# Python interface\n\n`import bayescale as bs`. Names load when they are first used. Laws are values, verbs "
        "are functions, and what they return are frozen records: nothing changes what it was given. Sizes count "
        "parameters and tokens in ones, compute is in FLOP, loss in nats per token unless the table says otherwise. "
        "Randomness enters by `random_seed` alone.\n\n"
        f"{lines}\n\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"
    )

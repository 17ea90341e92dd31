"""``bayescale report``: all of it as one page."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

import bayescale as bs
from bayescale.cli.commands.allocate import show_shift
from bayescale.cli.completion import complete_law
from bayescale.cli.dry_run import EXACT_REFITS, emit_work, fits_of, work_record
from bayescale.cli.limits import LIMITS, Limits
from bayescale.cli.options import (
    FITTING,
    READING,
    RESULT,
    SAMPLING,
    STDIN,
    WATCHING,
    Budgets,
    DryRun,
    Laws,
    Probability,
    Reading,
    Runs,
    Sampling,
    Strict,
    Tolerance,
    Watching,
    check_law,
)
from bayescale.cli.output import emit
from bayescale.cli.parsing import validate_file
from bayescale.cli.spending import SPENDING, Spending, choose_budgets
from bayescale.cli.stages import Stages, progress
from bayescale.cli.steps import (
    adding,
    choose_laws,
    compare_laws,
    expect_several,
    fit_laws,
    laws_of,
    load_table,
    prior_notes,
    shift_of_priors,
)
from bayescale.cli.tables import Record, count, flop, make_table, number, show_heading, show_list, show_table
from bayescale.errors import InputError
from bayescale.processes import prepare

if TYPE_CHECKING:
    from bayescale.comparison.comparison import Comparison
    from bayescale.decisions.allocation import Allocation
    from bayescale.decisions.size_backtesting import SizeBacktest
    from bayescale.fits.fit import Fit
    from bayescale.forecasts.backtesting import Backtest
    from bayescale.planning.plan import Plan


ONE_BACKTEST = "not counted: backtests of the law that the report rests on most, of losses and of best sizes"


MOST_NEXT_RUNS = 10
"""Runs that a report proposes at most."""


def _check_page(_: object, path: Path | None) -> None:
    """Refuse what the numbers beside the page are called."""
    validate_file(_, path)
    if path is not None and path.suffix == ".json":
        raise ValueError(f"the report's numbers go to {path}; name the page {path.with_suffix('.html')}")


SplitBy = Annotated[
    str | None,
    Parameter(
        help="Split budgets by this law alone, instead of averaging the laws by their stacking weights.",
        metavar="LAW",
        validator=check_law,
        completer=complete_law,
        group=FITTING,
    ),
]
ReportFile = Annotated[
    Path | None,
    Parameter(
        alias="-o",
        help="The report: one HTML file, or Markdown (.md) or PDF (.pdf) by its name, with its numbers as JSON of the "
        "same name beside it; by default RUNS-report.html in this folder.",
        metavar="PATH",
        validator=_check_page,
        group=RESULT,
    ),
]


CommandLine = Annotated[str, Parameter(parse=False)]


def report(
    runs: Runs,
    /,
    *,
    budgets: Budgets = (),
    spending: Spending = SPENDING,
    limits: Limits = LIMITS,
    laws: Laws = None,
    split_by: SplitBy = None,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    tolerance: Tolerance = 0.05,
    strict: Strict = False,
    dry_run: DryRun = False,
    output: ReportFile = None,
    printing: Watching = WATCHING,
    command_line: CommandLine = "bayescale report",
) -> int:
    """Fit, compare, judge and allocate, and write it all as one page: HTML, Markdown or PDF by its name."""
    expect_several(laws)
    asked = limits.keywords()
    prepare("bayescale.plots.rendering")
    with progress(printing) as say:
        from bayescale.records import fits as records  # noqa: PLC0415  (ArviZ, which --help does not need)
        from bayescale.report import check_report_name  # noqa: PLC0415  (Matplotlib)

        path = check_report_name(output or Path(f"{'stdin' if runs == STDIN else Path(runs).stem}-report.html"))
        replaced_note = [f"{path} is replaced"] * (output is None and path.exists())
        table = load_table(runs, reading, say)
        names, law_note = choose_laws(table, laws)
        flops, budget_note = choose_budgets(table, budgets, spending)
        names += [split_by] if split_by and split_by not in names else []
        law_note += prior_notes(laws_of(names, sampling))
        if dry_run:
            work = [fits_of(table, names, sampling)]
            return emit_work(work_record(table, work, law_note, [EXACT_REFITS, ONE_BACKTEST]), printing, say)
        fits = fit_laws(table, names, sampling, say)
        comparison = compare_laws(fits, sampling, say)
        say("judging whether compute alone explains loss")
        verdict = bs.judge(comparison, tolerance=tolerance, probability=probability)
        say("searching the best splits")
        source = comparison.fits[split_by] if split_by else comparison
        try:
            allocation = bs.allocate(
                source, flops, **asked, probability=probability, tolerance=tolerance, random_seed=sampling.seed
            )
        except InputError as error:  # no law has a best split at these budgets: all else is worth its report
            allocation, budget_note = None, [f"no allocation: {error}"]
        found, backtest_note = hold_out_for_report(comparison, allocation, sampling, say)
        sizes = hold_out_slices_for_report(comparison, allocation, sampling, say)
        next_runs, plan_note = plan_for_report(source, allocation, sampling, say)
        shift = shift_of_priors(table, source, allocation, sampling, say)
        say("writing the report")
        numbers = bs.write_report(
            path,
            comparison,
            verdict,
            allocation,
            backtest=found,
            size_backtest=sizes,
            plan=next_runs,
            shift=shift,
            command=command_line,
        )
        notes = [*replaced_note, *law_note, *budget_note, *backtest_note, *plan_note]
        doubts = records.report_doubts(comparison, allocation, found)
        record = {**numbers, "path": str(path), "defaults": notes, "doubts": doubts}
    return emit(record, show_report, printing, strict=strict)


def hold_out_for_report(
    comparison: "Comparison", allocation: "Allocation | None", sampling: Sampling, say: Stages
) -> "tuple[Backtest | None, list[str]]":
    """Backtest the law that a report's forecasts rest on most, or return a sentence that says why it cannot be."""
    from bayescale.report import law_in_use  # noqa: PLC0415  (Matplotlib, which other commands do not need)

    law = comparison.fits[law_in_use(comparison, allocation)].law
    say(f"forecasting held-out runs by {law.name}")
    try:
        found = bs.backtest(
            comparison.runs,
            [law],
            methods=("discrepancy", "plain"),
            random_seed=sampling.seed,
            cache=not sampling.no_cache,
            progress=adding(say, {}),
        )
    except bs.InputError as error:  # too few runs: all else is worth its report, and the page says why
        return None, [f"no backtest: {error}"]
    return found, []


def hold_out_slices_for_report(
    comparison: "Comparison", allocation: "Allocation | None", sampling: Sampling, say: Stages
) -> "SizeBacktest | None":
    """Backtest the best sizes of the law that a report rests on most; None where the page says why it cannot be."""
    from bayescale.report import law_in_use  # noqa: PLC0415  (as above)

    law = comparison.fits[law_in_use(comparison, allocation)].law
    say(f"forecasting best sizes of held-out slices by {law.name}")
    cache, show = not sampling.no_cache, adding(say, {})
    try:
        return bs.backtest_sizes(comparison.runs, [law], random_seed=sampling.seed, cache=cache, progress=show)
    except bs.InputError:
        return None


def plan_for_report(
    source: "Fit | Comparison", allocation: "Allocation | None", sampling: Sampling, say: Stages
) -> "tuple[Plan | None, list[str]]":
    """Plan the next runs for the budgets of a report, with as much compute as the largest run took."""
    if allocation is None:
        return None, []
    say("choosing the next runs")
    try:
        found = bs.plan(
            source,
            spend=float(allocation.runs.frame["C"].max()),
            target=allocation.recommended["flops"].to_numpy().tolist(),
            runs=MOST_NEXT_RUNS,
            probability=allocation.probability,
            random_seed=sampling.seed,
        )
    except bs.InputError as error:  # all else is worth its report
        return None, [f"no plan: {error}"]
    return found, [f"next runs: at most {MOST_NEXT_RUNS}, for as much compute as the largest run took (default)"]


def show_report(console: Console, record: Record) -> None:
    """Print the verdict's statement, the recommended splits and where the report is."""
    show_heading(console, {"runs": record["data"], "defaults": record["defaults"]})
    console.print(f"\n{record['verdict']['statement']}")
    if record["allocation"] is not None:
        show_table(console, _recommended(record["allocation"]["allocations"]))
    show_list(console, "Doubts", record["doubts"])
    show_shift(console, record["prior_shift"])
    console.print(f"report: {record['path']}", soft_wrap=True)


def _recommended(allocations: Iterable[Record]) -> Table:
    table = make_table("FLOP", "N", "D", "D/N", "near-optimal N", "over the largest run", title="Recommended splits")
    for allocation in allocations:
        best, (low, high) = allocation["recommended"], allocation["near_optimal"]["N"]
        table.add_row(
            flop(allocation["flops"]),
            count(best["N"]),
            count(best["D"]),
            number(best["D"] / best["N"], 2),
            f"{count(low, 2)} to {count(high, 2)}",
            f"{number(allocation['extrapolation'], 2)} times",
        )
    return table

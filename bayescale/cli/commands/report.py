"""``bayescale report``: all of it as one page."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

import bayescale as bs
from bayescale.cli.commands.allocate import show_shift
from bayescale.cli.commands.compare import show_answer
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
    Laws,
    Probability,
    Reading,
    Runs,
    Sampling,
    Tolerance,
    Watching,
    check_law,
)
from bayescale.cli.output import emit
from bayescale.cli.parsing import validate_file
from bayescale.cli.spending import SPENDING, Spending, choose_budgets, spent_texts
from bayescale.cli.stages import progress
from bayescale.cli.steps import (
    choose_laws,
    compare_laws,
    expect_several,
    fit_laws,
    laws_of,
    load_table,
    prior_notes,
)
from bayescale.cli.tables import (
    Record,
    count,
    flop,
    make_table,
    number,
    percent,
    show_hanging,
    show_heading,
    show_list,
    show_table,
)
from bayescale.processes import prepare

ONE_BACKTEST = "not counted: backtests of the law that the report rests on most, of losses and of best sizes"


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


Title = Annotated[
    str, Parameter(help="Title of the report; by default the name of the table.", metavar="TEXT", group=RESULT)
]
Author = Annotated[str, Parameter(help="Author, shown below the title.", metavar="TEXT", group=RESULT)]

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
    title: Title = "",
    author: Author = "",
    output: ReportFile = None,
    printing: Watching = WATCHING,
    command_line: CommandLine = "bayescale report",
) -> int:
    """Fit, compare, judge and allocate, and write it all as one page: HTML, Markdown or PDF by its name."""
    expect_several(laws)
    asked = limits.keywords()
    prepare("bayescale.plots.rendering")
    with progress(printing) as say:
        from bayescale.report import check_report_name  # noqa: PLC0415  (Matplotlib)

        path = check_report_name(output or Path(f"{'stdin' if runs == STDIN else Path(runs).stem}-report.html"))
        replaced_note = [f"{path} is replaced"] * (output is None and path.exists())
        table = load_table(runs, reading, say)
        names, law_note = choose_laws(table, laws)
        flops, budget_note = choose_budgets(table, budgets, spending)
        names += [split_by] if split_by and split_by not in names else []
        law_note += prior_notes(laws_of(names, sampling))
        if printing.dry_run:
            work = [fits_of(table, names, sampling)]
            return emit_work(work_record(table, work, law_note, [EXACT_REFITS, ONE_BACKTEST]), printing, say)
        fits = fit_laws(table, names, sampling, say)
        made = bs.make_report(
            path,
            compare_laws(fits, sampling, say),
            flops,
            split_by=split_by,
            **asked,
            probability=probability,
            tolerance=tolerance,
            random_seed=sampling.seed,
            cache=not sampling.no_cache,
            command=command_line,
            title=title,
            spent=spent_texts(flops, spending),
            author=author,
            date=datetime.now(UTC).date().isoformat(),
            progress=say.show,
        )
        more = made.notes if made.allocation else made.notes[1:]  # the first is the cause, which stands on the page
        notes = [*replaced_note, *law_note, *budget_note, *more]
        record = {**made.numbers, "path": str(path), "defaults": notes, "doubts": list(made.doubts)}
    return emit(record, show_report, printing)


def show_report(console: Console, record: Record) -> None:
    """Print the answer first: the recommended splits, whether to run more first, and the verdict."""
    if record["allocation"] is not None:
        show_table(console, _recommended(record))
        show_list(console, "How far these were checked", _checked(record))
    else:
        show_hanging(console, record["cause"]["headline"], "")
        show_list(console, "What to do", record["cause"]["reasons"])
    if record["plan"] is not None:
        show_hanging(console, f"Run more first? {record['plan']['headline']}", "")
    console.print()
    show_answer(console, record["verdict"])
    show_heading(console, record)
    show_shift(console, record["prior_shift"])
    console.print(f"report: {record['path']}", soft_wrap=True)


def _recommended(record: Record) -> Table:
    table = make_table("FLOP", "N", f"{percent(record['probability'])} interval", "D", "D/N", title="What to train")
    for entry in record["allocation"]["allocations"]:
        best, N = entry["recommended"], entry["N"]
        table.add_row(
            flop(entry["flops"]),
            count(best["N"], 2),
            f"{count(N['lower'], 2)} to {count(N['upper'], 2)}",
            count(best["D"], 2),
            number(best["D"] / best["N"], 2),
        )
    return table


def _checked(record: Record) -> list[str]:
    """Return how far beyond the runs each answer is, and what intervals as far out have held."""
    badges = zip(record["allocation"]["allocations"], record["badges"], strict=True)
    return [f"{flop(entry['flops'])} FLOP: {badge['text']}" for entry, badge in badges]

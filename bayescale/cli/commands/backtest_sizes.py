"""``bayescale backtest --of size``: forecast the best sizes of isoFLOP slices that were held out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

import bayescale as bs
from bayescale.cli.dry_run import emit_work, size_folds_of, work_record
from bayescale.cli.options import Reading, Refitting, Watching
from bayescale.cli.output import emit
from bayescale.cli.stages import Stages, progress
from bayescale.cli.steps import choose_laws, forecast_folds, laws_of, load_table
from bayescale.cli.tables import Record, make_table, number, percent, show_hanging, show_heading, show_list, show_table

if TYPE_CHECKING:
    from bayescale.decisions.size_backtesting import SizeBacktest
    from bayescale.runs import RunTable

COLUMNS = (
    "50 to 90%: part of the slices whose own minimum, known up to an error that counts, is inside the interval; "
    "width of the 90% interval, bias (forecast less observed) and RMSE are in ln N; lpd: log predictive density "
    "of ln N, in nats per slice (higher is better); wasted: extra compute of the forecast's median."
)
"""What the columns of the scores of sizes mean."""


def backtest_of_sizes(
    runs: str,
    laws: str | None,
    reading: Reading,
    refitting: Refitting,
    *,
    output: Path | None,
    printing: Watching,
) -> int:
    """Hold out the largest isoFLOP slices, forecast their best sizes, and print how good the forecasts were."""
    with progress(printing) as say:
        from bayescale.laws import given_record  # noqa: PLC0415  (NumPy, which --help does not need)
        from bayescale.records.size_backtest import size_backtest_record  # noqa: PLC0415  (ArviZ, not for --help)

        table = load_table(runs, reading, say)
        names, defaults = choose_laws(table, laws, refitting)
        if printing.dry_run:
            return emit_work(work_record(table, [size_folds_of(table, names, refitting)], defaults), printing, say)
        found = hold_out_slices(table, names, refitting, say=say)
        priors = given_record(laws_of(names, refitting))
        record = {**size_backtest_record(found, defaults), "priors": priors}
    return emit(record, show_size_backtest, printing, output=output, glossary=COLUMNS)


def hold_out_slices(table: "RunTable", names: Sequence[str], refitting: Refitting, *, say: Stages) -> "SizeBacktest":
    """Forecast held-out slices by each law and method, and show how many folds are done."""
    from bayescale.decisions.size_backtesting import planned_size_folds  # noqa: PLC0415  (ArviZ)

    options = {"random_seed": refitting.seed, "cache": not refitting.no_cache}
    given, doing = (table, laws_of(names, refitting)), "forecasting best sizes of slices held out"
    timing, workers = "fold by slices", refitting.workers
    return forecast_folds(
        bs.backtest_sizes, planned_size_folds, given, options, doing, timing=timing, workers=workers, say=say
    )


def show_size_backtest(console: Console, record: Record) -> None:
    """Print the scores over all distances and by distance, and what to take from them."""
    show_hanging(console, record["statement"], "", "bold")
    show_heading(console, record)
    console.print()
    show_table(console, _scores_table(record["scores"], "All distances"))
    bins = sorted({tuple(row["factor"]) for row in record["by_factor"]}, key=lambda ends: ends[0])
    for ends in bins:
        rows = [row for row in record["by_factor"] if tuple(row["factor"]) == ends]
        show_table(console, _scores_table(rows, f"{_reach(ends)} times beyond the fitted runs"))
    show_list(console, "Notes", record["notes"])


def _reach(ends: Sequence[float | None]) -> str:
    low, high = ends
    return f"Over {low:g}" if high is None else f"{low:g} to {high:g}"


def _scores_table(rows: Sequence[Record], what: str) -> Table:
    """Return a line for each law and method."""
    columns = ("method", "law", "50%", "80%", "90%", "width", "bias", "RMSE", "lpd", "wasted, mean", "95% point")
    forecasts = max(row["held_out"] for row in rows)
    title = f"{what}: {forecasts} forecast{'s' * (forecasts != 1)} by each method"
    table = make_table(*columns, title=title, wide=columns[:2])
    for row in rows:
        coverage = (f"{100 * part:.0f}" for part in row["coverage"].values())
        scores = (number(row[name], 2) for name in ("width", "bias", "rmse", "lpd"))
        wasted = (percent(row["extra_compute"][name], 2) for name in ("mean", "upper"))
        table.add_row(row["method"], row["law"] or "", *coverage, *scores, *wasted)
    return table

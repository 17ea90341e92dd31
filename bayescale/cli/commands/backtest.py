"""``bayescale backtest``: forecast runs that were held out, and score the forecasts."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

import bayescale as bs
from bayescale.cli.commands.backtest_sizes import backtest_of_sizes
from bayescale.cli.dry_run import emit_work, folds_of, work_record
from bayescale.cli.options import (
    FITTING,
    READING,
    REFITTING,
    WATCHING,
    JsonFile,
    Laws,
    Reading,
    Refitting,
    Runs,
    Watching,
)
from bayescale.cli.output import emit
from bayescale.cli.parsing import UsageError
from bayescale.cli.stages import Stages, progress
from bayescale.cli.steps import choose_laws, forecast_folds, laws_of, load_table
from bayescale.cli.tables import Record, make_table, number, show_hanging, show_heading, show_list, show_table
from bayescale.words import capital

if TYPE_CHECKING:
    from bayescale.forecasts.backtesting import Backtest
    from bayescale.runs import RunTable


def parse_thresholds(text: str) -> list[float]:
    """Read ``0.2,10``.

    Raises
    ------
    ValueError
        If a part is no number, or neither a part of the runs nor a factor.
    """
    try:
        thresholds = [float(part) for part in text.split(",")]
    except ValueError:
        thresholds = []
    if not thresholds or not all(0 < value < 1 or 1 < value < math.inf for value in thresholds):
        raise ValueError(f"expected parts of the runs below 1 or factors above 1, such as 0.2,10; found {text}")
    if len(set(thresholds)) < len(thresholds):
        raise ValueError(f"expected each threshold once; found {text}")
    return thresholds


def _check_thresholds(_: object, text: str | None) -> None:
    if text is not None:
        parse_thresholds(text)


Of = Annotated[
    Literal["loss", "size"],
    Parameter(
        help="What is forecast: the loss of held-out runs, or the best size of held-out isoFLOP slices, the 1, 2, 3 "
        "and 5 largest.",
        show_default=True,
        group=FITTING,
    ),
]


HeldOut = Annotated[
    Literal["C", "N", "D", "budget", "family"],
    Parameter(
        name="--by",
        help="What is held out: the largest runs by C, N or D; each budget, forecast from the smaller ones; or each "
        "family, forecast from the others.",
        show_default=True,
        group=FITTING,
    ),
]


Thresholds = Annotated[
    str | None,
    Parameter(
        help="How much is held out by C, N or D: parts of the runs below 1, or factors above 1 by which the fitted "
        "runs fall short of the largest. By default 0.2,0.4,10,30.",
        metavar="T,...",
        validator=_check_thresholds,
        group=FITTING,
    ),
]

COLUMNS = (
    "50 to 95%: part of the runs inside the interval of that probability; width: of the 90% interval; lpd: log "
    "predictive density, in nats per run (higher is better); CRPS: lower is better; bias: predicted less observed; "
    "width, CRPS, bias and RMSE are in"
)
"""What the columns of the scores mean, up to their unit."""


def backtest(
    runs: Runs,
    /,
    *,
    laws: Laws = None,
    of: Of = "loss",
    by: HeldOut = "C",
    thresholds: Thresholds = None,
    reading: Reading = READING,
    refitting: Refitting = REFITTING,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Hold out runs, forecast them from the others, and score the forecasts beside those of the usual methods."""
    if of == "size":
        if by != "C" or thresholds is not None:
            raise UsageError("--of size holds out the largest isoFLOP slices; leave out --by and --thresholds")
        asked = (runs, laws, reading, refitting)
        return backtest_of_sizes(*asked, output=output, printing=printing)
    if thresholds is not None and by in ("budget", "family"):
        raise UsageError(f"--thresholds goes with --by C, N or D; --by {by} holds out each in turn")
    with progress(printing) as say:
        from bayescale.laws import given_record  # noqa: PLC0415  (NumPy, which --help does not need)
        from bayescale.records import fits as records  # noqa: PLC0415  (ArviZ, which --help does not need)

        table = load_table(runs, reading, say)
        names, defaults = choose_laws(table, laws, refitting)
        chosen = None if thresholds is None else parse_thresholds(thresholds)
        if printing.dry_run:
            work = [folds_of(table, names, by, chosen, refitting)]
            return emit_work(work_record(table, work, defaults), printing, say)
        found = hold_out(table, names, by, chosen, refitting, say=say)
        record = {
            **records.backtest_record(found, defaults),
            "priors": given_record(laws_of(names, refitting)),
        }
    return emit(record, show_backtest, printing, output=output, glossary=f"{COLUMNS} {table.unit}.")


def hold_out(
    table: "RunTable",
    names: Sequence[str],
    by: str,
    thresholds: Sequence[float] | None,
    refitting: Refitting,
    *,
    say: Stages,
) -> "Backtest":
    """Forecast held-out runs by each law and method, and show how many folds are done."""
    from bayescale.forecasts.backtesting import planned_folds  # noqa: PLC0415  (ArviZ, which --help does not need)

    options = {"by": by, "thresholds": thresholds, "random_seed": refitting.seed, "cache": not refitting.no_cache}
    given, doing = (table, laws_of(names, refitting)), f"forecasting runs held out by {by}"
    timing, workers = f"fold by {by}", refitting.workers
    return forecast_folds(bs.backtest, planned_folds, given, options, doing, timing=timing, workers=workers, say=say)


def show_backtest(console: Console, record: Record) -> None:
    """Print the scores of each threshold, coverage by reach, and what to take from them."""
    from bayescale.forecasts.backtesting import threshold_text  # noqa: PLC0415  (NumPy, which --help does not need)

    show_hanging(console, record["statement"], "", "bold")
    show_heading(console, record)
    for _, scores in _grouped(record["scores"], "threshold"):
        console.print()
        show_table(console, _scores_table(scores, threshold_text(scores[0]["threshold"], record["by"])))
    console.print()
    show_table(console, _reach_table(record))
    show_hanging(
        console,
        "A run held out under several thresholds counts once for each, and forecasts from one fit share their errors.",
        "",
    )
    show_list(console, "Notes", record["notes"])


def _grouped(rows: Iterable[Record], name: str) -> list[tuple[Any, list[Record]]]:
    """Return rows by a field, in the order of its first appearance."""
    groups: dict[Any, list[Record]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return list(groups.items())


def _scores_table(scores: Sequence[Record], what: str) -> Table:
    """Return the scores of one threshold: a line for each law, below it one for each method."""
    probabilities = ("0.5", "0.8", "0.9", "0.95")
    columns = ("law, method", "50%", "80%", "90%", "95%", "width", "lpd", "CRPS", "bias", "RMSE")
    reach = f"{scores[0]['held_out']} runs held out, to {number(scores[0]['factor'], 2)} times the fitted runs"
    table = make_table(*columns, title=f"{capital(what)}: {reach}", wide=columns[:1])
    for law, rows in _grouped(scores, "law"):
        table.add_row(Text(law, style="bold"))
        for row in rows:
            mark = "" if row["diagnostics_passed"] else " (doubtful)"
            coverage = (f"{100 * row['coverage'][p]:.0f}" for p in probabilities)
            others = (number(row[name], 2) for name in ("width", "lpd", "crps", "bias", "rmse"))
            table.add_row(f"  {row['method']}{mark}", *coverage, *others)
    return table


def _reach_table(record: Record) -> Table:
    """Return how many 90% intervals held, by law and method, for each bin of the extrapolation factor."""
    cells = {(row["law"], row["method"], *row["factor"]): row for row in record["by_factor"]}
    bins = sorted({tuple(row["factor"]) for row in record["by_factor"]}, key=lambda ends: ends[0])
    title = "90% intervals that held, by times beyond the fitted runs"
    table = make_table("law, method", *map(_bin_text, bins), title=title, wide=("law, method",))
    for law, rows in _grouped(record["scores"], "law"):
        table.add_row(Text(law, style="bold"))
        for method, _ in _grouped(rows, "method"):
            table.add_row(f"  {method}", *(_held(cells.get((law, method, *ends))) for ends in bins))
    return table


def _bin_text(ends: Sequence[float | None]) -> str:
    low, high = ends
    return f"over {low:g}" if high is None else f"{low:g} to {high:g}"


def _held(row: Record | None) -> str:
    return "" if row is None else f"{row['coverage']['0.9'] * row['held_out']:.0f} of {row['held_out']}"

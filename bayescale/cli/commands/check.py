"""``bayescale check``: what a table can and cannot identify, or every fault of it."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

import bayescale as bs
from bayescale.cli.options import PRINTING, READING, JsonFile, NoSeed, Printing, Reading, Runs
from bayescale.cli.output import emit
from bayescale.cli.steps import load_table
from bayescale.cli.tables import Record, make_table, number, show_list, show_nothing, show_table, writer
from bayescale.errors import InputError

if TYPE_CHECKING:
    from bayescale.runs import RunTable


SPLIT_LAW = "chinchilla"
"""The law whose identifiability ``check`` reports."""


def check(
    runs: Runs,
    /,
    *,
    reading: Reading = READING,
    output: JsonFile = None,
    printing: Printing = PRINTING,
    seed: NoSeed = 0,
) -> int:
    """Check a table: report every fault (and end with status 3), or what the table can and cannot identify."""
    del seed
    try:
        record = check_record(load_table(runs, reading))
    except InputError as error:
        emit(faults_record(error), show_nothing, printing, output=output)
        raise
    return emit(record, show_check, printing, output=output)


def check_record(table: "RunTable") -> dict[str, Any]:
    """Return what a table can identify, and all there is to say of it."""
    from bayescale.records.runs import description_record, runs_record  # noqa: PLC0415  (pandas, which laws do not need)

    return {
        "schema": "bayescale/check/1",
        "usable": True,
        "runs": runs_record(table),
        "name": table.name,
        "compute": table.compute,
        **description_record(bs.describe(table)),
        "identifiability": _identifiability(table),
        "notes": list(table.notes),
        "faults": [],
    }


def _identifiability(table: "RunTable") -> dict[str, Any] | None:
    """Return what the runs will tell of the law that is fitted to split compute; None where it does not apply."""
    from bayescale.designs.identifiability import identify  # noqa: PLC0415  (pandas)

    law = bs.LAWS[SPLIT_LAW]
    if table.response not in law.responses or not set(law.covariates) <= set(table.frame):
        return None
    return asdict(identify(table, law))


def faults_record(error: InputError) -> dict[str, Any]:
    """Return why a table cannot be used."""
    return {"schema": "bayescale/check/1", "usable": False, "faults": list(error.faults)}


def show_check(console: Console, record: Record) -> None:
    """Print what a table of runs can and cannot identify."""
    response = f"{record['response']} ({record['unit']})"
    console.print(Text(f"{record['name']}: {record['rows']} runs, response {response}", style="bold"))
    show_list(console, "Can identify", record["can"])
    show_list(console, "Cannot identify", record["cannot"])
    if record["identifiability"] is not None:
        show_list(console, "Expected of a fit", record["identifiability"]["statements"])
    console.print()
    table = make_table("", "lowest", "highest", "sizes")
    sizes = {"N": str(record["distinct_N"]), "D": str(record["distinct_D"])}
    for name, (low, high) in record["ranges"].items():
        label = {"N": "N (parameters)", "D": "D (tokens)", "C": "C (FLOP)", "tokens_per_parameter": "D/N"}
        table.add_row(label.get(name, response), writer(name)(low, 4), writer(name)(high, 4), sizes.get(name, ""))
    show_table(console, table)
    facts = make_table("design", "value", "sound")
    facts.add_row("s.d. of log10 N at like C (decades)", number(record["spread_N_at_like_C"], 2), "0.1 or more")
    facts.add_row("range of log10 N at like C (decades)", number(record["span_N_at_like_C"], 2), "0.5 or more")
    facts.add_row(
        "correlation of log N and log D", number(record["correlation"], 2, missing="undefined"), "below 0.999"
    )
    facts.add_row(
        "condition number of a law of N and D", number(record["condition"], 2, missing="infinite"), "below 200"
    )
    show_table(console, facts)
    origins = {"given": ["C is given by the table"], "unknown": ["C is not known without N and D"]}
    show_list(console, "Notes", [*origins.get(record["compute"], []), *record["notes"]])

"""``bayescale data``: list the tables of the catalogue, fetch them, and tell all about one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from typing import Annotated, Any

from cyclopts import App, Group, Parameter
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

import bayescale as bs
from bayescale.catalogue import catalogue_entry, fetch_runs, table_record, tables_of
from bayescale.catalogue.fetching import MIRROR, Progress, UnreachableError
from bayescale.cli.completion import complete_tables
from bayescale.cli.options import PRINTING, JsonFile, NoSeed, Printing
from bayescale.cli.output import emit
from bayescale.cli.parsing import UsageError
from bayescale.cli.stages import is_watched
from bayescale.cli.tables import show_hanging
from bayescale.errors import InputError

SCHEMA = "bayescale/data/1"
TEXTS = ("title", "reference", "licence", "response", "unit")  # printed first, in this order
FIELDS_OF_FILES = ("name", "address", "sha256", "bytes", "confirmed")

_FETCHING = Group.create_ordered("Fetching")

app = App(name="data", help="List the tables of runs that bayescale knows; get fetches them, show describes one.")

Names = Annotated[
    tuple[str, ...],
    Parameter(help="Tables, or sources with all their tables; `bayescale data` lists.", completer=complete_tables),
]
Name = Annotated[str, Parameter(help="A table that `bayescale data` lists.", completer=complete_tables)]
Mirror = Annotated[
    str | None,
    Parameter(
        help=f"Folder, or address of one, with the files as SOURCE/NAME; else {MIRROR}, else upstream.",
        metavar="FOLDER|URL",
        group=_FETCHING,
    ),
]
All = Annotated[bool, Parameter(name="--all", help="Every table.", group=_FETCHING)]


@app.default
def list_(*, output: JsonFile = None, printing: Printing = PRINTING, seed: NoSeed = 0) -> int:
    """List the tables of runs that bayescale knows; get fetches them, show describes one."""
    del seed
    return emit({"schema": SCHEMA, "tables": bs.catalogue.list_tables()}, show_list, printing, output=output)


@app.command
def get(
    names: Names = (),
    /,
    *,
    all_: All = False,
    mirror: Mirror = None,
    output: JsonFile = None,
    printing: Printing = PRINTING,
    seed: NoSeed = 0,
) -> int:
    """Fetch tables into the cache, from upstream or a mirror, and verify every file."""
    del seed
    if bool(names) == all_:
        raise UsageError("name the tables to fetch, or give --all" + " alone" * all_)
    wanted = [str(entry["name"]) for entry in bs.catalogue.list_tables()] if all_ else tables_of(names)
    paths: dict[str, list[str]] = {}
    faults: list[str] = []
    with fetching_progress(printing) as progress:
        for name in wanted:
            try:
                paths[name] = list(map(str, fetch_runs(name, mirror=mirror, progress=progress)))
            except UnreachableError as error:
                faults.extend(error.faults)
                break
            except InputError as error:  # the other tables are worth having
                faults.extend(error.faults)
    listed = [
        {**entry, "paths": paths[str(entry["name"])]} for entry in bs.catalogue.list_tables() if entry["name"] in paths
    ]
    emit({"schema": SCHEMA, "tables": listed, "faults": list(dict.fromkeys(faults))}, show_got, printing, output=output)
    if faults:
        raise InputError(*dict.fromkeys(faults))
    return 0


@app.command
def show(name: Name, /, *, output: JsonFile = None, printing: Printing = PRINTING, seed: NoSeed = 0) -> int:
    """Describe one table: source, licence, units, what its columns count, caveats, files."""
    del seed
    tables_of([name])
    entry = next((entry for entry in bs.catalogue.list_tables() if entry["name"] == name), None)
    if entry is None:
        of_source = ", ".join(tables_of([name]))
        raise InputError(f"{name} is a source of several tables; choose one of {of_source}")
    remote = () if entry["shipped"] else catalogue_entry(name).files
    files = [{field: getattr(file, field) for field in FIELDS_OF_FILES} for file in remote]
    full = {**entry, "record": table_record(name), "files": files}
    return emit({"schema": SCHEMA, "tables": [full]}, show_one, printing, output=output)


@contextmanager
def fetching_progress(printing: Printing) -> Iterator[Progress | None]:
    """Show a bar for each file on stderr where that is a terminal, and take it away at the end."""
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    if printing.quiet or not is_watched(console):
        yield None
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn()
    with Bars(*columns, console=console, transient=True, redirect_stdout=False) as bars:
        task = bars.add_task("")
        yield lambda name, done, total: bars.update(task, description=name, completed=done, total=total)


def show_list(console: Console, record: Mapping[str, Any]) -> None:
    """Print the tables, grouped by source."""
    for source, tables in groupby(record["tables"], key=lambda entry: entry["source"]):
        entries = list(tables)
        console.print(Text(source, style="bold"))
        for field in ("reference", "licence"):
            show_hanging(console, f"{field}: {entries[0][field]}", "  ")
        for entry in entries:
            response = f"response {entry['response']}"
            show_hanging(console, f"{entry['name']}: {entry['rows']} runs, {response}, {entry['state']}", "  ")


def show_got(console: Console, record: Mapping[str, Any]) -> None:
    """Print where each table's files are."""
    for entry in record["tables"]:
        files = len(entry["paths"])
        what = "comes with bayescale" if entry["shipped"] else f"{files} file{'s' * (files != 1)} verified"
        show_hanging(console, f"{entry['name']}: {entry['rows']} runs, {what}", "")


def show_one(console: Console, record: Mapping[str, Any]) -> None:
    """Print the record of a table, and its files."""
    (entry,) = record["tables"]
    facts = entry["record"]
    console.print(Text(f"{entry['name']}: {entry['rows']} runs, {entry['state']}", style="bold"))
    for field in (*TEXTS, *(field for field in facts if field not in (*TEXTS, "rows"))):
        show_hanging(console, f"{field}: {facts[field]}", "  ")
    for file in entry["files"]:
        console.print(Text(file["name"], style="bold"))
        for field in ("address", "sha256", "bytes", "confirmed"):
            show_hanging(console, f"{field}: {file[field]}", "  ")
    if entry["state"] == "not fetched":
        console.print(f"to fetch it: bayescale data get {entry['name']}")

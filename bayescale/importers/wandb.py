"""The CSV export of a W&B run table: one line per run, with its state, configuration and summary."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bayescale.errors import InputError
from bayescale.importers.base import Importer, TrackedRun, distinct_labels
from bayescale.runs.headers import quoted
from bayescale.runs.numerals import cell_text
from bayescale.runs.source import Source, read_source

NAME, STATE, IDENTIFIER = "Name", "State", "ID"
OWN = (NAME, STATE, IDENTIFIER, "Notes", "User", "Tags", "Created", "Runtime", "Sweep", "Agent", "Description", "Group")
EMPTY = frozenset({"", "null", "None", "undefined"})


def _recognises(location: str) -> bool:
    path = Path(location)
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        headers = [cell.strip().strip('"') for cell in file.readline().split(",")]
    return {NAME, STATE} <= set(headers)


def _read(locations: Sequence[str]) -> Iterator[TrackedRun]:
    for location in locations:
        source = read_source(Path(location))
        if source.faults:
            raise InputError(*source.faults)
        if NAME not in source.frame:
            found = quoted(list(source.frame.columns))
            raise InputError(
                f"{source.name}: there is no column {NAME}, which a W&B run table has; found {found}; "
                "export the table of runs as CSV, not a chart"
            )
        yield from _runs(source)


def _runs(source: Source) -> Iterator[TrackedRun]:
    cells = {str(header): [cell_text(cell).strip() for cell in source.frame[header]] for header in source.frame}
    labels = distinct_labels(cells[NAME], cells.get(IDENTIFIER, source.places))
    for row, (label, place) in enumerate(zip(labels, source.places, strict=True)):
        facts = {key: column[row] for key, column in cells.items() if key not in OWN and column[row] not in EMPTY}
        yield TrackedRun(label, f"{source.name}, {place}", facts, {}, _reasons(cells, row))


def _reasons(cells: dict[str, list[str]], row: int) -> tuple[str, ...] | None:
    state = cells[STATE][row].casefold() if STATE in cells else ""
    if not state:
        return None
    return () if state == "finished" else (f"W&B says {state}",)


WANDB = Importer("wandb", "the CSV export of a W&B run table, with the columns Name and State", _recognises, _read)

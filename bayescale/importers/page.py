"""Tables of runs that trackers' pages download as CSV: one line for each run, with its name and its state."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bayescale.errors import InputError
from bayescale.importers.base import TrackedRun, distinct_labels
from bayescale.runs.headers import quoted
from bayescale.runs.numerals import cell_text
from bayescale.runs.source import Source, read_source

EMPTY = frozenset({"", "null", "None", "undefined"})


@dataclass(frozen=True)
class Page:
    """The columns of a tracker's own in such a table.

    Attributes
    ----------
    tracker : str
        Its name, for messages.
    name, state, identifier : str
        Headers of the run's name, its state and what tells runs of one name apart.
    own : tuple of str
        Headers that say nothing of the training.
    sections : tuple of str
        What stands before keys, as in ``metrics.val_loss``; it is left out.
    """

    tracker: str
    name: str
    state: str
    identifier: str
    own: tuple[str, ...]
    sections: tuple[str, ...] = ()


def has_headers(location: str, needed: Sequence[str]) -> bool:
    """Tell whether a CSV file has these headers."""
    path = Path(location)
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        headers = [cell.strip().strip('"') for cell in file.readline().split(",")]
    return set(needed) <= set(headers)


def page_runs(location: str, page: Page) -> Iterator[TrackedRun]:
    """Yield the runs of such a table; ``InputError`` where it is none."""
    source = read_source(Path(location))
    if source.faults:
        raise InputError(*source.faults)
    if page.name not in source.frame:
        found = quoted(list(source.frame.columns))
        raise InputError(
            f"{source.name}: there is no column {page.name}, which a {page.tracker} run table has; found {found}; "
            "export the table of runs as CSV, not a chart"
        )
    yield from _runs(source, page)


def _runs(source: Source, page: Page) -> Iterator[TrackedRun]:
    cells = {str(header): [cell_text(cell).strip() for cell in source.frame[header]] for header in source.frame}
    labels = distinct_labels(cells[page.name], cells.get(page.identifier, source.places))
    for row, (label, place) in enumerate(zip(labels, source.places, strict=True)):
        facts = {
            _key(header, page): column[row]
            for header, column in cells.items()
            if header not in page.own and column[row] not in EMPTY
        }
        yield TrackedRun(label, f"{source.name}, {place}", facts, {}, _reasons(cells, row, page))


def _key(header: str, page: Page) -> str:
    """Return a key without its section."""
    section, _, rest = header.partition(".")
    return rest if rest and section in page.sections else header


def _reasons(cells: dict[str, list[str]], row: int, page: Page) -> tuple[str, ...] | None:
    state = cells[page.state][row] if page.state in cells else ""
    if not state:
        return None
    return () if state.casefold() == "finished" else (f"{page.tracker} says {state}",)

"""The CSV export of a W&B run table: one line per run, with its state, configuration and summary."""

from collections.abc import Iterator, Sequence

from bayescale.importers.base import Importer, TrackedRun
from bayescale.importers.page import Page, has_headers, page_runs

NAME, STATE, IDENTIFIER = "Name", "State", "ID"
OWN = (NAME, STATE, IDENTIFIER, "Notes", "User", "Tags", "Created", "Runtime", "Sweep", "Agent", "Description", "Group")
PAGE = Page("W&B", NAME, STATE, IDENTIFIER, OWN)


def _recognises(location: str) -> bool:
    return has_headers(location, (NAME, STATE))


def _read(locations: Sequence[str]) -> Iterator[TrackedRun]:
    for location in locations:
        yield from page_runs(location, PAGE)


WANDB = Importer("wandb", "the CSV export of a W&B run table, with the columns Name and State", _recognises, _read)

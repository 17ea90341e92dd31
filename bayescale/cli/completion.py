"""What a shell offers where a table or a law is to be named; ``bayescale --install-completion`` makes it do so."""

from collections.abc import Iterable, Iterator
from glob import escape, glob
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts.completion import CompletionContext


def complete_tables(context: "CompletionContext") -> list[str]:
    """Return the tables of the catalogue."""
    from bayescale.catalogue import table_names  # noqa: PLC0415  (only completion needs them all)

    return _offered(table_names(), context)


def complete_runs(context: "CompletionContext") -> list[str]:
    """Return the tables of the catalogue, and the files that begin as typed."""
    return [*complete_tables(context), *_paths(context.incomplete)]


def complete_law(context: "CompletionContext") -> list[str]:
    """Return the laws."""
    from bayescale.laws import known_laws  # noqa: PLC0415  (NumPy)

    return _offered(known_laws(), context)


def complete_laws(context: "CompletionContext") -> list[str]:
    """Return the laws, each after those already listed with commas."""
    from bayescale.laws import known_laws  # noqa: PLC0415  (NumPy)

    listed, comma, _ = context.incomplete.rpartition(",")
    return _offered((f"{listed}{comma}{name}" for name in known_laws() if name not in listed.split(",")), context)


def _offered(names: Iterable[str], context: "CompletionContext") -> list[str]:
    return [name for name in names if name.startswith(context.incomplete)]


def _paths(typed: str) -> Iterator[str]:
    """Yield files and folders that begin as typed; of a single folder what is in it too, so that one can go on."""
    found = sorted(glob(f"{escape(typed)}*"))  # noqa: PTH207  (what was typed must stay as it is, ./ too)
    if len(found) == 1 and Path(found[0]).is_dir():
        found += sorted(glob(f"{escape(found[0])}/*"))  # noqa: PTH207  (as above)
    yield from (f"{path}/" if Path(path).is_dir() else path for path in found)

"""The tables of runs: those that come with the package, those to fetch, and finding one by path or by name."""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bayescale import checks
from bayescale.catalogue.fetching import Progress, RemoteFile, chosen_mirror, fetch_file, fetched_file, is_fetched
from bayescale.errors import InputError

if TYPE_CHECKING:
    from bayescale.runs import RunTable

__all__ = ["TABLES", "list_tables", "load_runs", "resolve_runs", "source_files", "table_names"]

TABLES: tuple[str, ...] = ("chinchilla", "public-models")
"""Those that come with the package; :func:`table_names` has the others too."""

RAW = "https://raw.githubusercontent.com"
NOT_RECORDED = ("files", "needs", "recipe", "rows", "variant")  # how to make a table, which is no word about it
FACTS_OF_FILES = ("sha256", "bytes", "confirmed")


@dataclass(frozen=True)
class Entry:
    """A table of the catalogue that is fetched, not shipped.

    Attributes
    ----------
    name, source, recipe, variant : str
        Its name, where it comes from, and how it is made.
    rows : int
        Number of runs.
    needs : tuple of str
        Covariates that its laws use.
    files : tuple of RemoteFile
        What it is made from.
    record : dict of str to str
        Title, reference, licence, response, units, what the columns count, caveats, how it is made.
    """

    name: str
    source: str
    recipe: str
    variant: str
    rows: int
    needs: tuple[str, ...]
    files: tuple[RemoteFile, ...]
    record: dict[str, str]


@checks.kinds
def load_runs(name: str, *, mirror: str | os.PathLike[str] | None = None) -> "RunTable":
    """Load a table of the catalogue by its name.

    Parameters
    ----------
    name : str
        One of :func:`table_names`.
    mirror : str or path-like, optional
        Folder or address with the files of tables that are not shipped, as ``SOURCE/NAME``; by default what
        ``BAYESCALE_MIRROR`` says. Without either, such a table must have been fetched: nothing is downloaded here.

    Returns
    -------
    RunTable
        The table with its record: N in parameters, D in tokens, C in FLOP, and the response in the table's unit.

    Raises
    ------
    InputError
        If there is no table of that name (the message lists the nearest), if its files have not been fetched, or if
        they are not those that were catalogued.
    """
    if name in TABLES:
        from bayescale.runs import read_runs  # noqa: PLC0415  listing tables should not import pandas

        record = table_record(name)
        return read_runs(data_dir() / f"{name}.csv", name=name, unit=record["unit"], record=record)
    entry = catalogue_entry(name)
    files = {file.name: _local(file, entry, mirror) for file in entry.files}
    from bayescale.catalogue.recipes import make_table  # noqa: PLC0415

    return make_table(
        entry.recipe,
        files,
        entry.variant,
        name=name,
        response=entry.record["response"],
        unit=entry.record["unit"],
        needs=entry.needs,
        record=entry.record,
    )


def _local(file: RemoteFile, entry: Entry, mirror: str | os.PathLike[str] | None) -> Path:
    if chosen_mirror(mirror):
        return fetch_file(file, mirror=mirror)
    if not is_fetched(file):
        raise InputError(f"{entry.name}: {file.name} has not been fetched; run `bayescale data get {entry.name}`")
    return fetched_file(file)


def source_files(
    source: str, names: Iterable[str], *, mirror: str | os.PathLike[str] | None = None
) -> tuple[dict[str, Path], dict[str, str]]:
    """Return verified files of a source by their names, and its record.

    Raises
    ------
    InputError
        If they have not been fetched, or are not those that were catalogued.
    """
    entries = [entry for entry in _entries(data_dir()).values() if entry.source == source]
    files = {file.name: (file, entry) for entry in entries for file in entry.files}
    found = {name: _local(*files[name], mirror) for name in names}
    return found, dict(entries[0].record)


def fetch_runs(
    name: str, *, mirror: str | os.PathLike[str] | None = None, progress: Progress | None = None
) -> tuple[Path, ...]:
    """Fetch the files of a table into the cache, from upstream or a mirror, and verify them.

    Parameters
    ----------
    name : str
        One of :func:`table_names`; a shipped table needs nothing.
    mirror, progress
        As in :func:`bayescale.catalogue.fetching.fetch_file`.

    Returns
    -------
    tuple of Path
        The verified files.

    Raises
    ------
    InputError
        If there is no such table, or a file cannot be had as it was catalogued.
    """
    if name in TABLES:
        return ()
    return tuple(fetch_file(file, mirror=mirror, progress=progress) for file in catalogue_entry(name).files)


def table_names() -> tuple[str, ...]:
    """Return the names of all tables, the shipped ones first."""
    return (*TABLES, *_entries(data_dir()))


def list_tables() -> list[dict[str, str | int | bool]]:
    """List the tables of the catalogue, without reading their rows.

    Returns
    -------
    list of dict
        ``name``, ``rows``, ``response``, ``shipped``, ``licence``, ``reference``, ``unit``, ``source`` and ``state``
        (``shipped``, ``fetched`` or ``not fetched``) of each table.
    """
    return [_listed(name) for name in table_names()]


def _listed(name: str) -> dict[str, str | int | bool]:
    record, shipped = table_record(name), name in TABLES
    entry = None if shipped else catalogue_entry(name)
    return {
        "name": name,
        "rows": entry.rows if entry else int(record["rows"]),
        "response": record["response"],
        "shipped": shipped,
        **{key: record[key] for key in ("licence", "reference", "unit")},
        "source": entry.source if entry else name,
        "state": _state(entry),
    }


def _state(entry: Entry | None) -> str:
    if entry is None:
        return "shipped"
    return "fetched" if all(map(is_fetched, entry.files)) else "not fetched"


def table_record(name: str) -> dict[str, str]:
    """Return the record of a table: title, reference, licence, units, what N counts, and how it was made."""
    if name not in TABLES:
        return dict(catalogue_entry(name).record)
    content = tomllib.loads((data_dir() / f"{name}.toml").read_text(encoding="utf-8"))
    return {key: str(value) for key, value in content.items()}


def catalogue_entry(name: str) -> Entry:
    """Return a table that is fetched; ``InputError`` if there is none of that name."""
    entries = _entries(data_dir())
    if name not in entries:
        raise InputError(f"no table is called {name!r}; {_names(name)}")
    return entries[name]


def tables_of(names: Iterable[str]) -> list[str]:
    """Return the tables of these names, each once; the name of a source stands for all its tables."""
    entries = _entries(data_dir())
    found: dict[str, None] = {}
    for name in names:
        of_source = [entry.name for entry in entries.values() if entry.source == name]
        if name not in table_names() and not of_source:
            raise InputError(f"no table and no source is called {name!r}; {_names(name)}")
        found |= dict.fromkeys([name] if name in table_names() else of_source)
    return list(found)


@lru_cache(maxsize=4)
def _entries(folder: Path) -> dict[str, Entry]:
    content = tomllib.loads((folder / "catalogue.toml").read_text(encoding="utf-8"))
    sources = content["sources"]
    return {name: _entry(name, table, sources[table["source"]]) for name, table in content["tables"].items()}


def _entry(name: str, table: Mapping[str, object], source: Mapping[str, object]) -> Entry:
    """Join what a table says with what its source says for all of its tables."""
    files = _remote_files(str(table["source"]), source)
    chosen = table.get("files", list(files))
    facts = {**source, **table}
    made = f"Recipe {source['recipe']} from github.com/{source['repository']} at {source['commit']}"
    record = {key: str(value) for key, value in facts.items() if key not in NOT_RECORDED}
    return Entry(
        name=name,
        source=str(table["source"]),
        recipe=str(source["recipe"]),
        variant=str(table.get("variant", "")),
        rows=int(str(table["rows"])),
        needs=_texts(facts["needs"]),
        files=tuple(files[file] for file in _texts(chosen)),
        record={**record, "rows": str(table["rows"]), "made": made},
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _remote_files(name: str, source: Mapping[str, object]) -> dict[str, RemoteFile]:
    files = source["files"]
    if not isinstance(files, dict):
        raise InputError(f"catalogue.toml: source {name} has no files; install bayescale again")
    root = f"{RAW}/{source['repository']}/{source['commit']}"
    return {
        file: RemoteFile(name, file, f"{root}/{quote(facts['path'])}", *(facts[fact] for fact in FACTS_OF_FILES))
        for file, facts in files.items()
    }


def resolve_runs(
    name_or_path: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    response: str | None = None,
    unit: str | None = None,
    needs: Sequence[str] | None = None,
    where: str | None = None,
    **rows: Any,  # noqa: ANN401
) -> "RunTable":
    """Read the file of that path where there is one, else load the table of that name.

    Parameters
    ----------
    name_or_path : str or path-like
        Path of a user's file, or one of :func:`table_names`.
    columns, response, unit, needs
        How to read a file, as in :func:`bayescale.runs.read_runs`; a table of the catalogue needs none of them.
    where : str, optional
        Keep the rows for which this holds.
    **rows
        ``ignore``, ``drop``, ``last_of`` and ``best_of`` of :func:`bayescale.runs.read_runs`, for a file.

    Returns
    -------
    RunTable
        The checked table.

    Raises
    ------
    InputError
        If there is neither such a file nor such a table, if the file has faults, or if a table of the catalogue is
        asked for with ``columns``, ``response``, ``unit`` or ``needs``.
    """
    from bayescale.runs import read_runs, select_runs  # noqa: PLC0415  listing tables should not import pandas

    path, name = Path(name_or_path), os.fspath(name_or_path)
    if path.is_file() or (path.is_dir() and name not in table_names()):
        needs = needs or ("N", "D")
        return read_runs(path, columns=columns, response=response, unit=unit, needs=needs, where=where, **rows)
    if name not in table_names():
        raise InputError(f"there is no file {name!r} (in {Path.cwd()}), and no table of that name; {_names(name)}")
    if columns or response or unit or needs or rows:
        raise InputError(
            f"columns, response, unit, needs{''.join(f', {option}' for option in rows)} say how to read a file, and "
            f"{name!r} is a table of the catalogue"
        )
    return select_runs(load_runs(name), where) if where else load_runs(name)


def data_dir() -> Path:
    """Return the folder of the shipped tables: inside an installed package, beside the package in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "data", package.parent / "data"):
        if (folder / f"{TABLES[0]}.csv").is_file():
            return folder
    raise InputError(f"the shipped tables are not in {package / 'data'}; install bayescale again")


def _names(name: str) -> str:
    near = difflib.get_close_matches(name.casefold(), table_names(), n=1, cutoff=0.5)
    nearest = f"; did you mean {near[0]!r}?" if near else ""
    more = len(table_names()) - len(TABLES)
    return f"the tables are {', '.join(TABLES)} and {more} to fetch (bayescale data lists them){nearest}"

"""The tables of runs that come with the package, and finding a table by path or by name."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bayescale.errors import InputError

if TYPE_CHECKING:
    from bayescale.runs import RunTable

TABLES: tuple[str, ...] = ("chinchilla", "public-models")


def load_runs(name: str) -> "RunTable":
    """Load a table of the catalogue by its name.

    Parameters
    ----------
    name : str
        One of :data:`TABLES`.

    Returns
    -------
    RunTable
        The table with its record: N in parameters, D in tokens, C in FLOP, and the response in the table's unit.

    Raises
    ------
    InputError
        If there is no table of that name; the message lists the names and the nearest one.
    """
    from bayescale.runs import read_runs  # noqa: PLC0415  listing tables should not import pandas

    if name not in TABLES:
        raise InputError(f"no table is called {name!r}; {_names(name)}")
    record = table_record(name)
    return read_runs(data_dir() / f"{name}.csv", name=name, unit=record["unit"], record=record)


def list_tables() -> list[dict[str, str | int | bool]]:
    """List the tables of the catalogue, without reading their rows.

    Returns
    -------
    list of dict
        ``name``, ``rows``, ``response``, ``shipped``, ``licence`` and ``reference`` of each table.
    """
    return [_entry(name, table_record(name)) for name in TABLES]


def _entry(name: str, record: Mapping[str, str]) -> dict[str, str | int | bool]:
    texts = {key: record[key] for key in ("licence", "reference")}
    return {"name": name, "rows": int(record["rows"]), "response": record["response"], "shipped": True, **texts}


def table_record(name: str) -> dict[str, str]:
    """Return the record of a table: title, reference, licence, units, what N counts, and how it was made."""
    content = tomllib.loads((data_dir() / f"{name}.toml").read_text(encoding="utf-8"))
    return {key: str(value) for key, value in content.items()}


def resolve_runs(
    name_or_path: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    response: str | None = None,
    unit: str | None = None,
) -> "RunTable":
    """Read the file of that path where there is one, else load the table of that name.

    Parameters
    ----------
    name_or_path : str or path-like
        Path of a user's file, or a name of :data:`TABLES`.
    columns, response, unit
        How to read a file, as in :func:`bayescale.runs.read_runs`; a table of the catalogue needs none of them.

    Returns
    -------
    RunTable
        The checked table.

    Raises
    ------
    InputError
        If there is neither such a file nor such a table, if the file has faults, or if a table of the catalogue is
        asked for with ``columns``, ``response`` or ``unit``.
    """
    from bayescale.runs import read_runs  # noqa: PLC0415  listing tables should not import pandas

    path, name = Path(name_or_path), os.fspath(name_or_path)
    if path.is_file() or (path.is_dir() and name not in TABLES):
        return read_runs(path, columns=columns, response=response, unit=unit)
    if name not in TABLES:
        raise InputError(f"there is no file {name!r} (in {Path.cwd()}), and no table of that name; {_names(name)}")
    if columns or response or unit:
        raise InputError(f"columns, response and unit say how to read a file, and {name!r} is a table of the catalogue")
    return load_runs(name)


def data_dir() -> Path:
    """Return the folder of the shipped tables: inside an installed package, beside the package in a checkout."""
    package = Path(__file__).parent
    for folder in (package / "data", package.parent / "data"):
        if (folder / f"{TABLES[0]}.csv").is_file():
            return folder
    raise InputError(f"the shipped tables are not in {package / 'data'}; install bayescale again")


def _names(name: str) -> str:
    near = difflib.get_close_matches(name.casefold(), TABLES, n=1, cutoff=0.5)
    nearest = f"; did you mean {near[0]!r}?" if near else ""
    return f"the tables are {', '.join(TABLES)}{nearest}"

"""Read a table of runs: from a file or a DataFrame to a RunTable, or to every fault at once."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bayescale.errors import InputError
from bayescale.runs.checks import table_faults
from bayescale.runs.draft import Draft
from bayescale.runs.headers import ALIASES, COUNTS, NUMERIC, assign_columns, missing_column
from bayescale.runs.numerals import cell_text, read_numbers
from bayescale.runs.remarks import remarks
from bayescale.runs.responses import choose_response, choose_unit
from bayescale.runs.rules import column_faults
from bayescale.runs.source import Source, frame_source, read_source
from bayescale.runs.table import RunTable


def read_runs(
    path: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    response: str | None = None,
    unit: str | None = None,
    name: str | None = None,
    record: Mapping[str, str] | None = None,
) -> RunTable:
    """Read and check a file with one row per finished training run.

    Parameters
    ----------
    path : str or path-like
        A CSV file (separated by commas, semicolons or tabs; UTF-8), JSON Lines (``.jsonl``, ``.ndjson``) or
        Parquet (needs pyarrow, in the extra ``parquet``).
    columns : mapping of str to str, optional
        Canonical name to the file's header, as in ``{"N": "model_size", "loss": "val/loss"}``. Usual headers
        such as ``params``, ``tokens``, ``flops`` and ``val_loss`` are known without it.
    response : str, optional
        ``loss`` or ``bpc``; needed only where the file has both.
    unit : str, optional
        Unit of the response; by default what a column ``loss_unit`` says, else nats per token for ``loss`` and
        bits per character for ``bpc``.
    name : str, optional
        Name of the table; the file's stem by default.
    record : mapping of str to str, optional
        Title, reference, licence, caveats, what N and D count.

    Returns
    -------
    RunTable
        The runs in the file's order: N in parameters, D in tokens, C in FLOP (6 N D where the file has none).

    Raises
    ------
    InputError
        If the file cannot be read, or the table has faults; ``faults`` lists all of them, with row, column,
        value and remedy.
    """
    path = Path(path)
    source = read_source(path)
    return _checked(source, name or path.stem, columns=columns, response=response, unit=unit, record=record)


def table_from_frame(
    frame: pd.DataFrame,
    *,
    name: str = "runs",
    columns: Mapping[str, str] | None = None,
    response: str | None = None,
    unit: str | None = None,
    record: Mapping[str, str] | None = None,
) -> RunTable:
    """Check a DataFrame with one row per finished training run.

    Parameters
    ----------
    frame : pandas.DataFrame
        The runs; it is not changed. A named index counts as a column.
    name : str
        Name of the table.
    columns, response, unit, record
        As in :func:`read_runs`.

    Returns
    -------
    RunTable
        The runs in the order of the DataFrame.

    Raises
    ------
    InputError
        If the table has faults; ``faults`` lists all of them. Rows are counted from 1.
    """
    source = frame_source(name, frame)
    return _checked(source, name, columns=columns, response=response, unit=unit, record=record)


def _checked(
    source: Source,
    name: str,
    *,
    columns: Mapping[str, str] | None,
    response: str | None,
    unit: str | None,
    record: Mapping[str, str] | None,
) -> RunTable:
    """Go through all checks, and collect every fault before refusing."""
    headers = tuple(map(str, source.frame.columns))
    assigned = assign_columns(source.name, headers, columns)
    taken = tuple(assigned.headers.values())
    choice = choose_response(source.name, headers, assigned.headers, response)
    absent = [missing_column(source.name, need, headers, taken) for need in ("N", "D") if need not in assigned.headers]
    empty, cells = _named_cells(source, assigned.headers)
    draft, unreadable = _numbers(source, cells, assigned.headers)
    units = choose_unit(replace(draft, response=choice.response), unit)
    draft = replace(draft, response=choice.response, unit=units.unit)
    wrong_values, draft = column_faults(draft, unreadable)
    faults = (*source.faults, *assigned.faults, *absent, *choice.faults, *units.faults, *wrong_values)
    faults = (*faults, *table_faults(draft))
    if faults or draft.response is None:
        raise InputError(*faults)
    compute = "given" if "C" in draft.frame else "6ND"
    notes = (*source.notes, *assigned.notes, *empty, *units.notes, *remarks(draft, compute))
    return RunTable(
        name, _final_frame(draft, draft.response), draft.response, units.unit, compute, dict(record or {}), notes
    )


def _named_cells(source: Source, chosen: Mapping[str, str]) -> tuple[list[str], pd.DataFrame]:
    """Give the cells their canonical names, and leave out covariates without any value, with a note."""
    names = {header: canonical for canonical, header in chosen.items()}
    shadowed = [header for header in source.frame if header in chosen and header not in names]
    cells = source.frame.drop(columns=shadowed).rename(columns=names)
    optional = [column for column in cells if column in chosen and column not in ("N", "D", "loss", "bpc")]
    empty = [column for column in optional if not any(cell_text(cell).strip() for cell in cells[column])]
    notes = [f"column {column} ({chosen[column]!r}) has no values and is left out" for column in empty]
    return notes, cells.drop(columns=empty)


def _numbers(source: Source, cells: pd.DataFrame, chosen: Mapping[str, str]) -> tuple[Draft, dict[str, dict[int, str]]]:
    """Read the recognised columns as numbers and the others where every cell is one."""
    unreadable: dict[str, dict[int, str]] = {}
    values: dict[str, object] = {}
    for column in cells:
        known = column in NUMERIC
        numbers = read_numbers(cells[column], count=column in COUNTS, decimal_commas=source.decimal_commas)
        if known:
            values[column], unreadable[column] = numbers.array, numbers.unreadable
        elif column in ("run", "family"):
            values[column] = [cell_text(cell).strip() for cell in cells[column]]
        else:
            values[column] = cells[column] if numbers.unreadable else numbers.array
    frame = pd.DataFrame(values, index=cells.index)
    return Draft(source.name, frame, cells, source.places, chosen), unreadable


def _final_frame(draft: Draft, response: str) -> pd.DataFrame:
    """Put the columns in order, and label the runs that have no label."""
    frame = draft.frame.copy()
    if "run" not in frame:
        width = len(str(len(frame)))
        frame["run"] = [f"run {row:0{width}d}" for row in range(1, len(frame) + 1)]
    if "C" not in frame:
        frame["C"] = 6.0 * frame["N"] * frame["D"]
    first = ["run", "N", "D", "C", response]
    known = [column for column in ALIASES if column in frame and column not in first]
    return frame[[*first, *known, *(column for column in frame if column not in (*first, *known))]]

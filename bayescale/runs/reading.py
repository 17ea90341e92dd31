"""Read a table of runs: from a file or a table in memory to a RunTable, or to every fault at once."""

import os
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bayescale.errors import InputError
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.runs.checks import table_faults
from bayescale.runs.draft import Draft
from bayescale.runs.frames import Runs, to_pandas
from bayescale.runs.headers import (
    ALIASES,
    COUNTS,
    MEANINGS,
    NUMERIC,
    RESPONSES,
    TEXT,
    assign_columns,
    missing_column,
    quoted,
)
from bayescale.runs.numerals import cell_text, read_numbers
from bayescale.runs.remarks import remarks
from bayescale.runs.responses import choose_response, choose_unit
from bayescale.runs.rules import column_faults
from bayescale.runs.source import Source, frame_source, read_source
from bayescale.runs.table import RunTable
from bayescale.words import clean

DEFAULT_NEEDS = ("N", "D")
"""Covariates that must be there and vary, unless a call names others."""


def read_runs(
    source: Runs,
    *,
    columns: Mapping[str, str] | None = None,
    response: str | None = None,
    unit: str | None = None,
    needs: Sequence[str] | None = None,
    name: str | None = None,
    record: Mapping[str, str] | None = None,
) -> RunTable:
    """Read and check a table with one row per finished training run: from a file, or in memory.

    Parameters
    ----------
    source : path-like, DataFrame, table, mapping or RunTable
        A CSV file (separated by commas, semicolons or tabs; UTF-8), JSON Lines (``.jsonl``, ``.ndjson``) or
        Parquet (needs pyarrow, in the extra ``parquet``). Or a DataFrame of pandas or polars, a pyarrow table, or a
        dict of columns; it is not changed, and a named index counts as a column. A table that is checked already is
        returned as it is.
    columns : mapping of str to str, optional
        Canonical name to the table's header, as in ``{"N": "model_size", "loss": "val/loss"}``. Usual headers
        such as ``params``, ``tokens``, ``flops`` and ``val_loss`` are known without it.
    response : str, optional
        ``loss``, ``bpc``, ``error`` or ``gain``; needed only where the table has more than one of them.
    unit : str, optional
        Unit of the response; by default what a column ``loss_unit`` says, else nats per token for ``loss``, bits
        per character for ``bpc``, the fraction wrong for ``error`` and nats below a unigram model for ``gain``.
    needs : sequence of str, optional
        Covariates that must be there and vary: by default N and D, unless the laws you mean to fit use others, such as
        ``["D"]`` for learning curves of one model.
    name : str, optional
        Name of the table; by default the file's stem, and ``runs`` in memory.
    record : mapping of str to str, optional
        Title, reference, licence, caveats, what N and D count.

    Returns
    -------
    RunTable
        The runs in the table's order: N in parameters, D in tokens, C in FLOP (6 N D where the table has none).

    Raises
    ------
    InputError
        If the file cannot be read, or the table has faults; ``faults`` lists all of them, with row, column,
        value and remedy. Rows in memory are counted from 1.
    """
    options = {"columns": columns, "response": response, "unit": unit, "needs": needs, "name": name, "record": record}
    if isinstance(source, RunTable):
        given = [option for option, value in options.items() if value is not None]
        if given:
            raise InputError(
                f"{source.name}: {', '.join(given)} say how to read a table, and this one is read already; give them "
                "where it is read"
            )
        return source
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        cells, name = read_source(path), name or path.stem
    else:
        name = name or "runs"
        cells = frame_source(name, to_pandas(name, source))
    needs = DEFAULT_NEEDS if needs is None else needs
    return _checked(cells, clean(name), columns=columns, response=response, unit=unit, needs=needs, record=record)


def as_table(runs: Runs, covariates: Container[str] = DEFAULT_NEEDS) -> RunTable:
    """Return runs as a checked table; those of N and D must vary that are among these covariates."""
    if isinstance(runs, RunTable):
        return runs
    return read_runs(runs, needs=[name for name in DEFAULT_NEEDS if name in covariates])


def _checked(
    source: Source,
    name: str,
    *,
    columns: Mapping[str, str] | None,
    response: str | None,
    unit: str | None,
    needs: Sequence[str],
    record: Mapping[str, str] | None,
) -> RunTable:
    """Go through all checks, and collect every fault before refusing."""
    headers = tuple(map(str, source.frame.columns))
    assigned = assign_columns(source.name, headers, columns)
    choice = choose_response(source.name, headers, assigned.headers, response)
    absent = list(_absent(source.name, needs, headers, assigned.headers))
    empty, cells = _named_cells(source, assigned.headers, needs)
    draft, unreadable = _numbers(source, cells, assigned.headers)
    units = choose_unit(replace(draft, response=choice.response), unit)
    draft = replace(draft, response=choice.response, unit=units.unit, needs=tuple(needs))
    wrong_values, draft = column_faults(draft, unreadable)
    faults = (*source.faults, *assigned.faults, *absent, *choice.faults, *units.faults, *wrong_values)
    faults = (*faults, *table_faults(draft))
    if faults or draft.response is None:
        raise InputError(*faults)
    compute = _compute(draft.frame)
    notes = (*source.notes, *assigned.notes, *empty, *units.notes, *remarks(draft, compute))
    return RunTable(
        name, _final_frame(draft, draft.response), draft.response, units.unit, compute, dict(record or {}), notes
    )


def _absent(source: str, needs: Sequence[str], headers: Sequence[str], chosen: Mapping[str, str]) -> Iterator[str]:
    unknown = [need for need in needs if need not in MEANINGS]
    if unknown:
        yield f"{source}: needs= has the unknown name {quoted(unknown)}; the names are {', '.join(MEANINGS)}"
    for need in (need for need in needs if need not in chosen and need not in unknown):
        yield missing_column(source, need, headers, tuple(chosen.values()))


def _compute(frame: pd.DataFrame) -> str:
    """Return where C comes from: ``given``, ``6ND``, or ``unknown`` where N or D is not there."""
    if "C" in frame:
        return "given"
    return "6ND" if {"N", "D"} <= set(frame) else "unknown"


def _named_cells(source: Source, chosen: Mapping[str, str], needs: Sequence[str]) -> tuple[list[str], pd.DataFrame]:
    """Give the cells their canonical names, and leave out covariates without any value, with a note."""
    names = {header: canonical for canonical, header in chosen.items()}
    shadowed = [header for header in source.frame if header in chosen and header not in names]
    cells = source.frame.drop(columns=shadowed).rename(columns=names)
    optional = [column for column in cells if column in chosen and column not in (*needs, *RESPONSES)]
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
        elif column in TEXT:
            values[column] = [clean(cell_text(cell).strip()) for cell in cells[column]]
        else:
            values[column] = cells[column].map(_clean_cell) if numbers.unreadable else numbers.array
    frame = pd.DataFrame(values, index=cells.index)
    return Draft(source.name, frame, cells, source.places, chosen), unreadable


def _clean_cell(cell: object) -> object:
    return clean(cell) if isinstance(cell, str) else cell


def _final_frame(draft: Draft, response: str) -> pd.DataFrame:
    """Put the columns in order, and label the runs that have no label."""
    frame = draft.frame.copy()
    if "run" not in frame:
        width = len(str(len(frame)))
        frame["run"] = [f"run {row:0{width}d}" for row in range(1, len(frame) + 1)]
    if _compute(frame) == "6ND":
        frame["C"] = FLOPS_PER_TOKEN * frame["N"] * frame["D"]
    first = [column for column in ("run", "N", "D", "C", response) if column in frame]
    known = [column for column in ALIASES if column in frame and column not in first]
    return frame[[*first, *known, *(column for column in frame if column not in (*first, *known))]]

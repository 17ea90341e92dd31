"""Read a table of runs: from a file or a table in memory to a RunTable, or to every fault at once."""

import os
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.runs.checks import batch_in_sequences, table_faults
from bayescale.runs.draft import Draft
from bayescale.runs.formulas import Vector
from bayescale.runs.frames import Runs, to_pandas
from bayescale.runs.grammar import metric_of
from bayescale.runs.header_words import read_header
from bayescale.runs.headers import (
    ALIASES,
    COUNTS,
    MEANINGS,
    NUMERIC,
    RESPONSES,
    TEXT,
    Assignment,
    assign_columns,
    missing_column,
    quoted,
    size_counted,
)
from bayescale.runs.numerals import cell_text, read_numbers
from bayescale.runs.products import offers_of_tokens
from bayescale.runs.remarks import remarks
from bayescale.runs.responses import UnitChoice, choose_response, choose_unit
from bayescale.runs.rows import DROPS, RowRules, keep_rows, row_labels
from bayescale.runs.rules import column_faults
from bayescale.runs.scales import Scale, scale_of
from bayescale.runs.source import Source, frame_source, read_source
from bayescale.runs.table import RunTable
from bayescale.words import clean, shortened

UNNAMED = "your table"
"""Name of a table in memory that nobody named, as sentences of notes and verdicts have it."""

DEFAULT_NEEDS = ("N", "D")
"""Covariates that must be there and vary, unless a call names others."""


def read_runs(
    source: Runs,
    *,
    columns: Mapping[str, str] | None = None,
    response: str | None = None,
    unit: str | None = None,
    needs: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
    where: str | None = None,
    drop: Sequence[str] | None = None,
    last_of: str | None = None,
    best_of: Sequence[str] | None = None,
    name: str | None = None,
    record: Mapping[str, str] | None = None,
) -> RunTable:
    """Read and check a table with one row per finished training run: from a file, or in memory.

    Parameters
    ----------
    source : path-like, DataFrame, table, mapping or RunTable
        A CSV file (separated by commas, semicolons, tabs or bars; UTF-8), JSON Lines (``.jsonl``, ``.ndjson``) or
        Parquet (needs pyarrow, in the extra ``parquet``). Or a DataFrame of pandas or polars, a pyarrow table, or a
        dict of columns; it is not changed, and a named index counts as a column. A table that is checked already is
        returned as it is.
    columns : mapping of str to str, optional
        Canonical name to the table's header, as in ``{"N": "model_size", "loss": "val/loss"}``, or to a product of
        headers and numbers: ``{"N": "Model Size (M) * 1e6", "D": "steps*batch"}``, ``{"D": "C/6N"}``. Usual headers
        such as ``params``, ``Tokens (B)``, ``flops`` and ``val_loss`` are known without it.
    response : str, optional
        ``loss``, ``bpc``, ``error`` or ``gain``; needed only where the table has more than one of them.
    unit : str, optional
        Unit of the response; by default what a column ``loss_unit`` or the header says (``val/bpb``, ``ppl``), else
        nats per token for ``loss``, bits per character for ``bpc``, the fraction wrong for ``error`` and nats below a
        unigram model for ``gain``. Of a ``perplexity`` the loss is the logarithm.
    needs : sequence of str, optional
        Covariates that must be there and vary: by default N and D, unless the laws you mean to fit use others, such as
        ``["D"]`` for learning curves of one model.
    ignore : sequence of str, optional
        Headers to read the table without.
    where : str, optional
        Keep the rows for which this holds, as in :func:`select_runs`, before values are checked.
    drop : sequence of str, optional
        ``unfinished``: rows whose column of status says so, or without a response. ``duplicates``: copies of a row.
    last_of : str, optional
        Keep the last row of each value of this column, such as ``training_run``.
    best_of : sequence of str, optional
        Keep the row of least response for each combination of these columns, such as ``["N", "D"]``.
    name : str, optional
        Name of the table; by default the file's stem, and ``your table`` in memory.
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
    rules = RowRules(where, tuple(drop or ()), last_of, tuple(best_of or ()))
    wanted = Wanted(
        columns, response, unit, DEFAULT_NEEDS if needs is None else tuple(needs), tuple(ignore or ()), rules
    )
    if isinstance(source, RunTable):
        options = {"columns": columns, "response": response, "unit": unit, "needs": needs, "name": name}
        _refuse_options(source, {**options, "record": record, "ignore": ignore, "rows": rules != RowRules() or None})
        return source
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        cells, name = read_source(path), name or path.stem
    else:
        cells = frame_source(name or UNNAMED, to_pandas(name or "runs", source))
        name = name or UNNAMED
    return _checked(cells, clean(name), wanted, dict(record or {}))


@dataclass(frozen=True)
class Wanted:
    """How a table is to be read."""

    columns: Mapping[str, str] | None
    response: str | None
    unit: str | None
    needs: tuple[str, ...]
    ignore: tuple[str, ...]
    rules: RowRules


def _refuse_options(table: RunTable, options: Mapping[str, object]) -> None:
    given = [option for option, value in options.items() if value is not None]
    if given:
        raise InputError(
            f"{table.name}: {', '.join(given)} say how to read a table, and this one is read already; give them "
            "where it is read"
        )


def as_table(runs: Runs, covariates: Container[str] = DEFAULT_NEEDS) -> RunTable:
    """Return runs as a checked table; those of N and D must vary that are among these covariates."""
    if isinstance(runs, RunTable):
        return runs
    return read_runs(runs, needs=[name for name in DEFAULT_NEEDS if name in covariates])


def _checked(source: Source, name: str, wanted: Wanted, record: dict[str, str]) -> RunTable:
    """Go through all checks, and collect every fault before refusing."""
    source = _without(source, wanted)
    headers = tuple(map(str, source.frame.columns))
    assigned = assign_columns(source.name, headers, wanted.columns, wanted.needs)
    choice = choose_response(source.name, headers, assigned.headers, wanted.response)
    empty, cells = _named_cells(source, assigned, wanted.needs)
    read = _numbers(source, cells, assigned)
    draft = replace(read.draft, response=choice.response, needs=wanted.needs)
    absent = list(_absent(draft, headers))
    draft, rows, dropped = keep_rows(draft, wanted.rules)
    unreadable = {column: _kept(texts, rows) for column, texts in read.unreadable.items()}
    draft, units = _converted(draft, choose_unit(draft, wanted.unit))
    wrong, draft = column_faults(draft, unreadable)
    wrong = _with_batch(draft, wrong)
    draft, wrong_values, left_out = _leave_out(draft, wrong, assigned.asked)
    faults = (*source.faults, *assigned.faults, *absent, *choice.faults, *units.faults, *read.faults, *wrong_values)
    faults = (*faults, *table_faults(draft))
    if faults or draft.response is None:
        raise InputError(*faults)
    compute = _compute(draft.frame)
    notes = (*source.notes, *assigned.notes, *empty, *read.notes, *dropped, *units.notes, *left_out)
    notes = (*notes, *remarks(draft, compute))
    if wanted.rules.where:
        name = f"{name} [{shortened(wanted.rules.where)}]"
    told = size_counted(headers, assigned.headers)
    record = record if "N" in record or not told else {**record, "N": told}
    return RunTable(name, _final_frame(draft, draft.response), draft.response, units.unit, compute, record, notes)


def _without(source: Source, wanted: Wanted) -> Source:
    """Leave out the headers that are to be ignored; refuse names that are none."""
    unknown = [header for header in wanted.ignore if header not in source.frame]
    if unknown:
        found = quoted(list(map(str, source.frame)))
        raise InputError(
            f"{source.name}: ignore= (--ignore) names {quoted(unknown)}, which is not there; found {found}"
        )
    wrong = [word for word in wanted.rules.drop if word not in DROPS]
    if wrong:
        raise InputError(f"{source.name}: drop= has {quoted(wrong)}; it takes {' and '.join(DROPS)}")
    frame = source.frame.drop(columns=list(wanted.ignore))
    empty = _empty_losses(frame, wanted.columns or {})
    notes = [f"column {header!r} has no values and is left out" for header in empty]
    return replace(source, frame=frame.drop(columns=empty), notes=(*source.notes, *notes))


def _empty_losses(frame: pd.DataFrame, columns: Mapping[str, str]) -> list[str]:
    """Return the losses without any value, where another loss has some and nobody asked for them."""
    losses = [str(header) for header in frame if metric_of(str(header)) and header not in columns.values()]
    empty = [header for header in losses if not any(cell_text(cell).strip() for cell in frame[header])]
    return empty if len(empty) < len(losses) else []


def _kept(texts: Mapping[int, str], rows: Sequence[int]) -> dict[int, str]:
    """Return what cannot be read in the rows kept, by their new numbers."""
    return {new: texts[old] for new, old in enumerate(rows) if old in texts}


def _converted(draft: Draft, units: UnitChoice) -> tuple[Draft, UnitChoice]:
    """Turn the column of the response into the response: a perplexity into its logarithm, an accuracy into an error."""
    frame = draft.frame
    if units.convert is not None and draft.has(draft.response):
        with np.errstate(all="ignore"):
            values = units.convert(frame[str(draft.response)].to_numpy(dtype=np.float64))
        frame = frame.assign(**{str(draft.response): values})
    return replace(draft, frame=frame, unit=units.unit), units


def _with_batch(draft: Draft, wrong: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Add what is wrong with a batch that counts sequences."""
    found = list(batch_in_sequences(draft))
    return {**wrong, "batch": [*wrong.get("batch", []), *found]} if found else dict(wrong)


def _leave_out(
    draft: Draft, wrong: Mapping[str, Sequence[str]], asked: frozenset[str]
) -> tuple[Draft, list[str], list[str]]:
    """Leave out the columns with faults that nobody asked for, with a note; the faults of the others stay."""
    wanted = {*asked, *draft.needs, "C", draft.response}
    out = [column for column in wrong if column not in wanted]
    notes = [
        f"{draft.call(column)} is left out, as nothing that was asked for needs it: "
        + wrong[column][0].partition(": ")[2]
        for column in out
    ]
    faults = [fault for column, found in wrong.items() if column in wanted for fault in found]
    return replace(draft, frame=draft.frame.drop(columns=out)), faults, notes


def _absent(draft: Draft, headers: Sequence[str]) -> Iterator[str]:
    unknown = [need for need in draft.needs if need not in MEANINGS]
    if unknown:
        yield f"{draft.source}: needs= has the unknown name {quoted(unknown)}; the names are {', '.join(MEANINGS)}"
    for need in (need for need in draft.needs if need not in draft.headers and need not in unknown):
        offers = offers_of_tokens(_numeric(draft), draft.headers) if need == "D" else []
        yield missing_column(draft.source, need, headers, draft.headers, offers)


def _numeric(draft: Draft) -> dict[str, Vector]:
    """Return the columns that are numbers, by their headers as written."""
    return {
        draft.headers.get(str(column), str(column)): draft.frame[column].to_numpy(dtype=np.float64)
        for column in draft.frame
        if pd.api.types.is_float_dtype(draft.frame[column].dtype)
    }


def _compute(frame: pd.DataFrame) -> str:
    """Return where C comes from: ``given``, ``6ND``, or ``unknown`` where N or D is not there."""
    if "C" in frame:
        return "given"
    return "6ND" if {"N", "D"} <= set(frame) else "unknown"


def _named_cells(source: Source, assigned: Assignment, needs: Sequence[str]) -> tuple[list[str], pd.DataFrame]:
    """Give the cells their canonical names, and leave out covariates without any value, with a note."""
    chosen = assigned.headers
    names = {header: canonical for canonical, header in chosen.items() if header in source.frame}
    shadowed = [header for header in source.frame if header in chosen and header not in names]
    cells = source.frame.drop(columns=shadowed).rename(columns=names)
    optional = [column for column in cells if column in chosen and column not in (*needs, *RESPONSES)]
    empty = [column for column in optional if not any(cell_text(cell).strip() for cell in cells[column])]
    notes = [f"column {column} ({chosen[column]!r}) has no values and is left out" for column in empty]
    return notes, cells.drop(columns=empty)


@dataclass(frozen=True, eq=False)
class Read:
    """Cells read as numbers, and what was wrong with them."""

    draft: Draft
    unreadable: Mapping[str, Mapping[int, str]]
    notes: tuple[str, ...]
    faults: tuple[str, ...]


def _numbers(source: Source, cells: pd.DataFrame, assigned: Assignment) -> Read:
    """Read the recognised columns as numbers and the others where every cell is one."""
    unreadable: dict[str, Mapping[int, str]] = {}
    values: dict[str, object] = {}
    scales: dict[str, Scale] = {}
    for column in cells:
        numbers = read_numbers(cells[column], count=column in COUNTS, decimal_commas=source.decimal_commas)
        if column in NUMERIC:
            header, formula = assigned.headers.get(column, column), assigned.formulas.get(column)
            scales[column] = scale_of((source.name, column, header), formula, cells[column], numbers.array)
            values[column], unreadable[column] = numbers.array * scales[column].factor, numbers.unreadable
        elif column in TEXT:
            values[column] = [clean(cell_text(cell).strip()) for cell in cells[column]]
        else:
            values[column] = cells[column].map(_clean_cell) if numbers.unreadable else numbers.array
    frame = pd.DataFrame(values, index=cells.index)
    derived = _products(source, frame, assigned)
    factors = {column: scale.factor for column, scale in scales.items()}
    written = cells.assign(**{name: [f"{value:.6g}" for value in found] for name, found in derived.items()})
    draft = Draft(source.name, frame.assign(**derived), written, source.places, assigned.headers, factors=factors)
    notes = [note for scale in scales.values() for note in scale.notes]
    notes += [f"{name} is computed as {assigned.formulas[name].text}" for name in derived]
    faults = tuple(fault for scale in scales.values() for fault in scale.faults)
    return Read(draft, unreadable, tuple(notes), faults)


def _products(source: Source, frame: pd.DataFrame, assigned: Assignment) -> dict[str, Vector]:
    """Compute the columns that are products of others."""
    by_header = {header: name for name, header in assigned.headers.items()}
    found: dict[str, Vector] = {}
    for name, formula in assigned.formulas.items():
        if not formula.single:
            parts = {}
            for header in (*formula.above, *formula.below):
                column = by_header.get(header, header)
                known = column in frame and column in NUMERIC
                cells = frame[column] if known else source.frame[header]
                numbers = read_numbers(cells, decimal_commas=source.decimal_commas).array
                parts[header] = numbers if known else numbers * read_header(header).factor
            found[name] = formula.value(parts)
    return found


def _clean_cell(cell: object) -> object:
    return clean(cell) if isinstance(cell, str) else cell


def _final_frame(draft: Draft, response: str) -> pd.DataFrame:
    """Put the columns in order, and label the runs that have no label."""
    frame = draft.frame.copy()
    if "run" not in frame:
        frame["run"] = row_labels(len(frame))
    if _compute(frame) == "6ND":
        frame["C"] = FLOPS_PER_TOKEN * frame["N"] * frame["D"]
    first = [column for column in ("run", "N", "D", "C", response) if column in frame]
    known = [column for column in ALIASES if column in frame and column not in first]
    return frame[[*first, *known, *(column for column in frame if column not in (*first, *known))]]

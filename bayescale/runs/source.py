"""Files of runs as they were written: cells as text, each row with its line."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bayescale.errors import InputError
from bayescale.runs.headers import quoted
from bayescale.runs.layout import COMMENT, decimal_points, without_comments
from bayescale.runs.numerals import PLAIN
from bayescale.words import clean, shortened

TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", "")
LINE_SUFFIXES = (".jsonl", ".ndjson")
LIST_SUFFIX = ".json"
PARQUET_SUFFIXES = (".parquet", ".pq")
MOST_COLUMNS, MOST_CELLS = 2_000, 20_000_000
"""Limits of a table: one of finished runs has tens of columns, and no law is fitted to a million rows."""

BINARY = {
    b"PK\x03\x04": "a spreadsheet or zip archive; export it as CSV",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"\xff\xfe": "not UTF-8 but UTF-16; save it as UTF-8",
    b"\xfe\xff": "not UTF-8 but UTF-16; save it as UTF-8",
    b"\x80\x04": "a pickle, which is never read; save it as CSV or Parquet",
    b"\x80\x05": "a pickle, which is never read; save it as CSV or Parquet",
}


@dataclass(frozen=True, eq=False)
class Source:
    """A table as it was written, before any meaning is given to it."""

    name: str  # as messages call it: "runs.csv"
    frame: pd.DataFrame  # RangeIndex; unique, non-empty headers; cells as written
    places: tuple[str, ...]  # where each row stands: "line 3"
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    decimal_commas: bool = False  # whether a comma may be a decimal point


def read_source(path: Path) -> Source:
    """Read a file by its suffix; ``InputError`` if it is no readable table."""
    content = _content(path)
    suffix = path.suffix.lower()
    if suffix in PARQUET_SUFFIXES or content.startswith(b"PAR1"):
        return _parquet_source(path)
    if suffix not in (*TEXT_SUFFIXES, *LINE_SUFFIXES, LIST_SUFFIX):
        raise InputError(
            f"{path.name}: the suffix {path.suffix!r} is not known; use .csv, .tsv, .jsonl, .ndjson, .json or .parquet"
        )
    name = clean(path.name)
    text = _decoded(name, content)
    if suffix == LIST_SUFFIX:
        return _list_source(name, text)
    return _line_source(name, text) if suffix in LINE_SUFFIXES else _delimited_source(name, text)


def check_size(name: str, columns: int, rows: int) -> None:
    """Raise InputError for a table larger than any of runs, before it is built."""
    if columns > MOST_COLUMNS:
        raise InputError(
            f"{name}: {columns:,} columns; at most {MOST_COLUMNS:,} are read: keep run, N, D, loss and what laws use"
        )
    if columns * rows > MOST_CELLS:
        raise InputError(
            f"{name}: {rows:,} rows or more of {columns:,} columns; at most {MOST_CELLS:,} cells are read: keep a row "
            "for each finished run"
        )


def frame_source(name: str, frame: pd.DataFrame, faults: Sequence[str] = ()) -> Source:
    """Take a DataFrame as a source; a named index becomes a column."""
    if frame.index.name is not None and frame.index.name not in frame.columns:
        frame = frame.reset_index()
    check_size(name, len(frame.columns), len(frame))
    headers = [clean(str(header).strip()) for header in frame.columns]
    kept = _kept_headers(name, headers)
    if not len(frame):
        raise InputError(*faults, f"{name}: the table has no rows")
    cells = frame.iloc[:, list(kept.positions)].reset_index(drop=True)
    cells.columns = pd.Index([headers[position] for position in kept.positions])
    places = tuple(f"row {row}" for row in range(1, len(cells) + 1))
    return Source(name, cells, places, (*faults, *kept.faults), kept.notes)


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"{path}: this is a directory; give the file of runs in it")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; working directory {Path.cwd()}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return content


def _decoded(name: str, content: bytes) -> str:
    for magic, meaning in BINARY.items():
        if content.startswith(magic):
            raise InputError(f"{name}: the file is {meaning}")
    if b"\x00" in content:
        raise InputError(f"{name}: the file holds NUL bytes, so it is binary or UTF-16; save it as UTF-8 text")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise InputError(
            f"{name}: the file is not UTF-8 (byte 0x{byte:02x} on line {line}); save it as UTF-8"
        ) from None
    if not re.search(r'[^\s,;"]', text):
        raise InputError(f"{name}: the file is empty; expected a header and one line per run")
    return text


@dataclass(frozen=True)
class _Kept:
    positions: tuple[int, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...]


def _kept_headers(name: str, headers: Sequence[str]) -> _Kept:
    """Find repeated and empty headers; the first of each name is kept for the checks that follow."""
    repeated = [header for header, count in Counter(headers).items() if count > 1 and header]
    nameless = [str(position) for position, header in enumerate(headers, 1) if not header]
    faults = [f"{name}: more than one column is called {quoted(repeated)}; rename or remove the others"] * bool(
        repeated
    )
    notes = [f"columns without a name are left out: number {shortened(', '.join(nameless))}"] * bool(nameless)
    first = {header: position for position, header in reversed(list(enumerate(headers))) if header}
    return _Kept(tuple(sorted(first.values())), tuple(faults), tuple(notes))


def _delimited_source(name: str, text: str) -> Source:
    text = re.sub(r"\Asep=[^\n]\r?\n", "\n", text)  # which Excel writes above
    separator = _separator(text)
    notes: list[str] = []
    (header_place, header), *rows = _limited(name, without_comments(_records(name, text, separator), notes))
    headers = [clean(cell.strip()) for cell in header]
    if all(PLAIN.fullmatch(cell) for cell in headers):
        raise InputError(f"{name}: {header_place} holds only numbers, so there is no header; add one: run,N,D,loss")
    _refuse_charts(name, headers)
    if not rows:
        raise InputError(f"{name}: there is a header on {header_place} and no row below it; add one line per run")
    fitting = [(place, cells) for place, cells in rows if len(cells) == len(headers)]
    faults = list(_ragged_faults(name, rows, len(headers)))
    kept = _kept_headers(name, headers)
    written = {headers[position]: [cells[position] for _, cells in fitting] for position in kept.positions}
    columns, said = decimal_points(written)
    return Source(
        name,
        pd.DataFrame(columns, dtype=str),
        tuple(place for place, _ in fitting),
        (*faults, *kept.faults),
        (*notes, *kept.notes, *([said] if said else [])),
        decimal_commas=separator == ";" or bool(said),
    )


def _refuse_charts(name: str, headers: Sequence[str]) -> None:
    """Refuse the curves of one chart, which trackers' pages download as CSV too."""
    if any(header.endswith("__MIN") for header in headers):
        raise InputError(
            f"{name}: this is a chart of W&B, a line for each step; export the table of runs as CSV instead, and read "
            "it with bayescale import"
        )
    if {"metric", "step", "value"} <= {header.casefold() for header in headers}:
        raise InputError(
            f"{name}: this is a chart of MLflow, a line for each step; download the table of runs as CSV instead, and "
            "read it with bayescale import"
        )
    if {"Wall time", "Step", "Value"} == set(headers):
        raise InputError(
            f"{name}: this is a chart of TensorBoard, a line for each step of one run; give bayescale import the "
            "folder of event files instead"
        )


def _separator(text: str) -> str:
    """Return the separator that cuts the first line into most fields; a comma when none does."""
    lines = [line for line in text.splitlines() if re.search(r'[^\s,;"]', line)]
    header = next((line for line in lines if not COMMENT.match(line)), lines[0])
    unquoted = re.sub(r'"[^"]*"', "", lines[0] if any(map(lines[0].count, ",\t;|")) else header)
    return max(",\t;|", key=unquoted.count)


def _limited(name: str, records: Iterator[tuple[str, list[str]]]) -> Iterator[tuple[str, list[str]]]:
    """Yield the header and the rows, as long as they are no more than is read."""
    columns = 0
    for rows, (place, cells) in enumerate(records):
        columns = columns or len(cells)
        check_size(name, columns, rows)
        yield place, cells


def _records(name: str, text: str, separator: str) -> Iterator[tuple[str, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield f"line {start}", cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{name}: line {start} cannot be read ({error}); look for an unclosed quotation mark"
        ) from None


def _ragged_faults(name: str, rows: Sequence[tuple[str, Sequence[str]]], expected: int) -> Iterator[str]:
    comparisons: dict[str, Callable[[int], bool]] = {
        "too many": lambda count: count > expected,
        "too few": lambda count: count < expected,
    }
    for words, differs in comparisons.items():
        found = [f"{place} ({len(cells)})" for place, cells in rows if differs(len(cells))]
        if found:
            more = f", and {len(found) - 5} more" if len(found) > 5 else ""
            yield (
                f"{name}: {words} fields on {', '.join(found[:5])}{more}; the header has {expected}; "
                "quote values that hold the separator, and write numbers without thousands separators"
            )


def _line_source(name: str, text: str) -> Source:
    records: list[dict[str, object]] = []
    places: list[str] = []
    faults: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            records.append(_json_object(line))
            places.append(f"line {number}")
        except (ValueError, RecursionError) as error:
            faults.append(f"{name}: line {number} is not a JSON object ({error}); write one object per line")
    if not records:
        raise InputError(*_shortened(faults))
    return _object_source(name, records, places, faults)


def _list_source(name: str, text: str) -> Source:
    """Read a JSON list of objects, one for each run, or an object that holds one."""
    try:
        content = json.loads(text, object_pairs_hook=_unrepeated)
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: this is no JSON ({error}); write a list of objects, one for each run") from None
    entries = _entries(content)
    if not entries:
        raise InputError(
            f"{name}: expected a list of objects, one for each run; found {type(content).__name__}; write it as "
            '[{"N": 1e9, "D": 2e10, "loss": 2.7}, ...]'
        )
    return _object_source(name, entries, [f"entry {number}" for number in range(1, len(entries) + 1)], [])


def _entries(content: object) -> list[dict[str, object]]:
    """Return the objects of a list, of the only list of an object, of columns, or of runs by name; none elsewhere."""
    if isinstance(content, list):
        return content if all(isinstance(entry, dict) for entry in content) else []
    if not isinstance(content, dict):
        return []
    values = list(content.values())
    lists = [value for value in values if isinstance(value, list)]
    if len(lists) == 1 and all(isinstance(entry, dict) for entry in lists[0]):
        return lists[0]
    if lists and len(lists) == len(values) and len({len(each) for each in lists}) == 1:
        return [dict(zip(content, row, strict=True)) for row in zip(*lists, strict=True)]
    if values and all(isinstance(value, dict) and value for value in values):
        return [{"run": name, **entry} for name, entry in content.items()]
    return []


def _object_source(
    name: str, objects: Sequence[dict[str, object]], places: Sequence[str], faults: Sequence[str]
) -> Source:
    """Make a column of each field; fields within fields are called by both names, as in train.steps."""
    records = [_flat(entry) for entry in objects]
    headers = list(dict.fromkeys(key for record in records for key in record))
    check_size(name, len(headers), len(records))
    columns = {header: [record.get(header) for record in records] for header in headers}
    frame = frame_source(name, pd.DataFrame(columns, dtype=object), _shortened(faults))
    return Source(name, frame.frame, tuple(places), frame.faults, frame.notes)


def _flat(content: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in content.items():
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value})
    return flat


def _json_object(line: str) -> dict[str, object]:
    content = json.loads(line, object_pairs_hook=_unrepeated)
    if not isinstance(content, dict):
        raise ValueError(f"found {type(content).__name__}")
    if "\\u" in line:
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair is no text, and raises a ValueError
    return content


def _unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key appears twice")
    return content


def _shortened(faults: Sequence[str]) -> list[str]:
    more = [f"{faults[5].split(':', 1)[0]}: and {len(faults) - 5} more lines like these"] if len(faults) > 5 else []
    return [*faults[:5], *more]


def _parquet_source(path: Path) -> Source:
    name = clean(path.name)
    try:
        from pyarrow import parquet  # noqa: PLC0415  an optional extra

        there = parquet.read_metadata(path)
        check_size(name, there.num_columns, there.num_rows)
        content = parquet.read_table(path)
        content.validate(full=True)
        frame = content.to_pandas()
    except ImportError:
        raise InputError(f"{name}: reading Parquet needs pyarrow; pip install 'bayescale[parquet]'") from None
    except InputError:
        raise
    except (ValueError, OSError, KeyError, TypeError, NotImplementedError, MemoryError) as error:
        raise InputError(
            f"{name}: this is no readable Parquet file ({shortened(str(error))}); write it again"
        ) from None
    return frame_source(name, frame)

"""Which header of a table of scores is what, and its numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.runs.formulas import Formula, parse_formula
from bayescale.runs.grammar import is_quantity
from bayescale.runs.header_words import read_header
from bayescale.runs.numerals import read_numbers
from bayescale.runs.source import Source

TEXTS = ("run", "family", "quality", "date", "response", "kind", "protocol")
COUNTS = ("N", "D", "C")
NUMBERS = ("score", "correct", "items", "chance", "ceiling")
NAMES = (*TEXTS, *COUNTS, *NUMBERS)

ALIASES: Mapping[str, tuple[str, ...]] = {
    "run": ("model", "model name"),
    "family": ("model family",),
    "quality": ("compute quality",),
    "date": ("release", "release date", "released"),
    "response": ("benchmark", "task"),
    "score": ("accuracy", "value"),
    "items": ("questions",),
    "chance": ("guess",),
    "N": ("model size",),
    "D": ("pretraining data size", "training data size"),
}
"""What headers call the columns, beside their own names and the words of :mod:`bayescale.runs.grammar`."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table of scores.

    Attributes
    ----------
    formulas : mapping of str to Formula
        Canonical name, or response of a wide table, to where its numbers come from.
    responses : tuple of str
        Responses of a wide table; empty where the table is long.
    """

    formulas: Mapping[str, Formula]
    responses: tuple[str, ...]


def find_columns(
    source: Source, columns: Mapping[str, str] | None, responses: Sequence[str] | None, ignore: Sequence[str]
) -> Columns:
    """Find the columns of a long or wide table, by the user's mapping first and by their headers after."""
    headers = [str(header) for header in source.frame.columns if header not in ignore]
    asked = dict(columns or {})
    found = {name: _parsed(source.name, name, text, headers) for name, text in asked.items()}
    used = {header for formula in found.values() for header in (*formula.above, *formula.below)}
    for name in NAMES:
        if name not in found and (header := _header_of(name, [each for each in headers if each not in used])):
            found[name] = _single(header, _factor(name, header))
            used.add(header)
    if "response" in found:
        return Columns(found, ())
    left = [header for header in headers if header not in used and _is_numeric(source.frame[header])]
    chosen = tuple(responses) if responses is not None else (*(set(found) - set(NAMES)), *left)
    unknown = [name for name in chosen if name not in found and name not in headers]
    if unknown:
        raise InputError(f"{source.name}: there is no column {', '.join(unknown)}; found {', '.join(headers)}")
    return Columns(found | {name: _single(name) for name in chosen if name not in found}, tuple(chosen))


def _single(header: str, factor: float = 1.0) -> Formula:
    return Formula(header, factor, (header,))


def _parsed(source: str, name: str, text: str, headers: Sequence[str]) -> Formula:
    formula = _single(text) if text in headers else parse_formula(text, headers, {})
    if formula is None:
        raise InputError(
            f"{source}: {name} is mapped to {text!r}, which is no header and no product of headers and numbers; "
            f"found {', '.join(headers)}"
        )
    return formula


def _header_of(name: str, headers: Sequence[str]) -> str | None:
    """Return the header that says best that it is a column."""
    exact = [header for header in headers if header == name]
    words = [header for header in headers if _plain(header) in (name.casefold(), *ALIASES.get(name, ()))]
    quantity = [header for header in headers if name in COUNTS and is_quantity(header, name)]
    return next(iter((*exact, *words, *quantity)), None)


def _plain(header: str) -> str:
    return " ".join(read_header(header).words)


def _factor(name: str, header: str) -> float:
    return read_header(header).factor if name in COUNTS else 1.0


def _is_numeric(cells: "pd.Series[object]") -> bool:
    found = read_numbers(cells, count=False)
    return not found.unreadable and bool(np.isfinite(found.array).any())


def texts(source: Source, columns: Columns, name: str) -> "pd.Series[str] | None":
    """Return a column of text, empty where nothing is written; None where there is no such column."""
    if name not in columns.formulas:
        return None
    cells = source.frame[columns.formulas[name].above[0]]
    return cells.where(cells.notna(), "").astype(str).str.strip()


def numbers(source: Source, columns: Columns, name: str) -> np.ndarray | None:
    """Return a column of numbers, NaN where nothing is written; None where there is no such column."""
    formula = columns.formulas.get(name)
    if formula is None:
        return None
    headers = (*formula.above, *formula.below)
    return formula.value({each: read_numbers(source.frame[each], count=name in COUNTS).array for each in headers})


def unreadable(source: Source, columns: Columns) -> Iterator[str]:
    """Say which cells of numbers cannot be read."""
    counted = {each for name in COUNTS if name in columns.formulas for each in columns.formulas[name].above}
    wanted = [name for name in columns.formulas if name not in TEXTS]
    headers = dict.fromkeys(each for name in wanted for each in columns.formulas[name].above)
    for header in headers:
        for row, remedy in read_numbers(source.frame[header], count=header in counted).unreadable.items():
            cell = str(source.frame[header].iloc[row])
            yield f"{source.name}: column {header} is {cell!r} on {source.places[row]}; {remedy}"

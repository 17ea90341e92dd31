"""Numbers as people write them in tables: 70B, 1.4T, 1,000,000, 1e21."""

import math
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

POWERS = {"": 0, "k": 3, "m": 6, "b": 9, "g": 9, "t": 12}
MISSING = frozenset({"", "-", "na", "n/a", "#n/a", "nan", "none", "null", "<na>", "nat"})
INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
COUNT = re.compile(
    r"(?P<sign>[+-]?)(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?:_[0-9]{3})+|[0-9]+|(?=\.[0-9]))"
    r"(?P<fraction>(?:\.[0-9]*)?)(?:[eE](?P<exponent>[+-]?[0-9]{1,9})|[ \u00a0]*(?P<suffix>[kKmMbBgGtT]))?"
)
GROUPED = re.compile(r"[+-]?[0-9]+(?:[,_][0-9]+)+(?:\.[0-9]*)?\s*(?:[eE][+-]?[0-9]+|[a-zA-Z])\s*")
TWICE = re.compile(r"[+-]?[0-9.]+[eE][+-]?[0-9]+\s*[a-zA-Z]")
PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
ODD_FORMS = {
    re.compile(r".*%", re.DOTALL): "percentages are not understood, so write the part, such as 0.231 for 23.1%",
    re.compile(r"[+-]*0[xX].*", re.DOTALL): "hexadecimal is not understood, so write the decimal number",
    TWICE: "an exponent and a letter are two factors, so write one of them, such as 7e9 or 7B",
    GROUPED: "groups of digits do not stand before an exponent or a letter, so write 1,234e9 as 1234e9 or 1.234e9",
    DECIMAL_COMMA: "a comma may be a decimal point here, so write 2,13 as 2.13 and thousands without separator",
}
"""Forms of cells that are no number, or may be two, and what to write instead."""


class UnreadableNumberError(ValueError):
    """Text that is no number we are sure of; the message says what to write instead."""


def parse_number(text: str, *, count: bool = True, decimal_commas: bool = False) -> float:
    """Return the number that ``text`` stands for; NaN where the cell is missing.

    Parameters
    ----------
    text : str
        One cell. ``350M``, ``1.4T``, ``2k``, ``7e9``, ``1,000,000`` and ``1_000`` are understood.
    count : bool
        Whether the column holds counts; other columns take plain numbers only, without suffix or grouping.
    decimal_commas : bool
        Whether a lone comma may be a decimal point (in a file separated by ``;``), so that ``1,234`` is refused.

    Raises
    ------
    UnreadableNumberError
        If the text is anything else; the message is the remedy.
    """
    word = text.strip()
    if word.lower() in MISSING:
        return float("nan")
    if INFINITE.fullmatch(word):
        return float(word)
    if not count:
        if PLAIN.fullmatch(word):
            return float(word)
        raise UnreadableNumberError(remedy_for(word, count=False))
    match = COUNT.fullmatch(word)
    if match is None or (decimal_commas and word.count(",") == 1) or GROUPED.fullmatch(word):
        raise UnreadableNumberError(remedy_for(word, count=True))
    digits = match["digits"].replace(",", "").replace("_", "") + match["fraction"]
    power = int(match["exponent"] or 0) + POWERS[(match["suffix"] or "").lower()]
    return float(f"{match['sign']}{digits}e{power}")


def read_count(text: str) -> float:
    """Return the count that ``text`` stands for: ``70B``, ``15T`` or ``1.5e13``.

    Raises
    ------
    UnreadableNumberError
        If it is no count, or none is there.
    """
    value = parse_number(text)
    if not math.isfinite(value):
        raise UnreadableNumberError(f"expected a count such as 7e9, 7B or 15T; found {text!r}")
    return value


def remedy_for(word: str, *, count: bool) -> str:
    """Say what to write instead of ``word``, which could not be read as a number."""
    for written, remedy in ODD_FORMS.items():
        if written.fullmatch(word):
            return remedy
    if count:
        return "this is no number, so write a count such as 7e9, 7B or 7,000,000,000"
    return "this is no number, so write a plain number such as 2.13"


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column read as numbers: NaN where missing or unreadable."""

    array: np.ndarray[tuple[int], np.dtype[np.float64]]
    unreadable: dict[int, str]  # row -> remedy


def read_numbers(cells: pd.Series, *, count: bool = True, decimal_commas: bool = False) -> Numbers:
    """Read every cell of a column as a number, whatever its type."""
    if pd.api.types.is_float_dtype(cells.dtype) or pd.api.types.is_integer_dtype(cells.dtype):
        return Numbers(cells.to_numpy(dtype=np.float64, na_value=np.nan), {})
    values = np.full(len(cells), np.nan)
    unreadable = {}
    for row, cell in enumerate(cells):
        try:
            values[row] = parse_number(cell_text(cell), count=count, decimal_commas=decimal_commas)
        except UnreadableNumberError as error:
            unreadable[row] = str(error)
    return Numbers(values, unreadable)


def cell_text(cell: object) -> str:
    """Return a cell as text; missing cells of any kind are empty."""
    if cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    return str(cell)

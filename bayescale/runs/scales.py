"""The one factor of a column of counts: by its header first, by its magnitude second, never cell by cell."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.runs.draft import Draft
from bayescale.runs.formulas import Formula, Vector
from bayescale.runs.grammar import in_memory, is_of_a_pass, logarithm_of, quantity
from bayescale.runs.header_words import read_header
from bayescale.runs.headers import how_to_map
from bayescale.runs.numerals import cell_text
from bayescale.words import typed

SUFFIXED = re.compile(r".*[0-9.]\s*[kKmMbBgGtT]\s*")
SCALED = ("N", "D", "C", "unique_tokens", "active_N", "datastore_tokens", "steps", "batch", "vocabulary")
WORDS = {1e3: "thousands", 1e6: "millions", 1e9: "billions", 1e12: "trillions"}
USUAL = {"N": (1e5, 3e12), "active_N": (1e5, 3e12), "D": (1e7, 1e14), "unique_tokens": (1e6, 1e14)}
"""Sizes and tokens of most runs published, between which a median should be."""
BEYOND = {"N": 1e13, "active_N": 1e13, "D": 1e16, "unique_tokens": 1e16, "C": 1e29}
SMALLEST_COUNT = 1e4
BYTES = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
SECONDS = {"days": 86400.0, "day": 86400.0, "seconds": 1.0, "second": 1.0, "sec": 1.0, "secs": 1.0, "minutes": 60.0}
FLOPS_OF_SECOND = 4e14
"""FLOP a second of an H100 in dense bfloat16 at 40% of its peak."""
FLOP_UNITS = {"yottaFLOP": 1e24, "zettaFLOP": 1e21, "PF-days": 8.64e19, "exaFLOP": 1e18, "petaFLOP": 1e15}
SMALLEST_COMPUTE = 1e9
"""FLOP that no training run falls short of."""


@dataclass(frozen=True)
class Scale:
    """What a column is multiplied by, and what there is to say of it."""

    factor: float = 1.0
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def scale_of(place: tuple[str, str, str], formula: Formula | None, cells: pd.Series, values: Vector) -> Scale:
    """Return the factor of a column (its table, its name, its header): the user's, else that of the header's words."""
    source, column, header = place
    read = read_header(header)
    if formula is not None:
        return Scale(formula.factor)
    if column in SCALED and (fault := _other_quantity(column, header)):
        return Scale(read.factor, faults=(f"{source}: {fault}",))
    if column not in SCALED or read.factor == 1:
        return Scale()
    texts = [text for cell in cells if (text := cell_text(cell).strip())]
    lettered = sum(SUFFIXED.fullmatch(text) is not None for text in texts)
    if texts and lettered == len(texts):
        return Scale(notes=(f"{column} is read by the letters of its cells; {read.said!r} in {header!r} adds nothing",))
    fault = _fault_of_scale(place, lettered > 0, values)
    if fault:
        return Scale(read.factor, faults=(fault,))
    return Scale(read.factor, (f"{column} is {header!r} times {typed(read.factor, 4)}, as the header says",))


def _other_quantity(column: str, header: str) -> str:
    """Say what a header counts where that is not what its column holds; nothing where it may be."""
    call, words = f"column {column} ({header!r})", read_header(header).words
    if logarithm_of(header):
        return f"{call} holds logarithms, as its header says; write the counts themselves, under another header"
    if column in ("N", "active_N") and in_memory(header):
        byte = next((size for name, size in BYTES.items() if set(words) & {f"{name}b", f"{name}ib"}), 1.0)
        remedy = how_to_map(column, f"{header} * {typed(byte / 2, 4)}")
        return f"{call} is a size in memory; divide it by the bytes of a parameter, as in {remedy} for two of them"
    if column == "C" and quantity(header) == "time":
        seconds = next((length for name, length in SECONDS.items() if name in words), 3600.0)
        remedy = how_to_map("C", f"{header} * {typed(FLOPS_OF_SECOND * seconds, 3)}")
        return (
            f"{call} is time, not FLOP; multiply it by the FLOP of its unit, peak times utilization, as in {remedy} "
            "for an H100 at 40%, or leave it out"
        )
    if column == "C" and is_of_a_pass(header):
        remedy = how_to_map("C", f"{header} * {typed(read_header(header).factor, 4)}")
        return f"{call} may be the FLOP of a forward pass or of a second; where it is that of the training, {remedy}"
    return ""


def _fault_of_scale(place: tuple[str, str, str], lettered: bool, values: Vector) -> str:
    """Say why the factor that a header says cannot be that of its column; nothing where it can."""
    source, column, header = place
    read = read_header(header)
    call = f"column {column} ({header!r})"
    remedies = (how_to_map(column, f"{header} * 1"), how_to_map(column, f"{header} * {typed(read.factor, 4)}"))
    if lettered:
        return (
            f"{source}: {call} has cells with a letter of their own and cells without one; write all of them in ones, "
            f"and say so with {remedies[0]}"
        )
    typical = float(np.nanmedian(values)) if np.isfinite(values).any() else np.nan
    if column in BEYOND and typical * read.factor > BEYOND[column] and typical >= SMALLEST_COUNT:
        return (
            f"{source}: the header of {call} says {read.said!r}, and its values, around {typed(typical, 3)}, look like "
            f"ones; say which with {remedies[0]} or {remedies[1]}"
        )
    return ""


def factors_by_magnitude(draft: Draft, column: str) -> list[float]:
    """Return the factors by which a column of small values may be counts, the likeliest first."""
    values = draft.frame[column]
    values = values[np.isfinite(values) & (values > 0)]
    low, high = USUAL[column]
    fitting = [
        factor
        for factor in WORDS
        if low <= values.median() * factor <= high and values.min() * factor >= SMALLEST_COUNT
    ]
    ratios = {factor: _tokens_per_parameter(draft, column, factor) for factor in fitting}
    known = {factor: ratio for factor, ratio in ratios.items() if ratio is not None and 0 < ratio < np.inf}
    if known:
        fitting = [factor for factor, ratio in known.items() if 0.1 <= ratio <= 1e5] or fitting
        fitting.sort(key=lambda factor: abs(np.log(known[factor] / 20)))
    return fitting


def _tokens_per_parameter(draft: Draft, column: str, factor: float) -> float | None:
    """Return the median of D/N by this factor; None where the other column is not there in ones."""
    other = {"N": "D", "D": "N"}.get(column)
    if other is None or not draft.has(other):
        return None
    ones = float(draft.frame[other].median())
    if not ones >= SMALLEST_COUNT:
        return None
    own = float(draft.frame[column].median()) * factor
    return own / ones if column == "D" else ones / own


def remedy_by_magnitude(draft: Draft, column: str) -> str:
    """Say which factors make counts of a column of small values, as options to choose from."""
    header = draft.headers.get(column, column)
    options = [
        f"in {WORDS[factor]}: {how_to_map(column, f'{header} * {typed(factor, 4)}')}"
        for factor in factors_by_magnitude(draft, column)
    ]
    if _may_be_logarithms(draft.frame[column]):
        options.append("where they are logarithms: write the counts themselves, 10 ** value")
    return "; ".join(options) or "write them in ones"


def _may_be_logarithms(values: "pd.Series[float]") -> bool:
    """Tell values such as 7.7 to 9.2, which log10 of counts are as likely to be as counts in millions."""
    return bool(values.between(4, 15).all() and (values % 1 != 0).any())


def remedy_of_compute(draft: Draft) -> str:
    """Say which units make FLOP of training runs of a column of small values."""
    header, typical = draft.headers.get("C", "C"), float(draft.frame["C"].median())
    options = [
        f"in {unit}: {how_to_map('C', f'{header} * {typed(flop, 4)}')}"
        for unit, flop in FLOP_UNITS.items()
        if typical * flop <= 1e28 and draft.frame["C"].min() * flop >= SMALLEST_COMPUTE
    ]
    return "; ".join(options)

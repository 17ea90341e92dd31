"""Responses of the same runs: groups, domains, languages or metrics, as columns of one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.runs import Runs
from bayescale.runs.columns import named_frame, numbers
from bayescale.runs.units import numbered, units_of
from bayescale.values import Value

TRENDS = ("share", "number")
"""Forms that are no law: a share of items on the logit scale, and any number as it is, each bent in log compute."""

FEWEST_ITEMS = 30
"""A group of fewer items gets no verdict: a share of 30 items has a standard error of up to .09."""

ERROR_SUFFIX = "_se"


@dataclass(frozen=True)
class Response:
    """A column of the table that is a response of its own.

    Attributes
    ----------
    column : str
        Its header.
    better : str or float
        ``lower``, ``higher``, or the value at which it is best, such as 0.5 for a preference.
    group : str
        What it is of, such as a language; the column's name by default. Responses of one group by several metrics have
        the same.
    error : str
        Column of the standard error of each value; by default the response's own with ``_se`` behind it, where there is
        one.
    items : int
        Number of items that it is an average over, if known.
    floor, ceiling : float
        Of a share: what chance gives, and the most there is.
    """

    column: str
    better: str | float = "lower"
    group: str = ""
    error: str = ""
    items: int | None = None
    floor: float = 0.0
    ceiling: float = 1.0

    def __post_init__(self) -> None:
        """Check what it says of itself."""
        target = not isinstance(self.better, str) and np.isfinite(self.better)
        if not (self.better in ("lower", "higher") or target):
            raise InputError(
                f"response {self.column}: better is {self.better!r}; expected 'lower', 'higher' or the best value"
            )
        if not self.floor < self.ceiling:
            raise InputError(
                f"response {self.column}: floor {self.floor:g}, ceiling {self.ceiling:g}; expected floor below ceiling"
            )

    @property
    def name(self) -> str:
        """What its group is called."""
        return self.group or self.column

    def worsening(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return how much worse values after are than those before, in the response's unit; below zero if better."""
        if self.better == "lower":
            return np.asarray(after - before)
        if self.better == "higher":
            return np.asarray(before - after)
        return np.asarray(np.abs(after - float(self.better)) - np.abs(before - float(self.better)))


@dataclass(frozen=True, eq=False, repr=False)
class Cells(Value):
    """What was measured: one cell for each run and response that has a value.

    Attributes
    ----------
    measured, errors : numpy.ndarray
        The response and its standard error, zero where it is not known (cell,).
    group : numpy.ndarray
        Position of the response (cell,).
    row : numpy.ndarray
        Row of the table (cell,).
    columns : mapping of str to numpy.ndarray
        N, D and C of each row, those there are (row,).
    units : numpy.ndarray
        Number of each row's training run (row,).
    """

    measured: np.ndarray
    errors: np.ndarray
    group: np.ndarray
    row: np.ndarray
    columns: Mapping[str, np.ndarray]
    units: np.ndarray


def cells_of(runs: Runs, responses: Sequence[Response]) -> tuple[str, Cells]:
    """Return the name of a table and its cells.

    Raises
    ------
    InputError
        If a column is missing or no number, or there are too few values.
    """
    name, frame = named_frame(runs)
    columns = _compute(name, frame)
    parts = []
    for position, response in enumerate(responses):
        values = numbers(name, frame, response.column)
        rows = np.flatnonzero(np.isfinite(values))
        if rows.size < 4:
            raise InputError(f"{name}: response {response.column} has {rows.size} values; expected at least 4")
        errors = _errors(name, frame, response, values)
        parts.append((values[rows], errors[rows], np.full(rows.size, position), rows))
    values, errors, group, row = (np.concatenate(each) for each in zip(*parts, strict=True))
    return name, Cells(values, errors, group, row, columns, numbered(units_of(frame)))


def _compute(name: str, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the columns of size, tokens and compute that there are, C by 6 N D where it is not given."""
    found = {each: numbers(name, frame, each) for each in ("N", "D", "C") if each in frame}
    if "C" not in found and {"N", "D"} <= set(found):
        found["C"] = FLOPS_PER_TOKEN * found["N"] * found["D"]
    if "C" not in found:
        raise InputError(
            f"{name}: responses need the compute of each run: columns N and D, or C; found "
            f"{', '.join(map(str, frame))}; rename them, or read the table with read_runs"
        )
    for column, values in found.items():
        if not (np.isfinite(values) & (values > 0)).all():
            raise InputError(
                f"{name}: column {column} has values that are missing or not above zero; leave such runs out"
            )
    return found


def _errors(name: str, frame: pd.DataFrame, response: Response, values: np.ndarray) -> np.ndarray:
    """Return standard errors: of their own column, else of the number of items, else none."""
    column = response.error or f"{response.column}{ERROR_SUFFIX}"
    if response.error or column in frame:
        return np.asarray(np.nan_to_num(numbers(name, frame, column)))
    if response.items is None:
        return np.zeros_like(values)
    spread = np.clip(values, 0.0, 1.0) * (1 - np.clip(values, 0.0, 1.0))
    return np.asarray(np.sqrt(np.maximum(spread, 1 / response.items) / response.items))

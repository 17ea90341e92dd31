"""What a recipe is: a function from verified upstream files to canonical columns, and what it left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True, eq=False)
class Extract:
    """The rows of one table in canonical columns.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row per run: ``run``, the covariates under their canonical names, the response.
    notes : tuple of str
        What was left out or corrected, how many rows, and why.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()


type Recipe = Callable[[Mapping[str, Path], str], Extract]
"""Takes verified files by name, and which of the source's tables to make."""


def left_out(count: int, reason: str) -> tuple[str, ...]:
    """Return a note on rows left out, or none where there are none."""
    rows = "row" if count == 1 else "rows"
    return (f"{count} {rows} left out: {reason}",) if count else ()

"""Tables of which only some columns matter: their usual names, and their numbers, without the rules of runs."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.runs import Runs
from bayescale.runs.frames import to_pandas
from bayescale.runs.headers import stands_for
from bayescale.runs.source import read_source
from bayescale.runs.table import RunTable

USUAL = ("N", "D", "C", "training_run")


def named_frame(runs: Runs, name: str = "runs", columns: Iterable[str] = USUAL) -> tuple[str, pd.DataFrame]:
    """Return the name of a table, and its cells with the usual names of these columns where one header stands for each.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        The table.
    name : str
        What a table without a file is called.
    columns : iterable of str
        The usual names.
    """
    if isinstance(runs, RunTable):
        return runs.name, runs.frame
    if isinstance(runs, str | os.PathLike):
        path = Path(runs)
        name, frame = path.stem, read_source(path).frame
    else:
        frame = to_pandas(name, runs)
    known = {}
    for canonical in columns:
        headers = [str(header) for header in frame if stands_for(str(header), canonical)]
        if canonical not in frame and len(headers) == 1:
            known[headers[0]] = canonical
    renamed = frame.rename(columns=known)
    if "training_run" in renamed:
        renamed["training_run"] = renamed["training_run"].astype(str)
    return name, renamed


def numbers(name: str, frame: pd.DataFrame, column: str) -> np.ndarray:
    """Return the numbers of a column, NaN where a cell is empty.

    Raises
    ------
    InputError
        If there is no such column, or a cell is neither empty nor a number.
    """
    if column not in frame:
        raise InputError(f"{name}: there is no column {column}; found {', '.join(map(str, frame))}")
    cells = frame[column].replace("", np.nan)
    values: np.ndarray = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float)
    wrong = np.flatnonzero(np.isnan(values) & cells.notna().to_numpy())
    if wrong.size:
        raise InputError(
            f"{name}: column {column} is {cells.iloc[wrong[0]]!r} in row {wrong[0] + 1}; expected a number"
        )
    return values

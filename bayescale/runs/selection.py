"""A selection of the rows of a table of runs."""

from dataclasses import replace

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.runs.conditions import ConditionError, rows_where
from bayescale.runs.frames import Runs
from bayescale.runs.reading import as_table
from bayescale.runs.table import FEWEST_ROWS, RunTable
from bayescale.words import shortened, typed


@checks.kinds
def select_runs(runs: Runs, condition: str) -> RunTable:
    """Keep the runs for which a condition holds.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        The table to select from, as :func:`read_runs` takes it; it is not changed.
    condition : str
        A condition over the columns, such as ``10 <= D / N <= 40``, ``family in ['llama', 'qwen'] and N > 1e9`` or
        ``not `val/loss` > 3``: comparisons, ``+ - * / // %``, ``in``, ``and``, ``or``, ``not``, and nothing else.

    Returns
    -------
    RunTable
        The rows that satisfy the condition, named ``chinchilla [10 <= D / N <= 40]``.

    Raises
    ------
    InputError
        If the condition cannot be evaluated, is no yes-or-no question, or leaves too few rows, or rows in
        which N, D or the response never varies.
    """
    runs = as_table(runs)
    name = f"{runs.name} [{shortened(condition)}]"
    kept = runs.frame[_holds(runs, condition)].reset_index(drop=True)
    if len(kept) < FEWEST_ROWS:
        raise InputError(
            f"{name}: {len(kept)} of {len(runs.frame)} rows are left, and a law needs at least {FEWEST_ROWS}; "
            "widen the condition"
        )
    faults = [
        f"{name}: column {column} is {typed(kept[column].iloc[0], 6)} in every row left; widen the condition"
        for column in ("N", "D", runs.response)
        if column in kept and kept[column].min() == kept[column].max() and _varies(runs.frame[column])
    ]
    if faults:
        raise InputError(*faults)
    note = f"{len(kept)} of {len(runs.frame)} rows selected by {condition}"
    return replace(runs, name=name, frame=kept, notes=(*runs.notes, note))


def _varies(values: "pd.Series[float]") -> bool:
    return bool(values.min() < values.max())


def _holds(runs: RunTable, condition: str) -> np.ndarray:
    try:
        return rows_where(runs.frame, condition)
    except ConditionError as error:
        columns = shortened(", ".join(map(str, runs.frame.columns)))
        raise InputError(
            f"{runs.name}: cannot select by {shortened(condition)!r} ({error}); write a comparison over the columns "
            f"{columns}"
        ) from None

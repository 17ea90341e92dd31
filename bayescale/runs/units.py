"""Which rows are independent: the training run, or another group, of each."""

import numpy as np
import pandas as pd

from bayescale.runs.table import RunTable


def independent_units(runs: RunTable) -> np.ndarray:
    """Return the number of each row's training run, from 0 (run,); a row without a label is one of its own."""
    return units_of(runs.frame)


def units_of(frame: pd.DataFrame) -> np.ndarray:
    """Return the number of the training run of each row of a frame, from 0 (row,)."""
    if "training_run" not in frame:
        return np.arange(len(frame))
    return numbered(group_labels(frame["training_run"]))


def group_labels(column: pd.Series) -> np.ndarray:
    """Return labels of groups as text; a row without a label is a group of its own (row,)."""
    return np.array([label or f"row {row}" for row, label in enumerate(column.to_numpy(dtype=str))])


def numbered(labels: np.ndarray) -> np.ndarray:
    """Return a whole number from 0 for each label, the same for the same label (row,)."""
    numbers: np.ndarray = np.unique(labels, return_inverse=True)[1]
    return numbers


def units_are_families(frame: pd.DataFrame) -> bool:
    """Return whether rows that share noise are models of one family, not points along one training run."""
    if not {"family", "training_run"} <= set(frame):
        return False
    return bool((frame["family"].to_numpy(dtype=str) == frame["training_run"].to_numpy(dtype=str)).all())


def counted_rows(frame: pd.DataFrame) -> np.ndarray:
    """Return whether the density of each row counts in a question of the law (row,).

    All do, but where rows are models of families: the first of each family shows the level of its family, by which
    families differ for other reasons than N and D.
    """
    if not units_are_families(frame):
        return np.ones(len(frame), dtype=bool)
    units, first = np.unique(units_of(frame), return_index=True)
    counted = np.ones(len(frame), dtype=bool)
    counted[first] = units.size == len(frame)  # of families of one model each there is nothing else
    return counted

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

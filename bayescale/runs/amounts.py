"""How long a fit of a table takes, and how much memory: measured on made tables (benchmarks/README.md)."""

import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.memory import free_memory, gigabytes
from bayescale.runs.table import RunTable
from bayescale.runs.units import units_of
from bayescale.words import short

MANY = 5000
"""Rows beyond which somebody waits, and is told how long."""

SECONDS = 0.008
"""Of one core, for each row: sampling and short chains about 6 ms, rows left out 1 ms, what the law misses less."""

LEAST_BYTES = 0.7e9
ROW_BYTES = 4e3
"""Memory of a fit whatever its rows, and of each row."""


def fit_seconds(rows: int) -> float:
    """Return about how many seconds of one core the fit of one law takes."""
    return SECONDS * rows


def fit_minutes(rows: int) -> str:
    """Return in words how long the fit of one law takes."""
    return f"{short(fit_seconds(rows) / 60, 2)} minutes of one core"


def time_of_fits(rows: int) -> str:
    """Return what is added to what is said while laws are fitted; nothing where it takes no time to speak of."""
    return f", about {fit_minutes(rows)} each" if rows > MANY else ""


def fit_bytes(frame: pd.DataFrame) -> float:
    """Return about how many bytes of memory the fit of one law takes.

    Rows of one training run share noise; what says how grows with the rows times the training runs, and with the rows
    times the most that a training run has.
    """
    sizes = np.bincount(units_of(frame))
    shared = 8.0 * len(frame) * (sizes.size + 6.0 * sizes.max()) if sizes.max() > 1 else 0.0
    return LEAST_BYTES + ROW_BYTES * len(frame) + shared


def check_memory(runs: RunTable) -> None:
    """Raise InputError where a fit would need more memory than is free."""
    needed, free = fit_bytes(runs.frame), free_memory()
    if needed > free:
        raise InputError(
            f"{runs.name}: fitting {len(runs.frame)} runs needs about {gigabytes(needed)} of memory, and "
            f"{gigabytes(free)} are free; keep fewer of them (--last-of training_run keeps one row of each, --where a "
            "range of C), or use a machine with more memory"
        )

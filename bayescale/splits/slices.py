"""isoflop_slices: which runs of a table share a budget, although none of them spends it exactly."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.laws.measured import MeasuredCost

FEWEST = 4
"""A slice has runs of at least this many sizes: a level and a slope of its own, and two runs that say how well."""

WIDTH = np.log(1.75)
"""Runs whose C differs by more than this, in logs, are no runs of one budget."""

REPEATED = 1e-3
"""Values of C that differ by less than this part are one value."""

MOST_REPEAT = 0.8
"""Values of C are budgets as they stand where they repeat for at least this part of the runs."""


@dataclass(frozen=True, eq=False)
class Slice:
    """Runs of one budget.

    Attributes
    ----------
    rows : numpy.ndarray
        Their places in the table, by N (run,).
    log_flops : float
        Log of the budget: the mean of ln C.
    log_product : float
        Log of N D at the budget: ``log_flops``, less the mean of ln C / (N D).
    cost : MeasuredCost or None
        What a token costs in these runs; None where C is in proportion to N D.
    """

    rows: np.ndarray
    log_flops: float
    log_product: float
    cost: MeasuredCost | None = None

    def log_tokens(self, log_N: np.ndarray) -> np.ndarray:
        """Return ln D of models of these sizes at the budget, in their shape."""
        if self.cost is None:
            return np.asarray(self.log_product - log_N)
        return np.asarray(self.log_flops - np.log(self.cost.per_token(np.exp(log_N), {})))

    @property
    def log_training(self) -> float:
        """Log of 6 N D at the budget."""
        return self.log_product + float(np.log(FLOPS_PER_TOKEN))


def isoflop_slices(frame: pd.DataFrame, cost: MeasuredCost | None = None) -> list[Slice]:
    """Return the slices of a table, by compute.

    Budgets are those of a column ``budget``; else the values of C, where these repeat; else groups of like C, parted at
    the widest gaps of ln C until no group is wider than a factor of 1.75.

    Parameters
    ----------
    frame : pandas.DataFrame
        Runs with N, D and C.
    cost : MeasuredCost, optional
        What a token costs in these runs, where C is not in proportion to N D.
    """
    log_N, log_D, log_C = (np.log(frame[name].to_numpy(dtype=float)) for name in ("N", "D", "C"))
    labels = frame["budget"].astype(str).to_numpy() if "budget" in frame else budgets(log_C)
    order = np.argsort(log_N, kind="stable")
    slices = []
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        if np.unique(log_N[rows].round(3)).size >= FEWEST:
            log_flops = float(log_C[rows].mean())
            log_ratio = float((log_C - log_N - log_D)[rows].mean())
            slices.append(Slice(rows, log_flops, log_flops - log_ratio, cost))
    return sorted(slices, key=lambda part: part.log_flops)


def budgets(log_C: np.ndarray) -> np.ndarray:
    """Return the number of each run's budget, by ln C alone (run,)."""
    order = np.argsort(log_C, kind="stable")
    steps = np.diff(log_C[order])
    repeated = np.concatenate([[0], np.cumsum(steps > REPEATED)])
    counts = np.bincount(repeated)
    labels = np.empty(log_C.size, dtype=int)
    if counts[counts >= FEWEST].sum() >= MOST_REPEAT * log_C.size:
        labels[order] = repeated
    else:
        labels[order] = _parted(log_C[order])
    return labels


def _parted(values: np.ndarray) -> np.ndarray:
    """Return groups of sorted values, each parted at its widest gap until none is too wide (value,)."""
    labels, waiting = np.zeros(values.size, dtype=int), [(0, values.size)]
    while waiting:
        start, stop = waiting.pop()
        if values[stop - 1] - values[start] <= WIDTH:
            labels[start:stop] = start
        else:
            cut = start + 1 + int(np.argmax(np.diff(values[start:stop])))
            waiting += [(start, cut), (cut, stop)]
    return labels

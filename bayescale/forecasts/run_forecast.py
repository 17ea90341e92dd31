"""RunForecast: where a run in progress will end."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.intervals import credible_interval
from bayescale.runs.columns import numbers
from bayescale.values import Value
from bayescale.words import chance, percent, short

RATE = ("lr", "learning_rate")
"""Columns of the learning rate."""


@dataclass(frozen=True, eq=False, repr=False)
class RunForecast(Value):
    """Where a run in progress will end.

    Attributes
    ----------
    tokens : float
        Tokens at the end of the run.
    seen : float
        Part of them that the curve reaches.
    loss : numpy.ndarray
        Draws of the response at the end (draw,).
    promised : numpy.ndarray
        What finished runs promise such a run, whatever its curve: the law under the same draws, or a line through
        their ends (draw,).
    flops_left : float
        Compute from the end of the curve to the end of the run: what stopping would save. NaN where N is not known.
    effective : float
        Number of posterior draws that agree with the curve; NaN of a forecast without a law.
    doubts : tuple of str
        What speaks against the forecast.
    probability : float
        Of the intervals.
    """

    tokens: float
    seen: float
    loss: np.ndarray
    promised: np.ndarray
    flops_left: float
    effective: float
    doubts: tuple[str, ...]
    probability: float

    def above(self, excess: float = 0.0) -> float:
        """Return the probability that the run ends above what finished runs promise by more than this part of it."""
        return float((self.loss > self.promised * (1 + excess)).mean())

    def stop(self, excess: float = 0.01, certainty: float = 0.9) -> bool:
        """Return whether it is this certain that the run ends above the promise by more than this part of it."""
        return self.above(excess) >= certainty

    def expected_saving(self, excess: float = 0.01) -> float:
        """Return the FLOP left, times the probability that they would go into a run that ends above the promise."""
        return self.above(excess) * self.flops_left

    def _lines(self) -> list[str]:
        found = credible_interval(self.loss, self.probability)
        return [
            f"at {percent(self.seen)} of its tokens: ends at {short(found.median, 4)} ({percent(self.probability)} "
            f"interval {short(found.lower, 4)} to {short(found.upper, 4)})",
            f"above what finished runs promise with probability {chance(self.above())}, by more than 1% with "
            f"{chance(self.above(0.01))}; stopping saves {short(self.flops_left, 3)} FLOP",
        ]


def rates(name: str, frame: pd.DataFrame) -> np.ndarray | None:
    """Return the learning rate of the rows of one run over its largest; None where its column is not there (row,)."""
    column = next((each for each in RATE if each in frame), None)
    if column is None:
        return None
    values = numbers(name, frame, column)
    return np.asarray(values / np.nanmax(values)) if np.isfinite(values).any() else None

"""Draws: the parameters of a law under its posterior, and the law's values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayescale.laws import SMALLEST_VALUE, Law
from bayescale.laws.costs import DENSE
from bayescale.laws.measured import MeasuredCost, TokenCost
from bayescale.values import FrozenMapping, Value


@dataclass(frozen=True, eq=False, repr=False)
class Draws(Value, Mapping[str, np.ndarray]):
    """Draws of a law's parameters, and what it takes to compute the law from them.

    A mapping of the parameters' names to their draws: ``draws["alpha"]`` is an array (draw,).

    Attributes
    ----------
    law : Law
        The law.
    arrays : mapping of str to numpy.ndarray
        Parameters at reference scale; those of a fit have ``sigma`` and ``nu`` too (draw,).
    reference : mapping of str to float
        Reference values of the covariates.
    measured : MeasuredCost or None
        What a token costs in the runs; None where it is as the law counts.
    """

    law: Law
    arrays: Mapping[str, np.ndarray]
    reference: Mapping[str, float]
    measured: MeasuredCost | None = None

    def __post_init__(self) -> None:
        """Keep mappings that nobody changes."""
        object.__setattr__(self, "arrays", FrozenMapping(self.arrays))
        object.__setattr__(self, "reference", FrozenMapping(self.reference))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    @property
    def count(self) -> int:
        """Number of draws."""
        return len(self[self.law.parameters[0]])

    @property
    def cost(self) -> TokenCost:
        """What a run costs."""
        return self.law.cost if self.measured is None else self.measured

    @property
    def of_law(self) -> "Draws":
        """The same without ``sigma`` and ``nu``."""
        return replace(self, arrays={name: self[name] for name in self.law.parameters})

    def take(self, rows: np.ndarray | slice) -> "Draws":
        """Return some of the draws: those at these places, or where a mask holds."""
        return replace(self, arrays={name: values[rows] for name, values in self.items()})

    def flops(self, N: np.ndarray, D: np.ndarray) -> np.ndarray:
        """Return what training costs, for a law that counts by N alone; 6 N D for others, in their common shape."""
        cost = self.cost if self.law.cost == DENSE else DENSE
        return np.asarray(cost.per_token(np.asarray(N, dtype=float), {}) * D)

    def value(self, points: Mapping[str, Any] | pd.DataFrame) -> np.ndarray:
        """Return the law for every draw and point.

        Parameters
        ----------
        points : mapping of str to numpy.ndarray
            Columns that the law needs, in counts: (point,), or (draw, point) when draws have points of their own.

        Returns
        -------
        numpy.ndarray
            Expected response (draw, point).
        """
        names = self.law.covariates
        scaled = {name: np.asarray(points[name], dtype=float) / self.reference[name] for name in names}
        columns = {name: self[name][:, None] for name in self.law.parameters}
        return np.asarray(self.law.loss(**scaled, **columns))

    def log_value(self, points: Mapping[str, Any] | pd.DataFrame, response: str) -> np.ndarray:
        """Return the log of the law for each draw and point, with the floor that the model has (draw, point)."""
        return np.asarray(np.log(np.maximum(self.value(points), SMALLEST_VALUE * self.reference[response])))


def evenly_spaced(count: int, available: int) -> np.ndarray:
    """Return the places of ``count`` draws among those available, the first and the last among them (count,).

    Some are taken more than once where more are asked for than there are.
    """
    return np.linspace(0, available - 1, count).round().astype(int)

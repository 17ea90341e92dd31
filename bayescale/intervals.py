"""Credible intervals: equal-tailed, always with their probability."""

from dataclasses import dataclass

import numpy as np

from bayescale import checks


@dataclass(frozen=True)
class Interval:
    """Median and equal-tailed credible interval of a quantity.

    Attributes
    ----------
    median, lower, upper : float
        In the quantity's own unit.
    probability : float
        Posterior probability between ``lower`` and ``upper``.
    """

    median: float
    lower: float
    upper: float
    probability: float

    def record(self) -> dict[str, float]:
        """Return median, lower and upper as plain data."""
        return {"median": self.median, "lower": self.lower, "upper": self.upper}


def credible_interval(draws: np.ndarray, probability: float = 0.9) -> Interval:
    """Return the median and the equal-tailed credible interval of a set of draws.

    Parameters
    ----------
    draws : numpy.ndarray
        Posterior draws, in any shape.
    probability : float
        Between 0 and 1.

    Raises
    ------
    InputError
        If the probability is not between 0 and 1.
    """
    checks.probability(probability)
    tail = (1 - probability) / 2
    lower, median, upper = np.quantile(draws, [tail, 0.5, 1 - tail])
    return Interval(float(median), float(lower), float(upper), probability)

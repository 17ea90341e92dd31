"""Credible intervals: equal-tailed, always with their probability."""

import math
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


def credible_interval(draws: np.ndarray, probability: float) -> Interval:
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


def short(value: float, digits: int = 2) -> str:
    """Return a number with so many significant digits, as people write it: 45, 0.36, 8.3e19."""
    rounded = float(f"{value:.{digits - 1}e}")
    if rounded == 0 or 1e-3 <= abs(rounded) < 1e5:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0
        return f"{rounded:.{decimals}f}"
    mantissa, exponent = f"{rounded:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def percent(part: float) -> str:
    """Return a part as a percentage without decimals, as people write it: 5 %."""
    return f"{100 * part:.0f} %"

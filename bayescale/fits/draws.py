"""Draws: the parameters of a law under its posterior, and the law's values."""

import numpy as np


def evenly_spaced(count: int, available: int) -> np.ndarray:
    """Return the places of ``count`` draws among those available, the first and the last among them (count,).

    Some are taken more than once where more are asked for than there are.
    """
    return np.linspace(0, available - 1, count).round().astype(int)

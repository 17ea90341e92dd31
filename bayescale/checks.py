"""Checks of what functions are given."""

import numpy as np

from bayescale.errors import InputError

type Number = float | np.ndarray


def positive(name: str, value: Number, unit: str) -> np.ndarray:
    """Return a number or array as an array; ``InputError`` unless all of it is finite and above zero."""
    array = np.asarray(value, dtype=float)
    if not array.size or not (np.isfinite(array) & (array > 0)).all():
        raise InputError(f"{name} is {value}; expected {unit} above zero")
    return array

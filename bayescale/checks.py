"""Checks of what functions are given: each returns the value it accepts, and raises InputError for any other."""

import math
from typing import TYPE_CHECKING, Any

from bayescale.errors import InputError

if TYPE_CHECKING:
    import numpy as np

type Number = float | np.ndarray


def above_zero(name: str, value: object, unit: str = "a number", example: str = "") -> float:
    """Return one number as a float; ``InputError`` unless it is finite and above zero."""
    array = _array(value)
    if array is None or array.ndim or not _all_positive(array):
        raise InputError(f"{name} is {value!r}; expected {unit} above zero{f', such as {example}' if example else ''}")
    return float(array)


def positive(name: str, value: Number, unit: str) -> "np.ndarray":
    """Return a number or array as an array; ``InputError`` unless all of it is finite and above zero."""
    array = _array(value)
    if array is None or not array.size or not _all_positive(array):
        raise InputError(f"{name} is {value}; expected {unit} above zero")
    return array


def several(name: str, values: object, unit: str) -> "np.ndarray":
    """Return one number or a list as an array (value,); ``InputError`` unless all are finite and above zero."""
    array = _array(values)
    if array is None or array.ndim > 1 or not array.size or not _all_positive(array):
        raise InputError(f"{name} is {_shown(values)}; expected {unit}: one or more, each above zero")
    return array.reshape(-1)


def budgets(flops: object, name: str = "flops") -> "np.ndarray":
    """Return compute budgets in FLOP as an array (budget,); ``InputError`` unless each is finite and above zero."""
    return several(name, flops, "budgets in FLOP, such as 1e21")


def probability(value: float) -> float:
    """Return a probability; ``InputError`` unless it is between 0 and 1."""
    return _between_0_and_1("probability", value, "a number", "0.9")


def tolerance(value: float) -> float:
    """Return a tolerance of extra compute; ``InputError`` unless it is between 0 and 1."""
    return _between_0_and_1("tolerance", value, "extra compute", "0.05")


def _between_0_and_1(name: str, value: float, what: str, example: str) -> float:
    array = _array(value)
    if array is None or array.ndim or not 0 < array < 1:
        raise InputError(f"{name} is {value}; expected {what} between 0 and 1, such as {example}")
    return value


def _array(value: Any) -> "np.ndarray | None":  # noqa: ANN401  (whatever a user may give)
    """Return numbers as an array, and None for text, truth values and all that is no number."""
    import numpy as np  # noqa: PLC0415  (--help needs no NumPy)

    try:
        array = np.asarray(value)
        if array.dtype.kind == "O" and not any(isinstance(each, str | bool) for each in array.flat):
            array = array.astype(float)  # whole numbers beyond 64 bits, decimals
    except (TypeError, ValueError):
        return None
    if not array.size:
        return array.astype(float)
    return array.astype(float) if array.dtype.kind in "iuf" else None


def _all_positive(array: "np.ndarray") -> bool:
    return bool(((array > 0) & (array < math.inf)).all())


def _shown(values: Any) -> str:  # noqa: ANN401  (whatever a user may give)
    """Return values as they would be typed."""
    return repr(values.tolist() if hasattr(values, "tolist") else values)

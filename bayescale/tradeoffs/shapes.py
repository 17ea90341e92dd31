"""When to change the shape of a model in training, and what that saves (after Anagnostidis et al. 2024)."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import elementwise

from bayescale.checks import Number, positive
from bayescale.laws import LAWS
from bayescale.tradeoffs.search import Values, parameters_of
from bayescale.values import Value

NEAREST = 1e-9
"""How near to the higher floor the switch is searched, as a part of the way up to the lower start."""


@dataclass(frozen=True, eq=False, repr=False)
class ShapeSwitch(Value):
    """Where to go from the first shape to the second: arrays (draw,), NaN where there is no switch.

    Attributes
    ----------
    error : numpy.ndarray
        Error (or loss) at which a FLOP buys the same improvement with both.
    first, second : numpy.ndarray
        Compute at which each shape on its own reaches that error, in FLOP.
    saved : numpy.ndarray
        FLOP saved against the second shape from the start.
    found : numpy.ndarray
        Whether there is one: the first shape is the better buy at the start and the second one later.
    """

    error: np.ndarray
    first: np.ndarray
    second: np.ndarray
    saved: np.ndarray
    found: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class ShapeCompute(Value):
    """Compute to reach an error: arrays (draw,), NaN where the error is out of reach.

    Attributes
    ----------
    first, second : numpy.ndarray
        With one shape from start to end, in FLOP.
    adaptive : numpy.ndarray
        With a switch from the first to the second where that helps.
    saved : numpy.ndarray
        Part of the cheaper single shape's compute that the switch saves.
    """

    first: np.ndarray
    second: np.ndarray
    adaptive: np.ndarray
    saved: np.ndarray


def compute_to_reach(values: Values, error: Number) -> np.ndarray:
    """Return the compute at which one shape reaches an error.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``adaptive_shape`` at published scale (draw,).
    error : float or numpy.ndarray
        Error (or loss), of a shape that broadcasts with the draws.

    Returns
    -------
    numpy.ndarray
        FLOP; 0 where the untrained model is as good, NaN at or below the floor c.
    """
    p = parameters_of(values, LAWS["adaptive_shape"].parameters, "law 'adaptive_shape'")
    return _inverse(positive("error", error, "an error or loss"), p)


def _inverse(error: np.ndarray, p: dict[str, np.ndarray]) -> np.ndarray:
    above = np.where(error > p["c"], error - p["c"], np.nan)
    return np.asarray(np.maximum((above / p["a"]) ** (-1 / p["b"]) - p["d"], 0.0))


def _log_price(error: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return the log of the compute per unit of error, ``|dC/de|``."""
    return np.asarray(-np.log(a * b) - (1 / b + 1) * np.log((error - c) / a))


def switch_shape(first: Values, second: Values) -> ShapeSwitch:
    """Find where to switch from one shape to another.

    The right place is where the slopes of the two curves cross, not where the curves do (Anagnostidis et al. 2024,
    arXiv:2311.03233): at each error, train the shape that improves most for the next FLOP.

    Parameters
    ----------
    first, second : mapping of str to float or numpy.ndarray
        Parameters of two fits of the law ``adaptive_shape`` at published scale (draw,); ``first`` learns faster at
        the start, ``second`` gets further.

    Returns
    -------
    ShapeSwitch
        Arrays (draw,); ``found.mean()`` is the probability that there is one.

    Raises
    ------
    InputError
        If a parameter is missing.
    """
    names = LAWS["adaptive_shape"].parameters
    p, q = (parameters_of(values, names, "law 'adaptive_shape'") for values in (first, second))
    shape = np.broadcast_shapes(*(array.shape for array in (*p.values(), *q.values())))
    p, q = ({name: np.broadcast_to(array, shape) for name, array in part.items()} for part in (p, q))
    floor = np.maximum(p["c"], q["c"])
    start = np.minimum(*(part["a"] / part["d"] ** part["b"] + part["c"] for part in (p, q)))
    reach = np.where(start > floor, start - floor, np.nan)

    def difference(log_part: np.ndarray, *columns: np.ndarray) -> np.ndarray:
        """Return how much dearer the first shape is."""
        low, room, *rest = columns
        error = low + room * np.exp(log_part)
        return np.asarray(_log_price(error, *rest[:3]) - _log_price(error, *rest[3:]))

    columns = (floor, reach, *(part[name] for part in (p, q) for name in "abc"))
    ends = np.full(shape, np.log(NEAREST)), np.zeros(shape)
    found = (difference(ends[0], *columns) > 0) & (difference(ends[1], *columns) < 0)
    with np.errstate(invalid="ignore"):
        root = elementwise.find_root(difference, ends, args=columns)
    error = np.where(found, floor + reach * np.exp(root.x), np.nan)
    at_first, at_second = _inverse(error, p), _inverse(error, q)
    return ShapeSwitch(error, at_first, at_second, at_second - at_first, np.asarray(found))


def adaptive_compute(first: Values, second: Values, error: Number) -> ShapeCompute:
    """Return the compute to reach an error with each shape, and with a switch between them.

    Parameters
    ----------
    first, second : mapping of str to float or numpy.ndarray
        As for :func:`switch_shape`.
    error : float or numpy.ndarray
        Error (or loss) to reach, of a shape that broadcasts with the draws.

    Returns
    -------
    ShapeCompute
        Arrays (draw,). Where there is no switch, or the error is reached before it, the adaptive run is the cheaper
        of the two. ``(saved > 0.1).mean()`` is the probability that adapting saves more than 10%.

    Raises
    ------
    InputError
        If a parameter is missing or the error is not above zero.
    """
    switch = switch_shape(first, second)
    alone = compute_to_reach(first, error), compute_to_reach(second, error)
    cheaper = np.fmin(*alone)
    after = switch.found & (np.asarray(error) < switch.error)
    adaptive = np.where(after, alone[1] - switch.saved, cheaper)
    return ShapeCompute(*alone, adaptive, np.asarray(1 - adaptive / np.where(cheaper > 0, cheaper, np.nan)))

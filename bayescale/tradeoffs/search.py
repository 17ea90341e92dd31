"""Where a function is smallest over a range, for every draw at once, and checks of what functions are given."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import elementwise

from bayescale.checks import Number
from bayescale.errors import InputError

type Values = Mapping[str, Number]
"""Parameters of a law at published scale: floats, or arrays of draws (draw,)."""

POINTS = 81
"""Of the grid that finds where a law is smallest before the place is refined."""


@dataclass(frozen=True)
class Lowest:
    """Where a function is smallest.

    Attributes
    ----------
    x : numpy.ndarray
        The place; NaN where the function is smallest at an end of the range.
    value : numpy.ndarray
        The function there; NaN likewise.
    interior : numpy.ndarray
        Whether the place lies inside the range.
    """

    x: np.ndarray
    value: np.ndarray
    interior: np.ndarray


def parameters_of(values: Values, names: Iterable[str], what: str, dimensions: int = 0) -> dict[str, np.ndarray]:
    """Pick the parameters of a law, with room for further dimensions behind that of draws.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters at published scale; others may be among them.
    names : iterable of str
        Those that are needed.
    what : str
        The law, for the message.
    dimensions : int
        Further dimensions, such as that of budgets.

    Returns
    -------
    dict of str to numpy.ndarray
        Each of the shape of its values, followed by so many dimensions of length 1.

    Raises
    ------
    InputError
        If a parameter is missing.
    """
    wanted = list(names)
    missing = [name for name in wanted if name not in values]
    if missing:
        raise InputError(
            f"expected values of {what}: {', '.join(wanted)}; missing {', '.join(missing)}; pass the draws of its fit "
            "(bs.published_draws(fit)) or a published set (bs.LAWS[name].published[source])"
        )
    arrays = {name: np.asarray(values[name], dtype=float) for name in wanted}
    return {name: array.reshape(array.shape + (1,) * dimensions) for name, array in arrays.items()}


def find_lowest(value: Callable[..., np.ndarray], low: Number, high: Number, arguments: Iterable[np.ndarray]) -> Lowest:
    """Find where a function of one variable is smallest, element by element.

    Parameters
    ----------
    value : callable
        Takes the variable and the arguments, all of one shape.
    low, high : float or numpy.ndarray
        Ends of the range, of a shape that broadcasts with the arguments.
    arguments : iterable of numpy.ndarray
        Further arguments; they broadcast to the shape of the result.

    Returns
    -------
    Lowest
        Of the broadcast shape.
    """
    low, high, *fixed = np.broadcast_arrays(low, high, *arguments)
    steps = np.linspace(0.0, 1.0, POINTS).reshape(-1, *(1 for _ in range(low.ndim)))
    grid = low + (high - low) * steps
    best = np.argmin(value(grid, *fixed), axis=0)
    inside = (best > 0) & (best < POINTS - 1)
    middle = np.clip(best, 1, POINTS - 2)[None]
    bracket = tuple(np.take_along_axis(grid, middle + step, axis=0)[0] for step in (-1, 0, 1))
    found = elementwise.find_minimum(value, bracket, args=tuple(fixed), tolerances={"xatol": 1e-7, "frtol": 0})
    interior = np.asarray(inside & found.success)
    return Lowest(np.where(interior, found.x, np.nan), np.where(interior, found.f_x, np.nan), interior)

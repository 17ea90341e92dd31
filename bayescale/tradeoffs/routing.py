"""What routing is worth: the dense model of the same loss, and where it stops helping (Clark et al. 2022)."""

import numpy as np

from bayescale.checks import Number, positive
from bayescale.laws.routed import saturating
from bayescale.tradeoffs.search import Values, parameters_of


def saturating_experts(values: Values, experts: Number) -> np.ndarray:
    """Return what a number of experts counts for: E_start for one, E_max for very many.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``routed`` or ``routed_separable`` at published scale: floats, or draws (draw,).
    experts : float or numpy.ndarray
        Experts per routed layer: a number or (point,).

    Returns
    -------
    numpy.ndarray
        The saturating count (draw, point), without the dimension that is a single number.

    Raises
    ------
    InputError
        If experts are not above zero, or a parameter is missing.
    """
    experts = positive("experts", experts, "experts per layer")
    return np.asarray(saturating(experts, **parameters_of(values, ("E_start", "E_max"), "routed", experts.ndim)))


def effective_parameters(values: Values, active_N: Number, experts: Number) -> np.ndarray:
    """Return the parameters of the dense model with the loss of a routed one.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``routed`` at published scale: floats, or draws (draw,).
    active_N : float or numpy.ndarray
        Parameters that work on each token: a number or (point,).
    experts : float or numpy.ndarray
        Experts per routed layer: a number or (point,).

    Returns
    -------
    numpy.ndarray
        Parameters (draw, point), without the dimension that is a single number.

    Raises
    ------
    InputError
        If an argument is not above zero, or a parameter is missing.

    Notes
    -----
    Clark et al. (2022), arXiv:2202.01169: a routed model with one expert is the dense one.
    """
    active_N, experts = positive("active_N", active_N, "parameters"), positive("experts", experts, "experts per layer")
    dimensions = np.broadcast(active_N, experts).ndim
    p = parameters_of(values, ("a", "b", "c", "E_start", "E_max"), "routed", dimensions)
    count = saturating(experts, p["E_start"], p["E_max"])
    dense = p["a"] + p["c"] * np.log10(p["E_start"])
    routed = p["a"] + p["c"] * np.log10(count)
    return np.asarray(active_N ** (routed / dense) * (count / p["E_start"]) ** (p["b"] / dense))


def cutoff_size(values: Values) -> np.ndarray:
    """Return the active parameters beyond which more experts no longer help.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``routed`` at published scale: floats, or draws (draw,).

    Returns
    -------
    numpy.ndarray
        ``10**(-b / c)`` parameters (draw,); infinite where experts help at any size, that is where c is not above
        zero.

    Raises
    ------
    InputError
        If a parameter is missing.

    Notes
    -----
    Clark et al. (2022), arXiv:2202.01169. It moves by decades with the third digit of b and c, and it is for one number
    of tokens: with more tokens for larger models the cut goes away (Krajewski et al. 2024).
    """
    p = parameters_of(values, ("b", "c"), "routed")
    b, c = p["b"], p["c"]
    helps = c > 0
    exponent = np.minimum(-b / np.where(helps, c, 1.0), np.log10(np.finfo(float).max))
    return np.where(helps, 10.0**exponent, np.inf)

"""What leaving the embedding out of N does to the exponent of the best size (Pearce & Song 2024)."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import elementwise

from bayescale.checks import Number, positive
from bayescale.errors import InputError
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.tradeoffs.search import Values, parameters_of
from bayescale.values import Value

NAMES = ("A", "B", "alpha", "beta", "omega")

KAPLAN_BUDGETS = (12.95, 20.7)
"""Range of log10 FLOP of Kaplan's runs, without embeddings."""

POINTS = 100
"""Budgets of the line through the best sizes: the slope moves by 0.001 from 50 to 500."""

LOG_SIZES = (np.log(1e-3), np.log(1e18))
"""Sizes that are searched."""


@dataclass(frozen=True, eq=False, repr=False)
class ExponentLimits(Value):
    """Exponent of the best size in compute at both ends: arrays (draw,).

    Attributes
    ----------
    small : numpy.ndarray
        For models that are nearly all embedding.
    large : numpy.ndarray
        For models whose embedding does not count: that of the additive law.
    """

    small: np.ndarray
    large: np.ndarray


def total_parameters(values: Values, N: Number) -> np.ndarray:
    """Return all parameters of models of N without embedding, ``N + omega N**(1/3)``.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``nonembedding`` at published scale: floats, or draws (draw,).
    N : float or numpy.ndarray
        Parameters without the embedding: a number or (point,).

    Returns
    -------
    numpy.ndarray
        Parameters (draw, point), without the dimension that is a single number.

    Raises
    ------
    InputError
        If N is not above zero, or omega is missing.
    """
    N = positive("N", N, "parameters")
    return np.asarray(N + parameters_of(values, ("omega",), "nonembedding", N.ndim)["omega"] * N ** (1 / 3))


def compute_for_size(values: Values, N: Number) -> np.ndarray:
    """Return the compute, without embeddings, for which N without embedding is the best size.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``nonembedding`` at published scale: floats, or draws (draw,).
    N : float or numpy.ndarray
        Parameters without the embedding: a number or (point,).

    Returns
    -------
    numpy.ndarray
        ``6 N D`` in FLOP (draw, point), without the dimension that is a single number.

    Raises
    ------
    InputError
        If N is not above zero, or a parameter is missing.

    Notes
    -----
    Pearce & Song (2024), arXiv:2406.12907.
    """
    N = positive("N", N, "parameters")
    return np.asarray(np.exp(_log_compute(np.log(N), **parameters_of(values, NAMES, "nonembedding", N.ndim))))


def _log_compute(
    log_N: np.ndarray, *, A: np.ndarray, B: np.ndarray, alpha: np.ndarray, beta: np.ndarray, omega: np.ndarray
) -> np.ndarray:
    embedding = np.log(omega) + log_N / 3
    with_third, total = np.logaddexp(log_N, embedding - np.log(3)), np.logaddexp(log_N, embedding)
    log_D = ((1 + alpha) * total - with_third + np.log(beta * B) - np.log(alpha * A)) / beta
    return np.asarray(np.log(FLOPS_PER_TOKEN) + log_N + log_D)


def local_exponent(values: Values, N: Number) -> np.ndarray:
    """Return the exponent of the best size in compute, both without embeddings, at a size.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``nonembedding`` at published scale: floats, or draws (draw,).
    N : float or numpy.ndarray
        Parameters without the embedding: a number or (point,).

    Returns
    -------
    numpy.ndarray
        ``d ln N / d ln C`` (draw, point), without the dimension that is a single number.

    Raises
    ------
    InputError
        If N is not above zero, or a parameter is missing.

    Notes
    -----
    Pearce & Song (2024), arXiv:2406.12907.
    """
    N = positive("N", N, "parameters")
    p = parameters_of(values, ("alpha", "beta", "omega"), "nonembedding", N.ndim)
    x, alpha, beta, omega = N ** (2 / 3), p["alpha"], p["beta"], p["omega"]
    inverse = 1 - (x + omega / 9) / (x + omega / 3) / beta + (alpha + 1) / beta * (x + omega / 3) / (x + omega)
    return np.asarray(1 / inverse)


def exponent_limits(values: Values) -> ExponentLimits:
    """Return the exponent of the best size for very small and very large models.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        alpha and beta of the law ``nonembedding``: floats, or draws (draw,).

    Returns
    -------
    ExponentLimits
        ``beta / (alpha / 3 + beta)`` and ``beta / (alpha + beta)``.

    Raises
    ------
    InputError
        If a parameter is missing.
    """
    p = parameters_of(values, ("alpha", "beta"), "nonembedding")
    alpha, beta = p["alpha"], p["beta"]
    return ExponentLimits(np.asarray(beta / (alpha / 3 + beta)), np.asarray(beta / (alpha + beta)))


def fitted_exponent(values: Values, log10_flops: tuple[float, float] = KAPLAN_BUDGETS) -> np.ndarray:
    """Return the exponent that a straight line through the best sizes of a range of budgets would show.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``nonembedding`` at published scale: floats, or draws (draw,).
    log10_flops : pair of float
        The range, in log10 FLOP without embeddings; by default that of Kaplan et al. (2020).

    Returns
    -------
    numpy.ndarray
        Slope of ln N on ln C over budgets evenly spaced in ln C (draw,).

    Raises
    ------
    InputError
        If the range is empty, or a parameter is missing.
    """
    if not log10_flops[0] < log10_flops[1]:
        raise InputError(f"log10_flops is {log10_flops}; expected a lower and a higher end, such as {KAPLAN_BUDGETS}")
    p = parameters_of(values, NAMES, "nonembedding", 1)
    log_flops = np.linspace(*log10_flops, POINTS) * np.log(10)
    arguments = np.broadcast_arrays(log_flops, *(p[name] for name in NAMES))

    def excess(log_N: np.ndarray, target: np.ndarray, *law: np.ndarray) -> np.ndarray:
        return np.asarray(_log_compute(log_N, **dict(zip(NAMES, law, strict=True))) - target)

    ends = tuple(np.full(arguments[0].shape, end) for end in LOG_SIZES)
    log_N = elementwise.find_root(excess, ends, args=tuple(arguments)).x
    centred = log_flops - log_flops.mean()
    return np.asarray((log_N * centred).sum(axis=-1) / (centred**2).sum())

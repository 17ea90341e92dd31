"""Where curves of groups turn round or cross, and what the progress of their mean consists of: closed forms."""

import numpy as np

from bayescale import checks
from bayescale.errors import InputError


def reversal_tokens(B: np.ndarray, beta: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """Return the tokens at which ``E + B D^-beta + eta ln D`` is least: beyond, the loss of the group rises.

    Parameters
    ----------
    B, beta : numpy.ndarray
        Coefficient and exponent of the term of data, at D = 1.
    eta : numpy.ndarray
        What the loss gains by each e-fold of tokens.

    Returns
    -------
    numpy.ndarray
        ``(beta B / eta)^(1 / beta)``; infinite where eta is not above zero.
    """
    B, beta, eta = (np.asarray(each, dtype=float) for each in (B, beta, eta))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(eta > 0, (beta * B / eta) ** (1 / beta), np.inf))


def crossing(gamma: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """Return the compute at which the gap ``gamma F^delta`` of a group to another is 1, in the unit of F.

    Parameters
    ----------
    gamma, delta : numpy.ndarray
        Gap at F = 1, and its exponent; a group of larger error closes the gap where delta is below zero.
    """
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(np.asarray(gamma, dtype=float) ** (-1 / np.asarray(delta, dtype=float)))


def mean_slope(
    weights: np.ndarray, weight_slopes: np.ndarray, values: np.ndarray, slopes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Split the slope of a weighted mean into that within groups and that of their composition.

    Parameters
    ----------
    weights, weight_slopes : numpy.ndarray
        Part of each group in the mean, and its slope (..., group).
    values, slopes : numpy.ndarray
        Response of each group, and its slope (..., group).

    Returns
    -------
    tuple of numpy.ndarray
        ``sum w_g dL_g`` and ``sum L_g dw_g``: where weights move with scale, the second is no group's progress.
    """
    return np.asarray((weights * slopes).sum(axis=-1)), np.asarray((weight_slopes * values).sum(axis=-1))


def mean_change(
    weights: tuple[np.ndarray, np.ndarray], values: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Split the change of a weighted mean between two scales in the same way; both parts add up to it exactly.

    Parameters
    ----------
    weights, values : tuple of numpy.ndarray
        Of each group at the first and at the second scale (..., group).
    """
    (before, after), (first, second) = weights, values
    within, composition = mean_slope((before + after) / 2, after - before, (first + second) / 2, second - first)
    return within, composition


def check_weights(weights: np.ndarray, groups: int) -> np.ndarray:
    """Return parts of groups that add up to 1; raise InputError if there are not as many, or one is not above zero."""
    found = checks.positive("weights", weights, "parts of groups")
    if found.shape != (groups,):
        raise InputError(f"weights are {found.size}; expected one for each of {groups} groups")
    return np.asarray(found / found.sum())

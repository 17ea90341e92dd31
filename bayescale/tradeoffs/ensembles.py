"""One large model or several small ones at the same cost (after Kondratyuk et al. 2020)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayescale.checks import Number, positive
from bayescale.errors import InputError
from bayescale.laws import LAWS
from bayescale.tradeoffs.search import Values, parameters_of
from bayescale.values import Value


@dataclass(frozen=True, eq=False, repr=False)
class EnsembleChoice(Value):
    """Ways to spend one size: arrays (draw, N, members).

    Attributes
    ----------
    members : numpy.ndarray
        Number of models (members,).
    losses : numpy.ndarray
        The law with the size shared equally among so many models.
    best : numpy.ndarray
        Number of models with the least loss (draw, N).
    """

    members: np.ndarray
    losses: np.ndarray
    best: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class EnsembleCrossover(Value):
    """Where an ensemble and one model of the same total size are equal: arrays (draw,).

    Attributes
    ----------
    N : numpy.ndarray
        Parameters of one member at which they are; NaN where one of them is always better.
    above : numpy.ndarray
        Whether the ensemble is the better one for members larger than that (else for smaller ones); where N is NaN,
        whether it always is.
    exists : numpy.ndarray
        Whether there is a crossover.
    """

    N: np.ndarray
    above: np.ndarray
    exists: np.ndarray


def share_among_members(values: Values, N: Number, members: Sequence[float] = (1, 2, 4, 8, 16)) -> EnsembleChoice:
    """Compare one model of N parameters with ensembles of the same total size, and so of the same cost.

    Training and inference of ``n`` models of ``N / n`` parameters cost as many FLOP as those of one with N, with the
    same tokens for each.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``ensemble`` at published scale (draw,).
    N : float or numpy.ndarray
        Parameters of all members together (N,).
    members : sequence of float
        Numbers of models to choose from.

    Returns
    -------
    EnsembleChoice
        ``(choice.best > 1).mean(axis=0)`` is the probability that an ensemble is better.

    Raises
    ------
    InputError
        If a parameter is missing or a number is not above zero.
    """
    law = LAWS["ensemble"]
    sizes = positive("N", N, "parameters")
    offered = positive("members", np.asarray(members, dtype=float), "numbers of models")
    parameters = parameters_of(values, law.parameters, "law 'ensemble'", dimensions=sizes.ndim + 1)
    losses = np.asarray(law.loss(sizes[..., None] / offered, offered, **parameters))
    return EnsembleChoice(offered, losses, offered[np.argmin(losses, axis=-1)])


def ensemble_crossover(values: Values, members: float = 2.0) -> EnsembleCrossover:
    """Find the size at which an ensemble of n models equals one model n times as large.

    The ensemble wins where ``A N^-alpha (1 - n^-alpha) < V N^-v (n^-v - 1 / n)``: where dividing the variance by n is
    worth more than what a larger model takes from both terms. With ``v >= 1`` it never does.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``ensemble`` at published scale (draw,).
    members : float
        Number of models, above 1.

    Returns
    -------
    EnsembleCrossover
        Arrays (draw,).

    Raises
    ------
    InputError
        If a parameter is missing or there are no two models.
    """
    if not members > 1:
        raise InputError(f"members is {members}; expected a number of models above 1")
    p = parameters_of(values, LAWS["ensemble"].parameters, "law 'ensemble'")
    bias = p["A"] * (1 - members ** -p["alpha"])
    variance = p["V"] * (members ** -p["v"] - 1 / members)
    slope = p["v"] - p["alpha"]
    exists = np.asarray((variance > 0) & (slope != 0))
    ratio = np.where(exists, variance, 1.0) / bias
    N = np.where(exists, ratio ** (1 / np.where(slope == 0, 1.0, slope)), np.nan)
    return EnsembleCrossover(N, np.where(exists, slope < 0, variance > bias), exists)

"""Training tokens or a datastore: what a datastore token is worth, and when to buy it (after Shao et al. 2024)."""

from dataclasses import dataclass

import numpy as np

from bayescale.checks import Number, positive
from bayescale.errors import InputError
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.laws import LAWS
from bayescale.laws.costs import FLOPS_PER_EMBEDDED_TOKEN, RETRIEVER
from bayescale.tradeoffs.search import Values, parameters_of
from bayescale.values import Value


@dataclass(frozen=True, eq=False, repr=False)
class DatastoreWorth(Value):
    """What a datastore token buys: arrays (draw,).

    Attributes
    ----------
    rho : numpy.ndarray
        Training tokens that one datastore token is worth.
    threshold : numpy.ndarray
        Training tokens that the compute of one datastore token would buy.
    gain : numpy.ndarray
        Loss saved by a FLOP in the datastore over that by a FLOP of training: ``rho / threshold``.
    buys : numpy.ndarray
        Whether the datastore is the better buy.
    """

    rho: np.ndarray
    threshold: np.ndarray
    gain: np.ndarray
    buys: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class DatastoreSplit(Value):
    """Best split of a budget between training tokens and a datastore: arrays (draw, budget).

    Attributes
    ----------
    D : numpy.ndarray
        Training tokens.
    datastore_tokens : numpy.ndarray
        Tokens in the datastore: as many as the limits allow, or none.
    loss : numpy.ndarray
        The law there.
    loss_without : numpy.ndarray
        The law with all of the budget in training tokens.
    """

    D: np.ndarray
    datastore_tokens: np.ndarray
    loss: np.ndarray
    loss_without: np.ndarray


def datastore_threshold(N: Number, *, retriever: float = RETRIEVER) -> np.ndarray:
    """Return the training tokens of a model with N parameters that cost as much as one datastore token."""
    price = FLOPS_PER_EMBEDDED_TOKEN * positive("retriever", retriever, "parameters")
    return np.asarray(price / (FLOPS_PER_TOKEN * positive("N", N, "parameters")))


def datastore_worth(values: Values, N: float, *, retriever: float = RETRIEVER) -> DatastoreWorth:
    """Compare the next FLOP spent on a datastore with the next one spent on training tokens.

    In the law ``datastore`` a datastore token is worth ``rho`` training tokens whatever their number, so the answer
    depends on N alone.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        ``rho`` at published scale, of the law ``datastore`` (draw,).
    N : float
        Parameters of the language model.
    retriever : float
        Parameters of the retriever.

    Returns
    -------
    DatastoreWorth
        ``buys.mean()`` is the probability that the datastore is the better buy.

    Raises
    ------
    InputError
        If rho is missing or a size is not above zero.
    """
    rho = parameters_of(values, ["rho"], "law 'datastore'")["rho"]
    threshold = np.broadcast_to(datastore_threshold(N, retriever=retriever), rho.shape)
    return DatastoreWorth(rho, threshold, np.asarray(rho / threshold), np.asarray(rho > threshold))


def best_datastore(
    values: Values,
    N: float,
    flops: Number,
    available: float,
    *,
    largest_part: float = 0.5,
    retriever: float = RETRIEVER,
) -> DatastoreSplit:
    """Split a budget between the training tokens of a model and a datastore.

    The law is one of ``D + rho datastore_tokens`` and both cost FLOP in proportion, so the best datastore is either
    none or the largest that the limits allow. N is given, for the law cannot choose it: where the two kinds of token
    replace each other without end, a larger model with fewer training tokens always looks better.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``datastore`` at published scale (draw,).
    N : float
        Parameters of the language model.
    flops : float or numpy.ndarray
        Budgets in FLOP, for training and for embedding the datastore (budget,).
    available : float
        Tokens that there are for the datastore.
    largest_part : float
        Largest part of the budget that the datastore may take: the law says nothing about models that were hardly
        trained.
    retriever : float
        Parameters of the retriever.

    Returns
    -------
    DatastoreSplit
        Arrays (draw, budget); ``(datastore_tokens > 0).mean(axis=0)`` is the probability that it pays.

    Raises
    ------
    InputError
        If a parameter is missing or a size, the budget or the part cannot be used.
    """
    budgets = positive("flops", flops, "budgets in FLOP")
    if not 0 < largest_part < 1:
        raise InputError(f"largest_part is {largest_part}; expected a part of the budget between 0 and 1, such as 0.5")
    law, size = LAWS["datastore"], positive("N", N, "parameters")
    price = FLOPS_PER_EMBEDDED_TOKEN * positive("retriever", retriever, "parameters")
    most = np.minimum(positive("available", available, "tokens"), largest_part * budgets / price)
    parameters = parameters_of(values, law.parameters, "law 'datastore'", dimensions=budgets.ndim)
    bought = np.where(parameters["rho"] > datastore_threshold(N, retriever=retriever), most, 0.0)
    D, all_D = ((budgets - price * tokens) / (FLOPS_PER_TOKEN * size) for tokens in (bought, np.zeros_like(bought)))
    loss, without = (np.asarray(law.loss(size, *tokens, **parameters)) for tokens in ((D, bought), (all_D, 0.0)))
    return DatastoreSplit(np.asarray(D), bought, loss, without)

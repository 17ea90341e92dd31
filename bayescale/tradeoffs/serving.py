"""How small a model to train when it will serve many tokens (Sardana et al. 2024)."""

from dataclasses import dataclass

import numpy as np

from bayescale.checks import Number, positive
from bayescale.errors import InputError
from bayescale.laws.costs import DENSE, SERVING_PART
from bayescale.laws.measured import TokenCost
from bayescale.tradeoffs.search import Values, find_lowest, parameters_of
from bayescale.values import Value

LEAST_ELASTICITY = 0.1
"""A token costs more for a larger model, at least by this power of N."""

NOTHING = 1e-3
"""Tokens served by a model that serves none, so that they have a logarithm."""

ADDITIVE = ("E", "A", "B", "alpha", "beta")


@dataclass(frozen=True, eq=False, repr=False)
class ServingChoice(Value):
    """Cheapest model of a given loss over its whole life: arrays (draw,) or of the arguments' own shape.

    Attributes
    ----------
    N : numpy.ndarray
        Parameters.
    D : numpy.ndarray
        Training tokens.
    flops : numpy.ndarray
        Compute of training and serving, in FLOP.
    saved : numpy.ndarray
        Part of the compute that is saved over the model that is cheapest to train.
    more_tokens : numpy.ndarray
        Training tokens over those of that model.
    interior : numpy.ndarray
        Whether N lies inside the searched range.
    """

    N: np.ndarray
    D: np.ndarray
    flops: np.ndarray
    saved: np.ndarray
    more_tokens: np.ndarray
    interior: np.ndarray


def compute_optimal_loss(values: Values, N: Number) -> np.ndarray:
    """Return the loss of a model for which N is the compute-optimal size: the quality of "a 7B model".

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        E, A, B, alpha and beta of an additive law, such as ``chinchilla``, at published scale.
    N : float or numpy.ndarray
        Parameters.

    Returns
    -------
    numpy.ndarray
        In the unit of the fit, of the shape of draws and N together.

    Raises
    ------
    InputError
        If N is not above zero, or a parameter is missing.
    """
    p = parameters_of(values, ADDITIVE, "an additive law")
    N = positive("N", N, "parameters")
    return np.asarray(p["E"] + p["A"] / N ** p["alpha"] * (1 + p["alpha"] / p["beta"]))


def tokens_for_loss(values: Values, loss: Number, N: Number) -> np.ndarray:
    """Return the training tokens with which a model of N parameters reaches a loss; NaN where it never does.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        E, A, B, alpha and beta of an additive law at published scale.
    loss : float or numpy.ndarray
        Loss to reach, in the unit of the fit.
    N : float or numpy.ndarray
        Parameters.

    Returns
    -------
    numpy.ndarray
        Tokens, of the shape of draws and arguments together.

    Raises
    ------
    InputError
        If an argument is not above zero, or a parameter is missing.
    """
    p = parameters_of(values, ADDITIVE, "an additive law")
    left = positive("loss", loss, "a loss") - p["E"] - p["A"] / positive("N", N, "parameters") ** p["alpha"]
    return np.asarray((p["B"] / np.where(left > 0, left, np.nan)) ** (1 / p["beta"]))


def lifetime_flops(N: Number, D: Number, served_tokens: Number, *, cost: TokenCost = DENSE) -> np.ndarray:
    """Return the FLOP of training on D tokens and serving others, ``6 N D + 2 N served_tokens`` or by ``cost``.

    Whatever a training token costs (in a fit's runs ``fit.draws.cost``), a served one costs a third of it.
    """
    tokens = np.asarray(D) + SERVING_PART * np.asarray(served_tokens)
    return np.asarray(cost.per_token(np.asarray(N, dtype=float), {}) * tokens)


def best_for_serving(values: Values, loss: Number, served_tokens: Number, *, cost: TokenCost = DENSE) -> ServingChoice:
    """Choose the model that reaches a loss with the least compute of training and serving.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        E, A, B, alpha and beta of an additive law, such as ``chinchilla``, at published scale.
    loss : float or numpy.ndarray
        Loss to reach, in the unit of the fit; ``compute_optimal_loss`` gives that of a known size.
    served_tokens : float or numpy.ndarray
        Tokens that the model will read or write in its life; draws (draw,) where demand is uncertain.
    cost : Cost or MeasuredCost
        What a training token costs: 6 N, or as in a fit's runs, ``fit.draws.cost``; a served one costs a third of it.

    Returns
    -------
    ServingChoice
        Of the shape of draws and arguments together.

    Raises
    ------
    InputError
        If an argument is not above zero, or a loss cannot be reached by any model.

    Notes
    -----
    Sardana et al. (2024), arXiv:2401.00448: least ``6 N D + 2 N served_tokens`` at one loss, where the ratio of the
    slopes on ln N and ln D is ``1 + served_tokens / (3 D)``.
    """
    p = parameters_of(values, ADDITIVE, "an additive law")
    reducible = positive("loss", loss, "a loss") - p["E"]
    served = positive("served_tokens", served_tokens, "tokens")
    if not (reducible > 0).all():
        raise InputError(
            f"loss is {loss}; no model reaches it, for the irreducible loss is {np.max(p['E']):.4g}; ask for more"
        )
    gain = p["alpha"] / p["beta"] / (1.0 if cost == DENSE else LEAST_ELASTICITY)
    largest = ((p["A"] * (1 + gain)) / reducible) ** (1 / p["alpha"])  # cheapest to train, at 6 N a token
    smallest = (p["A"] / reducible) ** (1 / p["alpha"])  # needs data without end

    def log_flops(log_N: np.ndarray, reducible: np.ndarray, served: np.ndarray, *law: np.ndarray) -> np.ndarray:
        A, B, alpha, beta = law
        left = np.maximum(reducible - A * np.exp(-alpha * log_N), np.finfo(float).tiny)
        log_tokens = np.logaddexp((np.log(B) - np.log(left)) / beta, np.log(SERVING_PART * served))
        return np.asarray(np.log(cost.per_token(np.exp(log_N), {})) + log_tokens)

    law = [p[name] for name in ("A", "B", "alpha", "beta")]
    ends = np.log(smallest) + 1e-6, np.log(largest) + 0.5
    found = find_lowest(log_flops, *ends, [reducible, served, *law])
    N = np.exp(found.x)
    if cost != DENSE:
        largest = np.exp(find_lowest(log_flops, *ends, [reducible, np.asarray(NOTHING), *law]).x)
    D, D_cheap = (tokens_for_loss(values, loss, np.where(np.isfinite(n), n, 1.0)) for n in (N, largest))
    flops, cheap = (lifetime_flops(n, d, served, cost=cost) for n, d in ((N, D), (largest, D_cheap)))
    return ServingChoice(N, D, flops, 1 - flops / cheap, D / D_cheap, found.interior)


def revealed_served_tokens(values: Values, N: Number, D: Number) -> np.ndarray:
    """Return the tokens a model must serve for its size and training tokens to have been the cheapest choice.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        E, A, B, alpha and beta of an additive law at published scale.
    N, D : float or numpy.ndarray
        Parameters and training tokens of the model.

    Returns
    -------
    numpy.ndarray
        ``3 D (w - 1)`` tokens with w the ratio of the slopes of the loss on ln N and ln D; negative for a model that
        is larger than the one that is cheapest to train.

    Raises
    ------
    InputError
        If N or D is not above zero, or a parameter is missing.
    """
    p = parameters_of(values, ADDITIVE, "an additive law")
    N, D = positive("N", N, "parameters"), positive("D", D, "tokens")
    slopes = p["alpha"] * p["A"] / N ** p["alpha"] / (p["beta"] * p["B"] / D ** p["beta"])
    return np.asarray(3 * D * (slopes - 1))

"""How many bits to train in, and what quantising after training costs (Kumar et al. 2024)."""

from dataclasses import dataclass

import numpy as np

from bayescale.checks import Number, positive
from bayescale.laws.costs import precision_flops
from bayescale.laws.precision import kept
from bayescale.laws.precision_post import damage
from bayescale.tradeoffs.search import Values, find_lowest, parameters_of
from bayescale.values import Value

BITS = (0.25, 64.0)
"""Range that is searched."""

GAMMAS = ("gamma_w", "gamma_a", "gamma_kv")
LAW = ("E", "A", "B", "alpha", "beta", *GAMMAS)


@dataclass(frozen=True, eq=False, repr=False)
class BestBits(Value):
    """Best precision for a budget: arrays (draw, budget), without the dimension that is a single number.

    Attributes
    ----------
    bits : numpy.ndarray
        Bits of weights, activations and cache alike; not rounded.
    N : numpy.ndarray
        Parameters.
    D : numpy.ndarray
        Training tokens.
    loss : numpy.ndarray
        The law there.
    interior : numpy.ndarray
        Whether the bits lie inside the searched range.
    """

    bits: np.ndarray
    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    interior: np.ndarray


def effective_precision_parameters(
    values: Values, N: Number, *, bits_weights: Number, bits_activations: Number, bits_cache: Number
) -> np.ndarray:
    """Return the parameters that a model trained in low precision is worth.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``precision`` at published scale: floats, or draws (draw,).
    N : float or numpy.ndarray
        Parameters: a number or (point,).
    bits_weights, bits_activations, bits_cache : float or numpy.ndarray
        Bits of each part in training: numbers or (point,).

    Returns
    -------
    numpy.ndarray
        Parameters (draw, point), without the dimension that is a single number.

    Raises
    ------
    InputError
        If an argument is not above zero, or a parameter is missing.
    """
    N = positive("N", N, "parameters")
    bits = [positive("bits", part, "bits") for part in (bits_weights, bits_activations, bits_cache)]
    p = parameters_of(values, GAMMAS, "precision", np.broadcast(N, *bits).ndim)
    for part, gamma in zip(bits, GAMMAS, strict=True):
        N = N * kept(part, p[gamma])
    return np.asarray(N)


def quantisation_damage(values: Values, N: Number, D: Number, bits_post: Number) -> np.ndarray:
    """Return what quantising the weights after training adds to the loss.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``precision_post`` at published scale: floats, or draws (draw,).
    N, D : float or numpy.ndarray
        Parameters and training tokens: numbers or (point,).
    bits_post : float or numpy.ndarray
        Bits of the weights after training: a number or (point,).

    Returns
    -------
    numpy.ndarray
        In the unit of the fit (draw, point), without the dimension that is a single number.

    Raises
    ------
    InputError
        If an argument is not above zero, or a parameter is missing.
    """
    N, D = positive("N", N, "parameters"), positive("D", D, "tokens")
    bits = positive("bits_post", bits_post, "bits")
    names = ("C_1", "gamma_D", "gamma_N", "gamma_post")
    return np.asarray(
        damage(N, D, bits, **parameters_of(values, names, "precision_post", np.broadcast(N, D, bits).ndim))
    )


def harmful_tokens(values: Values, N: Number, bits_post: Number) -> np.ndarray:
    """Return the training tokens beyond which more of them make the quantised model worse.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``precision_post`` at published scale: floats, or draws (draw,).
    N : float or numpy.ndarray
        Parameters: a number or (point,).
    bits_post : float or numpy.ndarray
        Bits of the weights after training: a number or (point,).

    Returns
    -------
    numpy.ndarray
        Tokens (draw, point), without the dimension that is a single number.

    Raises
    ------
    InputError
        If an argument is not above zero, or a parameter is missing.
    """
    N, bits = positive("N", N, "parameters"), positive("bits_post", bits_post, "bits")
    names = ("B", "beta", "C_1", "gamma_D", "gamma_N", "gamma_post")
    p = parameters_of(values, names, "precision_post", np.broadcast(N, bits).ndim)
    log_gained = np.log(p["beta"] * p["B"])
    log_lost = np.log(p["gamma_D"] * p["C_1"]) - p["gamma_N"] * np.log(N) - (bits - 1) / p["gamma_post"]
    return np.asarray(np.exp((log_gained - log_lost) / (p["gamma_D"] + p["beta"])))


def best_bits(values: Values, flops: Number, *, N: float | None = None) -> BestBits:
    """Choose bits, size and tokens for a budget, with one precision for weights, activations and cache.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``precision`` at published scale: floats, or draws (draw,).
    flops : float or numpy.ndarray
        Budget ``6 N D bits / 16``, in FLOP of 16 bits: a number or (budget,).
    N : float, optional
        Parameters, where the size is given; by default it is chosen too, and the best bits are then the same for
        every budget.

    Returns
    -------
    BestBits
        For each draw and budget.

    Raises
    ------
    InputError
        If an argument is not above zero, or a parameter is missing.

    Notes
    -----
    Kumar et al. (2024), arXiv:2411.04330. The published values give 3.5 bits, not the 7 to 8 of the paper's text: they
    leave out the offsets of its fit. With a part ``1 - exp(n - bits / gamma)`` they would give 7.0.
    """
    flops = positive("flops", flops, "FLOP")
    p = parameters_of(values, LAW, "precision", flops.ndim)
    law = [p[name] for name in ("A", "B", "alpha", "beta", *GAMMAS)]
    if N is None:
        found = find_lowest(_log_cost, np.log(BITS[0]), np.log(BITS[1]), [p[name] for name in GAMMAS])
    else:
        size = positive("N", N, "parameters")
        found = find_lowest(_added_at_size, np.log(BITS[0]), np.log(BITS[1]), [flops, size, *law])
    bits = np.exp(np.broadcast_to(found.x, np.broadcast(flops, *law).shape))
    part = _all_kept(bits, *(p[name] for name in GAMMAS))
    product = flops / precision_flops(1.0, 1.0, bits)
    best = _best_size(product * part, p) / part if N is None else np.full(bits.shape, float(N))
    loss = p["E"] + p["A"] / (best * part) ** p["alpha"] + p["B"] / (product / best) ** p["beta"]
    interior = np.broadcast_to(found.interior, bits.shape)
    return BestBits(bits, best, np.asarray(product / best), np.asarray(loss), interior)


def _all_kept(bits: np.ndarray, *gammas: np.ndarray) -> np.ndarray:
    part = np.ones(())
    for gamma in gammas:
        part = part * kept(bits, gamma)
    return np.asarray(part)


def _log_cost(log_bits: np.ndarray, *gammas: np.ndarray) -> np.ndarray:
    """Return ln of bits for each effective parameter: where size is free, nothing else of the bits matters."""
    return np.asarray(log_bits - np.log(_all_kept(np.exp(log_bits), *gammas)))


def _added_at_size(log_bits: np.ndarray, flops: np.ndarray, N: np.ndarray, *law: np.ndarray) -> np.ndarray:
    A, B, alpha, beta, *gammas = law
    bits = np.exp(log_bits)
    tokens = flops / precision_flops(N, 1.0, bits)
    return np.asarray(A / (N * _all_kept(bits, *gammas)) ** alpha + B / tokens**beta)


def _best_size(product: np.ndarray, p: dict[str, np.ndarray]) -> np.ndarray:
    """Return the size that splits ``N D`` best."""
    ratio = p["alpha"] * p["A"] / (p["beta"] * p["B"])
    return np.asarray((ratio * product ** p["beta"]) ** (1 / (p["alpha"] + p["beta"])))

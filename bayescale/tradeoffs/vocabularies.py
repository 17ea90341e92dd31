"""How large a vocabulary a model should have (Tao et al. 2024)."""

from dataclasses import dataclass

import numpy as np

from bayescale.checks import Number, positive
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.laws import LAWS
from bayescale.tradeoffs.search import Values, find_lowest, parameters_of
from bayescale.values import Value

ISOFLOP_SIZE = (-2.4846510161625193, 0.5)
ISOFLOP_VOCABULARY = (-1.589031299255507, 0.4163622634135234)
"""Logarithm of the factor and exponent in compute of the best parameters outside and inside the vocabulary."""

DERIVATIVE_VOCABULARY = (3145728.0, 33e6, 0.8353974035228025)
"""Vocabulary parameters at a size, that size, and the exponent by which they grow."""

FERTILITY = (0.00639222, -0.15811069, 1.20470122)
"""Tokens per character: coefficients of the square, the first power and the zeroth of the log of the vocabulary."""

VOCABULARIES = (256.0, 1e8)
"""Range that is searched."""


@dataclass(frozen=True, eq=False, repr=False)
class VocabularyChoice(Value):
    """Best vocabulary for a budget: arrays (draw, model), without the dimension that is a single number.

    Attributes
    ----------
    vocabulary : numpy.ndarray
        Entries; not rounded.
    D : numpy.ndarray
        Tokens that the budget then allows.
    gain : numpy.ndarray
        Nats per token below a unigram model.
    interior : numpy.ndarray
        Whether the vocabulary lies inside the searched range.
    """

    vocabulary: np.ndarray
    D: np.ndarray
    gain: np.ndarray
    interior: np.ndarray


def tokens_per_character(vocabulary: Number) -> np.ndarray:
    """Return the tokens that a character takes with a vocabulary of so many entries.

    Parameters
    ----------
    vocabulary : float or numpy.ndarray
        Entries, from a few thousand to some hundred thousand.

    Returns
    -------
    numpy.ndarray
        Tokens per character, of the same shape.

    Raises
    ------
    InputError
        If the vocabulary is not above zero.

    Notes
    -----
    A fit to the authors' tokenizers: Tao et al. (2024), arXiv:2407.13623.
    """
    log_size = np.log(positive("vocabulary", vocabulary, "entries"))
    square, first, constant = FERTILITY
    return np.asarray(square * log_size**2 + first * log_size + constant)


def isoflop_budget(N: Number) -> np.ndarray:
    """Return the compute for which N parameters outside the vocabulary are best, by the paper's first approach.

    Parameters
    ----------
    N : float or numpy.ndarray
        Parameters outside the vocabulary.

    Returns
    -------
    numpy.ndarray
        FLOP, of the same shape.

    Raises
    ------
    InputError
        If N is not above zero.
    """
    log_factor, power = ISOFLOP_SIZE
    return np.asarray((positive("N", N, "parameters") / np.exp(log_factor)) ** (1 / power))


def isoflop_vocabulary(N: Number, width: Number) -> np.ndarray:
    """Return the best vocabulary by the paper's first approach, lines through the best runs of each budget.

    Parameters
    ----------
    N, width : float or numpy.ndarray
        Parameters outside the vocabulary, and dimension of the embedding.

    Returns
    -------
    numpy.ndarray
        Entries.

    Raises
    ------
    InputError
        If an argument is not above zero.
    """
    log_factor, power = ISOFLOP_VOCABULARY
    return np.asarray(np.exp(log_factor) * isoflop_budget(N) ** power / positive("width", width, "dimensions"))


def derivative_vocabulary(N: Number, width: Number) -> np.ndarray:
    """Return the best vocabulary by the paper's second approach, from the derivative of compute.

    Parameters
    ----------
    N, width : float or numpy.ndarray
        Parameters outside the vocabulary, and dimension of the embedding.

    Returns
    -------
    numpy.ndarray
        Entries.

    Raises
    ------
    InputError
        If an argument is not above zero.
    """
    factor, size, power = DERIVATIVE_VOCABULARY
    grown = factor * (positive("N", N, "parameters") / size) ** power
    return np.asarray(grown / positive("width", width, "dimensions"))


def best_vocabulary(values: Values, N: Number, width: Number, flops: Number | None = None) -> VocabularyChoice:
    """Choose the vocabulary of most gain for a model and a budget, by the law: the paper's third approach.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``vocabulary`` at published scale: floats, or draws (draw,).
    N, width : float or numpy.ndarray
        Parameters outside the vocabulary, and dimension of the embedding: numbers or (model,).
    flops : float or numpy.ndarray, optional
        Budget ``6 (N + vocabulary width) D`` in FLOP: a number or (model,); by default that of
        :func:`isoflop_budget`. A smaller one asks for a smaller vocabulary.

    Returns
    -------
    VocabularyChoice
        For each draw and model.

    Raises
    ------
    InputError
        If an argument is not above zero, or a parameter is missing.

    Notes
    -----
    Tao et al. (2024), arXiv:2407.13623. Two published sets differ much here: see the law ``vocabulary``.
    """
    N, width = positive("N", N, "parameters"), positive("width", width, "dimensions")
    flops = isoflop_budget(N) if flops is None else positive("flops", flops, "FLOP")
    law = LAWS["vocabulary"]
    p = parameters_of(values, law.parameters, law.name, np.broadcast(N, width, flops).ndim)

    def loss(
        log_size: np.ndarray, N: np.ndarray, width: np.ndarray, flops: np.ndarray, *law_: np.ndarray
    ) -> np.ndarray:
        size = np.exp(log_size)
        return -np.asarray(law.loss(N, size, width, _tokens(size, N, width, flops), **dict(zip(p, law_, strict=True))))

    found = find_lowest(loss, np.log(VOCABULARIES[0]), np.log(VOCABULARIES[1]), [N, width, flops, *p.values()])
    size = np.exp(found.x)
    return VocabularyChoice(size, _tokens(size, N, width, flops), -found.value, found.interior)


def _tokens(size: np.ndarray, N: np.ndarray, width: np.ndarray, flops: np.ndarray) -> np.ndarray:
    return np.asarray(flops / (FLOPS_PER_TOKEN * (N + size * width)))

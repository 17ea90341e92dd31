"""What a run costs: the FLOP of training and serving, by the law that describes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bayescale.checks import Number, positive
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.values import Value

FLOPS_PER_SERVED_TOKEN = 2.0
"""FLOP per parameter and token served."""

SERVING_PART = FLOPS_PER_SERVED_TOKEN / FLOPS_PER_TOKEN
"""A token served costs the forward third of what a training token costs, whatever the kind of model."""

EXPANSION = 64.0
"""Parameters of all experts over those that work on each token."""

FEED_FORWARD = 6.0
"""FLOP per active parameter and token."""

ROUTING = 14.0
"""FLOP per entry of the router and token; with it Eq. 10 gives the FLOP of the paper's Table 2 to 0.5%."""

WIDTH_PER_BLOCK = 64.0
"""Shape of the paper's models: embedding dimension over number of blocks."""

RETRIEVER = 177e6
"""Parameters of the retriever of Shao et al. (2024), arXiv:2407.12854."""

FLOPS_PER_EMBEDDED_TOKEN = 2.0
"""FLOP per parameter of the retriever and token that it embeds; the index costs nothing beside it."""

FULL_BITS = 16.0
"""Bits at which training costs ``6 N D``."""

type Columns = Mapping[str, float]


def _nothing(columns: Columns) -> float:
    del columns
    return 0.0


@dataclass(frozen=True, repr=False)  # its functions compare and hash, so that it can be a default
class Cost(Value):
    """FLOP of a run: ``per_token(N) * (D + served tokens / 3) + fixed``; module-level functions, so that laws pickle.

    Attributes
    ----------
    formula : str
        The training part in words.
    per_token : callable
        Takes N (any shape) and the further columns; returns the FLOP of one training token.
    fixed : callable
        Takes the further columns; returns the FLOP that neither N nor D change.
    """

    formula: str
    per_token: Callable[[np.ndarray, Columns], np.ndarray]
    fixed: Callable[[Columns], float] = _nothing


def _dense(N: np.ndarray, columns: Columns) -> np.ndarray:
    del columns
    return FLOPS_PER_TOKEN * N


def _low_precision(N: np.ndarray, columns: Columns) -> np.ndarray:
    return precision_flops(N, 1.0, max(columns["bits_weights"], columns["bits_activations"]))


DENSE = Cost("6 N D", _dense)
LOW_PRECISION = Cost("6 N D bits / 16, bits the wider of weights and activations", _low_precision)


def expert_flops(
    N: Number, D: Number, granularity: Number, *, expansion: float = EXPANSION, routing: float = ROUTING
) -> np.ndarray:
    """Return the FLOP of training a mixture of experts, routing included.

    ``F = (12 d^2 c_f + d expansion granularity c_r) D blocks`` with ``d = 64 blocks`` and
    ``N = d^2 (8 expansion + 4) blocks`` (Krajewski et al. 2024, Eq. 10, arXiv:2402.07871).

    Parameters
    ----------
    N : float or numpy.ndarray
        Parameters of all experts and the rest, without embeddings and routers.
    D : float or numpy.ndarray
        Training tokens.
    granularity : float or numpy.ndarray
        Width of the dense layer over that of an expert.
    expansion : float
        Parameters of all experts over those that work on each token; 1 for a dense model.
    routing : float
        FLOP per entry of the router and token; 0 for a dense model.

    Returns
    -------
    numpy.ndarray
        FLOP, of the broadcast shape.
    """
    per_token = expert_flops_per_token(positive("N", N, "parameters"), np.asarray(granularity), expansion, routing)
    return np.asarray(positive("D", D, "training tokens") * per_token)


def expert_flops_per_token(N: np.ndarray, granularity: np.ndarray, expansion: float, routing: float) -> np.ndarray:
    """Return the FLOP of one training token of a mixture of experts; see :func:`expert_flops`."""
    blocks = np.cbrt(N / (WIDTH_PER_BLOCK**2 * (8 * expansion + 4)))
    width = WIDTH_PER_BLOCK * blocks
    return np.asarray((12 * width**2 * FEED_FORWARD + width * expansion * granularity * routing) * blocks)


def datastore_flops(N: Number, D: Number, datastore_tokens: Number, *, retriever: float = RETRIEVER) -> np.ndarray:
    """Return the FLOP of training and of embedding a datastore: ``6 N D + 2 retriever datastore_tokens``.

    Parameters
    ----------
    N, D, datastore_tokens : float or numpy.ndarray
        Parameters, training tokens and tokens in the datastore.
    retriever : float
        Parameters of the retriever.

    Returns
    -------
    numpy.ndarray
        FLOP (Shao et al. 2024, arXiv:2407.12854), without those of longer contexts and of the search.
    """
    training = FLOPS_PER_TOKEN * np.asarray(N, dtype=float) * np.asarray(D, dtype=float)
    return np.asarray(training + FLOPS_PER_EMBEDDED_TOKEN * retriever * np.asarray(datastore_tokens, dtype=float))


def precision_flops(N: Number, D: Number, bits: Number) -> np.ndarray:
    """Return the compute of training in a precision, ``6 N D bits / 16``, in FLOP of 16 bits."""
    return np.asarray(FLOPS_PER_TOKEN / FULL_BITS * np.asarray(N) * np.asarray(D) * np.asarray(bits))

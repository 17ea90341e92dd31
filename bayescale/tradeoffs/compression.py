"""Train large, then compress (after Li et al. 2020): which size and which compression for a budget and a memory."""

from dataclasses import dataclass

import numpy as np

from bayescale.checks import Number, positive
from bayescale.laws import LAWS
from bayescale.laws.costs import DENSE
from bayescale.laws.measured import TokenCost, sizes
from bayescale.tradeoffs.search import Values, find_lowest, parameters_of
from bayescale.values import Value

BYTES = 2.0
"""Per parameter: 16-bit weights."""

DECADES = 3.0
"""How far N is searched, each way from 20 tokens per parameter."""


@dataclass(frozen=True, eq=False, repr=False)
class CompressedModel(Value):
    """Best model that fits into a memory: arrays (draw, budget).

    Attributes
    ----------
    N, D : numpy.ndarray
        Parameters as trained, and training tokens.
    kept : numpy.ndarray
        Part of N that is left after compression.
    loss : numpy.ndarray
        The law there, after compression.
    loss_uncompressed : numpy.ndarray
        The least loss of a model that fits as it was trained.
    interior : numpy.ndarray
        Whether N lies inside the searched range.
    """

    N: np.ndarray
    D: np.ndarray
    kept: np.ndarray
    loss: np.ndarray
    loss_uncompressed: np.ndarray
    interior: np.ndarray


def best_compressed(
    values: Values, flops: Number, memory: float, *, bytes_per_parameter: float = BYTES, cost: TokenCost = DENSE
) -> CompressedModel:
    """Find the size to train and the part of it to keep, under a training budget and a memory of deployment.

    More kept is never worse, so a model that is too large is compressed until it just fits.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``compress`` at published scale (draw,).
    flops : float or numpy.ndarray
        Training budgets in FLOP (budget,).
    memory : float
        Bytes that the parameters may take after compression.
    bytes_per_parameter : float
        Bytes of one parameter that is kept.
    cost : Cost or MeasuredCost
        What a token costs: 6 N, or as in a fit's runs, ``fit.draws.cost``.

    Returns
    -------
    CompressedModel
        Arrays (draw, budget); ``(kept < 1).mean(axis=0)`` is the probability that compressing is better.

    Raises
    ------
    InputError
        If a parameter is missing or the budget or memory is not above zero.
    """
    law = LAWS["compress"]
    budgets = positive("flops", flops, "budgets in FLOP")
    fits = positive("memory", memory, "bytes") / positive("bytes_per_parameter", bytes_per_parameter, "bytes")
    parameters = parameters_of(values, law.parameters, "law 'compress'", dimensions=budgets.ndim)
    names = list(parameters)

    def value(log_N: np.ndarray, budget: np.ndarray, *columns: np.ndarray) -> np.ndarray:
        N = np.exp(log_N)
        kept = np.minimum(1.0, fits / N)
        with np.errstate(over="ignore"):  # far too large a model, compressed to nothing
            named = dict(zip(names, columns, strict=True))
            return np.asarray(law.loss(N, budget / cost.per_token(N, {}), kept, **named))

    middle, reach = np.log(sizes(budgets, np.log(20.0), cost)[0]), DECADES * np.log(10)
    arguments = (budgets, *parameters.values())
    found = find_lowest(value, middle - reach, middle + reach, arguments)
    small = find_lowest(value, middle - reach, np.full_like(middle, np.log(fits)), arguments)
    at_limit = value(np.broadcast_to(np.log(fits), found.x.shape), *arguments)
    just_fits = at_limit <= found.value  # the kink, which a search only comes near
    N = np.where(just_fits, fits, np.exp(found.x))
    return CompressedModel(
        N=N,
        D=budgets / cost.per_token(N, {}),
        kept=np.minimum(1.0, fits / N),
        loss=np.where(just_fits, at_limit, found.value),
        loss_uncompressed=np.fmin(small.value, at_limit),
        interior=found.interior,
    )

"""How large and how narrow the experts: size, tokens and granularity for a budget (Krajewski et al. 2024)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayescale.checks import Number, positive
from bayescale.errors import InputError
from bayescale.laws import LAWS
from bayescale.laws.costs import EXPANSION, ROUTING, expert_flops_per_token
from bayescale.tradeoffs.search import Values, find_lowest, parameters_of
from bayescale.values import Value

GRANULARITIES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)

DECADES = 4.0
"""How far N is searched, each way from the square root of a sixth of the budget."""


@dataclass(frozen=True, eq=False, repr=False)
class Experts(Value):
    """Best mixture of experts for a budget: arrays (draw, budget), without the dimension that is a single number.

    Attributes
    ----------
    granularity : numpy.ndarray
        Best of the granularities that were offered.
    N : numpy.ndarray
        Parameters of all experts and the rest, without embeddings and routers.
    active_N : numpy.ndarray
        Those that work on each token.
    D : numpy.ndarray
        Training tokens.
    loss : numpy.ndarray
        The law there.
    losses : numpy.ndarray
        The least loss with each granularity that was offered (draw, budget, granularity).
    interior : numpy.ndarray
        Whether N lies inside the searched range and the granularity is not the largest offered; a granularity of 1
        is a natural end.
    """

    granularity: np.ndarray
    N: np.ndarray
    active_N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    losses: np.ndarray
    interior: np.ndarray


def active_parameters(N: Number, expansion: float = EXPANSION) -> np.ndarray:
    """Return how many of N parameters work on each token: ``N = (8 expansion + 4) / 12 N_active``."""
    return np.asarray(np.asarray(N, dtype=float) * 12 / (8 * expansion + 4))


def best_experts(
    values: Values,
    flops: Number,
    *,
    granularities: Sequence[float] = GRANULARITIES,
    expansion: float = EXPANSION,
    routing: float = ROUTING,
) -> Experts:
    """Find the size, tokens and granularity of least loss for each budget.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``moe_granular`` at published scale (draw,).
    flops : float or numpy.ndarray
        Budgets in FLOP, routing included (budget,).
    granularities : sequence of float
        Granularities to choose from.
    expansion : float
        Parameters of all experts over those that work on each token. The law holds for the one it was fitted at.
    routing : float
        FLOP per entry of the router and token. A dense model has ``expansion=1, routing=0, granularities=[1]``.

    Returns
    -------
    Experts
        Arrays (draw, budget).

    Raises
    ------
    InputError
        If a parameter is missing, or a budget, a granularity or the expansion cannot be used.
    """
    law = LAWS["moe_granular"]
    budgets = positive("flops", flops, "budgets in FLOP")
    offered = np.sort(positive("granularities", np.asarray(granularities, dtype=float), "granularities"))
    if offered[0] < 1 or expansion < 1:
        raise InputError(
            f"granularities are {list(granularities)} and expansion {expansion:g}; expected numbers of at least 1"
        )
    parameters = parameters_of(values, law.parameters, "law 'moe_granular'", dimensions=budgets.ndim + 1)
    names = list(parameters)

    def value(log_N: np.ndarray, budget: np.ndarray, granularity: np.ndarray, *columns: np.ndarray) -> np.ndarray:
        N = np.exp(log_N)
        D = budget / expert_flops_per_token(N, granularity, expansion, routing)
        return np.asarray(law.loss(N, D, granularity, **dict(zip(names, columns, strict=True))))

    middle, reach = 0.5 * np.log(budgets[..., None] / 6), DECADES * np.log(10)
    arguments = (budgets[..., None], offered, *parameters.values())
    found = find_lowest(value, middle - reach, middle + reach, arguments)
    return _best_of(found.x, found.value, budgets=budgets, offered=offered, expansion=expansion, routing=routing)


def _best_of(
    log_N: np.ndarray,
    losses: np.ndarray,
    *,
    budgets: np.ndarray,
    offered: np.ndarray,
    expansion: float,
    routing: float,
) -> Experts:
    """Choose the granularity along the last dimension."""
    best = np.argmin(np.where(np.isnan(losses), np.inf, losses), axis=-1)
    granularity = offered[best]
    N, loss = (np.take_along_axis(array, best[..., None], axis=-1)[..., 0] for array in (np.exp(log_N), losses))
    D = budgets / expert_flops_per_token(N, granularity, expansion, routing)
    interior = np.isfinite(loss) & ((best < offered.size - 1) | (granularity == 1))
    return Experts(granularity, N, active_parameters(N, expansion), D, loss, losses, interior)

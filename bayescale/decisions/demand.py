"""Demand: the tokens to serve for which a model is the right one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.optimize import elementwise

from bayescale import checks
from bayescale.comparison.comparison import Comparison
from bayescale.decisions.mixture import Mixture, mixture
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.laws.costs import SERVING_PART
from bayescale.laws.measured import SLOPE_STEP
from bayescale.splits.constraints import UNLIMITED, Constraints
from bayescale.splits.frontier import CLOSE, RATIOS
from bayescale.splits.search import Search
from bayescale.values import Value

USUAL = np.array([1e20, 1e24])
"""Budgets, in FLOP, at which laws must have a best split where none is asked for."""


@dataclass(frozen=True, eq=False, repr=False)
class Demand(Value):
    """Tokens to serve for which models are the cheapest of their loss, under every posterior draw.

    Attributes
    ----------
    draws : xarray.Dataset
        ``N``, ``D`` and ``loss`` (the law's own) of each model, and its ``served_tokens`` (draw, model): below zero for
        a model that is larger than the one that is cheapest to train, NaN where the size cannot reach the loss at all.
        Coordinate ``law`` (draw).
    probability : float
        Of the credible intervals.
    notes : tuple of str
        What a reader must know of these numbers.
    """

    draws: xr.Dataset
    probability: float
    notes: tuple[str, ...]


@checks.kinds
def implied_demand(
    source: Fit | Comparison,
    N: float | Sequence[float],
    D: float | Sequence[float],
    *,
    constraints: Constraints = UNLIMITED,
    probability: float = 0.9,
) -> Demand:
    """Return the tokens that models must serve for their size and training tokens to have been the cheapest choice.

    Parameters
    ----------
    source : Fit or Comparison
        As for :func:`bayescale.allocate`.
    N, D : float or sequence of float
        Parameters and training tokens of each model.
    constraints : Constraints
        Further columns of the law, and what repeats of unique tokens are worth.
    probability : float
        Of the credible intervals.

    Returns
    -------
    Demand
        For models of this loss. It says nothing of what the makers had in mind: their law and their data may differ.

    Raises
    ------
    InputError
        If a number is not above zero, there are not as many N as D, or the law has no best split.

    Notes
    -----
    Where total compute is least at one loss, the slopes of the loss on ln N and ln D have the ratio
    ``w = 1 + T / (3 D)`` (Sardana et al. 2024, arXiv:2401.00448), so ``T = 3 D (w - 1)``, under any law.
    """
    sizes, tokens = checks.several("N", N, "parameters"), checks.several("D", D, "training tokens")
    if sizes.shape != tokens.shape:
        raise InputError(f"found {sizes.size} N and {tokens.size} D; expected one of each for every model")
    checks.probability(probability)
    first = source if isinstance(source, Fit) else next(iter(source.fits.values()))
    flops = first.draws.flops(sizes, tokens)
    laws = _single_option(source, flops, constraints)
    served = np.concatenate([_served(each, sizes, tokens) for (each,) in laws.searches.values()])
    found = _dataset(laws, sizes, tokens, loss=laws.losses(0, sizes, tokens), served=served)
    return Demand(found, probability, laws.notes)


@checks.kinds
def demand_for_size(
    source: Fit | Comparison,
    N: float | Sequence[float],
    target_loss: float,
    *,
    constraints: Constraints = UNLIMITED,
    probability: float = 0.9,
) -> Demand:
    """Return the tokens to serve from which models of given sizes are the cheapest that reach a loss.

    Parameters
    ----------
    source : Fit or Comparison
        As for :func:`bayescale.allocate`.
    N : float or sequence of float
        Parameters of each model.
    target_loss : float
        Loss that each is trained to, in the unit of the runs.
    constraints : Constraints
        Further columns of the law, and what repeats of unique tokens are worth.
    probability : float
        Of the credible intervals.

    Returns
    -------
    Demand
        D is what the size needs to reach the loss: NaN in draws in which it never does.

    Raises
    ------
    InputError
        If a number is not above zero, or the law has no best split.
    """
    sizes, target = checks.several("N", N, "parameters"), checks.several("target_loss", target_loss, "losses")
    checks.probability(probability)
    laws = _single_option(source, USUAL, constraints)
    tokens = np.concatenate([_tokens_for(each, sizes, float(target[0])) for (each,) in laws.searches.values()])
    reached = np.isfinite(tokens)
    known = laws.split_by_law(np.where(reached, tokens, 1.0))
    pairs = zip(laws.searches.values(), known, strict=True)
    served = np.concatenate([_served(each, sizes, own) for (each,), own in pairs])
    return Demand(
        _dataset(laws, sizes, tokens, loss=np.where(reached, target, np.nan), served=np.where(reached, served, np.nan)),
        probability,
        laws.notes,
    )


def _single_option(source: Fit | Comparison, flops: np.ndarray, constraints: Constraints) -> Mixture:
    """Return the laws that are averaged, where the constraints leave no choice of further columns."""
    if constraints.offered:
        raise InputError(f"covariates offers several values of {', '.join(constraints.offered)}; give one of each")
    return mixture(source, flops, constraints)


def _dataset(laws: Mixture, N: np.ndarray, D: np.ndarray, *, loss: np.ndarray, served: np.ndarray) -> xr.Dataset:
    shape, dims = served.shape, ("draw", "model")
    values = {"N": np.broadcast_to(N, shape), "D": np.broadcast_to(D, shape), "loss": loss, "served_tokens": served}
    return xr.Dataset({name: (dims, each) for name, each in values.items()}, coords={"law": ("draw", laws.law)})


def _served(search: Search, N: np.ndarray, D: np.ndarray) -> np.ndarray:
    """Return ``3 D (w / eta - 1)``, eta the exponent of the FLOP per token in N (draw, model)."""
    by_N, by_D = search.slopes(N, D)
    steps = [np.log(search.frontier.per_token(N * np.exp(side * SLOPE_STEP))) for side in (1, -1)]
    eta = (steps[0] - steps[1]) / (2 * SLOPE_STEP)
    return np.asarray(D / SERVING_PART * (by_N / (eta * by_D) - 1))


def _tokens_for(search: Search, N: np.ndarray, target: float) -> np.ndarray:
    """Return the training tokens with which a size reaches a loss; NaN where it never does (draw, model)."""
    sizes = np.broadcast_to(N, (search.count, N.size))
    values = [np.broadcast_to(each, sizes.shape) for each in search.parameters.values()]

    def excess(log_D: np.ndarray, N: np.ndarray, *values: np.ndarray) -> np.ndarray:
        return search.sign * (
            search.response(N, np.exp(log_D), dict(zip(search.parameters, values, strict=True))) - target
        )

    ends = tuple(np.log(sizes * ratio) for ratio in RATIOS)
    tolerances = {"xatol": CLOSE * SLOPE_STEP, "fatol": 0}
    found = elementwise.find_root(excess, ends, args=(sizes, *values), tolerances=tolerances)
    return np.exp(np.where(found.success, found.x, np.nan))

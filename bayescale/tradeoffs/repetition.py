"""How often to repeat data that are scarce (Muennighoff et al. 2023)."""

from dataclasses import dataclass

import numpy as np

from bayescale.checks import Number, positive
from bayescale.laws import LAWS
from bayescale.laws.costs import DENSE
from bayescale.laws.data_constrained import effective
from bayescale.laws.measured import TokenCost, sizes
from bayescale.tradeoffs.search import Values, find_lowest, parameters_of
from bayescale.values import Value

DECADES = 4.0
"""How far N is searched, each way from 20 tokens per parameter."""


@dataclass(frozen=True, eq=False, repr=False)
class RepeatedSplit(Value):
    """Best split of a budget with so many unique tokens: arrays (draw, budget).

    Attributes
    ----------
    N, D : numpy.ndarray
        Parameters, and training tokens with their repeats.
    epochs : numpy.ndarray
        Passes over the unique tokens; below 1 where not all of them are used.
    loss : numpy.ndarray
        The law there.
    interior : numpy.ndarray
        Whether N lies inside the searched range.
    """

    N: np.ndarray
    D: np.ndarray
    epochs: np.ndarray
    loss: np.ndarray
    interior: np.ndarray


def effective_tokens(values: Values, D: Number, unique_tokens: float) -> np.ndarray:
    """Return the fresh tokens that are worth as much as D tokens with repeats.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        ``R_D`` of the law ``data_constrained`` (draw,).
    D : float or numpy.ndarray
        Training tokens with their repeats (D,).
    unique_tokens : float
        Distinct tokens that there are.

    Returns
    -------
    numpy.ndarray
        D' of the law (draw, D).

    Raises
    ------
    InputError
        If R_D is missing or a number of tokens is not above zero.
    """
    tokens, unique = positive("D", D, "training tokens"), positive("unique_tokens", unique_tokens, "tokens")
    R_D = parameters_of(values, ["R_D"], "law 'data_constrained'", dimensions=tokens.ndim)["R_D"]
    return np.asarray(effective(tokens, np.log(tokens) - np.log(unique), R_D))


def epoch_worth(values: Values, epochs: Number) -> np.ndarray:
    """Return what a token of some epoch is worth, in fresh tokens: ``exp(-(epochs - 1) / R_D)``.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        ``R_D`` of the law ``data_constrained`` (draw,).
    epochs : float or numpy.ndarray
        Which pass over the data, from 1 (epoch,).

    Returns
    -------
    numpy.ndarray
        Between 0 and 1 (draw, epoch): the slope of D' where so many epochs are done.

    Raises
    ------
    InputError
        If R_D is missing or an epoch is not above zero.
    """
    passes = positive("epochs", epochs, "epochs")
    R_D = parameters_of(values, ["R_D"], "law 'data_constrained'", dimensions=passes.ndim)["R_D"]
    return np.asarray(np.exp(-np.maximum(passes - 1, 0.0) / R_D))


def best_repetition(values: Values, flops: Number, unique_tokens: float, *, cost: TokenCost = DENSE) -> RepeatedSplit:
    """Find the size and the number of epochs of least loss for a budget and so many unique tokens.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``data_constrained`` at published scale (draw,).
    flops : float or numpy.ndarray
        Budgets in FLOP (budget,).
    unique_tokens : float
        Distinct tokens that there are.
    cost : Cost or MeasuredCost
        What a token costs: 6 N, or as in a fit's runs, ``fit.draws.cost``.

    Returns
    -------
    RepeatedSplit
        Arrays (draw, budget).

    Raises
    ------
    InputError
        If a parameter is missing or the budget or the tokens are not above zero.
    """
    law = LAWS["data_constrained"]
    budgets = positive("flops", flops, "budgets in FLOP")
    unique = positive("unique_tokens", unique_tokens, "tokens")
    parameters = parameters_of(values, law.parameters, "law 'data_constrained'", dimensions=budgets.ndim)
    names = list(parameters)

    def value(log_N: np.ndarray, budget: np.ndarray, *columns: np.ndarray) -> np.ndarray:
        N = np.exp(log_N)
        named = dict(zip(names, columns, strict=True))
        with np.errstate(over="ignore"):  # far too many repeats: they are worth nothing more
            return np.asarray(law.loss(N, budget / cost.per_token(N, {}), unique, **named))

    middle, reach = np.log(sizes(budgets, np.log(20.0), cost)[0]), DECADES * np.log(10)
    found = find_lowest(value, middle - reach, middle + reach, (budgets, *parameters.values()))
    N = np.exp(found.x)
    D = budgets / cost.per_token(N, {})
    return RepeatedSplit(N, D, D / unique, found.value, found.interior)

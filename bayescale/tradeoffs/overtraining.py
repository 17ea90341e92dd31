"""What over-training costs: loss at a compute and a number of tokens per parameter, and the error that follows."""

import numpy as np

from bayescale.checks import Number, positive
from bayescale.laws import LAWS
from bayescale.laws.costs import DENSE
from bayescale.laws.measured import TokenCost, sizes
from bayescale.tradeoffs.search import Values, parameters_of


def best_multiplier(values: Values) -> np.ndarray:
    """Return the tokens per parameter of least loss, the same at any compute.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``overtrain`` at published scale: floats, or draws (draw,).

    Returns
    -------
    numpy.ndarray
        Tokens per parameter, ``(B / A)**(1 / (2 eta))`` with ``C = 6 N D`` (draw,).

    Raises
    ------
    InputError
        If a parameter is missing.

    Notes
    -----
    Gadre et al. (2024), Eq. 4, arXiv:2403.08540. A handful of runs does not identify it: the authors' five give 3 to 7
    where their text takes 20.
    """
    found = parameters_of(values, ("A", "B", "eta"), "overtrain")
    return np.asarray((found["B"] / found["A"]) ** (1 / (2 * found["eta"])))


def overtrained_loss(values: Values, flops: Number, multiplier: Number, *, cost: TokenCost = DENSE) -> np.ndarray:
    """Return the loss of a run of this compute with so many tokens per parameter.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``overtrain`` at published scale: floats, or draws (draw,).
    flops : float or numpy.ndarray
        Compute in FLOP: a number or (point,).
    multiplier : float or numpy.ndarray
        Tokens per parameter: a number or (point,).
    cost : Cost or MeasuredCost
        What a token costs: 6 N, or as in a fit's runs, ``fit.draws.cost``.

    Returns
    -------
    numpy.ndarray
        In the unit of the fit (draw, point), without the dimension that is a single number.

    Raises
    ------
    InputError
        If compute or tokens per parameter are not above zero, or a parameter is missing.
    """
    flops, multiplier = positive("flops", flops, "FLOP"), positive("multiplier", multiplier, "tokens per parameter")
    N, D = sizes(flops, np.log(multiplier), cost)
    law = LAWS["overtrain"]
    return np.asarray(law.loss(N, D, **parameters_of(values, law.parameters, law.name, N.ndim)))


def error_from_loss(values: Values, loss: Number) -> np.ndarray:
    """Return the downstream error of models from their loss.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``loss_to_error`` at published scale: floats, or draws (draw,).
    loss : float or numpy.ndarray
        Loss in nats per token: a number or (point,); or (draw, point), which carries the doubt about the loss into
        that about the error.

    Returns
    -------
    numpy.ndarray
        Fraction wrong (draw, point), without the dimension that is a single number.

    Raises
    ------
    InputError
        If a loss is not above zero, or a parameter is missing.

    Notes
    -----
    Gadre et al. (2024), Eq. 5, arXiv:2403.08540.
    """
    loss = positive("loss", loss, "nats per token")
    law = LAWS["loss_to_error"]
    return np.asarray(law.loss(loss, **parameters_of(values, law.parameters, law.name, min(loss.ndim, 1))))

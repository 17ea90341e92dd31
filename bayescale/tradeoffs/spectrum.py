"""Exponents of size, time and compute that follow from one spectrum (Bordelon et al. 2024), and the split they give."""

from dataclasses import dataclass

import numpy as np

from bayescale.checks import Number, positive
from bayescale.errors import InputError
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.tradeoffs.search import Values, parameters_of
from bayescale.values import Value


@dataclass(frozen=True, eq=False, repr=False)
class SpectrumExponents(Value):
    """Exponents of a task with a spectrum (a, b): arrays (draw,).

    Attributes
    ----------
    time, size : numpy.ndarray
        Of the loss in training time at unlimited size, and in size (or data) at unlimited time.
    compute : numpy.ndarray
        Of the least loss in compute, which is size times time.
    optimal_time, optimal_size : numpy.ndarray
        Of the best time and size in compute; they add to 1.
    """

    time: np.ndarray
    size: np.ndarray
    compute: np.ndarray
    optimal_time: np.ndarray
    optimal_size: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class TimeSplit(Value):
    """Best split of a budget between size and steps: arrays (draw, budget).

    Attributes
    ----------
    N : numpy.ndarray
        Size.
    steps : numpy.ndarray
        Optimiser steps.
    loss : numpy.ndarray
        The law there.
    """

    N: np.ndarray
    steps: np.ndarray
    loss: np.ndarray


def spectrum_exponents(a: Number, b: Number) -> SpectrumExponents:
    """Return the exponents that a spectrum implies.

    Parameters
    ----------
    a : float or numpy.ndarray
        Decay of the task's power along the eigenfunctions, above 1; ``a`` of a fit of ``dmft`` (draw,).
    b : float or numpy.ndarray
        Decay of the eigenvalues, at least 1; ``b`` of the same fit (draw,).

    Returns
    -------
    SpectrumExponents
        Arrays of the broadcast shape (Bordelon, Atanasov and Pehlevan 2024, arXiv:2402.01092).

    Raises
    ------
    InputError
        If a is not above 1 or b below 1.
    """
    task, spectrum = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(b, dtype=float))
    if not ((task > 1) & (spectrum >= 1) & np.isfinite(task) & np.isfinite(spectrum)).all():
        raise InputError(f"a is {a} and b is {b}; expected a above 1 and b of at least 1, as the theory needs")
    time, size = (task - 1) / spectrum, np.minimum(task - 1, 2 * spectrum)
    return SpectrumExponents(time, size, time * size / (time + size), size / (time + size), time / (time + size))


def best_steps(values: Values, flops: Number, batch: float) -> TimeSplit:
    """Split a budget between size and steps under ``C = 6 N batch steps``.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of ``time_size`` at published scale, or those of ``dmft`` with the two exponents that follow from
        its spectrum, as ``bs.published_draws(fit)`` gives them (draw,).
    flops : float or numpy.ndarray
        Budgets in FLOP (budget,).
    batch : float
        Tokens per step.

    Returns
    -------
    TimeSplit
        Arrays (draw, budget). Both terms are powers, so the optimum is exact and there always is one.

    Raises
    ------
    InputError
        If a parameter is missing or the budget or batch is not above zero.
    """
    budgets = positive("flops", flops, "budgets in FLOP")
    product = budgets / (FLOPS_PER_TOKEN * positive("batch", batch, "tokens per step"))
    names = ("L_inf", "C_N", "C_t", "alpha_N", "alpha_t")
    p = parameters_of(values, names, "law 'time_size' or 'dmft'", dimensions=budgets.ndim)
    total = p["alpha_N"] + p["alpha_t"]
    balance = p["alpha_N"] * p["C_N"] / (p["alpha_t"] * p["C_t"])
    N = balance ** (1 / total) * product ** (p["alpha_t"] / total)
    steps = product / N
    return TimeSplit(N, steps, p["L_inf"] + p["C_N"] / N ** p["alpha_N"] + p["C_t"] / steps ** p["alpha_t"])

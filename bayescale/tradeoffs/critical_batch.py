"""Batch, steps and compute by Kaplan et al. (2020): what the critical batch changes, and their split of a budget."""

from dataclasses import dataclass

import numpy as np

from bayescale.checks import Number, positive
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.tradeoffs.search import Values, parameters_of
from bayescale.values import Value

B_STAR = 2.1e8
"""Tokens: the critical batch at a loss of 1 nat per token (Table 5)."""

ALPHA_B = 0.21
"""How the critical batch grows as the loss falls (Table 5)."""


@dataclass(frozen=True, eq=False, repr=False)
class KaplanRun(Value):
    """Compute-optimal run of a budget, far below the critical batch: arrays of the shape of the budget.

    Attributes
    ----------
    N : numpy.ndarray
        Parameters without embeddings.
    D : numpy.ndarray
        Tokens.
    batch : numpy.ndarray
        Tokens per step.
    steps : numpy.ndarray
        Optimiser steps, S_min.
    """

    N: np.ndarray
    D: np.ndarray
    batch: np.ndarray
    steps: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class KaplanExponents(Value):
    """Exponents in compute of a compute-optimal run: arrays (draw,).

    Attributes
    ----------
    loss : numpy.ndarray
        Of the loss, which falls with it.
    N, batch, steps, D : numpy.ndarray
        Of size, batch, steps and tokens; those of N and D add to 1.
    excess : numpy.ndarray
        Part by which the loss of an optimal run lies above that of its size trained without end.
    """

    loss: np.ndarray
    N: np.ndarray
    batch: np.ndarray
    steps: np.ndarray
    D: np.ndarray
    excess: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class StepsSplit(Value):
    """Best split of a budget between size, batch and steps under a law of size and steps: arrays (draw, budget).

    Attributes
    ----------
    N : numpy.ndarray
        Parameters without embeddings.
    steps : numpy.ndarray
        Least steps, S_min.
    batch : numpy.ndarray
        Critical batch at the final loss, in tokens.
    loss : numpy.ndarray
        Nats per token.
    """

    N: np.ndarray
    steps: np.ndarray
    batch: np.ndarray
    loss: np.ndarray


def critical_batch_size(loss: Number, *, B_star: Number = B_STAR, alpha_B: Number = ALPHA_B) -> np.ndarray:
    """Return the batch beyond which more tokens per step save few steps: ``B_star / loss^(1 / alpha_B)``.

    Parameters
    ----------
    loss : float or numpy.ndarray
        Nats per token.
    B_star : float or numpy.ndarray
        Tokens, at a loss of 1.
    alpha_B : float or numpy.ndarray
        Exponent.

    Returns
    -------
    numpy.ndarray
        Tokens (Kaplan et al. 2020, Eq. 1.4, arXiv:2001.08361).
    """
    return np.asarray(B_star / positive("loss", loss, "nats per token") ** (1 / np.asarray(alpha_B)))


def least_steps(
    steps: Number, batch: Number, loss: Number, *, B_star: Number = B_STAR, alpha_B: Number = ALPHA_B
) -> np.ndarray:
    """Return the steps that a batch far above the critical one would have needed for the same loss.

    Parameters
    ----------
    steps, batch : float or numpy.ndarray
        Steps of the run and its tokens per step.
    loss : float or numpy.ndarray
        Its final loss, nats per token.
    B_star, alpha_B : float or numpy.ndarray
        As for :func:`critical_batch_size`.

    Returns
    -------
    numpy.ndarray
        S_min, the column ``steps`` of the law ``kaplan_ns`` (Kaplan et al. 2020, section 5).
    """
    critical = critical_batch_size(loss, B_star=B_star, alpha_B=alpha_B)
    return np.asarray(positive("steps", steps, "steps") / (1 + critical / positive("batch", batch, "tokens per step")))


def least_compute(
    flops: Number, batch: Number, loss: Number, *, B_star: Number = B_STAR, alpha_B: Number = ALPHA_B
) -> np.ndarray:
    """Return the compute that a batch far below the critical one would have needed for the same loss.

    Parameters
    ----------
    flops : float or numpy.ndarray
        Compute of the run.
    batch : float or numpy.ndarray
        Its tokens per step.
    loss : float or numpy.ndarray
        Its final loss, nats per token.
    B_star, alpha_B : float or numpy.ndarray
        As for :func:`critical_batch_size`.

    Returns
    -------
    numpy.ndarray
        C_min, in the unit of ``flops`` (Kaplan et al. 2020, section 5).
    """
    critical = critical_batch_size(loss, B_star=B_star, alpha_B=alpha_B)
    return np.asarray(positive("flops", flops, "FLOP") / (1 + positive("batch", batch, "tokens per step") / critical))


def kaplan_run(petaflop_days: Number) -> KaplanRun:
    """Return the compute-optimal run of a budget by the fitted powers of Kaplan et al. (2020), Table 6.

    Parameters
    ----------
    petaflop_days : float or numpy.ndarray
        Budget C_min, in petaFLOP/s-days (8.64e19 FLOP).

    Returns
    -------
    KaplanRun
        ``N = 1.3e9 C^0.73``, ``batch = 2.0e6 C^0.24``, ``steps = 5.4e3 C^0.03``, ``D = 2e10 C^0.27``. Steps are
        S_min: a run at the critical batch takes twice as many, so D is about ``2 batch steps`` and 6 N D about twice
        the budget.
    """
    C = positive("petaflop_days", petaflop_days, "petaFLOP/s-days")
    return KaplanRun(N=1.3e9 * C**0.73, D=2e10 * C**0.27, batch=2.0e6 * C**0.24, steps=5.4e3 * C**0.03)


def kaplan_exponents(values: Values, *, alpha_B: Number = ALPHA_B) -> KaplanExponents:
    """Return how size, batch, steps and tokens of a compute-optimal run grow with compute.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``kaplan_ns`` at published scale (draw,).
    alpha_B : float or numpy.ndarray
        Exponent of the critical batch.

    Returns
    -------
    KaplanExponents
        ``1 / loss = 1 / alpha_S + 1 / alpha_B + 1 / alpha_N``, and the others are ``loss`` over their own exponent
        (Kaplan et al. 2020, section 6).

    Raises
    ------
    InputError
        If a parameter is missing.
    """
    p = parameters_of(values, ("alpha_N", "alpha_S"), "law 'kaplan_ns'")
    batch_exponent = positive("alpha_B", alpha_B, "an exponent")
    loss = np.asarray(1 / (1 / p["alpha_S"] + 1 / batch_exponent + 1 / p["alpha_N"]))
    N, batch, steps = (np.asarray(loss / exponent) for exponent in (p["alpha_N"], batch_exponent, p["alpha_S"]))
    return KaplanExponents(loss, N, batch, steps, batch + steps, np.asarray(p["alpha_N"] / p["alpha_S"]))


def best_kaplan_run(values: Values, flops: Number, *, B_star: Number = B_STAR, alpha_B: Number = ALPHA_B) -> StepsSplit:
    """Split a budget between size and steps under ``C_min = 6 N B_crit S_min``.

    At the optimum the term of steps is ``alpha_N / alpha_S`` of that of size, so everything is a power of N.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        Parameters of the law ``kaplan_ns`` at published scale (draw,).
    flops : float or numpy.ndarray
        Budgets C_min in FLOP (budget,).
    B_star, alpha_B : float or numpy.ndarray
        As for :func:`critical_batch_size`; arrays are (draw,).

    Returns
    -------
    StepsSplit
        Arrays (draw, budget); exact, for every budget has one optimum (Kaplan et al. 2020, appendix B).

    Raises
    ------
    InputError
        If a parameter is missing or a budget is not above zero.
    """
    budgets = positive("flops", flops, "budgets in FLOP")
    given = {**values, "B_star": B_star, "alpha_B": alpha_B}
    names = ("A", "B", "alpha_N", "alpha_S", "B_star", "alpha_B")
    p = parameters_of(given, names, "law 'kaplan_ns'", dimensions=budgets.ndim)
    ratio = p["alpha_N"] / p["alpha_S"]
    # With N = 1: the loss, the steps and the batch of an optimal run, each a power of N.
    loss, steps = (1 + ratio) * p["A"], (p["B"] / (ratio * p["A"])) ** (1 / p["alpha_S"])
    batch = p["B_star"] / loss ** (1 / p["alpha_B"])
    growth = 1 + ratio + p["alpha_N"] / p["alpha_B"]
    N = (budgets / (FLOPS_PER_TOKEN * batch * steps)) ** (1 / growth)
    return StepsSplit(N, steps * N**ratio, batch * N ** (p["alpha_N"] / p["alpha_B"]), loss / N ** p["alpha_N"])


def least_tokens(N: Number) -> np.ndarray:
    """Return the tokens that keep overfitting within the noise: ``5e3 N^0.74`` (Kaplan et al. 2020, section 4)."""
    return np.asarray(5e3 * positive("N", N, "parameters") ** 0.74)

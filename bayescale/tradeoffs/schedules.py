"""Learning-rate schedules: the columns a law of annealing needs, and the loss under a whole curve."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayescale.errors import InputError
from bayescale.laws import LAWS
from bayescale.schedules import checked_rates
from bayescale.values import Value

MULTI_POWER: Mapping[str, Mapping[str, float]] = LAWS["multi_power"].published
"""Published values of the multi-power law, by size of the model (arXiv:2503.12811).

They give the shape of the authors' released curves, but not their height: with a warm-up of half the peak rate the
curves lie higher by 0.11, 0.13 and 0.15 nats.
"""


@dataclass(frozen=True, eq=False, repr=False)
class LearningRateColumns(Value):
    """What a law of annealing needs of a schedule, after each step.

    Attributes
    ----------
    lr_sum : numpy.ndarray
        Sum of the learning rates of all steps up to and with this one (step,).
    lr_drop : numpy.ndarray
        Annealing area: every drop of the rate, each counted once for every step since it, fading (step,).
    """

    lr_sum: np.ndarray
    lr_drop: np.ndarray


def learning_rate_columns(rates: np.ndarray, *, fading: float = 0.999) -> LearningRateColumns:
    """Return the columns ``lr_sum`` and ``lr_drop`` of the law ``lr_anneal`` after every step of a schedule.

    Take the row of the step at which a loss was measured (the last row for a finished run) into the table of runs.

    Parameters
    ----------
    rates : numpy.ndarray
        Learning rate of each step, from the first step after warm-up (step,).
    fading : float
        By how much a drop counts less with each step since, the paper's lambda; 0.99 to 0.999.

    Returns
    -------
    LearningRateColumns
        The two sums (step,).

    Raises
    ------
    InputError
        If a rate is negative or not finite, or the fading is not between 0 and 1.

    Notes
    -----
    Tissue et al. (2024), arXiv:2408.11029. A rise of the rate counts as a negative drop.
    """
    rates = checked_rates(rates)
    if not 0 <= fading <= 1:
        raise InputError(f"expected a fading between 0 and 1, found {fading:g}; 0.999 is usual")
    from scipy.signal import lfilter  # noqa: PLC0415  (0.3 s that other trade-offs do not need)

    drops = np.concatenate([[0.0], -np.diff(rates)])
    faded = lfilter([1.0], [1.0, -fading], drops)
    return LearningRateColumns(np.cumsum(rates), np.cumsum(faded))


def multi_power_loss(
    values: Mapping[str, np.ndarray | float], rates: np.ndarray, steps: np.ndarray, *, warmup_sum: float = 0.0
) -> np.ndarray:
    """Return the loss at some steps of a schedule by the multi-power law.

    ``L = L_0 + A (S + S_W)**-alpha - B sum_k (r_(k-1) - r_k) G(r_k**-gamma S_k)`` with ``G(x) = 1 - (C x + 1)**-beta``,
    where S is the sum of the rates r of all steps, S_W that of the warm-up, and S_k that of the steps since step k.

    Parameters
    ----------
    values : mapping of str to float or numpy.ndarray
        L_0, A, alpha, B, C, beta and gamma: numbers, or draws (draw,). ``MULTI_POWER`` holds the published ones.
    rates : numpy.ndarray
        Learning rate of each step, from the first step after warm-up (step,); above zero.
    steps : numpy.ndarray
        Positions in ``rates``, from 0, after which the loss is asked for (point,).
    warmup_sum : float
        Sum of the learning rates of the warm-up.

    Returns
    -------
    numpy.ndarray
        In nats per token (point,), or (draw, point) for draws.

    Raises
    ------
    InputError
        If a rate is not above zero, a step is not in the schedule, or a parameter is missing.

    Notes
    -----
    Luo et al. (2025), arXiv:2503.12811. The time is that of steps times points; only steps at which the rate changes
    count.
    """
    rates = checked_rates(rates, above_zero=True)
    steps = np.atleast_1d(np.asarray(steps, dtype=int))
    if steps.min() < 0 or steps.max() >= rates.size:
        raise InputError(f"expected steps from 0 to {rates.size - 1}, found {steps.min()} to {steps.max()}")
    names = ("L_0", "A", "alpha", "B", "C", "beta", "gamma")
    missing = [name for name in names if name not in values]
    if missing:
        raise InputError(f"expected values of {', '.join(names)}; {', '.join(missing)} is missing")
    draws = {name: np.asarray(values[name], dtype=float)[..., None] for name in names}
    total = np.cumsum(rates)
    power = draws["L_0"] + draws["A"] / (total[steps] + warmup_sum) ** draws["alpha"]
    gained = np.stack([_gained(draws, rates, total, int(step)) for step in steps], axis=-1)
    return np.asarray(power - draws["B"] * gained)


def _gained(draws: Mapping[str, np.ndarray], rates: np.ndarray, total: np.ndarray, step: int) -> np.ndarray:
    """Return the sum over all changes of the rate up to a step ()."""
    changes = np.flatnonzero(np.diff(rates[: step + 1])) + 1
    since = total[step] - total[changes - 1]
    scaled = rates[changes] ** -draws["gamma"] * since
    weight = -np.expm1(-draws["beta"] * np.log1p(draws["C"] * scaled))
    return np.asarray(((rates[changes - 1] - rates[changes]) * weight).sum(axis=-1))

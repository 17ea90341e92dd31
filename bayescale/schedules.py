"""A learning-rate schedule in columns: the drops of the rate so far, in a few pieces."""

import numpy as np

from bayescale.errors import InputError

PIECES = 8
"""How many pieces the fall of the rate is taken in.

With the published multi-power laws the loss is then right to 0.0006 nats under cosine, linear and
warm-up-stable-decay schedules, and exact where the rate drops once. After the second of two sudden drops it is off by
up to 0.01 nats at first and 0.002 after some three hundred steps, for a piece may hold parts of both.
"""

SHARES = tuple((2 * (PIECES - piece) - 1) / PIECES**2 for piece in range(PIECES))
"""Part of the fall so far that each piece holds, oldest first: smaller for the newest, whose gain changes fastest."""

ORDER = range(1, PIECES + 1)
RATES = tuple(f"rate_{j}" for j in ORDER)
SINCE = tuple(f"since_{j}" for j in ORDER)

PIECE_MEANINGS = {
    "lr_fall": "sum of all learning-rate drops so far",
    **{f"rate_{j}": f"mean learning rate over piece {j} of the fall" for j in ORDER},
    **{f"since_{j}": f"mean sum of the learning rates since piece {j} of the fall" for j in ORDER},
}
"""The columns, and what they mean."""

LARGEST_RISE = 1e-9
"""Part of the highest rate that counts as a rounding error."""


def learning_rate_pieces(rates: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of the law ``multi_power`` beside ``lr_sum``, after every step of a schedule.

    The fall of the rate so far is cut, in the order in which it came, into pieces of 15, 13, 11, 9, 7, 5, 3 and 1 parts
    in 64; a large drop may belong to several. Of each piece there is the rate to which it led, and the sum of the rates
    since, both in the mean over its drops. Take the row of the step at which a loss was measured into the table of
    runs; ``lr_sum`` is the sum of all rates to this step with those of the warm-up.

    Parameters
    ----------
    rates : numpy.ndarray
        Learning rate of each step, from the first step after warm-up (step,); above zero, and never rising.

    Returns
    -------
    dict of str to numpy.ndarray
        ``lr_fall``, ``rate_1`` to ``rate_8``, ``since_1`` to ``since_8`` (step,). Before the first drop the fall is
        zero, the rates that of the step, and the sums those of all steps.

    Raises
    ------
    InputError
        If a rate is not above zero, or the rate rises.

    Notes
    -----
    For the sum over steps of Luo et al. (2025), arXiv:2503.12811.
    """
    rates = checked_rates(rates, above_zero=True)
    drops = -np.diff(rates, prepend=rates[0])
    if drops.min() < -LARGEST_RISE * rates.max():
        step = int(np.argmin(drops))
        raise InputError(
            f"expected learning rates that never rise after the warm-up, found {rates[step - 1]:g} and then "
            f"{rates[step]:g} at position {step}; begin behind the last rise, or use multi_power_loss"
        )
    drops = np.maximum(drops, 0.0)
    total, fall = np.cumsum(rates), np.cumsum(drops)
    rate = np.where(fall > 0, _means(drops, rates), rates)
    since = total - np.where(fall > 0, _means(drops, total - rates), 0.0)
    return {"lr_fall": fall, **dict(zip((*RATES, *SINCE), [*rate, *since], strict=True))}


def _means(drops: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the mean of values over the drops in each piece of the fall so far (piece, step); 0 before any drop."""
    fall = np.cumsum(drops)
    edges = np.cumsum([0.0, *SHARES])[:, None] * fall
    sums = np.interp(edges, np.append(0.0, fall), np.append(0.0, np.cumsum(drops * values)))
    held = np.array(SHARES)[:, None] * np.where(fall > 0, fall, 1.0)
    return np.asarray(np.diff(sums, axis=0) / held)


def checked_rates(rates: np.ndarray, *, above_zero: bool = False) -> np.ndarray:
    """Return the learning rate of each step as floats (step,).

    Raises
    ------
    InputError
        If they are not one number of zero or more for each step, or not above zero where that is asked for.
    """
    rates = np.asarray(rates, dtype=float)
    if rates.ndim != 1 or not rates.size or not (np.isfinite(rates) & (rates >= 0)).all():
        raise InputError(
            f"expected one learning rate of zero or more for each step, found an array of shape {rates.shape}"
            f"{'' if rates.ndim != 1 else ' with negative or missing values'}; give the rate of every step"
        )
    if above_zero and not (rates > 0).all():
        raise InputError("expected learning rates above zero, found zero; give the lowest rate that was used")
    return rates

"""find_waste: the extra compute that a model of the wrong size costs."""

from dataclasses import dataclass

import numpy as np

from bayescale.fits.fit import Fit
from bayescale.intervals import Interval, credible_interval
from bayescale.splits.optimum import RATIOS, extra_compute
from bayescale.values import Value
from bayescale.words import short

FACTORS = (2.0, 4.0, 10.0)
"""By how much a model may be mis-sized, in the table of waste."""


@dataclass(frozen=True, eq=False, repr=False)
class Waste(Value):
    """Extra compute that a mis-sized model costs, against the best split of the same loss.

    Attributes
    ----------
    factor : float
        By how much N is off its optimum.
    extra_compute : Interval
        The worse of the two directions.
    too_small, too_large : Interval
        With N divided, and multiplied, by the factor.
    """

    factor: float
    extra_compute: Interval
    too_small: Interval
    too_large: Interval


def find_waste(fitted: Fit, flops: float, probability: float) -> tuple[tuple[Waste, ...], tuple[str, ...]]:
    """Return what mis-sizing costs by each of ``FACTORS``, and a note where some draws have no answer.

    Parameters
    ----------
    fitted : Fit
        Fit of a law of N and D.
    flops : float
        Budget in FLOP.
    probability : float
        Of the intervals.

    Returns
    -------
    waste : tuple of Waste
        Over the draws that have an answer for every factor; empty where none has.
    notes : tuple of str
        How many draws have none: their best split, of this budget or of a smaller one that the wrong size is worth,
        lies outside the searched range of D/N.

    Raises
    ------
    InputError
        If the law says nothing about the split.
    """
    factors = np.array(FACTORS)
    extra = extra_compute(fitted.draws, flops, np.concatenate([1 / factors, factors]))
    known = np.isfinite(extra).all(axis=1)
    notes = _notes(known, flops)
    if not known.any():
        return (), notes
    small, large = np.split(extra[known].T, 2)
    return tuple(_waste(*each, probability) for each in zip(FACTORS, small, large, strict=True)), notes


def _waste(factor: float, small: np.ndarray, large: np.ndarray, probability: float) -> Waste:
    """Return the waste of one factor, from draws of it with N too small and too large (draw,)."""
    intervals = (credible_interval(draws, probability) for draws in (np.maximum(small, large), small, large))
    return Waste(factor, *intervals)


def _notes(known: np.ndarray, flops: float) -> tuple[str, ...]:
    lost = int((~known).sum())
    if not lost:
        return ()
    why = f"their best split leaves {short(RATIOS[0])} to {short(RATIOS[1])} tokens per parameter"
    said = f"extra compute of a wrong size at {short(flops)} FLOP"
    if lost == known.size:
        return (f"{said} is not known: all draws are lost, as {why}",)
    return (f"{said} leaves out {lost} of {known.size} draws, as {why}; it may be too small",)

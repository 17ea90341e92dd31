"""minima_notes: whether the best sizes of laws agree with the isoFLOP minima of their runs."""

from collections.abc import Mapping

import numpy as np

from bayescale.errors import InputError
from bayescale.fits.draws import evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.intervals import credible_interval
from bayescale.splits.minima import IsoflopMinima, isoflop_minima, line_sizes, line_through
from bayescale.splits.optimum import find_optimum
from bayescale.words import short

BEYOND_CHANCE = 9.21
"""99% point of the chi-square with two degrees of freedom: the chance of a false alarm is about 1%."""

WORTH_SAYING = np.log(1.1)
"""A size 10% off its best costs a thousandth of the compute."""

LAW_DRAWS = 400
"""Draws of the laws that are compared with the minima, together."""


def disagreement(minima: IsoflopMinima, log_sizes: np.ndarray) -> float:
    """Return how far the best sizes of a law lie from the minima of the runs, both taken as lines in ln C.

    Parameters
    ----------
    minima : IsoflopMinima
        The minima.
    log_sizes : numpy.ndarray
        ln N of the law's best split at ``minima.table["flops"]`` (draw, slice).

    Returns
    -------
    float
        The squared distance of level and exponent over the sum of both covariances; by chance it exceeds 9.21 in 1% of
        tables.
    """
    law = _lines(minima, log_sizes)
    gap = minima.lines.mean(axis=0) - law.mean(axis=0)
    spread = np.cov(minima.lines.T) + np.cov(law.T)
    return float(gap @ np.linalg.solve(spread, gap))


def minima_notes(
    fits: Mapping[str, Fit], weights: Mapping[str, float], flops: np.ndarray, probability: float
) -> list[str]:
    """Say where the isoFLOP minima of the runs lie if the laws' best sizes are elsewhere; nothing where they agree.

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits of the same runs; laws of further columns are left out.
    weights : mapping of str to float
        Of the laws in the average.
    flops : numpy.ndarray
        Budgets in FLOP; the line through the minima is carried on to the largest (budget,).
    probability : float
        Of the intervals.
    """
    split = {name: fitted for name, fitted in fits.items() if fitted.law.splits_compute}
    try:
        minima = isoflop_minima(next(iter(fits.values())).runs, probability=probability)
    except InputError:
        return []
    at = minima.table["flops"].to_numpy()
    law = _best_sizes(split, weights, np.append(at, np.max(flops)))
    if len(law) < 2:
        return []
    line = np.log(line_sizes(minima, np.append(at[[0, -1]], np.max(flops))))
    beside = law[:, [0, -2, -1]]
    gaps = np.median(line, axis=0) - np.median(beside, axis=0)
    far = gaps[-1] ** 2 / (line[:, -1].var() + beside[:, -1].var())
    if max(disagreement(minima, law[:, :-1]), far) < BEYOND_CHANCE or np.abs(gaps).max() < WORTH_SAYING:
        return []
    place = int(np.argmax(np.abs(gaps)))
    where = short(np.append(at[[0, -1]], np.max(flops))[place])
    read, said = (_interval_text(np.exp(values[:, place]), probability) for values in (line, beside))
    slopes = (_interval_text(lines[:, 1], probability) for lines in (minima.lines, _lines(minima, law[:, :-1])))
    return [
        f"the runs' own isoFLOP minima disagree with the best sizes of {', '.join(split)}: at {where} FLOP a line "
        f"through the minima has N = {read}, the law alone {said}; exponents of N over C {' and '.join(slopes)}. The "
        "sizes given here follow the minima, and their intervals have what the law misses"
    ]


def _best_sizes(fits: Mapping[str, Fit], weights: Mapping[str, float], flops: np.ndarray) -> np.ndarray:
    """Return ln N of the best split of some draws, laws by their weights; without draws that have none inside."""
    parts = [np.empty((0, len(flops)))]
    for name, fitted in fits.items():
        count = fitted.draws["sigma"].size
        picked = evenly_spaced(max(1, round(weights[name] * LAW_DRAWS)), count)
        found = find_optimum(fitted.draws.take(picked), flops)
        parts.append(np.log(found.N[found.located.all(axis=1)]))
    return np.concatenate(parts)


def _lines(minima: IsoflopMinima, log_sizes: np.ndarray) -> np.ndarray:
    """Return level and exponent of the line through best sizes, slices weighted as those of the minima (draw, 2)."""
    variance = minima.log_sizes.var(axis=0, ddof=1) + minima.scatter**2
    return np.asarray(log_sizes @ line_through(np.log(minima.table["flops"].to_numpy()), variance).T)


def _interval_text(draws: np.ndarray, probability: float) -> str:
    found = credible_interval(draws, probability)
    return f"{short(found.median)} ({short(found.lower)} to {short(found.upper)})"

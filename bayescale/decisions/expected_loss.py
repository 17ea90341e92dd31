"""Curve: the expected loss over the sizes of one budget, the best of them, and which are nearly as good."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline

from bayescale.decisions.mixture import Mixture
from bayescale.splits.frontier import Frontier

SIZES = 31
"""Sizes per budget at which the expected loss is computed; cubic splines join them."""

MARGINS = tuple(np.log([1e2, 1e4, 1e8]))
"""How far beyond the posterior of the optimum splits are considered, in ln(D/N): the first that is far enough."""

FINE = 2001
"""Points at which a spline is read."""

LEAST_POINTS = 6
"""Of a piece of the curve, on each side of the size that just uses all data."""

NARROW = 1e-6
"""A range of ln(D/N) this narrow is one split."""

NEAR = 0.02
"""Part of the expected loss above the least to which curves reach at least."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Expected loss over sizes, at one budget and option: less is better, whatever the response.

    Attributes
    ----------
    N, D : numpy.ndarray
        Runs at which the laws are computed (size,).
    excess : numpy.ndarray
        Their loss above each draw's own best run (draw, size).
    expected : numpy.ndarray
        Mean of their losses (size,).
    sizes, fine : numpy.ndarray
        Many sizes, and the expected loss there (point,).
    discrete : bool
        Whether the sizes are the only ones allowed.
    """

    N: np.ndarray
    D: np.ndarray
    excess: np.ndarray
    expected: np.ndarray
    sizes: np.ndarray
    fine: np.ndarray
    discrete: bool = False

    @property
    def least(self) -> float:
        """The least expected loss, with the sign of the response."""
        return float(self.fine.min())

    @property
    def best_N(self) -> float:
        """The size of least expected loss."""
        return float(self.sizes[np.argmin(self.fine)])

    def near(self, allowed: float) -> tuple[float, float]:
        """Return the smallest and the largest size that lose no more than this against the best."""
        inside = self.sizes[self.fine <= self.least + allowed]
        return float(inside.min()), float(inside.max())


def curve_of(mixture: Mixture, option: int, budget: float, best_N: np.ndarray, best_loss: np.ndarray) -> Curve:
    """Return the expected loss over sizes, as far as sizes are hardly worse than the best.

    Parameters
    ----------
    mixture : Mixture
        The laws.
    option : int
        Which combination of further columns.
    budget : float
        In FLOP.
    best_N, best_loss : numpy.ndarray
        The best run of each draw (draw,).
    """
    span = mixture.frontiers[option].span(np.asarray(budget))
    for margin in MARGINS:
        curve = _curve_within(mixture, option, np.asarray(budget), (best_N, best_loss), margin)
        near = curve.near(NEAR * abs(curve.least))
        cut = [near[0] <= curve.sizes.min(), near[1] >= curve.sizes.max()]
        ends = [np.log(near[0]) < span.low + NARROW, np.log(near[1]) > span.high - NARROW]
        if not any(each and not end for each, end in zip(cut, ends, strict=True)):
            break
    return curve


def _curve_within(
    mixture: Mixture, option: int, flops: np.ndarray, best: tuple[np.ndarray, np.ndarray], margin: float
) -> Curve:
    """Return the expected loss over sizes up to a margin beyond the best ones, whose N and loss are given (draw,)."""
    frontier, sign = mixture.frontiers[option], mixture.sign
    sizes = np.array(frontier.limits.sizes)
    pieces = _pieces(frontier, flops, best[0], margin)
    N = (
        sizes
        if sizes.size
        else _sizes(frontier, flops, np.concatenate([pieces[0], *(each[1:] for each in pieces[1:])]))
    )
    allowed = frontier.allowed(flops, N)
    D = np.where(allowed, frontier.tokens(flops, N), np.nan)
    losses = sign * mixture.losses(option, N, D)
    excess, expected = losses - sign * best[1][:, None], losses.mean(axis=0)
    if sizes.size or N.size == 1:
        return Curve(N, D, excess, expected, N[allowed], expected[allowed], discrete=sizes.size > 0)
    ends = np.cumsum([0, *(piece.size - 1 for piece in pieces)])
    places = [np.linspace(piece[0], piece[-1], FINE) for piece in pieces]
    fine = [
        CubicSpline(piece, expected[start : end + 1])(x)
        for piece, x, (start, end) in zip(pieces, places, pairwise(ends), strict=True)
    ]
    return Curve(N, D, excess, expected, _sizes(frontier, flops, np.concatenate(places)), np.concatenate(fine))


def _sizes(frontier: Frontier, flops: np.ndarray, log_ratio: np.ndarray) -> np.ndarray:
    """Return the N that spend a budget at these logs of the tokens per parameter that it pays."""
    return frontier.snapped(np.exp(frontier.log_size(np.broadcast_to(flops, log_ratio.shape), ratio=np.exp(log_ratio))))


def _pieces(frontier: Frontier, flops: np.ndarray, optima: np.ndarray, margin: float) -> list[np.ndarray]:
    """Return splits around the optima, as logs of the tokens per parameter that the budget pays.

    On that axis the loss bends gently at both ends, also where serving leaves hardly any tokens. There are two pieces
    where all data get used between them.
    """
    span = frontier.span(flops)

    def log_ratio(N: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(frontier.affordable(flops, N) / N))

    smallest, largest = np.quantile(optima, [0.01, 0.99])
    ends = log_ratio(np.exp(span.high)), log_ratio(np.exp(span.low))
    around = log_ratio(np.clip([largest, smallest], np.exp(span.low), np.exp(span.high)))
    low, high = np.clip(around + np.array([-margin, margin]), *ends)
    if high - low < NARROW:
        return [np.array([low])]
    count = round(SIZES * margin / MARGINS[0])
    kink = np.log(frontier.cap) - float(span.kink) if np.isfinite(frontier.cap) else np.inf
    if not low + NARROW < kink < high - NARROW:
        return [np.linspace(low, high, count)]
    left = int(np.clip(round(count * (kink - low) / (high - low)), LEAST_POINTS, count - LEAST_POINTS))
    return [np.linspace(low, kink, left), np.linspace(kink, high, count + 1 - left)]

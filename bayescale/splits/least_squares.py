"""LeastSquares: an additive law of N and D fitted to a table without a posterior, to move runs a little."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

OUTLYING = 0.003
"""Residuals of log loss above this count by their size, not by their square (Huber)."""

STARTS = [(left, share) for left in (0.4, 0.7) for share in (0.3, 0.7)]
"""Parts of the loss that no run can lower, and of the rest that more parameters lower: where the search starts."""

TYPICAL_EXPONENT = 0.35
"""Exponents of N and D at which the search starts."""


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """``L = e^p0 + e^(p1 - alpha n) + e^(p2 - beta d)``, with alpha = e^p3 and beta = e^p4, of n = ln N and d = ln D.

    Attributes
    ----------
    parameters : numpy.ndarray
        p, with n and d counted from their means over the runs (5,).
    center : tuple of float
        Those means.
    response : numpy.ndarray
        By how much the parameters move if the log loss of a run does (5, run).
    residuals : numpy.ndarray
        Log loss of the runs less that of the law (run,).
    """

    parameters: np.ndarray
    center: tuple[float, float]
    response: np.ndarray
    residuals: np.ndarray

    def log_loss(self, log_N: np.ndarray, log_D: np.ndarray) -> np.ndarray:
        """Return the log of the law (point,)."""
        return _log_loss(self.parameters, log_N - self.center[0], log_D - self.center[1])

    def slopes(self, log_N: np.ndarray, log_D: np.ndarray) -> np.ndarray:
        """Return the slopes of the log of the law on the parameters (point, 5)."""
        return _slopes(self.parameters, log_N - self.center[0], log_D - self.center[1])


def fit_least_squares(log_N: np.ndarray, log_D: np.ndarray, log_loss: np.ndarray) -> LeastSquares:
    """Fit the law to log losses, large residuals by their size alone (run,)."""
    center = float(log_N.mean()), float(log_D.mean())
    n, d, level = log_N - center[0], log_D - center[1], float(log_loss.mean())
    exponent = np.log(TYPICAL_EXPONENT)
    starts = [
        [level + np.log(part) for part in (left, (1 - left) * share, (1 - left) * (1 - share))] + [exponent] * 2
        for left, share in STARTS
    ]
    fits = [
        least_squares(
            lambda p: _log_loss(p, n, d) - log_loss,
            start,
            jac=lambda p: _slopes(p, n, d),
            loss="huber",
            f_scale=OUTLYING,
            max_nfev=60,
        )
        for start in starts
    ]
    found = min(fits, key=lambda each: each.cost).x
    residuals, slopes = log_loss - _log_loss(found, n, d), _slopes(found, n, d)
    weights = np.minimum(1.0, OUTLYING / np.maximum(np.abs(residuals), 1e-300))
    response = np.linalg.pinv(slopes * np.sqrt(weights)[:, None], rcond=1e-8) * np.sqrt(weights)
    return LeastSquares(found, center, response, residuals)


def _terms(p: np.ndarray, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Return the logs of the three terms (3, point)."""
    logs = np.broadcast_arrays(np.full_like(n, p[0]), p[1] - np.exp(p[3]) * n, p[2] - np.exp(p[4]) * d)
    return np.asarray(np.clip(np.stack(logs), -300.0, 300.0))


def _log_loss(p: np.ndarray, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    return np.asarray(np.logaddexp.reduce(_terms(p, n, d), axis=0))


def _slopes(p: np.ndarray, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    terms = _terms(p, n, d)
    shares = np.exp(terms - np.logaddexp.reduce(terms, axis=0))
    by_exponent = [-np.exp(p[3]) * n * shares[1], -np.exp(p[4]) * d * shares[2]]
    return np.stack([*shares, *by_exponent], axis=-1)

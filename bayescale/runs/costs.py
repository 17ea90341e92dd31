"""CostCurve: what a token costs in these runs, against a plain count such as 6 N, as a smooth factor of the size."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.values import Value

CONTEXT = "context"

COVARIATES = ("active_N", "experts", "granularity", "vocabulary", "width", "depth", CONTEXT)
"""Columns that may explain why models of one size cost differently."""

ATTENTION = 1 / 3
"""The share of attention is proportional to the context over this power of N: that of the width, in like shapes."""

SHARES = np.geomspace(3e-3, 30.0, 25)
"""Of attention in a run of typical size and context, over all else, among which one is chosen."""

ROUNDING, LARGEST_ROUNDING = 0.01, 0.06
"""Logs within which C agrees with its count: the curve, and a single run whose numbers have two digits."""

SURE = 2.0
"""Standard errors by which a curve must be off its count to be off it."""

EXPLAINED = 0.02
"""Scatter below which no further column is asked for an explanation."""

LEAST_GAIN = 0.5
"""A further column must halve the scatter."""

FADE = 3.0
"""Beyond the sizes of the runs the slope fades over this many e-foldings of N, as the share of attention does."""

PRIOR_SD = (10.0, 0.5, 0.05, 0.005)
"""Of the powers of ln N, from the level up: weak, and what decides where N hardly varies."""

COVARIATE_SD = 2.0
"""Of the exponent of a further column."""

SMALLEST_SCATTER = 1e-3
"""Costs are not known better: columns are written with a few digits."""

POWERS = len(PRIOR_SD)

STEEPEST = 0.9
"""The factor falls by a lower power of N than this, so that a larger model never costs less."""

STEPS = 60
"""Of reweighting; it arrives long before."""

CAUTION = 3.0
"""A run this many scatters off weighs half."""


@dataclass(frozen=True, eq=False, repr=False)
class CostCurve(Value):
    """The factor between measured and counted FLOP per token.

    ``ln factor`` is a polynomial in ``x = ln N - center``, within the sizes of the runs; beyond them the slope at
    the last size goes on and fades. Further columns shift it by ``effect (ln z - what is usual at this size)``, the
    context by ``effect ln(1 + share z exp(-x / 3))``, as attention does: where a column is not given, the models are
    those usual in the table.

    Attributes
    ----------
    coefficients : numpy.ndarray
        Of the powers 0 to 3 of x, and one effect of each further column (term,).
    covariance : numpy.ndarray
        Of the coefficients (term, term).
    center, low, high : float
        ln of a typical size, and the ends of the runs' sizes as x.
    usual : mapping of str to numpy.ndarray
        For each further column the powers of x that give its usual log (4,).
    share : float
        Of attention at a context of 1 and a typical size, over all else; 0 where the context is no further column.
    scatter : float
        Robust standard deviation of the runs about the curve, in logs.
    runs : int
        Number of runs.
    exact : bool
        Whether the runs are as counted, to rounding.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    center: float
    low: float
    high: float
    usual: Mapping[str, np.ndarray]
    share: float
    scatter: float
    runs: int
    exact: bool

    @property
    def sizes(self) -> tuple[float, float]:
        """Smallest and largest N of the runs."""
        return float(np.exp(self.center + self.low)), float(np.exp(self.center + self.high))

    def log_factor(self, N: np.ndarray, columns: Mapping[str, float | np.ndarray] | None = None) -> np.ndarray:
        """Return ln of the factor for models of these sizes, in the shape of ``N``."""
        return np.asarray(self._terms(N, columns or {}) @ self.coefficients)

    def error(self, N: np.ndarray, columns: Mapping[str, float | np.ndarray] | None = None) -> np.ndarray:
        """Return the standard error of ln of the factor, in the shape of ``N``; that of the curve alone."""
        terms = self._terms(N, columns or {})
        return np.asarray(np.sqrt(np.einsum("...i,ij,...j->...", terms, self.covariance, terms)))

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return how far coefficients may be off, by their covariance (draw, term)."""
        return np.asarray(rng.multivariate_normal(np.zeros(len(self.coefficients)), self.covariance, size=count))

    def shift(self, N: np.ndarray, off: np.ndarray, columns: Mapping[str, float]) -> np.ndarray:
        """Return what coefficients that are off add to ln of the factor, for sizes of each draw (draw, point)."""
        return np.asarray(np.einsum("dpt,dt->dp", self._terms(N, columns), off))

    def _terms(self, N: np.ndarray, columns: Mapping[str, float | np.ndarray]) -> np.ndarray:
        """Return the terms of the curve (..., term)."""
        x = np.log(N) - self.center
        inside = np.clip(x, self.low, self.high)
        beyond = x - inside
        faded = np.sign(beyond) * -np.expm1(-np.abs(beyond) / FADE) * FADE
        terms = [np.ones_like(inside), *(inside**k + k * inside ** (k - 1) * faded for k in range(1, POWERS))]
        for name, powers in self.usual.items():
            usual = np.polyval(powers[::-1], inside)
            own = np.log(columns[name]) if name in columns else usual
            terms.append(_attention(own, x, self.share) if name == CONTEXT else np.asarray(own - usual))
        return np.stack(np.broadcast_arrays(*terms), axis=-1)


def cost_curve(N: np.ndarray, factor: np.ndarray, columns: Mapping[str, np.ndarray] | None = None) -> CostCurve:
    """Return the smooth factor between measured and counted compute; runs far off it hardly count.

    Parameters
    ----------
    N : numpy.ndarray
        Parameters of each run (run,).
    factor : numpy.ndarray
        Measured over counted FLOP (run,).
    columns : mapping of str to numpy.ndarray, optional
        Further columns that may explain why models of one size cost differently (run,).
    """
    y, center = np.log(factor), float(np.mean(np.log(N)))
    x = np.log(N) - center
    base = _polynomial(x, _degree(x))
    logs = {name: np.log(values) for name, values in (columns or {}).items() if _usable(values)}
    found, share = _fit(base, y, []), 0.0
    terms: dict[str, np.ndarray] = {}
    while found.scatter > EXPLAINED and len(terms) < len(logs):
        left = {name: z for name, z in logs.items() if name not in terms}
        name, tried, term, its_share = _best_further(base, x, y, left, [*terms.values()])
        if tried.scatter > LEAST_GAIN * found.scatter:
            break
        found, share = tried, its_share or share
        terms[name] = term
    usual = {name: _line(base, logs[name]) for name in terms}
    exact = _agrees(y, y - found.residuals, _errors(base, found.covariance))
    coefficients = _never_falling(found.coefficients, x)
    ends = float(x.min()), float(x.max())
    return CostCurve(coefficients, found.covariance, center, *ends, usual, share, found.scatter, len(y), exact)


def _best_further(
    base: np.ndarray, x: np.ndarray, y: np.ndarray, logs: Mapping[str, np.ndarray], terms: list[np.ndarray]
) -> "tuple[str, _Fitted, np.ndarray, float]":
    """Return the further column that leaves the least scatter, the fit with it, its term and its share."""
    trials = [
        (name, _fit(base, y, [*terms, term]), term, share)
        for name, z in logs.items()
        for term, share in _terms_of(name, z, base, x)
    ]
    return min(trials, key=lambda trial: trial[1].scatter)


def _terms_of(name: str, z: np.ndarray, base: np.ndarray, x: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Yield what a column adds to the log of the cost, given its logs: of a context for each share of attention."""
    if name == CONTEXT:
        for share in SHARES / np.exp(np.mean(z)):
            yield _attention(z, x, float(share)), float(share)
    else:
        yield np.asarray(z - base @ _line(base, z)), 0.0


def flops_per_token(frame: pd.DataFrame, N: np.ndarray) -> np.ndarray:
    """Return what a token of models of these sizes costs, by the C of runs with N, D and C (size,)."""
    factor = (frame["C"] / (FLOPS_PER_TOKEN * frame["N"] * frame["D"])).to_numpy(dtype=float)
    curve = cost_curve(frame["N"].to_numpy(dtype=float), factor)
    return np.asarray(FLOPS_PER_TOKEN * N * (1.0 if curve.exact else np.exp(curve.log_factor(N))))


@dataclass(frozen=True)
class _Fitted:
    coefficients: np.ndarray
    covariance: np.ndarray
    residuals: np.ndarray
    scatter: float


def _errors(base: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.einsum("ri,ij,rj->r", base, covariance[:POWERS, :POWERS], base)))


def _agrees(y: np.ndarray, fitted: np.ndarray, errors: np.ndarray) -> bool:
    """Return whether C is as counted, but for the rounding of columns to a few digits."""
    near = np.abs(fitted) <= np.maximum(ROUNDING, SURE * errors)
    return bool(near.all() and np.abs(y).max() <= LARGEST_ROUNDING)


def _usable(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all() and (values > 0).all() and np.ptp(np.log(values)) > SMALLEST_SCATTER)


def _degree(x: np.ndarray) -> int:
    """Return the degree of the curve that so many sizes and runs bear."""
    sizes = len(np.unique(x.round(2)))
    return 0 if sizes < 2 else 1 if sizes < 4 or len(x) < 8 else 2 if sizes < 6 or len(x) < 12 else 3


def _polynomial(x: np.ndarray, degree: int) -> np.ndarray:
    """Return the powers of x, those beyond the degree as zeros (run, power)."""
    return np.stack([x**power if power <= degree else np.zeros_like(x) for power in range(POWERS)], axis=1)


def _line(base: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return what a column usually is at a size, by least squares (power,)."""
    return np.asarray(np.linalg.lstsq(base, z, rcond=None)[0])


def _attention(z: np.ndarray, x: np.ndarray, share: float) -> np.ndarray:
    """Return ln of what attention makes of a cost without it, given ln of the context."""
    return np.asarray(np.log1p(share * np.exp(z - ATTENTION * x)))


def _fit(base: np.ndarray, y: np.ndarray, further: list[np.ndarray]) -> _Fitted:
    """Fit by reweighted least squares with a scale of the median kind, from the median on."""
    terms = np.column_stack([base, *further])
    precision = np.diag(np.array([*PRIOR_SD, *(COVARIATE_SD for _ in further)]) ** -2.0)
    used = np.abs(terms).sum(axis=0) > 0
    inflation = float(np.sqrt(len(y) / max(len(y) - int(used.sum()), 1)))
    residuals = y - np.median(y)
    for _ in range(STEPS):
        scatter = max(1.4826 * float(np.median(np.abs(residuals))) * inflation, SMALLEST_SCATTER)
        weights = 1 / (1 + (residuals / (CAUTION * scatter)) ** 2) / scatter**2
        covariance = np.linalg.inv((terms * weights[:, None]).T @ terms + precision)
        coefficients = covariance @ (terms.T @ (weights * y))
        before, residuals = residuals, y - terms @ coefficients
        if np.abs(residuals - before).max() < 1e-10:
            break
    return _Fitted(coefficients, covariance * np.outer(used, used), residuals, scatter)


def _never_falling(coefficients: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the curve; a straight one where a larger model would cost less per token at some size of the runs."""
    inside = np.linspace(x.min(), x.max(), 50)
    slopes = np.polyval(np.polyder(coefficients[POWERS - 1 :: -1]), inside)
    if slopes.min() >= -STEEPEST:
        return coefficients
    level, slope = np.polynomial.polynomial.polyfit(inside, np.polyval(coefficients[POWERS - 1 :: -1], inside), 1)
    return np.array([level, max(slope, -STEEPEST), *np.zeros(POWERS - 2), *coefficients[POWERS:]])

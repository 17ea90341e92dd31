"""Valleys: the sizes of least loss along the isoFLOP slices of a table, all slices together."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import linalg
from threadpoolctl import threadpool_limits

from bayescale.laws.measured import MeasuredCost, table_cost
from bayescale.runs import RunTable
from bayescale.splits.least_squares import LeastSquares, fit_least_squares
from bayescale.splits.slices import Slice, isoflop_slices

WINDOW = np.log(8.0)
HEIGHT = 0.1
"""Runs are used that lie within this factor of the minimum in N, and no more than this above the lowest log loss."""

NEAREST = 6
"""So many runs nearest the minimum are used in any case."""

OUTLYING = 3.0
"""Residuals beyond this many standard deviations count less, with their square: a run that has diverged for nothing."""

CENTERINGS = 6
"""Times that runs are chosen around the minimum which those chosen before have shown."""

REWEIGHINGS, STEADY = 10, 1e-3
"""Times that residuals are weighed by those of the fit before, unless no weight changes by more than this."""

BEYOND = 0.5
"""How far beyond the runs of a slice a sample of its minimum may lie, in ln N."""

SIZES = np.geomspace(1e3, 1e15, 60)
"""Two costs that are alike at these sizes are one."""

GRID = 161
"""Sizes at which the loss along a slice is computed."""

ARRIVED = 0.01
"""Minima that move by less than this, in ln N, stay."""

TINY = 1e-12
"""Added to the scale of residuals, for runs without noise."""

LEAST_SLOPE = 0.3
"""The mean slope of the weighed residuals is taken for no less than this; without outlying residuals it is 1."""

LEAST_FREE = 3
"""Residuals that must be left free where slices share a correction; with fewer, they share one term less."""

RATIOS = tuple(np.geomspace(0.1, 20, 11))
"""Typical difference between slices in curvature, over the noise of a run: half-Cauchy of scale 1, on a grid."""

CUBIC = 0.25
"""Typical difference between slices in the cubic, over that in the curvature."""


@dataclass(frozen=True, eq=False)
class Valleys:
    """Minima of the slices of a table whose least loss lies among their runs.

    Attributes
    ----------
    slices : sequence of Slice
        The slices, by compute.
    log_size : numpy.ndarray
        ln N of least loss (slice,).
    log_sizes : numpy.ndarray
        Samples of the same (sample, slice).
    moved : numpy.ndarray
        Largest part by which the loss of a run of the slice changes when it is moved to the budget (slice,).
    noise : float
        Standard deviation of a run's log loss about its slice.
    """

    slices: Sequence[Slice]
    log_size: np.ndarray
    log_sizes: np.ndarray
    moved: np.ndarray
    noise: float


@dataclass(frozen=True, eq=False)
class _Regression:
    """What a law misses near the minima, for slices that differ so much in curvature.

    Its terms are a level and a slope for each slice, a quadratic and a cubic that slices share, and for each slice what
    its own quadratic and cubic differ by.
    """

    coefficients: np.ndarray  # (term,)
    matrix: np.ndarray  # from residuals, and what slices differ by over its scale, to coefficients (term, run + random)
    noise: float
    free: float
    evidence: float


@dataclass(frozen=True, eq=False)
class _Regressions:
    """The same for each of the ratios, and their posterior probabilities."""

    each: Sequence[_Regression]
    probability: np.ndarray

    @property
    def best(self) -> _Regression:
        """The regression of the most probable ratio."""
        return self.each[int(np.argmax(self.probability))]


@dataclass(frozen=True, eq=False)
class _Window:
    """Runs of a slice around its minimum."""

    part: Slice
    center: float
    rows: np.ndarray
    u: np.ndarray  # ln N from the center

    @property
    def grid(self) -> np.ndarray:
        """Where the minimum is sought, from the center (size,)."""
        return np.linspace(self.u.min() - BEYOND, self.u.max() + BEYOND, GRID)

    @property
    def powers(self) -> np.ndarray:
        """Of the grid: level, slope and what slices share (power, size)."""
        return np.stack([self.grid**power for power in range(4)])


@dataclass(frozen=True, eq=False)
class _Table:
    """Runs and the law fitted to them by least squares."""

    log_N: np.ndarray
    log_D: np.ndarray
    law: LeastSquares

    @classmethod
    def of(cls, frame: pd.DataFrame, response: str) -> "_Table":
        log_N, log_D, log_loss = (np.log(frame[name].to_numpy(dtype=float)) for name in ("N", "D", response))
        return cls(log_N, log_D, fit_least_squares(log_N, log_D, log_loss))

    def at_budget(self, part: Slice) -> np.ndarray:
        """Return the law for the runs of a slice, were they on its budget (run,)."""
        log_N = self.log_N[part.rows]
        return self.law.log_loss(log_N, part.log_tokens(log_N))

    def moved(self, part: Slice) -> float:
        """Return the largest change of log loss that takes a run of a slice to its budget."""
        own = self.law.log_loss(self.log_N[part.rows], self.log_D[part.rows])
        return float(np.abs(np.expm1(self.at_budget(part) - own)).max())

    def lowest(self, part: Slice) -> float:
        """Return ln N of the run of least loss, all on the budget."""
        losses = self.at_budget(part) + self.law.residuals[part.rows]
        return float(self.log_N[part.rows[np.argmin(losses)]])

    def ends(self, part: Slice) -> tuple[float, float]:
        """Return ln N of the smallest and of the largest run of a slice."""
        return float(self.log_N[part.rows].min()), float(self.log_N[part.rows].max())

    def around(self, part: Slice, center: float) -> _Window:
        """Return the runs of a slice near a size."""
        losses = self.at_budget(part) + self.law.residuals[part.rows]
        u = self.log_N[part.rows] - center
        nearest = np.abs(u) <= np.sort(np.abs(u))[min(NEAREST, u.size) - 1]
        near = (np.abs(u) <= WINDOW) & (losses <= losses.min() + HEIGHT) | nearest
        return _Window(part, float(center), part.rows[near], u[near])


def read_valleys(runs: RunTable, *, samples: int, random_seed: int) -> Valleys | None:
    """Return the minima of the slices of a table; None where no slice has one.

    A law fitted by least squares says how loss changes along and across budgets, and the runs say what it misses: near
    the minima, its residuals are a level and a slope for each slice, and a quadratic and a cubic in ln N, in which
    slices differ by as much as the runs say. The law moves each run to its budget, so C may vary with N inside a slice.

    Parameters
    ----------
    runs : RunTable
        Runs with N, D and C.
    samples : int
        Number of samples of the minima: of noise in every run, carried through the law and the correction.
    random_seed : int
        Seed of the samples.
    """
    columns = (runs.response, "N", "D", "C")
    values = tuple((name, runs.frame[name].to_numpy(dtype=float).tobytes()) for name in columns)
    budgets = tuple(runs.frame["budget"].astype(str)) if "budget" in runs.frame else None
    cost = table_cost(runs)
    return _read(values, budgets, _Counted.of(cost if isinstance(cost, MeasuredCost) else None), samples, random_seed)


@dataclass(frozen=True)
class _Counted:
    """What a token costs in the runs; None where C is in proportion to N D."""

    key: bytes
    cost: MeasuredCost | None = field(compare=False)

    @classmethod
    def of(cls, cost: MeasuredCost | None) -> "_Counted":
        return cls(b"" if cost is None else cost.per_token(SIZES, {}).tobytes(), cost)


@lru_cache(maxsize=8)
def _read(
    columns: tuple[tuple[str, bytes], ...],
    budgets: tuple[str, ...] | None,
    counted: _Counted,
    samples: int,
    random_seed: int,
) -> Valleys | None:
    """Return the minima of a table given as bytes, so that those of one table are found once."""
    frame = pd.DataFrame({name: np.frombuffer(values) for name, values in columns})
    if budgets is not None:
        frame["budget"] = budgets
    with threadpool_limits(limits=1, user_api="blas"):  # on a busy machine, threads wait 50 times as long as they work
        return _valleys(frame, columns[0][0], counted.cost, samples, random_seed)


def _valleys(
    frame: pd.DataFrame, response: str, cost: MeasuredCost | None, samples: int, random_seed: int
) -> Valleys | None:
    order = np.lexsort([frame[name] for name in (response, "N", "C")])  # the order of rows makes no difference
    frame = frame.iloc[order]
    slices = isoflop_slices(frame, cost)
    if not slices:
        return None
    table = _Table.of(frame, response)
    windows, fitted, found = _centered(table, slices)
    ends = np.array([table.ends(part) for part in slices])
    inside = (ends[:, 0] < found) & (found < ends[:, 1])
    if not inside.any():
        return None
    shaken = _samples(table, windows, fitted, samples, np.random.default_rng(random_seed))
    kept = [part for part, keep in zip(slices, inside, strict=True) if keep]
    moved = np.array([table.moved(part) for part in kept])
    kept = [replace(part, rows=order[part.rows]) for part in kept]
    return Valleys(kept, found[inside], shaken[:, inside], moved, fitted.best.noise)


def _centered(table: _Table, slices: Sequence[Slice]) -> tuple[list[_Window], _Regressions, np.ndarray]:
    """Choose runs around the minima until these stay; return the runs, what the law misses there, and the minima."""
    centers = np.array([table.lowest(part) for part in slices])
    low, high = np.array([table.ends(part) for part in slices]).T
    for _ in range(CENTERINGS):
        windows = [table.around(part, center) for part, center in zip(slices, centers, strict=True)]
        found = _found(table, windows, _regress(windows, table.law.residuals, (1.0,)))
        if np.abs(found - centers).max() < ARRIVED:
            break
        centers = np.clip(found, low, high)
    fitted = _regress(windows, table.law.residuals)
    return windows, fitted, _found(table, windows, fitted)


def _found(table: _Table, windows: Sequence[_Window], fitted: _Regressions) -> np.ndarray:
    """Return ln N of least loss of each slice."""
    terms = fitted.best.coefficients[None]
    return np.concatenate([_minima(table, each, place, terms) for place, each in enumerate(windows)])


def _regress(windows: Sequence[_Window], residuals: np.ndarray, ratios: Sequence[float] = RATIOS) -> _Regressions:
    """Fit what the law misses, for each ratio."""
    fixed, random = _design(windows)
    y = residuals[np.concatenate([each.rows for each in windows])]
    found = [_regress_at(ratio, fixed, random, y) for ratio in ratios]
    log_density = np.array([each.evidence for each in found]) - np.log(np.divide(1, ratios) + ratios)
    density = np.exp(log_density - log_density.max())
    return _Regressions(found, density / density.sum())


def _regress_at(ratio: float, fixed: np.ndarray, random: np.ndarray, y: np.ndarray) -> _Regression:
    """Fit a mixed model by its penalised normal equations (Henderson 1975), outlying residuals by less."""
    X = np.hstack([fixed, random])
    terms, count = np.flatnonzero(X.any(axis=0)), y.size
    X, penalty = X[:, terms], np.where(terms < fixed.shape[1], 0.0, ratio**-2)
    weights = np.ones(count)
    for _ in range(REWEIGHINGS):
        weighted = X.T * weights
        inverse = linalg.inv(weighted @ X + np.diag(penalty), assume_a="pos")
        coefficients = inverse @ (weighted @ y)
        left = y - X @ coefficients
        free = max(count - float((inverse * (weighted @ X)).sum()), 1.0)
        scale = float(np.median(np.abs(left))) / 0.6745 * np.sqrt(count / free) + TINY
        before, weights = weights, _weights(left / scale)
        if np.abs(weights - before).max() < STEADY:
            break
    matrix = np.zeros((fixed.shape[1] + random.shape[1], count + random.shape[1]))
    matrix[terms, :count] = inverse @ weighted
    matrix[np.ix_(terms, count - fixed.shape[1] + terms[penalty > 0])] = (inverse * np.sqrt(penalty))[:, penalty > 0]
    whole = np.zeros(len(matrix))
    whole[terms] = coefficients
    squares = float(weights @ left**2 + penalty @ coefficients**2)
    degrees, differing = count - int((penalty == 0).sum()), int((penalty > 0).sum())
    evidence = _evidence(inverse, weights, squares, degrees) - differing * np.log(ratio)
    return _Regression(whole, matrix, _noise(left, left / scale, free), free, evidence)


def _evidence(inverse: np.ndarray, weights: np.ndarray, squares: float, degrees: int) -> float:
    """Return the restricted log likelihood, but for constants (Patterson and Thompson 1971)."""
    return float(np.linalg.slogdet(inverse)[1] + np.log(weights).sum() - degrees * np.log(squares + TINY**2)) / 2


def _design(windows: Sequence[_Window]) -> tuple[np.ndarray, np.ndarray]:
    """Return the terms of a regression: fixed ones (run, term), and those by which slices differ (run, term).

    Slices share as many powers as leave residuals free.
    """
    count = len(windows)
    place = np.repeat(np.arange(count), [each.u.size for each in windows])
    u = np.concatenate([each.u for each in windows])
    fixed, random = np.zeros((u.size, 2 * count + 2)), np.zeros((u.size, 2 * count))
    rows = np.arange(u.size)
    fixed[rows, 2 * place], fixed[rows, 2 * place + 1] = 1.0, u
    for power in range(min(2, max(0, u.size - 2 * count - LEAST_FREE))):
        fixed[:, 2 * count + power] = u ** (power + 2)
    random[rows, 2 * place], random[rows, 2 * place + 1] = u**2, CUBIC * u**3
    return fixed, random


def _weights(left: np.ndarray) -> np.ndarray:
    """Return the weights of residuals, these in standard deviations (run,)."""
    return np.minimum(1.0, (OUTLYING / np.maximum(np.abs(left), OUTLYING)) ** 2)


def _noise(left: np.ndarray, scaled: np.ndarray, free: float) -> float:
    """Return the s.d. of noise that gives ``matrix`` the errors of the M-estimate (Huber 1981, section 7.6)."""
    weights = _weights(scaled)
    slopes = np.where(np.abs(scaled) < OUTLYING, 1.0, -weights)
    slope = max(float(slopes.mean()), LEAST_SLOPE)
    small = 1 + (left.size - free) / left.size * slopes.var() / slope**2
    variance = np.sum((weights * left) ** 2) / free * (small / slope) ** 2
    return float(np.sqrt(variance * weights.mean() ** 2 / np.mean(weights**2)))


def _minima(
    table: _Table, window: _Window, place: int, coefficients: np.ndarray, moves: np.ndarray | None = None
) -> np.ndarray:
    """Return ln N of least loss along a slice for coefficients, and for moves of the law's parameters (sample,)."""
    log_N = window.center + window.grid
    log_D, law = window.part.log_tokens(log_N), table.law
    shared = coefficients.shape[1] // 2 - 1
    own = coefficients[:, [2 * place, 2 * place + 1, shared, shared + 1]]
    differing = coefficients[:, shared + 2 + 2 * place : shared + 4 + 2 * place] * (1.0, CUBIC)
    own[:, 2:] += differing
    curves = law.log_loss(log_N, log_D) + own @ window.powers
    if moves is not None:
        curves = curves + moves @ law.slopes(log_N, log_D).T
    return window.center + _nearest_minimum(window.grid, curves)


def _nearest_minimum(u: np.ndarray, curves: np.ndarray) -> np.ndarray:
    """Return the place of the minimum nearest to 0, else of the lowest value (sample,)."""
    middle, before, after = curves[:, 1:-1], curves[:, :-2], curves[:, 2:]
    dips = (middle <= before) & (middle < after)
    at = 1 + np.argmin(np.where(dips, np.abs(u[1:-1]), np.inf), axis=1)
    rows = np.arange(len(curves))
    low, here, high = (curves[rows, at + step] for step in (-1, 0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        part = 0.5 * (low - high) / (low - 2 * here + high)
    return np.where(dips.any(axis=1), u[at] + part * (u[1] - u[0]), u[np.argmin(curves, axis=1)])


def _samples(
    table: _Table, windows: Sequence[_Window], fitted: _Regressions, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return ln N of least loss with other noise in every run, through the law and the correction (sample, slice)."""
    counts = rng.multinomial(count, fitted.probability)
    pairs = zip(fitted.each, counts, strict=True)
    found = np.concatenate([_samples_of(table, windows, each, own, rng) for each, own in pairs if own])
    return np.asarray(rng.permutation(found))


def _samples_of(
    table: _Table, windows: Sequence[_Window], fitted: _Regression, count: int, rng: np.random.Generator
) -> np.ndarray:
    rows = np.concatenate([each.rows for each in windows])
    scale = np.abs(table.law.residuals)
    scale[rows] = fitted.noise
    wider = np.sqrt(fitted.free / rng.chisquare(fitted.free, (count, 1)))
    noise = wider * scale * rng.standard_normal((count, scale.size))
    random = wider * fitted.noise * rng.standard_normal((count, 2 * len(windows)))
    moves = noise @ table.law.response.T
    left = noise[:, rows] - moves @ table.law.slopes(table.log_N[rows], table.log_D[rows]).T
    coefficients = fitted.coefficients + np.hstack([left, random]) @ fitted.matrix.T
    found = [_minima(table, each, place, coefficients, moves) for place, each in enumerate(windows)]
    return np.stack(found, axis=1)

"""isoflop_minima: the sizes of least loss along the isoFLOP slices of a table, read off the runs without any law."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.draws import evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.intervals import credible_interval
from bayescale.runs import Runs, RunTable, as_table
from bayescale.runs.folds import budgets_of
from bayescale.splits.optimum import find_optimum
from bayescale.values import Value
from bayescale.words import short

WINDOW = np.log(6.0)
HEIGHT = 0.05
"""Runs are fitted that lie within this factor of the minimum in N, and no more than this above the lowest log loss:
further away no cubic follows them."""

FEWEST = 6
"""Runs a slice needs, at as many sizes; the window grows until it holds so many."""

SLICES = 3
"""Slices with a minimum that a line through them needs."""

SAMPLES = 1000
"""Bootstrap samples."""

CENTERINGS = 5

BEYOND_CHANCE = 9.21
"""99 % point of the chi-square with two degrees of freedom: the chance of a false alarm is about 1 %."""

WORTH_SAYING = np.log(1.1)
"""A size 10 % off its best costs a thousandth of the compute."""

LAW_DRAWS = 400
"""Draws of the laws that are compared with the minima, together."""


@dataclass(frozen=True, eq=False, repr=False)
class IsoflopMinima(Value):
    """The size of least loss of each slice of like compute, and the line through them.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each slice whose minimum lies among its runs, by compute: ``flops`` (FLOP, geometric mean), ``runs``
        (number of runs in the slice), ``N``, ``lower``, ``upper`` (size of least loss and the ends of its interval).
    log_sizes : numpy.ndarray
        Bootstrap samples of ln N at the minima (sample, slice).
    lines : numpy.ndarray
        ln N at the slices' central compute, and the exponent a of ``N ~ C^a``, of the line through each sample
        (sample, 2).
    scatter : float
        Standard deviation of the minima about the line beyond what the noise of the runs explains, in ln N.
    noise : float
        Standard deviation of a run's log loss about its slice, all slices together.
    probability : float
        Of the intervals.
    """

    table: pd.DataFrame
    log_sizes: np.ndarray
    lines: np.ndarray
    scatter: float
    noise: float
    probability: float


@checks.kinds
def isoflop_minima(runs: Runs, *, probability: float = 0.9, random_seed: int = 0) -> IsoflopMinima:
    """Read the sizes of least loss off the isoFLOP slices of a table.

    Slices are the runs of one budget: of a column ``budget``, of the values of C that repeat, or of a quarter of a
    decade of C. Along each, log loss is a cubic in ln N near its minimum, and linear in ln C where C varies.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        Runs with N, D and C, as :func:`bayescale.read_runs` takes them.
    probability : float
        Of the intervals.
    random_seed : int
        Seed of the bootstrap of residuals, all slices together.

    Returns
    -------
    IsoflopMinima
        Minima, intervals, and the line through them: approach 2 of Hoffmann et al. (2022, arXiv:2203.15556).

    Raises
    ------
    InputError
        If fewer than three slices have a minimum among their runs.
    """
    checks.probability(probability)
    runs = as_table(runs)
    missing = [name for name in ("N", "C") if name not in runs.frame]
    if missing:
        raise InputError(
            f"{runs.name}: isoFLOP slices need columns N and C; the table has no {' and no '.join(missing)}"
        )
    found = [valley for valley in map(_valley, _slices(runs)) if valley is not None]
    if len(found) < SLICES:
        raise InputError(
            f"{runs.name}: {len(found)} slices of like C have their least loss among {FEWEST} or more sizes, expected "
            f"{SLICES} or more; train runs of one compute at several sizes"
        )
    residuals, noise = _pooled(found)
    rng = np.random.default_rng(random_seed)
    log_sizes = np.stack([valley.resampled(rng.choice(residuals, (SAMPLES, valley.count))) for valley in found], axis=1)
    log_flops = np.array([valley.log_flops for valley in found])
    estimate = np.array([valley.log_size for valley in found])
    variance = log_sizes.var(axis=0, ddof=1)
    scatter = _scatter(log_flops, estimate, variance)
    shaken = log_sizes + scatter * rng.standard_normal(log_sizes.shape)
    lower, upper = np.exp(np.quantile(log_sizes, [(1 - probability) / 2, (1 + probability) / 2], axis=0))
    table = pd.DataFrame(
        {
            "flops": np.exp(log_flops),
            "runs": [valley.runs for valley in found],
            "N": np.exp(estimate),
            "lower": lower,
            "upper": upper,
        }
    )
    lines = shaken @ _line_through(log_flops, variance + scatter**2).T
    return IsoflopMinima(table, log_sizes, lines, scatter, noise, probability)


@dataclass(frozen=True, eq=False)
class _Slice:
    """Runs of like compute: ln N, ln C about its mean, log loss (run,)."""

    log_flops: float
    x: np.ndarray
    v: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, eq=False)
class _Valley:
    """The cubic through the runs near the minimum of a slice."""

    log_flops: float
    runs: int
    center: float  # ln N that powers are counted from
    ends: tuple[float, float]  # of the runs fitted, from the center
    design: np.ndarray  # (run, term)
    coefficients: np.ndarray  # (term,)
    residuals: np.ndarray  # (run,)
    log_size: float

    @property
    def count(self) -> int:
        return len(self.residuals)

    def resampled(self, noise: np.ndarray) -> np.ndarray:
        """Return ln N at the minimum with other residuals (sample,); at an end where none lies between."""
        values = self.design @ self.coefficients + noise
        return self.center + _lowest(values @ np.linalg.pinv(self.design).T, self.ends)


def _slices(runs: RunTable) -> list[_Slice]:
    """Return the slices with enough sizes, by compute; the order of the rows does not matter."""
    labels, _ = budgets_of(runs)
    frame = runs.frame.assign(_label=labels).sort_values(["C", "N", runs.response])
    slices = []
    for _, group in frame.groupby("_label", sort=False):
        log_C = np.log(group["C"].to_numpy(dtype=float))
        x, y = (np.log(group[name].to_numpy(dtype=float)) for name in ("N", runs.response))
        if np.unique(x.round(3)).size >= FEWEST:
            slices.append(_Slice(float(log_C.mean()), x, log_C - log_C.mean(), y))
    return sorted(slices, key=lambda part: part.log_flops)


def _valley(part: _Slice) -> _Valley | None:
    """Fit the runs around the minimum, starting at the lowest run; None where it is not among them."""
    center = float(part.x[np.argmin(part.y)])
    for _ in range(CENTERINGS):
        valley = _around(part, center)
        center, moved = valley.log_size, abs(valley.log_size - center)
        if moved < 1e-3:
            break
    inside = valley.center + valley.ends[0] < valley.log_size < valley.center + valley.ends[1]
    return valley if inside else None


def _around(part: _Slice, center: float) -> _Valley:
    away = np.abs(part.x - center)
    near = (away <= WINDOW) & (part.y <= part.y.min() + HEIGHT) | (away <= np.sort(away)[FEWEST - 1])
    u, v = part.x[near] - center, part.v[near]
    columns = [u**power for power in range(4)] + ([v] if np.ptp(v) > 1e-3 and len(v) > FEWEST else [])
    design = np.stack(columns, axis=1)
    coefficients = np.linalg.lstsq(design, part.y[near])[0]
    ends = (float(u.min()), float(u.max()))
    log_size = center + float(_lowest(coefficients[None], ends)[0])
    residuals = part.y[near] - design @ coefficients
    return _Valley(part.log_flops, len(part.x), center, ends, design, coefficients, residuals, log_size)


def _lowest(coefficients: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Return where a cubic has its minimum between two ends, else the lower of them (sample,)."""
    c1, c2, c3 = coefficients[:, 1], coefficients[:, 2], coefficients[:, 3]
    root = np.sqrt(np.maximum(c2**2 - 3 * c1 * c3, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.where(c2 > 0, -c1 / (c2 + root), (root - c2) / (3 * c3))
    at = np.array([[end, end**2, end**3] for end in ends])
    end = np.take(ends, (coefficients[:, 1:4] @ at.T).argmin(axis=1))
    inside = (root > 0) & (ends[0] < place) & (place < ends[1])
    return np.asarray(np.where(inside, place, end))


def _pooled(found: list[_Valley]) -> tuple[np.ndarray, float]:
    """Return residuals of all slices, each as large as noise is before fitting takes a part of it, and their s.d."""
    free = sum(valley.count - valley.design.shape[1] for valley in found)
    residuals = np.concatenate([valley.residuals for valley in found])
    stretched = residuals * np.sqrt(len(residuals) / free)
    return stretched, float(np.sqrt(np.mean(stretched**2)))


def _line_through(log_flops: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the matrix that takes ln N at the slices to the level at central compute and the slope (2, slice)."""
    design = np.stack([np.ones_like(log_flops), log_flops - log_flops.mean()], axis=1)
    weighted = design.T / variance
    return np.asarray(np.linalg.solve(weighted @ design, weighted))


def _scatter(log_flops: np.ndarray, log_sizes: np.ndarray, variance: np.ndarray) -> float:
    """Return the s.d. about the line that noise does not explain, by moments (DerSimonian and Laird 1986)."""
    design = np.stack([np.ones_like(log_flops), log_flops - log_flops.mean()], axis=1)
    weights = 1 / variance
    hat = design @ _line_through(log_flops, variance)
    excess = weights @ (log_sizes - hat @ log_sizes) ** 2 - (len(log_sizes) - 2)
    return float(np.sqrt(max(excess / (weights * (1 - np.diag(hat))).sum(), 0.0)))


@checks.kinds
def line_sizes(minima: IsoflopMinima, flops: np.ndarray) -> np.ndarray:
    """Return sizes along the line through the minima, as if they went on as a power of compute.

    Parameters
    ----------
    minima : IsoflopMinima
        The minima.
    flops : numpy.ndarray
        Budgets in FLOP (budget,).

    Returns
    -------
    numpy.ndarray
        Samples of N (sample, budget); how the minima scatter about the line is not in them.
    """
    center = np.log(minima.table["flops"].to_numpy()).mean()
    return np.asarray(np.exp(minima.lines[:, :1] + minima.lines[:, 1:] * (np.log(flops) - center)))


# Beside the laws


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
        The squared distance of level and exponent over the sum of both covariances; by chance it exceeds 9.21 in 1 % of
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
    remedy = "compare further laws" if "isoflop" in split else "compare isoflop, a law whose minima are free"
    return [
        f"the runs' own isoFLOP minima disagree with the best sizes of {', '.join(split)}: at {where} FLOP a line "
        f"through the minima has N = {read}, the fit {said}; exponents of N over C {' and '.join(slopes)}. The "
        f"intervals of N, D and D/N do not know of this: fit to the runs near the minima alone, or {remedy}"
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
    return np.asarray(log_sizes @ _line_through(np.log(minima.table["flops"].to_numpy()), variance).T)


def _interval_text(draws: np.ndarray, probability: float) -> str:
    found = credible_interval(draws, probability)
    return f"{short(found.median)} ({short(found.lower)} to {short(found.upper)})"

"""isoflop_minima: the sizes of least loss along the isoFLOP slices of a table, as the runs themselves show them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.errors import InputError
from bayescale.runs import Runs, RunTable, as_table
from bayescale.splits.slices import FEWEST
from bayescale.splits.valleys import Valleys, read_valleys
from bayescale.values import Value

SLICES = 3
"""Slices with a minimum that a line through them needs."""

SAMPLES = 1000
"""Samples of the minima."""


@dataclass(frozen=True, eq=False, repr=False)
class IsoflopMinima(Value):
    """The size of least loss of each slice of like compute, and the line through them.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each slice whose minimum lies among its runs, by compute: ``flops`` (FLOP, geometric mean), ``runs``
        (number of runs in the slice), ``N``, ``lower``, ``upper`` (size of least loss and the ends of its interval),
        ``spread`` (largest C of the slice over the smallest) and ``moved`` (the largest part by which the loss of one
        of its runs was changed to move it to the budget).
    rows : tuple of numpy.ndarray
        Places in the table of the runs of each slice, by N.
    log_sizes : numpy.ndarray
        Samples of ln N at the minima (sample, slice).
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
    rows: tuple[np.ndarray, ...]
    log_sizes: np.ndarray
    lines: np.ndarray
    scatter: float
    noise: float
    probability: float


@checks.kinds
def isoflop_minima(runs: Runs, *, probability: float = 0.9, random_seed: int = 0) -> IsoflopMinima:
    """Read the sizes of least loss off the isoFLOP slices of a table.

    Slices are the runs of one budget: of a column ``budget``, of the values of C that repeat, or of like C. An additive
    law, fitted by least squares, moves each run to its budget; near the minimum the runs correct it, by a level and a
    slope for each slice, and by a quadratic and a cubic in ln N that all slices share.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        Runs with N, D and C, as :func:`bayescale.read_runs` takes them.
    probability : float
        Of the intervals.
    random_seed : int
        Seed of the samples of noise, in the runs, in the law that moves them, and in what corrects it.

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
    valleys = read_valleys(runs, samples=SAMPLES, random_seed=random_seed)
    found = 0 if valleys is None else len(valleys.slices)
    if valleys is None or found < SLICES:
        raise InputError(
            f"{runs.name}: {found} slices of like C have their least loss among {FEWEST} or more sizes, expected "
            f"{SLICES} or more; train runs of one compute at several sizes"
        )
    log_flops = np.array([part.log_flops for part in valleys.slices])
    variance = valleys.log_sizes.var(axis=0, ddof=1)
    scatter = _scatter(log_flops, valleys.log_size, variance)
    rng = np.random.default_rng((random_seed, 1))
    shaken = valleys.log_sizes + scatter * rng.standard_normal(valleys.log_sizes.shape)
    lines = shaken @ line_through(log_flops, variance + scatter**2).T
    rows = tuple(part.rows for part in valleys.slices)
    table = _table(runs, valleys, probability)
    return IsoflopMinima(table, rows, valleys.log_sizes, lines, scatter, valleys.noise, probability)


def _table(runs: RunTable, valleys: Valleys, probability: float) -> pd.DataFrame:
    lower, upper = np.exp(np.quantile(valleys.log_sizes, [(1 - probability) / 2, (1 + probability) / 2], axis=0))
    C = runs.frame["C"].to_numpy(dtype=float)
    return pd.DataFrame(
        {
            "flops": [np.exp(part.log_flops) for part in valleys.slices],
            "runs": [len(part.rows) for part in valleys.slices],
            "N": np.exp(valleys.log_size),
            "lower": lower,
            "upper": upper,
            "spread": [C[part.rows].max() / C[part.rows].min() for part in valleys.slices],
            "moved": valleys.moved,
        }
    )


def line_through(log_flops: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the matrix that takes ln N at the slices to the level at central compute and the slope (2, slice)."""
    design = np.stack([np.ones_like(log_flops), log_flops - log_flops.mean()], axis=1)
    weighted = design.T / variance
    return np.asarray(np.linalg.solve(weighted @ design, weighted))


def _scatter(log_flops: np.ndarray, log_sizes: np.ndarray, variance: np.ndarray) -> float:
    """Return the s.d. about the line that noise does not explain, by moments (DerSimonian and Laird 1986)."""
    design = np.stack([np.ones_like(log_flops), log_flops - log_flops.mean()], axis=1)
    weights = 1 / variance
    hat = design @ line_through(log_flops, variance)
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

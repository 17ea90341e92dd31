"""How the best size at larger budgets is forecast from runs at smaller ones: our own way and those of the field."""

from collections.abc import Callable, Mapping

import numpy as np

from bayescale.errors import InputError
from bayescale.fits.draws import Draws
from bayescale.fits.fit import Fit
from bayescale.forecasts.alternatives import bootstrap_least_squares
from bayescale.laws import Law
from bayescale.runs import RunTable
from bayescale.runs.folds import budgets_of
from bayescale.splits.best_sizes import best_sizes
from bayescale.splits.minima import isoflop_minima, line_sizes
from bayescale.splits.optimum import find_optimum
from bayescale.values import FrozenMapping

FEWEST_SIZES = 4
"""Sizes that a slice needs for a parabola of which something is left to resample."""

FEWEST_VERTICES = 2
"""Parabolas with a minimum among their runs that a line needs."""

BOOTSTRAPS = 1000
"""Resamples of the runs of each slice; each gives one line through the vertices."""

LEAST_LOCATED = 0.5
"""Draws of a law that must have a best split at every budget, as a part; the others are left out."""

UNRESOLVED = 1e-9
"""A resample whose matrix of normal equations is nearer to singular than this has no parabola."""


def path(law: Law, train: RunTable, flops: np.ndarray, fitted: Fit | None, *, random_seed: int) -> np.ndarray:
    """Return draws of ln N of the best split, with what the law misses of it.

    Parameters
    ----------
    law : Law
        A law of N and D.
    train : RunTable
        The runs at smaller budgets.
    flops : numpy.ndarray
        Budgets in FLOP (budget,).
    fitted : Fit or None
        The law fitted to these runs; None where a method does without.
    random_seed : int
        The same seed gives the same draws.

    Returns
    -------
    numpy.ndarray
        Draws of equal weight (draw, budget).

    Raises
    ------
    InputError
        If these runs do not allow a forecast by this method.
    """
    del law, train
    assert fitted is not None  # made for the methods of which a posterior is asked
    with np.errstate(all="ignore"):
        found = best_sizes(fitted, flops, random_seed=random_seed)
    return _all_located(fitted.law.name, found)


def bare_law(law: Law, train: RunTable, flops: np.ndarray, fitted: Fit | None, *, random_seed: int) -> np.ndarray:
    """Return draws of ln N of the best split under the posterior of the law alone; see :func:`path`."""
    del law, train, random_seed
    assert fitted is not None  # made for the methods of which a posterior is asked
    return _located(fitted.draws, flops)


def least_squares(law: Law, train: RunTable, flops: np.ndarray, fitted: Fit | None, *, random_seed: int) -> np.ndarray:
    """Return ln N of the best split of the law, fitted by least squares to resamples of the runs; see :func:`path`.

    Approach 3 of Hoffmann et al. (2022, arXiv:2203.15556), by squares of log response.
    """
    del fitted
    return _located(bootstrap_least_squares(law, train.frame, train.response, random_seed=random_seed), flops)


def line(law: Law, train: RunTable, flops: np.ndarray, fitted: Fit | None, *, random_seed: int) -> np.ndarray:
    """Return ln N on the line through the isoFLOP minima of the runs; see :func:`path`.

    Approach 2 of Hoffmann et al. (2022), with the minima of :func:`bayescale.splits.minima.isoflop_minima`.
    """
    del law, fitted
    return np.asarray(np.log(line_sizes(isoflop_minima(train, random_seed=random_seed), flops)))


def parabola(law: Law, train: RunTable, flops: np.ndarray, fitted: Fit | None, *, random_seed: int) -> np.ndarray:
    """Return ln N on the line through the vertices of a parabola for each slice; see :func:`path`.

    Approach 2 as it is usually done: least squares of log loss on ln N and its square, all runs of a slice alike, a
    straight line through ln N of the vertices, slices alike, and a bootstrap of the runs inside the slices.
    """
    del law, fitted
    rng = np.random.default_rng(random_seed)
    slices = [found for found in _slices(train) if np.unique(found[1].round(3)).size >= FEWEST_SIZES]
    if not slices:
        raise InputError(f"{train.name}: no slice of like C has {FEWEST_SIZES} sizes for a parabola; add runs of one C")
    log_flops = np.array([log_C for log_C, _, _ in slices])
    vertices = np.stack([_vertices(x, y, rng) for _, x, y in slices], axis=1)
    return _lines(train.name, log_flops, vertices, np.log(flops))


METHODS: Mapping[str, Callable[..., np.ndarray]] = FrozenMapping(
    {"path": path, "law": bare_law, "line": line, "parabola": parabola, "least_squares": least_squares}
)
"""The methods by name, all called as :func:`path` is."""

LAWLESS = ("line", "parabola")
"""Methods that need no law."""

IN_USE = "path"
"""The method by which ``allocate`` finds the sizes of a law: what reports and notes quote."""

UNFITTED = (*LAWLESS, "least_squares")
"""Methods that need no posterior."""


def _located(draws: Draws, flops: np.ndarray) -> np.ndarray:
    """Return ln N of the best split of the draws that have one at every budget (draw, budget)."""
    with np.errstate(all="ignore"):
        found = np.log(find_optimum(draws, flops).N)
    return _all_located(draws.law.name, found)


def _all_located(law: str, found: np.ndarray) -> np.ndarray:
    """Return the draws that have a best size at every budget (draw, budget)."""
    located = np.isfinite(found).all(axis=1)
    if located.mean() < LEAST_LOCATED:
        raise InputError(
            f"law '{law}': {int(located.sum())} of {located.size} draws have a best split at these budgets; "
            "hold out fewer slices, or choose another law"
        )
    return np.asarray(found[located])


def _slices(runs: RunTable) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Return of each slice the mean of ln C, and ln N and log loss of its runs, by compute."""
    labels, _ = budgets_of(runs)
    log_C, log_N, log_loss = (np.log(runs.frame[name].to_numpy(dtype=float)) for name in ("C", "N", runs.response))
    groups = [labels == label for label in dict.fromkeys(labels)]
    return sorted(((float(log_C[g].mean()), log_N[g], log_loss[g]) for g in groups), key=lambda part: part[0])


def _vertices(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ln N at the vertex of each resample's parabola (sample,); NaN where it is none among the runs."""
    center, reach = x.mean(), np.ptp(x)
    u = (x - center) / reach
    powers = u[:, None] ** np.arange(3)
    counts = rng.multinomial(x.size, np.full(x.size, 1 / x.size), size=BOOTSTRAPS).astype(float)
    normal = np.einsum("sr,ri,rj->sij", counts, powers, powers)
    usable = np.linalg.det(normal / x.size) > UNRESOLVED
    normal[~usable] = np.eye(3)
    terms = np.linalg.solve(normal, ((counts * y) @ powers)[:, :, None])[:, :, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = -terms[:, 1] / (2 * terms[:, 2])
    inside = usable & (terms[:, 2] > 0) & (u.min() < vertex) & (vertex < u.max())
    return np.where(inside, center + reach * vertex, np.nan)


def _lines(name: str, log_flops: np.ndarray, vertices: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return ordinary least squares lines through the vertices of each resample, carried to other budgets."""
    known = np.isfinite(vertices)
    enough = known.sum(axis=1) >= FEWEST_VERTICES
    if enough.mean() < LEAST_LOCATED:
        raise InputError(
            f"{name}: parabolas have their minimum among the runs in fewer than {FEWEST_VERTICES} slices; train "
            "runs of one compute at more sizes"
        )
    weight, y = known[enough].astype(float), np.where(known, vertices, 0.0)[enough]
    count = weight.sum(axis=1)
    center, level = (weight @ log_flops) / count, (weight * y).sum(axis=1) / count
    away = weight * (log_flops - center[:, None])
    slope = (away * y).sum(axis=1) / (away**2).sum(axis=1)
    return np.asarray(level[:, None] + slope[:, None] * (at - center[:, None]))

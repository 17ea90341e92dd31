"""Sums: the bends of a law's misfit and its noise from sums over the rows of a large table.

:mod:`bayescale.fits.gibbs` draws a precision for every row of every sample. Of thousands of rows it does so for a first
block. Near where that ends, the density of all residuals is Normal in the weights, and depends on the noise through how
many residuals are of which size: the products of the features, a score and a count are all that is needed of the rows.
"""

import functools
from collections.abc import Callable, Iterator

import numpy as np

from bayescale.fits.gibbs import NUS, SCALE, SIGMAS, TAIL, TAUS, Regression, pick, sample_weights
from bayescale.fits.student import log_student
from bayescale.laws import EXTRA_DEGREES, NOISE_SCALE

PASSES = 3
"""Of all rows, after the first block was sampled row by row."""

SWEEPS = 4
"""Of the Gibbs sampler of weights and tau after each pass."""

SIZES = np.geomspace(1e-8, 10.0, 1000)
"""Sizes of residuals that are counted; neighbours are 2% apart."""

SCALES = np.geomspace(SIGMAS[0], SIGMAS[-1], 4 * SIGMAS.size)
DEGREES = 2.0 + np.geomspace(NUS[0] - 2.0, NUS[-1] - 2.0, 4 * NUS.size)
"""Values of sigma and nu to choose among, closer than those for few rows, which know less of them."""

type Blocks = Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]
"""Gives residuals (sample, row) and features (row, feature) of some rows after the other, each time it is called."""


def weights_from_sums(blocks: Blocks, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Sample what :func:`bayescale.fits.gibbs.sample_weights` does, for thousands of rows.

    Parameters
    ----------
    blocks : callable
        Called for each pass over the rows. Its first block is like the others, and has enough rows to find weights by.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    dict of str to numpy.ndarray
        ``weights`` (sample, feature), ``tau``, ``sigma`` and ``nu`` (sample,).
    """
    found = sample_weights(*next(blocks()), rng)
    weights, tau, sigma, nu = (found[name] for name in ("weights", "tau", "sigma", "nu"))
    products, stretch, table = _products(blocks), _stretch(weights, tau, rng), _noise_table()
    for _ in range(PASSES):
        score, counts = _sums(blocks, weights, sigma, nu)
        information = ((nu + 1) / (nu + 3) / sigma**2)[:, None, None] * products
        moments = np.einsum("sfg,sg->sf", information, weights) + score
        for _ in range(SWEEPS):
            weights, tau = _sweep(information, moments, stretch, rng)
            stretch = _stretch(weights, tau, rng)
        sigma, nu = _noise(counts, table, rng)
    return {"weights": weights, "tau": tau, "sigma": sigma, "nu": nu}


def _products(blocks: Blocks) -> np.ndarray:
    """Return the sums of the products of each pair of features (feature, feature)."""
    return functools.reduce(np.add, (features.T @ features for _, features in blocks()))


def _stretch(weights: np.ndarray, tau: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw by how much each weight is wider than tau, given both (sample, feature)."""
    return np.asarray(np.sqrt((TAIL + (weights / tau[:, None]) ** 2) / rng.chisquare(TAIL + 1, size=weights.shape)))


def _sums(blocks: Blocks, weights: np.ndarray, sigma: np.ndarray, nu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the slope of the log density in the weights (sample, feature), and counts of residuals (sample, size)."""
    score, counts = np.zeros_like(weights), np.zeros((len(weights), SIZES.size))
    step = np.log(SIZES[1] / SIZES[0])
    first = SIZES.size * np.arange(len(weights))[:, None]
    for residuals, features in blocks():
        left = residuals - weights @ features.T
        score += ((nu + 1)[:, None] * left / (nu[:, None] * sigma[:, None] ** 2 + left**2)) @ features
        place = np.rint(np.log(np.maximum(np.abs(left), SIZES[0]) / SIZES[0]) / step).astype(int)
        place = first + np.minimum(place, SIZES.size - 1)
        counts += np.bincount(place.ravel(), minlength=counts.size).reshape(counts.shape)
    return score, counts


def _sweep(
    information: np.ndarray, moments: np.ndarray, stretch: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw weights and tau, given their stretch and the Normal density of the weights before their prior."""
    sizes, basis = np.linalg.eigh(information * stretch[:, :, None] * stretch[:, None, :])
    rotated = np.einsum("sfg,sf->sg", basis, moments * stretch)
    unit = np.ones(len(moments))
    normal = Regression(0, np.zeros_like(unit), np.maximum(sizes, 0.0), basis, rotated)
    prior = np.log(TAUS) - 0.5 * (TAUS / SCALE) ** 2
    tau = TAUS[pick(normal.log_evidence(TAUS[None], unit[:, None]) + prior, rng)]
    return stretch * normal.sample(tau, unit, rng), tau


def _noise_table() -> np.ndarray:
    """Return the log density of a residual of each size under each sigma and nu (size, sigma, nu)."""
    return log_student(SIZES[:, None, None], DEGREES[None, None], SCALES[None, :, None])


def _noise(counts: np.ndarray, table: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw sigma and nu (sample,) given how many residuals there are of each size."""
    sigma_prior = np.log(SCALES) - 0.5 * (SCALES / NOISE_SCALE) ** 2
    nu_prior = np.log(DEGREES - 2) - (DEGREES - 2) / EXTRA_DEGREES
    prior = (sigma_prior[:, None] + nu_prior).ravel()
    chosen = pick(counts @ table.reshape(SIZES.size, -1) + prior, rng)
    return SCALES[chosen // DEGREES.size], DEGREES[chosen % DEGREES.size]

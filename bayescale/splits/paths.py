"""Paths: what a law misses of the best size, as it changes with compute, for every draw of the law."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from threadpoolctl import threadpool_limits

from bayescale.values import Value

KNOTS = np.linspace(np.log(1e14), np.log(1e32), 43)
"""ln FLOP of training compute at which paths are sampled; they are linear between, and flat beyond."""

LEVEL, SLOPE = 0.03, 0.01
"""Least typical size of what a law misses of ln N* at the centre of the minima, and of its change per e-fold of C."""

BEND, WANDER = 0.0007, 0.003
"""Least typical size of a steady change of that slope, over its e-folds squared, and of one that comes and goes."""

FACTORS = (np.geomspace(0.1, 10, 7), np.geomspace(0.1, 60, 9))
"""By what level and slope, and by what both changes of slope, are larger: half-Cauchy, on a grid."""

SCATTERS = (0.01, 0.06)
"""Standard deviations of real minima about a smooth path, beyond what noise explains, in ln N: equally likely."""

LEVEL_ALONE, SLOPE_ALONE = 0.3, 0.05
"""Typical level and slope of what laws miss of the minima that tables show: what is known of a table without minima."""


@dataclass(frozen=True, eq=False)
class Minima:
    """Best sizes that runs of a table show, and those of a law there.

    Attributes
    ----------
    log_flops : numpy.ndarray
        ln of the FLOP of training (slice,).
    log_size : numpy.ndarray
        ln N that the runs show (slice,).
    covariance : numpy.ndarray
        Of its errors (slice, slice).
    log_law : numpy.ndarray
        ln N of the law's best split, for each draw (draw, slice).
    """

    log_flops: np.ndarray
    log_size: np.ndarray
    covariance: np.ndarray
    log_law: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Paths(Value):
    """A path for each draw of a law: what the law misses of ln N*.

    Attributes
    ----------
    values : numpy.ndarray
        At ``KNOTS`` (draw, knot).
    """

    values: np.ndarray

    def take(self, draws: np.ndarray | slice) -> "Paths":
        """Return the paths of some of the draws: those at these places, or where a mask holds."""
        return Paths(self.values[draws])

    @cached_property
    def _flat(self) -> np.ndarray:
        return np.ascontiguousarray(self.values).ravel()

    def at(self, draw: np.ndarray, log_flops: np.ndarray) -> np.ndarray:
        """Return the paths of draws, by their places, at training compute, of shapes that broadcast."""
        place = np.clip((log_flops - KNOTS[0]) / (KNOTS[1] - KNOTS[0]), 0, KNOTS.size - 1)
        low = np.minimum(np.nan_to_num(place).astype(np.intp), KNOTS.size - 2)  # NaN stays NaN below
        start = draw.astype(np.intp) * KNOTS.size + low
        left = self._flat[start]
        return np.asarray(left + (place - low) * (self._flat[start + 1] - left))


def sample_paths(minima: Minima | None, center: float, count: int, random_seed: int) -> Paths:
    """Sample what a law misses of its best size.

    ``ln N*(C) = law's ln N*(C) + a + b x + c x**2 + w(x) + e``, with x = ln C less the centre, w integrated Brownian
    motion away from it, on either side, and e the scatter of slices. Scales of (a, b) and of (c, w) are typical ones
    times half-Cauchy factors, which are weighed, with two scales of e, for each draw of the law, by how probable they
    make the minima; given these, the path is normal, and conditioned on the minima in closed form. Neither the law nor
    the weights of its draws change. Without minima, a and b are what laws have missed in other tables.

    Parameters
    ----------
    minima : Minima or None
        What the runs show, if anything.
    center : float
        ln FLOP where a law misses least: of the minima, or of the runs without slices.
    count : int
        Number of draws of the law.
    random_seed : int
        Seed.
    """
    rng = np.random.default_rng(random_seed)
    if minima is None:
        a, b = rng.standard_normal((2, count, 1))
        return Paths(LEVEL_ALONE * a + SLOPE_ALONE * b * (KNOTS - center))
    at = minima.log_flops
    x = np.concatenate([KNOTS, at]) - center
    kernels = _kernels(x, at - center)
    missed = np.where(np.isnan(minima.log_law), 0.0, minima.log_size - minima.log_law)
    scales, masses = _scales()
    with threadpool_limits(limits=1, user_api="blas"):  # small matrices
        density = _evidence(missed, scales, [each[KNOTS.size :] for each in kernels], minima.covariance)
        weights = density + np.log(masses)
        chosen = (weights - np.log(rng.standard_exponential(weights.shape))).argmax(axis=1)
        return Paths(_conditioned(missed, (scales, chosen), (x, kernels), minima.covariance, rng))


def _conditioned(
    missed: np.ndarray,
    choices: tuple[np.ndarray, np.ndarray],
    places: tuple[np.ndarray, Sequence[np.ndarray]],
    covariance: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Sample paths at the knots, given what each draw misses at the minima (draw, knot).

    Samples of the prior are moved by what they miss of the minima (Matheron's rule).
    """
    (scales, chosen), (x, kernels) = choices, places
    count, own = missed.shape
    sampled = _scaled(_unit_paths(x, count, rng), scales[chosen])
    scatter = scales[chosen, 2:]
    noise = rng.standard_normal((count, own)) @ np.linalg.cholesky(covariance).T
    left = missed - sampled[:, KNOTS.size :] - noise - scatter * rng.standard_normal((count, own))
    for place in np.unique(chosen):
        like, kernel = chosen == place, _combined(kernels, scales[place])
        total = kernel[KNOTS.size :] + covariance + scales[place, 2] ** 2 * np.eye(own)
        sampled[like, : KNOTS.size] += left[like] @ np.linalg.solve(total, kernel[: KNOTS.size].T)
    return np.asarray(sampled[:, : KNOTS.size] + scatter * rng.standard_normal((count, 1)))


def _kernels(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Return the covariances of (a, b) and of (c, w) at typical scales (x, y)."""
    product = x[:, None] * y
    small = np.minimum(np.abs(x)[:, None], np.abs(y))
    large = np.maximum(np.abs(x)[:, None], np.abs(y))
    wander = np.where(product > 0, small**2 * (3 * large - small) / 6, 0.0)
    return [LEVEL**2 + SLOPE**2 * product, BEND**2 * product**2 + WANDER**2 * wander]


def _combined(kernels: Sequence[np.ndarray], factors: np.ndarray) -> np.ndarray:
    return np.asarray(factors[0] ** 2 * kernels[0] + factors[1] ** 2 * kernels[1])


@lru_cache(maxsize=1)
def _scales() -> tuple[np.ndarray, np.ndarray]:
    """Return factors of both kinds and the scatter (choice, 3), and their prior probabilities (choice,)."""
    masses = []
    for nodes in FACTORS:
        middles = np.sqrt(nodes[1:] * nodes[:-1])
        masses.append(np.diff(np.concatenate([[0.0], 2 / np.pi * np.arctan(middles), [1.0]])))
    choices = np.stack(np.meshgrid(*FACTORS, SCATTERS, indexing="ij"), axis=-1).reshape(-1, 3)
    return choices, np.repeat(np.outer(*masses).ravel(), len(SCATTERS)) / len(SCATTERS)


def _evidence(
    missed: np.ndarray, scales: np.ndarray, kernels: Sequence[np.ndarray], covariance: np.ndarray
) -> np.ndarray:
    """Return the log density of what each draw misses at the minima, under each choice of scales (draw, choice)."""
    found = np.empty((len(missed), len(scales)))
    for place, each in enumerate(scales):
        root = np.linalg.cholesky(_combined(kernels, each) + covariance + each[2] ** 2 * np.eye(len(covariance)))
        distance = np.square(missed @ np.linalg.inv(root).T).sum(axis=1)
        found[:, place] = -0.5 * distance - np.log(np.diag(root)).sum()
    return found


def _unit_paths(x: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return paths of typical scale: level and slope, and what bends and wanders (draw, place)."""
    a, b, c = rng.standard_normal((3, count, 1))
    wander = np.zeros((count, x.size))
    for side in (-1, 1):
        own = np.flatnonzero(side * x > 0)
        own = own[np.argsort(np.abs(x[own]), kind="stable")]
        wander[:, own] = _integrated(np.abs(x[own]), count, rng)
    return LEVEL * a + SLOPE * b * x, BEND * c * x**2 + WANDER * wander


def _integrated(distance: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return integrated Brownian motion at rising distances from 0 (draw, place)."""
    slope, value, last = np.zeros(count), np.zeros(count), 0.0
    found = np.empty((count, distance.size))
    for place, end in enumerate(distance):
        step = end - last
        z = rng.standard_normal((2, count))
        rise = step * slope + np.sqrt(step**3 / 3) * z[0]
        slope = slope + np.sqrt(step) * (np.sqrt(0.75) * z[0] + 0.5 * z[1])
        value, last = value + rise, end
        found[:, place] = value
    return found


def _scaled(prior: tuple[np.ndarray, np.ndarray], scales: np.ndarray) -> np.ndarray:
    return np.asarray(scales[:, :1] * prior[0] + scales[:, 1:2] * prior[1])

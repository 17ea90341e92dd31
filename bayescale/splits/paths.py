"""Paths: what a law misses of the best size, as it changes with compute, for every draw of the law."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy import stats

from bayescale.values import Value

KNOTS = np.linspace(np.log(1e14), np.log(1e32), 43)
"""ln FLOP of training compute at which paths are sampled; they are linear between, and flat beyond."""

LEVEL, SLOPE = 0.05, 0.02
"""Typical size of what a law misses of ln N* at the centre of the minima, and of its change per e-fold of compute."""

BEND, WANDER = 0.0005, 0.005
"""Typical size of a steady change of that slope, over its e-folds squared, and of one that comes and goes."""

SCATTER = 0.05
"""Standard deviation of minima of real slices about a smooth path, beyond what noise explains, in ln N."""

FACTORS = (np.geomspace(0.1, 10, 7), np.geomspace(0.1, 30, 9))
"""By what level and slope, and by what both changes of slope, are larger than is typical: half-Cauchy, on a grid."""


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

    ``ln N*(C) = law's ln N*(C) + a + b x + c x**2 + w(x)``, with x = ln C less the centre and w integrated Brownian
    motion away from it, on either side. Scales of (a, b) and of (c, w) are typical ones times half-Cauchy factors,
    which are weighed, for each draw of the law, by how probable they make the minima; given these, the path is normal,
    and conditioned on the minima in closed form. Neither the law nor the weights of its draws change.

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
    at = np.empty(0) if minima is None else minima.log_flops
    x = np.concatenate([KNOTS, at]) - center
    prior = _unit_paths(x, count, rng)
    if minima is None:
        factors = np.abs(stats.cauchy.rvs(size=(count, 2), random_state=rng))
        low, high = ([each[0] for each in FACTORS], [each[-1] for each in FACTORS])
        return Paths(_scaled(prior, np.clip(factors, low, high))[:, : KNOTS.size])
    errors = minima.covariance + SCATTER**2 * np.eye(at.size)
    missed = np.where(np.isnan(minima.log_law), 0.0, minima.log_size - minima.log_law)
    scales, prior_masses = _factors()
    kernels = _kernels(x, at - center)
    weights = _evidence(missed, scales, [each[KNOTS.size :] for each in kernels], errors) + np.log(prior_masses)
    chosen = np.argmax(weights + rng.gumbel(size=weights.shape), axis=1)
    sampled = _scaled(prior, scales[chosen])
    noise = rng.standard_normal((count, at.size)) @ np.linalg.cholesky(errors).T
    left = missed - sampled[:, KNOTS.size :] - noise
    for place in np.unique(chosen):
        own = chosen == place
        kernel = _combined(kernels, scales[place])
        gain = np.linalg.solve(kernel[KNOTS.size :] + errors, kernel[: KNOTS.size].T)
        sampled[own, : KNOTS.size] += left[own] @ gain
    return Paths(sampled[:, : KNOTS.size])


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
def _factors() -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of factors (pair, 2) and their prior probabilities (pair,)."""
    masses = []
    for nodes in FACTORS:
        middles = np.sqrt(nodes[1:] * nodes[:-1])
        masses.append(np.diff(np.concatenate([[0.0], 2 / np.pi * np.arctan(middles), [1.0]])))
    pairs = np.stack(np.meshgrid(*FACTORS, indexing="ij"), axis=-1).reshape(-1, 2)
    return pairs, np.outer(*masses).ravel()


def _evidence(missed: np.ndarray, scales: np.ndarray, kernels: Sequence[np.ndarray], errors: np.ndarray) -> np.ndarray:
    """Return the log density of what each draw misses at the minima, under each pair of factors (draw, pair)."""
    found = []
    for factors in scales:
        root = np.linalg.cholesky(_combined(kernels, factors) + errors)
        distance = (np.linalg.solve(root, missed.T) ** 2).sum(axis=0)
        found.append(-0.5 * distance - np.log(np.diag(root)).sum())
    return np.stack(found, axis=1)


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


def _scaled(prior: tuple[np.ndarray, np.ndarray], factors: np.ndarray) -> np.ndarray:
    return np.asarray(factors[:, :1] * prior[0] + factors[:, 1:] * prior[1])

"""Gibbs: the bends of a law's misfit and its noise, sampled for many draws of the law side by side."""

from dataclasses import dataclass

import numpy as np

from bayescale.fits.student import log_student
from bayescale.laws import EXTRA_DEGREES, NOISE_SCALE

SWEEPS = 15
"""Of the Gibbs sampler, for each draw of the law; a test compares with many more."""

SCALE = 0.02
"""Scale of the half-normal prior of tau: the s.d. of a change of slope of log response at one e-fold."""

TAIL = 3.0
"""Degrees of freedom of the changes of slope: one bend, such as a corner of odd runs, must not widen all others."""

TAUS = np.geomspace(1e-4, 0.3, 24)
SIGMAS = np.geomspace(5e-4, 0.3, 40)
NUS = 2.0 + np.geomspace(0.1, 60.0, 12)
"""Values that the Gibbs sampler chooses among, evenly spaced in the logs of tau, sigma and nu - 2."""


def sample_weights(
    residuals: np.ndarray, features: np.ndarray, rng: np.random.Generator, sweeps: int = SWEEPS
) -> dict[str, np.ndarray]:
    """Sample ``residual = weights @ feature + sigma * StudentT(nu)``, ``weights ~ tau * StudentT(3)``, by Gibbs.

    Every row of ``residuals`` is a problem of its own, and gives one sample. A Student t is a Normal of unknown
    variance, for each run and for each weight; given those, tau and sigma are drawn with the weights integrated out.

    Parameters
    ----------
    residuals : numpy.ndarray
        Of log response (sample, run).
    features : numpy.ndarray
        At the runs (run, feature).
    rng : numpy.random.Generator
        Source of randomness.
    sweeps : int
        Sweeps from the start, where delta is nothing.

    Returns
    -------
    dict of str to numpy.ndarray
        ``weights`` (sample, feature), ``tau``, ``sigma`` and ``nu`` (sample,).
    """
    samples, count = residuals.shape
    pairs = (features[:, :, None] * features[:, None, :]).reshape(count, -1)
    precision, stretch = np.ones_like(residuals), np.ones((samples, features.shape[1]))
    tau, sigma = np.full(samples, SCALE), np.full(samples, NOISE_SCALE)
    tau_prior = np.log(TAUS) - 0.5 * (TAUS / SCALE) ** 2
    sigma_prior = np.log(SIGMAS) - 0.5 * (SIGMAS / NOISE_SCALE) ** 2
    for _ in range(sweeps):
        normal = Regression.of(residuals, features, pairs, precision, stretch)
        sigma = SIGMAS[pick(normal.log_evidence(tau[:, None], SIGMAS[None]) + sigma_prior, rng)]
        tau = TAUS[pick(normal.log_evidence(TAUS[None], sigma[:, None]) + tau_prior, rng)]
        weights = stretch * normal.sample(tau, sigma, rng)
        stretch = np.sqrt((TAIL + (weights / tau[:, None]) ** 2) / rng.chisquare(TAIL + 1, size=weights.shape))
        scaled = (residuals - weights @ features.T) / sigma[:, None]
        nu = _sample_nu(scaled, rng)
        shape, rate = (nu[:, None] + 1) / 2, (nu[:, None] + scaled**2) / 2
        precision = rng.gamma(shape, size=residuals.shape) / rate
    return {"weights": weights, "tau": tau, "sigma": sigma, "nu": nu}


def pick(log_density: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one column of each row in proportion to its density (sample,)."""
    return np.asarray((log_density + rng.gumbel(size=log_density.shape)).argmax(axis=1))


def _sample_nu(scaled: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    density = np.stack([log_student(scaled, nu, 1.0).sum(axis=1) for nu in NUS], axis=1)
    return np.asarray(NUS[pick(density + np.log(NUS - 2) - (NUS - 2) / EXTRA_DEGREES, rng)])


@dataclass(frozen=True)
class Regression:
    """The regression of residuals on stretched features, precisions known, where its weights are independent."""

    runs: int
    squares: np.ndarray  # (sample,)
    sizes: np.ndarray  # eigenvalues (sample, feature)
    basis: np.ndarray  # (sample, feature, feature)
    moments: np.ndarray  # (sample, feature)

    @classmethod
    def of(
        cls,
        residuals: np.ndarray,
        features: np.ndarray,
        pairs: np.ndarray,
        precision: np.ndarray,
        stretch: np.ndarray,
    ) -> "Regression":
        """Return that of residuals whose rows have precisions, on features of which all pairs are at hand."""
        width = features.shape[1]
        products = (precision @ pairs).reshape(len(residuals), width, width) * stretch[:, :, None] * stretch[:, None, :]
        sizes, basis = np.linalg.eigh(products)
        moments = np.einsum("sfg,sf->sg", basis, (precision * residuals) @ features * stretch)
        return cls(residuals.shape[1], (precision * residuals**2).sum(axis=1), np.maximum(sizes, 0.0), basis, moments)

    def log_evidence(self, tau: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        """Return the log density of the residuals without their weights; arguments broadcast to (sample, value)."""
        noise, spread = sigma[..., None] ** 2, tau[..., None] ** 2
        ratio = 1 + spread * self.sizes[:, None, :] / noise
        fit = (self.squares[:, None] - (spread * self.moments[:, None, :] ** 2 / noise / ratio).sum(axis=-1)) / sigma**2
        return np.asarray(-self.runs * np.log(sigma) - 0.5 * np.log(ratio).sum(axis=-1) - 0.5 * fit)

    def sample(self, tau: np.ndarray, sigma: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw the weights of the stretched features (sample, feature)."""
        precision = self.sizes / sigma[:, None] ** 2 + 1 / tau[:, None] ** 2
        mean = self.moments / sigma[:, None] ** 2 / precision
        rotated = mean + rng.standard_normal(mean.shape) / np.sqrt(precision)
        return np.asarray(np.einsum("sfg,sg->sf", self.basis, rotated))

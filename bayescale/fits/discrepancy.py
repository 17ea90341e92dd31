"""What a law misses: a smooth discrepancy of log response, inferred without touching the law."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.draws import Draws, evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.fits.student import log_student
from bayescale.laws import EXTRA_DEGREES, NOISE_SCALE
from bayescale.runs.checkpoints import RUN_SHARE, SHARES, checkpoints_of
from bayescale.values import Value
from bayescale.words import typed

GROUP = "discrepancy"
SAMPLES = 400
"""Posterior draws of the law, evenly spaced, that each get a discrepancy of their own."""

SWEEPS = 15
"""Of the Gibbs sampler, for each draw of the law; a test compares with many more."""

SCALE = 0.02
"""Scale of the half-normal prior of tau: the s.d. of a change of slope of log response at one e-fold."""

TAIL = 3.0
"""Degrees of freedom of the changes of slope: one bend, such as a corner of odd runs, must not widen all others."""

COMPUTE_PART = 0.25
"""Changes of slope along ln N + ln D, relative to those along one of them (docs/decisions/0008)."""

REACH = 40
"""e-folds from the centre of the runs to which slopes go on changing: 17 decades each way."""

BLOCK = 50
"""Samples whose features are computed at once: those of all of them take longer to allocate than to fill."""

TAUS = np.geomspace(1e-4, 0.3, 24)
SIGMAS = np.geomspace(5e-4, 0.3, 40)
NUS = 2.0 + np.geomspace(0.1, 60.0, 12)
"""Values that the Gibbs sampler chooses among, evenly spaced in the logs of tau, sigma and nu - 2."""


@dataclass(frozen=True, eq=False, repr=False)
class Discrepancy(Value):
    """What a law misses: samples, each given one posterior draw of the law.

    ``log response = log law + delta + noise``. Delta is a sum of piecewise linear functions of the logs of the law's
    columns, flat at the centre of the runs, whose slopes change by ``tau * StudentT(3)`` at every e-fold away from it;
    of the product of each pair of logs; and, where the law has N and D, of such a function of ln N + ln D whose
    changes are smaller.

    Attributes
    ----------
    fitted : Fit
        The fit of the law.
    draws : Draws
        Of the law, which the samples are given (sample,).
    weights : numpy.ndarray
        Weight of each feature of delta (sample, feature).
    tau, sigma, nu : numpy.ndarray
        Scale of the weights; scale and degrees of freedom of the noise of single runs, delta taken off (sample,).
    size : numpy.ndarray
        Median of |delta| over the runs, in log response: how much help the law needs (sample,).
    """

    fitted: Fit
    draws: Draws
    weights: np.ndarray
    tau: np.ndarray
    sigma: np.ndarray
    nu: np.ndarray
    size: np.ndarray

    def log_center(self, points: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return log law plus delta at columns in counts, (point,) or (sample, point): (sample, point)."""
        missed = self._missed(points)  # refuses points that have no logarithm
        return np.asarray(self.draws.log_value(points, self.fitted.runs.response) + missed)

    def _missed(self, points: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return delta (sample, point); where samples have points of their own, block by block to save memory."""
        if all(np.ndim(values) < 2 for values in points.values()):
            return _delta(self.weights, _features(self.fitted, points))
        blocks = np.array_split(np.arange(len(self.weights)), -(-len(self.weights) // BLOCK))
        parts = ({name: values[block] for name, values in points.items()} for block in blocks)
        return np.concatenate(
            [
                _delta(self.weights[block], _features(self.fitted, part))
                for block, part in zip(blocks, parts, strict=True)
            ]
        )


@checks.kinds
def infer_discrepancy(fitted: Fit) -> Discrepancy:
    """Return what a law misses on the runs it was fitted to.

    Parameters
    ----------
    fitted : Fit
        The fit.

    Returns
    -------
    Discrepancy
        The same for the same fit.

    Notes
    -----
    For each draw of the law, delta and noise are sampled from their posterior given its residuals: a cut (Plummer
    2015, doi:10.1007/s11222-014-9503-z). Inferred together with the law, delta would take over its exponents.
    """
    kept = fitted.data[GROUP].to_dataset() if GROUP in fitted.data.children else discrepancy_group(fitted)
    position = kept["position"].to_numpy()
    found = {name: kept[name].to_numpy() for name in ("weights", "tau", "sigma", "nu", "size")}
    return Discrepancy(fitted, fitted.draws.of_law.take(position), **found)


def discrepancy_group(fitted: Fit) -> xr.Dataset:
    """Return the group that keeps the discrepancy of a fit (sample, feature)."""
    count = fitted.draws["sigma"].size
    position = evenly_spaced(min(SAMPLES, count), count)
    frame, response = fitted.runs.frame, fitted.runs.response
    points = {name: frame[name].to_numpy() for name in fitted.law.covariates}
    residuals = np.log(frame[response].to_numpy()) - fitted.draws.take(position).log_value(points, response)
    features = _features(fitted, points)
    seen = features.any(axis=0)
    rng = np.random.default_rng(fitted.record["settings"]["random_seed"])
    found = sample_weights(*_independent(fitted, residuals, features[:, seen]), rng)
    weights = found["tau"][:, None] * rng.standard_t(TAIL, (position.size, seen.size))  # the prior, where no run is
    weights[:, seen] = found["weights"]
    size = np.median(np.abs(_delta(weights, features)), axis=1)
    scales = {name: ("sample", found[name]) for name in ("tau", "sigma", "nu")}
    return xr.Dataset(
        {"position": ("sample", position), "weights": (("sample", "feature"), weights), "size": ("sample", size)}
        | scales
    )


def _independent(fitted: Fit, residuals: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals (sample, row) and features (row, feature) whose noise is independent between rows.

    Rows of a training run count for what they tell beside each other, by the median shares of their noise.
    """
    shared = checkpoints_of(fitted.runs.frame)
    if shared is None or RUN_SHARE not in fitted.draws:
        return residuals, features
    shares = [float(np.median(fitted.draws[name])) for name in SHARES]
    return shared.whiten(residuals, shares), shared.whiten(features.T, shares).T


def _features(fitted: Fit, points: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the features of delta at points, one more axis than the points have: (..., feature).

    A column with zeros among the runs has no logarithm, and no part in delta.
    """
    frame = fitted.runs.frame
    logs = {}
    for name in fitted.law.covariates:
        own = frame[name].to_numpy(dtype=float)
        if (own > 0).all():
            logs[name] = _log(name, np.asarray(points[name], dtype=float)) - np.log(own).mean()
    parts = [_hinges(x) for x in logs.values()]
    if {"N", "D"} <= set(logs):
        parts.append(COMPUTE_PART * _hinges(logs["N"] + logs["D"]))
    names = list(logs)
    parts += [(logs[a] * logs[b])[..., None] for i, a in enumerate(names) for b in names[i + 1 :]]
    shape = np.shape(next(iter(points.values())))
    return np.concatenate(parts, axis=-1) if parts else np.zeros((*shape, 1))


def _log(name: str, values: np.ndarray) -> np.ndarray:
    if not (values > 0).all():
        raise InputError(
            f"cannot forecast at {name} = {typed(values.min(), 6)}; expected numbers above zero, as the runs have"
        )
    return np.asarray(np.log(values))


def _hinges(x: np.ndarray) -> np.ndarray:
    """Return the distance beyond each e-fold from the centre, on both sides (..., feature)."""
    folds = np.arange(REACH)
    return np.concatenate([np.maximum(side[..., None] - folds, 0.0) for side in (x, -x)], axis=-1)


def _delta(weights: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return delta (sample, point) from features (point, feature) or (sample, point, feature)."""
    if features.ndim == 2:
        return np.asarray(weights @ features.T)
    return np.asarray((features @ weights[:, :, None])[..., 0])


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
        normal = _Normal.of(residuals, features, pairs, precision, stretch)
        sigma = SIGMAS[_pick(normal.log_evidence(tau[:, None], SIGMAS[None]) + sigma_prior, rng)]
        tau = TAUS[_pick(normal.log_evidence(TAUS[None], sigma[:, None]) + tau_prior, rng)]
        weights = stretch * normal.sample(tau, sigma, rng)
        stretch = np.sqrt((TAIL + (weights / tau[:, None]) ** 2) / rng.chisquare(TAIL + 1, size=weights.shape))
        scaled = (residuals - weights @ features.T) / sigma[:, None]
        nu = _sample_nu(scaled, rng)
        shape, rate = (nu[:, None] + 1) / 2, (nu[:, None] + scaled**2) / 2
        precision = rng.gamma(shape, size=residuals.shape) / rate
    return {"weights": weights, "tau": tau, "sigma": sigma, "nu": nu}


def _pick(log_density: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one column of each row in proportion to its density (sample,)."""
    return np.asarray((log_density + rng.gumbel(size=log_density.shape)).argmax(axis=1))


def _sample_nu(scaled: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    density = np.stack([log_student(scaled, nu, 1.0).sum(axis=1) for nu in NUS], axis=1)
    return np.asarray(NUS[_pick(density + np.log(NUS - 2) - (NUS - 2) / EXTRA_DEGREES, rng)])


@dataclass(frozen=True)
class _Normal:
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
    ) -> "_Normal":
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

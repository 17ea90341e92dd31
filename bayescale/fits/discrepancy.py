"""What a law misses: a smooth discrepancy of log response, inferred without touching the law."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.blocks import row_blocks
from bayescale.fits.draws import Draws, evenly_spaced
from bayescale.fits.fit import Fit
from bayescale.fits.gibbs import TAIL, sample_weights
from bayescale.fits.sums import weights_from_sums
from bayescale.runs.checkpoints import RUN_SHARE, SHARES, checkpoints_of
from bayescale.runs.units import units_of
from bayescale.values import Value
from bayescale.words import typed

GROUP = "discrepancy"
SAMPLES = 400
"""Posterior draws of the law, evenly spaced, that each get a discrepancy of their own."""

FEW = 2000
"""Runs up to which every one of them gets a precision of its own; of more, sums suffice."""

COMPUTE_PART = 0.25
"""Changes of slope along ln N + ln D, relative to those along one of them (docs/decisions/0008)."""

REACH = 40
"""e-folds from the centre of the runs to which slopes go on changing: 17 decades each way."""

SAMPLES_AT_ONCE = 50
"""Samples whose features are computed at once: those of all of them take longer to allocate than to fill."""


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
        blocks = np.array_split(np.arange(len(self.weights)), -(-len(self.weights) // SAMPLES_AT_ONCE))
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
    rows = _Rows.of(fitted, position)
    rng = np.random.default_rng(fitted.record["settings"]["random_seed"])
    if len(fitted.runs.frame) <= FEW:
        found = sample_weights(*next(rows.independent()), rng)
    else:
        found = weights_from_sums(rows.independent, rng)
    prior = rng.standard_t(TAIL, (position.size, rows.seen.size))
    weights = found["tau"][:, None] * prior  # where no run is
    weights[:, rows.seen] = found["weights"]
    scales = {name: ("sample", found[name]) for name in ("tau", "sigma", "nu")}
    return xr.Dataset(
        {"position": ("sample", position), "weights": (("sample", "feature"), weights)}
        | {"size": ("sample", _size(fitted, weights))}
        | scales
    )


def _columns(fitted: Fit, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the law's columns of some rows (row,)."""
    return {name: frame[name].to_numpy() for name in fitted.law.covariates}


def _size(fitted: Fit, weights: np.ndarray) -> np.ndarray:
    """Return the median of |delta| over the runs, or some of them, evenly spaced, where they are many (sample,)."""
    frame = fitted.runs.frame
    some = frame if len(frame) <= FEW else frame.iloc[evenly_spaced(FEW, len(frame))]
    return np.asarray(np.median(np.abs(_delta(weights, _features(fitted, _columns(fitted, some)))), axis=1))


@dataclass(frozen=True)
class _Rows:
    """The rows of a fit as the samplers see them, all at once or in blocks of whole training runs."""

    fitted: Fit
    draws: Draws
    shares: tuple[float, ...]
    seen: np.ndarray
    blocks: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, fitted: Fit, position: np.ndarray) -> "_Rows":
        """Return those of a fit under some of its draws; ``seen`` are the features that are not zero at every row."""
        frame = fitted.runs.frame
        shared = RUN_SHARE in fitted.draws
        units = units_of(frame) if shared else np.arange(len(frame))
        units = np.random.default_rng(0).permutation(int(units.max()) + 1)[units]  # so that blocks are alike
        blocks = tuple(row_blocks(units, 1, FEW)) if len(frame) > FEW else (np.arange(len(frame)),)
        seen = np.any([_features(fitted, _columns(fitted, frame.iloc[rows])).any(axis=0) for rows in blocks], axis=0)
        shares = tuple(float(np.median(fitted.draws[name])) for name in SHARES) if shared else ()
        return cls(fitted, fitted.draws.take(position), shares, seen, blocks)

    def independent(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield residuals (sample, row) and seen features (row, feature) whose noise is independent between rows.

        Rows of a training run count for what they tell beside each other, by the median shares of their noise.
        """
        response = self.fitted.runs.response
        for rows in self.blocks:
            frame = self.fitted.runs.frame.iloc[rows]
            residuals = np.log(frame[response].to_numpy()) - self.draws.log_value(
                _columns(self.fitted, frame), response
            )
            features = _features(self.fitted, _columns(self.fitted, frame))[:, self.seen]
            shared = checkpoints_of(frame) if self.shares else None
            if shared is not None:
                residuals = shared.whiten(residuals, self.shares)
                features = shared.whiten(features.T, self.shares).T
            yield residuals, features


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

"""The PyMC model of several responses of the same runs, and its sampling."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from bayescale.fits.model import NORMAL_SCORES
from bayescale.fits.sampler import compile_model, run_sampler, with_used
from bayescale.fits.settings import Settings
from bayescale.groups.coordinates import DEVIATION, LEVEL, TURN, TURN_DEGREES, is_positive, kind_of, over_typical
from bayescale.laws import Law, law_record
from bayescale.laws.priors import free_priors, parameters_from_free
from bayescale.storage import content_hash

DEVIATION_SPREAD = 0.5
"""How far the scales of deviations are known beforehand, on the log. Half-normal ones would have a funnel at zero,
where the groups are one; that they never quite are."""

SCALES = {
    "law": {"run": 0.02, "own": 0.02, "noise": 0.05},
    "share": {"run": 0.2, "own": 0.2, "noise": 0.03},
    "number": {"run": 0.3, "own": 0.3, "noise": 0.5},
}
"""Scales of the half-normal priors of the effect of a run on all its responses, of a training run on each of its own,
and of the noise of a value: on log response, on the logit (noise: on the share), and over the typical spread of a
response."""

_COMPILED: dict[Any, Any] = {}


def sample_responses(
    law: Law | None, form: str, data: Mapping[str, np.ndarray], settings: Settings, target_accept: float
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the posterior of several responses (chain, draw, ...), and what the sampler says of its draws.

    Parameters
    ----------
    law : Law or None
        The law that responses share; None of a trend.
    form : str
        ``law``, ``share`` or ``number``.
    data : mapping of str to numpy.ndarray
        ``value``, ``error``, ``seen`` (row, group), ``x``, the columns of the law, ``unit`` (row,); of a share
        ``floor`` and ``ceiling`` (group,); of a law what :func:`bayescale.groups.coordinates.place` returns.
    settings : Settings
        Draws, tuning steps, chains, seed.
    target_accept : float
        How small the steps are.

    Raises
    ------
    KeyboardInterrupt
        If sampling was interrupted.
    InputError
        If no starting point has a finite density.
    """
    return run_sampler(
        with_used(_compiled(law, form, data), data),
        settings,
        what="responses",
        remedy="look for extreme values in the responses",
        target_accept=target_accept,
        adaptation="low_rank",
    )


def _compiled(law: Law | None, form: str, data: Mapping[str, np.ndarray]) -> Any:  # noqa: ANN401  (nutpie's type)
    """Return the compiled model, made at most once in a process for a law and numbers of groups and training runs."""
    groups, units = data["value"].shape[1], int(data["unit"].max()) + 1
    units = 0 if units == data["unit"].size else units
    key = (form, content_hash(law_record(law)) if law else "", groups, units)
    if key not in _COMPILED:
        _COMPILED[key] = compile_model(_model(law, form, groups, units))
    return _COMPILED[key]


def _model(law: Law | None, form: str, groups: int, units: int) -> pm.Model:
    """Return the model: values of a row are one multivariate Student t around their curves.

    The effect of a row on all its responses is integrated out: it adds one dyad to a diagonal covariance (Sherman and
    Morrison 1950, doi:10.1214/aoms/1177729893). On a share it acts through the slope of the curve at the score.
    """
    scales = SCALES[form]
    with pm.Model(coords={"group": np.arange(groups)}) as model:
        value, error = (pm.Data(name, np.zeros((2, groups))) for name in ("value", "error"))
        seen = pm.Data("seen", np.ones((2, groups)))
        x = pm.Data("x", np.zeros(2))
        centre, weight = _curves(law, form, x, groups)
        if units:
            centre = centre + weight * _own_effects(units, groups, scales["own"])
        noise = pm.HalfNormal("noise", sigma=scales["noise"], dims="group")
        run = pm.HalfNormal("run_scale", sigma=scales["run"])
        nu = 2.0 + pm.Exponential("nu_above_2", scale=10.0, default_transform=NORMAL_SCORES["nu_above_2"])
        pm.Potential("rows", _density_of_rows(value - centre, seen, noise**2 + error**2, run * weight, nu))
    return model


def _density_of_rows(residual: Any, seen: Any, variance: Any, shared: Any, nu: Any) -> Any:  # noqa: ANN401
    """Return the log density of each row, all its values together (row,)."""
    precision = seen / variance
    squares, mixed, common = (
        (precision * each).sum(axis=1) for each in (residual**2, shared * residual, shared**2 + 0 * residual)
    )
    count = seen.sum(axis=1)
    distance = squares - mixed**2 / (1 + common)
    log_scale = 0.5 * ((seen * pt.log(variance)).sum(axis=1) + pt.log1p(common))
    constant = pt.gammaln((nu + count) / 2) - pt.gammaln(nu / 2) - 0.5 * count * pt.log(nu * np.pi)
    return constant - log_scale - 0.5 * (nu + count) * pt.log1p(distance / nu)


def _own_effects(units: int, groups: int, scale: float) -> Any:  # noqa: ANN401  (PyTensor's variables)
    """Return what each training run of several rows adds to each of its responses (row, group)."""
    unit = pm.Data("unit", np.zeros(2, dtype="int64"))
    spread = pm.HalfNormal("own_scale", sigma=scale)
    return spread * pm.Normal("own_score", 0.0, 1.0, shape=(units, groups))[unit]


def _curves(law: Law | None, form: str, x: Any, groups: int) -> tuple[Any, Any]:  # noqa: ANN401
    """Return the curve of each response, and what a unit of a run's effect adds to it (row, group)."""
    if law is not None:
        return pt.log(_law_values(law, x, groups)), 1.0
    score = _trend(x)
    if form == "number":
        return score, 1.0
    low, high = (pm.Data(name, np.full(groups, at)) for name, at in (("floor", 0.0), ("ceiling", 1.0)))
    part = pm.math.sigmoid(score)
    return low + (high - low) * part, (high - low) * part * (1 - part)


def _trend(x: Any) -> Any:  # noqa: ANN401  (PyTensor's variables)
    """Return ``level_g + slope_g x + bend_g x^2`` with slopes and bends partially pooled (row, group)."""
    level = pm.Normal("level", 0.0, 1.5, dims="group")
    slope = _pooled("slope", pm.Normal("slope_mean", 0.0, 0.5), 0.3)
    bend = _pooled("bend", pm.Normal("bend_mean", 0.0, 0.1), 0.1)
    return level + slope * x[:, None] + bend * x[:, None] ** 2


def _pooled(name: str, mean: Any, scale: float) -> Any:  # noqa: ANN401  (PyTensor's variables)
    spread = pm.HalfNormal(f"{name}_scale", sigma=scale)
    return pm.Deterministic(name, mean + spread * pm.Normal(f"{name}_score", 0.0, 1.0, dims="group"), dims="group")


def _law_values(law: Law, x: Any, groups: int) -> Any:  # noqa: ANN401  (PyTensor's variables)
    """Return the law of each row and group over the response's typical value; parameters are partially pooled.

    What is sampled of a group are its steps along the axes of its own least-squares fit, in which floor and exponents,
    that the data know only together, are no longer correlated.
    """
    shared, own = _common(law), {}
    positive = [is_positive(law.priors[name]) for name in law.parameters]
    centres = [
        pt.log(shared[name]) if logs else shared[name] for name, logs in zip(law.parameters, positive, strict=True)
    ]
    found = _places(pt.stack(centres), groups)
    for i, (name, logs) in enumerate(zip(law.parameters, positive, strict=True)):
        spread = pm.LogNormal(f"{name}_scale", mu=np.log(DEVIATION[kind_of(law, name)]), sigma=DEVIATION_SPREAD)
        pm.Potential(f"{name}_pooled", pm.logp(pm.Normal.dist(centres[i], spread), found[:, i]))
        own[name] = pm.Deterministic(f"{name}_group", pt.exp(found[:, i]) if logs else found[:, i], dims="group")
    turn = pm.Deterministic("turn_group", found[:, -2], dims="group")
    pm.Potential("turn_prior", pm.logp(pm.StudentT.dist(nu=TURN_DEGREES, mu=0.0, sigma=TURN), turn))
    level = pm.Deterministic("level", pt.exp(found[:, -1]), dims="group")
    pm.Potential("level_prior", pm.logp(pm.Normal.dist(0.0, LEVEL), found[:, -1]))
    columns = {name: pm.Data(name, np.ones(2))[:, None] for name in law.covariates}
    return pt.maximum(level * over_typical(law, columns, own) + turn * x[:, None], 1e-6)


def _places(centres: Any, groups: int) -> Any:  # noqa: ANN401  (PyTensor's variables)
    """Return the coordinates of each group, which are sampled along axes that move with those of all groups."""
    count = centres.type.shape[0]
    shape = (groups, count + 2)
    common, middle = pm.Data("common", np.zeros(count)), pm.Data("middle", np.zeros(shape))
    follow, axes = pm.Data("follow", np.zeros((*shape, count))), pm.Data("axes", np.zeros((*shape, count + 2)))
    score = pm.Flat("place_score", shape=shape)
    return middle + (follow * (centres - common)).sum(axis=2) + (axes * score[:, None, :]).sum(axis=2)


def _common(law: Law) -> dict[str, Any]:
    """Return the parameters that those of groups are drawn to, over a response's typical value."""
    fixed = {"sigma": 1.0, "nu_above_2": 1.0, "level": 1.0}
    priors = {name: prior for name, prior in free_priors(law).items() if name not in fixed}
    free = {name: getattr(pm, prior.family)(name, **prior.parameters) for name, prior in priors.items()}
    return dict(parameters_from_free(law, {**free, **fixed}, 1.0))

"""The PyMC model of several responses of the same runs, and its sampling."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from bayescale.fits.model import NORMAL_SCORES
from bayescale.fits.sampler import compile_model, run_sampler
from bayescale.fits.settings import Settings
from bayescale.laws import Law, Share
from bayescale.laws.priors import free_priors, parameters_from_free

DEVIATION = {"exponent": 0.2, "coefficient": 0.3}
"""Scale of the half-normal prior of how much groups differ, on the log of exponents and of coefficients over a
response's typical value."""

TURN = 0.02
"""The same of what a group's response gains by each e-fold of tokens or compute whatever the law: it alone can turn a
curve round."""

SCALES = {
    "law": {"run": 0.02, "own": 0.02, "noise": 0.05},
    "share": {"run": 0.2, "own": 0.2, "noise": 0.03},
    "number": {"run": 0.3, "own": 0.3, "noise": 0.5},
}
"""Scales of the half-normal priors of the effect of a run on all its responses, of a training run on each of its own,
and of the noise of a value: on log response, on the logit (noise: on the share), and over the typical spread of a
response."""


def sample_responses(
    law: Law | None, form: str, data: Mapping[str, np.ndarray], settings: Settings
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the posterior of several responses (chain, draw, ...), and what the sampler says of its draws.

    Parameters
    ----------
    law : Law or None
        The law that responses share; None of a trend.
    form : str
        ``law``, ``share`` or ``number``.
    data : mapping of str to numpy.ndarray
        ``value``, ``error``, ``group``, ``row`` (cell,), ``x``, the columns of the law, ``unit`` (row,), and of a share
        ``floor`` and ``ceiling`` (group,).
    settings : Settings
        Draws, tuning steps, chains, seed.

    Raises
    ------
    KeyboardInterrupt
        If sampling was interrupted.
    InputError
        If no starting point has a finite density.
    """
    return run_sampler(
        compile_model(_model(law, form, data)),
        settings,
        what="responses",
        remedy="look for extreme values in the responses",
        target_accept=0.9,
        adaptation="low_rank",
    )


def _model(law: Law | None, form: str, data: Mapping[str, np.ndarray]) -> pm.Model:
    """Return ``value ~ StudentT(nu, centre, sqrt(noise_g^2 + error^2))``, a run having one effect on all responses."""
    groups, rows = int(data["group"].max()) + 1, int(data["row"].max()) + 1
    coords = {"group": np.arange(groups), "row": np.arange(rows)}
    scales = SCALES[form]
    with pm.Model(coords=coords) as model:
        effect = _run_effects(data, groups, scales)
        group = data["group"]
        if law is not None:
            centre = pt.log(_law_values(law, data)) + effect
        else:
            score = _trend(data) + effect
            low, high = (data[name][group] for name in ("floor", "ceiling"))
            centre = low + (high - low) * pm.math.sigmoid(score) if form == "share" else score
        noise = pm.HalfNormal("noise", sigma=scales["noise"], dims="group")
        nu = 2.0 + pm.Exponential("nu_above_2", scale=10.0, default_transform=NORMAL_SCORES["nu_above_2"])
        spread = pt.sqrt(noise[group] ** 2 + data["error"] ** 2)
        pm.StudentT("value", nu=nu, mu=centre, sigma=spread, observed=data["value"])
    return model


def _run_effects(data: Mapping[str, np.ndarray], groups: int, scales: Mapping[str, float]) -> Any:  # noqa: ANN401
    """Return what each row adds to all its responses, and each training run of several rows to each of its own."""
    spread = pm.HalfNormal("run_scale", sigma=scales["run"])
    effect = pm.Normal("run", 0.0, 1.0, dims="row") * spread
    units, group, row = data["unit"], data["group"], data["row"]
    found = effect[row]
    if units.max() + 1 < units.size:
        own = pm.HalfNormal("own_scale", sigma=scales["own"])
        shape = (int(units.max()) + 1, groups)
        found = found + own * pm.Normal("own", 0.0, 1.0, shape=shape)[units[row], group]
    return found


def _trend(data: Mapping[str, np.ndarray]) -> Any:  # noqa: ANN401  (PyTensor's variables)
    """Return ``level_g + slope_g x + bend_g x^2`` with slopes and bends partially pooled."""
    level = pm.Normal("level", 0.0, 1.5, dims="group")
    slope = _pooled("slope", pm.Normal("slope_mean", 0.0, 0.5), 0.3)
    bend = _pooled("bend", pm.Normal("bend_mean", 0.0, 0.1), 0.1)
    x, group = data["x"][data["row"]], data["group"]
    return level[group] + slope[group] * x + bend[group] * x**2


def _pooled(name: str, mean: Any, scale: float) -> Any:  # noqa: ANN401  (PyTensor's variables)
    spread = pm.HalfNormal(f"{name}_scale", sigma=scale)
    return pm.Deterministic(name, mean + spread * pm.Normal(f"{name}_score", 0.0, 1.0, dims="group"), dims="group")


def _law_values(law: Law, data: Mapping[str, np.ndarray]) -> Any:  # noqa: ANN401
    """Return the law of each cell over its response's typical value; parameters of groups are partially pooled.

    The law is taken over its own value at a typical run, and ``level`` is what it is there: known far better than the
    parts that it consists of, which would otherwise have to move together.
    """
    fixed = {"sigma": 1.0, "nu_above_2": 1.0, "level": 1.0}
    priors = {name: prior for name, prior in free_priors(law).items() if name not in fixed}
    free = {name: getattr(pm, prior.family)(name, **prior.parameters) for name, prior in priors.items()}
    shared = parameters_from_free(law, {**free, **fixed}, 1.0)
    group, row = data["group"], data["row"]
    own, level = {}, pm.LogNormal("level", mu=0.0, sigma=0.1, dims="group")
    for name in law.parameters:
        kind = "exponent" if is_exponent(law, name) else "coefficient"
        spread = pm.HalfNormal(f"{name}_scale", sigma=DEVIATION[kind])
        score = pm.Normal(f"{name}_score", 0.0, 1.0, dims="group")
        own[name] = pm.Deterministic(f"{name}_group", shared[name] * pt.exp(spread * score), dims="group")
    turn = pm.Deterministic(
        "turn_group",
        pm.HalfNormal("turn_scale", sigma=TURN) * pm.Normal("turn_score", 0.0, 1.0, dims="group"),
        dims="group",
    )
    columns = {name: data[name][row] for name in law.covariates}
    of_cells = {name: values[group] for name, values in own.items()}
    typical = law.loss(**dict.fromkeys(law.covariates, 1.0), **own)
    ratio = law.loss(**columns, **of_cells) / typical[group]
    return pt.maximum(level[group] * ratio + turn[group] * data["x"][row], 1e-6)


def is_exponent(law: Law, name: str) -> bool:
    """Return whether a parameter of a law has no unit of the response."""
    prior = law.priors[name]
    return not (isinstance(prior, Share) or prior.relative)

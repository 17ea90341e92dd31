"""The PyMC model of a law seen through noisy runs."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform

from bayescale.errors import InputError
from bayescale.fits.sampling import model_key
from bayescale.laws import EXTRA_DEGREES, SMALLEST_VALUE, Law, Prior, Quantity
from bayescale.laws.priors import free_priors, parameters_from_free
from bayescale.runs.checkpoints import PATH_SHARE, RUN_SHARE

_MODELS: dict[str, pm.Model] = {}


class _NormalScore(Transform):  # type: ignore[misc]  # PyMC tells mypy nothing
    """An exponential variable as its normal score: that of its probability to be exceeded.

    The sampler then sees a standard normal prior. The logarithm has a long tail to the left, which heavy-tailed noise
    (nu near 2) fills and short trajectories explore slowly.
    """

    name = "score"  # PyMC takes what stands before the last underscore for the variable's own name
    ndim_supp = 0

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def forward(self, value: Any, *_: Any) -> Any:  # noqa: ANN401  (PyTensor's variables)
        return math.sqrt(2) * pt.erfcinv(2 * pt.exp(-value / self.scale))

    def backward(self, value: Any, *_: Any) -> Any:  # noqa: ANN401
        return -self.scale * pt.log(pt.erfc(value / math.sqrt(2)) / 2)

    def log_jac_det(self, value: Any, *_: Any) -> Any:  # noqa: ANN401
        density = -(value**2) / 2 - math.log(2 * math.pi) / 2
        return density + math.log(self.scale) + self.backward(value) / self.scale


NORMAL_SCORES = {"nu_above_2": _NormalScore(EXTRA_DEGREES)}
"""Free variables that are not sampled on the scale that PyMC would choose."""


def build_model(law: Law, *, shared: bool = False) -> pm.Model:
    """Build the model ``log(response) ~ StudentT(nu, log(law), sigma)``.

    Where several rows come from one training run, those of a run are one multivariate Student t around the law:
    ``sigma`` stays the scale of a single row, and a share of its variance is one offset of the run, another a path
    along it that forgets by half a decade of tokens. Both are integrated out: nothing is sampled for each run.

    All data are settable and have no fixed length, so one compiled model serves every table:
    ``<covariate>_data``, each divided by its reference value (dim ``run``), ``log_response_data`` (dim
    ``run``) and ``loss_unit``, the typical response that the priors are scaled with. Free variables are
    scalars: parts of the level are drawn by stick-breaking, which is the Dirichlet distribution written
    with Beta variables and compiles faster.

    Parameters
    ----------
    law : Law
        The law.
    shared : bool
        Whether rows share training runs.

    Returns
    -------
    pymc.Model
        Its free variables become the law's parameters through :func:`bayescale.laws.priors.parameters_from_free`; its
        observed variable is ``log_response``, or, of training runs as a whole, the potential of that name.

    Raises
    ------
    InputError
        If PyMC cannot make one of the priors.
    """
    with pm.Model() as model:
        covariates = {name: pm.Data(f"{name}_data", np.ones(2), dims="run") for name in law.covariates}
        unit = pm.Data("loss_unit", 1.0)
        observed = pm.Data("log_response_data", np.zeros(2), dims="run")
        values = parameters_from_free(law, _free_variables(law, shared=shared), unit)
        law_values = {name: values[name] for name in law.parameters}
        value = pt.maximum(law.loss(**covariates, **law_values), SMALLEST_VALUE * unit)
        if shared:
            pm.Potential("log_response", _density_of_runs(observed - pt.log(value), values))
        else:
            pm.StudentT(
                "log_response", nu=values["nu"], mu=pt.log(value), sigma=values["sigma"], observed=observed, dims="run"
            )
    return model


def _density_of_runs(residuals: Quantity, values: Mapping[str, Quantity]) -> Quantity:
    """Return the log density of each training run, all its rows together.

    With the rows of a run turned by the eigenvectors of its path's correlations, the covariance is diagonal but for the
    common offset, which adds one dyad (Sherman and Morrison 1950, doi:10.1214/aoms/1177729893).
    """
    neighbours = pm.Data("neighbours_data", np.zeros((2, 1))).astype("int64")
    rotation = pm.Data("rotation_data", np.ones((2, 1)))
    spread, together = pm.Data("spread_data", np.ones(2)), pm.Data("together_data", np.ones(2))
    member = pm.Data("member_data", np.eye(2))
    nu, run, path = values["nu"], values[RUN_SHARE], values[PATH_SHARE]
    turned = (rotation * residuals[neighbours]).sum(axis=1) / values["sigma"]
    variance = (1 - run) * ((1 - path) + path * spread)
    squares, offsets, mixed, logs = (
        member.dot(each)
        for each in (turned**2 / variance, together**2 / variance, together * turned / variance, pt.log(variance))
    )
    rows = member.sum(axis=1)
    distance = squares - run * mixed**2 / (1 + run * offsets)
    log_scale = rows * pt.log(values["sigma"]) + 0.5 * (logs + pt.log1p(run * offsets))
    constant = pt.gammaln((nu + rows) / 2) - pt.gammaln(nu / 2) - 0.5 * rows * pt.log(nu * np.pi)
    return constant - log_scale - 0.5 * (nu + rows) * pt.log1p(distance / nu)


def build_prior(law: Law, *, shared: bool = False) -> pm.Model:
    """Build the free variables of a law's model alone, whatever its formula."""
    with pm.Model() as model:
        _free_variables(law, shared=shared)
    return model


def model_of(law: Law, *, shared: bool = False) -> pm.Model:
    """Return the law's PyMC model, of rows that share training runs or not, built at most once in a process."""
    key = model_key(law, shared=shared)
    if key not in _MODELS:
        _MODELS[key] = build_model(law, shared=shared)
    return _MODELS[key]


def draw_prior(law: Law, draws: int, random_seed: int, *, shared: bool) -> dict[str, np.ndarray]:
    """Return draws of the free variables of a law's model (draw,), of whatever family their priors are."""
    variables = build_prior(law, shared=shared).free_RVs
    values = pm.draw(variables, draws=draws, random_seed=random_seed, mode="FAST_COMPILE")
    return {variable.name: value for variable, value in zip(variables, values, strict=True)}


def prior_densities(law: Law, free: Mapping[str, np.ndarray], *, shared: bool) -> dict[str, np.ndarray]:
    """Return the log density of each free variable's prior, in one function, of whatever family it is."""
    variables = build_prior(law, shared=shared).free_RVs
    densities = [pm.logp(variable, free[variable.name]) for variable in variables]
    values = pm.compile([], densities, mode="FAST_COMPILE")()
    return {variable.name: value for variable, value in zip(variables, values, strict=True)}


def evaluate_symbolically(law: Law, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the law computed by PyTensor from the same numbers as the model would see.

    Parameters
    ----------
    law : Law
        The law.
    values : mapping of str to numpy.ndarray
        Covariates (1, point) and parameters (draw, 1).

    Returns
    -------
    numpy.ndarray
        The law (draw, point).
    """
    symbols = {
        name: pt.tensor(name, dtype="float64", shape=tuple(None if size > 1 else 1 for size in column.shape))
        for name, column in values.items()
    }
    given = {symbols[name]: column for name, column in values.items()}
    return np.asarray(law.loss(**symbols).eval(given, mode="FAST_COMPILE", on_unused_input="ignore"))


def _free_variables(law: Law, *, shared: bool) -> dict[str, Quantity]:
    """Declare one scalar random variable per degree of freedom."""
    return {name: _draw(law, name, prior) for name, prior in free_priors(law, shared=shared).items()}


def _draw(law: Law, name: str, prior: Prior) -> Quantity:
    try:
        distribution = getattr(pm, prior.family)
        unknown = set(prior.parameters) - set(inspect.signature(distribution.dist).parameters)
        if unknown:  # PyMC would ignore them, and the prior would be another
            raise TypeError(f"unknown arguments {', '.join(sorted(unknown))}")
        scale = {"default_transform": NORMAL_SCORES[name]} if name in NORMAL_SCORES else {}
        return distribution(name, **prior.parameters, **scale)
    except (AttributeError, TypeError, ValueError) as error:
        parameter = name.removesuffix("_relative")
        raise InputError(f"law '{law.name}': PyMC cannot make the prior {prior} of {parameter}: {error}") from error

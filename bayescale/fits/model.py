"""The PyMC model of a law seen through noisy runs."""

import inspect
import math
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform

from bayescale.errors import InputError
from bayescale.laws import EXTRA_DEGREES, SMALLEST_VALUE, Law, Prior, Quantity
from bayescale.laws.priors import free_priors, parameters_from_free


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


def build_model(law: Law) -> pm.Model:
    """Build the model ``log(response) ~ StudentT(nu, log(law), sigma)``.

    All data are settable and have no fixed length, so one compiled model serves every table:
    ``<covariate>_data``, each divided by its reference value (dim ``run``), ``log_response_data`` (dim
    ``run``) and ``loss_unit``, the typical response that the priors are scaled with. Free variables are
    scalars: parts of the level are drawn by stick-breaking, which is the Dirichlet distribution written
    with Beta variables and compiles faster.

    Parameters
    ----------
    law : Law
        The law.

    Returns
    -------
    pymc.Model
        Its free variables become the law's parameters through :func:`bayescale.laws.priors.parameters_from_free`; its
        observed variable is ``log_response``.

    Raises
    ------
    InputError
        If PyMC cannot make one of the priors.
    """
    with pm.Model() as model:
        covariates = {name: pm.Data(f"{name}_data", np.ones(2), dims="run") for name in law.covariates}
        unit = pm.Data("loss_unit", 1.0)
        observed = pm.Data("log_response_data", np.zeros(2), dims="run")
        values = parameters_from_free(law, _free_variables(law), unit)
        law_values = {name: values[name] for name in law.parameters}
        value = pt.maximum(law.loss(**covariates, **law_values), SMALLEST_VALUE * unit)
        pm.StudentT(
            "log_response", nu=values["nu"], mu=pt.log(value), sigma=values["sigma"], observed=observed, dims="run"
        )
    return model


def build_prior(law: Law) -> pm.Model:
    """Build the free variables of a law's model alone, whatever its formula."""
    with pm.Model() as model:
        _free_variables(law)
    return model


def _free_variables(law: Law) -> dict[str, Quantity]:
    """Declare one scalar random variable per degree of freedom."""
    return {name: _draw(law, name, prior) for name, prior in free_priors(law).items()}


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

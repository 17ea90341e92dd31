"""The PyMC model of a law seen through noisy runs."""

import inspect
from collections.abc import Mapping

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayescale.errors import InputError
from bayescale.laws import EXTRA_DEGREES, NOISE_SCALE, SMALLEST_VALUE, Law, Prior, Quantity, Share

LEVEL_SCALE = 0.3
"""Prior s.d. of the log of the law's value at a typical run, relative to the table's typical response."""


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
        Its free variables become the law's parameters through :func:`parameters_from_free`; its observed
        variable is ``log_response``.

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
    plain = {name: prior for name, prior in law.priors.items() if isinstance(prior, Prior)}
    free = {_free_name(name, prior): _draw(law, name, prior) for name, prior in plain.items()}
    shares = _shares(law)
    if shares:
        free["level"] = pm.LogNormal("level", mu=0.0, sigma=LEVEL_SCALE)
    rest = sum(share.concentration for share in shares.values())
    for name, share in list(shares.items())[:-1]:
        rest -= share.concentration
        free[f"{name}_part"] = pm.Beta(f"{name}_part", alpha=share.concentration, beta=rest)
    free["sigma"] = pm.HalfNormal("sigma", NOISE_SCALE)
    free["nu_above_2"] = pm.Exponential("nu_above_2", scale=EXTRA_DEGREES)
    return free


def _shares(law: Law) -> dict[str, Share]:
    return {name: prior for name, prior in law.priors.items() if isinstance(prior, Share)}


def _free_name(name: str, prior: Prior) -> str:
    return f"{name}_relative" if prior.relative else name


def _draw(law: Law, name: str, prior: Prior) -> Quantity:
    try:
        distribution = getattr(pm, prior.family)
        unknown = set(prior.parameters) - set(inspect.signature(distribution.dist).parameters)
        if unknown:  # PyMC would ignore them, and the prior would be another
            raise TypeError(f"unknown arguments {', '.join(sorted(unknown))}")
        return distribution(_free_name(name, prior), **prior.parameters)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"law '{law.name}': PyMC cannot make the prior {prior} of {name}: {error}") from error


def parameters_from_free(law: Law, free: Mapping[str, Quantity], unit: Quantity) -> dict[str, Quantity]:
    """Turn the model's free variables into parameters, inside the model and on its draws alike.

    Parameters
    ----------
    law : Law
        The law.
    free : mapping of str to variable or array
        Values of the free variables.
    unit : variable or float
        The table's typical response.

    Returns
    -------
    dict
        The law's parameters at reference scale, in units of the response, and ``sigma`` and ``nu``.
    """
    values = {
        name: unit * free[f"{name}_relative"] if prior.relative else free[name]
        for name, prior in law.priors.items()
        if isinstance(prior, Prior)
    }
    left: Quantity = 1.0
    shares = _shares(law)
    for position, (name, share) in enumerate(shares.items()):
        last = position == len(shares) - 1
        part = left if last else left * free[f"{name}_part"]
        left = left if last else left * (1 - free[f"{name}_part"])
        values[name] = unit * free["level"] * (part if share.power is None else part ** values[share.power])
    ordered = {name: values[name] for name in law.parameters}
    return {**ordered, "sigma": free["sigma"], "nu": 2.0 + free["nu_above_2"]}

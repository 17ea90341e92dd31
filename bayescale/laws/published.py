"""Published fits as priors: what a paper found, told at the scale of one's own typical run."""

import math
from collections.abc import Mapping

import numpy as np

from bayescale.errors import InputError
from bayescale.laws import Law, Prior, in_ones

DRAWS = 20_000
"""Enough for means and standard deviations to 1%."""


def published_priors(law: Law, reference: Mapping[str, float], response: str) -> dict[str, Prior]:
    """Return priors that hold what the law's published fit found.

    Published values and their uncertainties are joint at ``N = D = 1``, where a coefficient and its exponent are almost
    one number. They are carried to the table's typical run, where they are nearly independent, and told there as one
    log-normal (or normal) prior for each parameter; what correlation is left is dropped, so the priors are a little
    wider than the fit.

    Parameters
    ----------
    law : Law
        A law with a published set that has standard errors.
    reference : mapping of str to float
        Reference value of each covariate of the law.
    response : str
        Response of the table.

    Returns
    -------
    dict of str to Prior
        For the parameters whose uncertainty is published; the others keep the law's own prior.

    Raises
    ------
    InputError
        If no published set for this response has uncertainties.
    """
    source = next((source for source in law.published_for(response) if source in law.published_sd), None)
    if source is None:
        raise InputError(
            f"law '{law.name}' has no published values with uncertainties for {response}; leave priors out, or pass "
            "priors={name: Prior(...)} of your own"
        )
    joint = _joint_draws(law, source)
    units = {name: 1.0 / reference[name] for name in law.covariates}
    moved = in_ones(law, units, joint)
    return {name: _as_prior(np.asarray(moved[name])) for name in law.published_sd[source]}


def _joint_draws(law: Law, source: str) -> dict[str, np.ndarray]:
    """Draw published parameters: normal on the logs of those that are positive, with the published correlations."""
    values, sd = law.published[source], law.published_sd[source]
    names = list(law.parameters)
    covariance = np.diag([sd.get(name, 0.0) ** 2 for name in names])
    for (first, second), correlation in law.published_correlation.get(source, {}).items():
        row, column = names.index(first), names.index(second)
        covariance[row, column] = covariance[column, row] = correlation * sd[first] * sd[second]
    center = [math.log(values[name]) if values[name] > 0 else values[name] for name in names]
    drawn = np.random.default_rng(0).multivariate_normal(center, covariance, size=DRAWS, method="eigh").T
    return {name: np.exp(draw) if values[name] > 0 else draw for name, draw in zip(names, drawn, strict=True)}


def _as_prior(draws: np.ndarray) -> Prior:
    if (draws > 0).all():
        logs = np.log(draws)
        return Prior("LogNormal", {"mu": float(logs.mean()), "sigma": float(logs.std())})
    return Prior("Normal", {"mu": float(draws.mean()), "sigma": float(draws.std())})

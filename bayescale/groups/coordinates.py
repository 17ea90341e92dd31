"""Where the parameters of each response's law lie, and along which axes, before any is sampled."""

from collections.abc import Mapping

import numpy as np

from bayescale.laws import Law, Prior, Quantity, Share
from bayescale.laws.families import distribution
from bayescale.laws.priors import free_priors, from_normal, parameters_from_free

DEVIATION = {"exponent": 0.1, "coefficient": 0.2}
"""How much the parameters of groups typically differ, on the log: exponents, and coefficients over a response's typical
value."""

TURN = 0.003
"""Scale of what a group's response gains by each e-fold of tokens or compute whatever the law, over its typical value:
it alone can turn a curve round. A typical loss of 3 gains 0.01."""

TURN_DEGREES = 3.0
"""Degrees of freedom of its Student t: most groups have next to nothing, one may have a lot."""

LEVEL = 0.1
"""How far the law of a group at a typical run is from the typical value of its response, on the log."""

PRIOR_SPREAD = 0.5
"""How far a parameter of one group is from its prior's centre, on the log, in the least-squares fit."""

ROUND = 0.01
"""Scale of residuals, on the log, before the first fit."""

STEP = 1e-5


def is_positive(prior: Prior | Share) -> bool:
    """Return whether a prior allows no value below zero, so that groups are pooled on the log."""
    if isinstance(prior, Share):
        return True
    known = distribution(prior.family, prior.parameters)
    return known is not None and bool(known.support()[0] >= 0)


def kind_of(law: Law, name: str) -> str:
    """Return whether a parameter of a law has a unit of the response: ``coefficient``, or ``exponent`` if not."""
    prior = law.priors[name]
    return "coefficient" if isinstance(prior, Share) or prior.relative else "exponent"


def place(law: Law, data: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return where the sampler's coordinates of each group are zero, and what a step along each of them is.

    Parameters
    ----------
    law : Law
        The law.
    data : mapping of str to numpy.ndarray
        ``value`` and ``seen`` (row, group), ``x`` and the columns of the law (row,).

    Returns
    -------
    dict of str to numpy.ndarray
        ``common``: a place of the parameters that groups are drawn to, logs of those that are positive (parameter,).
        ``middle``: where each group is expected if they are there, its turn and the log of its level (group,
        coordinate). ``follow``: how far it moves with them (group, coordinate, parameter). ``axes``: a root of its
        covariance around that (group, coordinate, axis).
    """
    centre = _typical(law)
    fits = [_least_squares(law, data, group, centre) for group in range(data["value"].shape[1])]
    found, covariance = (np.stack(each) for each in zip(*fits, strict=True))
    count = len(law.parameters)
    common = found[:, :count].mean(axis=0)
    follow = covariance[:, :, :count] * _deviations(law)[:count] ** -2.0
    middle = found + np.einsum("gcp,gp->gc", follow, common - found[:, :count])
    return {"common": common, "middle": middle, "follow": follow, "axes": np.linalg.cholesky(covariance)}


def _deviations(law: Law) -> np.ndarray:
    """Return how much each coordinate of a group typically differs from that of all."""
    return np.array([*(DEVIATION[kind_of(law, name)] for name in law.parameters), TURN, LEVEL])


def _typical(law: Law) -> np.ndarray:
    """Return the parameters at the median of every free prior, logs of the positive ones, and no turn or level."""
    medians = {name: float(from_normal(prior, np.zeros(1))[0]) for name, prior in free_priors(law).items()}
    values = parameters_from_free(law, medians, 1.0)
    logs = [np.log(values[name]) if is_positive(law.priors[name]) else values[name] for name in law.parameters]
    return np.array([*logs, 0.0, 0.0], dtype=float)


def _least_squares(
    law: Law, data: Mapping[str, np.ndarray], group: int, centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the fit of one group, and the covariance of its coordinates given the parameters of all groups."""
    from scipy.optimize import least_squares  # noqa: PLC0415  (slow to import)

    rows = data["seen"][:, group] > 0
    columns = {name: data[name][rows] for name in law.covariates}
    x, value = data["x"][rows], data["value"][rows, group]
    pull = np.array([*(PRIOR_SPREAD for _ in law.parameters), TURN, LEVEL])

    def away(found: np.ndarray) -> np.ndarray:
        return np.asarray(value - np.log(_values(law, columns, x, found)))

    def objective(found: np.ndarray, scale: float) -> np.ndarray:
        return np.concatenate([away(found) / scale, (found - centre) / pull])

    found, scale = centre, ROUND
    for _ in range(2):
        found = least_squares(objective, found, args=(scale,), loss="soft_l1", max_nfev=200).x
        scale = max(float(np.sqrt(np.mean(away(found) ** 2))), ROUND / 5)
    steps = STEP * np.eye(found.size)
    slopes = np.stack([(away(found + step) - away(found - step)) / (2 * STEP) for step in steps], axis=1) / scale
    covariance = np.linalg.inv(slopes.T @ slopes + np.diag(_deviations(law) ** -2.0))
    return found, (covariance + covariance.T) / 2


def _values(law: Law, columns: Mapping[str, np.ndarray], x: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return the law of rows, over the response's typical value, at one set of parameters."""
    own = {
        name: np.exp(at) if is_positive(law.priors[name]) else at
        for name, at in zip(law.parameters, found[:-2], strict=True)
    }
    return np.asarray(np.maximum(np.exp(found[-1]) * over_typical(law, columns, own) + found[-2] * x, 1e-6))


def over_typical(law: Law, columns: Mapping[str, Quantity], own: Mapping[str, Quantity]) -> Quantity:
    """Return a law over its own value at a typical run, where all columns are 1.

    Its level is then a parameter of its own, known far better than the parts that it consists of, which would otherwise
    have to move together on a narrow and curved ridge.
    """
    return law.loss(**columns, **own) / law.loss(**dict.fromkeys(columns, 1.0), **own)

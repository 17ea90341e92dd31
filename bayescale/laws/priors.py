"""The free variables of a law's prior, and the parameters they become: what needs no PyMC."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayescale.errors import InputError
from bayescale.laws import EXTRA_DEGREES, NOISE_SCALE, Law, Prior, Quantity, Share
from bayescale.laws.families import FAMILIES, distribution, signature
from bayescale.runs.checkpoints import PATH_SHARE, RUN_SHARE

RUN_SCALE = "sigma_run"
"""The free variable that is the scale of the offsets of training runs."""

LEVEL_SCALE = 0.3
"""Prior s.d. of the log of the law's value at a typical run, relative to the table's typical response."""

WIDEST_SCORE = 8.0
"""Normal scores beyond this are held to it: a probability of 1 has no quantile."""

MOST_STEPS = 100
ARRIVED = 1e-9
"""Newton steps below this, in the log of the level, have arrived; most end far below it."""


def free_priors(law: Law, *, shared: bool = False) -> dict[str, Prior]:
    """Return the prior of each free variable of a law's model, all of them independent scalars.

    Parts of the level are drawn by stick-breaking: each is a Beta share of what those before it left, which together
    is the Dirichlet distribution.

    Parameters
    ----------
    law : Law
        The law.
    shared : bool
        Whether several rows come from one training run and share a part of their noise.

    Returns
    -------
    dict of str to Prior
        One for each degree of freedom, those of the noise last: ``sigma`` and ``nu_above_2``. Where rows share training
        runs, ``sigma`` is the scale within a run, ``sigma_run`` that of the runs' offsets, and ``path_share`` the part
        of the variance within runs that wanders.
    """
    plain = {name: prior for name, prior in law.priors.items() if isinstance(prior, Prior)}
    free = {_free_name(name, prior): prior for name, prior in plain.items()}
    shares = _shares(law)
    if shares:
        free["level"] = Prior("LogNormal", {"mu": 0.0, "sigma": LEVEL_SCALE})
    rest = sum(share.concentration for share in shares.values())
    for name, share in list(shares.items())[:-1]:
        rest -= share.concentration
        free[f"{name}_part"] = Prior("Beta", {"alpha": share.concentration, "beta": rest})
    free["sigma"] = Prior("HalfNormal", {"sigma": NOISE_SCALE})
    free["nu_above_2"] = Prior("Exponential", {"scale": EXTRA_DEGREES})
    if shared:
        free |= {RUN_SCALE: free["sigma"], PATH_SHARE: Prior("Beta", {"alpha": 1.0, "beta": 1.0})}
    return free


def _shares(law: Law) -> dict[str, Share]:
    return {name: prior for name, prior in law.priors.items() if isinstance(prior, Share)}


def _free_name(name: str, prior: Prior) -> str:
    return f"{name}_relative" if prior.relative else name


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
        The law's parameters at reference scale, in units of the response, and those of the noise: ``sigma``, ``nu`` and
        the shares where there are some.
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
    return {**ordered, **_noise(free)}


def _noise(free: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Return scale and degrees of freedom of a single row's noise, and the shares that rows have in common."""
    plain = {"sigma": free["sigma"], "nu": 2.0 + free["nu_above_2"]}
    if RUN_SCALE not in free:
        return plain
    variance = free["sigma"] ** 2 + free[RUN_SCALE] ** 2
    shares = {RUN_SHARE: free[RUN_SCALE] ** 2 / variance, PATH_SHARE: free[PATH_SHARE]}
    return {**plain, "sigma": variance**0.5, **shares}


def free_from_parameters(law: Law, parameters: Mapping[str, np.ndarray], unit: float) -> dict[str, np.ndarray]:
    """Turn parameters back into the model's free variables: the way back of :func:`parameters_from_free`.

    Parameters
    ----------
    law : Law
        The law.
    parameters : mapping of str to numpy.ndarray
        The law's parameters at reference scale, in units of the response, and ``sigma`` and ``nu``.
    unit : float
        The table's typical response.
    """
    free = {
        _free_name(name, prior): parameters[name] / unit if prior.relative else parameters[name]
        for name, prior in law.priors.items()
        if isinstance(prior, Prior)
    }
    shares = _shares(law)
    if shares:
        logs = np.stack([np.log(parameters[name] / unit) for name in shares])
        powers = np.stack([np.ones_like(logs[0]) if s.power is None else parameters[s.power] for s in shares.values()])
        log_level = _log_level(logs, powers)
        parts = np.exp((logs - log_level) / powers)
        left = np.cumsum(parts[::-1], axis=0)[::-1]  # of a part and all behind it
        free["level"] = np.exp(log_level)
        free |= {f"{name}_part": parts[i] / left[i] for i, name in enumerate(list(shares)[:-1])}
    free |= {"sigma": parameters["sigma"], "nu_above_2": parameters["nu"] - 2.0}
    if RUN_SHARE in parameters:
        total, share = parameters["sigma"], parameters[RUN_SHARE]
        free |= {"sigma": total * (1 - share) ** 0.5, RUN_SCALE: total * share**0.5, PATH_SHARE: parameters[PATH_SHARE]}
    return free


def _log_level(logs: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Return the log level at which the parts sum to 1, by Newton steps on a convex function: one if powers agree."""
    level = logs.max(axis=0)
    for _ in range(MOST_STEPS):
        terms = np.exp((logs - level) / powers)
        step = np.log(terms.sum(axis=0)) * terms.sum(axis=0) / (terms / powers).sum(axis=0)
        level = level + step
        if not (np.abs(step) > 1e-14).any():
            break
    if (np.abs(step) > ARRIVED).any():
        raise InputError(
            f"the level whose shares these coefficients are was not found in {MOST_STEPS} steps; expected "
            "coefficients above zero and powers that are not far apart"
        )
    return np.asarray(level)


def from_normal(prior: Prior, scores: np.ndarray) -> np.ndarray:
    """Return the quantiles of a prior at standard normal scores, without PyMC.

    A standard normal draw becomes a draw of the prior, so in scores every prior is the same.

    Parameters
    ----------
    prior : Prior
        Of one of :data:`bayescale.laws.families.FAMILIES`.
    scores : numpy.ndarray
        Standard normal scores, in any shape.

    Raises
    ------
    InputError
        If the family, or one of its arguments, is not known here.
    """
    from scipy.special import betaincinv, ndtr  # noqa: PLC0415  (0.3 s that reading a law does not need)

    scores = np.clip(np.asarray(scores, dtype=float), -WIDEST_SCORE, WIDEST_SCORE)
    match prior.family, dict(prior.parameters):
        case "LogNormal", {"mu": mu, "sigma": sigma, **others} if not others:
            found = np.exp(mu + sigma * scores)
        case "Normal", {"mu": mu, "sigma": sigma, **others} if not others:
            found = mu + sigma * scores
        case "TruncatedNormal", {"mu": mu, "sigma": sigma, **ends} if not set(ends) - {"lower", "upper"}:
            found = _truncated(mu, sigma, ends, ndtr(scores))
        case "HalfNormal", {"sigma": sigma, **others} if not others:
            found = _truncated(0.0, sigma, {"lower": 0.0}, ndtr(scores))
        case "Exponential", {"scale": scale, **others} if not others:
            found = -scale * np.log(ndtr(-scores))
        case "Beta", {"alpha": alpha, "beta": beta, **others} if not others:
            found = betaincinv(alpha, beta, ndtr(scores))
        case _:
            found = _further(prior, ndtr(scores))
    return np.asarray(found)


def log_density(prior: Prior, values: np.ndarray) -> np.ndarray:
    """Return the log density of a prior at values of its variable, without PyMC.

    Parameters
    ----------
    prior : Prior
        Of one of :data:`bayescale.laws.families.FAMILIES`.
    values : numpy.ndarray
        Values inside its support, in any shape.

    Raises
    ------
    InputError
        If the family, or one of its arguments, is not known here.
    """
    values = np.asarray(values, dtype=float)
    match prior.family, dict(prior.parameters):
        case "LogNormal", {"mu": mu, "sigma": sigma, **others} if not others:
            found = _normal_log_density(np.log(values), mu, sigma) - np.log(values)
        case "Normal", {"mu": mu, "sigma": sigma, **others} if not others:
            found = _normal_log_density(values, mu, sigma)
        case "HalfNormal", {"sigma": sigma, **others} if not others:
            found = _normal_log_density(values, 0.0, sigma) + math.log(2)
        case "Exponential", {"scale": scale, **others} if not others:
            found = -values / scale - math.log(scale)
        case "Beta", {"alpha": alpha, "beta": beta, **others} if not others:
            constant = math.lgamma(alpha + beta) - math.lgamma(alpha) - math.lgamma(beta)
            found = (alpha - 1) * np.log(values) + (beta - 1) * np.log1p(-values) + constant
        case _:
            found = np.asarray(_known(prior, "log densities").logpdf(values))
    return np.asarray(found)


def _normal_log_density(values: np.ndarray, mu: float, sigma: float) -> np.ndarray:
    return np.asarray(-0.5 * ((values - mu) / sigma) ** 2 - math.log(sigma) - 0.5 * math.log(2 * math.pi))


def _truncated(mu: float, sigma: float, ends: Mapping[str, float], chance: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr, ndtri  # noqa: PLC0415  (as above)

    low, high = (ndtr((ends.get(name, end) - mu) / sigma) for name, end in (("lower", -np.inf), ("upper", np.inf)))
    return np.asarray(mu + sigma * ndtri(low + chance * (high - low)))


def _further(prior: Prior, chance: np.ndarray) -> np.ndarray:
    """Return the quantiles of a prior that no built-in law has."""
    return np.asarray(_known(prior, "quantiles").ppf(chance))


def _known(prior: Prior, what: str) -> Any:  # noqa: ANN401  (SciPy's)
    """Return what SciPy knows a prior as."""
    known = distribution(prior.family, prior.parameters)
    if known is None:
        raise InputError(
            f"the {what} of the prior {prior} are not known without PyMC; expected "
            f"{', '.join(map(signature, FAMILIES))}"
        )
    return known

"""The distributions that a prior can be: their arguments as PyMC has them, and their quantiles by SciPy alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Argument:
    """An argument of a distribution.

    Attributes
    ----------
    name : str
        PyMC's name.
    positive : bool
        Whether it must be above zero.
    optional : bool
        Whether it may be left out; such an argument is given by name.
    """

    name: str
    positive: bool
    optional: bool


@dataclass(frozen=True)
class Family:
    """A distribution of one number.

    Attributes
    ----------
    forms : tuple of str
        Sets of arguments that say which distribution it is, in PyMC's order: ``"mu sigma+"``, with a plus after what
        must be above zero and a question mark after what may be left out. Positions are those of the first form.
    known_as : callable
        Takes ``scipy.stats`` and the arguments, and returns what has ``ppf``, ``cdf``, ``logpdf`` and ``support``.
    """

    forms: tuple[str, ...]
    known_as: Callable[[Any, Mapping[str, float]], Any]

    def arguments(self) -> list[tuple[Argument, ...]]:
        """Return the arguments of each form."""
        return [tuple(_argument(word) for word in form.split()) for form in self.forms]

    def form_of(self, given: Mapping[str, float]) -> tuple[Argument, ...] | None:
        """Return the form that has exactly these arguments, and those that may be left out; None where none does."""
        for form in self.arguments():
            needed = {each.name for each in form if not each.optional}
            if needed <= set(given) <= {each.name for each in form}:
                return form
        return None


def _argument(word: str) -> Argument:
    return Argument(word.rstrip("+?"), word.endswith("+"), word.endswith("?"))


@dataclass(frozen=True)
class _Half:
    """The size of a symmetric variable around zero."""

    whole: Any

    def ppf(self, chance: np.ndarray) -> np.ndarray:
        return np.asarray(self.whole.ppf((1 + np.asarray(chance)) / 2))

    def cdf(self, value: np.ndarray) -> np.ndarray:
        return np.where(np.asarray(value) > 0, 2 * self.whole.cdf(value) - 1, 0.0)

    def logpdf(self, value: np.ndarray) -> np.ndarray:
        return np.where(np.asarray(value) >= 0, np.log(2.0) + self.whole.logpdf(value), -np.inf)

    def support(self) -> tuple[float, float]:
        return 0.0, np.inf


def _between(p: Mapping[str, float]) -> dict[str, float]:
    """Return the ends of a truncated normal in its own units."""
    low, high = p.get("lower", -np.inf), p.get("upper", np.inf)
    return {"a": (low - p["mu"]) / p["sigma"], "b": (high - p["mu"]) / p["sigma"]}


def _gamma(s: Any, p: Mapping[str, float]) -> Any:  # noqa: ANN401  (SciPy's)
    if "mu" in p:
        return s.gamma((p["mu"] / p["sigma"]) ** 2, scale=p["sigma"] ** 2 / p["mu"])
    return s.gamma(p["alpha"], scale=1 / p["beta"])


def _beta(s: Any, p: Mapping[str, float]) -> Any:  # noqa: ANN401  (SciPy's)
    if "mu" in p:
        count = p["mu"] * (1 - p["mu"]) / p["sigma"] ** 2 - 1
        return s.beta(p["mu"] * count, (1 - p["mu"]) * count)
    return s.beta(p["alpha"], p["beta"])


def _triangular(s: Any, p: Mapping[str, float]) -> Any:  # noqa: ANN401  (SciPy's)
    width = p["upper"] - p["lower"]
    return s.triang((p["c"] - p["lower"]) / width if width else np.nan, loc=p["lower"], scale=width)


FAMILIES: Mapping[str, Family] = {
    "Normal": Family(("mu sigma+",), lambda s, p: s.norm(p["mu"], p["sigma"])),
    "LogNormal": Family(("mu sigma+",), lambda s, p: s.lognorm(p["sigma"], scale=np.exp(p["mu"]))),
    "HalfNormal": Family(("sigma+",), lambda s, p: s.halfnorm(scale=p["sigma"])),
    "TruncatedNormal": Family(
        ("mu sigma+ lower? upper?",), lambda s, p: s.truncnorm(**_between(p), loc=p["mu"], scale=p["sigma"])
    ),
    "Exponential": Family(("lam+", "scale+"), lambda s, p: s.expon(scale=p["scale"] if "scale" in p else 1 / p["lam"])),
    "Beta": Family(("alpha+ beta+", "mu+ sigma+"), _beta),
    "Gamma": Family(("alpha+ beta+", "mu+ sigma+"), _gamma),
    "InverseGamma": Family(("alpha+ beta+",), lambda s, p: s.invgamma(p["alpha"], scale=p["beta"])),
    "Uniform": Family(("lower upper",), lambda s, p: s.uniform(p["lower"], p["upper"] - p["lower"])),
    "Triangular": Family(("lower upper c",), _triangular),
    "StudentT": Family(("nu+ mu sigma+",), lambda s, p: s.t(p["nu"], p["mu"], p["sigma"])),
    "HalfStudentT": Family(("nu+ sigma+",), lambda s, p: _Half(s.t(p["nu"], scale=p["sigma"]))),
    "Cauchy": Family(("alpha beta+",), lambda s, p: s.cauchy(p["alpha"], p["beta"])),
    "HalfCauchy": Family(("beta+",), lambda s, p: s.halfcauchy(scale=p["beta"])),
    "Laplace": Family(("mu b+",), lambda s, p: s.laplace(p["mu"], p["b"])),
    "Logistic": Family(("mu s+",), lambda s, p: s.logistic(p["mu"], p["s"])),
    "Gumbel": Family(("mu beta+",), lambda s, p: s.gumbel_r(p["mu"], p["beta"])),
    "SkewNormal": Family(("alpha mu sigma+",), lambda s, p: s.skewnorm(p["alpha"], p["mu"], p["sigma"])),
    "Weibull": Family(("alpha+ beta+",), lambda s, p: s.weibull_min(p["alpha"], scale=p["beta"])),
    "Pareto": Family(("alpha+ m+",), lambda s, p: s.pareto(p["alpha"], scale=p["m"])),
    "ChiSquared": Family(("nu+",), lambda s, p: s.chi2(p["nu"])),
}
"""The distributions that can be written by hand, by PyMC's names."""


def signature(name: str) -> str:
    """Return how a distribution is written: ``Normal(mu, sigma)``, or in one of two forms."""
    forms = (", ".join(f"{a.name}=..." if a.optional else a.name for a in form) for form in FAMILIES[name].arguments())
    return " or ".join(f"{name}({form})" for form in forms)


def distribution(name: str, arguments: Mapping[str, float]) -> Any | None:  # noqa: ANN401  (SciPy's)
    """Return what SciPy knows a distribution as; None where it is not in :data:`FAMILIES` or has other arguments."""
    from scipy import stats  # noqa: PLC0415  (0.5 s that reading a law does not need)

    family = FAMILIES.get(name)
    if family is None or family.form_of(arguments) is None:
        return None
    return family.known_as(stats, arguments)

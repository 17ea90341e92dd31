"""The log density of a law's model as a graph: the priors on the sampler's own scale, and Student t noise.

The model is that of :func:`bayescale.fits.model.build_model`, which defines it; a test compares the two, law by law.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bayescale.fits.kernel.code import NoMachineCode, computed
from bayescale.fits.kernel.graph import Graph, Node, gradient
from bayescale.laws import EXTRA_DEGREES, SMALLEST_VALUE, Law, Prior
from bayescale.laws.priors import free_priors, parameters_from_free

LOG_ROOT_TAU = math.log(2 * math.pi) / 2
NOISE_SCORE = "nu_above_2"


@dataclass(frozen=True)
class Scale:
    """A free variable on the scale of the sampler, where it is any number.

    Attributes
    ----------
    value : Node
        The free variable itself.
    density : Node
        Log density of its prior there.
    middle : float
        The sampler's variable where the prior has its middle.
    """

    value: Node
    density: Node
    middle: float


@dataclass(frozen=True)
class Density:
    """A law's log density and its gradient, as functions of free variables on the scale of the sampler.

    Attributes
    ----------
    names : tuple of str
        The free variables, in their order.
    variables : tuple of Node
        The same on the scale of the sampler.
    scales : tuple of Scale
        What they are themselves.
    value : Node
        The log density.
    slopes : tuple of Node
        Its derivative by each variable.
    """

    names: tuple[str, ...]
    variables: tuple[Node, ...]
    scales: tuple[Scale, ...]
    value: Node
    slopes: tuple[Node, ...]

    @property
    def middle(self) -> tuple[float, ...]:
        """The middle of the prior on the scale of the sampler."""
        return tuple(each.middle for each in self.scales)

    def free(self, points: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the free variables at points on the scale of the sampler."""
        return {name: computed(each.value, points) for name, each in zip(self.names, self.scales, strict=True)}


def density_of(law: Law) -> Density:
    """Write down the log density of a law's model and its gradient.

    Raises
    ------
    NoMachineCode
        If a prior is of a family that is not known here, or the formula does what cannot be written down.
    """
    graph, priors = Graph(), free_priors(law)
    variables = {name: graph.input("free", name) for name in priors}
    scales = {name: _scale(name, priors[name], each) for name, each in variables.items()}
    unit = graph.input("data", "loss_unit")
    values = parameters_from_free(law, {name: each.value for name, each in scales.items()}, unit)
    columns = {name: graph.input("column", f"{name}_data") for name in law.covariates}
    try:
        found = graph.number(law.loss(**columns, **{name: values[name] for name in law.parameters}))
    except (TypeError, ValueError, AttributeError, OverflowError, ZeroDivisionError) as error:
        raise NoMachineCode(f"the formula of law '{law.name}' cannot be written down: {error}") from error
    log_value = graph.do("log", graph.do("max", found, unit * SMALLEST_VALUE))
    total = _noise(graph, graph.input("column", "log_response_data") - log_value, values["sigma"], values["nu"])
    for each in scales.values():
        total = total + each.density
    order = tuple(variables.values())
    return Density(tuple(priors), order, tuple(scales.values()), total, tuple(gradient(total, order)))


def _noise(graph: Graph, residual: Node, sigma: Node, nu: Node) -> Node:
    """Return the log density of all rows under a Student t."""
    rows, score = graph.input("data", "rows"), residual / sigma
    constant = graph.do("lgamma", (nu + 1) * 0.5) - graph.do("lgamma", nu * 0.5) - 0.5 * graph.do("log", nu * math.pi)
    distance = graph.total(graph.do("log1p", score * score / nu))
    return rows * (constant - graph.do("log", sigma)) - (nu + 1) * 0.5 * distance


def _scale(name: str, prior: Prior, x: Node) -> Scale:
    """Return a free variable of a prior, and its density, as functions of the sampler's variable."""
    family = FAMILIES.get(prior.family)
    if name == NOISE_SCORE:
        return _score(x, EXTRA_DEGREES)
    try:
        found = None if family is None else family(x, **prior.parameters)
    except TypeError:  # other arguments than those known here
        found = None
    if found is None:
        raise NoMachineCode(f"the prior {prior} is not known here")
    return found


def _score(x: Node, scale: float) -> Scale:
    """Return an exponential variable as its normal score."""
    value = -scale * x.graph.do("log", x.graph.do("erfc", x * math.sqrt(0.5)) * 0.5)
    return Scale(value, -0.5 * x * x - LOG_ROOT_TAU, 0.0)


def _normal_density(x: Node, mu: float, sigma: float) -> Node:
    score = (x - mu) * (1 / sigma)
    return -0.5 * score * score - (LOG_ROOT_TAU + math.log(sigma))


def _normal(x: Node, *, mu: float, sigma: float) -> Scale:
    return Scale(x, _normal_density(x, mu, sigma), mu)


def _log_normal(x: Node, *, mu: float, sigma: float) -> Scale:
    return Scale(x.graph.do("exp", x), _normal_density(x, mu, sigma), mu)


def _half_normal(x: Node, *, sigma: float) -> Scale:
    value = x.graph.do("exp", x)
    return Scale(value, _normal_density(value, 0.0, sigma) + x + math.log(2), math.log(sigma))


def _exponential(x: Node, *, scale: float | None = None, lam: float = 1.0) -> Scale:
    mean = 1 / lam if scale is None else scale
    value = x.graph.do("exp", x)
    return Scale(value, -1 / mean * value + x - math.log(mean), math.log(mean))


def _gamma(x: Node, *, alpha: float, beta: float) -> Scale:
    value = x.graph.do("exp", x)
    constant = alpha * math.log(beta) - math.lgamma(alpha)
    return Scale(value, alpha * x - beta * value + constant, math.log(alpha / beta))


def _softplus(x: Node) -> Node:
    return x.graph.do("max", x, 0.0) + x.graph.do("log1p", x.graph.do("exp", -abs(x)))


def _inside(x: Node, lower: float, upper: float) -> tuple[Node, Node, Node]:
    """Return a variable between two ends, and the logs of the parts of the way below and above it."""
    below, above = -_softplus(-x), -_softplus(x)
    return lower + (upper - lower) * x.graph.do("exp", below), below, above


def _beta(x: Node, *, alpha: float, beta: float) -> Scale:
    value, below, above = _inside(x, 0.0, 1.0)
    constant = math.lgamma(alpha + beta) - math.lgamma(alpha) - math.lgamma(beta)
    return Scale(value, alpha * below + beta * above + constant, math.log(alpha / beta))


def _uniform(x: Node, *, lower: float, upper: float) -> Scale:
    value, below, above = _inside(x, lower, upper)
    return Scale(value, below + above, 0.0)


def _truncated(x: Node, *, mu: float, sigma: float, lower: float = -math.inf, upper: float = math.inf) -> Scale:
    if math.isinf(lower) and math.isinf(upper):
        return _normal(x, mu=mu, sigma=sigma)
    mass = 0.5 * (math.erfc((lower - mu) / sigma / math.sqrt(2)) - math.erfc((upper - mu) / sigma / math.sqrt(2)))
    if math.isinf(upper):
        value, slope, middle = lower + x.graph.do("exp", x), x, math.log(max(mu - lower, sigma / 2))
    elif math.isinf(lower):
        value, slope, middle = upper - x.graph.do("exp", x), x, math.log(max(upper - mu, sigma / 2))
    else:
        value, below, above = _inside(x, lower, upper)
        part = (min(max(mu, lower + sigma / 2), upper - sigma / 2) - lower) / (upper - lower)
        slope, middle = below + above + math.log(upper - lower), math.log(part / (1 - part)) if 0 < part < 1 else 0.0
    return Scale(value, _normal_density(value, mu, sigma) + slope - math.log(mass), middle)


FAMILIES: Mapping[str, Callable[..., Scale]] = {
    "Normal": _normal,
    "LogNormal": _log_normal,
    "HalfNormal": _half_normal,
    "Exponential": _exponential,
    "Gamma": _gamma,
    "Beta": _beta,
    "Uniform": _uniform,
    "TruncatedNormal": _truncated,
}
"""The families of priors that are known here, by PyMC's names; a law with another is left to PyMC."""

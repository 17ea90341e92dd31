"""Law, Prior, Share and Example: what a scaling law is."""

import functools
import inspect
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from bayescale.errors import InputError
from bayescale.laws.costs import DENSE, Cost
from bayescale.values import FrozenMapping, Value

type Quantity = Any
"""A float, a NumPy or xarray array, or a PyTensor variable: whatever a formula is called with."""

SMALLEST_VALUE = 1e-6
"""Below this part of the typical response a law's value counts as this: a straight line in ln C falls
through zero, and a logarithm of nothing would stop the sampler."""


NOISE_SCALE = 0.05
"""Scale of the half-normal prior of sigma, on log response: 0.02 is seed noise, the rest is room for a
law that is not quite right (the noise then measures it, and the comparison sees it)."""

EXTRA_DEGREES = 10.0
"""Prior mean of nu - 2: from heavy tails (nu near 2, variance still finite) to nearly normal."""

NOISE_PRIORS = {
    "sigma": f"HalfNormal({NOISE_SCALE:g})",
    "nu": f"2 + Exponential(mean {EXTRA_DEGREES:g})",
    "run_share": f"that of two HalfNormal({NOISE_SCALE:g}) scales",
    "path_share": "Beta(1, 1)",
}
"""The same in words, for reports; the shares are there where several rows come from one training run."""


@dataclass(frozen=True)
class Prior:
    """Prior of one parameter at reference scale (see :class:`Law`).

    Attributes
    ----------
    family : str
        Name of a PyMC distribution, such as ``"LogNormal"``.
    parameters : mapping of str to float
        Its arguments, by PyMC's names.
    relative : bool
        Whether the parameter is a multiple of the table's typical loss, so that the same prior serves
        nats, bits and any tokenizer.
    """

    family: str
    parameters: Mapping[str, float]
    relative: bool = False

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={_written(value)}" for name, value in self.parameters.items())
        return f"{self.family}({arguments})" + (" x typical loss" if self.relative else "")


def _written(value: float) -> str:
    """Return a number as somebody wrote it, and one that was computed with four digits."""
    whole = f"{value:.6g}"
    return whole if float(whole) == value else f"{value:.4g}"


@dataclass(frozen=True)
class Share:
    """Prior of a coefficient as a part of the law's value at a typical run.

    All parameters of a law with a ``Share`` are drawn together: a level (the loss at the geometric
    centre of the table) times parts from a Dirichlet distribution with these concentrations. The parts
    stay positive without a boundary and the ridge between them is gone.

    Attributes
    ----------
    concentration : float
        Dirichlet concentration; the expected part is this over the sum of all.
    power : str or None
        Name of the parameter that the part is raised to, for laws that add inside a power.
    """

    concentration: float
    power: str | None = None

    def __str__(self) -> str:
        power = f"**{self.power}" if self.power else ""
        return f"typical loss x Dirichlet part({self.concentration:g}){power}"


@dataclass(frozen=True)
class Example:
    """A value that a law must give: a test of its formula and units.

    Attributes
    ----------
    source : str
        The set of published values to use, or "" to use ``parameters``.
    at : mapping of str to float
        Covariates, in counts.
    value : float
        The law there, in the unit of the published response.
    tolerance : float
        Half a unit of the last digit that is known.
    parameters : mapping of str to float
        Parameters at published scale where no published set fits, such as made-up ones for code alone.
    """

    source: str
    at: Mapping[str, float]
    value: float
    tolerance: float = 5e-7
    parameters: Mapping[str, float] = field(default_factory=FrozenMapping)


@dataclass(frozen=True, eq=False, repr=False)
class Law(Value):
    """A scaling law.

    The signature of ``loss`` is the specification: positional parameters are columns of the run table,
    keyword-only ones are inferred. The formula uses arithmetic and one-argument NumPy functions only, so
    the same line runs on floats, arrays, PyTensor variables and posteriors.

    The model calls the formula in *reference units*: each covariate divided by its geometric mean over the
    table, or by what ``units`` says. A coefficient is then the loss its term adds at a typical run. ``scales`` (and
    ``rescale`` where powers of columns are not enough) carry coefficients to ``N = D = C = 1``, the scale of published
    values.

    Attributes
    ----------
    name : str
        Name used in code, on the command line and in reports.
    loss : callable
        The formula.
    priors : mapping of str to Prior or Share
        One for each inferred parameter, at reference scale.
    formula : str
        The formula in plain text.
    reference : str
        Where it comes from.
    published : mapping of str to mapping
        Published values of all parameters at published scale, by source.
    published_response : str
        The response that the published values are for; beside another they would mislead.
    scales : mapping of str to mapping
        Parameters that change with the unit of a column, and the columns' exponents: ``{"A": {"N": "alpha"}}`` says
        that A at published scale is A at reference scale times ``N0**alpha``, with N0 the reference value of N. An
        exponent is the name of a parameter, such a name after a minus sign, or a number.
    rescale : callable or None
        For parameters that change in another way: takes the reference values of the covariates and the parameters
        at reference scale, like ``loss`` but all by name, and returns those parameters at published scale.
    meanings : mapping of str to tuple of str
        What each parameter is, and its unit at published scale: ``{"A": ("what the term of size adds at N = 1",
        "R N^alpha")}``, where R is the unit of the response and ``"none"`` that of a pure number.
    derived : callable or None
        Takes the parameters at published scale and returns further quantities under the paper's names.
    responses : tuple of str
        Response columns the law can describe.
    units : mapping of str to str or float
        Covariates beside N, D and C with another reference value than their own geometric mean: that of another
        column (unique tokens count in the unit of D), or a fixed number (a granularity of 1 stays 1). Such a column
        may hold zeros.
    decreasing : tuple of str
        Covariates in which the law never rises (for a response where higher is better: never falls), whatever
        the parameters that the prior allows.
    floor : str or None
        Parameter that the law tends to when all of ``decreasing`` grow without limit; None: no statement.
    published_sd : mapping of str to mapping
        Published standard errors, by source, of the natural logs of the parameters that the prior keeps positive
        and of the others as they are; what ``priors="published"`` needs.
    published_correlation : mapping of str to mapping
        Published correlations of two parameters, ``{source: {("A", "alpha"): 0.9993}}``, of the same quantities.
    examples : tuple of Example
        Values the law must give.
    cost : Cost
        FLOP of a run that the law describes; by default 6 per parameter and token.
    unverified : str
        What of the formula or the published values was not read in the paper itself; empty when all was.
    replaced : mapping of str to Prior or Share
        The law's own priors of the parameters that were given others by hand; empty for a law as it is.

    Raises
    ------
    InputError
        If ``priors``, a set of published values, ``scales``, ``meanings``, ``units``, ``decreasing`` or an example
        names something that the formula does not have.
    """

    name: str
    loss: Callable[..., Quantity]
    priors: Mapping[str, Prior | Share]
    formula: str = ""
    reference: str = ""
    published: Mapping[str, Mapping[str, float]] = field(default_factory=FrozenMapping)
    published_response: str = "loss"
    scales: Mapping[str, Mapping[str, str | float]] = field(default_factory=FrozenMapping)
    rescale: Callable[..., Mapping[str, Quantity]] | None = None
    meanings: Mapping[str, tuple[str, str]] = field(default_factory=FrozenMapping)
    derived: Callable[..., Mapping[str, Quantity]] | None = None
    responses: tuple[str, ...] = ("loss", "bpc", "error")
    units: Mapping[str, str | float] = field(default_factory=FrozenMapping)
    decreasing: tuple[str, ...] = ()
    floor: str | None = None
    published_sd: Mapping[str, Mapping[str, float]] = field(default_factory=FrozenMapping)
    published_correlation: Mapping[str, Mapping[tuple[str, str], float]] = field(default_factory=FrozenMapping)
    examples: tuple[Example, ...] = ()
    cost: Cost = DENSE
    unverified: str = ""
    replaced: Mapping[str, Prior | Share] = field(default_factory=FrozenMapping)

    def __post_init__(self) -> None:
        """Check that every part of the law speaks of the same parameters."""
        if not self.covariates or not self.parameters:
            raise InputError(
                f"law '{self.name}': the formula needs positional parameters (columns of the table) and "
                f"keyword-only ones (inferred), found {inspect.signature(self.loss)}"
            )
        sets = {"priors": self.priors} | {f"published values of '{k}'": v for k, v in self.published.items()}
        for what, values in sets.items():
            self._check_names(what, set(values))
        further = tuple(name for name in self.covariates if name not in ("N", "D", "C"))
        self._check_declared("units", set(self.units), further)  # those three always have their typical run's
        self._check_declared("decreasing", set(self.decreasing), self.covariates)
        self._check_declared("floor", {self.floor} - {None}, self.parameters)
        for source in {*self.published_sd, *self.published_correlation, *(e.source for e in self.examples)} - {""}:
            self._check_declared("published values", {source}, tuple(self.published))
        for example in self.examples:
            self._check_declared("an example", set(example.at), self.covariates)
        self._check_scales()
        self._check_declared("meanings", set(self.meanings), self.parameters)
        for name, prior in self.priors.items():
            if isinstance(prior, Share) and prior.power is not None and prior.power not in self.parameters:
                raise InputError(f"law '{self.name}': the share of {name} is raised to unknown {prior.power}")

    def _lines(self) -> list[str]:
        inputs, outputs = ", ".join(self.covariates), " or ".join(self.responses)
        return [f"Law {self.name} of {inputs} for {outputs}: {self.formula}", self.reference]

    def _check_scales(self) -> None:
        self._check_declared("scales", set(self.scales), self.parameters)
        for name, powers in self.scales.items():
            if not isinstance(powers, Mapping):
                raise InputError(
                    f"law '{self.name}': the scale of {name} must be columns and their exponents, such as "
                    f"{{'{self.covariates[0]}': '{self.parameters[-1]}'}}; found {powers!r}"
                )
            self._check_declared(f"the columns in the scale of {name}", set(powers), self.covariates)
            exponents = {power.removeprefix("-") for power in powers.values() if isinstance(power, str)}
            self._check_declared(f"the exponents in the scale of {name}", exponents, self.parameters)

    def _check_declared(self, what: str, names: Set[str | None], known: tuple[str, ...]) -> None:
        unknown = sorted(str(name) for name in names if name not in known)
        if unknown:
            raise InputError(
                f"law '{self.name}': {what} must be among {', '.join(known) or 'none'}; found {', '.join(unknown)}"
            )

    def _check_names(self, what: str, names: set[str]) -> None:
        expected = set(self.parameters)
        if names != expected:
            raise InputError(
                f"law '{self.name}': {what} must name exactly the inferred parameters {sorted(expected)}; "
                f"missing {sorted(expected - names)}, unknown {sorted(names - expected)}"
            )

    def published_for(self, response: str) -> Mapping[str, Mapping[str, float]]:
        """Return the published values where they are for this response, else none."""
        return self.published if response == self.published_response else {}

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns of the run table that the formula uses."""
        return self._names(inspect.Parameter.POSITIONAL_OR_KEYWORD)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Inferred parameters."""
        return self._names(inspect.Parameter.KEYWORD_ONLY)

    @property
    def splits_compute(self) -> bool:
        """Whether the law is one of N and D and of nothing beside compute, so that a budget can be split by it."""
        return {"N", "D"} <= set(self.covariates) <= {"N", "D", "C"}

    def _names(self, kind: object) -> tuple[str, ...]:
        return _argument_names(self.loss, kind)


@functools.cache
def _argument_names(formula: Callable[..., Quantity], kind: object) -> tuple[str, ...]:
    """Return the names of a formula's arguments of one kind; asked for in every step of a search."""
    return tuple(p.name for p in inspect.signature(formula).parameters.values() if p.kind is kind)

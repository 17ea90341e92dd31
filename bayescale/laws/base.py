"""Law, Prior and Share: what a scaling law is."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from bayescale.errors import InputError

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

NOISE_PRIORS = {"sigma": f"HalfNormal({NOISE_SCALE:g})", "nu": f"2 + Exponential(mean {EXTRA_DEGREES:g})"}
"""The same in words, for reports."""


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
        arguments = ", ".join(f"{name}={value:.4g}" for name, value in self.parameters.items())
        return f"{self.family}({arguments})" + (" x typical loss" if self.relative else "")


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
class Law:
    """A scaling law.

    The signature of ``loss`` is the specification: positional parameters are columns of the run table,
    keyword-only ones are inferred. The formula uses arithmetic and one-argument NumPy functions only, so
    the same line runs on floats, arrays, PyTensor variables and posteriors.

    The model calls the formula in *reference units*: each covariate divided by its geometric mean over the
    table. A coefficient is then the loss its term adds at a typical run. ``rescale`` carries coefficients
    to ``N = D = C = 1``, the scale of published values.

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
    rescale : callable or None
        Takes the reference values of the covariates and the parameters at reference scale, like ``loss``,
        and returns the parameters that change on the way to published scale. None: no parameter changes.
    derived : callable or None
        Takes the parameters at published scale and returns further quantities under the paper's names.
    responses : tuple of str
        Response columns the law can describe.

    Raises
    ------
    InputError
        If ``priors`` or a set of published values does not name exactly the inferred parameters.
    """

    name: str
    loss: Callable[..., Quantity]
    priors: Mapping[str, Prior | Share]
    formula: str = ""
    reference: str = ""
    published: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}))
    published_response: str = "loss"
    rescale: Callable[..., Mapping[str, Quantity]] | None = None
    derived: Callable[..., Mapping[str, Quantity]] | None = None
    responses: tuple[str, ...] = ("loss", "bpc")

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
        for name, prior in self.priors.items():
            if isinstance(prior, Share) and prior.power is not None and prior.power not in self.parameters:
                raise InputError(f"law '{self.name}': the share of {name} is raised to unknown {prior.power}")

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

    def _names(self, kind: object) -> tuple[str, ...]:
        return tuple(p.name for p in inspect.signature(self.loss).parameters.values() if p.kind is kind)


def published_scale(
    law: Law, reference: Mapping[str, float], parameters: Mapping[str, Quantity]
) -> dict[str, Quantity]:
    """Carry parameters from reference scale to the scale of published values.

    Parameters
    ----------
    law : Law
        The law.
    reference : mapping of str to float
        Reference value of each covariate: its geometric mean over the table.
    parameters : mapping of str to number or array
        Inferred parameters at reference scale.

    Returns
    -------
    dict
        All inferred parameters at ``N = D = C = 1``, then the derived quantities of the paper.
    """
    units = {name: reference[name] for name in law.covariates}
    inferred = {name: parameters[name] for name in law.parameters}
    changed = law.rescale(**units, **inferred) if law.rescale else {}
    values = {**inferred, **changed}
    return {**values, **(law.derived(**values) if law.derived else {})}


def law_record(law: Law) -> dict[str, Any]:
    """Return what makes two laws the same, as plain data: name, source of the formula, priors."""
    return {"name": law.name, "formula": law.formula, "source": _source(law.loss), "priors": priors_record(law)}


def _source(formula: Callable[..., Quantity]) -> str:
    closure = [repr(cell.cell_contents) for cell in formula.__closure__ or ()]
    try:
        text = inspect.getsource(formula)
    except (OSError, TypeError):
        code = formula.__code__
        text = repr((code.co_code, code.co_consts, code.co_names))
    return "\n".join([text, *closure])


def priors_record(law: Law) -> dict[str, dict[str, Any]]:
    """Return the priors as plain data, in the order of the parameters."""
    return {name: asdict(law.priors[name]) for name in law.parameters}


def priors_from_record(record: Mapping[str, Mapping[str, Any]]) -> dict[str, Prior | Share]:
    """Return the priors that :func:`priors_record` wrote."""
    return {name: Share(**entry) if "concentration" in entry else Prior(**entry) for name, entry in record.items()}

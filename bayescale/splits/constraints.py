"""Constraints: what limits the choice of a run beside its compute."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.fit import Fit, published_draws
from bayescale.runs.numerals import UnreadableNumberError, read_count
from bayescale.values import FrozenMapping, Value
from bayescale.words import typed

OPTIONS = 64
"""More combinations of covariates than this are more than anyone reads."""

type Count = float | str
"""A count, or text as on the command line: ``"10T"``."""

type Covariate = float | Sequence[float]


@dataclass(frozen=True, eq=False, repr=False)
class Constraints(Value):
    """What limits the choice of a run beside its compute. Each field is optional; together they bound N and D.

    Counts may be text as on the command line, such as ``"10T"`` tokens or ``"8B"`` parameters.

    Attributes
    ----------
    inference_tokens : float
        Tokens that the model will read or write over its life. A budget then pays for training and serving,
        ``6 N D + 2 N inference_tokens`` where neither the table nor the law counts otherwise.
    unique_tokens : float or None
        Distinct tokens that there are. A law that has a column ``unique_tokens`` knows what repeats are worth; with
        another law D ends there, unless ``repetition`` is given.
    repetition : float, numpy.ndarray, Fit or None
        R_D of the law ``data_constrained``, by which repeats of unique tokens are worth less: a number, draws
        (any,), or a fit of that law. None: no token is used twice by a law that does not know what that is worth.
    max_params, min_params : float or None
        Largest and smallest N, such as what fits a memory.
    min_tokens, max_tokens : float or None
        Fewest and most training tokens, repeats counted.
    sizes : tuple of float
        The only N allowed; empty: any.
    covariates : mapping of str to float or sequence of float
        Further columns of the law: a number fixes one, several let the allocation choose among them.

    Raises
    ------
    InputError
        If a value cannot be used, or two contradict each other.
    """

    inference_tokens: float = 0.0
    unique_tokens: float | None = None
    repetition: float | np.ndarray | Fit | None = None
    max_params: float | None = None
    min_params: float | None = None
    min_tokens: float | None = None
    max_tokens: float | None = None
    sizes: tuple[float, ...] = ()
    covariates: Mapping[str, Covariate] = field(default_factory=FrozenMapping)

    if TYPE_CHECKING:  # what may be given is wider than what is held

        def __init__(
            self,
            *,
            inference_tokens: Count = 0.0,
            unique_tokens: Count | None = None,
            repetition: float | np.ndarray | Fit | None = None,
            max_params: Count | None = None,
            min_params: Count | None = None,
            min_tokens: Count | None = None,
            max_tokens: Count | None = None,
            sizes: Sequence[Count] = (),
            covariates: Mapping[str, Covariate] = FrozenMapping(),
        ) -> None:
            """Take counts as numbers or as text."""

    def __post_init__(self) -> None:
        """Read what is text, and check each value alone, then together."""
        for name in ("inference_tokens", *COUNTS):
            object.__setattr__(self, name, _read(name, getattr(self, name)))
        object.__setattr__(self, "sizes", _read_all("sizes", self.sizes))
        if not (_is_number(self.inference_tokens) and 0 <= self.inference_tokens < math.inf):
            raise InputError(
                f"inference_tokens is {self.inference_tokens!r}; expected tokens to serve, zero or more, such as 1e12"
            )
        for name, unit in COUNTS.items():
            value = getattr(self, name)
            if value is not None:
                checks.above_zero(name, value, unit, EXAMPLES[unit])
        self._check_order("params")
        self._check_order("tokens")
        object.__setattr__(self, "sizes", self._checked_sizes())
        object.__setattr__(self, "covariates", self._checked_covariates())
        self._check_data()

    def _check_order(self, what: str) -> None:
        least, most = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
        if least is not None and most is not None and least > most:
            raise InputError(
                f"min_{what} is {typed(least, 6)} and max_{what} {typed(most, 6)}: they leave no choice; raise the "
                "second"
            )

    def _checked_sizes(self) -> tuple[float, ...]:
        try:
            sizes = tuple(sorted(float(size) for size in self.sizes))
        except (TypeError, ValueError) as error:
            raise InputError(f"sizes is {self.sizes!r}; expected numbers of parameters, such as (1e9, 7e9)") from error
        if not all(0 < size < math.inf for size in sizes) or len(set(sizes)) < len(sizes):
            raise InputError(f"sizes is {self.sizes!r}; expected different numbers of parameters, each above zero")
        low, high = self.min_params or 0.0, self.max_params or math.inf
        outside = [typed(size, 6) for size in sizes if not low <= size <= high]
        if outside:
            raise InputError(
                f"sizes {', '.join(outside)} lie outside min_params {typed(low, 6)} to max_params {typed(high, 6)}; "
                "leave them out, or move the limit"
            )
        return sizes

    def _checked_covariates(self) -> Mapping[str, Covariate]:
        wrong = {"N", "D", "C", "active_N"} & set(self.covariates)
        if wrong:
            raise InputError(
                f"covariates names {', '.join(sorted(wrong))}, which the allocation chooses; limit them by min_params, "
                "max_params, min_tokens, max_tokens or sizes"
            )
        checked = {name: _offered(name, value) for name, value in self.covariates.items()}
        if math.prod(np.size(values) for values in checked.values()) > OPTIONS:
            raise InputError(f"covariates offers more than {OPTIONS} combinations; offer fewer values")
        return FrozenMapping(checked)

    def _check_data(self) -> None:
        if self.unique_tokens is not None and "unique_tokens" in self.covariates:
            raise InputError("unique_tokens is given twice, as a limit and among the covariates; leave out the second")
        if self.repetition is None:
            return
        if self.unique_tokens is None:
            raise InputError("repetition is what repeats of unique tokens are worth; give unique_tokens as well")
        object.__setattr__(self, "repetition", _scale(self.repetition))

    @property
    def options(self) -> Iterator[dict[str, float]]:
        """Each combination of the covariates that are offered."""
        values = [np.atleast_1d(np.asarray(value, dtype=float)).tolist() for value in self.covariates.values()]
        yield from (dict(zip(self.covariates, each, strict=True)) for each in product(*values))

    @property
    def offered(self) -> tuple[str, ...]:
        """The covariates that are chosen, not fixed."""
        return tuple(name for name, value in self.covariates.items() if np.ndim(value))

    @property
    def typical_repetition(self) -> float:
        """Median of R_D, where it is given."""
        return float(np.median(np.asarray(self.repetition, dtype=float)))

    def record(self) -> dict[str, Any]:
        """Return what is asked for as plain data; draws of R_D as their median."""
        given = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        if self.repetition is not None:
            given["repetition"] = self.typical_repetition
        given["sizes"], given["covariates"] = list(self.sizes), dict(self.covariates)
        return {name: value for name, value in given.items() if value not in (None, 0.0, [], {})}


COUNTS = {
    "unique_tokens": "tokens",
    "max_params": "parameters",
    "min_params": "parameters",
    "min_tokens": "tokens",
    "max_tokens": "tokens",
}
EXAMPLES = {"tokens": "15e12", "parameters": "8e9"}


def _read(name: str, value: Any) -> Any:  # noqa: ANN401  (whatever a user may give)
    """Read a count that is text as the command line does; leave any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return read_count(value)
    except UnreadableNumberError as error:
        raise InputError(f"{name} is {value!r}: {error}") from None


def _read_all(name: str, values: Any) -> Any:  # noqa: ANN401  (whatever a user may give)
    return tuple(_read(name, value) for value in values) if isinstance(values, list | tuple) else values


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _offered(name: str, value: Covariate) -> Covariate:
    """Return a covariate as a number or a list; zero is allowed, for an empty datastore is one."""
    try:
        values = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"covariate {name} is {value!r}; expected a number, or several to choose from") from error
    flat = np.atleast_1d(values)
    usable = values.ndim <= 1 and flat.size > 0 and (np.isfinite(flat) & (flat >= 0)).all()
    if not usable or len(np.unique(flat)) < flat.size:
        raise InputError(f"covariate {name} is {value!r}; expected a number of zero or more, or different ones")
    return float(values) if values.ndim == 0 else [float(each) for each in flat]


def _scale(repetition: float | np.ndarray | Fit) -> float | np.ndarray:
    """Return R_D as a number or draws (draw,)."""
    if isinstance(repetition, Fit):
        if "R_D" not in repetition.law.parameters:
            raise InputError(
                f"repetition is a fit of law '{repetition.law.name}', which has no R_D; give one of data_constrained"
            )
        return np.asarray(published_draws(repetition)["R_D"])
    try:
        draws = np.asarray(repetition, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"repetition is {repetition!r}; expected R_D, such as 15.4, its draws or a fit") from error
    if draws.ndim > 1 or not draws.size or not (np.isfinite(draws) & (draws > 0)).all():
        raise InputError(f"repetition is {repetition!r}; expected R_D above zero, such as 15.4, its draws or a fit")
    return float(draws) if draws.ndim == 0 else draws


UNLIMITED = Constraints()
"""No constraint: all of the budget goes into training."""

"""check_law: whether a law is what it says it is, before it is trusted with data."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayescale import checks
from bayescale.laws import Law, published_scale, real_range, reference_units, unit_columns
from bayescale.values import Value
from bayescale.words import typed

POINTS = 40
DRAWS = 200
UNIT = 3.0
"""Typical response of the made-up table."""

DECADES = 1.5
"""How far the points reach from the typical run, each way."""

TYPICAL_BAND = (0.2, 5.0)
"""Where the central 90% of the prior's values at a typical run may lie, over the typical response."""

LEAST_POSITIVE = 0.95
LIMIT = 1e150
"""A covariate that has grown without limit."""


@dataclass(frozen=True, eq=False, repr=False)
class LawCheck(Value):
    """What was tried on a law, and what is wrong with it.

    Attributes
    ----------
    law : Law
        The law.
    checks : tuple of str
        What was checked.
    problems : tuple of str
        A sentence for each problem: what was expected, what was found, and what to do.
    """

    law: Law
    checks: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        """Return the account as text."""
        count = len(self.problems)
        verdict = "nothing is wrong" if self.passed else f"{count} problem{'s' if count > 1 else ''}"
        lines = [f"law '{self.law.name}', checked for {', '.join(self.checks)}: {verdict}"]
        return "\n".join([*lines, *(f"- {problem}" for problem in self.problems)])


@dataclass(frozen=True)
class _Case:
    """A law at random points of a made-up table, under draws of its prior."""

    law: Law
    reference: Mapping[str, float]
    counts: Mapping[str, np.ndarray]  # (point,)
    draws: Mapping[str, np.ndarray]  # at reference scale (draw,)

    def values(self, counts: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        """Return the law at reference scale (draw, point)."""
        counts = self.counts if counts is None else counts
        scaled = {name: counts[name] / self.reference[name] for name in self.law.covariates}
        columns = {name: self.draws[name][:, None] for name in self.law.parameters}
        with np.errstate(all="ignore"):
            return np.asarray(self.law.loss(**scaled, **columns)) + np.zeros((DRAWS, POINTS))


@checks.kinds
def check_law(law: Law, *, random_seed: int = 0) -> LawCheck:
    """Check a law: its formula in every array library, its units, its priors, its claims and its published values.

    Parameters
    ----------
    law : Law
        A law of your own, or a built-in one.
    random_seed : int
        Seed of the points and of the draws from the prior.

    Returns
    -------
    LawCheck
        ``print(check_law(law))`` is an account to read; ``check_law(law).passed`` is for tests.

    Raises
    ------
    InputError
        If PyMC cannot make a prior.
    """
    case = _made_up_case(law, random_seed)
    try:
        case.values()
    except Exception as error:
        return LawCheck(law, ("NumPy arrays",), (_failure("NumPy arrays", error),))
    problems = [problem for check in CHECKS.values() for problem in check(case)]
    return LawCheck(law, tuple(CHECKS), tuple(problems))


def _failure(library: str, error: Exception) -> str:
    return (
        f"the formula fails on {library} ({type(error).__name__}: {error}); use arithmetic and one-argument "
        "NumPy functions only, without if, min or max on values"
    )


def _made_up_case(law: Law, random_seed: int) -> _Case:
    from bayescale.fits.sampling import sample_prior  # noqa: PLC0415  (loads LLVM)

    rng = np.random.default_rng(random_seed)
    ranges = {name: np.log(real_range(name)) for name in unit_columns(law)}
    own = {name: float(np.exp(rng.uniform(*np.quantile(ends, [0.3, 0.7])))) for name, ends in ranges.items()}
    reference = reference_units(law, own)
    spread = DECADES * np.log(10)
    counts = {
        name: np.exp(np.clip(np.log(own[name]) + rng.uniform(-spread, spread, POINTS), *ranges[name]))
        for name in law.covariates
    }
    prior = sample_prior(law, UNIT, DRAWS, random_seed)
    return _Case(law, reference, counts, {str(name): values.to_numpy().ravel() for name, values in prior.items()})


def _documented(case: _Case) -> Iterator[str]:
    for field in ("formula", "reference"):
        if not getattr(case.law, field):
            yield f"{field} is empty; write {'it in plain text' if field == 'formula' else 'where the law comes from'}"
    stated = {name for name, text in case.law.meanings.items() if len(list(filter(None, text))) == 2}
    missing = [name for name in case.law.parameters if name not in stated]
    if missing:
        yield (
            f"the meaning of {', '.join(missing)} is not stated; write meanings={{'{missing[0]}': ('what it is', "
            "'its unit at published scale')}, with R for the unit of the response and 'none' for that of a pure number"
        )


def _finite(case: _Case) -> Iterator[str]:
    values = case.values()
    bad = ~np.isfinite(values)
    if bad.any():
        yield (
            f"the law is not a finite number for {bad.mean():.1%} of draws from its prior at real runs, "
            f"such as {_shown(case, bad)}; keep powers and logarithms to positive arguments, or narrow the prior"
        )


def _positive(case: _Case) -> Iterator[str]:
    values = case.values()
    share = float((values > 0).mean())
    if share < LEAST_POSITIVE:
        yield (
            f"the law is above zero for only {share:.0%} of draws from its prior at real runs (at least "
            f"{LEAST_POSITIVE:.0%} expected); the model takes its logarithm, so narrow the prior"
        )


def _shown(case: _Case, bad: np.ndarray) -> str:
    draw, point = np.argwhere(bad)[0]
    columns = ", ".join(f"{name} = {typed(case.counts[name][point])}" for name in case.law.covariates)
    parameters = ", ".join(f"{name} = {typed(case.draws[name][draw])}" for name in case.law.parameters)
    return f"{columns} with {parameters} at reference scale"


def _libraries(case: _Case) -> Iterator[str]:
    """Compare floats, xarray and PyTensor with NumPy arrays."""
    expected = case.values()
    scaled = {name: case.counts[name] / case.reference[name] for name in case.law.covariates}
    ways: dict[str, Callable[[], np.ndarray]] = {
        "floats": lambda: _with_floats(case, scaled),
        "xarray": lambda: _with_xarray(case, scaled),
        "PyTensor": lambda: _with_pytensor(case, scaled),
    }
    for library, way in ways.items():
        try:
            found = way()
        except Exception as error:
            yield _failure(library, error)
            continue
        if not np.allclose(found, expected, rtol=1e-9, atol=1e-9 * UNIT, equal_nan=True):
            worst = np.nanmax(np.abs(found - expected))
            yield f"the formula gives other numbers on {library} than on NumPy arrays, by up to {worst:.3g}"


def _with_floats(case: _Case, scaled: Mapping[str, np.ndarray]) -> np.ndarray:
    with np.errstate(all="ignore"):
        values = [
            [
                case.law.loss(
                    **{name: float(column[point]) for name, column in scaled.items()},
                    **{name: float(case.draws[name][draw]) for name in case.law.parameters},
                )
                for point in range(POINTS)
            ]
            for draw in range(0, DRAWS, 20)
        ]
    found = case.values().copy()
    found[::20] = values
    return found


def _with_xarray(case: _Case, scaled: Mapping[str, np.ndarray]) -> np.ndarray:
    columns = {name: xr.DataArray(column, dims="run") for name, column in scaled.items()}
    parameters = {name: xr.DataArray(case.draws[name], dims="draw") for name in case.law.parameters}
    with np.errstate(all="ignore"):
        return np.asarray(case.law.loss(**columns, **parameters).transpose("draw", "run").to_numpy())


def _with_pytensor(case: _Case, scaled: Mapping[str, np.ndarray]) -> np.ndarray:
    from bayescale.fits.model import evaluate_symbolically  # noqa: PLC0415  (imports PyMC)

    parameters = {name: case.draws[name][:, None] for name in case.law.parameters}
    columns = {name: column[None, :] for name, column in scaled.items()}
    return evaluate_symbolically(case.law, {**columns, **parameters})


def _units(case: _Case) -> Iterator[str]:
    """Carry the parameters to published scale and ask for the same numbers there."""
    law = case.law
    with np.errstate(all="ignore"):
        scaled = published_scale(law, case.reference, case.draws)
        columns = {name: np.asarray(scaled[name])[:, None] for name in law.parameters}
        found, expected = np.asarray(law.loss(**case.counts, **columns)), case.values()
    sound = np.isfinite(found) & np.isfinite(expected)
    tolerance = 1e-6 * np.abs(expected) + 1e-8 * UNIT
    off = sound & (np.abs(found - expected) > tolerance)
    if off.any():
        yield (
            f"parameters at published scale give other values than at reference scale for {off.mean():.1%} of draws, "
            f"such as {_shown(case, off)}; scales (or rescale) must hold every parameter that changes when the "
            "columns are counted in ones"
        )


def _prior_band(case: _Case) -> Iterator[str]:
    """Look at the law at the typical run, over the typical response."""
    typical = {name: np.array([case.reference[name]]) for name in case.law.covariates}
    columns = {name: case.draws[name][:, None] for name in case.law.parameters}
    with np.errstate(all="ignore"):
        scaled = {name: typical[name] / case.reference[name] for name in typical}
        values = np.broadcast_to(np.asarray(case.law.loss(**scaled, **columns)), (DRAWS, 1)) / UNIT
    if not np.isfinite(values).all():
        return  # told by another check
    low, high = np.quantile(values, [0.05, 0.95])
    least, most = TYPICAL_BAND
    if low < least or high > most:
        yield (
            f"at a typical run the prior puts 90% of its values between {low:.2g} and {high:.2g} times the typical "
            f"response (expected within {least:g} to {most:g}); draw the coefficients as Shares, or narrow their priors"
        )


def _monotonicity(case: _Case) -> Iterator[str]:
    before = case.values()
    sign = -1.0 if case.law.responses == ("gain",) else 1.0
    for name in case.law.decreasing:
        after = case.values({**case.counts, name: case.counts[name] * 2.0})
        rises = sign * (after - before) > 1e-9 * np.abs(before)
        if rises.any():
            yield (
                f"the law says that it never gets worse with more {name}, and it does for {rises.mean():.1%} of draws, "
                f"such as {_shown(case, rises)}; take {name} out of decreasing, or narrow the prior"
            )


def _limits(case: _Case) -> Iterator[str]:
    law = case.law
    if law.floor is None:
        return
    grown = {name: np.full(POINTS, LIMIT if name in law.decreasing else 0.0) for name in law.covariates}
    counts = {name: grown[name] if name in law.decreasing else case.counts[name] for name in law.covariates}
    found, floor = case.values(counts), case.draws[law.floor][:, None]
    off = np.abs(found - floor) > 1e-3 * UNIT
    if off.any():
        yield (
            f"the law says that it tends to {law.floor} as {', '.join(law.decreasing)} grow, and it does not for "
            f"{off.mean():.1%} of draws; correct floor or decreasing"
        )


def _published(case: _Case) -> Iterator[str]:
    law = case.law
    for source, values in law.published.items():
        with np.errstate(all="ignore"):
            found = np.asarray(law.loss(**case.counts, **values))
        if not np.isfinite(found).all() or (found > 0).mean() < 0.5:
            yield f"the published values of {source} give values that are not above zero at real runs; check the units"
    for example in law.examples:
        parameters = law.published[example.source] if example.source else example.parameters
        value = float(law.loss(**{name: np.float64(at) for name, at in example.at.items()}, **parameters))
        if not abs(value - example.value) <= example.tolerance:
            at = ", ".join(f"{name} = {typed(value, 6)}" for name, value in example.at.items())
            yield (
                f"at {at} the law gives {value:.10g} with {example.source or 'the parameters given'}, "
                f"and the example says {example.value:.10g} (to {example.tolerance:.2g})"
            )


CHECKS: Mapping[str, Callable[[_Case], Iterator[str]]] = {
    "documentation": _documented,
    "finite values": _finite,
    "positive values": _positive,
    "the same numbers in every array library": _libraries,
    "units": _units,
    "prior at a typical run": _prior_band,
    "monotonicity": _monotonicity,
    "limits": _limits,
    "published values and examples": _published,
}

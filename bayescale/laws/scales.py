"""The scales of a law: its columns in reference units, and its parameters where papers publish them."""

from collections.abc import Mapping

from bayescale.laws.law import Law, Quantity
from bayescale.schedules import RATES, SINCE
from bayescale.values import FrozenMapping

REAL_RUNS: Mapping[str, tuple[float, float]] = FrozenMapping(
    {
        "N": (1e6, 1e12),
        "D": (1e7, 1e14),
        "C": (1e15, 1e27),
        "loss": (2.0, 8.0),
        "unique_tokens": (1e7, 1e14),
        "epochs": (1.0, 100.0),
        "experts": (1.0, 1024.0),
        "granularity": (1.0, 64.0),
        "active_N": (1e6, 1e12),
        "datastore_tokens": (1e7, 1e13),
        "vocabulary": (1e3, 1e6),
        "width": (64.0, 32768.0),
        "depth": (2.0, 200.0),
        "steps": (1e3, 1e7),
        "batch": (1e4, 1e8),
        "lr_sum": (0.1, 1e3),
        "lr_drop": (1e-3, 1.0),
        "lr_fall": (1e-5, 1e-3),
        **dict.fromkeys(RATES, (3e-5, 1e-2)),
        **dict.fromkeys(SINCE, (1e-3, 1e3)),
        "members": (1.0, 64.0),
        "kept": (0.05, 1.0),
        "bits_weights": (2.0, 16.0),
        "bits_activations": (2.0, 16.0),
        "bits_cache": (2.0, 16.0),
        "bits_post": (2.0, 16.0),
    }
)
"""Range of real runs, and a little more, of each column that a law may use, in counts; laws share their columns."""

ANY_RUNS = (1e2, 1e6)
"""The same for a column that no built-in law has."""


def real_range(column: str) -> tuple[float, float]:
    """Return the range of real runs of a column, in counts."""
    return REAL_RUNS.get(column, ANY_RUNS)


def reference_units(law: Law, typical: Mapping[str, float]) -> dict[str, float]:
    """Return the reference value of each covariate: its own typical value, or what ``law.units`` says.

    Parameters
    ----------
    law : Law
        The law.
    typical : mapping of str to float
        Typical values of the columns; of a column with a unit of its own none is needed.
    """
    units = {name: law.units.get(name, name) for name in law.covariates}
    return {name: typical[unit] if isinstance(unit, str) else float(unit) for name, unit in units.items()}


def unit_columns(law: Law) -> tuple[str, ...]:
    """Return the covariates, and the further columns in whose unit one of them is counted."""
    return tuple(dict.fromkeys((*law.covariates, *(unit for unit in law.units.values() if isinstance(unit, str)))))


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
    values = in_ones(law, reference, parameters)
    return {**values, **(law.derived(**values) if law.derived else {})}


def in_ones(law: Law, units: Mapping[str, float], parameters: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Return the inferred parameters for columns counted in ones, from those for columns counted in ``units``.

    With units of ``1 / reference`` it is the way back, from published to reference scale.
    """
    at = {name: units[name] for name in law.covariates}
    given = {name: parameters[name] for name in law.parameters}
    changed = {name: _times_powers(given[name], law.scales[name], at, given) for name in law.scales}
    return {**given, **changed, **(law.rescale(**at, **given) if law.rescale else {})}


def _times_powers(
    value: Quantity, powers: Mapping[str, str | float], at: Mapping[str, float], parameters: Mapping[str, Quantity]
) -> Quantity:
    for column, exponent in powers.items():
        value = value * at[column] ** _exponent(exponent, parameters)
    return value


def _exponent(exponent: str | float, parameters: Mapping[str, Quantity]) -> Quantity:
    if not isinstance(exponent, str):
        return exponent
    return -parameters[exponent[1:]] if exponent.startswith("-") else parameters[exponent]


def reference_scale(
    law: Law, reference: Mapping[str, float], parameters: Mapping[str, Quantity]
) -> dict[str, Quantity]:
    """Carry parameters from the scale of published values to reference scale: the way back of ``published_scale``.

    Parameters
    ----------
    law : Law
        The law.
    reference : mapping of str to float
        Reference value of each covariate.
    parameters : mapping of str to number or array
        Inferred parameters at ``N = D = C = 1``.

    Returns
    -------
    dict
        All inferred parameters at reference scale.
    """
    inverse = {name: 1 / reference[name] for name in law.covariates}
    return {name: value for name, value in published_scale(law, inverse, parameters).items() if name in law.parameters}

"""The identity of a law: what makes two laws the same, as plain data."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from bayescale.laws.law import Law, Prior, Quantity, Share


def law_record(law: Law) -> dict[str, Any]:
    """Return what makes two laws the same, as plain data: name, source of the formula, units, priors."""
    return {
        "name": law.name,
        "formula": law.formula,
        "source": _source(law.loss),
        "units": dict(law.units),
        "priors": priors_record(law),
    }


def _source(formula: Callable[..., Quantity]) -> str:
    """Return the text of a formula, and of the functions and constants of its own module that it uses.

    A formula may be a dataclass that is called, made of another law: its text is what its fields hold, and its call.
    """
    if is_dataclass(formula):
        held = {field.name: getattr(formula, field.name) for field in fields(formula)}
        values = [
            f"{name} = {law_record(value) if isinstance(value, Law) else value!r}" for name, value in held.items()
        ]
        return "\n".join([*values, _source(type(formula).__call__)])
    own = {name: value for name, value in formula.__globals__.items() if name in formula.__code__.co_names}
    helpers = [value for value in own.values() if inspect.isfunction(value) and value.__module__ == formula.__module__]
    constants = [f"{name} = {value!r}" for name, value in sorted(own.items()) if isinstance(value, int | float | tuple)]
    return "\n".join([_text(formula), *constants, *(_source(helper) for helper in helpers if helper is not formula)])


def _text(formula: Callable[..., Quantity]) -> str:
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

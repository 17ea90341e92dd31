"""Checks of what functions are given: each returns the value it accepts, and raises InputError for any other."""

import functools
import inspect
import math
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bayescale.errors import InputError

if TYPE_CHECKING:
    import numpy as np

type Number = float | np.ndarray


def above_zero(name: str, value: object, unit: str = "a number", example: str = "") -> float:
    """Return one number as a float; ``InputError`` unless it is finite and above zero."""
    array = _array(value)
    if array is None or array.ndim or not _all_positive(array):
        raise InputError(f"{name} is {value!r}; expected {unit} above zero{f', such as {example}' if example else ''}")
    return float(array)


def positive(name: str, value: Number, unit: str) -> "np.ndarray":
    """Return a number or array as an array; ``InputError`` unless all of it is finite and above zero."""
    array = _array(value)
    if array is None or not array.size or not _all_positive(array):
        raise InputError(f"{name} is {value}; expected {unit} above zero")
    return array


def several(name: str, values: object, unit: str) -> "np.ndarray":
    """Return one number or a list as an array (value,); ``InputError`` unless all are finite and above zero."""
    array = _array(values)
    if array is None or array.ndim > 1 or not array.size or not _all_positive(array):
        raise InputError(f"{name} is {_shown(values)}; expected {unit}: one or more, each above zero")
    return array.reshape(-1)


def probability(value: float) -> float:
    """Return a probability; ``InputError`` unless it is between 0 and 1."""
    return _between_0_and_1("probability", value, "a number", "0.9")


def tolerance(value: float) -> float:
    """Return a tolerance of extra compute; ``InputError`` unless it is between 0 and 1."""
    return _between_0_and_1("tolerance", value, "extra compute", "0.05")


def _between_0_and_1(name: str, value: float, what: str, example: str) -> float:
    array = _array(value)
    if array is None or array.ndim or not 0 < array < 1:
        raise InputError(f"{name} is {value}; expected {what} between 0 and 1, such as {example}")
    return value


def _array(value: Any) -> "np.ndarray | None":  # noqa: ANN401  (whatever a user may give)
    """Return numbers as an array, and None for text, truth values and all that is no number."""
    import numpy as np  # noqa: PLC0415  (--help needs no NumPy)

    try:
        array = np.asarray(value)
        if array.dtype.kind == "O" and not any(isinstance(each, str | bool) for each in array.flat):
            array = array.astype(float)  # whole numbers beyond 64 bits, decimals
    except (TypeError, ValueError):
        return None
    if not array.size:
        return array.astype(float)
    return array.astype(float) if array.dtype.kind in "iuf" else None


def _all_positive(array: "np.ndarray") -> bool:
    return bool(((array > 0) & (array < math.inf)).all())


def _shown(values: Any) -> str:  # noqa: ANN401  (whatever a user may give)
    """Return values as they would be typed."""
    return repr(values.tolist() if hasattr(values, "tolist") else values)


MAKERS = {
    "RunTable": "read_runs makes one, of a file or a DataFrame",
    "Law": "LAWS has the built-in ones by name",
    "Fit": "fit(runs, law) makes one, and fit_laws(runs, laws) several by name",
    "Comparison": "compare(fits) makes one",
    "Verdict": "judge(comparison) makes one",
    "Allocation": "allocate(fit_or_comparison, flops) makes one",
    "Backtest": "backtest(runs, laws) makes one",
    "SizeBacktest": "backtest_sizes(runs, laws) makes one",
    "Plan": "plan(fit_or_comparison, ...) makes one",
    "ScoreTable": "skills.read_scores makes one, of a file or a DataFrame",
    "SkillFit": "skills.fit_skills(scores) makes one",
    "SkillComparison": "skills.compare_skills(scores) makes one",
    "ScoreForecast": "skills.forecast_scores(fit, ...) makes one",
}
"""Where the records that functions take come from."""


def kinds[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Refuse arguments of a wrong kind, as the annotations have it, before a function sees them.

    Records of this package, text, paths, and mappings and lists of them are checked; numbers and arrays are not, for
    the functions check their values. ``InputError`` says what was expected, what was found, and where it comes from.
    """

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        signature = inspect.signature(function)
        try:
            given = signature.bind_partial(*args, **kwargs).arguments
        except TypeError:  # an argument that the function does not have: Python says so itself
            given = {}
        for name, value in given.items():
            hint = signature.parameters[name].annotation
            if not _is_of(hint, value):
                call = f"{function.__name__}({', '.join(_positional(signature))})"
                raise InputError(f"{call}: {name} is {_kind(value)}; expected {_words(hint)}{_remedies(hint)}")
        return function(*args, **kwargs)

    return checked


def _positional(signature: inspect.Signature) -> list[str]:
    """Return the parameters that a call can name by their order."""
    taken = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, each in signature.parameters.items() if each.kind in taken]


def _is_of(hint: Any, value: object) -> bool:  # noqa: ANN401  (any annotation)
    """Tell whether a value is of a kind; True for the kinds that are not checked here."""
    hint = _meaning(hint)
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return any(_is_of(part, value) for part in parts)
    if hint in (None, types.NoneType):
        return value is None
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(_is_of(parts[1], each) for each in value.values())
    if isinstance(origin, type) and issubclass(origin, Iterable) and any(map(_is_record, typing.get_args(hint))):
        return _is_list_of(parts[0], value)
    return _is_instance(origin or hint, value)


def _meaning(hint: Any) -> Any:  # noqa: ANN401  (any annotation)
    """Return what an alias stands for; of one that only type checkers can read, anything."""
    try:
        return hint.__value__ if isinstance(hint, typing.TypeAliasType) else hint
    except NameError:
        return Any


def _is_list_of(hint: Any, value: object) -> bool:  # noqa: ANN401  (any annotation)
    if isinstance(value, str) or not isinstance(value, Iterable):
        return False
    return not isinstance(value, list | tuple) or all(_is_of(hint, each) for each in value)


def _is_record(hint: Any) -> bool:  # noqa: ANN401  (any annotation)
    """Tell whether a hint has a class of this package in it; protocols are known by what they do, not by class."""
    hint = _meaning(hint)
    if parts := typing.get_args(hint):
        return any(map(_is_record, parts))
    own = isinstance(hint, type) and hint.__module__.split(".")[0] == __name__.split(".")[0]
    return own and not getattr(hint, "_is_protocol", False)


def _is_instance(kind: Any, value: object) -> bool:  # noqa: ANN401  (any annotation)
    known = _is_record(kind) or kind in (str, os.PathLike) or getattr(kind, "__name__", "") == "DataFrame"
    return not known or isinstance(value, kind)


def _kind(value: object) -> str:
    """Name the kind of a value, with the library of a DataFrame."""
    library = type(value).__module__.split(".")[0]
    name = type(value).__name__ if library in ("builtins", "bayescale") else f"{library} {type(value).__name__}"
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _words(hint: Any) -> str:  # noqa: ANN401  (any annotation)
    """Write a hint as people read it."""
    hint = _meaning(hint)
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_words(part) for part in parts)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"a mapping of names to {_words(parts[1])}"
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return f"a list of {_words(parts[0])}"
    return {str: "text", os.PathLike: "a path", types.NoneType: "None"}.get(
        origin or hint, getattr(hint, "__name__", str(hint))
    )


def _remedies(hint: Any) -> str:  # noqa: ANN401  (any annotation)
    """Say where each record of a hint comes from."""
    return "".join(f"; {name}: {how}" for name, how in MAKERS.items() if name in _words(hint).split())

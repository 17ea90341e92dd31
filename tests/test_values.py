"""Every record a public function returns pickles, copies, compares and prints in a few lines."""

import copy
import dataclasses
import inspect
import pickle
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from responses_made import ALIKE, of_laws
from responses_made import made as made_responses
from skills_made import comparison_of, made_skill_fit

import bayescale
from bayescale.comparison.conventions import Convention
from bayescale.comparison.cross_validation import CrossValidation
from bayescale.comparison.deciding import find_deciding_runs
from bayescale.comparison.metrics import MetricVerdicts
from bayescale.comparison.verdict import judge
from bayescale.decisions.allocation import allocate
from bayescale.decisions.size_backtesting import SizeBacktest
from bayescale.decisions.size_scores import size_scores
from bayescale.forecasts.backtesting import Backtest
from bayescale.forecasts.curves import RunForecast
from bayescale.groups import allocate_worst, disparities
from bayescale.report import Report
from bayescale.skills import forecast_scores, judge_skills
from bayescale.values import LINES, WIDTH, FrozenMapping, same

METRICS = pd.DataFrame(
    {"answer": ["cannot_tell"] * 2, "probability": 0.5, "best": "tilt"}, index=pd.Index(["mean", "a"], name="response")
)
NAMES = {"np": np, **{name: getattr(bayescale, name) for name in bayescale.__all__}}
"""For hints of modules that import a name for type checkers only."""


def public_functions():
    """Return the functions of the package and of the submodules it lists."""
    for name in dir(bayescale):
        value = getattr(bayescale, name)
        if inspect.ismodule(value):
            names = getattr(value, "__all__", vars(value))
            yield from (
                each
                for each in (getattr(value, name) for name in names)
                if inspect.isfunction(each) and is_own(each) and each.__module__.startswith(value.__name__)
            )
        elif inspect.isfunction(value):
            yield value


def is_own(function):
    return function.__module__.startswith("bayescale") and not function.__name__.startswith("_")


def records_in(hint):
    """Return the dataclasses of this package in a type hint."""
    if isinstance(hint, typing.TypeAliasType):
        hint = hint.__value__
    if dataclasses.is_dataclass(hint) and hint.__module__.startswith("bayescale"):
        yield hint
    for part in typing.get_args(hint):
        yield from records_in(part)


def public_records():
    """Return every record that a public function returns, and those that its fields hold."""
    waiting = [
        record
        for function in public_functions()
        for record in records_in(typing.get_type_hints(function, localns=NAMES).get("return"))
    ]
    waiting += [getattr(bayescale, name) for name in bayescale.__all__]
    found = {}
    while waiting:
        record = waiting.pop()
        if dataclasses.is_dataclass(record) and inspect.isclass(record) and record.__qualname__ not in found:
            found[record.__qualname__] = record
            waiting += [part for hint in typing.get_type_hints(record).values() for part in records_in(hint)]
    return [found[name] for name in sorted(found)]


RECORDS = public_records()


def a_formula(N, *, E):
    return E / N


SIMPLE = {
    float: float("nan"),
    int: 3,
    str: "text",
    bool: True,
    np.ndarray: np.array([1.0, np.nan, 3.0]),
    pd.DataFrame: pd.DataFrame({"N": [1e9, np.nan], "run": ["a", "b"]}),
    xr.Dataset: xr.Dataset({"N": ("draw", [1.0, np.nan])}),
    xr.DataArray: xr.DataArray([1.0, np.nan], dims="run"),
    xr.DataTree: xr.DataTree.from_dict({"posterior": xr.Dataset({"E": ("draw", [1.0, 2.0])})}),
    typing.Any: "anything",
    type(None): None,
    Path: Path("report.html"),
}


def example_of(hint):
    """Return a value of a type hint, without asking whether it makes sense."""
    if isinstance(hint, typing.TypeAliasType):
        return example_of(hint.__value__)
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is None:
        return made(hint) if dataclasses.is_dataclass(hint) else SIMPLE[hint]
    return GENERIC[origin](*(part for part in parts if part is not Ellipsis))


def example_mapping(names, values):
    return FrozenMapping({example_of(names): example_of(values)})


def example_sequence(*hints):
    return tuple(example_of(hint) for hint in hints)


GENERIC = {
    typing.Union: lambda first, *_: example_of(first),
    types.UnionType: lambda first, *_: example_of(first),
    typing.Literal: lambda first, *_: first,
    Callable: lambda *_: a_formula,
    dict: example_mapping,
    Mapping: example_mapping,
    tuple: example_sequence,
    list: example_sequence,
    Sequence: example_sequence,
}


def made(record, changed=FrozenMapping()):  # noqa: B008  (it cannot change)
    """Return a record whose fields are examples of their types, its checks left out."""
    value = object.__new__(record)
    for name, hint in field_hints(record).items():
        object.__setattr__(value, name, changed.get(name, example_of(hint)))
    return value


def field_hints(record):
    hints = typing.get_type_hints(record)
    return {field.name: hints[field.name] for field in dataclasses.fields(record)}


def test_the_records_are_found():
    assert {"Allocation", "Backtest", "Comparison", "Fit", "Law", "Plan", "RunTable", "Verdict"} <= {
        record.__name__ for record in RECORDS
    }


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_a_record_survives_pickling_and_copying(record):
    value = made(record)
    for again in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value), copy.copy(value), made(record)):
        assert type(again) is record
        assert same(again, value)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_a_record_with_another_field_is_another(record):
    value = made(record)
    for name in field_hints(record):
        other = made(record, {name: "something that no record has"})
        assert not same(other, value)
        assert other != value


def skill_records():
    """Return an example of each record of skills."""
    fitted = made_skill_fit()
    comparison = comparison_of(fitted.table)
    forecast = forecast_scores(fitted, family="family-0", flops=[1e22, 1e24], threshold=0.6)
    return fitted.law, fitted.table, fitted, comparison, judge_skills(comparison, fitted), forecast


@pytest.fixture(scope="module")
def real(wide_runs, wide_fit, wide_comparison, wide_plan):
    """Return a real example of every record that says more of itself than its fields."""
    count = len(wide_runs.frame)
    points = pd.DataFrame({"law": ["chinchilla"] * 3, "method": "plain"})
    inside = {"inside_50": False, "inside_80": True, "inside_90": True}
    scored = {"factor": 10.0, "width_90": 1.0, "error": 0.1, "lpd": 0.5, "extra_compute": 0.01}
    sizes = points.assign(**inside, **scored)
    verdict = judge(wide_comparison)
    examples = (
        wide_runs,
        wide_fit,
        wide_fit.law,
        wide_comparison,
        verdict,
        made(Report, {"verdict": verdict, "allocation": None}),
        find_deciding_runs(wide_fit, None),
        allocate(wide_comparison, [1e21, 1e22, 1e23, 1e24, 1e25, 1e26]),
        wide_plan,
        made(Backtest, {"points": points, "runs": wide_runs, "scores": points.assign(threshold=0.2, passed=False)}),
        Convention("active_N", "active", "chinchilla", 12.3, 3.4, decided=False, alike=False, passed=True),
        *skill_records(),
        made_responses([0.1, -0.1]),
        made(RunForecast, {"seen": 0.25, "loss": np.array([2.0, 2.1, 2.2]), "doubts": (), "probability": 0.9}),
        made(MetricVerdicts, {"table": METRICS, "name": "runs", "fails": ()}),
        disparities(made_responses([0.1, -0.1]), 1e18, 1e20),
        allocate_worst(of_laws(**ALIKE), 1e20),
        made(SizeBacktest, {"points": sizes, "scores": size_scores(sizes), "runs": wide_runs}),
        made(
            CrossValidation,
            {"fits": wide_comparison.fits, "table": wide_comparison.table, "folds": np.arange(count)},
        ),
    )
    return {type(example): example for example in examples}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_a_record_prints_in_a_few_lines(record, real):
    own = "_lines" in vars(record)
    assert not own or record in real, "make a real example of it above"
    lines = repr(real[record] if own else made(record)).splitlines()
    assert 1 <= len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH


def test_every_record_of_arrays_shows_itself_in_a_notebook(real):
    for example in real.values():
        assert example._repr_html_().startswith('<div class="bayescale"><p><strong>')


def test_a_fit_survives_a_pickle_after_it_was_used(wide_fit):
    assert wide_fit.record["settings"]
    assert wide_fit.reference["N"] > 0
    assert len(wide_fit.runs.frame) == 120
    again = pickle.loads(pickle.dumps(wide_fit))
    assert again == wide_fit
    assert copy.deepcopy(wide_fit) == wide_fit
    assert again.runs == wide_fit.runs
    np.testing.assert_array_equal(again.draws["alpha"], wide_fit.draws["alpha"])


def test_results_of_a_comparison_survive_a_pickle(wide_comparison):
    verdict, allocation = judge(wide_comparison), allocate(wide_comparison, [1e21, 1e22])
    for result in (wide_comparison, verdict, allocation):
        assert pickle.loads(pickle.dumps(result)) == result
        assert copy.deepcopy(result) == result


def test_a_fit_of_other_draws_is_another(wide_fit, synthetic_fit, wide_runs):
    assert synthetic_fit("chinchilla", wide_runs) == synthetic_fit("chinchilla", wide_runs)
    assert synthetic_fit("chinchilla", wide_runs, seed=1) != wide_fit
    assert wide_fit != "a fit"


def test_equality_sees_types_order_and_missing_values():
    assert same(np.array([1.0, np.nan]), np.array([1.0, np.nan]))
    assert not same(np.array([1.0]), np.array([1]))
    assert not same(np.array([1.0, 2.0]), np.array([2.0, 1.0]))
    assert same(float("nan"), float("nan"))
    assert not same(float("nan"), 1.0)
    assert not same(pd.DataFrame({"N": [1.0]}), pd.DataFrame({"N": [2.0]}))
    assert not same(None, np.array([1.0]))
    assert same({"a": (1, 2.0)}, FrozenMapping({"a": (1, 2.0)}))


def test_a_record_has_no_hash(wide_fit):
    with pytest.raises(TypeError, match="unhashable"):
        hash(wide_fit)


def test_a_frozen_mapping_is_a_mapping_that_does_not_change():
    entries = {"N": 1.0, "D": 2.0}
    frozen = FrozenMapping(entries)
    entries["N"] = 3.0
    assert frozen == {"N": 1.0, "D": 2.0}
    assert list(frozen) == ["N", "D"]
    assert frozen | {"C": 6.0} == {"N": 1.0, "D": 2.0, "C": 6.0}
    assert {"C": 6.0} | frozen == {"C": 6.0, "N": 1.0, "D": 2.0}
    with pytest.raises(TypeError, match="does not support item assignment"):
        frozen["N"] = 3.0

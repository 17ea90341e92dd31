"""Arguments of a wrong kind: every public function refuses them with an InputError that names what it takes."""

import importlib
import inspect
from pathlib import Path

import pandas as pd
import pytest

import bayescale as bs
from bayescale import InputError, checks
from bayescale.runs import Runs

CALLS = {
    "fit, swapped": (lambda g: bs.fit("chinchilla", g["frame"]), "fit(runs, law): law is a pandas DataFrame; expected"),
    "fit of a table, swapped": (lambda g: bs.fit("chinchilla", g["runs"]), "fit(runs, law): law is a RunTable; exp"),
    "fit_laws, swapped": (lambda g: bs.fit_laws(["chinchilla"], g["runs"]), "fit_laws(runs, laws): laws is a RunTable"),
    "one law for several": (lambda g: bs.fit_laws(g["runs"], "chinchilla"), "fit_laws(runs, laws): laws is a str; exp"),
    "a list of runs": (lambda _: bs.fit([1, 2], "chinchilla"), "runs: found list; expected a DataFrame of pandas or"),
    "judge of a fit": (lambda g: bs.judge(g["fit"]), "judge(comparison): comparison is a Fit; expected Comparison; Co"),
    "allocate of runs": (lambda g: bs.allocate(g["runs"], [1e21]), "allocate(source, flops): source is a RunTable; ex"),
    "compare of a fit": (lambda g: bs.compare(g["fit"]), "compare(fits): fits is a Fit; expected a mapping of names t"),
    "compare of a list": (lambda g: bs.compare([g["fit"]]), "compare(fits): fits is a list; expected a mapping of na"),
    "compare of names": (lambda _: bs.compare({"tilt": "tilt"}), "compare(fits): fits is a dict; expected a mapping o"),
    "load_runs of a frame": (lambda g: bs.load_runs(g["frame"]), "load_runs(name): name is a pandas DataFrame; expect"),
    "plan of text": (lambda _: bs.plan("x", spend=1e20, target=1e21), "plan(source, candidates): source is a str; exp"),
    "report of a fit": (lambda g: bs.write_report("a.html", g["fit"], None, None), "write_report(path, comparison, ve"),
    "plot of runs": (lambda g: bs.plots.plot_elpd(g["runs"]), "plot_elpd(comparison, ax): comparison is a RunTable; e"),
}  # fmt: skip


@pytest.fixture
def given(small_runs, wide_fit):
    return {"runs": small_runs, "frame": small_runs.frame, "fit": wide_fit}


@pytest.mark.parametrize(("call", "message"), CALLS.values(), ids=CALLS)
def test_a_wrong_kind_of_argument_is_refused_with_what_was_expected(call, message, given):
    with pytest.raises(InputError) as caught:
        call(given)
    assert str(caught.value).startswith(message)


def public_functions():
    """Yield every function that the pages of the interface describe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "docs" / "_ext"))
        groups = importlib.import_module("api_pages").GROUPS
    for group in groups:
        for submodule, names in group.names.items():
            place = getattr(bs, submodule) if submodule else bs
            yield from (getattr(place, name) for name in names if inspect.isfunction(getattr(place, name)))


def takes_a_record(function):
    parameters = list(inspect.signature(function).parameters.values())
    return bool(parameters) and checks._is_record(parameters[0].annotation)


def takes_runs(function):
    return next(iter(inspect.signature(function).parameters.values())).annotation is Runs


FUNCTIONS = {function.__name__: function for function in public_functions() if takes_a_record(function)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_of_a_record_refuses_another_thing(name):
    function = FUNCTIONS[name]
    further = (
        {"laws": ["tilt"], "law": "tilt", "condition": "N > 0"} if takes_runs(function) else {"parameter": "alpha"}
    )
    further |= {"responses": ["a", "b", "c"], "second": object(), "curve": object(), "tokens": 1e10}
    others = list(inspect.signature(function).parameters)[1:]
    taken = {each: value for each, value in further.items() if each in others}
    with pytest.raises(InputError, match="object; expected"):
        function(object(), **taken)


def test_an_unknown_argument_is_an_error_of_python():
    with pytest.raises(TypeError, match="unexpected keyword argument 'laws'"):
        bs.describe(pd.DataFrame(), laws=[])

"""make_report: one call makes every part of a report, in order, and goes without what a table does not allow."""

from types import SimpleNamespace
from unittest.mock import patch

import pytest
from made import simulated_backtest, simulated_size_backtest

import bayescale as bs
from bayescale.errors import InputError
from bayescale.records.report import report_record

SAMPLES = ("allocate", "backtest", "backtest_sizes", "compare", "fit_laws", "plan", "write_report")


def recorded(_path, *results, title, author, date, **parts):
    """Return the numbers of a report that is not drawn."""
    return report_record(*results, heading={"title": title, "author": author, "date": date}, **parts)


@pytest.fixture
def verbs(wide_comparison, wide_plan):
    """Replace what samples or draws by signatures; allocate is quick and stays."""
    patches = {name: patch(f"bayescale.report.making.{name}", autospec=True) for name in SAMPLES}
    mocks = {name: each.start() for name, each in patches.items()}
    mocks["allocate"].side_effect = bs.allocate
    mocks["backtest"].return_value = simulated_backtest()
    mocks["backtest_sizes"].return_value = simulated_size_backtest()
    mocks["compare"].return_value = wide_comparison
    mocks["fit_laws"].return_value = dict(wide_comparison.fits)
    mocks["plan"].return_value = wide_plan
    mocks["write_report"].side_effect = recorded
    yield SimpleNamespace(**mocks)
    for each in patches.values():
        each.stop()


@pytest.fixture
def made_without(verbs, wide_comparison, tmp_path):
    """Return a function that makes a report where one verb refuses to serve."""

    def make(verb):
        getattr(verbs, verb).side_effect = InputError("cannot")
        return bs.make_report(tmp_path / "r.html", wide_comparison)

    return make


def test_one_call_writes_what_was_judged_allocated_backtested_and_planned(verbs, wide_comparison, tmp_path):
    told = []
    made = bs.make_report(
        tmp_path / "r.html",
        wide_comparison,
        [1e22],
        command="a command",
        title="A title",
        progress=lambda *each: told.append(each),
    )
    (path, *results), parts = verbs.write_report.call_args
    assert path == made.path == tmp_path / "r.html"
    assert results == [wide_comparison, made.verdict, made.allocation]
    assert parts == {
        "backtest": verbs.backtest.return_value,
        "size_backtest": verbs.backtest_sizes.return_value,
        "plan": verbs.plan.return_value,
        "shift": None,
        "command": "a command",
        "title": "A title",
        "author": "",
        "date": "",
        "refusal": "",
        "asked": [1e22],
        "spent": (),
    }
    assert verbs.plan.call_args.args == (wide_comparison,)
    assert verbs.plan.call_args.kwargs == {
        "spend": wide_comparison.runs.frame["C"].max(),
        "target": [1e22],
        "runs": 10,
        "probability": 0.9,
        "random_seed": 0,
    }
    assert made.numbers["verdict"]["answer"] == made.verdict.answer
    assert made.notes == ("next runs: at most 10, for as much compute as the largest run took (default)",)
    begun = [doing.split()[0] for doing, *counted in told if counted == [0, 0]]
    assert begun == ["judging", "searching", "forecasting", "forecasting", "choosing", "writing"]


def test_a_table_alone_is_enough(verbs, wide_runs, tmp_path):
    made = bs.make_report(tmp_path / "r.html", wide_runs, random_seed=3, cache=False)
    assert verbs.fit_laws.call_args.args == (wide_runs,)
    assert verbs.fit_laws.call_args.kwargs == {"random_seed": 3, "cache": False}
    largest = wide_runs.frame["C"].max()
    assert made.allocation.recommended["flops"].to_numpy().tolist() == [largest, 10 * largest, 100 * largest]
    assert made.notes[0].startswith("laws: ")


def test_both_backtests_are_of_the_law_the_report_rests_on_most(verbs, wide_comparison, tmp_path):
    made = bs.make_report(tmp_path / "r.html", wide_comparison, split_by="chinchilla", random_seed=5)
    law = wide_comparison.fits["chinchilla"].law
    assert verbs.allocate.call_args.args[0] is wide_comparison.fits["chinchilla"]
    for verb in (verbs.backtest, verbs.backtest_sizes):
        assert verb.call_args.args == (wide_comparison.runs, [law])
        assert (verb.call_args.kwargs["random_seed"], verb.call_args.kwargs["cache"]) == (5, True)
    assert verbs.backtest.call_args.kwargs["methods"] == ("discrepancy", "plain")
    assert made.numbers["backtest"]["law"] == made.numbers["size_backtest"]["law"] == "chinchilla"


def test_folds_are_counted_while_they_are_done(verbs, wide_comparison, tmp_path):
    told = []
    verbs.backtest.side_effect = lambda *_, progress, **__: progress("chinchilla", 2, 4) or simulated_backtest()
    bs.make_report(
        tmp_path / "r.html", wide_comparison, split_by="chinchilla", progress=lambda *each: told.append(each)
    )
    assert ("forecasting held-out runs by chinchilla", 2, 4) in told


@pytest.mark.parametrize(
    ("verb", "part", "note"),
    [
        ("allocate", "allocation", "no allocation: cannot"),
        ("backtest", "backtest", "no backtest: cannot"),
        ("backtest_sizes", "size_backtest", ""),
        ("plan", "plan", "no plan: cannot"),
    ],
)
def test_a_report_goes_without_what_cannot_be_made(made_without, verb, part, note):
    made = made_without(verb)
    assert getattr(made, part) is None
    assert made.numbers[part] is None
    assert note in ("", *made.notes)


def test_a_law_that_was_not_compared_cannot_split_budgets(verbs, wide_comparison, tmp_path):
    with pytest.raises(InputError, match="split_by is 'kaplan'; expected one of the laws compared: "):
        bs.make_report(tmp_path / "r.html", wide_comparison, split_by="kaplan")
    assert not verbs.write_report.called


def test_a_budget_that_is_none_is_refused_rather_than_left_out(verbs, wide_comparison, tmp_path):
    with pytest.raises(InputError, match="expected budgets in FLOP"):
        bs.make_report(tmp_path / "r.html", wide_comparison, [-1.0])
    assert not verbs.write_report.called


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_fitted(verbs, wide_runs, tmp_path):
    with pytest.raises(InputError, match="a report is a page whose name ends in"):
        bs.make_report(tmp_path / "r.docx", wide_runs)
    assert not verbs.fit_laws.called

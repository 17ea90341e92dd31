"""Fixtures of the tests of the command line: verbs that do not sample, and a table in a file."""

import json
from types import SimpleNamespace
from unittest.mock import Mock, patch

import pytest
from made import simulated_backtest, simulated_size_backtest

import bayescale as bs
from bayescale.cli import main
from bayescale.records.report import report_record


@pytest.fixture
def verbs(wide_runs, wide_comparison, wide_plan):
    """Replace the verbs that sample, compare and write by their signatures; judge and allocate are quick and stay."""
    names = (
        "catalogue.resolve_runs",
        "select_runs",
        "fit_laws",
        "compare",
        "judge",
        "allocate",
        "backtest",
        "backtest_sizes",
        "make_report",
    )
    real = {name: getattr(bs, name) for name in ("judge", "allocate", "make_report")}
    patches = {name.split(".")[-1]: patch(f"bayescale.{name}", autospec=True) for name in names}
    patches["write_report"] = patch("bayescale.report.making.write_report", autospec=True)
    mocks = {name: each.start() for name, each in patches.items()}
    mocks["plan"] = Mock(return_value=wide_plan)
    for name in ("judge", "allocate", "backtest", "backtest_sizes", "plan"):
        patches[f"{name} of a report"] = patch(f"bayescale.report.making.{name}", mocks[name])
        patches[f"{name} of a report"].start()
    for name in ("resolve_runs", "select_runs"):
        mocks[name].return_value = wide_runs
    mocks["fit_laws"].return_value = dict(wide_comparison.fits)
    mocks["compare"].return_value = wide_comparison
    mocks["backtest"].return_value = simulated_backtest()
    mocks["backtest_sizes"].return_value = simulated_size_backtest()
    mocks["write_report"].side_effect = recorded
    for name, function in real.items():
        mocks[name].side_effect = function
    yield SimpleNamespace(**mocks)
    for each in patches.values():
        each.stop()


def recorded(_path, *results, title, author, date, **options):
    """Return the numbers of a report in place of writing it."""
    return report_record(*results, heading={"title": title, "author": author, "date": date}, **options)


@pytest.fixture
def run_json(capsys):
    """Return a function that runs a command with --json and returns what it printed, read strictly."""

    def run(*tokens, status=0):
        assert main([*tokens, "--json"]) == status
        return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)

    return run


@pytest.fixture
def runs_file(tmp_path):
    path = tmp_path / "mine.csv"
    rows = ["run,model_size,D,val/loss"]
    rows += [f"r{i},{1e8 * 2**i:g},{2e9 * 3 ** (i % 4):g},{3.5 - 0.1 * i:g}" for i in range(9)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def narrow(monkeypatch):
    """Let the terminal have 80 columns, whatever the environment says."""
    monkeypatch.setenv("COLUMNS", "80")


class Said:
    """Keeps what progress was told; one item takes no time."""

    seconds_each = None

    def __init__(self):
        self.told = []

    def __call__(self, doing):
        self.told.append(doing)

    def count(self, done, of):
        self.told.append((done, of))


@pytest.fixture
def said():
    """What progress was told."""
    return Said()

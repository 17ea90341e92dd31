"""The command ``report``: what is in it and what it goes without."""

from pathlib import Path

import bayescale as bs
from bayescale.cli import main


def test_report_writes_what_was_compared_judged_and_allocated(verbs, wide_comparison, tmp_path, capsys):
    path = tmp_path / "my report.html"
    tokens = ["report", "wide", "--budget", "1e22", "--output", str(path)]
    assert main(tokens) == 0
    (where, comparison, verdict, allocation), keywords = verbs.write_report.call_args
    assert (where, comparison) == (path, wide_comparison)
    assert verdict.answer
    assert allocation.optima.sizes["budget"] == 1
    assert keywords.pop("backtest") is verbs.backtest.return_value
    assert keywords.pop("size_backtest") is verbs.backtest_sizes.return_value
    assert keywords.pop("plan").aim == "regret"
    assert keywords == {"shift": None, "command": f"bayescale report wide --budget 1e22 --output '{path}'"}
    out = capsys.readouterr().out
    assert f"report: {path}" in out
    assert verdict.statement.split()[0] in out


def test_report_has_a_default_path_and_tells_it_in_json(verbs, run_json):
    record = run_json("report", "runs/wide.csv")
    assert verbs.write_report.call_args.args[0] == Path("wide-report.html")
    assert (record["schema"], record["path"]) == ("bayescale/report/1", "wide-report.html")
    assert {"comparison", "verdict", "allocation", "diagnostics", "doubts"} <= set(record)


def test_report_goes_without_an_allocation_where_no_law_has_a_best_split(verbs, tmp_path, capsys):
    verbs.allocate.side_effect = bs.InputError("none of the laws has a best split")
    assert main(["report", "wide", "--output", str(tmp_path / "report.html")]) == 0
    assert verbs.write_report.call_args.args[3] is None
    assert "no allocation: none of the laws has a best split" in capsys.readouterr().out


def test_report_by_one_law_still_compares_all(verbs, wide_comparison):
    assert main(["report", "wide", "--laws", "compute_floor,tilt", "--split-by", "chinchilla"]) == 0
    assert verbs.fit_laws.call_args.args[1] == ["compute_floor", "tilt", "chinchilla"]
    assert verbs.allocate.call_args.args[0] is wide_comparison.fits["chinchilla"]


def test_report_backtests_the_law_it_uses_most(verbs, wide_comparison, run_json):
    record = run_json("report", "wide", "--split-by", "chinchilla", "--seed", "5")
    (runs, laws), options = verbs.backtest.call_args
    assert (runs, laws) == (wide_comparison.runs, [wide_comparison.fits["chinchilla"].law])
    assert (options["methods"], options["random_seed"], options["cache"]) == (("discrepancy", "plain"), 5, True)
    assert verbs.write_report.call_args.kwargs["backtest"] is verbs.backtest.return_value
    assert record["backtest"]["law"] == "chinchilla"
    (runs, laws), options = verbs.backtest_sizes.call_args
    assert (runs, laws) == (wide_comparison.runs, [wide_comparison.fits["chinchilla"].law])
    assert (options["random_seed"], options["cache"]) == (5, True)
    assert record["size_backtest"]["law"] == "chinchilla"


def test_report_goes_without_a_backtest_where_runs_are_too_few(verbs, capsys):
    verbs.backtest.side_effect = bs.InputError("no fold leaves enough runs")
    assert main(["report", "wide"]) == 0
    assert verbs.write_report.call_args.kwargs["backtest"] is None
    assert "no backtest: no fold leaves enough runs" in capsys.readouterr().out


def test_report_goes_without_a_backtest_of_sizes_where_there_are_no_slices(verbs):
    verbs.backtest_sizes.side_effect = bs.InputError("0 isoFLOP slices")
    assert main(["report", "wide"]) == 0
    assert verbs.write_report.call_args.kwargs["size_backtest"] is None

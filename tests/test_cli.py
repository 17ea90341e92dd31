"""The command line: wiring of every command, JSON shapes, exit statuses, and what is not imported."""

import ctypes
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock, patch

import numpy as np
import pandas as pd
import pytest
from test_plots import simulated_backtest

import bayescale as bs
from bayescale.cli import main, steps, tables
from bayescale.cli.commands.backtest import hold_out
from bayescale.cli.options import Printing, Refitting, Sampling
from bayescale.cli.output import emit, without_infinities
from bayescale.cli.parsing import parse_columns, parse_laws
from bayescale.laws import LAWS
from bayescale.report import report_record

INTERVAL = {"median", "lower", "upper"}
LAW_FIELDS = {"name", "elpd", "se", "p", "elpd_diff", "dse", "weight", "bad_k"}
VERDICT_FIELDS = {"answer", "statement", "elpd_diff", "dse", "tilt", "tokens_per_parameter", "waste"}
BUDGET_FIELDS = {"flops", "N", "D", "tokens_per_parameter", "loss", "recommended", "near_optimal", "extrapolation"}


@pytest.fixture
def verbs(wide_runs, wide_comparison):
    """Replace the verbs that sample, compare and write by their signatures; judge and allocate are quick and stay."""
    names = ("resolve_runs", "select_runs", "fit_laws", "compare", "judge", "allocate", "backtest", "write_report")
    real = {name: getattr(bs, name) for name in ("judge", "allocate")}
    patches = {name: patch(f"bayescale.{name}", autospec=True) for name in names}
    mocks = {name: each.start() for name, each in patches.items()}
    for name in ("resolve_runs", "select_runs"):
        mocks[name].return_value = wide_runs
    mocks["fit_laws"].return_value = dict(wide_comparison.fits)
    mocks["compare"].return_value = wide_comparison
    mocks["backtest"].return_value = simulated_backtest()
    mocks["write_report"].side_effect = lambda _path, *results, **options: report_record(*results, **options)
    for name, function in real.items():
        mocks[name].side_effect = function
    yield SimpleNamespace(**mocks)
    for each in patches.values():
        each.stop()


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


# Tables and laws


def test_data_lists_the_tables_with_the_public_fields(run_json):
    record = run_json("data")
    assert record["schema"] == "bayescale/data/1"
    for table in record["tables"]:
        assert {"name", "rows", "response", "shipped", "licence", "reference"} <= set(table)


def test_laws_lists_every_law_with_the_public_fields(run_json):
    record = run_json("laws")
    assert record["schema"] == "bayescale/laws/1"
    assert [law["name"] for law in record["laws"]] == list(LAWS)
    for law in record["laws"]:
        assert {"name", "covariates", "response", "parameters", "reference"} <= set(law)


@pytest.mark.parametrize("name", sorted(LAWS))
def test_one_law_is_told_in_full(name, run_json, capsys):
    law = run_json("laws", name)["laws"][0]
    assert set(law["priors"]) == set(law["parameters"]) == set(LAWS[name].parameters)
    assert set(law["published"]) == set(LAWS[name].published)
    assert main(["laws", name]) == 0
    printed = capsys.readouterr().out
    assert " ".join(LAWS[name].formula.split()) in " ".join(printed.split())
    assert all(parameter in printed for parameter in law["parameters"])


def test_data_and_laws_print_every_entry(capsys):
    assert main(["data"]) == 0
    printed = capsys.readouterr().out
    assert all(table["name"] in printed for table in bs.list_tables())
    assert main(["laws"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in LAWS)


@pytest.mark.parametrize("tokens", [["data"], ["laws"], ["check", "chinchilla"]])
def test_every_command_takes_a_seed(tokens, capsys):
    assert main([*tokens, "--seed", "1", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


# Check


def test_check_tells_what_a_table_can_and_cannot_identify(run_json, capsys):
    record = run_json("check", "chinchilla")
    assert record["schema"] == "bayescale/check/1"
    assert record["usable"]
    assert record["faults"] == []
    assert record["rows"] == 245
    assert {"ranges", "spread_N_at_like_C", "correlation", "condition", "can", "cannot", "notes"} <= set(record)
    assert main(["check", "chinchilla"]) == 0
    printed = capsys.readouterr().out
    for words in ("Can identify", "Cannot identify", "s.d. of log10 N at like C", "correlation", "given by the table"):
        assert words in printed


def test_check_prints_null_where_json_has_no_number(tmp_path, run_json, capsys):
    path = tmp_path / "same_ratio.csv"
    path.write_text("N,D,loss\n" + "".join(f"1e8,{k}e9,{4 - k / 10}\n2e8,{k}e9,{3.9 - k / 10}\n" for k in (2, 3, 5)))
    record = run_json("check", str(path))
    assert record["condition"] is None or record["condition"] > 1e6
    assert main(["check", str(path)]) == 0
    assert "condition number" in capsys.readouterr().out


def test_check_prints_every_fault_on_stderr_and_ends_with_3(tmp_path, capsys):
    path = tmp_path / "bad.csv"
    path.write_text("run,N,D,loss\na,1e8,2e9,x\nb,2,3e9,3.3\n", encoding="utf-8")
    assert main(["check", str(path)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "column N is 2 for run 'b' (line 3)" in err
    assert "column loss is 'x' for run 'a' (line 2)" in err
    assert "Traceback" not in err
    assert main(["check", str(path), "--json"]) == 3
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert (record["schema"], record["usable"], len(record["faults"])) == ("bayescale/check/1", False, 3)
    assert err.splitlines() == record["faults"]


def test_columns_and_a_selection_reach_the_table(runs_file, run_json):
    record = run_json("check", str(runs_file), "--map", "N=model_size,loss=val/loss", "--where", "N < 2e10")
    assert (record["rows"], record["name"]) == (8, "mine [N < 2e10]")
    assert record["response"] == "loss"


def test_response_and_unit_reach_the_table(verbs):
    assert main(["check", "some.csv", "--response", "bpc", "--unit", "bits per byte", "--map", "N=n"]) == 0
    verbs.resolve_runs.assert_called_once_with(
        "some.csv", columns={"N": "n"}, response="bpc", unit="bits per byte", needs=None
    )
    verbs.select_runs.assert_not_called()


# Fit


def test_fit_hands_its_options_to_fit_laws(verbs, wide_runs):
    options = ["--laws", "tilt,chinchilla", "--seed", "7", "--draws", "300", "--no-cache", "--where", "N > 1"]
    assert main(["fit", "wide", *options]) == 0
    verbs.select_runs.assert_called_once_with(wide_runs, "N > 1")
    (runs, names), keywords = verbs.fit_laws.call_args
    assert (runs, names) == (wide_runs, ["tilt", "chinchilla"])
    assert callable(keywords.pop("progress"))
    assert keywords == {"draws": 300, "random_seed": 7, "cache": False}


@pytest.mark.usefixtures("verbs")
def test_fit_prints_parameters_at_both_scales_and_diagnostics(run_json, capsys):
    record = run_json("fit", "wide", "--law", "chinchilla", "--probability", "0.5")
    assert (record["schema"], record["probability"]) == ("bayescale/fits/1", 0.5)
    law = record["fits"][0]
    assert law["law"] == "chinchilla"
    assert law["diagnostics"]["passed"]
    entries = {entry["name"]: entry for entry in law["parameters"]}
    assert list(entries) == ["E", "A", "B", "alpha", "beta", "sigma", "nu"]
    assert set(entries["A"]["reference"]) == set(entries["A"]["published"]) == INTERVAL
    assert entries["sigma"]["published"] is None
    assert main(["fit", "wide"]) == 0
    printed = capsys.readouterr().out
    assert "diagnostics passed" in printed
    assert "50%" not in printed
    assert "90% credible interval" in printed


@pytest.mark.usefixtures("verbs")
def test_derived_quantities_have_no_reference_scale(run_json):
    fits = run_json("fit", "wide")["fits"]
    entries = {entry["name"]: entry for law in fits if law["law"] == "kaplan_n" for entry in law["parameters"]}
    assert entries["N_c"]["reference"] is None
    assert entries["N_c"]["published"]["lower"] > 0


def test_fits_are_saved_in_a_folder_or_one_in_a_file(verbs, wide_fit, tmp_path, capsys):
    assert main(["fit", "wide", "--output", str(tmp_path / "fits")]) == 0
    saved = {path.name for path in (tmp_path / "fits").iterdir()}
    assert saved == {"chinchilla.nc", "compute_floor.nc", "tilt.nc", "kaplan_n.nc"}
    verbs.fit_laws.return_value = {"chinchilla": wide_fit}
    assert main(["fit", "wide", "--law", "chinchilla", "--output", str(tmp_path / "one.nc")]) == 0
    assert bs.load_fit(tmp_path / "one.nc").law.name == "chinchilla"
    assert f"saved: {tmp_path / 'one.nc'}" in capsys.readouterr().out


@pytest.mark.parametrize("laws", [(), ("--laws", "tilt,chinchilla")])
def test_one_file_for_several_fits_is_a_usage_error(laws, verbs, tmp_path, capsys):
    assert main(["fit", "wide", *laws, "--output", str(tmp_path / "one.nc")]) == 2
    assert "name a folder" in capsys.readouterr().err
    verbs.fit_laws.assert_not_called()


@pytest.mark.parametrize(("response", "first"), [("loss", "compute_power"), ("bpc", "guo_compute")])
def test_default_laws_suit_the_response_and_are_stated(response, first):
    table = SimpleNamespace(response=response, frame=pd.DataFrame(columns=["N", "D", "C", response]))
    names, notes = steps.choose_laws(table, None)
    assert names[0] == first
    assert set(names) <= set(LAWS)
    assert "chinchilla" in names
    assert ", ".join(names) in notes[0]
    assert steps.choose_laws(table, "tilt, chinchilla") == (["tilt", "chinchilla"], [])


def test_a_table_without_sizes_gets_the_laws_of_the_columns_it_has():
    table = SimpleNamespace(response="error", frame=pd.DataFrame(columns=["run", "D", "error"]), name="curves")
    names, notes = steps.choose_laws(table, None)
    assert {"m1", "m2", "m3", "m4", "bnsl"} <= set(names)
    assert all(LAWS[name].covariates == ("D",) for name in names)
    assert ", ".join(names) in notes[0]
    with pytest.raises(bs.InputError, match="curves: no law describes gain by the columns run, D, gain"):
        steps.choose_laws(
            SimpleNamespace(response="gain", frame=pd.DataFrame(columns=["run", "D", "gain"]), name="curves"), None
        )


def test_needed_columns_reach_the_table(verbs):
    assert main(["check", "some.csv", "--needs", "D, steps"]) == 0
    assert verbs.resolve_runs.call_args.kwargs["needs"] == ["D", "steps"]


def test_a_law_is_drawn_before_it_has_seen_a_run(tmp_path, run_json):
    path = tmp_path / "prior.svg"
    law = run_json("laws", "moe_granular", "--figure", str(path))["laws"][0]
    assert law["figure"] == str(path)
    assert path.read_text(encoding="utf-8").count("<svg") == 1
    assert main(["laws", "--figure", str(path), "--quiet"]) == 2
    assert main(["laws", "chinchilla", "--figure", str(tmp_path / "prior.xls"), "--quiet"]) == 3


def test_the_default_laws_are_stated_in_the_help(capsys):
    assert main(["fit", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for names in steps.DEFAULT_LAWS.values():
        assert ", ".join(names) in text


@pytest.mark.usefixtures("own_cache")
def test_progress_tells_what_is_done_of_what_the_cache_lacks(wide_runs, monkeypatch):
    said = Said()
    monkeypatch.setattr(steps, "waiting_laws", lambda _table, _names, _sampling: ["kaplan_n", "chinchilla"])

    def fitted(_runs, names, **options):
        for name in names:
            options["progress"](name)
        return {}

    with patch("bayescale.fit_laws", autospec=True, side_effect=fitted):
        steps.fit_laws(wide_runs, ["tilt", "kaplan_n", "chinchilla"], Sampling(), said)
    work = "compiling and sampling 2 laws (1 in the cache)"
    assert said.told == [work, (0, 2), (0, 2), (1, 2), (2, 2)]


# Compare


@pytest.mark.usefixtures("verbs")
def test_compare_has_the_promised_shape(run_json, wide_comparison):
    record = run_json("compare", "wide")
    assert record["schema"] == "bayescale/compare/1"
    assert {"runs", "laws", "verdict"} <= set(record)
    assert [law["name"] for law in record["laws"]] == list(wide_comparison.table.index)
    assert all(set(law) >= LAW_FIELDS for law in record["laws"])
    verdict = record["verdict"]
    assert set(verdict) >= VERDICT_FIELDS
    assert verdict["answer"] in ("compute_suffices", "split_matters", "cannot_tell")
    assert set(verdict["tilt"]) == INTERVAL
    assert {"lower", "upper", "tolerance", "probability"} <= set(verdict["tokens_per_parameter"])
    for waste in verdict["waste"]:
        assert "factor" in waste
        assert set(waste["extra_compute"]) == INTERVAL


def test_compare_hands_its_options_on(verbs, wide_comparison):
    assert main(["compare", "wide", "--probability", "0.8", "--tolerance", "0.1", "--no-cache"]) == 0
    (fits,), keywords = verbs.compare.call_args
    assert fits == verbs.fit_laws.return_value
    assert callable(keywords.pop("progress"))
    assert keywords == {"cache": False}
    verbs.judge.assert_called_once_with(wide_comparison, tolerance=0.1, probability=0.8)


@pytest.mark.usefixtures("verbs")
def test_compare_prints_table_verdict_tilt_and_waste(capsys):
    assert main(["compare", "wide"]) == 0
    printed = capsys.readouterr().out
    for words in ("elpd_diff", "weight", "bad_k", "Verdict: ", "Tilt: ", "Extra compute, median [90% interval]"):
        assert words in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert "\x1b" not in printed


def test_remedies_are_printed_where_the_table_cannot_tell(verbs, wide_comparison, capsys):
    verdict = bs.judge(wide_comparison)
    unsure = SimpleNamespace(**{**vars(verdict), "answer": "cannot_tell", "remedies": ("runs of one recipe",)})
    verbs.judge.side_effect = lambda *_, **__: unsure
    assert main(["compare", "wide"]) == 0
    printed = capsys.readouterr().out
    assert "Verdict: cannot tell" in printed
    assert "- runs of one recipe" in printed


def test_laws_of_one_kind_are_compared_without_a_verdict(verbs, run_json, capsys):
    verbs.judge.side_effect = bs.InputError("a verdict needs a law of compute alone")
    record = run_json("compare", "wide", "--laws", "tilt,chinchilla")
    assert record["verdict"] is None
    assert record["notes"][-1] == "no verdict: a verdict needs a law of compute alone"
    assert main(["compare", "wide", "--laws", "tilt,chinchilla"]) == 0
    assert "Verdict" not in capsys.readouterr().out


@pytest.mark.usefixtures("verbs")
def test_results_are_also_written_as_json(tmp_path, capsys):
    path = tmp_path / "new" / "compare.json"
    assert main(["compare", "wide", "--json", "--output", str(path)]) == 0
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(capsys.readouterr().out)


# Allocate


@pytest.mark.usefixtures("verbs")
def test_allocate_has_the_promised_shape(run_json):
    record = run_json("allocate", "wide", "--budget", "1e21", "--budget", "5.76e23", "--probability", "0.8")
    assert (record["schema"], record["probability"]) == ("bayescale/allocate/1", 0.8)
    assert [entry["flops"] for entry in record["allocations"]] == [1e21, 5.76e23]
    for entry in record["allocations"]:
        assert set(entry) >= BUDGET_FIELDS
        assert all(set(entry[name]) == INTERVAL for name in ("N", "D", "tokens_per_parameter", "loss"))
        assert {"N", "D", "expected_loss", "expected_regret"} <= set(entry["recommended"])
        assert entry["near_optimal"]["tolerance"] == 0.05
        assert len(entry["near_optimal"]["N"]) == 2


def test_allocate_averages_a_comparison_over_default_budgets(verbs, wide_comparison, wide_runs, capsys):
    assert main(["allocate", "wide", "--tolerance", "0.1"]) == 0
    largest = wide_runs.frame["C"].max()
    verbs.allocate.assert_called_once_with(
        wide_comparison, [largest, 10 * largest, 100 * largest], probability=0.9, tolerance=0.1, random_seed=0
    )
    printed = capsys.readouterr().out
    for words in ("budgets: 1, 10 and 100 times the largest run (default)", "parameters", "tokens per parameter"):
        assert words in printed
    assert "median [90% interval]" in printed
    assert "by law chinchilla alone" in printed or "averaged over laws" in printed
    assert "expected regret" in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("option", ["--law", "--laws"])
def test_allocate_by_one_law_compares_nothing(option, verbs, wide_fit):
    verbs.fit_laws.return_value = {"chinchilla": wide_fit}
    assert main(["allocate", "wide", option, "chinchilla", "--budget", "1e22"]) == 0
    assert verbs.fit_laws.call_args.args[1] == ["chinchilla"]
    verbs.compare.assert_not_called()
    verbs.allocate.assert_called_once_with(wide_fit, [1e22], probability=0.9, tolerance=0.05, random_seed=0)


# Report


def test_report_writes_what_was_compared_judged_and_allocated(verbs, wide_comparison, tmp_path, capsys):
    path = tmp_path / "my report.html"
    tokens = ["report", "wide", "--budget", "1e22", "--output", str(path)]
    assert main(tokens) == 0
    (where, comparison, verdict, allocation), keywords = verbs.write_report.call_args
    assert (where, comparison) == (path, wide_comparison)
    assert verdict.answer
    assert allocation.optima.sizes["budget"] == 1
    assert keywords.pop("backtest") is verbs.backtest.return_value
    assert keywords.pop("plan").aim == "regret"
    assert keywords == {"command": f"bayescale report wide --budget 1e22 --output '{path}'"}
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
    assert main(["report", "wide", "--laws", "compute_floor,tilt", "--law", "chinchilla"]) == 0
    assert verbs.fit_laws.call_args.args[1] == ["compute_floor", "tilt", "chinchilla"]
    assert verbs.allocate.call_args.args[0] is wide_comparison.fits["chinchilla"]


def test_report_backtests_the_law_it_uses_most(verbs, wide_comparison, run_json):
    record = run_json("report", "wide", "--law", "chinchilla", "--seed", "5")
    (runs, laws), options = verbs.backtest.call_args
    assert (runs, laws) == (wide_comparison.runs, [wide_comparison.fits["chinchilla"].law])
    assert (options["methods"], options["random_seed"], options["cache"]) == (("discrepancy", "plain"), 5, True)
    assert verbs.write_report.call_args.kwargs["backtest"] is verbs.backtest.return_value
    assert record["backtest"]["law"] == "chinchilla"


def test_report_goes_without_a_backtest_where_runs_are_too_few(verbs, capsys):
    verbs.backtest.side_effect = bs.InputError("no fold leaves enough runs")
    assert main(["report", "wide"]) == 0
    assert verbs.write_report.call_args.kwargs["backtest"] is None
    assert "no backtest: no fold leaves enough runs" in capsys.readouterr().out


# Backtest


def test_backtest_hands_its_options_on(verbs, wide_runs):
    options = ["--laws", "tilt,chinchilla", "--by", "N", "--thresholds", "0.2,10", "--seed", "7", "--no-cache"]
    assert main(["backtest", "wide", *options]) == 0
    (runs, names), keywords = verbs.backtest.call_args
    assert (runs, names) == (wide_runs, ["tilt", "chinchilla"])
    assert callable(keywords.pop("progress"))
    assert keywords == {"by": "N", "thresholds": [0.2, 10.0], "random_seed": 7, "cache": False}


@pytest.mark.usefixtures("own_cache")
def test_backtest_shows_how_many_folds_of_all_laws_are_done(verbs, wide_runs):
    said = Said()
    hold_out(wide_runs, ["tilt", "kaplan_n"], "C", [0.2, 10.0], Refitting(), say=said)
    count = verbs.backtest.call_args.kwargs["progress"]
    count("tilt", 1, 2)
    count("kaplan_n", 2, 2)
    assert said.told[-3:] == ["forecasting runs held out by C, with 2 laws", (1, 4), (3, 4)]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.usefixtures("verbs")
def test_backtest_prints_scores_by_threshold_and_by_reach(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["backtest", "wide"]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= width
    lines = [line.split() for line in printed.splitlines()]
    assert sum(line[:1] == ["discrepancy"] and len(line) == 10 for line in lines) == 2
    words = " ".join(printed.split())
    for part in ("Largest 20 % by C", "C within 10x of the largest", "times beyond the training runs"):
        assert part in words
    for part in ("mind the fold", "laws: compute_power", "1 model compiled", "90 % intervals held", "Nearest to the"):
        assert part in words


@pytest.mark.usefixtures("verbs")
def test_backtest_has_the_public_fields(run_json):
    record = run_json("backtest", "wide", "--law", "chinchilla")
    assert (record["schema"], record["by"], record["compilations"]) == ("bayescale/backtest/1", "C", 1)
    fields = {"law", "method", "threshold", "held_out", "factor", "coverage", "width", "lpd", "crps", "bias", "rmse"}
    for scores in record["scores"]:
        assert fields <= set(scores)
        assert set(scores["coverage"]) == {"0.5", "0.8", "0.9", "0.95"}
    assert record["by_factor"]
    assert record["doubts"] == []


def test_failed_refits_of_a_backtest_are_doubts(verbs, capsys):
    verbs.backtest.return_value = simulated_backtest(failed=(0.2,))
    assert main(["backtest", "wide"]) == 0
    assert "(doubtful)" in capsys.readouterr().out
    assert main(["backtest", "wide", "--strict"]) == 4
    assert "doubtful: chinchilla: diagnostics failed with largest 20 % by C held out" in capsys.readouterr().err


# Exit statuses


@pytest.mark.parametrize(
    "tokens",
    [
        ["alocate", "chinchilla"],
        ["allocate"],
        ["check", "chinchilla", "--unknown"],
        ["laws", "chinchila"],
        ["fit", "chinchilla", "--laws", "chinchila"],
        ["fit", "chinchilla", "--laws", "tilt,tilt"],
        ["fit", "chinchilla", "--seed", "-1"],
        ["fit", "chinchilla", "--seed", "one"],
        ["fit", "chinchilla", "--draws", "0"],
        ["fit", "chinchilla", "--probability", "1.5"],
        ["compare", "chinchilla", "--tolerance", "nan"],
        ["compare", "chinchilla", "--laws", "tilt"],
        ["backtest", "chinchilla", "--by", "size"],
        ["backtest", "chinchilla", "--by", "family", "--thresholds", "0.2"],
        ["backtest", "chinchilla", "--thresholds", "1"],
        ["backtest", "chinchilla", "--thresholds", "0.2,much"],
        ["backtest", "chinchilla", "--thresholds", "10,10.0"],
        ["allocate", "chinchilla", "--budget", "-1e21"],
        ["allocate", "chinchilla", "--budget", "inf"],
        ["allocate", "chinchilla", "--budget", "much"],
        ["allocate", "chinchilla", "--law", "tilt,chinchilla"],
        ["allocate", "chinchilla", "--law", "tilt", "--laws", "chinchilla"],
        ["check", "chinchilla", "--map", "N"],
        ["check", "chinchilla", "--map", "N=a,N=b"],
        ["compare", "chinchilla", "--output", "."],
        ["report", "chinchilla", "--output", "report.json"],
    ],
)
def test_usage_errors_end_with_2_and_print_nothing_on_stdout(tokens, verbs, capsys):
    assert main(tokens) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err
    assert "Traceback" not in err
    verbs.fit_laws.assert_not_called()


@pytest.mark.usefixtures("verbs")
def test_an_output_below_a_file_is_refused_at_once(runs_file, capsys):
    assert main(["fit", "wide", "--output", str(runs_file / "fits")]) == 2
    assert main(["fit", "wide", "--output", str(runs_file)]) == 2
    assert "not a folder" in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_unusable_data_ends_with_3_and_the_whole_message(tmp_path, capsys):
    missing = tmp_path / "none.csv"
    assert main(["compare", str(missing)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"there is no file '{missing}'")
    assert main(["check", "chinchilla", "--where", "N < 0"]) == 3
    assert "0 of 245 rows are left" in capsys.readouterr().err


@pytest.fixture
def doubtful(verbs, wide_comparison, synthetic_fit, wide_runs):
    """Let the verbs return a fit that failed its diagnostics; return what is said of it."""
    failure = "R-hat (rank) of A is 1.400 (at most 1.01)"
    fits = {**wide_comparison.fits, "chinchilla": synthetic_fit("chinchilla", wide_runs, failures=(failure,))}
    verbs.fit_laws.return_value = fits
    verbs.compare.return_value = dataclasses.replace(wide_comparison, fits=fits)
    return f"doubtful: chinchilla: {failure}"


@pytest.mark.parametrize("command", ["fit", "compare", "allocate", "report"])
def test_doubtful_diagnostics_end_with_4_only_under_strict(command, doubtful, tmp_path, capsys):
    path = ["--output", str(tmp_path / "report.html")] if command == "report" else []
    assert main([command, "wide", *path]) == 0
    plain, err = capsys.readouterr()
    assert err == ""
    assert main([command, "wide", *path, "--strict"]) == 4
    strict, err = capsys.readouterr()
    assert strict == plain != ""
    assert doubtful in err


@pytest.mark.usefixtures("verbs")
def test_sound_diagnostics_pass_under_strict():
    assert main(["fit", "wide", "--strict"]) == 0


def test_high_pareto_k_is_a_doubt(verbs, wide_comparison):
    table = wide_comparison.table.assign(bad_k=1)
    verbs.compare.return_value = dataclasses.replace(wide_comparison, table=table)
    assert main(["compare", "wide", "--strict"]) == 4


def test_an_interruption_ends_with_130_and_one_line(verbs, tmp_path, capsys):
    verbs.fit_laws.side_effect = KeyboardInterrupt
    path = tmp_path / "compare.json"
    assert main(["compare", "wide", "--output", str(path)]) == 130
    out, err = capsys.readouterr()
    assert (out, err) == ("", "interrupted\n")
    assert not path.exists()


@pytest.fixture
def interruptible():
    """A process in the background may have been told to ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_inside_a_callback_is_not_lost(verbs, capsys):
    def compile_slowly(*args, **kwargs):
        del args, kwargs
        ctypes.CFUNCTYPE(None)(Mock(side_effect=KeyboardInterrupt))()  # as from LLVM, while laws compile
        end = time.monotonic() + 10
        while time.monotonic() < end:  # at work, not asleep
            pass

    verbs.fit_laws.side_effect = compile_slowly
    begin = sys.unraisablehook
    assert main(["compare", "wide"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert sys.unraisablehook is begin


def test_the_unexpected_ends_with_1_and_asks_for_a_report(verbs, monkeypatch, capsys):
    verbs.fit_laws.side_effect = ZeroDivisionError("by zero")
    monkeypatch.delenv("BAYESCALE_DEBUG", raising=False)
    assert main(["compare", "wide"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("unexpected ZeroDivisionError: by zero\n")
    assert "please report it" in err
    assert "Traceback" not in err
    monkeypatch.setenv("BAYESCALE_DEBUG", "1")
    assert main(["compare", "wide"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_is_no_fault_of_the_program(verbs, capsys):
    verbs.write_report.side_effect = OSError(28, "No space left on device", "report.html")
    assert main(["report", "wide"]) == 1
    assert capsys.readouterr().err == "[Errno 28] No space left on device: 'report.html'\n"


# Streams


def process(*arguments, env=(), **options):
    """Run Python with these arguments, far from the shell's settings of colour and width."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR", "NO_COLOR")}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, env={**kept, **dict(env)}, timeout=600, **options
    )


@pytest.mark.parametrize(
    "tokens",
    [["--help"], ["--version"], ["report", "--help"], ["laws"], ["laws", "tilt"], ["data"], ["check", "chinchilla"]],
)
def test_what_needs_no_fit_imports_no_sampler(tokens):
    code = (
        "import sys; from bayescale.cli import main; status = main(sys.argv[1:]); "
        "heavy = [name for name in ('pymc', 'pytensor', 'nutpie', 'arviz', 'arviz_stats', 'matplotlib', 'joblib') "
        "if name in sys.modules]; sys.exit(f'status {status}, imported {heavy}' if status or heavy else 0)"
    )
    done = process("-c", code, *tokens)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_help_imports_neither_numpy_nor_pandas():
    code = "import sys; from bayescale.cli import main; main(['--help']); print([*sys.modules], file=sys.stderr)"
    names = process("-c", code).stderr
    assert "'cyclopts'" in names
    assert "'numpy'" not in names
    assert "'pandas'" not in names


def test_the_module_runs_and_ends_with_the_status_of_main():
    done = process("-m", "bayescale", "--version")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, bs.__version__, "")
    done = process("-m", "bayescale", "laws", "chinchila")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean" in done.stderr


@pytest.mark.parametrize("tokens", [["laws"], ["laws", "--json"]])
def test_a_closed_pipe_is_no_error(tokens):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        command = [sys.executable, "-m", "bayescale", *tokens]
        done = subprocess.run(command, check=False, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_colour_is_left_out_of_pipes_and_where_no_color_is_set():
    plain = process("-m", "bayescale", "laws").stdout
    assert "\x1b" not in plain
    colourless = process("-m", "bayescale", "laws", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout
    assert "\x1b[3" not in colourless


def test_an_ascii_terminal_gets_ascii():
    done = process("-m", "bayescale", "laws", env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout.isascii()) == (0, True)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("tokens", [["laws"], ["data"], ["laws", "kaplan_nd"], ["check", "public-models"]])
def test_tables_fit_the_width(tokens, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(tokens) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= width


# Parts


def test_json_has_null_for_what_is_not_finite(capsys):
    record = {"doubts": [], "values": (float("nan"), np.float64("inf"), 1.5), "nested": {"a": [-float("inf"), True, 3]}}
    assert emit(record, tables.show_nothing, Printing(json=True)) == 0
    assert json.loads(capsys.readouterr().out) == {
        "doubts": [],
        "values": [None, None, 1.5],
        "nested": {"a": [None, True, 3]},
    }
    assert without_infinities(np.float64(2)) == 2


def test_columns_are_read_from_pairs():
    assert parse_columns("N=model size, loss=val/loss=final") == {"N": "model size", "loss": "val/loss=final"}
    assert parse_columns(None) is None
    with pytest.raises(ValueError, match="found 'D'"):
        parse_columns("N=a,D")


def test_laws_are_read_from_names():
    assert parse_laws("tilt, chinchilla") == ["tilt", "chinchilla"]
    with pytest.raises(ValueError, match="did you mean 'chinchilla'"):
        parse_laws("tilt,chinchila")


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"median": 0.3435, "lower": 0.3277, "upper": 0.3588}, "0.344 [0.328, 0.359]"),
        ({"median": 2.6168, "lower": 2.6083, "upper": 2.6241}, "2.617 [2.608, 2.624]"),
        ({"median": 0.0, "lower": -0.1, "upper": 0.1}, "0 [-0.100, 0.100]"),
        ({"median": None, "lower": None, "upper": None}, "none [none, none]"),
        (None, ""),
    ],
)
def test_intervals_have_the_digits_that_their_width_needs(entry, text):
    assert tables.interval(entry) == text


@pytest.mark.slow
def test_from_a_file_to_a_report(small_runs, tmp_path, own_cache):
    table = tmp_path / "runs.csv"
    small_runs.frame.to_csv(table, index=False)
    report = tmp_path / "out" / "report.html"
    tokens = ["report", str(table), "--laws", "compute_floor,chinchilla", "--output", str(report), "--json"]
    done = process("-m", "bayescale", *tokens, env={"BAYESCALE_CACHE": str(own_cache)})
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    assert record["verdict"]["answer"]
    assert report.stat().st_size > 10_000
    assert len(list((own_cache / "fits").glob("*.nc"))) >= 2

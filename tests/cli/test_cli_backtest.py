"""The command ``backtest``: its wiring, shape and words."""

import pytest
from made import simulated_backtest

from bayescale.cli import main
from bayescale.cli.commands.backtest import hold_out
from bayescale.cli.options import Refitting


def test_backtest_hands_its_options_on(verbs, wide_runs):
    options = ["--laws", "tilt,chinchilla", "--by", "N", "--thresholds", "0.2,10", "--seed", "7", "--no-cache"]
    assert main(["backtest", "wide", *options]) == 0
    (runs, laws), keywords = verbs.backtest.call_args
    assert (runs, [law.name for law in laws]) == (wide_runs, ["tilt", "chinchilla"])
    assert callable(keywords.pop("progress"))
    assert keywords == {"by": "N", "thresholds": [0.2, 10.0], "random_seed": 7, "cache": False}


@pytest.mark.usefixtures("own_cache")
def test_backtest_shows_how_many_folds_of_all_laws_are_done(said, verbs, wide_runs):
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
    for part in ("Largest 20% by C", "C within 10x of the largest", "times beyond the fitted runs"):
        assert part in words
    for part in ("mind the fold", "laws: compute_power", "90% intervals held", "Nearest to the"):
        assert part in words


@pytest.mark.usefixtures("verbs")
def test_backtest_has_the_public_fields(run_json):
    record = run_json("backtest", "wide", "--law", "chinchilla")
    assert (record["schema"], record["by"]) == ("bayescale/backtest/1", "C")
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
    assert "doubtful: chinchilla: diagnostics failed with largest 20% by C held out" in capsys.readouterr().err

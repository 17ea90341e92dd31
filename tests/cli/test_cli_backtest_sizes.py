"""The command ``backtest --of size``: its wiring, shape and words."""

import pandas as pd
import pytest

from bayescale.cli import main
from bayescale.cli.commands.backtest_sizes import hold_out_slices
from bayescale.cli.options import Refitting
from bayescale.decisions.size_backtesting import FAILED, SizeBacktest
from bayescale.decisions.size_scores import size_scores


@pytest.fixture
def sizes(monkeypatch, wide_runs):
    """Replace the verb by one that returns two forecasts of each of two methods."""
    calls = []
    row = {
        "slices": 2, "flops": 1e21, "factor": 2.0, "observed": 1e9, "observed_error": 0.1, "N": 1.1e9, "low_90": 0.8e9,
        "high_90": 1.4e9, "inside_50": False, "inside_80": True, "inside_90": True, "width_90": 0.5, "lpd": 0.3,
        "error": 0.1, "extra_compute": 0.004,
    }  # fmt: skip
    far = row | {"flops": 1e22, "factor": 20.0, "inside_90": False, "extra_compute": 0.2}
    points = pd.DataFrame([{"law": law, "method": m, **each} for law, m in LAWS_AND_METHODS for each in (row, far)])
    found = SizeBacktest(points, size_scores(points), wide_runs, (f"chinchilla: {FAILED} with 2 slices held out",))

    def backtest_sizes(*arguments, **keywords):
        calls.append((arguments, keywords))
        return found

    monkeypatch.setattr("bayescale.backtest_sizes", backtest_sizes)
    monkeypatch.setattr(
        "bayescale.decisions.size_backtesting.planned_size_folds", lambda *_, **__: {"chinchilla": (4, 1)}
    )
    return calls


LAWS_AND_METHODS = (("chinchilla", "path"), ("", "line"))


@pytest.mark.usefixtures("verbs")
def test_sizes_are_asked_for_with_the_options_given(sizes, wide_runs):
    assert main(["backtest", "wide", "--of", "size", "--laws", "tilt,chinchilla", "--seed", "7", "--no-cache"]) == 0
    ((runs, names), keywords) = sizes[0]
    assert (runs, names) == (wide_runs, ["tilt", "chinchilla"])
    assert callable(keywords.pop("progress"))
    assert keywords == {"random_seed": 7, "cache": False}


@pytest.mark.usefixtures("own_cache", "sizes")
def test_it_shows_how_many_folds_are_done(said, wide_runs, sizes):
    hold_out_slices(wide_runs, ["chinchilla"], Refitting(), say=said)
    sizes[0][1]["progress"]("chinchilla", 1, 4)
    assert said.told[-2:] == ["forecasting best sizes of slices held out, with law chinchilla", (1, 4)]


@pytest.mark.parametrize("options", [["--by", "N"], ["--thresholds", "0.2"]])
@pytest.mark.usefixtures("verbs", "sizes")
def test_options_of_the_backtest_of_losses_are_refused(options, capsys):
    assert main(["backtest", "wide", "--of", "size", *options]) == 2
    assert "leave out --by and --thresholds" in capsys.readouterr().err


@pytest.mark.usefixtures("verbs", "sizes")
def test_its_json_has_the_public_fields(run_json):
    record = run_json("backtest", "wide", "--of", "size")
    assert record["schema"] == "bayescale/backtest-sizes/1"
    assert [(row["law"], row["method"]) for row in record["scores"]] == [("chinchilla", "path"), (None, "line")]
    assert [row["factor"] for row in record["by_factor"]] == [[1, 3], [12, 64]] * 2
    assert record["scores"][0]["extra_compute"]["mean"] == pytest.approx(0.102)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.usefixtures("verbs", "sizes")
def test_it_prints_tables_by_distance_and_a_failed_refit_is_a_doubt(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["backtest", "wide", "--of", "size", "--strict"]) == 4
    told = capsys.readouterr()
    assert max(map(len, told.out.splitlines())) <= width
    words = " ".join(told.out.split())
    assert "All distances: 2 forecasts by each method" in words
    assert "12 to 64 times beyond the runs fitted: 1 forecast by each method" in words
    assert "90 % intervals of the best size held: path 1 of 2 (50 %), line 1 of 2 (50 %)" in words
    assert "doubtful: chinchilla: diagnostics failed with 2 slices held out" in told.err


@pytest.mark.usefixtures("verbs", "sizes")
def test_a_dry_run_says_how_many_posteriors_there_are(run_json, sizes):
    record = run_json("backtest", "wide", "--of", "size", "--dry-run")
    assert (record["work"][0]["posteriors"], record["to_sample"]) == (4, 3)
    assert sizes == []

"""The command ``backtest --of size``: its wiring, shape and words."""

import pytest

from bayescale.cli import main
from bayescale.cli.commands.backtest_sizes import hold_out_slices
from bayescale.cli.options import Refitting
from bayescale.laws import LAWS, Prior


@pytest.fixture
def sizes(monkeypatch, verbs):
    """Plan four folds, one of them known, without a table that has slices."""
    planned = {"chinchilla": (4, 1)}
    monkeypatch.setattr("bayescale.decisions.size_backtesting.planned_size_folds", lambda *_, **__: planned)
    return verbs.backtest_sizes


def test_sizes_are_asked_for_with_the_options_given(sizes, wide_runs):
    assert main(["backtest", "wide", "--of", "size", "--laws", "tilt,chinchilla", "--seed", "7", "--no-cache"]) == 0
    (runs, laws), keywords = sizes.call_args
    assert (runs, laws) == (wide_runs, [LAWS["tilt"], LAWS["chinchilla"]])
    assert callable(keywords.pop("progress"))
    assert keywords == {"random_seed": 7, "cache": False}


def test_sizes_are_forecast_with_the_priors_given(sizes, run_json):
    asked = ["backtest", "wide", "--of", "size", "--law", "chinchilla", "--prior", "alpha=Normal(0.34, 0.05)"]
    record = run_json(*asked)
    ((_, (law,)), _) = sizes.call_args
    assert law.priors["alpha"] == Prior("Normal", {"mu": 0.34, "sigma": 0.05})
    assert [entry["parameter"] for entry in record["priors"]] == ["alpha"]
    assert any(note.startswith("prior by hand: alpha") for note in record["defaults"])


@pytest.mark.usefixtures("own_cache")
def test_it_shows_how_many_folds_are_done(said, wide_runs, sizes):
    hold_out_slices(wide_runs, ["chinchilla"], Refitting(), say=said)
    sizes.call_args.kwargs["progress"]("chinchilla", 1, 4)
    assert said.told[-2:] == ["forecasting best sizes of slices held out, with law chinchilla", (1, 4)]


@pytest.mark.parametrize("options", [["--by", "N"], ["--thresholds", "0.2"]])
@pytest.mark.usefixtures("sizes")
def test_options_of_the_backtest_of_losses_are_refused(options, capsys):
    assert main(["backtest", "wide", "--of", "size", *options]) == 2
    assert "leave out --by and --thresholds" in capsys.readouterr().err


@pytest.mark.usefixtures("sizes")
def test_its_json_has_the_public_fields(run_json):
    record = run_json("backtest", "wide", "--of", "size")
    assert record["schema"] == "bayescale/backtest-sizes/1"
    assert [(row["law"], row["method"]) for row in record["scores"]] == [("chinchilla", "path"), (None, "line")]
    assert [row["factor"] for row in record["by_factor"]] == [[1, 3], [12, 64]] * 2
    assert record["scores"][1]["extra_compute"]["mean"] == pytest.approx(0.03, abs=0.01)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.usefixtures("sizes")
def test_it_prints_tables_by_distance_and_a_failed_refit_is_a_doubt(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["backtest", "wide", "--of", "size", "--strict"]) == 4
    told = capsys.readouterr()
    assert max(map(len, told.out.splitlines())) <= width
    words = " ".join(told.out.split())
    assert "All distances: 2 forecasts by each method" in words
    assert "12 to 64 times beyond the fitted runs: 1 forecast by each method" in words
    assert "90% intervals of the best size held: path 2 of 2 (100%), line 0 of 2 (0%)" in words
    assert "doubtful: chinchilla: diagnostics failed with 2 slices held out" in told.err


@pytest.mark.usefixtures("sizes")
def test_a_dry_run_says_how_many_posteriors_there_are(run_json, sizes):
    record = run_json("backtest", "wide", "--of", "size", "--dry-run")
    assert (record["work"][0]["posteriors"], record["to_sample"]) == (4, 3)
    sizes.assert_not_called()

import json

import pytest

from bayescale.catalogue import data_dir
from bayescale.forecasts import track_record
from bayescale.forecasts.track_record import coverage_earned, size_coverage_earned


@pytest.fixture
def counts(monkeypatch):
    bins = [
        {"low": 1.0, "high": 3.0, "tables": 4, "forecasts": 200, "inside": 190, "reached": 2.9},
        {"low": 3.0, "high": None, "tables": 3, "forecasts": 50, "inside": 40, "reached": 90.0},
    ]
    bins = [entry | {"extra_compute": 0.012, "extra_compute_95": 0.05} for entry in bins]
    monkeypatch.setattr(track_record, "_record", lambda _: {"law": "chinchilla", "probability": 0.9, "bins": bins})


@pytest.mark.usefixtures("counts")
def test_the_bin_of_the_factor_is_quoted():
    assert "90% intervals of runs 1 to 3 times beyond the fitted runs held 95% of 200" in coverage_earned(2.0)
    far = coverage_earned(20.0)
    assert "more than 3 times beyond the fitted runs held 80% of 50 forecasts (3 tables)" in far
    assert "none so far" not in far
    assert coverage_earned(1000.0).endswith("none so far beyond")


@pytest.mark.usefixtures("counts")
def test_no_count_is_no_promise():
    assert coverage_earned(0.5).startswith("no backtest")


@pytest.mark.usefixtures("counts")
def test_what_intervals_of_the_best_size_held_and_wasted_is_quoted():
    near = size_coverage_earned(2.0)
    assert (
        "90% intervals of the best size by law chinchilla 1 to 3 times beyond the fitted runs held 95% of 200" in near
    )
    assert near.endswith("following them wasted 1.2% of the compute on average (95% point 5%)")
    assert "none so far beyond" in size_coverage_earned(100.0)
    assert size_coverage_earned(0.5).startswith("no backtest")


@pytest.mark.parametrize("name", [track_record.FILE, track_record.SIZES])
def test_the_shipped_counts_are_whole(name):
    record = json.loads((data_dir() / name).read_text())
    lows = [entry["low"] for entry in record["bins"]]
    assert lows == sorted(lows)
    assert record["bins"]
    assert record["probability"] == 0.9
    for entry in record["bins"]:
        assert 0 <= entry["inside"] <= entry["forecasts"]
        assert entry["low"] <= entry["reached"] <= (entry["high"] or float("inf"))

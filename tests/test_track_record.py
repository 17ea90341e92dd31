import json

import pytest

from bayescale.catalogue import data_dir
from bayescale.forecasts import track_record
from bayescale.forecasts.track_record import coverage_earned


@pytest.fixture
def counts(monkeypatch):
    bins = [
        {"low": 1.0, "high": 3.0, "tables": 4, "forecasts": 200, "inside": 190, "reached": 2.9},
        {"low": 3.0, "high": None, "tables": 3, "forecasts": 50, "inside": 40, "reached": 90.0},
    ]
    monkeypatch.setattr(track_record, "_record", lambda: {"probability": 0.9, "bins": bins})


@pytest.mark.usefixtures("counts")
def test_the_bin_of_the_factor_is_quoted():
    assert "90 % intervals of runs 1 to 3 times beyond the runs fitted held 95 % of 200" in coverage_earned(2.0)
    far = coverage_earned(20.0)
    assert "more than 3 times beyond the runs fitted held 80 % of 50 forecasts (3 tables)" in far
    assert "none so far" not in far
    assert coverage_earned(1000.0).endswith("none so far beyond")


@pytest.mark.usefixtures("counts")
def test_no_count_is_no_promise():
    assert coverage_earned(0.5).startswith("no backtest")


def test_the_shipped_counts_are_whole():
    record = json.loads((data_dir() / track_record.FILE).read_text())
    lows = [entry["low"] for entry in record["bins"]]
    assert lows == sorted(lows)
    assert record["bins"][-1]["high"] is None
    for entry in record["bins"]:
        assert 0 <= entry["inside"] <= entry["forecasts"]
        assert entry["low"] <= entry["reached"] <= (entry["high"] or float("inf"))

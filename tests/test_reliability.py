"""How often intervals held: counts by bin, Jeffreys' interval, and words that say no more than the counts."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from bayescale.errors import InputError
from bayescale.forecasts.reliability import earned, held_text, reliability, reliability_statement


def points_of(*rows):
    """Return points of (method, run, factor, inside)."""
    frame = pd.DataFrame(rows, columns=["method", "run", "factor", "inside_90"])
    return frame.assign(law="chinchilla", inside_50=False)


MIXED = points_of(
    ("plain", "a", 1.0, True),
    ("plain", "a", 2.0, False),
    ("plain", "b", 2.9, True),
    ("plain", "c", 44.0, False),
    ("conformal", "a", 3.0, True),
)


def test_counts_are_by_method_and_bin_and_a_run_forecast_twice_is_one_run():
    rows = reliability(MIXED)
    assert rows["method"].tolist() == ["plain", "plain", "conformal"]
    assert rows[["low", "forecasts", "held", "runs"]].to_numpy().tolist() == [[1, 3, 2, 2], [30, 1, 0, 1], [3, 1, 1, 1]]
    assert rows["coverage"].tolist() == pytest.approx([2 / 3, 0.0, 1.0])
    assert reliability(MIXED, 0.5)["held"].tolist() == [0, 0, 0]


def test_runs_of_two_tables_are_told_apart():
    both = pd.concat([MIXED.assign(table="one"), MIXED.assign(table="two")])
    assert reliability(both)["runs"].tolist() == [4, 2, 2]
    assert reliability(pd.concat([MIXED, MIXED]))["runs"].tolist() == [2, 1, 1]


def test_the_interval_of_a_coverage_is_jeffreys():
    rows = points_of(*(("plain", str(i), 2.0, i < 7) for i in range(10)))
    found = reliability(rows).iloc[0]
    assert [found["lower"], found["upper"]] == pytest.approx(beta(7.5, 3.5).ppf([0.05, 0.95]))
    everything = reliability(points_of(*(("plain", str(i), 2.0, True) for i in range(10)))).iloc[0]
    assert (everything["upper"], everything["lower"]) == (1.0, pytest.approx(beta(10.5, 0.5).ppf(0.05)))


def test_an_interval_that_was_not_scored_is_refused():
    with pytest.raises(InputError, match=r"none of 0\.7"):
        reliability(MIXED, 0.7)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1.0, "up to 3 times beyond the fitted runs held 2 of 3 forecasts (2 different runs)"),
        (0.1, "up to 3 times beyond the fitted runs held 2 of 3 forecasts (2 different runs)"),
        (5.0, "up to 3 times beyond the fitted runs held 2 of 3 forecasts (2 different runs)"),
        (31.0, "30 to 44 times beyond the fitted runs held 0 of 1"),
        (100.0, "30 to 44 times beyond the fitted runs held 0 of 1; none was as far as 100 times"),
    ],
)
def test_what_was_earned_is_told_by_the_nearest_bin_below(factor, words):
    assert earned(MIXED[MIXED["method"] == "plain"], factor) == f"90% intervals of runs {words}"


def test_forecasts_inside_the_range_are_said_to_be():
    row = {"low": 0.0, "high": 1.0, "reach": 0.5, "held": 1, "forecasts": 1, "runs": 1}
    assert held_text(row) == "90% intervals of runs within the fitted runs held 1 of 1"


def test_the_statement_counts_each_method_and_names_the_nearest():
    said = reliability_statement(MIXED)
    assert "plain 2 of 4 (50%), conformal 1 of 1 (100%)" in said
    assert "50% intervals held: plain 0%, conformal 0%." in said
    assert "Nearest to the 90% that all promise: conformal." in said
    assert "50% intervals held: plain 0%, conformal 0%." in said
    assert "Nearest" not in reliability_statement(MIXED[MIXED["method"] == "plain"])
    assert np.isclose(reliability(MIXED)["coverage"].max(), 1.0)

"""docs/make_best_sizes.py: what the page and the shipped counts say of given forecasts."""

import importlib
import sys
from pathlib import Path

import pandas as pd
import pytest
from made import simulated_size_backtest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    return importlib.import_module("make_best_sizes")


@pytest.fixture
def points():
    first = simulated_size_backtest().points
    second = first.assign(inside_90=False, width_90=1.0, extra_compute=0.5)
    return pd.concat([first.assign(table="first"), second.assign(table="second"), second.assign(table="third")])


def test_the_shipped_counts_are_of_our_own_method_by_distance(script, points):
    record = script.earned(points)
    assert [(each["low"], each["high"]) for each in record["bins"]] == [(1.0, 3.0), (12.0, 64.0)]
    for each in record["bins"]:
        assert (each["tables"], each["forecasts"], each["inside"]) == (3, 3, 1)
        assert each["extra_compute"] == pytest.approx(1 / 3, rel=0.01)


def test_tables_count_alike_however_many_forecasts_they_have(script, points):
    more = pd.concat([points, *[points[points["table"] == "second"]] * 5])
    for given in (points, more):
        found = script.overall(script.alike(given)).set_index("method")
        assert found.loc["path", "coverage_90"] == pytest.approx(1 / 3)


def test_the_page_has_every_method_distance_and_table(script, points):
    text = script.page(points, ["a note"])
    assert "On each of\n3 tables" in text
    for words in (script.WORDS["path"], script.WORDS["line"], "1 to 3 times", "12 to 64 times", "- a note"):
        assert words in text
    (line,) = [line for line in text.splitlines() if line.startswith("| second |")]
    assert line.startswith("| second | 0 of 2 /")
    assert line.count("50.0%") == 2


def test_tables_on_which_the_method_was_not_chosen_are_scored_apart(script, points):
    text = script.page(points, [], ["second", "third"])
    parts = text.split("## Tables on which the method was not chosen")[1].split("## How far")[0]
    unseen, chosen = parts.split("On the 1 on which it was chosen:")
    own = f"| {script.WORDS['path']} |"
    assert f"{own} 4 | 100 | 100 | 0 |" in unseen
    assert f"{own} 2 | 100 | 100 | 100 |" in chosen


def test_the_other_tables_are_the_counts_of_parameters_that_were_left(script, tmp_path):
    rows = {"dataset": "rw", "hparams": "base", "warmup": "long", "decay": "kaplan", "flops": 6e18}
    frame = pd.DataFrame(
        [
            {**rows, "param_count": name, "n": size * 1e8, "t": 1e10 / size, "loss": 3.0 + size / 100}
            for name in ("standard", "attention")
            for size in range(4, 10)
        ]
    )
    frame.to_csv(tmp_path / "points.csv", index=False)
    (job,) = script.confirming_jobs(tmp_path / "points.csv")
    assert job.title == "porian RefinedWeb, base-long-kaplan, N by 'attention'"
    found = job.load().frame
    assert found["N"].tolist() == [4e8, 5e8, 6e8, 7e8, 8e8, 9e8]
    assert found["C"].tolist() == [6e18] * 6

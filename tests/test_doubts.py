"""Numbers whose diagnostics failed say so wherever they are read."""

import dataclasses

import pytest

import bayescale as bs
from bayescale.cli.tables import brief_doubts
from bayescale.records.fits import allocate_record, doubts_of_laws
from bayescale.report.page import _first

FAILURES = ("R-hat of E is 1.2", "R-hat of A is 1.3", "12 divergences")


@pytest.fixture
def with_failed(wide_comparison, wide_runs, synthetic_fit):
    """Return a function that gives the comparison with one fit that failed its diagnostics."""

    def of(name):
        failed = synthetic_fit(name, wide_runs, failures=FAILURES)
        return dataclasses.replace(wide_comparison, fits={**wide_comparison.fits, name: failed})

    return of


def test_a_result_of_a_failed_fit_says_so_above_its_lines(with_failed):
    comparison = with_failed("chinchilla")
    for result in (comparison, bs.allocate(comparison.fits["chinchilla"], [1e22])):
        assert repr(result).startswith("Doubtful: chinchilla: ")
        assert "R-hat of E is 1.2" in repr(result).splitlines()[0]
        assert "<strong>Doubtful: chinchilla" in result._repr_html_()


def test_a_failed_law_that_takes_no_part_is_a_note_and_no_doubt(with_failed):
    comparison = with_failed("compute_floor")
    record = allocate_record(comparison, bs.allocate(comparison, [1e22]), [])
    assert record["doubts"] == []
    note = "compute_floor failed its diagnostics (R-hat of E is 1.2) and takes no part in these numbers"
    assert note in record["notes"]
    assert doubts_of_laws(comparison, ["compute_floor"])[0] == ["compute_floor: R-hat of E is 1.2 (and 2 more)"]


def test_the_page_names_two_failures_of_a_law_above_its_answer():
    assert _first(("a", "b")) == ["a", "b"]
    assert _first(("a", "b", "c", "d")) == ["a", "b", "2 more stand under Diagnostics"]


def test_doubts_of_one_law_are_one_line():
    doubts = ["tilt: R-hat of E is 1.2", "tilt: 12 divergences; R-hat of E is 1.2", "3% of draws have no best run"]
    assert brief_doubts(doubts) == [
        "tilt: R-hat of E is 1.2 (and 1 more, see --json)",
        "3% of draws have no best run",
    ]

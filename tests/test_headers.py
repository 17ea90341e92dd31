"""Which column of a table is which, on sets of headers from the wild."""

import csv
from pathlib import Path

import pytest

from bayescale.runs.header_words import read_header
from bayescale.runs.headers import assign_columns
from bayescale.runs.scales import SCALED

LINES = (Path(__file__).parent / "fixtures" / "header_sets.txt").read_text(encoding="utf-8").splitlines()
SETS = LINES[2:]  # below the two lines that say what they are


def test_there_are_many_sets_and_no_two_are_the_same():
    assert len(SETS) > 150
    assert len({line.partition(" ->")[0] for line in SETS}) == len(SETS)


@pytest.mark.parametrize("line", SETS)
def test_columns_and_factors_are_those_that_the_headers_say(line):
    text, _, choices = line.partition(" ->")
    (headers,) = csv.reader([text])
    assigned = assign_columns("made", headers, None)
    if choices.strip().startswith("!"):
        (fault,) = assigned.faults
        assert f"can each be {choices.strip()[1:]}; choose one with" in fault
        return
    assert not assigned.faults
    found = {name: f"{name}={header}{factor(name, header)}" for name, header in assigned.headers.items()}
    assert sorted(found.values()) == sorted(filter(None, choices.strip().split("; ")))


def factor(name, header):
    value = read_header(header).factor if name in SCALED else 1
    return "" if value == 1 else f" x {value:g}".replace("e+0", "e").replace("e+", "e")

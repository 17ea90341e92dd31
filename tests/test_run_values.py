"""Values in a table of runs: which numbers no run can have."""

import pytest
from tables import ROWS, edited, only_fault, refusal, with_column, written

from bayescale.runs import (
    read_runs,
)


def test_counts_in_billions_are_refused_with_the_run_line_value_and_remedy(tmp_path):
    fault = only_fault(written(tmp_path, rows=edited(1, "D", "1.4")))
    assert fault == ("runs.csv: column D is 1.4 for run 'b' (line 3); tokens are counts, so write 1.4 billion as 1.4e9")


def test_a_fault_names_the_header_of_the_file_too(tmp_path):
    path = written(tmp_path, rows=edited(1, "D", "1.4"), header=["run", "N", "tokens", "loss"])
    assert only_fault(path).startswith("runs.csv: column D ('tokens') is 1.4 for run 'b' (line 3); ")


@pytest.mark.parametrize("text", ["", "NaN", "NA", "None", "null", "n/a", "-"])
def test_missing_values_are_faults_in_the_columns_every_law_needs(tmp_path, text):
    fault = only_fault(written(tmp_path, rows=edited(2, "loss", text)))
    assert fault == (
        "runs.csv: column loss is missing for run 'c' (line 4); give the value, or take the run out (--drop-unfinished)"
    )


def test_compute_that_is_partly_missing_can_be_left_out(tmp_path):
    fault = only_fault(written(tmp_path, **with_column("C", ["1.2e18", "", "", "4.8e19", "3e20", "1.08e21"])))
    assert fault.endswith("take the run out, or take out the column with ignore=['C'] (--ignore C) and let C be 6 N D")


@pytest.mark.parametrize("text", ["inf", "-inf", "1e400", "Infinity"])
def test_infinite_and_overflowing_values_are_refused(tmp_path, text):
    fault = only_fault(written(tmp_path, rows=edited(0, "N", text)))
    assert fault == f"runs.csv: column N is {text} for run 'a' (line 2); the value must be finite and below 1e308"


@pytest.mark.parametrize(
    ("column", "text", "remedy"),
    [
        ("N", "0", "parameters are counts above zero; give the value, or take the run out"),
        ("N", "-1e9", "parameters are counts, so give the positive count"),
        ("D", "0.3", "tokens are counts, and this is a fraction; write 0.3 billion as 3e8, "
                     "or multiply a share by its total"),
        ("N", "7000", "parameters are counts, so write 7000 million as 7e9"),
        ("N", "2e15", "more than 1e15 parameters is far beyond any run known; check the unit"),
        ("D", "2e17", "more than 1e17 tokens is far beyond any run known; check the unit"),
        ("loss", "0", "a loss is above zero; give the value, or take the run out"),
        ("loss", "-2", "a loss is above zero; give the value, or take the run out"),
    ],
)  # fmt: skip
def test_values_that_no_run_can_have_are_refused_with_a_remedy(tmp_path, column, text, remedy):
    fault = only_fault(written(tmp_path, rows=edited(3, column, text)))
    assert fault == f"runs.csv: column {column} is {text} for run 'd' (line 5); {remedy}"


def test_hundreds_of_trillions_of_tokens_pass_with_a_note(tmp_path):
    runs = read_runs(written(tmp_path, rows=edited(5, "D", "627T")))
    assert "tokens per parameter are 2.09e5 for run 'f' (line 7); check the units of N and D" in runs.notes


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("seven", "this is no number, so write a count such as 7e9, 7B or 7,000,000,000"),
        ("7 B tokens", "this is no number, so write a count such as 7e9, 7B or 7,000,000,000"),
        ("0x10", "hexadecimal is not understood, so write the decimal number"),
        ("3%", "percentages are not understood, so write the part, such as 0.231 for 23.1%"),
    ],
)
def test_text_in_a_number_column_is_refused_with_its_row(tmp_path, text, remedy):
    fault = only_fault(written(tmp_path, rows=edited(0, "N", text)))
    assert fault == f"runs.csv: column N is {text!r} for run 'a' (line 2); {remedy}"


def test_commas_that_may_part_thousands_are_refused_in_a_file_with_semicolons(tmp_path):
    rows = [[run, N, "12,345", f"{float(loss):.3f}".replace(".", ",")] for run, N, _, loss in ROWS]
    faults = refusal(written(tmp_path, rows=rows, separator=";")).faults
    assert len(faults) == 2
    assert all("a comma may be a decimal point here" in fault for fault in faults)
    assert faults[1].startswith("runs.csv: column loss is '3,500' for run 'a' (line 2), '3,300' for run 'b' (line 3), ")


def test_many_faults_of_one_kind_are_summarised_after_five(tmp_path):
    rows = [[f"r{i}", "7", str(10**9 + i), str(3 - i / 100)] for i in range(42)]
    fault = only_fault(written(tmp_path, rows=rows))
    assert fault.count("for run") == 5
    assert ", and 37 more; parameters are counts" in fault


def test_every_kind_of_fault_is_reported_at_once(tmp_path):
    rows = [["a", "7", "2e9", "3.5"], ["b", "x", "0", ""], ["c", "4e8", "-1", "inf"], ["c", "8e8", "0.5", "300"], ["e"]]
    error = refusal(written(tmp_path, rows=rows), columns={"size": "N"})
    assert len(error.faults) == 12
    assert str(error) == "\n".join(error.faults)
    assert all(fault.startswith("runs.csv: ") for fault in error.faults)

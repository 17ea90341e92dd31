"""Whole tables of runs: duplicates, frames, selections, published tables, and anything at all."""

import contextlib
import csv
import json

import numpy as np
import pandas as pd
import published
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tables import (
    HEADER,
    ROWS,
    edited,
    frame_of_rows,
    isoflop_grid,
    only_fault,
    refusal,
    synthetic,
    with_column,
    written,
)

from bayescale.errors import InputError
from bayescale.runs import (
    RunTable,
    describe,
    read_runs,
    select_runs,
)

# Whole tables


def test_exact_duplicates_are_refused_with_their_lines(tmp_path):
    assert only_fault(written(tmp_path, rows=[*ROWS, ROWS[0], ROWS[2]])) == (
        "runs.csv: the same row stands on line 2, line 8, the same row stands on line 4, line 9; "
        "keep one of each (--drop-duplicates)"
    )


def test_checkpoints_of_one_run_are_not_independent_rows(tmp_path):
    fault = only_fault(written(tmp_path, rows=[*ROWS, ["a", "1e8", "4e9", "3.4"]]))
    assert fault.startswith(
        "runs.csv: run labels are repeated with different values: 'a' on line 2, line 8; checkpoints"
    )
    assert "keep the final row of each run" in fault


def test_a_run_without_a_label_among_labelled_runs_is_refused(tmp_path):
    fault = only_fault(written(tmp_path, rows=edited(1, "run", " ")))
    assert fault == "runs.csv: column run is empty on line 3; give every run a label"


def test_fewer_than_five_runs_are_too_few(tmp_path):
    fault = only_fault(written(tmp_path, rows=ROWS[:4]))
    assert fault == "runs.csv: there are 4 readable rows, and a law needs at least 5; add runs"


@pytest.mark.parametrize("column", ["N", "D", "loss"])
def test_a_column_that_never_varies_is_refused(tmp_path, column):
    rows = [list(row) for row in ROWS]
    for row in rows:
        row[HEADER.index(column)] = "2.5" if column == "loss" else "1e9"
    assert f"column {column} is " in only_fault(written(tmp_path, rows=rows))
    assert "in every row, so no law can be inferred from it" in only_fault(written(tmp_path, rows=rows))


def test_repeated_data_is_noted(tmp_path):
    runs = read_runs(written(tmp_path, **with_column("epochs", ["1", "1", "2", "4", "1", ""])))
    assert "2 of 6 runs repeat their data; laws of N and D alone are stated for a single epoch" in runs.notes
    assert "epochs is missing in 1 of 6 rows" in runs.notes
    runs = read_runs(written(tmp_path, **with_column("unique_tokens", ["1e9"] * 6)))
    assert any(note.startswith("6 of 6 runs repeat their data") for note in runs.notes)


def test_replicates_and_proportional_data_are_noted():
    N = np.array([1e8, 1e8, 2e8, 4e8, 8e8, 1.6e9])
    runs = synthetic(N, 20 * N, seed=range(6))
    assert "D is 20 N in every row, so N and D cannot be distinguished" in runs.notes
    assert "2 runs share their N and D with another: replicates, or different in something else" in runs.notes
    assert any(note.startswith("the same N, D and loss stand on row 1, row 2") for note in runs.notes)


def test_a_response_that_rises_with_compute_is_noted(tmp_path):
    runs = read_runs(written(tmp_path, rows=[[*row[:3], str(2 + i)] for i, row in enumerate(ROWS)]))
    assert "loss rises with compute; make sure that it is a loss, and that no run overfitted" in runs.notes


# DataFrames


def test_a_frame_gets_the_same_checks_and_is_not_changed():
    frame = pd.DataFrame(
        {"params": ["7B", "70B", 1e9, 10**10, 3e9], "tokens": pd.array([2, 3, None, 5, 6], dtype="Int64")}
    )
    frame["val_loss"] = [2.0, 1.9, 2.2, 2.1, True]
    before = frame.copy()
    with pytest.raises(InputError) as caught:
        RunTable.from_frame(frame, name="mine")
    assert (
        caught.value.faults[0] == "mine: column D ('tokens') is missing on row 3; give the value, or take the run out"
    )
    assert any(
        "column loss ('val_loss') is 'True' on row 5; this is no number" in fault for fault in caught.value.faults
    )
    pd.testing.assert_frame_equal(frame, before)


def test_a_named_index_counts_as_a_column():
    frame = frame_of_rows().set_index("run")
    assert RunTable.from_frame(frame).frame["run"].tolist() == list("abcdef")


def test_an_empty_frame_is_refused():
    with pytest.raises(InputError, match="your table: the table has no rows"):
        RunTable.from_frame(pd.DataFrame({"N": [], "D": [], "loss": []}))


# Anything at all


ODD_CELLS = st.sampled_from(
    ["", "nan", "--inf", "+-inf", "--1", "1e9", "7B", "-1", "inf", "2.5", "1e400", '"', ";", "N", "9" * 400]
)
CELLS = st.one_of(st.text(max_size=8), ODD_CELLS)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text().map(str.encode), st.binary()), st.sampled_from(["r.csv", "r.tsv", "r.jsonl", "r.parquet"]))
def test_any_bytes_are_refused_in_words(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    assert all(refusal(path).faults)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CELLS, min_size=5, max_size=5), min_size=1, max_size=8))
def test_any_cells_make_a_table_or_are_refused_in_words(tmp_path, rows):
    header = ["run", "N", "D", "C", "loss"]
    path = tmp_path / "runs.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *([cell.replace("\x00", "") for cell in row] for row in rows)])
    lines = tmp_path / "runs.jsonl"
    lines.write_text("\n".join(json.dumps(dict(zip(header, row, strict=True))) for row in rows), encoding="utf-8")
    for each in (path, lines):
        with contextlib.suppress(InputError):
            read_runs(each)


# Selection


def test_a_selection_keeps_the_rows_for_which_its_condition_holds():
    runs = isoflop_grid()
    near = select_runs(runs, "3 <= D / N <= 150")
    ratio = near.frame["D"] / near.frame["N"]
    assert len(near.frame) == int(((runs.frame["D"] / runs.frame["N"]).between(3, 150)).sum())
    assert ratio.between(3, 150).all()
    assert near.name == "synthetic [3 <= D / N <= 150]"
    assert isinstance(near.frame.index, pd.RangeIndex)
    assert near.notes[-1] == f"{len(near.frame)} of 28 rows selected by 3 <= D / N <= 150"
    assert len(runs.frame) == 28


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("N >", "cannot select by 'N >' ("),
        ("width > 3", "write a comparison over the columns run, N, D, C, loss"),
        ("N + D", "is true or false of no row"),
        ("True", "is true or false of no row"),
        ("", "cannot select by ''"),
        ("N > @condition", "cannot select by"),
        ("run > 3", "cannot select by"),
        ("N > 1e12", "0 of 28 rows are left, and a law needs at least 5; widen the condition"),
        ("run == 'run 01' or N > 1e12", "1 of 28 rows are left"),
    ],
)
def test_a_selection_that_cannot_be_used_is_refused(condition, words):
    with pytest.raises(InputError) as caught:
        select_runs(isoflop_grid(), condition)
    assert words in str(caught.value)


def test_a_selection_in_which_a_size_never_varies_is_refused():
    N, D = np.meshgrid([1e8, 1e9], np.geomspace(1e9, 1e11, 6))
    with pytest.raises(InputError, match=r"column N is 1e8 in every row left; widen the condition"):
        select_runs(synthetic(N.ravel(), D.ravel()), "N < 5e8")


# Public tables, where their copies are


def tidy_frame(name):
    path = published.tidy(name)
    return path, pd.read_csv(path)


def test_the_full_chinchilla_table_reads_with_its_own_headers():
    path, _ = tidy_frame("epoch-chinchilla")
    runs = read_runs(path)
    assert len(runs.frame) == 245
    assert runs.compute == "given"
    assert describe(select_runs(runs, "excluded_by_authors == 0")).spread_N_at_like_C == pytest.approx(0.292, abs=2e-3)


@pytest.mark.parametrize(
    ("name", "select", "rows"),
    [
        ("porian", "dataset == 'RefinedWeb' and family == 'base-short-chinchilla'", 88),
        ("gadre-overtrain", "dataset == 'C4'", 34),
        ("datablations", "dataset == 'C4'", 296),
        ("gemstones", "phase == 'cool_end'", 199),
        ("steplaw-dense", "is_grid_best == 1", 17),
        ("steplaw-moe", "experts > 0", 708),
    ],
)
def test_one_evaluation_of_a_public_table_is_read(name, select, rows):
    _, frame = tidy_frame(name)
    runs = RunTable.from_frame(frame.query(select), name=name)
    assert len(runs.frame) == rows
    assert np.isfinite(runs.frame["C"]).all()


def test_the_public_tables_that_cannot_be_read_say_why():
    path, _ = tidy_frame("porian")
    assert any("column dataset has 2 values" in fault for fault in refusal(path).faults)
    path, _ = tidy_frame("vocab-scaling")
    assert any("every value is negative" in fault for fault in refusal(path).faults)
    path, _ = tidy_frame("routed-lm")
    assert any("column D ('tokens') has no values" in fault for fault in refusal(path).faults)

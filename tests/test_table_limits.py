"""Tables that are too large, and names that a terminal would obey: refused or shown harmless, at once."""

import importlib
import re
import time

import numpy as np
import pandas as pd
import pytest
from tables import frame_of_rows, written

from bayescale.errors import InputError
from bayescale.runs import read_runs

STEERING = "\x1b[2J\u202ex\x9b\x07"


def test_names_that_steer_a_terminal_are_shown_by_their_numbers():
    shown = r"\x1b[2J\u202ex\x9b\x07"
    frame = frame_of_rows().assign(family=STEERING, other=STEERING).rename(columns={"N": f"N{STEERING}"})
    table = read_runs(frame, columns={"N": f"N{STEERING}"}, name=f"a{STEERING}")
    assert table.name == f"a{shown}"
    assert set(table.frame["family"]) == set(table.frame["other"]) == {shown}
    assert not re.search("[\x00-\x1f\x80-\x9f\u202e]", "".join(table.notes))


def test_a_file_name_that_steers_a_terminal_is_shown_by_its_numbers(tmp_path):
    path = tmp_path / "a\x1bb\udcff.csv"
    path.write_text(written(tmp_path).read_text())
    assert read_runs(path).name == r"a\x1bb\udcff"
    path.write_text("run,N\n")
    with pytest.raises(InputError) as caught:
        read_runs(path)
    assert r"a\x1bb\udcff.csv" in str(caught.value)


@pytest.mark.parametrize("unit", ["\x1b[2J", "furlongs\u202e", "x" * 61])
def test_a_unit_that_steers_a_terminal_or_is_a_story_is_refused(unit):
    with pytest.raises(InputError, match="a unit is a few words, such as 'nats per token'"):
        read_runs(frame_of_rows().assign(loss_unit=f"my {unit}"))


@pytest.mark.parametrize("columns", [2_001, 30_000])
def test_a_table_of_too_many_columns_is_refused_at_once(tmp_path, columns):
    header = ",".join(["run", "N", "D", "loss", *(f"c{i}" for i in range(columns - 4))])
    path = tmp_path / "wide.csv"
    path.write_text(f"{header}\n{','.join('1' * columns)}\n")
    began = time.process_time()
    with pytest.raises(InputError, match=f"{columns:,} columns; at most 2,000 are read"):
        read_runs(path)
    with pytest.raises(InputError, match="at most 2,000 are read"):
        read_runs(pd.DataFrame(np.ones((1, columns))))
    assert time.process_time() - began < 5


def test_2000_columns_are_read_in_a_moment(tmp_path):
    wide = frame_of_rows().join(pd.DataFrame(np.ones((6, 1_990)), columns=[f"c{i}" for i in range(1_990)]))
    wide.to_csv(tmp_path / "wide.csv", index=False)
    began = time.process_time()
    assert len(read_runs(tmp_path / "wide.csv").frame.columns) > 1_990
    assert time.process_time() - began < 10


def test_lines_that_each_have_keys_of_their_own_are_refused_before_they_are_built(tmp_path):
    path = tmp_path / "sparse.jsonl"
    path.write_text("".join(f'{{"k{row}": 1}}\n' for row in range(20_000)))
    with pytest.raises(InputError, match="20,000 columns"):
        read_runs(path)


def test_parquet_is_refused_by_what_its_end_says_before_it_is_read(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    parquet = importlib.import_module("pyarrow.parquet")
    rows = 25_000_000
    parquet.write_table(pa.table({"N": pa.array(np.zeros(rows, dtype=np.int8))}), tmp_path / "long.parquet")
    with pytest.raises(InputError, match="25,000,000 rows or more of 1 columns; at most 20,000,000 cells are read"):
        read_runs(tmp_path / "long.parquet")


def test_a_long_table_is_refused_while_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("bayescale.runs.source.MOST_CELLS", 20)
    with pytest.raises(InputError, match="at most 20 cells are read: keep a row for each finished run"):
        read_runs(written(tmp_path))


@pytest.mark.parametrize("column", ["N", "run", "loss_unit", "dataset"])
def test_a_cell_that_holds_a_book_makes_no_book_of_a_message(column):
    frame = (
        frame_of_rows()
        .astype(str)
        .assign(**{column: lambda table: ["x" * 70_000, *table.get(column, table["run"])[1:]]})
    )
    try:
        said = "\n".join(read_runs(frame).notes)
    except InputError as error:
        said = str(error)
    assert len(said) < 5_000

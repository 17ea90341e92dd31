"""Files of runs: what is read, of whatever kind, and what is no table."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tables import only_fault, refusal, written

from bayescale.runs import (
    RunTable,
    read_runs,
)


def test_a_sound_file_becomes_a_table_in_canonical_columns(tmp_path):
    runs = read_runs(written(tmp_path))
    assert isinstance(runs, RunTable)
    assert list(runs.frame.columns) == ["run", "N", "D", "C", "loss"]
    assert isinstance(runs.frame.index, pd.RangeIndex)
    assert (runs.frame.dtypes[["N", "D", "C", "loss"]] == "float64").all()
    assert (runs.name, runs.response, runs.unit, runs.compute) == ("runs", "loss", "nats per token", "6ND")
    assert runs.frame["run"].tolist() == list("abcdef")
    assert runs.notes == ("C is computed as 6 N D",)
    assert dict(runs.record) == {}


def test_a_missing_file_is_named_with_the_working_directory(tmp_path):
    fault = only_fault(tmp_path / "absent.csv")
    assert fault.startswith(f"{tmp_path / 'absent.csv'}: there is no such file; working directory ")


def test_a_directory_is_no_table(tmp_path):
    assert only_fault(tmp_path) == f"{tmp_path}: this is a directory; give the file of runs in it"


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"\xef\xbb\xbf", b",,,\n,,,\n"])
def test_an_empty_file_is_refused(tmp_path, content):
    path = tmp_path / "runs.csv"
    path.write_bytes(content)
    assert only_fault(path) == "runs.csv: the file is empty; expected a header and one line per run"


def test_a_header_without_rows_is_refused(tmp_path):
    fault = only_fault(written(tmp_path, rows=[]))
    assert fault == "runs.csv: there is a header on line 1 and no row below it; add one line per run"


def test_rows_without_a_header_are_refused(tmp_path):
    path = written(tmp_path, rows=[["1e9", "2e9", "3"]], header=["1e8", "2e9", "3.5"])
    assert only_fault(path) == "runs.csv: line 1 holds only numbers, so there is no header; add one: run,N,D,loss"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf_16_is_refused_by_name(tmp_path, encoding):
    path = tmp_path / "runs.csv"
    path.write_bytes("run,N,D,loss\na,1e8,1e9,3\n".encode(encoding))
    assert "UTF-16; save it as UTF-8" in only_fault(path)


def test_latin_1_is_refused_with_its_byte_and_line(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_bytes("run,N,D,loss\na,1e8,1e9,3\ncafé,1e8,1e9,3\n".encode("latin-1"))
    assert only_fault(path) == "runs.csv: the file is not UTF-8 (byte 0xe9 on line 3); save it as UTF-8"


def test_a_byte_order_mark_is_not_part_of_the_first_header(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("\ufeff" + written(tmp_path).read_text(), encoding="utf-8")
    assert read_runs(path).frame["run"].iloc[0] == "a"


@pytest.mark.parametrize("name", ["runs.xlsx", "runs.yaml", "runs.pkl"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path, name):
    assert only_fault(written(tmp_path, name=name)).endswith(
        f"the suffix {Path(name).suffix!r} is not known; use .csv, .tsv, .jsonl, .ndjson, .json or .parquet"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04rest", "a spreadsheet or zip archive; export it as CSV"),
        (b"\x1f\x8brest", "compressed with gzip; unpack it first"),
        (b"\x80\x04rest", "a pickle, which is never read"),
        (b"run\x00\x01\x02", "NUL bytes"),
    ],
)
def test_binary_content_is_refused_whatever_the_suffix(tmp_path, content, words):
    path = tmp_path / "runs.csv"
    path.write_bytes(content)
    assert words in only_fault(path)


@pytest.mark.parametrize(("name", "separator"), [("runs.tsv", "\t"), ("runs.csv", ";"), ("runs.txt", "\t"), ("r", ",")])
def test_tabs_and_semicolons_separate_too(tmp_path, name, separator):
    runs = read_runs(written(tmp_path, name=name, separator=separator))
    assert runs.frame["D"].tolist() == [2e9, 3e9, 9e9, 1e10, 5e10, 6e10]


def test_json_lines_are_read_with_large_integers_and_absent_keys(tmp_path):
    path = tmp_path / "runs.jsonl"
    records = [{"run": f"r{i}", "N": 10**8 * i, "D": 2 * 10**9 + i, "loss": 3 - i / 10, "seed": i} for i in range(1, 7)]
    del records[2]["seed"]
    path.write_text("\n\n".join(map(json.dumps, records)), encoding="utf-8")
    runs = read_runs(path)
    assert runs.frame["N"].tolist() == [i * 1e8 for i in range(1, 7)]
    assert np.isnan(runs.frame["seed"].iloc[2])


def test_lines_that_are_no_json_objects_are_all_reported(tmp_path):
    path = tmp_path / "runs.ndjson"
    path.write_text('{"N": 1}\nnonsense\n[1, 2]\n{"N": 1, "N": 2}\n', encoding="utf-8")
    faults = refusal(path).faults
    assert faults[0].startswith("runs.ndjson: line 2 is not a JSON object (")
    assert faults[1] == "runs.ndjson: line 3 is not a JSON object (found list); write one object per line"
    assert faults[2] == "runs.ndjson: line 4 is not a JSON object (a key appears twice); write one object per line"


def test_a_parquet_file_is_read(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "runs.parquet"
    frame = read_runs(written(tmp_path)).frame.astype({"N": "int64", "D": "int64"})
    frame.to_parquet(path)
    pd.testing.assert_frame_equal(read_runs(path).frame, frame.astype({"N": float, "D": float}))


def test_a_broken_parquet_file_is_refused(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "runs.parquet"
    path.write_bytes(b"PAR1 and nothing more")
    assert "this is no readable Parquet file" in only_fault(path)


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "runs.parquet"
    path.write_bytes(b"PAR1")
    assert only_fault(path) == "runs.parquet: reading Parquet needs pyarrow; pip install 'bayescale[parquet]'"

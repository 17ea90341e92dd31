import contextlib
import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import published
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayescale.errors import InputError
from bayescale.records.runs import description_record
from bayescale.runs import (
    RunTable,
    describe,
    read_runs,
    select_runs,
)
from bayescale.runs.description import condition_number
from bayescale.runs.numerals import UnreadableNumberError, parse_number
from bayescale.words import typed

ROWS = [
    ["a", "1e8", "2e9", "3.5"],
    ["b", "2e8", "3e9", "3.3"],
    ["c", "4e8", "9e9", "3.0"],
    ["d", "8e8", "1e10", "2.9"],
    ["e", "1e9", "5e10", "2.6"],
    ["f", "3e9", "6e10", "2.4"],
]
HEADER = ["run", "N", "D", "loss"]


def written(tmp_path, rows=ROWS, header=HEADER, name="runs.csv", separator=","):
    path = tmp_path / name
    path.write_text("\n".join(separator.join(row) for row in [header, *rows]) + "\n", encoding="utf-8")
    return path


def edited(row, column, value, header=HEADER):
    rows = [list(cells) for cells in ROWS]
    rows[row][header.index(column)] = value
    return rows


def with_column(name, values):
    return {"rows": [[*row, value] for row, value in zip(ROWS, values, strict=True)], "header": [*HEADER, name]}


def refusal(path, **options):
    with pytest.raises(InputError) as caught:
        read_runs(path, **options)
    return caught.value


def only_fault(path, **options):
    faults = refusal(path, **options).faults
    assert len(faults) == 1, faults
    return faults[0]


def additive(N, D):
    return 1.7 + 480 * N**-0.35 + 2000 * D**-0.37


def synthetic(N, D, **columns):
    N, D = np.asarray(N, dtype=float), np.asarray(D, dtype=float)
    return RunTable.from_frame(pd.DataFrame({"N": N, "D": D, "loss": additive(N, D), **columns}), name="synthetic")


def isoflop_grid(budgets=(1e18, 1e19, 1e20, 1e21), sizes=7, width=1.5):
    C = np.repeat(budgets, sizes)
    centre = np.sqrt(C / 120)
    N = centre * 10 ** np.tile(np.linspace(-width / 2, width / 2, sizes), len(budgets))
    return synthetic(N, C / 6 / N)


# Files


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


# Lines and headers


def test_rows_with_a_field_too_many_or_too_few_are_faults_with_their_lines(tmp_path):
    rows = [*ROWS, ["g", "1", "000", "000", "2.4"], ["h", "1e9", "2.2"], []]
    faults = refusal(written(tmp_path, rows=rows)).faults
    assert faults[0].startswith("runs.csv: too many fields on line 8 (5); the header has 4; ")
    assert faults[1].startswith("runs.csv: too few fields on line 9 (3); the header has 4; ")
    assert len(faults) == 2


def test_line_numbers_count_the_lines_inside_quoted_cells_and_blank_lines(tmp_path):
    path = tmp_path / "runs.csv"
    text = written(tmp_path).read_text().replace("a,1e8", '"a\nb",1e8').replace("c,4e8", "\nc,oops")
    path.write_text(text, encoding="utf-8")
    assert "column N is 'oops' for run 'c' (line 6)" in only_fault(path)


def test_an_unclosed_quotation_mark_is_a_fault_with_its_line(tmp_path):
    path = written(tmp_path, rows=edited(1, "run", '"b'))
    assert only_fault(path).startswith("runs.csv: line 3 cannot be read (")


def test_headers_that_appear_twice_are_refused(tmp_path):
    path = written(tmp_path, rows=[[*row, row[1]] for row in ROWS], header=[*HEADER, " N "])
    assert only_fault(path) == "runs.csv: more than one column is called 'N'; rename or remove the others"


def test_a_column_without_a_name_is_left_out_with_a_note(tmp_path):
    runs = read_runs(written(tmp_path, rows=[["0", *row] for row in ROWS], header=["", *HEADER]))
    assert "columns without a name are left out: number 1" in runs.notes
    assert "" not in runs.frame


def test_a_missing_column_is_refused_with_the_nearest_headers_and_both_remedies(tmp_path):
    fault = only_fault(written(tmp_path, header=["run", "n_parms", "D", "loss"]))
    assert fault == (
        "runs.csv: no column N (trained parameters); the nearest are 'n_parms'; "
        "name it with columns={'N': 'n_parms'} (--map N=n_parms), "
        "or, for laws without it, name the columns they need with needs= (--needs)"
    )


def test_every_missing_column_is_reported_at_once(tmp_path):
    faults = refusal(written(tmp_path, header=["w", "x", "y", "z"])).faults
    assert [fault.split(" (")[0] for fault in faults] == [
        "runs.csv: no column N",
        "runs.csv: no column D",
        "runs.csv: no column loss",
    ]
    assert "found 'w', 'x', 'y', 'z'" in faults[0]


def test_two_aliases_of_one_column_must_be_chosen_between(tmp_path):
    path = written(tmp_path, **with_column("val_loss", ["3"] * 6))
    assert only_fault(path) == (
        "runs.csv: columns 'loss', 'val_loss' can each be loss; "
        "choose one with columns={'loss': 'loss'} (--map loss=loss)"
    )
    runs = read_runs(path, columns={"loss": "loss"})
    assert runs.frame["val_loss"].tolist() == [3.0] * 6


def test_a_column_shadowed_by_a_mapping_is_left_out_with_a_note(tmp_path):
    values = [str(float(row[3]) + 0.1) for row in ROWS]
    runs = read_runs(written(tmp_path, **with_column("val_loss", values)), columns={"loss": "val_loss"})
    assert runs.frame["loss"].iloc[0] == pytest.approx(3.6)
    assert "columns left out because another column was mapped to their name: 'loss'" in runs.notes


def test_an_unknown_name_in_columns_is_refused_with_the_known_ones(tmp_path):
    fault = only_fault(written(tmp_path), columns={"size": "N"})
    assert fault.startswith("runs.csv: columns= has the unknown name 'size'; the names are run, N, D, C, loss, bpc")


def test_a_header_that_columns_names_but_the_file_lacks_is_refused_with_the_nearest(tmp_path):
    faults = refusal(written(tmp_path, header=["run", "model_sizes", "D", "loss"]), columns={"N": "modelsize"}).faults
    assert faults[0] == "runs.csv: columns= takes N from 'modelsize', which is not there; found 'model_sizes'"


def test_one_header_cannot_serve_two_names(tmp_path):
    faults = refusal(written(tmp_path), columns={"N": "N", "D": "N"}).faults
    assert faults[0] == "runs.csv: columns= maps more than one name to 'N'; each needs its own column"


@pytest.mark.parametrize(
    ("header", "canonical"),
    [
        (["Run ID", "Model Size", "Training Tokens", "Eval/Loss"], "loss"),
        (["id", "n_params", "num_tokens", "validation_loss"], "loss"),
        (["name", "PARAMS", "tokens", "bits_per_character"], "bpc"),
    ],
)
def test_usual_headers_are_known_whatever_their_case_and_separators(tmp_path, header, canonical):
    runs = read_runs(written(tmp_path, header=header))
    assert list(runs.frame.columns) == ["run", "N", "D", "C", canonical]
    assert any(note.startswith("columns read under another name: ") for note in runs.notes)


def test_a_training_loss_is_used_with_a_note(tmp_path):
    runs = read_runs(written(tmp_path, header=["run", "N", "D", "train_loss"]))
    assert "loss is the training loss 'train_loss'; laws are stated for the loss on held-out text" in runs.notes


def test_recognised_covariates_come_before_columns_that_no_law_uses(tmp_path):
    rows = [[*row, "0.001", "50k", "x"] for row in ROWS]
    runs = read_runs(written(tmp_path, rows=rows, header=[*HEADER, "lr", "vocab_size", "tag"]))
    assert list(runs.frame.columns) == ["run", "N", "D", "C", "loss", "vocabulary", "lr", "tag"]
    assert runs.frame["vocabulary"].tolist() == [50e3] * 6
    assert "columns kept but used by no law: 'lr', 'tag'" in runs.notes


def test_a_covariate_without_any_value_is_left_out_with_a_note(tmp_path):
    runs = read_runs(written(tmp_path, **with_column("flops", [""] * 6)))
    assert runs.compute == "6ND"
    assert "column C ('flops') has no values and is left out" in runs.notes


def test_runs_without_labels_are_numbered(tmp_path):
    runs = read_runs(written(tmp_path, rows=[row[1:] for row in ROWS], header=HEADER[1:]))
    assert runs.frame["run"].tolist() == [f"run {i}" for i in range(1, 7)]


# Values


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
        ("3%", "percentages are not understood, so write the plain number"),
    ],
)
def test_text_in_a_number_column_is_refused_with_its_row(tmp_path, text, remedy):
    fault = only_fault(written(tmp_path, rows=edited(0, "N", text)))
    assert fault == f"runs.csv: column N is {text!r} for run 'a' (line 2); {remedy}"


def test_decimal_commas_are_refused_in_a_file_with_semicolons(tmp_path):
    rows = [[run, N, "12,345", loss.replace(".", ",")] for run, N, _, loss in ROWS]
    faults = refusal(written(tmp_path, rows=rows, separator=";")).faults
    assert len(faults) == 2
    assert all("a comma may be a decimal point here" in fault for fault in faults)
    assert faults[1].startswith("runs.csv: column loss is '3,5' for run 'a' (line 2), '3,3' for run 'b' (line 3), ")


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


# Compute


def test_given_compute_is_used(tmp_path):
    values = [str(5 * float(N) * float(D)) for _, N, D, _ in ROWS]
    runs = read_runs(written(tmp_path, **with_column("FLOPs", values)))
    assert runs.compute == "given"
    assert runs.frame["C"].iloc[0] == pytest.approx(5 * 1e8 * 2e9)
    assert "C is 0.833 times 6 N D in every row" in runs.notes


def test_compute_is_not_lost_to_integer_overflow():
    frame = pd.DataFrame(
        {"N": [10**11 + i for i in range(6)], "D": [10**13 + i for i in range(6)], "loss": np.linspace(2, 1.9, 6)}
    )
    assert (frame["N"] * frame["D"] * 6).iloc[0] != 6 * 10**24
    runs = RunTable.from_frame(frame)
    assert runs.frame["C"].iloc[0] == pytest.approx(6e24)
    assert runs.frame["C"].dtype == "float64"


@pytest.mark.parametrize("factor", [0.1, 12.0])
def test_compute_that_disagrees_with_6ND_is_refused_with_the_ratio(tmp_path, factor):
    values = [6 * float(N) * float(D) for _, N, D, _ in ROWS]
    values[2] *= factor
    fault = only_fault(written(tmp_path, **with_column("C", map(str, values))))
    assert f"for run 'c' (line 4), {typed(factor)} times 6 N D; C is in FLOP for the whole run" in fault


@pytest.mark.parametrize(("unit", "flop"), [("PF-days", 8.64e19), ("exaFLOP", 1e18), ("zettaFLOP", 1e21)])
def test_compute_in_another_unit_is_recognised_as_a_constant_factor(tmp_path, unit, flop):
    values = [repr(6 * float(N) * float(D) / flop) for _, N, D, _ in ROWS]
    fault = only_fault(written(tmp_path, **with_column("C", values)))
    assert "times 6 N D in every row; " in fault
    assert f"C is in FLOP, and this looks like {unit}: multiply by {typed(flop)}, with columns=" in fault
    assert fault.endswith(f"(--map 'C=C * {typed(flop)}')")


def test_compute_without_its_factor_of_six_is_recognised(tmp_path):
    values = [repr(float(N) * float(D)) for _, N, D, _ in ROWS]
    assert only_fault(written(tmp_path, **with_column("C", values))).endswith(
        "this looks like N D: multiply by 6, with columns={'C': 'C * 6'} (--map 'C=C * 6')"
    )


def test_compute_of_a_mixture_of_experts_is_compared_with_its_active_parameters(tmp_path):
    rows = [[*row, repr(0.6 * float(row[1]) * float(row[2])), repr(0.1 * float(row[1]))] for row in ROWS]
    assert read_runs(written(tmp_path, rows=rows, header=[*HEADER, "C", "active_params"])).compute == "given"


# Response and unit


def test_a_perplexity_is_recognised(tmp_path):
    fault = only_fault(written(tmp_path, rows=[[*row[:3], repr(float(np.exp(float(row[3]) + 1)))] for row in ROWS]))
    assert "more than 15 nats per token looks like a perplexity; take its natural log" in fault


def test_an_accuracy_in_percent_is_recognised(tmp_path):
    fault = only_fault(written(tmp_path, rows=[[*row[:3], str(30 + 8 * i)] for i, row in enumerate(ROWS)]))
    assert "that rises with compute looks like an accuracy in percent; give the loss" in fault


def test_an_accuracy_between_0_and_1_is_recognised(tmp_path):
    rows = [[*row[:3], str(0.3 + 0.1 * i)] for i, row in enumerate(ROWS)]
    fault = only_fault(written(tmp_path, rows=rows, header=["run", "N", "D", "skill"]), columns={"loss": "skill"})
    assert fault == (
        "runs.csv: column loss ('skill') is at most 1 and rises with compute, so it looks like an accuracy; "
        "give the loss, or rename 'skill' to accuracy and read it as 1 - accuracy"
    )


def test_a_loss_by_its_own_word_that_looks_like_an_accuracy_is_noted(tmp_path):
    runs = read_runs(written(tmp_path, rows=[[*row[:3], str(0.3 + 0.1 * i)] for i, row in enumerate(ROWS)]))
    assert "loss rises with compute; make sure that it is a loss, and that no run overfitted" in runs.notes


def test_log_likelihoods_are_recognised_by_their_sign(tmp_path):
    fault = only_fault(written(tmp_path, rows=[[*row[:3], f"-{row[3]}"] for row in ROWS]))
    assert "every value is negative, as a log likelihood is; change its sign" in fault


def test_more_than_8_bits_per_character_are_refused(tmp_path):
    path = written(tmp_path, rows=edited(0, "loss", "9"), header=["run", "N", "D", "bpc"])
    assert only_fault(path).endswith(
        "more than 8 bits per character looks like another unit; state it with unit= (--unit), or convert it"
    )


def test_a_loss_above_the_log_of_the_vocabulary_is_refused(tmp_path):
    rows = [[*row, "50257"] for row in edited(4, "loss", "11.2")]
    fault = only_fault(written(tmp_path, rows=rows, header=[*HEADER, "vocabulary"]))
    assert fault == (
        "runs.csv: column loss is 11.2 for run 'e' (line 6); that is worse than a uniform guess, "
        "10.82 nats per token for this vocabulary; take out a run that diverged, or convert the unit"
    )


def test_loss_and_bpc_together_must_be_chosen_between(tmp_path):
    path = written(tmp_path, **with_column("bpc", ["0.9", "0.8", "0.7", "0.6", "0.5", "0.4"]))
    assert only_fault(path).endswith("they are never mixed; choose with response='loss' or 'bpc'")
    runs = read_runs(path, response="bpc")
    assert (runs.response, runs.unit) == ("bpc", "bits per character")
    assert list(runs.frame.columns) == ["run", "N", "D", "C", "bpc", "loss"]


def test_a_response_that_is_not_there_is_refused(tmp_path):
    path = written(tmp_path)
    assert only_fault(path, response="bpc") == "runs.csv: there is no column for response='bpc'; the table has loss"
    assert only_fault(path, response="error") == (
        "runs.csv: there is no column for response='error'; the table has loss"
    )
    assert only_fault(path, response="score").endswith("and name its column with columns={'loss': 'score'}")


@pytest.mark.parametrize(
    ("text", "unit"),
    [("nats/token (C4)", "nats per token"), ("bits/token", "bits per token"), ("BPB", "bits per byte")],
)
def test_the_unit_is_taken_from_its_column(tmp_path, text, unit):
    assert read_runs(written(tmp_path, **with_column("loss_unit", [text] * 6))).unit == unit


def test_a_unit_that_contradicts_its_column_is_noted(tmp_path):
    runs = read_runs(written(tmp_path, **with_column("loss_unit", ["bits"] * 6)), unit="nats per token")
    assert runs.unit == "nats per token"
    assert "unit 'nats per token' as asked; column loss_unit says 'bits'" in runs.notes


def test_several_units_are_never_mixed(tmp_path):
    fault = only_fault(written(tmp_path, **with_column("loss_unit", ["nats", "bits"] * 3)))
    assert fault.startswith("runs.csv: column loss_unit has 2 units, 'nats', 'bits'; ")


def test_losses_of_different_evaluation_data_are_not_comparable(tmp_path):
    fault = only_fault(written(tmp_path, **with_column("dataset", ["C4", "Pile"] * 3)))
    assert "column dataset has 2 values, 'C4', 'Pile'; losses on different evaluation data are not comparable" in fault


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
    frame = read_runs_frame().set_index("run")
    assert RunTable.from_frame(frame).frame["run"].tolist() == list("abcdef")


def test_an_empty_frame_is_refused():
    with pytest.raises(InputError, match="runs: the table has no rows"):
        RunTable.from_frame(pd.DataFrame({"N": [], "D": [], "loss": []}))


def read_runs_frame():
    return pd.DataFrame(ROWS, columns=HEADER)


# Numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("70B", 70e9), ("1.4T", 1.4e12), ("350M", 350e6), ("2k", 2e3), ("1e21", 1e21), ("1,000,000", 1e6),
        ("1_000", 1e3), (" 7 G ", 7e9), (".5b", 5e8), ("+3", 3.0), ("12.", 12.0), ("9223372036854775808", 2.0**63),
    ],
)  # fmt: skip
def test_counts_are_read_as_people_write_them(text, value):
    assert parse_number(text) == value


@pytest.mark.parametrize(
    "text",
    ["2,13", "1,00", "1,0000", "1__0", "_1", "1e", "e5", ".", "1.2.3", "0x10", "3%", "1 000", "7BB", "7P", "$7",
     "\u0667", "1e9 9", "1_6e9", "10_00", "7e9B", "1.5e9M", "1e3k", "1,234E+09", "1,234B", "1_234B", "1\nB", "1_000e3",
     "--inf", "+-inf", "++Infinity", "--1", "+-1"],
)  # fmt: skip
def test_doubtful_counts_are_refused(text):
    with pytest.raises(UnreadableNumberError):
        parse_number(text)


@pytest.mark.parametrize("text", ["2k", "1,000", "1_0", "2,13", "--inf", "-+2"])
def test_suffixes_and_grouping_are_for_counts_only(text):
    with pytest.raises(UnreadableNumberError):
        parse_number(text, count=False)


@settings(deadline=None)
@given(st.integers(1, 10**6), st.integers(0, 3), st.sampled_from("kMBGT"))
def test_a_suffix_is_its_power_of_ten(digits, decimals, suffix):
    power = {"k": 3, "M": 6, "B": 9, "G": 9, "T": 12}[suffix]
    text = f"{digits / 10**decimals:.{decimals}f}"
    assert parse_number(text + suffix) == float(f"{text}e{power}")
    assert parse_number(text + suffix.lower()) == parse_number(f"{text}e{power}")


@settings(deadline=None)
@given(st.integers(1, 2**63 - 1))
def test_int64_counts_survive_grouping_and_frames(value):
    assert parse_number(f"{value:,}") == parse_number(f"{value:_}") == parse_number(str(value)) == float(value)


@settings(deadline=None)
@given(st.floats(1e-300, 1e300))
def test_plain_floats_survive_their_text(value):
    assert parse_number(repr(value)) == parse_number(repr(value), count=False) == value


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
    with pytest.raises(InputError, match=r"column N is 1e\+08 in every row left; widen the condition"):
        select_runs(synthetic(N.ravel(), D.ravel()), "N < 5e8")


# Description


def test_a_grid_of_equal_budgets_is_a_sound_design():
    facts = describe(isoflop_grid())
    assert facts.condition < 60
    assert facts.spread_N_at_like_C > 0.4
    assert facts.span_N_at_like_C == pytest.approx(1.5)
    assert any(sentence.startswith("Separate exponents of N and D") for sentence in facts.can)
    assert any(sentence.startswith("Whether compute alone explains the loss") for sentence in facts.can)


def test_data_proportional_to_size_identifies_neither_exponents_nor_allocation():
    N = np.geomspace(1e8, 1e10, 12)
    facts = describe(synthetic(N, 20 * N))
    assert facts.condition > 1e6
    assert facts.correlation == pytest.approx(1.0)
    (exponents,) = [sentence for sentence in facts.cannot if sentence.startswith("Separate exponents of N and D")]
    assert "the compute-optimal allocation, are not identified" in exponents
    assert "D is 20 N in every run; at one C, such as 1.2e20 FLOP, add N = 3.3e8 with D = 6e10" in exponents
    (alone,) = [sentence for sentence in facts.cannot if sentence.startswith("Whether compute alone")]
    assert "cannot be decided" in alone


def test_two_model_sizes_ask_for_a_third():
    N, D = np.meshgrid([1e8, 1e9], np.geomspace(1e9, 1e11, 6))
    facts = describe(synthetic(N.ravel(), D.ravel()))
    assert (facts.distinct_N, facts.distinct_D) == (2, 6)
    assert facts.condition > 1e6
    assert any("N has only 2 values; add runs at a third, such as N = 3.2e8" in text for text in facts.cannot)


def test_half_a_decade_in_each_direction_is_weak():
    N, D = np.meshgrid(np.geomspace(1e9, 10**9.5, 5), np.geomspace(1e10, 10**10.5, 5))
    facts = describe(synthetic(N.ravel(), D.ravel()))
    assert 200 < facts.condition < 1e6
    assert any("weakly identified" in text and "0.5 decades in N and 0.5 decades in D" in text for text in facts.cannot)
    assert any(text.startswith("The irreducible loss cannot be separated from the exponents") for text in facts.cannot)


def test_the_condition_number_is_infinite_where_a_size_never_varies():
    assert condition_number(np.full(6, 1e9), np.geomspace(1e9, 1e11, 6)) == np.inf


def test_families_and_replicates_enter_the_description():
    N = np.array([1e8, 1e8, 2e8, 4e8, 8e8, 1.6e9])
    D = np.array([1e9, 1e9, 9e9, 3e9, 2e10, 8e9])
    apart = describe(synthetic(N, D, family=list("abcabc")))
    assert any("between the 3 families" in text for text in apart.cannot)
    assert any(text.startswith("Noise cannot be separated") for text in apart.cannot)
    together = describe(synthetic(N, D, seed=range(6)))
    assert any(text.startswith("The noise between runs of the same N and D (2 runs") for text in together.can)


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(random):
    runs = isoflop_grid()
    order = list(range(len(runs.frame)))
    random.shuffle(order)
    one, other = describe(runs), describe(RunTable.from_frame(runs.frame.iloc[order]))
    assert (one.ranges, one.distinct_N, one.distinct_D) == (other.ranges, other.distinct_N, other.distinct_D)
    for name in ("correlation", "spread_N_at_like_C", "span_N_at_like_C", "condition"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, abs=1e-12)
    assert one.can == other.can
    assert one.cannot == other.cannot


def test_a_description_is_plain_data_for_json():
    N = np.geomspace(1e8, 1e10, 12)
    record = description_record(describe(synthetic(N, 20 * N)))
    again = json.loads(json.dumps(record, allow_nan=False))
    assert again == record
    assert set(again["ranges"]) == {"N", "D", "C", "tokens_per_parameter", "loss"}


def test_importing_the_module_stays_light():
    heavy = "pymc", "arviz", "matplotlib"
    code = f"import sys, bayescale.runs, bayescale.catalogue; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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

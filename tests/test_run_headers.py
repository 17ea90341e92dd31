"""Lines and headers of a table of runs: which column is which, and what cannot be told."""

import pytest
from tables import HEADER, ROWS, edited, only_fault, refusal, with_column, written

from bayescale.runs import (
    read_runs,
)


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

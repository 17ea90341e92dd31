"""Compute and response of a table of runs: their units, and which of several is meant."""

import numpy as np
import pandas as pd
import pytest
from tables import HEADER, ROWS, edited, only_fault, with_column, written

from bayescale.runs import (
    RunTable,
    read_runs,
)
from bayescale.words import typed

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
    assert only_fault(path).endswith(
        "they are never mixed; choose with response='loss' (--response loss) or 'bpc' (--response bpc)"
    )
    runs = read_runs(path, response="bpc")
    assert (runs.response, runs.unit) == ("bpc", "bits per character")
    assert list(runs.frame.columns) == ["run", "N", "D", "C", "bpc", "loss"]


def test_a_response_that_is_not_there_is_refused(tmp_path):
    path = written(tmp_path)
    for name in ("bpc", "error"):
        assert only_fault(path, response=name) == (
            f"runs.csv: there is no column for response='{name}'; the table has loss; name it with "
            f"columns={{'{name}': 'NAME'}} (--map {name}=NAME)"
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

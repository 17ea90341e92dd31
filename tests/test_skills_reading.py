"""Tables of scores: both forms, what is known of benchmarks, and every fault with its remedy."""

import re

import numpy as np
import pandas as pd
import pytest
from published import raw
from skills_made import made_scores

from bayescale.errors import InputError
from bayescale.skills import SCORE_TABLES, ScoreTable, load_scores, read_scores
from bayescale.skills.reading import log_compute


@pytest.fixture
def wide():
    return made_scores()[0]


def faults(frame, **options):
    with pytest.raises(InputError) as caught:
        read_scores(frame, **options)
    return "\n".join(caught.value.faults)


def test_long_and_wide_tables_are_read_alike(wide):
    long = wide.melt(["run", "family", "C"], var_name="response", value_name="score")
    assert read_scores(long) == read_scores(wide)


def test_order_of_rows_and_columns_changes_nothing(wide):
    shuffled = wide.sample(frac=1, random_state=1)[[*reversed(wide.columns)]]
    assert read_scores(shuffled) == read_scores(wide)
    assert read_scores(shuffled).hash == read_scores(wide).hash


def test_a_checked_table_is_returned_as_it_is(wide):
    table = read_scores(wide)
    assert read_scores(table) is table
    assert isinstance(table, ScoreTable)


def test_facts_of_known_benchmarks_come_by_their_names(wide):
    table = read_scores(wide.rename(columns={"MMLU": "mmlu"}))
    facts = table.responses.set_index("response")
    assert facts.loc["mmlu", "chance"] == 0.25
    assert facts.loc["mmlu", "items"] == 14042
    assert facts.loc["TruthfulQA", "kind"] == "probability"


def test_units_in_headers_are_applied(wide):
    frame = wide.assign(**{"Model Size (B)": 7.0, "Pretraining Data Size (T)": 2.0}).drop(columns="C")
    table = read_scores(frame)
    assert table.models["N"].iloc[0] == 7e9
    assert table.models["C"].iloc[0] == pytest.approx(6 * 7e9 * 2e12)
    assert set(table.models["quality"]) == {"derived"}


def test_scores_of_questions_are_their_part(wide):
    long = wide.melt(["run", "family", "C"], var_name="response", value_name="score")
    counts = long.assign(correct=(long["score"] * 1000).round(), items=1000).drop(columns="score")
    table = read_scores(counts)
    assert np.allclose(table.scores, read_scores(long).scores, atol=6e-4)
    assert set(table.responses["items"]) == {1000.0}


def test_protocols_make_different_responses(wide):
    long = wide.melt(["run", "family", "C"], var_name="response", value_name="score")
    both = pd.concat([long.assign(protocol="5-shot"), long.assign(protocol="0-shot", score=long["score"] * 0.98)])
    table = read_scores(
        both, chance={f"{name} ({shots}-shot)": 0.2 for name in long["response"].unique() for shots in (0, 5)}
    )
    assert "MMLU (0-shot)" in table.names
    assert len(table.names) == 8


def test_unknown_compute_is_kept_as_a_parameter(wide):
    wide.loc[3, "C"] = np.nan
    table = read_scores(wide)
    row = table.models.set_index("run").loc["model-03"]
    assert row["quality"] == "unknown"
    logs, spread = log_compute(table)
    assert np.isfinite(logs).all()
    assert spread[3] >= 1.0
    assert spread[2] == 0.02
    assert "compute is unknown for 1 models" in " ".join(table.notes)


def test_compute_of_unknown_tokens_follows_size(wide):
    wide["N"] = 7e9
    wide.loc[3, "C"] = np.nan
    logs, spread = log_compute(read_scores(wide))
    assert logs[3] == pytest.approx(np.log10(6 * 7e9) + 12.2)
    assert spread[3] == 0.6


def test_scores_in_per_cent_are_refused_and_the_remedy_works(wide):
    wide["GSM8K"] *= 100
    message = faults(wide)
    found = re.search(r'columns=\{\'GSM8K\': "(GSM8K / 100)"\}', message)
    assert found, message
    table = read_scores(wide, columns={"GSM8K": found[1]})
    assert np.nanmax(table.scores) <= 1


def test_unknown_chance_is_refused_and_the_remedy_works(wide):
    renamed = wide.rename(columns={"MMLU": "our exam"})
    assert "chance={'our exam': 0.25}" in faults(renamed)
    table = read_scores(renamed, chance={"our exam": 0.25})
    assert table.responses.set_index("response").loc["our exam", "chance"] == 0.25


def test_normalised_scores_are_not_taken_for_raw_ones(wide):
    wide["MMLU"] = (wide["MMLU"] - 0.25) / 2 * 0.3
    wide["MMLU"] = wide["MMLU"].clip(0)
    assert "scores are normalised" in faults(wide)
    assert read_scores(wide, chance={"MMLU": 0}).responses.set_index("response").loc["MMLU", "chance"] == 0


def test_tokens_1000_times_too_large_are_refused(wide):
    wide["D"] = 6.27e11
    wide.loc[4, "D"] = 6.27e14
    message = faults(wide)
    assert "1000 times too large" in message
    assert "6.27e11" in message
    assert "model-04" in message


def test_repeated_models_are_refused(wide):
    message = faults(pd.concat([wide, wide.iloc[[2]]]))
    assert "more than one score of model-02" in message


def test_missing_families_and_models_are_refused(wide):
    wide.loc[1, "family"] = ""
    assert "family is missing on row 2" in faults(wide)
    assert "there is no column family" in faults(wide.drop(columns="family"))


def test_text_in_scores_is_refused_with_its_place(wide):
    wide["MMLU"] = wide["MMLU"].astype(str)
    wide.loc[0, "MMLU"] = "n/a?"
    message = faults(wide, responses=["MMLU", "GSM8K"])
    assert "'n/a?' on row 1" in message


def test_every_fault_is_found_at_once(wide):
    wide["GSM8K"] *= 100
    wide.loc[1, "family"] = ""
    message = faults(wide)
    assert "GSM8K has scores up to" in message
    assert "family is missing" in message


def test_a_table_of_one_response_or_no_compute_is_refused(wide):
    assert "at least 2" in faults(wide[["run", "family", "C", "MMLU"]])
    assert "compute is known of 0 models" in faults(wide.drop(columns="C"))


def test_notes_say_what_is_missing_and_which_families_are_small(wide):
    wide.loc[:4, "MMLU"] = np.nan
    wide.loc[0, "family"] = "alone"
    notes = " ".join(read_scores(wide).notes)
    assert "5 of 128 scores are missing" in notes
    assert "1 of 9 families have fewer than 3 models" in notes


def test_unknown_responses_and_qualities_are_refused(wide):
    assert "there is no column ARC" in faults(wide, responses=["ARC"])
    assert "expected reported, derived, estimated or unknown" in faults(wide.assign(quality="guessed"))


@pytest.mark.parametrize(
    ("name", "models", "families", "responses"),
    [("obsscaling", 148, 47, 8), ("llm-skills-v1", 168, 75, 6), ("llm-skills-v2", 215, 146, 6), ("sloth", 197, 54, 14)],
)
def test_catalogued_tables_of_scores_are_read(name, models, families, responses):
    source, file, _ = SCORE_TABLES[name]
    table = load_scores(name, mirror=raw(f"{source}/{file}").parents[1])
    assert table.scores.shape == (models, responses)
    assert len(table.families) == families
    assert table.models["C"].max() < 1e26
    assert "arXiv" in table.notes[0]


def test_scores_over_chance_and_parts_of_questions_are_brought_to_one_scale():
    """Upstream mixes both in one file: on GPQA one kind lies around 0.05, the other around 0.27."""
    table = load_scores("llm-skills-v2", mirror=raw("llm-skills/df_full_v2.csv").parents[1])
    scores = dict(zip(table.names, table.scores.T, strict=True))
    assert scores["gpqa"].min() >= 0.23
    assert np.ptp(np.percentile(scores["gpqa"], [10, 90])) < 0.12
    assert any("over those of guessing upstream" in note for note in table.notes)
    same = load_scores("sloth", mirror=raw("sloth/data_v1.csv").parents[1])
    theirs = pd.Series(same.scores[:, same.names.index("BBH")], index=same.models["run"])
    ours = pd.Series(scores["bbh"], index=table.models["run"])
    both = ours.index.intersection(theirs.dropna().index)
    assert len(both) > 90
    assert ours[both].to_numpy() == pytest.approx(theirs[both].to_numpy())


def test_a_table_that_is_not_catalogued_or_not_fetched_is_refused(own_cache, monkeypatch):
    monkeypatch.delenv("BAYESCALE_MIRROR", raising=False)
    with pytest.raises(InputError, match="there are obsscaling"):
        load_scores("leaderboard")
    with pytest.raises(InputError, match="bayescale data get obsscaling"):
        load_scores("obsscaling")
    assert not list(own_cache.rglob("*.csv"))

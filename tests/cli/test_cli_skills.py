"""``bayescale skills``: its JSON, its tables, and what it refuses before anything is sampled."""

from unittest.mock import patch

import pytest
from skills_made import comparison_of, made_scores, made_skill_fit

from bayescale.cli import main


@pytest.fixture
def scores_file(tmp_path):
    path = tmp_path / "scores.csv"
    made_scores()[0].to_csv(path, index=False)
    return str(path)


@pytest.fixture
def sampled():
    """Replace what samples; the forecast and the verdict are quick and stay."""
    fitted = made_skill_fit()
    with (
        patch("bayescale.skills.fit_skills", autospec=True, return_value=fitted) as fit,
        patch("bayescale.skills.compare_skills", autospec=True, return_value=comparison_of(fitted.table)) as compare,
    ):
        yield fit, compare


def test_json_has_the_shape_that_others_rely_on(scores_file, sampled, run_json):
    asked = ("--family", "family-0", "--budget", "1e24", "--target", "MMLU", "--threshold", "0.7")
    record = run_json("skills", scores_file, *asked)
    assert record["schema"] == "bayescale/skills/1"
    assert set(record["laws"][0]) == {"name", "elpd", "elpd_diff", "dse", "coverage_90", "mean_error"}
    assert set(record["families"][0]) == {"family", "models", "multiplier"}
    assert set(record["families"][0]["multiplier"]) == {"median", "lower", "upper"}
    (row,) = record["forecasts"]
    assert set(row) == {"family", "flops", "response", "score", "probability"}
    assert (row["family"], row["flops"], row["response"]) == ("family-0", 1e24, "MMLU")
    assert 0 <= row["probability"] <= 1
    assert record["verdict"]["answer"] == "family_matters"
    assert record["needed"][0]["flops"].keys() == {"0.5", "0.9"}
    assert record["doubts"] == ["law compute: 1 of 2 refits fail the diagnostics gate"]
    fit, compare = sampled
    assert fit.call_args.args[1].name == "family_benchmark"
    assert {law.name for law in compare.call_args.args[1]} == {
        "compute", "separate", "residual", "family", "family_slope", "family_benchmark"
    }  # fmt: skip


def test_without_a_threshold_there_is_no_probability(scores_file, sampled, run_json):
    record = run_json("skills", scores_file, "--law", "family_benchmark")
    assert {row["probability"] for row in record["forecasts"]} == {None}
    assert record["laws"] == []
    assert record["verdict"] is None
    assert record["needed"] == []
    assert not sampled[1].called
    assert record["forecasts"][0]["family"] == "new family"


@pytest.mark.usefixtures("sampled")
def test_tables_name_the_verdict_families_and_forecasts(scores_file, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["skills", scores_file, "--family", "family-0", "--threshold", "0.7", "-q"]) == 0
    out = capsys.readouterr().out
    for words in (
        "compute alone does not explain capability",
        "family_benchmark",
        "family-3",
        "MMLU",
        "with probability 0.9",
    ):
        assert words in out


@pytest.mark.usefixtures("sampled")
def test_doubts_end_with_status_4_under_strict(scores_file, capsys):
    assert main(["skills", scores_file, "--strict", "-q"]) == 4
    assert "refits fail" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tokens", "status", "expected"),
    [
        (("--family", "GPT"), 3, "there is no family 'GPT'"),
        (("--target", "ARC"), 3, "there is no response 'ARC'"),
        (("--by", "response"), 2, "name it with --target"),
        (("--threshold", "70"), 2, "between 0 and 1"),
        (("--chance", "MMLU=25"), 2, "score of guessing"),
        (("--run", "model-3"), 3, "there is no model 'model-3'"),
        (("--run", "model-03", "--family", "family-0"), 2, "leave out --family"),
        (("--second", "MMLU,GSM8K"), 3, "expected at least 3 responses"),
        (("--law", "compute", "--publication"), 3, "no gains of families"),
        (("--law", "chinchilla"), 3, "there is no law of skill 'chinchilla'"),
    ],
)
def test_what_cannot_be_asked_is_refused(scores_file, capsys, tokens, status, expected):
    assert main(["skills", scores_file, "-q", *tokens]) == status
    assert expected in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.usefixtures("own_cache")
def test_a_dry_run_counts_refits_and_samples_nothing(scores_file, sampled, run_json):
    record = run_json("skills", scores_file, "--dry-run")
    assert record["to_sample"] == 1 + 6 * 5
    assert not sampled[0].called


@pytest.mark.usefixtures("sampled")
def test_output_is_never_written_over_the_scores(scores_file, capsys):
    assert main(["skills", scores_file, "--output", scores_file, "-q"]) == 2
    assert "would write over" in capsys.readouterr().err


@pytest.mark.usefixtures("sampled")
def test_priors_of_ones_own_are_passed_on(scores_file, sampled, run_json):
    run_json("skills", scores_file, "--prior", "gain_scale=HalfNormal(0.2)")
    assert sampled[0].call_args.kwargs["priors"] == {"gain_scale": "HalfNormal(0.2)"}


def test_a_model_of_the_table_is_forecast_from_the_scores_it_has(scores_file, sampled, run_json):
    record = run_json("skills", scores_file, "--run", "model-03", "--law", "family_benchmark", "--target", "MMLU")
    (row,) = record["forecasts"]
    assert (row["family"], row["response"]) == ("family-0", "MMLU")
    models = sampled[0].return_value.table.models.set_index("run")
    assert row["flops"] == models.loc["model-03", "C"]


def test_a_second_skill_and_publication_are_laws_beside_the_plain_one(scores_file, sampled, run_json):
    run_json("skills", scores_file, "--second", "MMLU,GSM8K,TruthfulQA", "--publication")
    fit, compare = sampled
    assert fit.call_args.args[1].name == "family_benchmark_second_publication"
    assert fit.call_args.args[1].second == ("MMLU", "GSM8K", "TruthfulQA")
    assert [law.name for law in compare.call_args.args[1]][:2] == [fit.call_args.args[1].name, "family_benchmark"]

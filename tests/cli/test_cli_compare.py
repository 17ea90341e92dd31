"""The command ``compare``: its wiring, shape and words."""

import dataclasses
import json

import pytest

import bayescale as bs
from bayescale.cli import main
from bayescale.comparison.deciding import find_deciding_runs

INTERVAL = {"median", "lower", "upper"}
LAW_FIELDS = {"name", "elpd", "se", "p", "elpd_diff", "dse", "weight", "bad_k"}
VERDICT_FIELDS = {
    "answer",
    "statement",
    "elpd_diff",
    "dse",
    "tilt",
    "tokens_per_parameter",
    "waste",
    "probability",
    "effect",
}


@pytest.mark.usefixtures("verbs")
def test_compare_has_the_promised_shape(run_json, wide_comparison):
    record = run_json("compare", "wide")
    assert record["schema"] == "bayescale/compare/1"
    assert {"runs", "laws", "verdict"} <= set(record)
    assert [law["name"] for law in record["laws"]] == list(wide_comparison.table.index)
    assert all(set(law) >= LAW_FIELDS for law in record["laws"])
    verdict = record["verdict"]
    assert set(verdict) >= VERDICT_FIELDS
    assert verdict["answer"] == "split_matters"
    assert set(verdict["effect"]) == INTERVAL
    assert set(verdict["tilt"]) == INTERVAL
    assert {"lower", "upper", "tolerance", "probability"} <= set(verdict["tokens_per_parameter"])
    for waste in verdict["waste"]:
        assert "factor" in waste
        assert set(waste["extra_compute"]) == INTERVAL


def test_compare_hands_its_options_on(verbs, wide_comparison):
    options = ["--probability", "0.8", "--tolerance", "0.1", "--budget", "1e21", "--budget", "3e22", "--no-cache"]
    assert main(["compare", "wide", *options]) == 0
    (fits,), keywords = verbs.compare.call_args
    assert fits == verbs.fit_laws.return_value
    assert callable(keywords.pop("progress"))
    assert keywords == {"cache": False}
    verbs.judge.assert_called_once_with(
        wide_comparison, tolerance=0.1, probability=0.8, budgets=[1e21, 3e22], criteria=[]
    )


def test_compare_within_families_fits_the_table_with_families_that_share_a_level(verbs, wide_runs, capsys):
    assert main(["compare", "wide", "--within-families"]) == 3
    assert "asking within families needs a column family" in capsys.readouterr().err
    families = [f"family {i % 7}" for i in range(len(wide_runs.frame))]
    verbs.resolve_runs.return_value = dataclasses.replace(wide_runs, frame=wide_runs.frame.assign(family=families))
    assert main(["compare", "wide", "--within-families"]) == 0
    (runs, *_), _ = verbs.fit_laws.call_args
    assert runs.frame["training_run"].tolist() == families


@pytest.mark.usefixtures("verbs", "narrow")
def test_compare_prints_table_verdict_tilt_and_waste(capsys):
    assert main(["compare", "wide"]) == 0
    printed = capsys.readouterr().out
    for words in ("elpd_diff", "weight", "bad_k", "Verdict: ", "Tilt: ", "Extra compute of ignoring"):
        assert words in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert "\x1b" not in printed


@pytest.mark.usefixtures("verbs")
def test_compare_prints_the_answer_first_with_its_probability(capsys):
    assert main(["compare", "wide"]) == 0
    printed = capsys.readouterr().out
    assert "Verdict: split matters (probability that the split matters: above 0.99)" in printed
    assert printed.index("Verdict: ") < printed.index("elpd_diff")


def test_runs_that_would_decide_are_printed_with_their_cost(verbs, wide_comparison, wide_fit, capsys):
    deciding = find_deciding_runs(wide_fit, None)
    unsure = dataclasses.replace(bs.judge(wide_comparison), answer="cannot_tell", deciding=deciding)
    verbs.judge.side_effect = lambda *_, **__: unsure
    assert main(["compare", "wide"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Verdict: cannot tell" in printed
    assert deciding.sentence in printed


def test_laws_of_one_kind_are_compared_without_a_verdict(verbs, run_json, capsys):
    verbs.judge.side_effect = bs.InputError("a verdict needs a law of compute alone")
    record = run_json("compare", "wide", "--laws", "tilt,chinchilla")
    assert record["verdict"] is None
    assert record["notes"][-1] == "no verdict: a verdict needs a law of compute alone"
    assert main(["compare", "wide", "--laws", "tilt,chinchilla"]) == 0
    assert "Verdict" not in capsys.readouterr().out


@pytest.mark.usefixtures("verbs")
def test_results_are_also_written_as_json(tmp_path, capsys):
    path = tmp_path / "compare.json"
    assert main(["compare", "wide", "--json", "--output", str(path)]) == 0
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("verbs")
def test_columns_are_explained_when_one_asks_for_more(capsys):
    assert main(["compare", "wide"]) == 0
    assert "stacking" not in capsys.readouterr().out
    assert main(["compare", "wide", "--verbose"]) == 0
    assert "Columns: elpd: expected log predictive density" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("verbs")
def test_compare_says_the_unit_and_the_probability(run_json):
    record = run_json("compare", "wide")
    assert record["runs"]["unit"] == "nats per token"
    assert record["probability"] == 0.9
    assert record["verdict"]["summary"] == record["verdict"]["statement"]  # no reasons: it is decided

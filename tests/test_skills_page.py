"""The page of a table of scores: the answer first, every number that of its JSON, and nothing replaced unasked."""

import json
import re

import numpy as np
import pytest
from skills_made import comparison_of, made_skill_fit

from bayescale.errors import InputError
from bayescale.records.skills import skills_record
from bayescale.report.skills import write_skills_report
from bayescale.skills import forecast_scores, judge_skills


@pytest.fixture(scope="module")
def parts():
    fitted = made_skill_fit()
    comparison = comparison_of(fitted.table)
    forecast = forecast_scores(
        fitted, family="family-2", flops=[1e22, 1e24], responses=["MMLU", "GSM8K"], threshold=0.6
    )
    return fitted, forecast, comparison, judge_skills(comparison, fitted)


@pytest.fixture(scope="module")
def page(parts, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "scores.html"
    write_skills_report(path, *parts, command="bayescale skills scores.csv", date="2026-11-30")
    return path


def section(text, name):
    return re.search(rf'id="{name}".*?</section>', text, re.DOTALL)[0]


def words(text):
    return " ".join(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", text, flags=re.DOTALL).split())


def test_the_answer_comes_first_with_intervals_and_probabilities(page, parts):
    fitted, forecast, *_ = parts
    answer = words(section(page.read_text(encoding="utf-8"), "answer"))
    for budget in range(2):
        interval = forecast.interval(budget, 0)
        assert f"MMLU {interval.median:.2g}" in answer
    assert "family-2 with 1e24 FLOP" in answer
    assert "above 0.6: probability" in answer
    assert "Families differ at equal compute" in answer
    assert "were inside the 90% interval of family_benchmark" in answer
    assert fitted.law.name not in words(section(page.read_text(encoding="utf-8"), "answer")).split("Families differ")[0]


def test_the_json_beside_it_is_the_record_of_the_command(page, parts):
    fitted, forecast, comparison, verdict = parts
    found = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    wanted = skills_record(fitted, comparison, verdict, [forecast], probability=0.9)
    assert found["forecasts"] == json.loads(json.dumps(wanted["forecasts"]))
    assert found["schema"] == "bayescale/skills/1"


def test_sections_hold_every_family_law_and_response_and_their_figures(page, parts):
    text, (fitted, _, comparison, _) = page.read_text(encoding="utf-8"), parts
    families = words(section(text, "families"))
    assert all(name in families for name in fitted.table.families)
    laws = words(section(text, "laws"))
    assert all(str(name) in laws for name in comparison.table["law"])
    assert text.count("<svg") == 6  # two responses, families, skills, calibration, loadings
    assert "bayescale skills scores.csv" in words(section(text, "provenance"))
    assert "refits fail the diagnostics gate" in text


def test_the_same_results_give_the_same_bytes(page, parts, tmp_path):
    again = tmp_path / "scores.html"
    write_skills_report(again, *parts, command="bayescale skills scores.csv", date="2026-11-30")
    assert again.read_bytes() == page.read_bytes()


def test_a_fit_that_failed_is_marked_beside_its_numbers(tmp_path):
    fitted = made_skill_fit(failures=("R-hat of slope is 1.2",))
    forecast = forecast_scores(fitted, run="model-03", responses=["MMLU"])
    write_skills_report(tmp_path / "scores.html", fitted, forecast)
    answer = section((tmp_path / "scores.html").read_text(encoding="utf-8"), "answer")
    assert "diagnostics of family_benchmark failed" in words(answer)
    assert "model-03" in words(answer)
    assert "not known" in words(answer)


def test_a_page_of_another_kind_or_over_a_file_of_ones_own_is_refused(parts, tmp_path):
    with pytest.raises(InputError, match=r"name it .*scores\.html"):
        write_skills_report(tmp_path / "scores.pdf", *parts)
    (tmp_path / "scores.json").write_text(json.dumps({"schema": "mine"}))
    with pytest.raises(InputError, match="not of a report"):
        write_skills_report(tmp_path / "scores.html", *parts)
    assert not np.any([path.suffix == ".html" for path in tmp_path.iterdir()])

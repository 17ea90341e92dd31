"""The JSON of every command: one word for one thing, and the page that documents it is what the commands print."""

import os
from pathlib import Path
from unittest.mock import patch

import pytest
from responses_made import made, runs
from skills_made import comparison_of, made_scores, made_skill_fit
from test_trajectories import made as trajectories
from test_trajectories import parted

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
BUDGET = ("--budget", "1e22")
LIMITS = ("--inference-tokens", "1e12", "--unique-tokens", "1e12", "--sizes", "1B,8B,70B")
ASKED = {
    "check": [("check", "chinchilla")],
    "fit": [("fit", "wide")],
    "compare": [("compare", "wide")],
    "backtest": [("backtest", "wide")],
    "backtest --of size": [("backtest", "wide", "--of", "size")],
    "allocate": [
        ("allocate", "wide", *BUDGET),
        ("allocate", "wide", *BUDGET, *LIMITS),
        ("allocate", "wide", "--target-loss", "2.2"),
    ],
    "plan": [("plan", "wide", "--spend", "1e20", "--target", "1e23")],
    "serve": [("serve", "wide", *BUDGET, "--demand", "10x")],
    "data-limit": [("data-limit", "wide", *BUDGET, "--unique-tokens", "1e12")],
    "curve": [("curve", "FINISHED", "NOW", "--tokens", "END")],
    "groups": [("groups", "GRADES", "--responses", "g0,g1")],
    "skills": [
        ("skills", "SCORES", "--family", "family-0", "--budget", "1e24", "--target", "MMLU", "--threshold", "0.7")
    ],
    "report": [("report", "wide", *BUDGET, "--output", "REPORT")],
    "data": [("data",), ("data", "show", "chinchilla")],
    "laws": [("laws",), ("laws", "chinchilla")],
    "any command with --dry-run": [("fit", "wide", "--dry-run")],
}
"""What is run for the page: where fields depend on what is asked, in several ways."""


@pytest.fixture
def shapes(monkeypatch):
    """Return the module that writes the page."""
    monkeypatch.syspath_prepend(str(PAGE.parent / "_ext"))
    import json_shapes  # noqa: PLC0415  (beside the documentation's builder)

    return json_shapes


@pytest.fixture
def records(verbs, run_json, tmp_path):
    """Return what each command prints; what samples is replaced."""
    del verbs
    files = {name: str(tmp_path / f"{name.lower()}.csv") for name in ("SCORES", "GRADES", "FINISHED", "NOW")}
    files["REPORT"] = str(tmp_path / "r.html")
    made_scores()[0].to_csv(files["SCORES"], index=False)
    runs(g0=0.5, g1=0.6).to_csv(files["GRADES"], index=False)
    finished, seen, end, _ = parted(trajectories())
    finished.to_csv(files["FINISHED"], index=False)
    seen.to_csv(files["NOW"], index=False)
    files["END"] = f"{end:.6g}"
    fitted = made_skill_fit()
    with (
        patch("bayescale.groups.fit_responses", autospec=True, return_value=made([0.1, -0.1])),
        patch("bayescale.skills.fit_skills", autospec=True, return_value=fitted),
        patch("bayescale.skills.compare_skills", autospec=True, return_value=comparison_of(fitted.table)),
    ):
        return {
            name: [run_json(*(files.get(token, token) for token in tokens)) for tokens in cases]
            for name, cases in ASKED.items()
        }


def test_the_page_of_json_shapes_is_what_the_commands_print(records, shapes):
    page = shapes.shapes_page(records)
    if os.environ.get("BAYESCALE_WRITE") == "1":
        PAGE.write_text(page, encoding="utf-8")
    assert shapes.unexplained(records) == []
    assert PAGE.read_text(encoding="utf-8") == page


def test_runs_are_the_table_in_every_record_that_has_one(records):
    for name, cases in records.items():
        for record in cases:
            if "runs" in record:
                assert {"name", "rows"} <= set(record["runs"]), name
    assert {name for name, (record, *_) in records.items() if "runs" not in record} == {
        "skills",
        "curve",
        "data",
        "laws",
    }

"""The command ``plan``: its wiring, JSON shape and exit statuses."""

from types import SimpleNamespace
from unittest.mock import patch

import pandas as pd
import pytest

import bayescale as bs
from bayescale.cli import main

ASKED = ("plan", "wide", "--spend", "1e22", "--target", "1e24")


@pytest.fixture
def verbs(wide_runs, wide_comparison):
    """Replace the verbs that read, sample and compare by their signatures; planning is quick and stays."""
    real = bs.plan
    names = ("catalogue.resolve_runs", "fit_laws", "compare", "plan")
    patches = {name.split(".")[-1]: patch(f"bayescale.{name}", autospec=True) for name in names}
    mocks = {name: each.start() for name, each in patches.items()}
    mocks["resolve_runs"].return_value = wide_runs
    mocks["fit_laws"].return_value = dict(wide_comparison.fits)
    mocks["compare"].return_value = wide_comparison
    mocks["plan"].side_effect = real
    yield SimpleNamespace(**mocks)
    for each in patches.values():
        each.stop()


@pytest.mark.usefixtures("verbs")
def test_plan_has_the_promised_shape(run_json):
    record = run_json(*ASKED, "--runs", "3")
    assert record["schema"] == "bayescale/plan/2"
    assert {"spend", "runs", "expected_regret_before", "expected_regret_after", "notes", "doubts"} <= set(record)
    assert 0 < len(record["next_runs"]) <= 3
    for run in record["next_runs"]:
        assert {"N", "D", "flops", "regret_saved"} <= set(run)
    assert record["expected_regret_after"] < record["expected_regret_before"]
    assert record["runs"]["name"] == "wide"


def test_plan_hands_its_options_on(verbs, wide_comparison, wide_fit, tmp_path):
    options = ("--aim", "size", "--target", "1e25", "--probability", "0.8", "--seed", "5", "--runs", "2")
    assert main([*ASKED, *options]) == 0
    expected = {"spend": 1e22, "target": [1e24, 1e25], "aim": "size", "runs": 2, "probability": 0.8, "random_seed": 5}
    verbs.plan.assert_called_once_with(wide_comparison, None, **expected)
    path = tmp_path / "candidates.csv"
    path.write_text("N,D\n1e9,2e10\n3e9,6e10\n", encoding="utf-8")
    verbs.fit_laws.return_value = {"chinchilla": wide_fit}
    assert main([*ASKED, "--law", "chinchilla", "--candidates", str(path)]) == 0
    (source, listed), _ = verbs.plan.call_args
    assert source is wide_fit
    pd.testing.assert_frame_equal(listed, pd.DataFrame({"N": [1e9, 3e9], "D": [2e10, 6e10]}))


@pytest.mark.usefixtures("verbs")
def test_plan_prints_runs_targets_and_notes(capsys):
    assert main([*ASKED, "--runs", "3"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith("No affordable run would change the decision")
    for words in ("wide: 120 runs", "The next 3 runs", "FLOP saved", "At 1e24 FLOP", "Notes"):
        assert words in printed
    assert main([*ASKED, "--aim", "loss", "--runs", "3"]) == 0
    assert "s.d. of the log of the law's loss at the target: " in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("plan", "wide", "--target", "1e24"), 2, "--spend"),
        (("plan", "wide", "--spend", "1e22"), 2, "--target"),
        ((*ASKED[:3], "0", *ASKED[4:]), 2, "expected FLOP above zero, such as 1e20"),
        ((*ASKED, "--aim", "profit"), 2, "profit"),
        ((*ASKED, "--runs", "0"), 2, "at least 1"),
        ((*ASKED, "--law", "chinchilla", "--aim", "laws"), 2, "expected two or more to compare"),
        ((*ASKED, "--law", "chinchilla", "--laws", "chinchilla,tilt"), 2, "specified multiple times"),
        ((*ASKED, "--candidates", "missing.csv"), 3, "cannot be read as CSV"),
        ((*ASKED[:3], "1e9", *ASKED[4:]), 3, "too little for any run"),
    ],
)
@pytest.mark.usefixtures("verbs")
def test_what_cannot_be_planned_is_refused(options, status, message, capsys):
    assert main(list(options)) == status
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.usefixtures("verbs")
def test_laws_that_are_told_apart_leave_nothing_to_plan(capsys):
    assert main([*ASKED, "--aim", "laws"]) == 3
    assert "no laws are left to distinguish" in capsys.readouterr().err


def test_doubtful_diagnostics_end_with_4_under_strict(verbs, wide_runs, synthetic_fit, capsys):
    verbs.fit_laws.return_value = {"chinchilla": synthetic_fit("chinchilla", wide_runs, failures=("R-hat is 1.2",))}
    assert main([*ASKED, "--law", "chinchilla", "--strict"]) == 4
    assert "doubtful: chinchilla: R-hat is 1.2" in capsys.readouterr().err

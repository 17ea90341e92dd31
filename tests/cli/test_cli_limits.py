"""Limits and losses to reach on the command line: how they are read, passed on and told."""

import json
from unittest.mock import patch

import pytest

import bayescale as bs
from bayescale.cli import main
from bayescale.cli.limits import Limits, parse_covariates, parse_sizes
from bayescale.cli.parsing import UsageError, parse_count
from bayescale.report.page import python_script


@pytest.fixture
def allocated(wide_runs, wide_fit):
    """Replace what reads and samples; allocate is quick and stays, watched."""
    with (
        patch("bayescale.catalogue.resolve_runs", autospec=True, return_value=wide_runs),
        patch("bayescale.fit_laws", autospec=True, return_value={"chinchilla": wide_fit}),
        patch("bayescale.allocate", autospec=True, side_effect=bs.allocate) as allocate,
    ):
        yield allocate


def asked(allocate):
    return allocate.call_args.kwargs["constraints"].record()


COMMAND = ("allocate", "wide", "--law", "chinchilla")


def test_counts_are_read_as_people_write_them():
    assert [parse_count(text) for text in ("70B", "15T", "1.5e13", "350M")] == [70e9, 15e12, 1.5e13, 350e6]
    assert parse_sizes("1B, 3B,8e9") == (1e9, 3e9, 8e9)
    assert parse_covariates(("granularity=1,4", "vocabulary = 32k")) == {"granularity": [1.0, 4.0], "vocabulary": 32e3}


def test_without_limits_nothing_is_passed_on():
    assert Limits().keywords() == {}


def test_every_limit_is_passed_on(allocated, capsys):
    options = {
        "--inference-tokens": "1T",
        "--unique-tokens": "10T",
        "--repetition": "15.4",
        "--max-params": "70B",
        "--min-params": "1M",
        "--min-tokens": "1e9",
        "--max-tokens": "20T",
    }
    assert main([*COMMAND, "--budget", "1e22", *(each for pair in options.items() for each in pair)]) == 0
    assert asked(allocated) == {
        "inference_tokens": 1e12,
        "unique_tokens": 10e12,
        "repetition": 15.4,
        "max_params": 70e9,
        "min_params": 1e6,
        "min_tokens": 1e9,
        "max_tokens": 20e12,
    }
    words = " ".join(capsys.readouterr().out.split())
    for said in (
        "within: inference tokens 1e12; unique tokens 1e13;",
        "Served 1T tokens, the best run saves",
        "Probability that the best run is at a limit: unique tokens 0.00, max tokens 0.00,",
        "All 10T tokens are used from",
        "tokens are repeated",
    ):
        assert said in words


@pytest.mark.usefixtures("narrow")
def test_a_ladder_is_shown_with_its_probabilities(allocated, capsys):
    assert main([*COMMAND, "--budget", "1e22", "--sizes", "3B,8B,20B,900T"]) == 0
    assert asked(allocated) == {"sizes": [3e9, 8e9, 20e9, 9e14]}
    printed = capsys.readouterr().out
    words = " ".join(printed.split())
    assert "Allowed sizes: probability of being best, extra compute in the median and at the 95% point" in words
    (row,) = [line for line in printed.splitlines() if line.split()[:1] == ["8B"]]
    assert row.count("%") == 2
    assert max(map(len, printed.splitlines())) <= 80


def test_losses_to_reach_replace_budgets(allocated, capsys):
    assert main([*COMMAND, "--target-loss", "2.1", "--target-loss", "2.0", "--json"]) == 0
    assert allocated.call_args.args[1] is None
    assert allocated.call_args.kwargs["target_loss"] == [2.1, 2.0]
    record = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [entry["target"]["loss"] for entry in record["allocations"]] == [2.1, 2.0]
    for entry in record["allocations"]:
        assert {"probability", "flops", "N", "D", "law_reaches", "run_reaches", "never"} <= set(entry["target"])
        assert entry["recommended"]["expected_loss"] == pytest.approx(entry["target"]["loss"], abs=1e-4)
    assert main([*COMMAND, "--target-loss", "2.1"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "Least compute for this loss:" in words
    assert "The recommended run reaches it with probability" in words


@pytest.mark.usefixtures("allocated")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target-loss", "2.1", "--budget", "1e21"), "--budget gives the compute and --target-loss asks for it"),
        (("--target-loss", "-2"), "expected losses to reach: one or more, each above zero"),
        (("--max-params", "many"), "this is no number"),
        (("--sizes", "1B,large"), "this is no number"),
        (("--sizes", "1B,70B", "--max-params", "8B"), "lie outside min_params 0 to max_params"),
        (("--min-tokens", "2T", "--max-tokens", "1T"), "they leave no choice"),
        (("--inference-tokens=-1T",), "expected tokens to serve"),
        (("--repetition", "15"), "give unique_tokens as well"),
        (("--covariate", "granularity"), "expected NAME=VALUE"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused_before_anything_is_fitted(options, said, capsys):
    assert main([*COMMAND, *options]) == 2
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_name_given_twice_is_refused():
    with pytest.raises(ValueError, match="granularity is given twice"):
        parse_covariates(("granularity=1", "granularity=2"))


def test_contradictions_are_usage_errors():
    with pytest.raises(UsageError, match="they leave no choice"):
        Limits(min_params="8B", max_params="1B").keywords()


def test_limits_that_leave_no_run_are_unusable(allocated, capsys):
    assert main([*COMMAND, "--budget", "1e20", "--min-params", "70B", "--min-tokens", "1T"]) == 3
    assert allocated.called
    assert "leaves no run within the limits" in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_report_makes_itself_again_within_the_same_limits():
    entry = {"flops": 1e22, "near_optimal": {"tolerance": 0.05}}
    allocation = {"allocations": [entry], "probability": 0.9, "constraints": {"max_params": 8e9}, "averaged": True}
    record = {
        "laws": {"chinchilla": {}},
        "data": {"name": "wide", "runs": None},
        "verdict": {"tokens_per_parameter": {"tolerance": 0.05, "probability": 0.9}},
        "settings": {"chinchilla": {"random_seed": 0}},
        "allocation": allocation,
        "backtest": None,
        "plan": None,
        "priors": [],
        "prior_shift": None,
        "size_backtest": None,
    }
    assert "constraints=bs.Constraints(**{'max_params': 8000000000.0})" in python_script(record)

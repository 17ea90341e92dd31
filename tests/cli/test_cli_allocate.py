"""The command ``allocate``: its wiring, shape and words."""

import pytest

from bayescale.cli import main
from bayescale.cli.commands.allocate import show_allocate
from bayescale.cli.output import ResultConsole

INTERVAL = {"median", "lower", "upper"}
BUDGET_FIELDS = {"flops", "N", "D", "tokens_per_parameter", "loss", "recommended", "near_optimal", "extrapolation"}


@pytest.mark.usefixtures("verbs")
def test_allocate_has_the_promised_shape(run_json):
    record = run_json("allocate", "wide", "--budget", "1e21", "--budget", "5.76e23", "--probability", "0.8")
    assert (record["schema"], record["probability"]) == ("bayescale/allocate/1", 0.8)
    assert [entry["flops"] for entry in record["allocations"]] == [1e21, 5.76e23]
    for entry in record["allocations"]:
        assert set(entry) >= BUDGET_FIELDS
        assert all(set(entry[name]) == INTERVAL for name in ("N", "D", "tokens_per_parameter", "loss"))
        assert {"N", "D", "expected_loss", "expected_regret"} <= set(entry["recommended"])
        assert entry["near_optimal"]["tolerance"] == 0.05
        assert len(entry["near_optimal"]["N"]) == 2


@pytest.mark.usefixtures("narrow")
def test_allocate_averages_a_comparison_over_default_budgets(verbs, wide_comparison, wide_runs, capsys):
    assert main(["allocate", "wide", "--tolerance", "0.1"]) == 0
    largest = wide_runs.frame["C"].max()
    verbs.allocate.assert_called_once_with(
        wide_comparison, [largest, 10 * largest, 100 * largest], probability=0.9, tolerance=0.1, random_seed=0
    )
    printed = capsys.readouterr().out
    for words in ("budgets: 1, 10 and 100 times the largest run (default)", "parameters", "tokens per parameter"):
        assert words in printed
    assert "median [90% interval]" in printed
    assert "by law chinchilla alone" in printed
    assert "extra compute with 90% probability" in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("option", ["--law", "--laws"])
def test_allocate_by_one_law_compares_nothing(option, verbs, wide_fit):
    verbs.fit_laws.return_value = {"chinchilla": wide_fit}
    assert main(["allocate", "wide", option, "chinchilla", "--budget", "1e22"]) == 0
    assert verbs.fit_laws.call_args.args[1] == ["chinchilla"]
    verbs.compare.assert_not_called()
    verbs.allocate.assert_called_once_with(wide_fit, [1e22], probability=0.9, tolerance=0.05, random_seed=0)


def test_a_budget_far_beyond_the_runs_is_doubted(verbs, run_json, wide_runs):
    verbs.fit_laws.return_value = {"chinchilla": verbs.fit_laws.return_value["chinchilla"]}
    largest = wide_runs.frame["C"].max()
    near, far = (
        run_json("allocate", "wide", "--law", "chinchilla", "--budget", f"{times * largest:g}")["defaults"]
        for times in (1e3, 1e6)
    )
    assert near == []
    assert "1e6 times the largest run" in far[0]


def test_utilization_may_be_spelled_with_z(verbs, run_json):
    verbs.fit_laws.return_value = {"chinchilla": verbs.fit_laws.return_value["chinchilla"]}
    asked = ("allocate", "wide", "--law", "chinchilla", "--budget", "1000h", "--hardware", "h100")
    first, second = (run_json(*asked, f"--utili{letter}ation", "0.4")["allocations"] for letter in "sz")
    assert first == second


@pytest.mark.usefixtures("verbs")
@pytest.mark.parametrize("safe", [True, False])
def test_a_range_of_sizes_is_named_only_where_sizes_are_safe(run_json, capsys, safe):
    record = run_json("allocate", "wide", "--budget", "1e22")
    (allocation,) = record["allocations"]
    allocation["near_optimal"]["N"] = [5e9, 2e10] if safe else None
    show_allocate(ResultConsole(), record)
    out = " ".join(capsys.readouterr().out.split())
    assert ("Any size from 5B to 20B costs less than 5% extra compute with 90% probability" in out) == safe
    assert ("No size is safe to 5% extra compute with 90% probability" in out) != safe

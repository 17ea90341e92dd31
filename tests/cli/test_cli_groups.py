"""``bayescale groups``: its JSON, its table, and what it refuses."""

from unittest.mock import patch

import pytest
from responses_made import ALIKE, made, of_laws, runs

from bayescale.cli import main


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "runs.csv"
    runs(g0=0.5, g1=0.6).to_csv(path, index=False)
    return str(path)


@pytest.fixture
def sampled():
    """Replace what samples; the disparities are quick and stay."""
    with patch("bayescale.groups.fit_responses", autospec=True, return_value=made([0.1, -0.1])) as fit:
        yield fit


def test_json_has_the_shape_that_others_rely_on(table, sampled, run_json):
    asked = ("--responses", "g0,g1", "--law", "number", "--better", "0.5", "--from", "1e18", "--to", "1e20")
    record = run_json("groups", table, *asked)
    assert record["schema"] == "bayescale/groups/1"
    assert {"groups", "some_worsens", "expected_worsening", "within", "composition"} <= set(record)
    assert {"name", "exponent", "worsens"} <= set(record["groups"][0])
    assert record["groups"][0]["slope"]["median"] == pytest.approx(0.1, abs=0.003)
    assert (record["from"], record["to"]) == (1e18, 1e20)
    (path, chosen, law), _ = sampled.call_args
    assert (path, law) == (table, "number")
    assert [(each.column, each.better) for each in chosen] == [("g0", 0.5), ("g1", 0.5)]


def test_scales_are_by_default_those_of_the_runs(table, sampled, run_json):
    record = run_json("groups", table, "--responses", "g0,g1")
    assert record["from"] == pytest.approx(1.2e18)
    assert record["to"] == pytest.approx(1.2e20)
    assert any("default: the runs' own range" in each for each in record["defaults"])
    assert sampled.called


@pytest.mark.usefixtures("sampled")
def test_the_table_names_every_response_and_its_probability(table, capsys):
    assert main(["groups", table, "--responses", "g0,g1", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("g0", "g1", "worse", "slope a decade", "some get worse between"))


def test_a_column_that_is_not_there_is_unusable_data(table, capsys):
    assert main(["groups", table, "--responses", "g0,other", "--quiet"]) == 3
    assert "there is no column other" in capsys.readouterr().err


def test_priors_are_refused(table, capsys):
    assert main(["groups", table, "--responses", "g0,g1", "--prior", "alpha=Normal(0.3, 0.1)"]) == 2
    assert "takes no --prior" in capsys.readouterr().err


def test_a_budget_is_split_for_the_worst_off(tmp_path, run_json, capsys):
    path = tmp_path / "runs.csv"
    runs(a=3.0, b=3.0).to_csv(path, index=False)
    fitted = of_laws(**(ALIKE | {"alpha": [0.6, 0.2], "beta": [0.2, 0.6]}))
    with patch("bayescale.groups.fit_responses", autospec=True, return_value=fitted):
        worst = run_json("groups", str(path), "--responses", "a,b", "--budget", "1e22")["worst"]
        assert main(["groups", str(path), "--responses", "a,b", "--budget", "1e22", "--quiet"]) == 0
    assert 6 * worst["N"] * worst["D"] == pytest.approx(1e22)
    assert [each["name"] for each in worst["groups"]] == ["a", "b"]
    assert worst["statements"][0] in " ".join(capsys.readouterr().out.split())

"""The commands ``data`` and ``laws``: what they list."""

import pytest

import bayescale as bs
from bayescale.cli import main
from bayescale.laws import LAWS


def test_data_lists_the_tables_with_the_public_fields(run_json):
    record = run_json("data")
    assert record["schema"] == "bayescale/data/1"
    for table in record["tables"]:
        assert {"name", "rows", "response", "shipped", "licence", "reference"} <= set(table)


def test_laws_lists_every_law_with_the_public_fields(run_json):
    record = run_json("laws")
    assert record["schema"] == "bayescale/laws/1"
    assert [law["name"] for law in record["laws"]] == list(LAWS)
    for law in record["laws"]:
        assert {"name", "covariates", "response", "parameters", "reference"} <= set(law)


@pytest.mark.parametrize("name", sorted(LAWS))
def test_one_law_is_told_in_full(name, run_json, capsys):
    law = run_json("laws", name)["laws"][0]
    assert set(law["priors"]) == set(law["parameters"]) == set(LAWS[name].parameters)
    assert set(law["published"]) == set(LAWS[name].published)
    assert main(["laws", name]) == 0
    printed = capsys.readouterr().out
    assert " ".join(LAWS[name].formula.split()) in " ".join(printed.split())
    assert all(parameter in printed for parameter in law["parameters"])


def test_data_and_laws_print_every_entry(capsys):
    assert main(["data"]) == 0
    printed = capsys.readouterr().out
    assert all(table["name"] in printed for table in bs.catalogue.list_tables())
    assert main(["laws"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in LAWS)


@pytest.mark.parametrize("tokens", [["data"], ["laws"], ["check", "chinchilla"]])
def test_every_command_takes_a_seed(tokens, capsys):
    assert main([*tokens, "--seed", "1", "--quiet"]) == 0
    assert capsys.readouterr().err == ""

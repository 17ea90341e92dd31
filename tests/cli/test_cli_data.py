"""The command ``data``: JSON shapes, exit statuses, and what is told."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from upstream import made_catalogue

import bayescale as bs
from bayescale import catalogue
from bayescale.catalogue import catalogue_entry
from bayescale.cli import main
from bayescale.cli.commands.data import fetching_progress
from bayescale.cli.options import Printing

LISTED = {"name", "rows", "response", "shipped", "licence", "reference", "unit", "source", "state"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BAYESCALE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BAYESCALE_MIRROR", raising=False)


@pytest.fixture
def made_mirror(tmp_path, monkeypatch):
    """A mirror of made-up files of the same form as those upstream, and the catalogue with their hashes."""
    data, mirror = tmp_path / "data", tmp_path / "made"
    shutil.copytree(catalogue.data_dir(), data)
    listed = data / "catalogue.toml"
    listed.write_text(made_catalogue(listed.read_text(encoding="utf-8"), mirror), encoding="utf-8")
    monkeypatch.setattr(catalogue, "data_dir", lambda: data)
    return mirror


@pytest.fixture
def run_json(capsys):
    def run(*tokens, status=0):
        assert main([*tokens, "--json"]) == status
        record = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
        assert record["schema"] == "bayescale/data/1"
        return record

    return run


def test_the_list_says_what_is_shipped_and_what_is_to_fetch(run_json, capsys):
    tables = run_json("data")["tables"]
    assert all(set(table) == LISTED for table in tables)
    assert {table["state"] for table in tables} == {"shipped", "not fetched"}
    assert main(["data"]) == 0
    printed = capsys.readouterr().out
    for words in ("chinchilla: 245 runs, response loss, shipped", "openclip: 32 runs, response error, not fetched"):
        assert words in printed
    assert all(table["source"] in printed for table in tables)


def test_get_fetches_verifies_and_says_so(made_mirror, run_json, capsys):
    (table,) = run_json("data", "get", "opt-trajectories", "--mirror", str(made_mirror))["tables"]
    assert set(table) == LISTED | {"paths"}
    assert table["state"] == "fetched"
    assert [Path(path).is_file() for path in table["paths"]] == [True]
    assert len(bs.load_runs("opt-trajectories").frame) == 12
    assert main(["data", "get", "datablations", "chinchilla", "--mirror", str(made_mirror)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "chinchilla: 245 runs, comes with bayescale",
        "datablations-c4: 24 runs, 1 file verified",
        "datablations-oscar: 22 runs, 1 file verified",
    ]


def test_a_fetched_table_is_a_table_like_any_other(made_mirror, monkeypatch, run_json, capsys):
    assert main(["check", "gemstones-hot"]) == 3
    assert "run `bayescale data get gemstones-hot`" in capsys.readouterr().err
    monkeypatch.setenv("BAYESCALE_MIRROR", str(made_mirror))
    assert main(["check", "gemstones-hot"]) == 0
    assert "12 runs" in capsys.readouterr().out
    monkeypatch.delenv("BAYESCALE_MIRROR")
    states = {table["name"]: table["state"] for table in run_json("data")["tables"]}
    assert states["gemstones-hot"] == "fetched"
    assert states["gemstones-cooled"] == "not fetched"


def test_get_all_fetches_every_table(made_mirror, run_json):
    tables = run_json("data", "get", "--all", "--mirror", str(made_mirror))["tables"]
    assert [table["name"] for table in tables] == [table["name"] for table in bs.catalogue.list_tables()]
    assert {table["state"] for table in tables} == {"shipped", "fetched"}


def test_one_bad_file_does_not_keep_the_others_away(made_mirror, tmp_path, run_json):
    mirror = tmp_path / "mirror"
    for name in ("opt-trajectories", "vocab-scaling"):
        for file in catalogue_entry(name).files:
            (mirror / file.source).mkdir(parents=True)
            content = (made_mirror / file.key).read_bytes()
            (mirror / file.source / file.name).write_bytes(content + b"#" * (name == "opt-trajectories"))
    record = run_json("data", "get", "opt-trajectories", "vocab-scaling", "--mirror", str(mirror), status=3)
    assert [table["name"] for table in record["tables"]] == ["vocab-scaling"]
    (fault,) = record["faults"]
    assert "expected opt_trajectories.csv with SHA-256" in fault


def test_where_nobody_answers_one_attempt_is_enough(monkeypatch, run_json):
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    record = run_json("data", "get", "--all", "--mirror", "http://127.0.0.1:9", status=3)
    (fault,) = record["faults"]
    assert "check the network and try again" in fault
    assert {table["state"] for table in record["tables"]} == {"shipped"}


@pytest.mark.parametrize("tokens", [["get"], ["get", "openclip", "--all"], ["show"], ["nonsense"]])
def test_unclear_requests_are_usage_errors(tokens, capsys):
    assert main(["data", *tokens]) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize("tokens", [["get", "opencli"], ["show", "opencli"]])
def test_an_unknown_table_names_the_nearest(tokens, capsys):
    assert main(["data", *tokens]) == 3
    assert "did you mean 'openclip'?" in capsys.readouterr().err


def test_show_tells_source_licence_units_caveats_and_files(run_json, capsys):
    (table,) = run_json("data", "show", "vocab-scaling")["tables"]
    assert set(table) == LISTED | {"record", "files"}
    (file,) = table["files"]
    assert set(file) == {"name", "address", "sha256", "bytes", "confirmed"}
    assert main(["data", "show", "vocab-scaling"]) == 0
    printed = capsys.readouterr().out
    for words in (
        "Larger Models Deserve",
        "licence: No licence file",
        "gain: minus",
        "caveats:",
        "sha256:",
        "to fetch it",
    ):
        assert words in printed


def test_show_tells_about_a_shipped_table_and_refuses_a_source(run_json, capsys):
    (table,) = run_json("data", "show", "chinchilla")["tables"]
    assert table["files"] == []
    assert "embeddings included" in table["record"]["N"]
    assert main(["data", "show", "gemstones"]) == 3
    assert "choose one of gemstones-hot, gemstones-cooled" in capsys.readouterr().err


@pytest.mark.parametrize("tokens", [["data", "show", "chinchilla"], ["data", "show", "steplaw-moe"], ["data"]])
@pytest.mark.parametrize("width", [60, 120])
def test_what_is_told_fits_the_width(tokens, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(tokens) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= width


@pytest.mark.parametrize(
    "tokens", [["data"], ["data", "show", "openclip"], ["data", "--help"], ["data", "get", "--help"]]
)
def test_telling_about_tables_imports_neither_pandas_nor_a_downloader(tokens):
    code = (
        "import sys; from bayescale.cli import main; main(sys.argv[1:]); "
        "print([m for m in ('pandas', 'numpy', 'pymc', 'arviz', 'pooch', 'requests') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *tokens], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_bar_is_shown_on_terminals_only_and_not_when_quiet(capsys):
    with fetching_progress(Printing()) as progress:
        assert progress is None
    with (
        patch("bayescale.cli.commands.data.is_watched", return_value=True),
        patch("rich.console.Console.is_terminal", new=True),
        patch("rich.console.Console.is_dumb_terminal", new=False),
    ):
        with fetching_progress(Printing(quiet=True)) as progress:
            assert progress is None
        with fetching_progress(Printing()) as progress:
            progress("runs.csv", 500, 1000)
    assert "runs.csv" in capsys.readouterr().err

"""What a command must not write over, and what it says of files that it replaces."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bayescale.cli import main
from bayescale.cli.app import COMMANDS

TABLE = "run,N,D,loss\na,1e8,2e9,3.5\nb,2e8,3e9,3.3\nc,4e8,9e9,3.0\nd,8e8,1e10,2.9\ne,1e9,5e10,2.6\nf,2e9,6e10,2.5\n"
OF_A_TABLE = [
    name
    for commands in COMMANDS.values()
    for name, (command, *_) in commands.items()
    if "runs" in getattr(command, "__code__", main.__code__).co_varnames and name not in ("fit", "report")
]


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "runs.csv"
    path.write_text(TABLE)
    return path


@pytest.mark.parametrize("command", OF_A_TABLE)
def test_no_command_writes_over_the_table_that_it_reads(command, table, capsys):
    assert len(OF_A_TABLE) >= 8
    needed = {
        "plan": ["--spend", "1e21", "--target", "1e23"],
        "data-limit": ["--unique-tokens", "1T"],
        "groups": ["--responses", "loss"],
        "curve": ["now.csv", "--tokens", "1T"],
    }
    assert main([command, "runs.csv", *needed.get(command, []), "--output", "runs.csv"]) == 2
    assert "--output runs.csv would write over runs.csv, which is read; name another file" in capsys.readouterr().err
    assert table.read_text() == TABLE


def test_a_list_of_candidates_is_read_and_not_written_over(table, capsys):
    Path("next.csv").write_text("N,D\n1e9,2e10\n")
    asked = ["plan", "runs.csv", "--spend", "1e21", "--target", "1e23", "--candidates", "next.csv"]
    assert main([*asked, "--output", "next.csv"]) == 2
    assert "--output next.csv would write over next.csv, which is read" in capsys.readouterr().err
    assert table.read_text() == TABLE


def test_the_run_so_far_is_read_and_not_written_over(table, capsys):
    assert main(["curve", "other.csv", "runs.csv", "--tokens", "1T", "--output", "runs.csv"]) == 2
    assert "--output runs.csv would write over runs.csv, which is read" in capsys.readouterr().err
    assert table.read_text() == TABLE


def test_a_file_on_standard_input_is_not_written_over(table):
    with table.open() as source:
        command = [sys.executable, "-m", "bayescale", "check", "-", "--output", "runs.csv"]
        done = subprocess.run(command, stdin=source, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "would write over standard input" in done.stderr
    assert table.read_text() == TABLE


@pytest.mark.parametrize("name", ["./x/../runs.csv", "hard.csv", "soft.csv"])
def test_another_name_of_the_table_is_known_too(name, table):
    Path("x").mkdir()
    os.link(table, "hard.csv")
    Path("soft.csv").symlink_to(table)
    assert main(["check", "runs.csv", "--output", name]) == 2
    assert table.read_text() == TABLE


def test_what_goes_beside_a_report_is_not_written_over_the_table(table, capsys):
    lines = table.rename("runs.json")
    assert main(["report", "runs.json", "--output", "runs.html"]) == 2
    assert "would write over runs.json" in capsys.readouterr().err
    assert lines.read_text() == TABLE


def test_numbers_of_somebody_else_beside_a_report_are_not_replaced(table, capsys):
    Path("mine.json").write_text('{"notes": "of a year"}')
    assert main(["report", str(table), "--output", "mine.html"]) == 3
    assert (
        "mine.json: the numbers of mine.html go there, and what is there is not of a report" in capsys.readouterr().err
    )
    assert json.loads(Path("mine.json").read_text()) == {"notes": "of a year"}


def test_a_folder_of_somebody_else_gets_no_figures(table, capsys):
    Path("mine-figures").mkdir()
    Path("mine-figures/holiday.svg").touch()
    assert main(["report", str(table), "--output", "mine.md"]) == 3
    assert "mine-figures: the figures of mine.md go there" in capsys.readouterr().err


def test_files_in_a_folder_that_are_no_fits_are_not_replaced(table, capsys):
    Path("fits").mkdir()
    Path("fits/chinchilla.nc").write_text("weather")
    assert main(["fit", str(table), "--law", "chinchilla", "--output", "fits"]) == 2
    assert "a fit goes to fits/chinchilla.nc, and this is none" in capsys.readouterr().err
    assert Path("fits/chinchilla.nc").read_text() == "weather"


def test_a_file_that_is_replaced_is_named_unless_quiet(table, capsys):
    assert main(["check", str(table), "--output", "out.json"]) == 0
    assert "replaced" not in capsys.readouterr().err
    assert main(["check", str(table), "--output", "out.json"]) == 0
    assert capsys.readouterr().err == "replaced out.json\n"
    assert main(["check", str(table), "--output", "out.json", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_a_name_too_long_is_refused_before_the_work(table, capsys):
    assert main(["check", str(table), "--output", "x" * 252 + ".json"]) == 2
    assert "is too long; at most 255 bytes" in capsys.readouterr().err


def test_an_empty_name_is_no_table(capsys):
    assert main(["check", ""]) == 2
    assert "this is no name" in capsys.readouterr().err

"""The command line in a terminal: completion, progress, stages, dry runs, and what is never shown."""

import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import termios
from unittest.mock import patch

import pytest

from bayescale.cli import main
from bayescale.cli.app import EXAMPLES, app
from bayescale.cli.options import Watching
from bayescale.cli.stages import clock, progress

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")
COLOURS = re.compile(r"\x1b\[[0-9;]*(?:3|4|9|10)[0-7][0-9;]*m")

AT_WORK = """
import time
from bayescale.cli.options import Watching
from bayescale.cli.stages import progress
with progress(Watching()) as say:
    say("forecasting runs that were held out by compute with the laws compute_power, tilt, kaplan_nd and chinchilla")
    for done in range(4):
        say.count(done, 3)
        time.sleep(0.15)
"""


def in_terminal(code: str, columns: int, **environment: str) -> str:
    """Run Python code in a terminal of so many columns, and return all that it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "FORCE_COLOR")
    }
    variables |= {"TERM": "xterm-256color", **environment}
    child = subprocess.Popen([sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, env=variables)
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert child.wait(60) == 0, written.decode()
    return written.decode()


# Completion


def completed(*words: str) -> list[str]:
    """Return what bash offers for the last word, with the program's own completion."""
    script = f"""{app.generate_completion(shell="bash")}
COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; COMPREPLY=()
_bayescale; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])  # noqa: PTH120  (a text for the shell)
    found = subprocess.run(
        ["bash"], input=script, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert not found.stderr
    return [word.replace("\\", "") for word in found.stdout.split()]


@pytest.mark.skipif(shutil.which("bash") is None, reason="completion is tested in bash, which is not here")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("bayescale", "comp"), {"compare"}),
        (("bayescale", "compare", "--dry"), {"--dry-run"}),
        (("bayescale", "fit", "chin"), {"chinchilla"}),
        (("bayescale", "fit", "chinchilla", "--laws", "chinchilla,til"), {"chinchilla,tilt"}),
        (("bayescale", "laws", "kaplan"), {"kaplan_n", "kaplan_d", "kaplan_nd", "kaplan_ns"}),
    ],
)
def test_bash_completes_commands_options_tables_and_laws(words, offered):
    assert set(completed(*words)) == offered


@pytest.mark.skipif(shutil.which("bash") is None, reason="completion is tested in bash, which is not here")
def test_script_of_completion_is_valid_bash():
    script = app.generate_completion(shell="bash")
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).stderr == ""


# Examples


@pytest.mark.parametrize("command", sorted({*EXAMPLES} - {"--install-completion"}))
def test_example_of_a_command_can_be_parsed(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program, *tokens = shlex.split(EXAMPLES[command])
    assert program == "bayescale"
    app.parse_args(tokens, exit_on_error=False)


def test_help_of_a_command_ends_with_its_example(capsys):
    with pytest.raises(SystemExit):
        app(["compare", "--help"])
    assert capsys.readouterr().out.rstrip().endswith(EXAMPLES["compare"])


# Progress and stages


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_progress_stays_in_one_line_and_is_taken_away(columns):
    written = in_terminal(AT_WORK, columns)
    lines = [part for part in re.split(r"[\r\n]", CODES.sub("", written)) if part.strip()]
    assert any("forecasting" in line for line in lines)
    assert max(map(len, lines)) <= columns
    assert any("3 of 3" in line for line in lines)
    moved_up, moved_down = written.count("\x1b[1A"), written.count("\n")
    assert moved_up <= moved_down <= 1  # the line is drawn again in its place, and erased at the end
    assert re.search(r"\x1b\[2K[^\x1b]*(\x1b\[[^A-Za-z]*[A-Za-z])*\s*$", written)


def test_no_line_moves_on_a_dumb_terminal_or_in_a_pipe(capsys):
    assert in_terminal(AT_WORK, 80, TERM="dumb") == ""
    with progress(Watching()) as say:
        say("working")
    assert capsys.readouterr().err == ""


def test_no_colours_where_none_are_wanted():
    shown = "from bayescale.cli import main\nmain(['laws', 'chinchilla'])"
    assert COLOURS.search(in_terminal(AT_WORK, 80))
    for code in (AT_WORK, shown):
        assert not COLOURS.search(in_terminal(code, 80, NO_COLOR="1"))
    assert not CODES.search(in_terminal(shown, 80, TERM="dumb"))


def test_quiet_shows_no_progress_even_on_a_terminal():
    assert in_terminal(AT_WORK.replace("Watching()", "Watching(quiet=True)"), 80) == ""


def test_verbose_keeps_each_stage_and_its_time_also_in_a_pipe(capsys):
    with progress(Watching(verbose=True)) as say:
        say("fitting")
        say.count(1, 2)
        say("comparing")
    told = capsys.readouterr().err.splitlines()
    assert [line.split(" s  ")[1] for line in told] == ["starting", "fitting", "comparing", "in all"]
    assert all(re.match(r" *\d+\.\d s  ", line) for line in told)


def test_quiet_and_verbose_contradict_each_other(capsys):
    assert main(["fit", "chinchilla", "--quiet", "--verbose"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_times_read_as_a_clock():
    assert [clock(seconds) for seconds in (0.4, 59.6, 61, 3725)] == ["0:00", "1:00", "1:01", "1:02:05"]


# Dry runs


DRY_RUNS = {
    "fit": [],
    "compare": [],
    "backtest": [],
    "report": [],
    "allocate": [],
    "serve": [],
    "data-limit": ["--unique-tokens", "15T"],
    "plan": ["--spend", "1e21", "--target", "1e24"],
}


@pytest.mark.parametrize("command", DRY_RUNS)
def test_a_dry_run_tells_what_is_to_be_sampled_and_samples_nothing(command, own_cache, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    laws = ["--laws", "tilt,chinchilla"]
    with patch("bayescale.fits.sampling.sample_posterior", side_effect=AssertionError("sampled")):
        assert main([command, "chinchilla", *laws, *DRY_RUNS[command], "--dry-run", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == "bayescale/dry-run/1"
    assert {each["law"] for each in record["work"]} == {"tilt", "chinchilla"}
    assert record["to_sample"] == sum(each["posteriors"] - each["cached"] for each in record["work"]) >= 2
    assert record["compilations"] >= 2
    assert record["seconds"] is None  # nothing was timed in this cache
    assert not list(tmp_path.glob("*report*"))
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def test_a_dry_run_says_in_words_that_nothing_was_done(own_cache, capsys):
    assert main(["backtest", "chinchilla", "--laws", "tilt", "--dry-run"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "Nothing was done." in words
    assert "not known, as such work was not done here yet" in words
    assert not own_cache.exists() or not list(own_cache.rglob("*.nc"))


# Before the work


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_fitted(capsys, tmp_path):
    with patch("bayescale.fit_laws", side_effect=AssertionError("fitted")):
        assert main(["report", "chinchilla", "--output", str(tmp_path / "report.docx")]) == 3
        assert "ends in .html, .md or .pdf" in capsys.readouterr().err
        (tmp_path / "file").touch()
        assert main(["report", "chinchilla", "--output", str(tmp_path / "file" / "report.html")]) == 2
    assert "Traceback" not in capsys.readouterr().err

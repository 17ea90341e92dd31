"""The program: exit statuses, streams, what is not imported, and small parts."""

import ctypes
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

import bayescale as bs
from bayescale.cli import main, tables
from bayescale.cli.app import COMMANDS
from bayescale.cli.options import Printing
from bayescale.cli.output import emit, without_infinities
from bayescale.cli.parsing import parse_columns, parse_laws


@pytest.mark.parametrize(
    "tokens",
    [
        ["alocate", "chinchilla"],
        ["allocate"],
        ["check", "chinchilla", "--unknown"],
        ["laws", "chinchila"],
        ["fit", "chinchilla", "--laws", "chinchila"],
        ["fit", "chinchilla", "--laws", "tilt,tilt"],
        ["fit", "chinchilla", "--seed", "-1"],
        ["fit", "chinchilla", "--seed", "one"],
        ["fit", "chinchilla", "--draws", "0"],
        ["fit", "chinchilla", "--probability", "1.5"],
        ["compare", "chinchilla", "--tolerance", "nan"],
        ["compare", "chinchilla", "--laws", "tilt"],
        ["backtest", "chinchilla", "--by", "size"],
        ["backtest", "chinchilla", "--by", "family", "--thresholds", "0.2"],
        ["backtest", "chinchilla", "--thresholds", "1"],
        ["backtest", "chinchilla", "--thresholds", "0.2,much"],
        ["backtest", "chinchilla", "--thresholds", "10,10.0"],
        ["allocate", "chinchilla", "--budget", "-1e21"],
        ["allocate", "chinchilla", "--budget", "inf"],
        ["allocate", "chinchilla", "--budget", "much"],
        ["allocate", "chinchilla", "--law", "tilt", "--laws", "chinchilla"],
        ["check", "chinchilla", "--map", "N"],
        ["check", "chinchilla", "--map", "N=a,N=b"],
        ["compare", "chinchilla", "--output", "."],
        ["report", "chinchilla", "--output", "report.json"],
        ["allocate", "chinchilla", "--budget", "1e40"],
        ["check", "-unknown"],
    ],
)
def test_usage_errors_end_with_2_and_print_nothing_on_stdout(tokens, verbs, capsys):
    assert main(tokens) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err
    assert "Traceback" not in err
    verbs.fit_laws.assert_not_called()


@pytest.mark.usefixtures("verbs")
def test_an_output_below_a_file_is_refused_at_once(runs_file, capsys):
    assert main(["fit", "wide", "--output", str(runs_file / "fits")]) == 2
    assert main(["fit", "wide", "--output", str(runs_file)]) == 2
    assert "not a folder" in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_unusable_data_ends_with_3_and_the_whole_message(tmp_path, capsys):
    missing = tmp_path / "none.csv"
    assert main(["compare", str(missing)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"bayescale compare: there is no file '{missing}'")
    assert err.endswith("see bayescale compare --help\n")
    assert main(["check", "chinchilla", "--where", "N < 0"]) == 3
    assert "0 of 245 rows are left" in capsys.readouterr().err


@pytest.fixture
def doubtful(verbs, wide_comparison, synthetic_fit, wide_runs):
    """Let the verbs return a fit that failed its diagnostics; return what is said of it."""
    failure = "R-hat (rank) of A is 1.400 (at most 1.01)"
    fits = {**wide_comparison.fits, "chinchilla": synthetic_fit("chinchilla", wide_runs, failures=(failure,))}
    verbs.fit_laws.return_value = fits
    verbs.compare.return_value = dataclasses.replace(wide_comparison, fits=fits)
    return f"doubtful: chinchilla: {failure}"


@pytest.mark.parametrize("command", ["fit", "compare", "allocate", "report"])
def test_doubtful_diagnostics_end_with_4_only_under_strict(command, doubtful, tmp_path, capsys):
    path = ["--output", str(tmp_path / "report.html")] if command == "report" else []
    assert main([command, "wide", *path]) == 0
    plain, err = capsys.readouterr()
    assert err == ""
    assert plain.startswith("Doubtful: chinchilla: R-hat (rank) of A is 1.400")
    assert main([command, "wide", *path, "--strict"]) == 4
    strict, err = capsys.readouterr()
    assert strict == plain != ""
    assert doubtful in err


@pytest.mark.usefixtures("verbs")
def test_sound_diagnostics_pass_under_strict():
    assert main(["fit", "wide", "--strict"]) == 0


def test_high_pareto_k_is_a_doubt(verbs, wide_comparison):
    table = wide_comparison.table.assign(bad_k=1)
    verbs.compare.return_value = dataclasses.replace(wide_comparison, table=table)
    assert main(["compare", "wide", "--strict"]) == 4


def test_an_interruption_ends_with_130_and_one_line(verbs, tmp_path, capsys):
    verbs.fit_laws.side_effect = KeyboardInterrupt
    path = tmp_path / "compare.json"
    assert main(["compare", "wide", "--output", str(path)]) == 130
    out, err = capsys.readouterr()
    assert (out, err) == ("", "bayescale compare: interrupted\n")
    assert not path.exists()


@pytest.fixture
def interruptible():
    """A process in the background may have been told to ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_inside_a_callback_is_not_lost(verbs, capsys):
    def compile_slowly(*args, **kwargs):
        del args, kwargs
        ctypes.CFUNCTYPE(None)(Mock(side_effect=KeyboardInterrupt))()  # as from LLVM, while laws compile
        end = time.monotonic() + 10
        while time.monotonic() < end:  # at work, not asleep
            pass

    verbs.fit_laws.side_effect = compile_slowly
    begin = sys.unraisablehook
    assert main(["compare", "wide"]) == 130
    assert capsys.readouterr().err == "bayescale compare: interrupted\n"
    assert sys.unraisablehook is begin


def test_the_unexpected_ends_with_1_and_asks_for_a_report(verbs, monkeypatch, capsys):
    verbs.fit_laws.side_effect = ZeroDivisionError("by zero")
    monkeypatch.delenv("BAYESCALE_DEBUG", raising=False)
    assert main(["compare", "wide"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("bayescale compare: unexpected ZeroDivisionError: by zero\n")
    assert "please report it" in err
    assert "Traceback" not in err
    monkeypatch.setenv("BAYESCALE_DEBUG", "1")
    assert main(["compare", "wide"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_is_no_fault_of_the_program(verbs, capsys):
    verbs.write_report.side_effect = OSError(28, "No space left on device", "report.html")
    assert main(["report", "wide"]) == 1
    assert capsys.readouterr().err == "bayescale report: [Errno 28] No space left on device: 'report.html'\n"


# What is said of errors


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (
            ["allocate", "chinchilla", "--budget", "banana"],
            "--budget banana: budget 'banana' cannot be read",
        ),
        (["allocate", "chinchilla", "--budget", "1e40"], "--budget 1e40: 1e40 is more FLOP than all computers can do"),
        (["allocate"], "RUNS is missing"),
        (["data-limit", "chinchilla"], "--unique-tokens is missing"),
        (["fit", "chinchilla", "-v", "-q"], "--quiet prints less and --verbose more"),
        (["check", "--unknown", "chinchilla"], "RUNS --unknown: this is no option here"),
        (["check", "none.csv"], "there is no file 'none.csv'"),
        (["data", "get"], "name the tables to fetch"),
    ],
)
def test_every_error_names_its_command_and_where_help_is(tokens, said, capsys):
    assert main(tokens) in (2, 3)
    command = "bayescale data get" if tokens[:2] == ["data", "get"] else f"bayescale {tokens[0]}"
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith(f"{command}: {said}")
    assert last == f"see {command} --help"


def test_a_mistyped_command_is_answered_with_the_nearest(capsys):
    assert main(["alocate", "chinchilla"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        'bayescale: unknown command "alocate". Did you mean "allocate"?',
        "see bayescale --help",
    ]


@pytest.mark.parametrize(
    ("tokens", "same"), [(["help"], ["--help"]), (["help", "data", "get"], ["data", "get", "--help"])]
)
def test_help_is_a_command_too(tokens, same, capsys):
    assert main(tokens) == 0
    asked = capsys.readouterr().out
    assert main(same) == 0
    assert asked == capsys.readouterr().out


def test_help_groups_the_commands_by_what_they_are_for(capsys):
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    places = [next(i for i, line in enumerate(lines) if f" {title} " in line) for title in COMMANDS]
    assert places == sorted(places)
    for start, (_, commands), end in zip(places, COMMANDS.items(), [*places[1:], len(lines)], strict=True):
        shown = [line.split()[1] for line in lines[start:end] if line[:1] == "│" and line[2] != " "]
        assert set(commands) <= set(shown)


@pytest.mark.parametrize("options", [["-o", "{}/none/x.json"], ["--output", "{}/none/x.json"]])
@pytest.mark.parametrize("command", ["check", "compare", "report", "fit"])
def test_an_output_in_a_folder_that_is_not_there_is_refused_and_not_made(command, options, verbs, tmp_path, capsys):
    assert main([command, "wide", *(option.format(tmp_path) for option in options)]) == 2
    err = capsys.readouterr().err
    assert "the report's numbers" in err or f"there is no folder {tmp_path / 'none'}" in err
    assert list(tmp_path.iterdir()) == []
    verbs.fit_laws.assert_not_called()


def test_short_options_are_the_long_ones(tmp_path, capsys):
    path = tmp_path / "check.json"
    assert main(["check", "chinchilla", "-q", "-o", str(path), "--json"]) == 0
    assert path.read_text(encoding="utf-8") == capsys.readouterr().out


# Streams


TABLE = "N,D,loss\n" + "".join(f"{2**i}e8,{3 ** (i % 3)}e10,{3.5 - 0.1 * i:g}\n" for i in range(8))


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_runs_are_read_from_a_pipe(kind):
    rows = [line.split(",") for line in TABLE.splitlines()]
    texts = {
        "csv": TABLE,
        "tsv": TABLE.replace(",", "\t"),
        "jsonl": "".join(json.dumps(dict(zip(rows[0], map(float, row), strict=True))) + "\n" for row in rows[1:]),
    }
    done = process("-m", "bayescale", "check", "-", "--json", input=texts[kind])
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    assert (record["name"], record["rows"]) == ("stdin", 8)
    faulty = process("-m", "bayescale", "check", "-", input=TABLE.replace("1e8,", "x,", 1))
    assert faulty.returncode == 3
    assert "bayescale check: stdin.csv: column N is 'x'" in faulty.stderr


def test_a_terminal_is_no_table(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    assert main(["check", "-"]) == 2
    assert "nothing is piped into it" in capsys.readouterr().err


def process(*arguments, env=(), **options):
    """Run Python with these arguments, far from the shell's settings of colour and width."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR", "NO_COLOR")}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, env={**kept, **dict(env)}, timeout=600, **options
    )


@pytest.mark.parametrize(
    "tokens",
    [["--help"], ["--version"], ["report", "--help"], ["laws"], ["laws", "tilt"], ["data"], ["check", "chinchilla"]],
)
def test_what_needs_no_fit_imports_no_sampler(tokens):
    code = (
        "import sys; from bayescale.cli import main; status = main(sys.argv[1:]); "
        "heavy = [name for name in ('pymc', 'pytensor', 'nutpie', 'arviz', 'arviz_stats', 'matplotlib', 'loky') "
        "if name in sys.modules]; sys.exit(f'status {status}, imported {heavy}' if status or heavy else 0)"
    )
    done = process("-c", code, *tokens)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_help_imports_neither_numpy_nor_pandas():
    code = "import sys; from bayescale.cli import main; main(['--help']); print([*sys.modules], file=sys.stderr)"
    names = process("-c", code).stderr
    assert "'cyclopts'" in names
    assert "'numpy'" not in names
    assert "'pandas'" not in names


def test_the_module_runs_and_ends_with_the_status_of_main():
    done = process("-m", "bayescale", "--version")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, bs.__version__, "")
    done = process("-m", "bayescale", "laws", "chinchila")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean" in done.stderr


@pytest.mark.parametrize("tokens", [["laws"], ["laws", "--json"]])
def test_a_closed_pipe_is_no_error(tokens):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        command = [sys.executable, "-m", "bayescale", *tokens]
        done = subprocess.run(command, check=False, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_colour_is_left_out_of_pipes_and_where_no_color_is_set():
    plain = process("-m", "bayescale", "laws").stdout
    assert "\x1b" not in plain
    colourless = process("-m", "bayescale", "laws", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout
    assert "\x1b[3" not in colourless


def test_an_ascii_terminal_gets_ascii():
    done = process("-m", "bayescale", "laws", env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout.isascii()) == (0, True)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("tokens", [["laws"], ["data"], ["laws", "kaplan_nd"], ["check", "public-models"]])
def test_tables_fit_the_width(tokens, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(tokens) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= width


# Parts


def test_json_has_null_for_what_is_not_finite(capsys):
    record = {"doubts": [], "values": (float("nan"), np.float64("inf"), 1.5), "nested": {"a": [-float("inf"), True, 3]}}
    assert emit(record, tables.show_nothing, Printing(json=True)) == 0
    assert json.loads(capsys.readouterr().out) == {
        "doubts": [],
        "values": [None, None, 1.5],
        "nested": {"a": [None, True, 3]},
    }
    assert without_infinities(np.float64(2)) == 2


def test_columns_are_read_from_pairs():
    assert parse_columns("N=model size, loss=val/loss=final") == {"N": "model size", "loss": "val/loss=final"}
    assert parse_columns(None) is None
    with pytest.raises(ValueError, match="found 'D'"):
        parse_columns("N=a,D")


def test_laws_are_read_from_names():
    assert parse_laws("tilt, chinchilla") == ["tilt", "chinchilla"]
    with pytest.raises(ValueError, match="did you mean 'chinchilla'"):
        parse_laws("tilt,chinchila")


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"median": 0.3435, "lower": 0.3277, "upper": 0.3588}, "0.344 [0.328, 0.359]"),
        ({"median": 2.6168, "lower": 2.6083, "upper": 2.6241}, "2.617 [2.608, 2.624]"),
        ({"median": 0.0, "lower": -0.1, "upper": 0.1}, "0 [-0.100, 0.100]"),
        ({"median": None, "lower": None, "upper": None}, "none [none, none]"),
        (None, ""),
    ],
)
def test_intervals_have_the_digits_that_their_width_needs(entry, text):
    assert tables.interval(entry) == text


@pytest.mark.slow
def test_from_a_file_to_a_report(small_runs, tmp_path, own_cache):
    table = tmp_path / "runs.csv"
    small_runs.frame.to_csv(table, index=False)
    report = tmp_path / "report.html"
    tokens = ["report", str(table), "--laws", "compute_floor,chinchilla", "--output", str(report), "--json"]
    done = process("-m", "bayescale", *tokens, env={"BAYESCALE_CACHE": str(own_cache)})
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    assert record["verdict"]["answer"]
    assert report.stat().st_size > 10_000
    assert len(list((own_cache / "fits").glob("*.nc"))) >= 2

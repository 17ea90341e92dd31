"""What a command finds around it: closed streams, odd widths, a home that cannot be written, signals that end it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from bayescale.cli import main
from bayescale.cli.surroundings import prepare

ENDLESS = """
import signal, sys, time
# A shell lets its background jobs ignore signals, and what is ignored stays so.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
import bayescale.cli.program as program
from bayescale.processes import in_processes

def work(item):
    time.sleep(600)

def run(arguments):
    import loky, os
    loky.cpu_count = lambda: 3
    pool = __import__("bayescale.processes", fromlist=["x"])._pool(2)
    print(*[pool.submit(os.getpid).result() for _ in range(4)], flush=True)
    list(in_processes(work, [1, 2, 3], int))

program._run = run
sys.exit(program.main([]))
"""


@pytest.fixture
def endless():
    """A command at work in other processes, and their numbers."""
    command = subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=-1, stderr=-1, text=True)
    yield command, {int(word) for word in command.stdout.readline().split()}
    command.kill()
    command.communicate()


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_the_end_of(processes):
    until = time.monotonic() + 20
    while any(map(alive, processes)) and time.monotonic() < until:
        time.sleep(0.1)
    return [process for process in processes if alive(process)]


@pytest.mark.skipif(os.name != "posix", reason="signals and parents of POSIX")
@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("SIGTERM", 143, "bayescale: terminated\n"),
        ("SIGHUP", 129, "bayescale: hung up\n"),
        ("SIGINT", 130, "bayescale: interrupted\n"),
        ("SIGKILL", -9, None),
    ],
)
def test_a_signal_ends_the_command_and_all_its_processes(endless, name, status, said):
    command, others = endless
    assert others
    assert all(map(alive, others))
    command.send_signal(getattr(signal, name))
    assert command.wait(20) == status
    assert wait_for_the_end_of(others) == []
    if said is not None:
        assert command.stderr.read() == said


WRITING = ENDLESS.replace(
    "    time.sleep(600)",
    """
    from bayescale.storage import cache_dir, write_whole
    write_whole(cache_dir() / "fits" / f"{item}.nc", lambda _: time.sleep(600))
""",
)


@pytest.mark.skipif(os.name != "posix", reason="signals and parents of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_leaves_no_file_that_any_process_was_writing(name, tmp_path):
    environment = os.environ | {"BAYESCALE_CACHE": str(tmp_path)}
    command = subprocess.Popen([sys.executable, "-c", WRITING], stdout=-1, stderr=-1, env=environment)
    try:
        until = time.monotonic() + 60
        while len(list(tmp_path.glob("fits/*"))) < 3 and time.monotonic() < until:
            time.sleep(0.01)
        assert len(list(tmp_path.glob("fits/*"))) == 3
        command.send_signal(getattr(signal, name))
        command.communicate(timeout=30)
        assert list(tmp_path.rglob("*.nc")) == []
    finally:
        command.kill()
        command.communicate()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_signal_that_is_ignored_stays_so_and_handlers_are_put_back(monkeypatch):
    monkeypatch.setattr("bayescale.cli.program._run", lambda _: os.kill(os.getpid(), signal.SIGHUP) or 0)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["laws"]) == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("columns", ["0", "-3", "x", "00"])
def test_a_width_that_is_none_counts_as_unset(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["laws"]) == 0
    assert "chinchilla" in capsys.readouterr().out


def shell(redirection, *tokens):
    command = f'exec "$0" -m bayescale "$@" {redirection}'
    return subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, *tokens], check=False, capture_output=True, text=True, timeout=120
    )


@pytest.mark.skipif(os.name != "posix", reason="needs a shell of POSIX")
@pytest.mark.parametrize(
    ("redirection", "tokens", "status"),
    [
        (">&-", ["laws"], 0),
        ("2>&-", ["laws", "chinchila"], 2),
        (">&- 2>&-", ["check", "no-such.csv"], 3),
        ("<&-", ["check", "-"], 3),
    ],
)
def test_closed_streams_change_no_status(redirection, tokens, status):
    done = shell(redirection, *tokens)
    assert done.returncode == status
    assert "unexpected" not in done.stderr


def test_where_there_is_no_home_libraries_get_a_folder(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("PYTENSOR_FLAGS", "cxx=")
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    prepare()
    flags = os.environ["PYTENSOR_FLAGS"].split(",")
    assert flags[0] == "cxx="
    assert os.access(os.path.dirname(flags[1].removeprefix("base_compiledir=")), os.W_OK)  # noqa: PTH120
    assert os.environ["MPLCONFIGDIR"].endswith("/matplotlib")


def test_where_there_is_a_home_nothing_is_set(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    monkeypatch.delenv("PYTENSOR_FLAGS", raising=False)
    prepare()
    assert "MPLCONFIGDIR" not in os.environ
    assert "PYTENSOR_FLAGS" not in os.environ

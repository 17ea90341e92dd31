"""The set-up script, with shell scripts in the place of Pythons and without a network."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bootstrap

VENV_PYTHON = """#!/bin/sh
case "$*" in
  *"-m pip"*)
    echo "$*" >> "{log}"
    if [ -e "{offline}" ]; then echo "Ignoring a marker"; echo "ERROR: no route to host"; exit 1; fi ;;
  *) echo "3.13.1 (main)" ;;
esac
"""
MAKE_VENV = """for folder; do :; done
mkdir -p "$folder/bin" && cp "{venv_python}" "$folder/bin/python" && echo "$0 $*" >> "{log}"
"""


def script(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def python(path, version, missing=(), body=":"):
    """Write a stand-in for a Python that answers the probe, and does ``body`` when asked for anything else."""
    facts = json.dumps({"version": [int(part) for part in version.split(".")], "missing": list(missing)})
    return script(path, f"case \"$*\" in *version_info*) echo '{facts}' ;; *) {body} ;; esac")


@pytest.fixture
def project(tmp_path):
    """Return a folder with the two files that the script reads."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "requirements.lock").write_text("numpy==2.5.5\n")
    (root / "pyproject.toml").write_text("[project]\n")
    return root


@pytest.fixture
def machine(tmp_path):
    """Return a machine whose one Python makes environments with a stand-in for pip."""
    venv_python, log, offline = tmp_path / "venv-python", tmp_path / "log", tmp_path / "offline"
    venv_python.write_text(VENV_PYTHON.format(log=log, offline=offline))
    venv_python.chmod(0o755)
    make_venv = MAKE_VENV.format(venv_python=venv_python, log=log)
    found = python(tmp_path / "bin/python3.13", "3.13.1", body=make_venv)
    environ = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), "BAYESCALE_PYTHON": found}
    return Machine(environ, log, offline, make_venv)


class Machine:
    """The environment variables, the log of calls and the switch that takes the network away."""

    def __init__(self, environ, log, offline, make_venv):
        self.environ, self.log, self.offline, self.make_venv = environ, log, offline, make_venv

    def calls(self):
        """Return what was called since the last time, one word each."""
        text = self.log.read_text() if self.log.exists() else ""
        self.log.unlink(missing_ok=True)
        words = {"--seed": "uv", "-m venv": "venv", "--requirement": "locked", "--editable": "project"}
        return [next(word for key, word in words.items() if key in line) for line in text.splitlines()]


def test_the_preferred_version_wins_over_the_order(tmp_path):
    paths = [python(tmp_path / version, version) for version in ("3.11.7", "3.14.0", "3.12.1", "3.13.0", "3.15.0")]
    assert bootstrap.choose(paths, None).version == (3, 13, 0)
    assert bootstrap.choose(paths[:3], None).version == (3, 12, 1)
    assert bootstrap.choose(paths[:2], None).version == (3, 14, 0)


def test_the_search_stops_at_the_best(tmp_path):
    best = python(tmp_path / "best", "3.13.0")
    later = script(tmp_path / "later", f"touch {tmp_path}/was-run")
    assert bootstrap.choose([best, later], None).path == best
    assert not (tmp_path / "was-run").exists()


def test_candidates_that_do_not_run_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "PROBE_SECONDS", 2.0)
    hangs = script(tmp_path / "hangs", "exec sleep 60")
    shim = script(tmp_path / "shim", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    talks = script(tmp_path / "talks", "echo Python 3.13.0")
    absent = str(tmp_path / "absent")
    good = python(tmp_path / "good", "3.12.4")
    assert bootstrap.choose([hangs, shim, talks, absent, good], None).path == good


def test_a_python_that_cannot_make_an_environment_needs_uv(tmp_path):
    bare = python(tmp_path / "bare", "3.13.0", missing=["ensurepip"])
    whole = python(tmp_path / "whole", "3.12.0")
    broken = python(tmp_path / "broken", "3.13.0", missing=["ssl"])
    assert bootstrap.choose([bare, whole], "uv").path == whole
    assert bootstrap.choose([bare], "uv").path == bare
    with pytest.raises(bootstrap.BootstrapError, match="without ensurepip"):
        bootstrap.choose([bare], None)
    with pytest.raises(bootstrap.BootstrapError, match="without ssl"):
        bootstrap.choose([broken], "uv")


def test_no_suitable_python_is_one_sentence(tmp_path):
    old = python(tmp_path / "old", "3.11.7")
    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap.choose([old, python(tmp_path / "older", "3.9.1")], None)
    message = str(caught.value)
    assert "needs Python 3.12, 3.13 or 3.14" in message
    assert f"found 3.11.7 ({old}), 3.9.1" in message
    assert "BAYESCALE_PYTHON" in message
    assert "\n" not in message
    with pytest.raises(bootstrap.BootstrapError, match="found no Python that runs"):
        bootstrap.choose([], None)


def test_candidates_come_from_the_path_then_pyenv_then_uv_and_never_from_our_own_environment(tmp_path):
    root = tmp_path / "project"
    own = python(root / ".venv/bin/python3", "3.13.0")
    on_path = python(tmp_path / "bin/python3", "3.12.0")
    by_pyenv = python(tmp_path / "pyenv/versions/3.13.0/bin/python", "3.13.0")
    by_uv = python(tmp_path / ".local/share/uv/python/cpython-3.14/bin/python", "3.14.0")
    environ = {
        "PATH": f"{root / '.venv/bin'}:{tmp_path / 'bin'}",
        "HOME": str(tmp_path),
        "PYENV_ROOT": str(tmp_path / "pyenv"),
    }
    found = list(bootstrap.candidates(root, environ))
    assert own not in found
    assert [path for path in found if path.startswith(str(tmp_path))] == [on_path, by_pyenv, by_uv]


def test_this_python_is_found(tmp_path):
    assert bootstrap.probe(sys.executable).version == sys.version_info[:3]
    assert next(bootstrap.candidates(tmp_path, {"HOME": str(tmp_path)})) == getattr(sys, "_base_executable")  # noqa: B009


def test_a_named_python_is_used_or_refused(tmp_path, project):
    environ = {"PATH": str(tmp_path), "BAYESCALE_PYTHON": "mine"}
    mine = python(tmp_path / "mine", "3.14.2")
    assert bootstrap.find_python(project, environ).path == mine
    python(tmp_path / "mine", "3.11.7")
    with pytest.raises(bootstrap.BootstrapError, match=r"BAYESCALE_PYTHON is 'mine', but it is 3\.11\.7"):
        bootstrap.find_python(project, environ)
    script(tmp_path / "mine", "exit 1")
    with pytest.raises(bootstrap.BootstrapError, match="it does not run"):
        bootstrap.find_python(project, environ)


def test_the_script_fails_with_one_line_and_status_1(tmp_path, project):
    copy = project / "bootstrap.py"
    copy.write_bytes(Path(bootstrap.__file__).read_bytes())
    environ = {**os.environ, "BAYESCALE_PYTHON": python(tmp_path / "old", "3.11.7")}
    done = subprocess.run([sys.executable, copy], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("bootstrap: BAYESCALE_PYTHON is")
    assert done.stderr.count("\n") == 1


def test_a_finished_environment_is_left_alone(project, machine):
    bootstrap.set_up(project, machine.environ)
    assert machine.calls() == ["venv", "locked", "project"]
    bootstrap.set_up(project, machine.environ)
    assert machine.calls() == []


def test_only_what_changed_is_done_again(project, machine):
    bootstrap.set_up(project, machine.environ)
    machine.calls()
    (project / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    bootstrap.set_up(project, machine.environ)
    assert machine.calls() == ["project"]
    (project / "requirements.lock").write_text("numpy==2.6.0\n")
    bootstrap.set_up(project, machine.environ)
    assert machine.calls() == ["venv", "locked", "project"]


def test_an_environment_that_no_longer_runs_is_made_anew(project, machine):
    bootstrap.set_up(project, machine.environ)
    machine.calls()
    script(project / ".venv/bin/python", "exit 127")
    (project / ".venv/left-over").touch()
    bootstrap.set_up(project, machine.environ)
    assert machine.calls() == ["venv", "locked", "project"]
    assert not (project / ".venv/left-over").exists()


def test_an_environment_moved_with_its_folder_is_made_anew(project, machine):
    bootstrap.set_up(project, machine.environ)
    machine.calls()
    moved = project.rename(project.with_name("moved"))
    bootstrap.set_up(moved, machine.environ)
    assert machine.calls() == ["venv", "locked", "project"]


def test_a_failed_installation_is_told_and_then_done_again(project, machine):
    machine.offline.touch()
    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap.set_up(project, machine.environ)
    assert str(caught.value).splitlines()[0].startswith("pip could not install what bayescale needs")
    assert [line.strip() for line in str(caught.value).splitlines()[1:]] == ["ERROR: no route to host"]
    machine.offline.unlink()
    machine.calls()
    bootstrap.set_up(project, machine.environ)
    assert machine.calls() == ["venv", "locked", "project"]


def test_an_environment_is_kept_when_no_python_is_found_to_replace_it(project, machine):
    bootstrap.set_up(project, machine.environ)
    (project / "requirements.lock").write_text("numpy==2.6.0\n")
    with pytest.raises(bootstrap.BootstrapError, match="it does not run"):
        bootstrap.set_up(project, {**machine.environ, "BAYESCALE_PYTHON": "absent"})
    assert (project / ".venv" / bootstrap.STAMP).exists()


def test_uv_puts_pip_where_python_has_none(tmp_path, project, machine):
    python(Path(machine.environ["BAYESCALE_PYTHON"]), "3.13.1", missing=["ensurepip"])
    script(tmp_path / "bin/uv", machine.make_venv)
    bootstrap.set_up(project, machine.environ)
    assert machine.calls() == ["uv", "locked", "project"]


def test_the_script_can_be_read_by_python_3_8():
    source = Path(bootstrap.__file__).read_text()
    ast.parse(source, feature_version=(3, 8))

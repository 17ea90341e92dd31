"""Ready to be released and joined: metadata, the workflow of the forge, and commands in pages that can be typed."""

import functools
import re
import shlex
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from cyclopts import MissingArgumentError
from packaging.metadata import Metadata

from bayescale.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/how-to").glob("*.md"))]
PAGES = [page for page in PAGES if page.name not in ("command-line.md", "references.md")]
PROGRAMS = ("python3", "source", "pip", "python")
ABRIDGED = re.compile(r"\.\.\.|\bNAME\b")


def console_lines(page):
    """Return what a page has readers type: lines of consoles, and commands with options in its text."""
    text = page.read_text(encoding="utf-8")
    typed = [line[2:] for block in re.findall(r"```console\n(.*?)```", text, re.S) for line in block.splitlines()]
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    said = [found for found in re.findall(r"`(bayescale [^`]*)`", prose) if not ABRIDGED.search(found)]
    return [*typed, *(command for command in said if " " in command.removeprefix("bayescale "))]


TYPED = [(page, line) for page in PAGES for line in console_lines(page)]


def parse(tokens):
    """Parse a command of the program; a text may leave out the table."""
    try:
        app.parse_args(tokens, exit_on_error=False, print_error=False)
    except MissingArgumentError as error:
        if error.argument.name != "RUNS":
            raise


@functools.cache
def options_of(script):
    usage = subprocess.run([sys.executable, str(ROOT / script), "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"--\w+", usage.stdout))


@pytest.mark.parametrize(("page", "line"), TYPED, ids=[f"{page.stem}: {line}" for page, line in TYPED])
def test_a_command_in_a_page_can_be_typed(page, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in line.partition(" #")[0].split("&&"):
        program, *tokens = shlex.split(command)
        if program == "bayescale":
            parse(tokens)
        elif program == "make":
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
            assert set(tokens) <= set(targets)
        elif program == "python" and tokens[0].startswith("tests/"):
            assert {token for token in tokens if token.startswith("--")} <= options_of(tokens[0])
        else:
            assert program in PROGRAMS, f"{page.name} has readers type {program}"


def test_pages_with_commands_were_found():
    assert {"README.md", "tutorial.md", "hardware-and-money.md", "reading-a-report.md"} <= {
        page.name for page, _ in TYPED
    }


def test_a_command_that_does_not_exist_is_refused(tmp_path, monkeypatch):
    wrong = tmp_path / "wrong.md"
    wrong.write_text("```console\n$ bayescale report my.csv --backtest --spend 1e22\n```\n")
    for line in console_lines(wrong):
        with pytest.raises(Exception, match="--backtest"):
            test_a_command_in_a_page_can_be_typed(wrong, line, tmp_path, monkeypatch)


def test_the_forge_runs_every_python_that_is_promised():
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    promised = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", name)]
    assert re.findall(r'"(3\.\d+)"', workflow.partition("python:")[2].partition("\n")[0]) == promised
    assert "bash .ci/run" in workflow
    assert {"ubuntu-latest", "macos-latest"} <= set(re.findall(r"\w+-latest", workflow))


def test_the_hook_before_a_commit_is_the_lint_of_the_project():
    hook = (ROOT / ".pre-commit-config.yaml").read_text()
    entry = re.search(r"entry: make (\S+)", hook)
    assert entry
    assert re.search(rf"^{entry[1]}:", (ROOT / "Makefile").read_text(), re.M)


@pytest.mark.slow
def test_metadata_of_what_a_bare_checkout_builds_are_valid(tmp_path):
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, capture_output=True, check=True)
    (wheel,), (source,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        texts = [archive.read(name)]
    with tarfile.open(source) as archive:
        name = next(name for name in archive.getnames() if name.endswith("/PKG-INFO"))
        texts.append(archive.extractfile(name).read())
    for text in texts:
        found = Metadata.from_email(text, validate=True)
        assert (found.name, str(found.version)) == (PROJECT["name"], PROJECT["version"])
        assert found.description_content_type == "text/markdown"
        assert found.description.startswith("# bayescale")

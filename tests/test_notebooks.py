"""The notebooks as committed: the cells of their sources, run, without errors, and without traces of a machine."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

jupytext = pytest.importorskip("jupytext", reason="jupytext is a development dependency")

FOLDER = Path(__file__).parent.parent / "notebooks"
SOURCES = sorted(FOLDER.glob("[0-9][0-9]-*.py"))
MACHINE = re.compile(r"/(?:root|home|tmp|Users|var|opt|mnt)/|[A-Z]:\\|site-packages|ipykernel_")

pytestmark = pytest.mark.skipif(not SOURCES, reason="the notebooks are not beside the tests")
each_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)


def written(source: Path) -> dict[str, Any]:
    return dict(json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8")))


def code_cells(source: Path) -> list[dict[str, Any]]:
    return [cell for cell in written(source)["cells"] if cell["cell_type"] == "code"]


def texts(output: dict[str, Any]) -> list[str]:
    """Return what an output says, without its pictures."""
    shown = {kind: value for kind, value in output.get("data", {}).items() if not kind.startswith("image/")}
    return ["".join(value) for value in (output.get("text", ""), *shown.values())]


def test_every_notebook_has_a_source_and_is_written() -> None:
    assert [source.stem for source in SOURCES] == sorted(path.stem for path in FOLDER.glob("*.ipynb"))


@each_notebook
def test_notebook_holds_the_cells_of_its_source(source: Path) -> None:
    expected = [(cell.cell_type, cell.source) for cell in jupytext.read(source, fmt="py:percent").cells]
    found = [(cell["cell_type"], "".join(cell["source"])) for cell in written(source)["cells"]]
    assert found == expected


@each_notebook
def test_every_cell_was_run_in_order_without_errors(source: Path) -> None:
    cells = code_cells(source)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]


@each_notebook
def test_nothing_of_a_machine_is_kept(source: Path) -> None:
    outputs = [output for cell in code_cells(source) for output in cell["outputs"]]
    said = "\n".join(text for output in outputs for text in texts(output))
    assert not MACHINE.findall(said)
    assert str(FOLDER.parent) not in said
    assert not [cell["metadata"] for cell in written(source)["cells"] if cell["metadata"]]
    assert written(source)["metadata"].keys() == {"kernelspec", "language_info"}
    assert "version" not in written(source)["metadata"]["language_info"]


@each_notebook
def test_last_cell_asserts_the_headline(source: Path) -> None:
    last = written(source)["cells"][-1]
    assert last["cell_type"] == "code"
    assert isinstance(ast.parse("".join(last["source"])).body[-1], ast.Assert)


def test_sources_are_written_as_ruff_wants() -> None:
    for command in (["check", "--quiet"], ["format", "--check", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, str(FOLDER)], check=True)


@pytest.mark.parametrize(
    ("text", "found"),
    [("/" + "home/me/runs.csv", True), ("C:\\me", True), ("report.html", False), ("tokens/parameter", False)],
)
def test_paths_of_a_machine_are_seen(text: str, found: bool) -> None:
    assert bool(MACHINE.search(text)) == found

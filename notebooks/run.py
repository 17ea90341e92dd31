"""Run the notebooks from their sources, NN-name.py; with --write, keep what they show in NN-name.ipynb beside them."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).parent
LONGEST = 600
"""Seconds that one cell may take."""

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KERNEL = ["--InlineBackend.print_figure_kwargs={'facecolor': 'white', 'dpi': 144}", "--log-level=ERROR"]
"""Figures are white, as readers may have a dark page, and sharp; the kernel speaks of errors only."""


def sources() -> list[Path]:
    """Return the sources of the notebooks, in their order."""
    return sorted(FOLDER.glob("[0-9][0-9]-*.py"))


def read(source: Path) -> nbformat.NotebookNode:
    """Return the notebook of a source, not run; cells are named by their place, so that writing again keeps names."""
    notebook = jupytext.read(source, fmt="py:percent")
    for place, cell in enumerate(notebook.cells, 1):
        cell.id, cell.metadata = f"cell-{place}", {}
    notebook.nbformat_minor = 5
    return notebook


def execute(notebook: nbformat.NotebookNode) -> None:
    """Run every cell in a folder of its own; raise CellExecutionError where one fails or writes to stderr."""
    os.environ["BAYESCALE_PROGRESS"] = "0"  # how long sampling took differs each time
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=LONGEST,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
            extra_arguments=KERNEL,
        ).execute()
    notebook.metadata = nbformat.from_dict(METADATA)  # the kernel has added its version
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise CellExecutionError(f"{cell.source}\n\nwrote to stderr:\n{output.text}", "", "")


def main() -> int:
    """Run all notebooks, tell of each how long it took, and return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write NN-name.ipynb; else nothing is changed")
    parser.add_argument("only", nargs="*", help="start of the names of those to run; by default all")
    chosen = parser.parse_args()
    failed = 0
    for source in sources():
        if chosen.only and not source.name.startswith(tuple(chosen.only)):
            continue
        notebook, start = read(source), time.monotonic()
        try:
            execute(notebook)
        except CellExecutionError as error:
            failed += 1
            print(f"{error}\nnotebooks: {source.name} failed", file=sys.stderr)
            continue
        print(f"notebooks: {source.name} ran in {time.monotonic() - start:.0f} s", flush=True)
        if chosen.write:
            nbformat.write(notebook, source.with_suffix(".ipynb"))
    return failed


if __name__ == "__main__":
    sys.exit(main())

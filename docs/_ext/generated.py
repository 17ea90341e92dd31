"""What is written when the documentation is built: laws, interface, command line, references, notebooks."""

import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import patch

from api_pages import write_api
from law_pages import remove_others, write_changed, write_laws
from reference_pages import references_page
from sphinx.application import Sphinx

from bayescale.cli.app import EXAMPLES, app

ROOT = Path(__file__).parents[2]
CLI_TITLE = (
    "# Command line\n\nWritten from the program itself: what `bayescale --help` and `bayescale COMMAND --help` say. "
    "Results go to stdout, progress to stderr.\n"
)
USAGE = re.compile(r"^#+ bayescale (?P<command>.+)\n\n```console\n.+\n```\n", re.MULTILINE)
STATUSES = (
    "\n## Exit status\n\n0 fine, 1 unexpected, 2 usage, 3 unusable data, 4 doubtful diagnostics under `--strict`, "
    "130 interrupted. An error shows no traceback unless `BAYESCALE_DEBUG=1` is set.\n"
)


def setup(sphinx: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx looks for pages."""
    sphinx.connect("config-inited", lambda sphinx, _: generate(Path(sphinx.srcdir)))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def generate(source: Path) -> None:
    """Write every page that is made from the code into the folder of the documentation."""
    write_laws(source / "laws")
    write_api(source / "api")
    write_changed(source / "command-line.md", command_line_page())
    write_changed(source / "references.md", references_page())
    copy_notebooks(ROOT / "notebooks", source / "notebooks")


def command_line_page() -> str:
    """Return what the program says of each command."""
    with patch("sys.argv", ["bayescale"]):  # else usage lines name the program that builds the pages
        text = app.generate_docs(output_format="markdown")
    _, _, commands = text.partition("\n## bayescale ")
    commands = re.sub(r"\s*\*\[default: False\]\*", "", f"\n## bayescale {commands}")
    commands = USAGE.sub(lambda usage: f"{usage[0]}\nExample: `{EXAMPLES[usage['command']]}`\n", commands)
    return f"{CLI_TITLE}{commands.rstrip()}\n{STATUSES}"


def copy_notebooks(source: Path, target: Path) -> None:
    """Copy the executed notebooks, with links to the documentation that are right where they then stand."""
    names = []
    for path in sorted(source.glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"]).replace("](../docs/", "](../")
        names.append(path.stem)
        write_changed(target / path.name, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    write_changed(target / "index.md", notebooks_page(names))
    remove_others(target, {"index", *names})


def notebooks_page(names: list[str]) -> str:
    """Return the list of the notebooks."""
    pages = "\n".join(names)
    return (
        "# Notebooks\n\nEach has one idea, was run with the real sampler, and ends by asserting what it says. They are "
        "shown as they were run; `make notebooks` runs them again.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{pages}\n```\n"
    )

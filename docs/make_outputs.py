"""Run the code of the tutorial and the how-tos, and put what it prints below it.

``python docs/make_outputs.py`` rewrites the pages that are named in ``PAGES``; ``tests/test_documentation.py`` runs the
same code and compares. A block with a file's name as its caption is written to that file first.
"""

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PAGES = (
    "tutorial.md",
    "how-to/your-own-table.md",
    "how-to/limits.md",
    "how-to/priors.md",
    "how-to/hardware-and-money.md",
    "how-to/what-to-run-next.md",
    "how-to/comparing-recipes.md",
    "how-to/reading-a-report.md",
)

PART = re.compile(
    r"```\{code-block\} text\n:caption: (?P<file>\S+)\n\n(?P<content>.*?)```\n"
    r"|```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<output>.*?)```\n)?",
    re.DOTALL,
)


def main() -> None:
    """Rewrite the outputs of all pages."""
    for page in PAGES:
        path = DOCS / page
        text = path.read_text(encoding="utf-8")
        path.write_text(with_outputs(text), encoding="utf-8")


def with_outputs(text: str) -> str:
    """Return a page with what its code prints."""
    found = iter(list(run(text)))
    return PART.sub(lambda part: part[0] if part["file"] else _shown(part["code"], next(found)[1]), text)


def _shown(code: str, printed: str) -> str:
    output = f"\n```text\n{printed}```\n" if printed else ""
    return f"```python\n{code}```\n{output}"


def run(text: str) -> Iterator[tuple[str, str]]:
    """Run the code of a page, block after block, in a folder of its own; yield what the page says and what is printed.

    Parameters
    ----------
    text : str
        The page.
    """
    names: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for part in PART.finditer(text):
            if part["file"]:
                Path(part["file"]).write_text(part["content"], encoding="utf-8")
                continue
            yield part["output"] or "", _printed(part["code"], names)


def _printed(code: str, names: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, names)
    text = printed.getvalue()
    lines = (line.rstrip() for line in text.splitlines())
    return "\n".join(lines) + "\n" if text else ""


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "100")
    main()

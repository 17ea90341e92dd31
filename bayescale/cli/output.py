"""Where results go: JSON or tables on stdout, and JSON in a file."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from bayescale.cli.options import Printing, Watching
from bayescale.cli.tables import UNLIMITED, show_doubts, show_hanging, show_mark
from bayescale.records.plain import without_infinities
from bayescale.storage import write_whole

DOUBTFUL = 4


class ResultConsole(Console):
    """Writes tables and text to stdout, fitted to a terminal or COLUMNS, and leaves a closed pipe to its caller."""

    def __init__(self) -> None:
        width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else UNLIMITED
        super().__init__(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False)

    def on_broken_pipe(self) -> None:
        """Let the closed pipe end the program in one place; rich would end it with status 1."""
        self.quiet = True
        raise BrokenPipeError


def emit(
    record: Mapping[str, Any],
    show: Callable[[Console, Mapping[str, Any]], None],
    printing: Printing,
    *,
    output: Path | None = None,
    glossary: str = "",
) -> int:
    """Print a result, write it as JSON where asked for, and return the exit status.

    Parameters
    ----------
    record : mapping
        The result as plain data; ``doubts`` are sentences about diagnostics that failed, and text begins by saying
        that there are some.
    show : callable
        Prints the record as tables.
    printing : Printing
        How to print, and of long work whether doubts change the exit status.
    output : Path, optional
        File for the JSON.
    glossary : str
        What the columns mean, shown below under ``--verbose``.
    """
    finite = without_infinities(record)
    text = json.dumps(finite, indent=2, allow_nan=False) + "\n"
    if output is not None:
        write_whole(output, lambda path: path.write_text(text, encoding="utf-8"))
    if printing.json:
        sys.stdout.write(text)
    else:
        console = ResultConsole()
        show_mark(console, finite.get("doubts", []))
        show(console, finite)
        show_doubts(console, finite.get("doubts", []))
        if glossary and isinstance(printing, Watching) and printing.verbose:
            show_hanging(console, f"\nColumns: {glossary}", "")
    doubts = finite.get("doubts", [])
    if not (doubts and isinstance(printing, Watching) and printing.strict):
        return 0
    sys.stdout.flush()
    sys.stderr.write("".join(f"doubtful: {doubt}\n" for doubt in doubts))
    return DOUBTFUL

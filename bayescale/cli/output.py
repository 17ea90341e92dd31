"""Where results and progress go: JSON or tables on stdout, progress on stderr."""

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from bayescale.cli.options import Printing
from bayescale.storage import write_whole

type Plain = Any
"""What JSON can hold: mappings, sequences, strings, numbers, None."""

type Say = Callable[[str], object]
"""Shows what is being done; the last message replaces the one before."""

DOUBTFUL = 4


class ResultConsole(Console):
    """Writes tables and text to stdout as they are, and leaves a closed pipe to its caller."""

    def __init__(self) -> None:
        super().__init__(file=sys.stdout, markup=False, emoji=False, highlight=False)

    def on_broken_pipe(self) -> None:
        """Let the closed pipe end the program in one place; rich would end it with status 1."""
        self.quiet = True
        raise BrokenPipeError


@contextmanager
def progress(printing: Printing) -> Iterator[Say]:
    """Show progress on stderr where that is a terminal, and take it away at the end."""
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    if printing.quiet or not console.is_terminal:
        yield lambda _: None
        return
    with console.status("reading the table") as status:
        yield status.update


def emit(
    record: Mapping[str, Any],
    show: Callable[[Console, Mapping[str, Any]], None],
    printing: Printing,
    *,
    output: Path | None = None,
    strict: bool = False,
) -> int:
    """Print a result, write it as JSON where asked for, and return the exit status.

    Parameters
    ----------
    record : mapping
        The result as plain data; ``doubts`` are sentences about diagnostics that failed.
    show : callable
        Prints the record as tables.
    printing : Printing
        How to print.
    output : Path, optional
        File for the JSON.
    strict : bool
        Whether doubts change the exit status.
    """
    finite = without_infinities(record)
    text = json.dumps(finite, indent=2, allow_nan=False) + "\n"
    if output is not None:
        write_whole(output, lambda path: path.write_text(text, encoding="utf-8"))
    if printing.json:
        sys.stdout.write(text)
    else:
        show(ResultConsole(), finite)
    doubts = finite.get("doubts", [])
    if not (strict and doubts):
        return 0
    sys.stdout.flush()
    sys.stderr.write("".join(f"doubtful: {doubt}\n" for doubt in doubts))
    return DOUBTFUL


def without_infinities(value: Plain) -> Plain:
    """Return plain data with every number that JSON cannot hold as None."""
    if isinstance(value, Mapping):
        return {str(key): without_infinities(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_infinities(entry) for entry in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value

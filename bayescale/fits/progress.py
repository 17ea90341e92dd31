"""What is being sampled, in a line for whoever is waiting."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH = "BAYESCALE_PROGRESS"
"""Environment variable that turns progress off where it is 0, as for notebooks that are run to be kept."""


@contextmanager
def waiting_for(doing: str, *, progress: bool) -> Iterator[None]:
    """Say on stderr what is being done, and at the end how long it took; nothing where nobody waits.

    Parameters
    ----------
    doing : str
        What is being done.
    progress : bool
        Whether it may be said at all.
    """
    if not (progress and is_watched()):
        yield
        return
    begun = time.monotonic()
    print(f"{doing} ...", end="", file=sys.stderr, flush=True)  # noqa: T201
    try:
        yield
    finally:
        print(f" {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)  # noqa: T201


def is_watched() -> bool:
    """Return whether somebody is likely to be watching: stderr is a terminal, or this is a notebook."""
    return os.environ.get(SWITCH) != "0" and (sys.stderr.isatty() or "ipykernel" in sys.modules)

"""main: run a command, and turn whatever happens into an exit status and a message."""

import _thread
import atexit
import gc
import io
import os
import shlex
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cyclopts import CycloptsError

from bayescale.cli.app import app
from bayescale.cli.parsing import UsageError
from bayescale.errors import InputError
from bayescale.processes import stop

FINE, UNEXPECTED, USAGE, UNUSABLE, INTERRUPTED = 0, 1, 2, 3, 130

AGAIN = 0.05
"""Seconds after which an interruption that was lost is repeated."""

GARBAGE = 100_000
"""Objects after which Python looks for garbage: libraries and figures are many objects, and hardly any is garbage."""

atexit.register(gc.freeze)  # Python ends sooner when it need not look for garbage among all that is there


def main(tokens: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    tokens : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        0 fine, 1 unexpected, 2 usage, 3 unusable data, 4 doubtful diagnostics under ``--strict``, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if tokens is None else tokens)
    gc.set_threshold(GARBAGE)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an author's name must not stop a table on an ASCII terminal
    try:
        with _interruptions_repeated():
            status = _run(arguments)
        sys.stdout.flush()
    except CycloptsError:  # cyclopts has printed it
        status = USAGE
    except BrokenPipeError:  # the reader has seen enough
        status = _close_stdout()
    except (Exception, KeyboardInterrupt) as error:
        status = _explain(error)
    finally:
        stop()  # none outlives the command or keeps it waiting
    return status


def _run(arguments: list[str]) -> int:
    command, bound, unparsed = app.parse_args(arguments, exit_on_error=False)
    if "command_line" in unparsed:
        bound.arguments["command_line"] = shlex.join(["bayescale", *arguments])
    return command(*bound.args, **bound.kwargs) or FINE


def _explain(error: BaseException) -> int:
    """Say on stderr what went wrong, and return the exit status."""
    status, message = UNEXPECTED, str(error)
    if isinstance(error, KeyboardInterrupt):
        status, message = INTERRUPTED, "interrupted"
    elif isinstance(error, UsageError):
        status = USAGE
    elif isinstance(error, InputError):
        status = UNUSABLE
    elif not isinstance(error, OSError):
        message = (
            f"unexpected {type(error).__name__}: {error}\n"
            "This is a fault in bayescale: please report it with the command; BAYESCALE_DEBUG=1 shows where it arose."
        )
    if os.environ.get("BAYESCALE_DEBUG") == "1":
        traceback.print_exception(error)
    sys.stderr.write(f"{message}\n")
    return status


@contextmanager
def _interruptions_repeated() -> Iterator[None]:
    """Repeat an interruption that comes while a library is called back from C, where exceptions are lost."""
    before = sys.unraisablehook

    def tell(lost: "sys.UnraisableHookArgs") -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            threading.Timer(AGAIN, _thread.interrupt_main).start()
        else:
            before(lost)

    sys.unraisablehook = tell
    try:
        yield
    finally:
        sys.unraisablehook = before


def _close_stdout() -> int:
    """Let Python flush what is left into nothing when it ends."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return FINE

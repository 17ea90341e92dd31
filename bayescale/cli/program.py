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

from cyclopts import CycloptsError, MissingArgumentError, ValidationError

from bayescale.cli.app import app
from bayescale.cli.parsing import UsageError
from bayescale.cli.replacing import check_outputs, replaced, standing
from bayescale.cli.surroundings import ended_by, prepare, signals_end
from bayescale.errors import InputError
from bayescale.processes import leave_nothing, stop
from bayescale.words import clean

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
        0 fine, 1 unexpected, 2 usage, 3 unusable data, 4 doubtful diagnostics under ``--strict``, 130 interrupted,
        143 terminated, 129 hung up.
    """
    prepare()
    arguments = list(sys.argv[1:] if tokens is None else tokens)
    gc.set_threshold(GARBAGE)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an author's name must not stop a table on an ASCII terminal
    try:
        with signals_end(), _interruptions_repeated():
            status = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        status = _close_stdout()
    except (Exception, KeyboardInterrupt) as error:
        status = _explain(error, _command(arguments))
        leave_nothing()
    finally:
        stop()  # none outlives the command or keeps it waiting
    return status


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    command, bound, unparsed = app.parse_args(arguments, exit_on_error=False, print_error=False)
    if "command_line" in unparsed:
        bound.arguments["command_line"] = clean(shlex.join(["bayescale", *arguments]))
    check_outputs(bound.arguments)
    before = standing(bound.arguments)
    status = command(*bound.args, **bound.kwargs) or FINE
    printing = bound.arguments.get("printing")
    if not getattr(printing, "quiet", False):
        sys.stderr.write("".join(f"replaced {clean(str(path))}\n" for path in replaced(before)))
    return status


def _command(arguments: Sequence[str]) -> str:
    """Return the command as typed, without its arguments."""
    found, names = app, ["bayescale"]
    for name in arguments:
        if name.startswith("-") or name not in found:
            break
        found, names = found[name], [*names, name]
    return " ".join(names)


def _explain(error: BaseException, command: str) -> int:
    """Say on stderr what went wrong, each line after the command that says it, and return the exit status."""
    status, lines, more = _reading(error, command)
    if os.environ.get("BAYESCALE_DEBUG") == "1":
        traceback.print_exception(error)
    sys.stderr.write("".join(f"{command}: {line}\n" for line in lines) + more)
    return status


def _reading(error: BaseException, command: str) -> tuple[int, Sequence[str], str]:
    """Return the exit status of an error, its lines, and what else helps."""
    see_help = f"see {command} --help\n"
    ending = ended_by() or ((INTERRUPTED, "interrupted") if isinstance(error, KeyboardInterrupt) else None)
    if ending is not None:
        return ending[0], [ending[1]], ""
    if isinstance(error, CycloptsError):
        return USAGE, [_usage(error)], see_help
    if isinstance(error, UsageError):
        return USAGE, [str(error)], see_help
    if isinstance(error, InputError):
        return UNUSABLE, error.faults, see_help
    if isinstance(error, OSError):
        return UNEXPECTED, [clean(str(error))], ""
    report = (
        "This is a fault in bayescale: please report it with the command; BAYESCALE_DEBUG=1 shows where it arose.\n"
    )
    return UNEXPECTED, [f"unexpected {type(error).__name__}: {error}"], report


def _usage(error: CycloptsError) -> str:
    """Return what is wrong with options in one sentence that begins as the other messages do."""
    if isinstance(error, ValidationError) and error.argument is not None and error.argument.tokens:
        tokens = error.argument.tokens
        name = tokens[0].keyword or error.argument.name.lstrip("-").upper()
        return f"{name} {' '.join(token.value for token in tokens)}: {error.exception_message}"
    if isinstance(error, MissingArgumentError) and error.argument is not None and not error.keyword:
        name = error.argument.name
        return f"{name if name.startswith('--') else name.upper()} is missing"
    message = str(error).partition(" Available commands:")[0].removesuffix(".")
    return message[:1].lower() + message[1:]


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

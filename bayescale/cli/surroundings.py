"""What a command finds around it: streams that are closed, a home that cannot be written, signals that end it."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

STREAMS = {0: ("stdin", "r"), 1: ("stdout", "w"), 2: ("stderr", "w")}

ENDINGS = {"SIGTERM": "terminated", "SIGHUP": "hung up"}
"""Signals that end a command as Ctrl-C does, and what is said then."""

_ENDED_BY: list[int] = []
"""The signal that ends this process, if one does."""


def prepare() -> None:
    """Open the streams that are closed, take a width of zero for none, and find a place for what libraries compile."""
    _open_streams()
    columns = os.environ.get("COLUMNS", "")
    if columns and not (columns.isdecimal() and int(columns) > 0):
        del os.environ["COLUMNS"]
    if not _has_home():
        _lend_home()


def _open_streams() -> None:
    """Let what would go to a closed stream go nowhere, rather than into the next file that is opened."""
    for number, (name, mode) in STREAMS.items():
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
        setattr(sys, name, open(number, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115


def _has_home() -> bool:
    try:
        home = Path.home()
    except RuntimeError:
        return False
    return home.is_dir() and os.access(home, os.W_OK | os.X_OK)


def _lend_home() -> None:
    """Let PyTensor and Matplotlib keep what they need in a folder that goes when the command ends."""
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    if "compiledir" in flags and "MPLCONFIGDIR" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="bayescale-home-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.setdefault("MPLCONFIGDIR", f"{folder}/matplotlib")
    if "compiledir" not in flags:
        os.environ["PYTENSOR_FLAGS"] = ",".join(filter(None, [flags, f"base_compiledir={folder}/pytensor"]))


@contextmanager
def signals_end() -> Iterator[None]:
    """Let the signals by which a supervisor or a closed terminal ends a command interrupt it as Ctrl-C does.

    A signal that is ignored, as under nohup, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _ENDED_BY.clear()
    numbers = [getattr(signal, name) for name in ENDINGS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    heeded = [number for number, handler in before.items() if handler == signal.SIG_DFL]
    for number in heeded:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    _ENDED_BY.append(number)
    raise KeyboardInterrupt


def ended_by() -> tuple[int, str] | None:
    """Return the exit status of a command that a signal has ended, and what to say; None where none has."""
    if not _ENDED_BY:
        return None
    return 128 + _ENDED_BY[0], ENDINGS[signal.Signals(_ENDED_BY[0]).name]

"""Files written whole or not at all, and the folder where fits are kept between runs."""

import hashlib
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from bayescale.errors import InputError

TEMPORARY = ".bayescale-"
"""How the names of files begin that are being written; host and process follow."""

STALE = 86_400.0
"""Seconds after which a temporary file of another machine is no longer being written."""

_WRITING: set[Path] = set()
"""The temporary files of this process."""

_SWEPT: set[Path] = set()
"""Folders in which this process has removed what ended processes left."""

_UNKEPT: set[Path] = set()
"""Folders of which was said that nothing can be kept in them."""


def cache_dir() -> Path:
    """Return the folder of cached fits and tables: ``BAYESCALE_CACHE``, else the user's cache folder."""
    override = os.environ.get("BAYESCALE_CACHE")
    if not override:
        return user_cache_path("bayescale")
    try:
        return Path(override).expanduser()
    except RuntimeError as error:
        raise InputError(f"BAYESCALE_CACHE={override}: {error}; name the folder in full") from None


def content_hash(content: object) -> str:
    """Return a hash of plain data (dicts, lists, strings, numbers), the same on every machine."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then move it into place in one step.

    Parameters
    ----------
    path : Path
        The file; its folder is made where there is none. Of a link, the file that it leads to is written; a link in
        the cache is replaced.
    write : callable
        Takes the path of the temporary file, which has the suffix of ``path``.

    Raises
    ------
    OSError
        If the file cannot be written; it names ``path``.
    """
    if path.is_symlink() and not path.is_relative_to(cache_dir()):
        path = Path(os.path.realpath(path))
    with _named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(f"{path}: cannot be written: a folder is in its place")
        _sweep_once(path.parent)
        name = f"{TEMPORARY}{_host()}-{os.getpid()}-{secrets.token_hex(8)}{path.suffix[:16]}"
        temporary = path.with_name(name)
        _WRITING.add(temporary)  # before it is there: an interrupt may come at any line
        try:
            temporary.touch(0o600, exist_ok=False)
            write(temporary)
            temporary.chmod(0o666 & ~_umask())
            _to_disk(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
            _WRITING.discard(temporary)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let an error of the system say which file it is about."""
    try:
        yield
    except OSError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: cannot be written: {error.strerror or error}") from error


def _to_disk(path: Path) -> None:
    """Wait until a file is on the disk: else its name may outlive a loss of power, and its content not."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def abandon() -> None:
    """Remove the temporary files of this process, which is about to end in the middle of whatever it does."""
    for path in tuple(_WRITING):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _sweep_once(folder: Path) -> None:
    if folder not in _SWEPT:
        _SWEPT.add(folder)
        sweep(folder)


def sweep(folder: Path) -> None:
    """Remove the temporary files that processes left in a folder which were killed while they wrote.

    Those of a process that still runs are left, and those of other machines until they are a day old.
    """
    with suppress(OSError):
        for path in folder.glob(f"{TEMPORARY}*"):
            if _is_left(path):
                path.unlink(missing_ok=True)


def sweep_cache() -> None:
    """Remove from all of the cache what ended processes left there, as :func:`sweep` does."""
    with suppress(OSError):
        folders = [cache_dir(), *(path for path in cache_dir().iterdir() if path.is_dir())]
        for folder in folders:
            sweep(folder)


def _is_left(path: Path) -> bool:
    host, _, rest = path.name.removeprefix(TEMPORARY).partition("-")
    process = rest.partition("-")[0]
    if host == _host() and process.isdecimal():
        return not _is_alive(int(process))
    return time.time() - path.stat().st_mtime > STALE


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":  # where signal 0 would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


# Results kept as JSON


def keep(path: Path, value: object) -> None:
    """Keep plain data in the cache, with a checksum of it and of its name.

    A file that cannot be written costs a note on stderr, never the result.
    """
    with kept_if_possible(path):
        _write_value(path, value)


def keep_quietly(path: Path, value: object) -> None:
    """Keep what is computed again at once where it cannot be kept, so that nobody need know."""
    with suppress(OSError):
        _write_value(path, value)


def _write_value(path: Path, value: object) -> None:
    text = json.dumps(value)
    content = json.dumps({"sha256": _checksum(path, text), "value": text})
    write_whole(path, lambda temporary: temporary.write_text(content, encoding="utf-8"))


def kept(path: Path) -> Any:  # noqa: ANN401  whatever JSON holds
    """Return what :func:`keep` kept; None where there is nothing, it is damaged, or it was kept under another name."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        text = content["value"]
        return json.loads(text) if content["sha256"] == _checksum(path, text) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _checksum(path: Path, text: str) -> str:
    return hashlib.sha256(f"{path.name}\n{text}".encode()).hexdigest()


@contextmanager
def kept_if_possible(path: Path) -> Iterator[None]:
    """Let a file of the cache that cannot be written cost a note on stderr, once for each folder, and nothing more."""
    try:
        yield
    except OSError as error:
        if path.parent not in _UNKEPT and sys.stderr is not None:
            reason = str(error) if str(path) in str(error) else f"{path}: {error}"
            sys.stderr.write(f"note: nothing is kept in the cache ({reason}); results are not affected\n")
        _UNKEPT.add(path.parent)

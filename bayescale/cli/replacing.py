"""What a command must not write over, and what it has replaced."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bayescale.cli.parsing import UsageError

BESIDE = ".json"
"""What a report writes beside its page."""

READ = ("runs", "scores", "run_so_far", "candidates")
"""Arguments that name a file to read."""


def check_outputs(arguments: Mapping[str, object]) -> None:
    """Refuse to write over the table, or the tracker's file, that a command reads.

    Parameters
    ----------
    arguments : mapping of str to object
        What the command is called with: ``paths`` and those of ``READ`` are read, and every other ``Path`` is written.
        Where runs come from standard input, that is the file it is redirected from.

    Raises
    ------
    UsageError
        If one of them is the same file, by whatever name, or lies beside a page that is written.
    """
    inputs = list(_inputs(arguments))
    for option, path in _outputs(arguments):
        for read in inputs:
            if any(_same(read, target) for target in _targets(path)):
                raise UsageError(f"--{option} {path} would write over {read}, which is read; name another file")
        if arguments.get("runs") == "-" and any(_is_stdin(target) for target in _targets(path)):
            raise UsageError(f"--{option} {path} would write over standard input, which is read; name another file")


def _inputs(arguments: Mapping[str, object]) -> Iterator[Path]:
    paths = arguments.get("paths")
    names = [*map(arguments.get, READ), *(paths if isinstance(paths, list | tuple) else ())]
    yield from (Path(name) for name in names if isinstance(name, str | Path) and "://" not in str(name))


def _outputs(arguments: Mapping[str, object]) -> Iterator[tuple[str, Path]]:
    yield from ((name, value) for name, value in arguments.items() if isinstance(value, Path) and name not in READ)


def _targets(path: Path) -> tuple[Path, ...]:
    pages = (".html", ".md", ".pdf")
    return (path, path.with_suffix(BESIDE)) if path.suffix.lower() in pages else (path,)


def _same(read: Path, written: Path) -> bool:
    try:
        return read.samefile(written)
    except (OSError, ValueError):
        return os.path.realpath(read) == os.path.realpath(written)


def _is_stdin(written: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(0), written.stat())
    except OSError:
        return False


def standing(arguments: Mapping[str, object]) -> dict[Path, int]:
    """Return the files that a command may replace, and which files they are."""
    places = [target for _, path in _outputs(arguments) for target in _files(path)]
    return {path: path.stat().st_ino for path in places}


def _files(path: Path) -> Iterable[Path]:
    if path.is_dir():
        return sorted(path.glob("*.nc"))
    return [target for target in _targets(path) if target.is_file()]


def replaced(before: Mapping[Path, int]) -> list[Path]:
    """Return those of some files that are others now."""
    return [path for path, number in before.items() if path.is_file() and path.stat().st_ino != number]

"""How text of the command line is read, and what cannot be meant refused."""

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from bayescale.errors import InputError
from bayescale.words import shortened, typed

LONGEST_NAME = 255
"""Bytes of the longest name that file systems take."""
NEXT_NAME = re.compile(r",(?=\s*\w*\s*(?:=|$))")
"""The comma before the next NAME=; other commas belong to a header."""


class UsageError(Exception):
    """Options that contradict each other."""


def check_file(path: Path) -> None:
    """Raise ValueError for what cannot become a file, before anything is computed."""
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise ValueError(f"the name of {shortened(path.name, 40)} is too long; at most {LONGEST_NAME} bytes")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file")
    if path.exists() and not path.is_file():  # such as /dev/null, which a file would take the place of
        raise ValueError(f"{path} is no file of its own; results go to stdout without --output")
    check_parent(path)


def check_parent(path: Path) -> None:
    """Raise ValueError unless the folder of a file or folder to write is there and can be written in."""
    check_folder(path.parent)
    if not path.parent.exists():
        raise ValueError(f"there is no folder {path.parent}; check its name, or make it first")


def check_folder(path: Path) -> None:
    """Raise ValueError for a folder that cannot be there, or in which nothing can be written."""
    nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise ValueError(f"{nearest} is a file, not a folder")
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise ValueError(f"nothing can be written in {nearest} ({error.strerror})") from error


def validate_file(_: object, path: Path | None) -> None:
    """Refuse what cannot become a file, where one is named."""
    if path is not None:
        check_file(path)


def parse_columns(text: str | None) -> dict[str, str] | None:
    """Read ``N=model_size,loss=val/loss``.

    Raises
    ------
    ValueError
        If a part has no equals sign or an empty side, or a name comes twice.
    """
    if text is None:
        return None
    columns: dict[str, str] = {}
    for part in NEXT_NAME.split(text):
        name, equals, header = (piece.strip() for piece in part.partition("="))
        if not (name and equals and header):
            raise ValueError(f"expected NAME=HEADER pairs such as N=model_size,loss=val_loss; found {part!r}")
        if name in columns:
            raise ValueError(f"{name} is mapped twice, to {columns[name]!r} and {header!r}")
        columns[name] = header
    return columns


MOST_FLOP = 1e32
"""FLOP beyond which a budget is a slip of the keyboard: ten million of today's accelerators would take 300 years."""


def plausible_flops(value: float, text: str = "") -> None:
    """Raise ValueError for FLOP that nobody can spend."""
    if value > MOST_FLOP:
        raise ValueError(
            f"{text or typed(value, 6)} is more FLOP than all computers can do in a century; expected operations, such "
            "as 5.76e23"
        )


def parse_laws(text: str) -> list[str]:
    """Read ``compute_floor,chinchilla``.

    Raises
    ------
    ValueError
        If a law is unknown or named twice.
    """
    from bayescale.laws import get_law  # noqa: PLC0415  (NumPy, which --help does not need)

    names = [get_law(name.strip()).name for name in text.split(",")]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"expected each law once; found {', '.join(twice)} twice")
    return names


def parse_priors(texts: tuple[str, ...]) -> dict[str, str]:
    """Read ``alpha=Normal(0.34, 0.05)``.

    Raises
    ------
    ValueError
        If a prior cannot be read, or a parameter has two.
    """
    from bayescale.laws import parse_given  # noqa: PLC0415  (NumPy, which --help does not need)

    return parse_given(texts)


def parse_count(text: str) -> float:
    """Read ``70B``, ``15T`` or ``1.5e13``.

    Raises
    ------
    ValueError
        If it is no count.
    """
    from bayescale.runs.numerals import read_count  # noqa: PLC0415  (pandas, which --help does not need)

    return read_count(text)


def validate(check: Callable[[], object]) -> None:
    """Run a check of ``bayescale.checks``; what it expected follows the option and its value, which stand first."""
    try:
        check()
    except InputError as error:
        raise ValueError(str(error).partition("; ")[2] or str(error)) from None

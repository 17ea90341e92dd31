"""A saved fit ends with a checksum of all before it, which is checked before HDF5 sees the file.

HDF5 reads whatever numbers a damaged file holds, and some damage ends the whole process. What stands behind its own
end it never reads.
"""

import hashlib
from pathlib import Path

from bayescale.errors import InputError

MARK = b"\nbayescale sha256 "
LENGTH = len(MARK) + 65
CHUNK = 1 << 20

AGAIN = {"fit": "fit again", "comparison": "compare again"}
"""What to do about a file that cannot be used, by what it should hold."""


def seal(path: Path) -> None:
    """Add the checksum to the end of a file."""
    with path.open("rb+") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0, 2)
        file.write(MARK + found.encode() + b"\n")


def is_sealed(path: Path) -> bool:
    """Return whether a file ends with a checksum, right or wrong."""
    return _split(path)[1] is not None


def check_seal(path: Path, what: str) -> None:
    """Refuse a file of a saved fit, or of what else it should be, without a checksum or with another content.

    Raises
    ------
    InputError
        If the file is of another kind, truncated or damaged.
    """
    length, expected = _split(path)
    if expected is None:
        raise InputError(
            f"{path}: cannot be read as a saved {what} (it does not end with a checksum); the file is truncated or of "
            f"another kind; {AGAIN[what]}"
        )
    if _digest(path, length) != expected:
        raise InputError(
            f"{path}: cannot be read as a saved {what} (its content is not what its checksum says); the file is "
            f"damaged; {AGAIN[what]}"
        )


def _split(path: Path) -> tuple[int, str | None]:
    """Return the length of a file without its checksum, and the checksum where there is one."""
    length = max(path.stat().st_size - LENGTH, 0)
    with path.open("rb") as file:
        file.seek(length)
        end = file.read(LENGTH + 1)
    whole = len(end) == LENGTH and end.startswith(MARK) and end.endswith(b"\n")
    return length, end[len(MARK) : -1].decode("ascii", "replace") if whole else None


def _digest(path: Path, length: int) -> str:
    """Return the SHA-256 of the beginning of a file."""
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while length > 0 and (part := file.read(min(CHUNK, length))):
            hashed.update(part)
            length -= len(part)
    return hashed.hexdigest()

"""Files written whole or not at all, and the folder where fits are kept between runs."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path


def cache_dir() -> Path:
    """Return the folder of cached fits and tables: ``BAYESCALE_CACHE``, else the user's cache folder."""
    override = os.environ.get("BAYESCALE_CACHE")
    return Path(override) if override else user_cache_path("bayescale")


def content_hash(content: object) -> str:
    """Return a hash of plain data (dicts, lists, strings, numbers), the same on every machine."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then move it into place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

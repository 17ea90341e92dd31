"""Fetch catalogued files: from upstream or a mirror into the cache, resumed where interrupted, verified always."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bayescale.errors import InputError
from bayescale.storage import cache_dir, write_whole
from bayescale.words import clean

if TYPE_CHECKING:
    import requests

MIRROR = "BAYESCALE_MIRROR"
SUFFIXES = (".csv", ".csv.gz", ".jsonl")  # text that pandas parses; what could run code when it is read is not fetched
RETRIES = 3
TIMEOUT = 30.0  # seconds without an answer
SLOWEST = 1000  # bytes per second, on average, after that time
CHUNK = 1 << 16
WORTH_ASKING = (408, 425, 429)
"""What a server answers that is busy, though the client is blamed for it."""


class RefusedError(Exception):
    """An answer that stays the same however often one asks."""


class UnreachableError(InputError):
    """Nobody answers at an address, so that asking there for another file is in vain."""


type Progress = Callable[[str, int, int], object]
"""Told the name of a file, the bytes there are and the bytes there will be."""


@dataclass(frozen=True)
class RemoteFile:
    """An upstream file at a commit, and what it must hold.

    Attributes
    ----------
    source, name : str
        Where it lies in the cache and in a mirror: ``SOURCE/NAME``.
    address : str
        Where upstream serves it.
    sha256 : str
        Hash of its content.
    bytes : int
        Its length.
    confirmed : str
        How far it is confirmed that upstream has it there.
    """

    source: str
    name: str
    address: str
    sha256: str
    bytes: int
    confirmed: str = ""

    def __post_init__(self) -> None:
        """Refuse kinds of files that are not plain tables."""
        plain = all(_is_plain(part) for part in (self.source, self.name))
        if not plain or not self.name.endswith(SUFFIXES) or Path(self.key).parts != (self.source, self.name):
            raise InputError(
                f"{self.key}: expected a file {', '.join(SUFFIXES)} directly in the folder of its source; "
                "pickles and other formats that can run code are never fetched or read"
            )

    @property
    def key(self) -> str:
        """Path below the cache and below a mirror."""
        return f"{self.source}/{self.name}"


def _is_plain(part: str) -> bool:
    """Return whether a part of a path is a name and nothing else on any system."""
    return part not in ("", ".", "..") and "\\" not in part and ":" not in part and clean(part) == part


def data_cache() -> Path:
    """Return the folder of fetched files."""
    return cache_dir() / "data"


def chosen_mirror(mirror: str | os.PathLike[str] | None) -> str | None:
    """Return the mirror asked for, else that of ``BAYESCALE_MIRROR``, else none."""
    return os.fspath(mirror) if mirror else os.environ.get(MIRROR) or None


def is_fetched(file: RemoteFile) -> bool:
    """Tell whether the cache has a file of that name; :func:`fetched_file` verifies it."""
    return (data_cache() / file.key).is_file()


def fetched_file(file: RemoteFile) -> Path:
    """Return the cached file after verifying it.

    Raises
    ------
    InputError
        If it is not what was catalogued; it is removed then.
    """
    path = data_cache() / file.key
    _check_place(path)
    found = file_hash(path)
    if found != file.sha256:
        path.unlink()
        raise InputError(_changed(file, str(path), found, "it was removed and not used: fetch it again"))
    return path


def fetch_file(
    file: RemoteFile, *, mirror: str | os.PathLike[str] | None = None, progress: Progress | None = None
) -> Path:
    """Bring a file into the cache, unless it is there and sound, and verify it.

    Parameters
    ----------
    file : RemoteFile
        What to fetch.
    mirror : str or path-like, optional
        A folder, or the address of one (http or https), with the files as ``SOURCE/NAME``; by default what
        ``BAYESCALE_MIRROR`` says, else upstream.
    progress : callable, optional
        Told the file's name, the bytes there are and the bytes there will be.

    Returns
    -------
    Path
        The verified file in the cache.

    Raises
    ------
    InputError
        If it cannot be reached (an ``UnreachableError`` where nobody answers), or is not what was catalogued; nothing
        is kept then but the part of an interrupted download, with which the next one goes on.
    """
    _check_place(data_cache() / file.key)
    mirror = chosen_mirror(mirror)
    if mirror is not None and "://" not in mirror:
        return _copied(file, Path(mirror))
    address = file.address if mirror is None else f"{mirror.rstrip('/')}/{file.key}"
    if not address.startswith(("https://", "http://")):
        raise InputError(f"{address}: a mirror is a folder, or an address that begins with https:// or http://")
    return _downloaded(file, address, progress)


def _check_place(path: Path) -> None:
    """Raise InputError where a folder is in the place of a file, or of the part of one."""
    for place in (path, _part_of(path)):
        if place.is_dir():
            raise InputError(f"{place}: a folder is in the place of a file; remove it")


def _part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _copied(file: RemoteFile, mirror: Path) -> Path:
    path, original = data_cache() / file.key, mirror / file.key
    if path.is_file() and file_hash(path) == file.sha256:
        return path
    if not original.is_file():
        raise InputError(f"{original}: there is no such file; a mirror holds each file as SOURCE/NAME, here {file.key}")
    write_whole(path, lambda target: _copy_verified(file, original, target))
    return path


def _copy_verified(file: RemoteFile, original: Path, target: Path) -> None:
    shutil.copyfile(original, target)
    found = file_hash(target)
    if found != file.sha256:
        raise InputError(
            _changed(file, str(original), found, "it was not used: mend the mirror, or fetch from upstream")
        )


def _downloaded(file: RemoteFile, address: str, progress: Progress | None) -> Path:
    import pooch  # noqa: PLC0415  (with requests a third of a second, which only fetching should cost)
    import requests  # noqa: PLC0415

    pooch.get_logger().setLevel("WARNING")  # it would announce every file on stderr
    store = pooch.create(
        path=data_cache(),
        base_url="",
        registry={file.key: f"sha256:{file.sha256}"},
        urls={file.key: address},
        retry_if_failed=RETRIES,
    )
    download = _Download(file, progress)
    try:
        return Path(store.fetch(file.key, downloader=download))
    except RefusedError as error:
        raise InputError(
            f"{address}: cannot be downloaded ({error}), and asking again would not help; give --mirror or {MIRROR}"
        ) from None
    except requests.RequestException as error:
        kind = UnreachableError if isinstance(error, requests.ConnectionError) else InputError
        raise kind(
            f"{address}: cannot be downloaded after {1 + RETRIES} attempts ({error}); check the network and try again, "
            f"what has come is kept; or give --mirror or {MIRROR}"
        ) from None
    except ValueError:  # what pooch says of a wrong hash
        download.part.unlink(missing_ok=True)
        remedy = (
            "the download was removed and not used: try again later; if it stays so, the file has changed upstream, "
            "and a mirror with the catalogued one is needed"
        )
        raise InputError(_changed(file, address, download.found, remedy)) from None


class _Download:
    """A downloader for pooch that goes on where an interrupted download ended."""

    def __init__(self, file: RemoteFile, progress: Progress | None) -> None:
        self.file = file
        self.progress = progress or (lambda *_: None)
        self.part = _part_of(data_cache() / file.key)
        self.found = ""

    def __call__(self, url: str, output_file: str, _: object) -> None:
        import requests  # noqa: PLC0415

        if self.part.is_symlink():  # what it points to is not ours
            self.part.unlink()
        try:
            if not self._go_on(url):
                self.part.unlink(missing_ok=True)
                self._go_on(url)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.TooManyRedirects) as error:
            raise RefusedError(str(error)) from error
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if 400 <= status < 500 and status not in WORTH_ASKING:
                raise RefusedError(str(error)) from error
            raise
        self.found = file_hash(self.part)
        self.part.replace(output_file)

    def _go_on(self, url: str) -> bool:
        """Ask for what is missing; False where the server has no such part, since the file there is shorter."""
        import requests  # noqa: PLC0415

        start = self.part.stat().st_size if self.part.is_file() else 0
        if start >= self.file.bytes:
            start = 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == 416 and start:
                return False
            response.raise_for_status()
            goes_on = response.status_code == 206 and response.headers.get("Content-Range", "").startswith(
                f"bytes {start}-"
            )
            with self.part.open("ab" if goes_on else "wb") as part:
                self._write(response, part)
        return True

    def _write(self, response: "requests.Response", part: IO[bytes]) -> None:
        """Write what comes, as it comes; a server that sends hardly anything is given up as one that sends nothing."""
        import requests  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  (of requests)

        begun, first = time.monotonic(), part.tell()
        try:
            while chunk := response.raw.read1(CHUNK, decode_content=True):
                part.write(chunk)
                self.progress(self.file.name, part.tell(), self.file.bytes)
                if part.tell() > self.file.bytes:  # not the catalogued file, however much more is to come
                    return
                seconds = time.monotonic() - begun
                if seconds > TIMEOUT and part.tell() - first < SLOWEST * seconds:
                    raise requests.ConnectionError(f"fewer than {SLOWEST} bytes a second in {seconds:.0f} seconds")
        except HTTPError as error:
            raise requests.ConnectionError(error) from error


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _changed(file: RemoteFile, where: str, found: str, remedy: str) -> str:
    return f"{where}: expected {file.name} with SHA-256 {file.sha256}, found {found}; {remedy}"

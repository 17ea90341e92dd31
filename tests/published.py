"""Files that others have published, where the tests may read them: fetched ones first, then copies beside the checkout.

None of them is part of this repository. Without them, the tests that compare with all of a file skip and say how to get
it; ``upstream.py`` makes small files of the same form, with which every recipe is tested anywhere.
"""

from pathlib import Path

import pytest

from bayescale.catalogue import TABLES, catalogue_entry, table_names
from bayescale.catalogue.fetching import data_cache, file_hash

FETCHED = data_cache()
"""The user's own cache, read before the tests turn to one of their own."""

COPIES = Path(__file__).parents[2] / "shared" / "data"
REMOTE = {
    file.key: (file, name) for name in reversed(table_names()[len(TABLES) :]) for file in catalogue_entry(name).files
}
"""Each catalogued file, and the first table that needs it."""


def found_raw(key: str) -> Path | None:
    """Return the file ``SOURCE/NAME`` if there is one; a fetched one must be the catalogued one."""
    path = FETCHED / key
    if key in REMOTE and path.is_file() and file_hash(path) == REMOTE[key][0].sha256:
        return path
    return next((path for path in [COPIES / "raw" / key] if path.is_file()), None)


def raw(key: str) -> Path:
    """Return the file ``SOURCE/NAME``, or skip the test."""
    path = found_raw(key)
    if path is None:
        remedy = f"run `bayescale data get {REMOTE[key][1]}`" if key in REMOTE else "no command fetches it"
        pytest.skip(f"{key} is not on this machine: {remedy}")
    return path


def mirror(name: str) -> Path:
    """Return a folder that holds all files of a table, for ``load_runs`` to take as a mirror, or skip the test."""
    paths = [raw(file.key) for file in catalogue_entry(name).files]
    folders = {path.parents[1] for path in paths}
    if len(folders) > 1:
        pytest.skip(f"the files of {name} are in several folders: run `bayescale data get {name}`")
    return folders.pop()


def tidy(name: str) -> Path:
    """Return a table that was made from upstream files by other means than the package's, or skip the test."""
    path = COPIES / "tidy" / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"{path.name}, made by other means, is not beside this checkout: no command fetches it")
    return path

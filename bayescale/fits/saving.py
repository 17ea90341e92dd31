"""load_fit: read a fit that was saved, and refuse what is not one."""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.blocks import is_small
from bayescale.fits.fit import GROUPS, LIKELIHOOD, PUBLISHED, SCHEMA, Fit, add_published
from bayescale.fits.sealing import AGAIN, check_seal
from bayescale.laws import LAWS, Law, Prior, Share, known_laws, law_record, priors_from_record
from bayescale.storage import content_hash

RECORDED = ("law", "table", "settings", "reference", "diagnostics")


@checks.kinds
def load_fit(path: str | os.PathLike[str], law: Law | None = None) -> Fit:
    """Read a fit that :meth:`Fit.save` wrote.

    Parameters
    ----------
    path : str or path
        The file.
    law : Law, optional
        The law, needed only when it is not a built-in one.

    Raises
    ------
    InputError
        If the file is missing, truncated, damaged, of another program or version, or of a law that is not here.
    """
    return read_fit(Path(path), law)


def read_fit(path: Path, law: Law | None = None) -> Fit:
    """Read and check a saved fit; see :func:`load_fit`."""
    return fit_of_tree(path, read_tree(path, "fit"), law)


def fit_of_tree(path: Path, tree: xr.DataTree, law: Law | None) -> Fit:
    """Check the tree of a saved fit; raise InputError, with the path of its file, if it is none."""
    record = _read_record(path, tree)
    missing = [group for group in GROUPS if group not in tree.children]
    if missing and not (missing == [LIKELIHOOD] and _is_large(tree)):
        raise InputError(f"{path}: the saved fit lacks {', '.join(missing)}; fit again")
    fitted = Fit(_law_of(path, record["law"], law), tree)
    return fitted if PUBLISHED in tree.children else add_published(fitted)


def _is_large(tree: xr.DataTree) -> bool:
    """Return whether a fit is of so large a table that it keeps no log likelihood."""
    draws = tree["posterior"].sizes
    return not is_small(draws["chain"] * draws["draw"], tree["observed_data"].sizes["run"])


def read_tree(path: Path, what: str) -> xr.DataTree:
    """Read a file, or raise InputError if it cannot be read as what was saved in it."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; expected a {what} saved by bayescale")
    try:
        check_seal(path, what)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        with xr.open_datatree(path, engine="netcdf4") as tree:
            return tree.load()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read as a saved {what} ({type(error).__name__}: {error}); the file is truncated or of "
            f"another kind; {AGAIN[what]}"
        ) from error


def _read_record(path: Path, tree: xr.DataTree) -> dict[str, Any]:
    text = tree.attrs.get("bayescale")
    if text is None:
        raise InputError(f"{path}: a NetCDF file, but not a fit saved by bayescale (no attribute 'bayescale')")
    try:
        record = dict(json.loads(text))
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: its record cannot be read ({error}); fit again") from error
    if record.get("schema") != SCHEMA:
        raise InputError(
            f"{path}: saved as {record.get('schema')}, this version reads {SCHEMA}; fit again with this version"
        )
    missing = [name for name in RECORDED if name not in record]
    if missing:
        raise InputError(f"{path}: its record lacks {', '.join(missing)}; fit again")
    return record


def _law_of(path: Path, record: Mapping[str, Any], law: Law | None) -> Law:
    found = law or LAWS.get(record["name"]) or known_laws().get(record["name"])
    if found is None:
        raise InputError(
            f"{path}: fit of law '{record['name']}', which is not built in; pass it: load_fit(path, law=...)"
        )
    priors, same = priors_from_record(record["priors"]), set(found.parameters) == set(record["priors"])
    # Shares are drawn in their order, which a record does not keep.
    read = _with_recorded(found, priors) if same else found
    if content_hash(law_record(read)) != content_hash(record):
        raise InputError(
            f"{path}: fit of a law '{record['name']}' whose formula differs from the one here "
            f"({record['formula']} there, {found.formula} here); fit again"
        )
    return read


def _with_recorded(law: Law, priors: Mapping[str, Prior | Share]) -> Law:
    """Return a law with the priors of a record, and note which of its own they replace."""
    own = {**law.priors, **law.replaced}
    replaced = {name: prior for name, prior in own.items() if prior != priors[name]}
    return dataclasses.replace(law, priors={name: priors[name] for name in law.priors}, replaced=replaced)

"""A comparison as one file: its fits, the densities of runs left out, its table and its notes."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.comparison.comparison import Comparison, check_comparable
from bayescale.comparison.conventions import Convention
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.fits.saving import fit_of_tree, read_tree
from bayescale.fits.sealing import seal
from bayescale.laws import Law
from bayescale.storage import write_whole

SCHEMA = "bayescale/comparison/1"
RECORDED = ("laws", "table", "pointwise", "exact", "ranking_probability", "notes", "conventions")


def save_comparison(comparison: Comparison, path: Path) -> None:
    """Write a comparison as one NetCDF file; see :meth:`bayescale.Comparison.save`."""
    tree = {}
    for place, (name, fitted) in enumerate(comparison.fits.items()):
        loo = comparison.pointwise[name]
        tree[f"fit_{place}"] = fitted.data
        tree[f"loo_{place}"] = xr.DataTree(xr.Dataset(_arrays(loo)))
    root = xr.DataTree(children=tree)
    root.attrs["bayescale"] = json.dumps(_record(comparison))
    write_whole(path, lambda temporary: _write(root, temporary))


def _write(tree: xr.DataTree, path: Path) -> None:
    tree.to_netcdf(path, engine="netcdf4")
    seal(path)


def load_comparison(path: Path, laws: Iterable[Law] = ()) -> Comparison:
    """Read a comparison; see :meth:`bayescale.Comparison.load`."""
    tree = read_tree(path, "comparison")
    record = _read_record(path, tree)
    own = {law.name: law for law in laws}
    fits, pointwise = {}, {}
    for place, name in enumerate(record["laws"]):
        fits[name] = _fit(path, tree, place, own)
        pointwise[name] = _elpd(path, tree, place, record["pointwise"][place])
    check_comparable(fits)
    exact = {name: tuple(rows) for name, rows in record["exact"].items()}
    probability, notes = float(record["ranking_probability"]), tuple(record["notes"])
    conventions = tuple(Convention(**each) for each in record["conventions"])
    return Comparison(fits, _table(record["table"]), pointwise, exact, probability, notes, conventions)


def _record(comparison: Comparison) -> dict[str, Any]:
    table = comparison.table
    return {
        "schema": SCHEMA,
        "laws": list(comparison.fits),
        "table": {
            "index": list(table.index),
            "columns": {str(name): [_plain(value) for value in table[name]] for name in table},
            "types": {str(name): str(kind) for name, kind in table.dtypes.items()},
        },
        "pointwise": [_numbers(comparison.pointwise[name]) for name in comparison.fits],
        "exact": {name: list(rows) for name, rows in comparison.exact.items()},
        "ranking_probability": comparison.ranking_probability,
        "notes": list(comparison.notes),
        "conventions": [dataclasses.asdict(each) for each in comparison.conventions],
    }


def _numbers(loo: Any) -> dict[str, Any]:  # noqa: ANN401  (ArviZ's, untyped)
    """Return what of a result of ArviZ is no array."""
    fields = {field.name: getattr(loo, field.name) for field in dataclasses.fields(loo)}
    return {name: _plain(value) for name, value in fields.items() if not isinstance(value, xr.DataArray)}


def _arrays(loo: Any) -> dict[str, xr.DataArray]:  # noqa: ANN401  (as above)
    fields = {field.name: getattr(loo, field.name) for field in dataclasses.fields(loo)}
    return {name: value for name, value in fields.items() if isinstance(value, xr.DataArray)}


def _plain(value: Any) -> Any:  # noqa: ANN401  (a number of any library)
    return value.item() if isinstance(value, np.generic) else value


def _table(record: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(record["columns"], index=record["index"]).astype(record["types"])


def _fit(path: Path, tree: xr.DataTree, place: int, laws: Mapping[str, Law]) -> Fit:
    name = f"fit_{place}"
    if name not in tree.children:
        raise InputError(f"{path}: the saved comparison lacks fit {place + 1}; compare again")
    own = xr.DataTree.from_dict({path: node.dataset for path, node in tree[name].subtree_with_keys})
    record = json.loads(str(own.attrs.get("bayescale", "{}")))
    return fit_of_tree(path, own, laws.get(record.get("law", {}).get("name")))


def _elpd(path: Path, tree: xr.DataTree, place: int, numbers: Mapping[str, Any]) -> Any:  # noqa: ANN401  (as above)
    name = f"loo_{place}"
    if name not in tree.children:
        raise InputError(f"{path}: the saved comparison lacks the densities of law {place + 1}; compare again")
    group = tree[name].to_dataset()
    arrays = {str(each): group[each] for each in group.data_vars}
    from arviz_stats.utils import ELPDDataLOO  # noqa: PLC0415  (1 s that one law alone does not need)

    needed = {field.name for field in dataclasses.fields(ELPDDataLOO) if field.init}
    fields = {**numbers, **arrays}
    found = ELPDDataLOO(**{each: fields[each] for each in needed if each in fields})
    for each in fields.keys() - needed:
        setattr(found, each, fields[each])
    return found


def _read_record(path: Path, tree: xr.DataTree) -> dict[str, Any]:
    try:
        record = dict(json.loads(tree.attrs["bayescale"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: a NetCDF file, but not a comparison saved by bayescale") from error
    if record.get("schema") != SCHEMA:
        raise InputError(f"{path}: saved as {record.get('schema')}; expected {SCHEMA}; compare again with this version")
    missing = [name for name in RECORDED if name not in record]
    if missing:
        raise InputError(f"{path}: its record lacks {', '.join(missing)}; compare again")
    return record

"""Tables in memory: pandas, polars, pyarrow, or a dict of columns, as the DataFrame of cells that the checks read."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.runs.table import RunTable

if TYPE_CHECKING:
    import narwhals as nw


@runtime_checkable
class ArrowTable(Protocol):
    """A table that speaks Arrow: a DataFrame of pandas or polars, a table of pyarrow, a relation of DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand over the columns."""


type Frame = pd.DataFrame | ArrowTable | Mapping[str, Iterable[object]]
"""A table in memory, one row for each run."""

type Runs = RunTable | Frame | str | os.PathLike[str]
"""What every function takes for its runs: a checked table, a table in memory, or the path of a file."""


def to_pandas(name: str, frame: Frame) -> pd.DataFrame:
    """Return the cells of a table in memory as a DataFrame: integers exact, missing cells empty, labels as text.

    Raises
    ------
    InputError
        If it is no table, or its columns differ in length.
    """
    if isinstance(frame, pd.DataFrame):
        return frame
    if isinstance(frame, Mapping):
        return _from_columns(name, frame)
    table = _eager(frame)
    if table is None:
        raise InputError(
            f"{name}: found {type(frame).__name__}; expected a DataFrame of pandas or polars, a table of pyarrow, or a "
            "dict of columns"
        )
    return pd.DataFrame({str(column.name): _cells(column) for column in table.iter_columns()})


def _from_columns(name: str, columns: Mapping[str, Iterable[object]]) -> pd.DataFrame:
    cells = {str(header): _list(values) for header, values in columns.items()}
    single = [header for header, values in cells.items() if values is None]
    if single:
        raise InputError(f"{name}: {', '.join(single)} is no list of values; give one value for each run")
    lists = {header: values for header, values in cells.items() if values is not None}
    lengths = {header: len(values) for header, values in lists.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{header} {length}" for header, length in lengths.items())
        raise InputError(f"{name}: the columns differ in length ({found}); give one value for each run")
    return pd.DataFrame(lists)


def _list(values: object) -> list[object] | None:
    """Return a column as a list of Python values; None where it is no column."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        return None
    for method in ("to_list", "tolist", "to_pylist"):  # of pandas and polars; of NumPy; of pyarrow
        if hasattr(values, method):
            found = getattr(values, method)()
            return found if isinstance(found, list) else None
    return list(values)


def _eager(frame: object) -> "nw.DataFrame[Any] | None":
    """Return a table by narwhals, whatever library it is of; None where it is none."""
    import narwhals as nw  # noqa: PLC0415  (--help and the laws need it not)

    found = nw.from_native(frame, pass_through=True)
    if isinstance(found, nw.LazyFrame):
        return found.collect()
    if isinstance(found, nw.DataFrame):
        return found
    if not isinstance(frame, ArrowTable):
        return None
    try:
        import pyarrow as pa  # noqa: PLC0415  an optional extra
    except ImportError:
        return None
    table: nw.DataFrame[Any] = nw.from_native(pa.table(frame), eager_only=True)
    return table


def _cells(column: "nw.Series[Any]") -> np.ndarray | list[object]:
    """Return a column as an array of numbers, or cell by cell where one is missing or no number."""
    if column.dtype.is_numeric() and not column.dtype.is_decimal() and not column.null_count():
        return np.asarray(column.to_numpy())
    return list(column.to_list())

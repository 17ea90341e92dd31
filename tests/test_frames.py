"""Tables in memory: every kind of frame gives the table that a file gives, and the faults that a file has."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayescale as bs
from bayescale import InputError
from bayescale.runs import as_table

COLUMNS = {
    "model": ["a", "b", "c", "d", "e", "f"],
    "params": [10**8, 2 * 10**8, 10**8, 10**9, 10**15 - 1, 10**9],
    "tokens": [2 * 10**9, 2 * 10**9, 10**10, 10**10, 2**53 - 1, 2 * 10**10],
    "val_loss": [3.5, 3.25, 3.125, 2.75, 2.0, 2.5],
    "family": ["x", "x", "y", "y", "x", "y"],
}
MAKERS = {
    "pandas": pd.DataFrame,
    "pandas of Arrow": lambda columns: pd.DataFrame(columns).convert_dtypes(dtype_backend="pyarrow"),
    "pandas categories": lambda columns: pd.DataFrame(columns).astype({"family": "category"}),
    "polars": pl.DataFrame,
    "polars lazy": pl.LazyFrame,
    "polars categories": lambda columns: pl.DataFrame(columns, schema_overrides={"family": pl.Categorical}),
    "pyarrow": pa.table,
    "dict of lists": dict,
    "dict of arrays": lambda columns: {name: np.array(values) for name, values in columns.items()},
    "dict of polars series": lambda columns: dict(pl.DataFrame(columns).to_dict()),
    "dict of pyarrow arrays": lambda columns: {name: pa.array(values) for name, values in columns.items()},
}


class Stream:
    """A table of another library: all that it has is the stream of Arrow."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_every_kind_of_frame_gives_the_same_table(make):
    runs = bs.read_runs(make(COLUMNS), name="mine")
    assert (runs.name, runs.response, runs.unit, runs.compute) == ("mine", "loss", "nats per token", "6ND")
    assert list(runs.frame) == ["run", "N", "D", "C", "loss", "family"]
    for name, given in {"run": "model", "N": "params", "D": "tokens", "loss": "val_loss", "family": "family"}.items():
        assert runs.frame[name].tolist() == COLUMNS[given]


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_from_frame_and_read_runs_give_the_same_table(make):
    named, read = bs.RunTable.from_frame(make(COLUMNS)), bs.read_runs(make(COLUMNS))
    pd.testing.assert_frame_equal(named.frame, read.frame)
    assert named.name == read.name == "your table"


def test_any_table_that_speaks_arrow_is_read():
    assert bs.read_runs(Stream(pa.table(COLUMNS))).frame["N"].tolist() == COLUMNS["params"]


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_missing_cell_is_a_fault_with_its_row(make):
    columns = COLUMNS | {"tokens": [2e9, 2e9, None, 1e10, 1e12, 2e10]}
    if make is MAKERS["dict of arrays"]:
        columns["tokens"][2] = np.nan
    with pytest.raises(InputError) as caught:
        bs.RunTable.from_frame(make(columns), name="mine")
    assert caught.value.faults == (
        "mine: column D ('tokens') is missing for run 'c' (row 3); give the value, or take the run out",
    )


@pytest.mark.parametrize("make", [MAKERS["pandas"], MAKERS["polars"], MAKERS["pyarrow"], dict])
def test_counts_written_as_text_and_headers_of_ones_own_are_read_as_in_a_file(make, tmp_path):
    columns = {
        "size": ["100M", "200M", "100M", "1B", "2B", "1B"], "tokens": ["2B", "2B", "10B", "10B", "1T", "20B"],
        "val/loss": COLUMNS["val_loss"],
    }  # fmt: skip
    path = tmp_path / "runs.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    renamed = {"N": "size", "loss": "val/loss"}
    found = bs.read_runs(make(columns), columns=renamed)
    pd.testing.assert_frame_equal(found.frame, bs.read_runs(path, columns=renamed).frame)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_a_missing_label_is_a_fault_whatever_stands_for_it(missing):
    frame = pd.DataFrame(COLUMNS | {"model": pd.Series([missing, *"bcdef"], dtype=object)})
    with pytest.raises(InputError, match="column run \\('model'\\) is empty on row 1; give every run a label"):
        bs.read_runs(frame)


def test_an_optional_column_without_any_value_is_left_out_as_in_a_file():
    runs = bs.read_runs(pl.DataFrame(COLUMNS).with_columns(vocab=pl.lit(None, dtype=pl.Float64)))
    assert "vocabulary" not in runs.frame
    assert "column vocabulary ('vocab') has no values and is left out" in runs.notes


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (COLUMNS | {"tokens": [1e9, 2e9]}, "mine: the columns differ in length (model 6, params 6, tokens 2,"),
        (COLUMNS | {"tokens": 1e9}, "mine: tokens is no list of values; give one value for each run"),
        (COLUMNS | {"model": "abcdef"}, "mine: model is no list of values; give one value for each run"),
        ({}, "mine: the table has no rows"),
    ],
)
def test_a_dict_that_is_no_table_is_refused(columns, message):
    with pytest.raises(InputError) as caught:
        bs.read_runs(columns, name="mine")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("found", [None, 3, ["N", "D"], "runs.csv"])
def test_what_is_no_table_is_refused_by_from_frame(found):
    with pytest.raises(InputError, match=f"runs: found {type(found).__name__}; expected a DataFrame of pandas or pol"):
        bs.RunTable.from_frame(found)


def test_a_table_that_is_checked_is_returned_as_it_is():
    runs = bs.read_runs(COLUMNS)
    assert bs.read_runs(runs) is runs
    with pytest.raises(
        InputError, match="your table: unit, name say how to read a table, and this one is read already"
    ):
        bs.read_runs(runs, unit="bits per token", name="other")


def test_only_the_sizes_that_a_law_has_must_vary():
    curve = {"N": [1e9] * 6, "D": COLUMNS["tokens"], "loss": COLUMNS["val_loss"]}
    assert len(as_table(curve, ("D",)).frame) == 6
    with pytest.raises(InputError, match="column N is 1e9 in every row"):
        as_table(curve)


def test_functions_take_frames_and_paths_as_they_take_tables(tmp_path, small_runs):
    path = tmp_path / "runs.csv"
    small_runs.frame.to_csv(path, index=False)
    columns = ["N", "D", "C", "loss"]
    described = bs.describe(small_runs)
    for runs in (pl.from_pandas(small_runs.frame[columns]), small_runs.frame[columns], path, str(path)):
        assert bs.describe(runs) == described
        assert len(bs.select_runs(runs, "N > 0").frame) == len(small_runs.frame)
    assert bs.identify(path, "compute_floor").statements == bs.identify(small_runs, "compute_floor").statements


def test_a_design_is_of_any_library():
    design = bs.designs.isoflop_design([1e19, 1e20], [5, 20, 80])
    runs = bs.simulate(design, "chinchilla")
    for make in (pl.DataFrame, pa.table, dict):
        assert bs.simulate(make(design.to_dict("list")), "chinchilla") == runs
    further = {"granularity": [1, 4]}
    crossed = bs.designs.crossed_design(design, further)
    pd.testing.assert_frame_equal(bs.designs.crossed_design(pl.DataFrame(design.to_dict("list")), further), crossed)
    assert list(design) == ["N", "D"]


def test_a_law_is_fitted_to_a_polars_frame_as_to_its_table(small_runs):
    options = {"draws": 20, "tune": 50, "cache": False, "random_seed": 1}
    columns = ["run", "N", "D", "C", "loss"]
    fitted = bs.fit(pl.from_pandas(small_runs.frame[columns]), "compute_floor", **options)
    expected = bs.fit(bs.RunTable.from_frame(small_runs.frame[columns]), "compute_floor", **options)
    for name, draws in bs.published_draws(expected).items():
        np.testing.assert_array_equal(bs.published_draws(fitted)[name], draws)


def test_a_file_is_read_without_a_library_of_frames(tmp_path):
    path = tmp_path / "runs.csv"
    pd.DataFrame(COLUMNS).to_csv(path, index=False)
    code = f"import sys, bayescale\nbayescale.read_runs({str(path)!r})\nprint('narwhals' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"

"""Tables of runs as files, frames and designs, and what is said where one is refused."""

import numpy as np
import pandas as pd
import pytest

from bayescale.errors import InputError
from bayescale.runs import (
    RunTable,
    read_runs,
)

ROWS = [
    ["a", "1e8", "2e9", "3.5"],
    ["b", "2e8", "3e9", "3.3"],
    ["c", "4e8", "9e9", "3.0"],
    ["d", "8e8", "1e10", "2.9"],
    ["e", "1e9", "5e10", "2.6"],
    ["f", "3e9", "6e10", "2.4"],
]
HEADER = ["run", "N", "D", "loss"]


def written(tmp_path, rows=ROWS, header=HEADER, name="runs.csv", separator=","):
    path = tmp_path / name
    path.write_text("\n".join(separator.join(row) for row in [header, *rows]) + "\n", encoding="utf-8")
    return path


def edited(row, column, value, header=HEADER):
    rows = [list(cells) for cells in ROWS]
    rows[row][header.index(column)] = value
    return rows


def with_column(name, values):
    return {"rows": [[*row, value] for row, value in zip(ROWS, values, strict=True)], "header": [*HEADER, name]}


def refusal(path, **options):
    with pytest.raises(InputError) as caught:
        read_runs(path, **options)
    return caught.value


def only_fault(path, **options):
    faults = refusal(path, **options).faults
    assert len(faults) == 1, faults
    return faults[0]


def additive(N, D):
    return 1.7 + 480 * N**-0.35 + 2000 * D**-0.37


def synthetic(N, D, **columns):
    N, D = np.asarray(N, dtype=float), np.asarray(D, dtype=float)
    return RunTable.from_frame(pd.DataFrame({"N": N, "D": D, "loss": additive(N, D), **columns}), name="synthetic")


def isoflop_grid(budgets=(1e18, 1e19, 1e20, 1e21), sizes=7, width=1.5):
    C = np.repeat(budgets, sizes)
    centre = np.sqrt(C / 120)
    N = centre * 10 ** np.tile(np.linspace(-width / 2, width / 2, sizes), len(budgets))
    return synthetic(N, C / 6 / N)


def frame_of_rows():
    return pd.DataFrame(ROWS, columns=HEADER)

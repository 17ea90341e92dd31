"""What a fault says to do is done to the letter, as pasted into a shell, and the fault is gone."""

import re
import shlex

import pytest

from bayescale.cli.options import Reading
from bayescale.cli.parsing import parse_columns
from bayescale.errors import InputError
from bayescale.runs import read_runs

OPTION = re.compile(r"--(map|where|ignore|unit|last-of|drop-unfinished|drop-duplicates)(?: ('[^']*'|[^\s;),]+))?")
ROWS = [(1e8, 2e9, 3.5), (2e8, 3e9, 3.3), (4e8, 9e9, 3.0), (8e8, 1e10, 2.9), (1e9, 5e10, 2.6), (3e9, 6e10, 2.4)]


def made(header, change, extra=()):
    lines = [",".join(["run", *header, *(name for name, _ in extra)])]
    for i, row in enumerate(ROWS):
        cells = [f"r{i}", *(f"{value:.12g}" for value in change(*row)), *(values[i] for _, values in extra)]
        lines.append(",".join(cells))
    return "\n".join(lines)


TABLES = {
    "sizes in millions": made(["Model Size", "tokens", "loss"], lambda n, d, y: (n / 1e6, d, y)),
    "tokens in billions": made(["params", "Tokens seen", "loss"], lambda n, d, y: (n, d / 1e9, y)),
    "swapped": made(["N", "D", "loss"], lambda n, d, y: (d * 1e3, n, y)),
    "compute in exaFLOP": made(["N", "D", "C", "loss"], lambda n, d, y: (n, d, 6 * n * d / 1e18, y)),
    "compute without six": made(["N", "D", "flops", "loss"], lambda n, d, y: (n, d, n * d, y)),
    "perplexities": made(["N", "D", "loss"], lambda n, d, y: (n, d, 2.718281828 ** (y + 1))),
    "no tokens": made(["N", "C", "loss"], lambda n, d, y: (n, 6 * n * d, y)),
    "accuracy": made(["N", "D", "accuracy"], lambda n, d, y: (n, d, 1 - y / 5)),
    "a run without loss": made(["N", "D", "loss"], lambda n, d, y: (n, d, y)) + "\nr9,5e9,9e10,",
    "the same row twice": made(["N", "D", "loss"], lambda n, d, y: (n, d, y)) + "\nr0,100000000,2000000000,3.5",
    "bits of what": made(["N", "D", "loss (bits)"], lambda n, d, y: (n, d, y)),
    "two data sets": made(["N", "D", "loss"], lambda n, d, y: (n, d, y), [("dataset", ["c4"] * 5 + ["pile"])]),
    "two losses": made(["N", "D", "loss", "val_loss"], lambda n, d, y: (n, d, y, y + 0.1)),
}


def read(path, options):
    asked = {}
    for name, value in options:
        asked[name.replace("-", "_")] = shlex.split(value)[0] if value else True
    reading = Reading(**asked)
    return read_runs(path, columns=parse_columns(reading.map), where=reading.where, unit=reading.unit, **reading.rows)


def faults_after(path, remedy):
    try:
        read(path, [remedy])
    except InputError as error:
        return error.faults
    return ()


@pytest.mark.parametrize("kind", TABLES)
def test_a_remedy_followed_to_the_letter_takes_its_fault_away(tmp_path, kind):
    path = tmp_path / "runs.csv"
    path.write_text(TABLES[kind], encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_runs(path)
    (fault,) = caught.value.faults
    remedies = OPTION.findall(fault)
    assert remedies
    left = [faults_after(path, remedy) for remedy in remedies]
    assert all(fault not in faults for faults in left)
    assert () in left

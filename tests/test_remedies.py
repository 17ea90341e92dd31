"""What a fault says to do is done to the letter, as pasted into a shell, and the fault is gone.

Every message of the modules that read tables is printed by a case here, or is listed with where it is tested.
"""

import ast
import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import bayescale as bs
from bayescale.cli.options import Reading
from bayescale.cli.parsing import parse_columns
from bayescale.errors import InputError
from bayescale.runs import read_runs
from bayescale.runs.numerals import UnreadableNumberError, read_count

OPTION = re.compile(
    r"--(map|where|ignore|unit|response|last-of|drop-unfinished|drop-duplicates)(?: ('[^']*'|[^\s;),]+))?"
)
PLACEHOLDERS = ("NAME", "KEY", "D=hours")
RUNS = [f"r{i}" for i in range(6)]
N = [1e8, 2e8, 4e8, 8e8, 1e9, 3e9]
D = [2e9, 3e9, 9e9, 1e10, 5e10, 6e10]
LOSS = [3.5, 3.3, 3.0, 2.9, 2.6, 2.4]
C = [6 * n * d for n, d in zip(N, D, strict=True)]
BASE = {"run": RUNS, "N": N, "D": D, "loss": LOSS}


def times(values, factor):
    return [value * factor for value in values]


def one(values, value, at=1):
    """Return values with another in one place."""
    return [*values[:at], value, *values[at + 1 :]]


@dataclass(frozen=True)
class Case:
    """A table at fault: what differs from the usual one, or a whole text; and what the words of its message say to do.

    ``fix`` is done by hand: columns as they are then (None takes one out, and row 1 goes where ``without`` is true), or
    the whole text; ``then`` are options that the words name without writing them out.
    """

    columns: dict | str
    asked: dict = field(default_factory=dict)
    fix: dict | str | None = None
    then: dict = field(default_factory=dict)
    without: bool = False
    name: str = "runs.csv"

    def table(self, *changes):
        if isinstance(self.columns, str):
            return changes[-1] if changes and isinstance(changes[-1], str) else self.columns
        columns = dict(BASE)
        for change in (self.columns, *(change for change in changes if change)):
            columns |= change
        columns = {name: values for name, values in columns.items() if values is not None}
        rows = list(zip(*columns.values(), strict=True))
        kept = [row for at, row in enumerate(rows) if not (self.without and changes and at == 1)]
        lines = [",".join(f"{cell:.12g}" if isinstance(cell, float) else str(cell) for cell in row) for row in kept]
        return "\n".join([",".join(f'"{name}"' if "," in name else name for name in columns), *lines])


def put(text, old, new):
    """Return a text with another part; the part must be there."""
    assert old in text
    return text.replace(old, new)


CHECKPOINTS = {
    "run": [f"r{i // 2}" for i in range(12)],
    "N": [N[i // 2] for i in range(12)],
    "D": [D[i // 2] / (2 - i % 2) for i in range(12)],
    "loss": [LOSS[i // 2] + 0.2 * (1 - i % 2) for i in range(12)],
}
TWICE = {name: [*values, values[0]] for name, values in BASE.items()}
COPIES = {name: [*values, *values] for name, values in BASE.items()} | {"run": [f"c{i}" for i in range(12)]}
SEEDED = {"seed": ["1"] * 6 + ["2"] * 6}
ERRORS = [0.36, 0.34, 0.31, 0.29, 0.27, 0.26]
TEXT = Case({}).table()
OBJECTS = [dict(zip(BASE, row, strict=True)) for row in zip(*BASE.values(), strict=True)]
DOUBLE = "\n".join(f"{line},{'N' if at == 0 else 7}" for at, line in enumerate(TEXT.splitlines()))
LINES = "\n".join(map(json.dumps, OBJECTS))
CASES = {
    # sizes and tokens
    "sizes of no unit": Case({"N": times(N, 1e-17)}, fix={"N": N}),
    "sizes in millions": Case({"N": None, "Size": times(N, 1e-6)}, {"map": "N=Size"}),
    "tokens in billions": Case({"D": None, "Tokens": times(D, 1e-9)}),
    "swapped": Case({"N": times(D, 1e3), "D": N}),
    "tokens in thousands": Case({"N": times(N, 100), "D": times(D, 1e-3 / 20)}),
    "tokens in millions by their ratio": Case({"N": times(N, 100), "D": times(D, 1e-5)}),
    "hours called D": Case({"D": times(D, 1e-5)}, fix={"D": None, "hours": times(D, 1e-5)}, then={"map": "D=hours"}),
    "one row in another unit": Case({"D": one(D, 2e4)}, fix={"D": D}),
    "one cell in billions": Case({"D": one(D, 3.0)}, fix={"D": one(D, 3e9)}),
    "one cell a fraction": Case({"N": one(N, 0.2)}, fix={"N": one(N, 2e8)}),
    "a negative size": Case({"N": one(N, -2e8)}, fix={"N": N}),
    "no size": Case({"N": one(N, 0.0)}, fix={}, without=True),
    "a size beyond any": Case({"N": one(N, 2e17)}, fix={"N": N}),
    "logarithms": Case({"N": [8.0, 8.3, 8.6, 8.9, 9.0, 9.5]}, fix={"N": N}),
    "letters in some cells": Case(
        {"N": None, "Params (M)": ["100M", *times(N, 1e-6)[1:]]},
        fix={"Params (M)": N},
        then={"map": "N=Params (M) * 1"},
    ),
    "a header in millions over ones": Case({"N": None, "Params (M)": times(N, 10)}),
    "a header of logarithms": Case({"N": None, "log10_params": [8.0, 8.3, 8.6, 8.9, 9.0, 9.5]}, fix={"N": N}),
    "a header of logarithms that is mapped": Case(
        {"N": None, "log10_params": [8.0, 8.3, 8.6, 8.9, 9.0, 9.5]},
        {"map": "N=log10_params"},
        fix={"log10_params": None, "N": N},
        then={"map": None},
    ),
    "two headers of a size": Case({"N": None, "trainable_params": N, "total_params": times(N, 2)}),
    "two headers with commas": Case({"N": None, "Parameters, M": times(N, 1e-6), "Params, M": times(N, 2e-6)}),
    "text in a size": Case({"N": one(N, "big")}, fix={"N": N}),
    "groups of digits": Case({"N": one(N, '"1,234e9"')}, fix={"N": one(N, "1234e9")}),
    "a number with two factors": Case({"N": one(N, "7e9B")}, fix={"N": one(N, "7e9")}),
    "hexadecimal": Case({"N": one(N, "0xff")}, fix={"N": N}),
    "a decimal comma": Case(
        "N;D;loss\n" + "\n".join(f"{n:.0f};{d:.0f};{y},125" for n, d, y in zip(N, D, (3, 3, 2, 2, 1, 1), strict=True)),
        fix="N;D;loss\n" + "\n".join(f"{n:.0f};{d:.0f};{y}" for n, d, y in zip(N, D, LOSS, strict=True)),
    ),
    # compute
    "compute in exaFLOP": Case({"C": times(C, 1e-18)}),
    "compute without six": Case({"flops": times(C, 1 / 6)}),
    "exaFLOP under PF-days": Case({"PF-days": times(C, 1e-18)}),
    "PF-days under exaFLOP": Case({"EFLOP": times(C, 1 / 8.64e19)}),
    "compute that scatters": Case({"C": [c * (1 + i % 2) for i, c in enumerate(C)]}),
    "compute that is wild": Case({"C": one(C, C[1] * 30)}),
    "compute in hours": Case({"gpu_hours": times(C, 1 / 1.4e18)}, {"map": "C=gpu_hours"}),
    "compute of a pass": Case({"GFLOPs": times(C, 1e-9)}, {"map": "C=GFLOPs"}),
    "sizes in memory": Case({"N": None, "model_size_mb": times(N, 2e-6)}, {"map": "N=model_size_mb"}),
    "compute in logarithms": Case({"C": [17.1, 18.6, 19.3, 19.7, 20.5, 21.0]}, fix={"C": C}),
    "no such compute": Case({"C": times(C, 1e-23)}),
    "negative compute": Case({"C": one(C, -1.0)}),
    "no compute in one row": Case({"C": one(C, "")}),
    "no compute at all": Case({"C": one(C, 0.0)}),
    "compute in petaFLOP without sizes": Case({"N": None, "D": None, "C": times(C, 1e-15)}, {"needs": "C"}),
    # missing columns
    "no tokens, but compute": Case({"D": None, "C": C}),
    "no tokens, but steps": Case({"D": None, "steps": times(D, 1e-6), "batch_size": [512] * 6, "seq_len": [2048] * 6}),
    "no tokens, but steps of sequences of some length": Case(
        {"D": None, "steps": times(D, 1e-6), "batch_size": [512] * 6}
    ),
    "no tokens, but a ratio": Case({"D": None, "tokens_per_param": [d / n for n, d in zip(N, D, strict=True)]}),
    "no tokens, but epochs": Case({"D": None, "dataset_tokens": times(D, 0.5), "epochs": [2] * 6}),
    "no loss, but a loss per byte": Case({"loss": None, "loss per byte": LOSS}),
    "no loss, but a metric": Case({"loss": None, "c4 score of nll": LOSS}),
    "no loss, but an accuracy": Case({"loss": None, "accuracy": [1 - error for error in ERRORS]}),
    "no loss, but an error": Case({"loss": None, "top1_error": ERRORS}),
    "no loss, but a likelihood": Case({"loss": None, "log_likelihood": times(LOSS, -1)}),
    "no loss, but a rating": Case(
        {"loss": None, "elo": [900.0, 950, 990, 1010, 1050, 1100]}, fix={"elo": None, "error": ERRORS}
    ),
    "tokens that are called otherwise": Case({"D": None, "data tokens": D}),
    "a mapped header that is not there": Case(
        {"N": None, "sizes": N}, {"map": "N=size"}, then={"map": "N=sizes"}, fix={}
    ),
    "one header for two names": Case({}, {"map": "N=D,D=D"}, fix={}, then={"map": "N=N,D=D"}),
    "a name that is none": Case({}, {"map": "M=N"}, fix={}, then={"map": "N=N"}),
    "needs that are none": Case({}, {"needs": "M"}, fix={}, then={"needs": "N"}),
    "a header to ignore that is not there": Case({}, {"ignore": "lr"}, fix={}, then={"ignore": "run"}),
    "a column to keep the last of that is not there": Case({}, {"last_of": "lr"}, fix={}, then={"last_of": "run"}),
    "a condition on nothing": Case({}, {"where": "lr > 1"}, fix={}, then={"where": "N > 1"}),
    "a condition on nearly nothing": Case({}, {"where": "N > 2e9"}, fix={}, then={"where": "N > 1e8"}),
    # responses
    "a text in a loss": Case({"loss": one(LOSS, "diverged")}),
    "an infinite loss": Case({"loss": one(LOSS, "inf")}),
    "a loss without values": Case({"loss": [""] * 6}, fix={"loss": LOSS}),
    "a run without loss": Case({"loss": one(LOSS, "")}),
    "a loss of zero": Case({"loss": one(LOSS, 0.0)}, fix={}, without=True),
    "a negative loss": Case({"loss": times(LOSS, -1)}),
    "a loss less another": Case({"loss": [y - 7 for y in LOSS]}),
    "one negative loss": Case({"loss": one(LOSS, -3.3)}, fix={}, without=True),
    "perplexities": Case({"loss": [2.718281828 ** (y + 1) for y in LOSS]}),
    "one diverged run": Case({"loss": one(LOSS, 16.0)}, fix={}, without=True),
    "sums over sequences": Case({"loss": times(LOSS, 1024)}),
    "bits per byte that are none": Case({"loss": None, "bpb": times(LOSS, 4)}, fix={"bpb": LOSS}),
    "worse than a guess": Case({"loss": one(LOSS, 12.0), "vocabulary": [50000] * 6}, fix={}, without=True),
    "a loss that is an accuracy": Case(
        {"loss": None, "metric": [1 - error for error in ERRORS]},
        {"map": "loss=metric"},
        fix={"metric": None, "accuracy": [1 - error for error in ERRORS]},
        then={"map": "error=accuracy"},
    ),
    "an accuracy in percent": Case({"loss": [20.0, 24, 31, 40, 45, 51]}, fix={"loss": LOSS}),
    "percents": Case({"loss": None, "error": one(ERRORS, "34%")}, fix={"error": ERRORS}),
    "errors from 0 to 100": Case({"loss": None, "error": times(ERRORS, 100)}),
    "errors in percent below 1": Case({"loss": None, "error (%)": ERRORS}, {"map": "error=error (%)"}),
    "a loss called logarithm": Case(
        {"loss": None, "log_loss": LOSS},
        {"map": "loss=log_loss"},
        fix={"log_loss": None, "nll": LOSS},
        then={"map": None},
    ),
    "a rating as error": Case(
        {"loss": None, "psnr": [20.0, 24, 31, 40, 45, 51]},
        {"map": "error=psnr"},
        fix={"psnr": None, "error": ERRORS},
        then={"map": None},
    ),
    "an error beside a score": Case(
        {"loss": None, "acc": [1 - error for error in ERRORS], "error": [0.01] * 5 + [0.02]}
    ),
    "bits of what": Case({"loss": None, "loss (bits)": LOSS}),
    "bits or nats": Case({"loss_unit": ["bits", *["nats"] * 5]}, fix={"loss_unit": ["nats"] * 6}),
    "a long unit": Case({"loss_unit": ["n" * 99] * 6}, fix={"loss_unit": ["nats per token"] * 6}),
    "two losses": Case({"val_loss": times(LOSS, 1.1)}),
    "a loss and a bpc": Case({"bpc": times(LOSS, 0.4)}),
    "a response that is not known": Case({}, {"response": "ppl"}, fix={}, then={"response": "loss"}),
    "a response that is not there": Case({}, {"response": "bpc"}, fix={}, then={"response": "loss"}),
    # rows
    "the same row twice": Case(TWICE),
    "copies under other labels": Case(COPIES),
    "copies told apart": Case(COPIES, fix=SEEDED),
    "checkpoints": Case(CHECKPOINTS),
    "a mean of the runs": Case({"run": one(RUNS, "mean"), "loss": one(LOSS, 2.88)}),
    "no label": Case({"run": one(RUNS, "")}, fix={"run": RUNS}),
    "four rows": Case({name: values[:4] for name, values in BASE.items()}, fix=BASE),
    "two data sets": Case({"dataset": ["c4"] * 5 + ["pile"]}),
    "one size": Case({"N": [1e8] * 6}, fix={"N": N}),
    "a batch of sequences": Case(
        {"steps": times(D, 1e-6), "batch": [500] * 6, "D": times(D, 1.024)}, {"map": "batch=batch"}
    ),
    # files
    "a title above the table": Case("made in spring\n" + TEXT, fix=TEXT),
    "two columns of one name": Case(DOUBLE, fix=TEXT),
    "no header": Case(TEXT.partition("\n")[2].replace("r", ""), fix=TEXT),
    "no rows": Case("run,N,D,loss", fix=TEXT),
    "nothing": Case("\n", fix=TEXT),
    "an open quotation mark": Case(put(TEXT, "r0", '"r0'), fix=TEXT),
    "too many fields": Case(put(TEXT, "r0,100000000", "r0,100,000,000"), fix=TEXT),
    "too few fields": Case(put(TEXT, "r1,200000000,", "r1,"), fix=TEXT),
    "zeros between": Case("run,N\0", fix=TEXT),
    "a chart of W&B": Case("Step,a - val/loss,a - val/loss__MIN,a - val/loss__MAX\n" + "1,2,3,4\n" * 6, fix=TEXT),
    "a chart of MLflow": Case("Run ID,metric,step,timestamp,value\n" + "a,loss,1,2,3\n" * 6, fix=TEXT),
    "a chart of TensorBoard": Case("Wall time,Step,Value\n" + "1,2,3\n" * 6, fix=TEXT),
    "broken JSON": Case("[{", name="runs.json", fix=json.dumps(OBJECTS)),
    "no list": Case('{"a": 1}', name="runs.json", fix=json.dumps(OBJECTS)),
    "a broken line": Case("{\n" + LINES, name="runs.jsonl", fix=LINES),
    "a spreadsheet": Case("PK\x03\x04", fix=TEXT),
    "nothing by a negative depth": Case(
        {"depth": one([8.0] * 6, -8.0)}, {"map": "depth=depth"}, fix={"depth": [8.0] * 6}
    ),
}


def read(path, asked):
    options = {name.replace("-", "_"): value for name, value in asked.items() if value is not None}
    reading = Reading(**options)
    return read_runs(
        path,
        columns=parse_columns(reading.map),
        where=reading.where,
        unit=reading.unit,
        response=reading.response,
        needs=reading.needed,
        **reading.rows,
    )


def faults_of(tmp_path, case, text, options, known={}):  # noqa: B006  a cache
    key = (case.name, text, *sorted(map(str, options.items())))
    if key not in known:
        known[key] = tuple(_faults_of(tmp_path, case, text, options))
    return known[key]


def _faults_of(tmp_path, case, text, options):
    path = tmp_path / case.name
    path.write_text(text, encoding="utf-8")
    try:
        read(path, options)
    except InputError as error:
        return error.faults
    return ()


def options_of(fault):
    """Return the options that a message prints, as a shell would hand them over."""
    found = [(name, shlex.split(value)[0] if value else True) for name, value in OPTION.findall(fault)]
    return [
        (name, value)
        for name, value in found
        if not str(value).endswith(PLACEHOLDERS) and (value is not True or "drop" in name)
    ]


def joined(asked, name, value):
    """Return the options asked for with one more; maps are joined."""
    key = name.replace("-", "_")
    if key != "map" or not asked.get("map"):
        return {**asked, key: value}
    columns = {**(parse_columns(asked["map"]) or {}), **(parse_columns(value) or {})}
    return {**asked, "map": ",".join(f"{name}={header}" for name, header in columns.items())}


@pytest.mark.parametrize("kind", CASES)
def test_a_remedy_followed_to_the_letter_takes_its_fault_away(tmp_path, kind):
    case = CASES[kind]
    faults = faults_of(tmp_path, case, case.table(), case.asked)
    assert faults
    ends = []
    for fault in faults:
        for name, value in options_of(fault):
            left = faults_of(tmp_path, case, case.table(), joined(case.asked, name, value))
            assert fault not in left, (name, value)
            ends.append(left)
    if case.fix is not None:
        ends = [faults_of(tmp_path, case, case.table(case.fix), {**case.asked, **case.then})]
    assert () in ends, ends


# Remarks

FRONTIER = [
    (n, d, 1.7 + 400 / n**0.34 + 400 / d**0.28) for n in (1e8, 2e8, 4e8, 8e8, 2e9, 3e9) for d in (2e9, 8e9, 2e10, 4e10)
]
GRID = {
    "run": [f"g{i}" for i in range(24)],
    "N": [n for n, _, _ in FRONTIER],
    "D": [d for _, d, _ in FRONTIER],
    "loss": [y for _, _, y in FRONTIER],
}
TWINS = {name: one(values, values[0]) if name != "run" else values for name, values in GRID.items()}
REMARKED = {
    "did it diverge": Case({**GRID, "loss": one(GRID["loss"], 7.8, at=5)}),
    "are of runs that did not finish": Case({"status": ["finished"] * 5 + ["crashed"]}),
    "names no unit": Case(
        {"loss": None, "paloma average": LOSS}, {"map": "loss=paloma average"}, fix={}, then={"unit": "bits per byte"}
    ),
    "there are others": Case(
        {"N": None, "params": N, "active_params": times(N, 0.3)}, fix={}, then={"map": "N=active_params"}
    ),
    "check the units": Case({"D": one(D, 2e6)}, fix={"D": D}),
    "make sure that they are different runs": Case(TWINS, fix=GRID),
    "make sure that it is a loss": Case({"loss": LOSS[::-1]}, fix={"loss": LOSS}),
}


@pytest.mark.parametrize("words", REMARKED)
def test_what_a_remark_says_to_do_takes_it_away(tmp_path, words):
    case = REMARKED[words]
    path = tmp_path / case.name
    path.write_text(case.table(), encoding="utf-8")
    (remark,) = [note for note in read(path, case.asked).notes if words in note]
    options = [joined(case.asked, name, value) for name, value in options_of(remark)] if case.fix is None else []
    path.write_text(case.table(case.fix), encoding="utf-8")
    for asked in options or [{**case.asked, **case.then}]:
        assert remark not in read(path, asked).notes


# Messages

MODULES = (
    *("checks", "headers", "layout", "numerals", "products", "reading", "remarks", "responses", "rows", "rules"),
    *("scales", "source"),
)
REMEDY = re.compile(
    r"--[a-z]|\b(?:write|give|take|choose|rename|keep|export|save|use|add|look|unpack|name|correct|make|state|convert|"
    r"quote|download|check|widen|look|change|multiply|divide|remove|pip)\b"
)
ELSEWHERE = {
    "{}: {} columns; at most {} are read": "test_table_limits",
    "{}: {} rows or more of {} columns": "test_table_limits",
    "a spreadsheet or zip": "test_run_files",
    "compressed with gzip": "test_run_files",
    "not UTF-8 but UTF-16": "test_run_files",
    "a pickle, which is never read": "test_run_files",
    "{}: the suffix {} is not known": "test_run_files",
    "{}: this is a directory": "test_run_files",
    "{}: the file is not UTF-8": "test_run_files",
    "columns without a name are left out": "test_run_headers",
    "{}: it is not known what {} is per": "test_odd_tables",
    "{}: reading Parquet needs pyarrow": "test_run_files",
    "{}: this is no readable Parquet file": "test_run_files",
    "{}: {} say how to read a table": "test_frames",
    "columns left out because another column was mapped": "test_run_headers",
}
"""Beginnings of messages that no case here prints, with the tests that do."""


def messages():
    """Yield the texts of a module that say to do something; what is filled in is {}."""
    for module in MODULES:
        tree = ast.parse((Path(bs.__file__).parent / "runs" / f"{module}.py").read_text(encoding="utf-8"))
        skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        skipped |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            text = "" if id(node) in skipped else written(node)
            if len(text.split()) > 3 and REMEDY.search(text):
                yield module, text


def written(node):
    """Return the text of a string, formatted or not; of what else there is, nothing."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    if not all(isinstance(part, ast.Constant | ast.FormattedValue) for part in parts):
        return ""
    texts = [part.value if isinstance(part, ast.Constant) else "{}" for part in parts]
    return "".join(texts) if all(isinstance(text, str) for text in texts) else ""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("printed")
    found = []
    for case in CASES.values():
        found += faults_of(folder, case, case.table(), case.asked)
    for case in REMARKED.values():
        path = folder / case.name
        path.write_text(case.table(), encoding="utf-8")
        found += read(path, case.asked).notes
    return found


def test_every_message_that_says_to_do_something_is_printed_by_a_case_or_tested_elsewhere(printed):
    missing = []
    for module, text in messages():
        pattern = re.compile(".*".join(map(re.escape, text.split("{}"))), re.DOTALL)
        if not any(pattern.search(line) for line in printed) and not text.startswith(tuple(ELSEWHERE)):
            missing.append(f"{module}: {text}")
    assert not missing, "\n".join(missing)


def test_what_is_tested_elsewhere_is_a_message_and_the_test_is_there():
    texts = [text for _, text in messages()]
    assert [start for start in ELSEWHERE if not any(text.startswith(start) for text in texts)] == []
    assert [name for name in ELSEWHERE.values() if not (Path(__file__).parent / f"{name}.py").exists()] == []


def test_what_only_python_can_say_wrongly_is_put_right_by_its_message():
    with pytest.raises(InputError, match="drop= has 'unready'; it takes unfinished and duplicates"):
        read_runs(BASE, drop=["unready"])
    assert len(read_runs(BASE, drop=["unfinished", "duplicates"]).frame) == 6
    with pytest.raises(UnreadableNumberError, match="expected a count such as 7e9, 7B or 15T; found ''"):
        read_count("")
    assert [read_count(text) for text in ("7e9", "7B", "15T")] == [7e9, 7e9, 15e12]

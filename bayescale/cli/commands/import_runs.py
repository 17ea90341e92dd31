"""The command that imports runs from a tracker and writes them as a table."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter
from rich.console import Console

import bayescale as bs
from bayescale.cli.options import PRINTING, NoSeed, Printing
from bayescale.cli.output import emit
from bayescale.cli.parsing import check_file, parse_columns
from bayescale.storage import write_whole

if TYPE_CHECKING:
    from bayescale.runs import RunTable

_TRACKER = Group.create_ordered("Reading the tracker")


def parse_counts(text: str | None) -> dict[str, str] | None:
    """Read ``run-a=124M,run-b=1.3B``.

    Raises
    ------
    ValueError
        If a part has no equals sign or an empty side, or a run comes twice.
    """
    if text is None:
        return None
    counts: dict[str, str] = {}
    for part in text.split(","):
        label, equals, count = (piece.strip() for piece in part.rpartition("="))
        if not (label and equals and count):
            raise ValueError(f"expected RUN=COUNT pairs such as run-a=124M,run-b=1.3B; found {part!r}")
        if label in counts:
            raise ValueError(f"{label} is given twice, as {counts[label]} and {count}")
        counts[label] = count
    return counts


def _check_columns(_: object, text: str | None) -> None:
    parse_columns(text)


def _check_counts(_: object, text: str | None) -> None:
    parse_counts(text)


def _check_file(_: object, path: Path) -> None:
    if path.suffix.lower() != ".csv" or path.is_dir():
        raise ValueError(f"expected a file that ends in .csv; found {path}")
    check_file(path)


Paths = Annotated[
    tuple[str, ...],
    Parameter(
        help="A W&B run table as CSV, trainer_state.json, TensorBoard event files, an MLflow folder, SQLite file or "
        "server; folders are searched.",
    ),
]
TableFile = Annotated[Path, Parameter(alias="-o", help="The table, as CSV.", metavar="PATH", validator=_check_file)]
Kind = Annotated[
    str | None,
    Parameter(help="wandb, trainer_state, tensorboard, mlflow or one you installed.", metavar="KIND", group=_TRACKER),
]
Keys = Annotated[
    str | None,
    Parameter(
        help="Keys that are not the usual ones, such as N=model.size,loss=eval/c4_loss.",
        metavar="N=KEY,...",
        validator=_check_columns,
        group=_TRACKER,
    ),
]
Counts = Annotated[str | None, Parameter(metavar="RUN=COUNT,...", validator=_check_counts, group=_TRACKER)]
Size = Annotated[Counts, Parameter(name="--N", help="Parameters of runs that the tracker does not have.")]
Tokens = Annotated[Counts, Parameter(name="--D", help="Tokens of runs that the tracker does not have.")]
Only = Annotated[str | None, Parameter(help="Import the runs whose label matches, such as 'sweep-*'.", group=_TRACKER)]
Unit = Annotated[str | None, Parameter(help="Unit of the loss, such as 'bits per token'.", group=_TRACKER)]


def import_command(
    paths: Paths,
    /,
    *,
    output: TableFile,
    kind: Kind = None,
    map: Keys = None,
    N: Size = None,
    D: Tokens = None,
    only: Only = None,
    unit: Unit = None,
    printing: Printing = PRINTING,
    seed: NoSeed = 0,
) -> int:
    """Import runs from W&B, transformers, TensorBoard or MLflow, and write them as a table that is checked."""
    del seed
    table = bs.import_runs(
        paths,
        kind=kind,
        columns=parse_columns(map),
        N=parse_counts(N),
        D=parse_counts(D),
        only=only,
        unit=unit,
        name=output.stem,
    )
    write_table(table, output)
    if not printing.quiet:
        sys.stderr.write("".join(f"{note}\n" for note in table.notes))
    return emit(_record(table, output), _show, printing)


def write_table(table: "RunTable", path: Path) -> None:
    """Write a table as CSV, so that reading it gives the same table; compute that is 6 N D is left to the reader."""
    frame = table.frame.drop(columns=["C"] * (table.compute == "6ND"))
    if table.unit not in ("nats per token", "bits per character"):
        frame = frame.assign(loss_unit=table.unit)
    write_whole(path, lambda place: frame.to_csv(place, index=False))


def _record(table: "RunTable", path: Path) -> dict[str, Any]:
    unfinished = table.frame.loc[table.frame["finished"] == 0, "run"]
    return {
        "schema": "bayescale/import/1",
        "output": str(path),
        "rows": len(table.frame),
        "response": table.response,
        "unit": table.unit,
        "unfinished": list(unfinished),
        "notes": list(table.notes),
    }


def _show(console: Console, record: Mapping[str, Any]) -> None:
    unfinished = len(record["unfinished"])
    told = f", of which {unfinished} look unfinished" if unfinished else ""
    console.print(f"{record['output']}: {record['rows']} runs{told}", soft_wrap=True)

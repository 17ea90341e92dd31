"""``bayescale groups``: which responses of the same runs gain by scale, and which get worse."""

from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

import bayescale as bs
from bayescale.cli.options import (
    FITTING,
    RESULT,
    SAMPLING,
    WATCHING,
    JsonFile,
    Probability,
    Runs,
    Sampling,
    Watching,
    expect_no_workers,
)
from bayescale.cli.output import emit
from bayescale.cli.parsing import UsageError
from bayescale.cli.stages import progress
from bayescale.cli.steps import source_of
from bayescale.cli.tables import make_table, number, show_hanging, show_table
from bayescale.hardware import read_budgets
from bayescale.words import chance, short

Columns = Annotated[
    str,
    Parameter(
        help="Columns of the responses, separated by commas; standard errors are in columns of the same name with _se.",
        metavar="COLUMN,...",
    ),
]
Better = Annotated[
    str,
    Parameter(
        help="Which is better: lower, higher, or the best value, such as 0.5.",
        metavar="WHICH",
        show_default=True,
        group=FITTING,
    ),
]
GroupLaw = Annotated[
    str,
    Parameter(
        name=["--law", "--laws"],
        help="Law of losses; or share, of shares of items, or number, of any other.",
        metavar="LAW",
        show_default=True,
        group=FITTING,
    ),
]
From = Annotated[
    str | None, Parameter(name="--from", help="Smaller scale in FLOP; that of the smallest run.", metavar="FLOP")
]
To = Annotated[
    str | None, Parameter(name="--to", help="Larger scale in FLOP; that of the largest run.", metavar="FLOP")
]
Reference = Annotated[
    str | None, Parameter(help="Response to which gaps are taken; the first.", metavar="COLUMN", group=RESULT)
]
Budget = Annotated[
    str | None,
    Parameter(
        help="Of losses by a law of N and D: also split this compute so that the worst-off response regrets it least.",
        metavar="FLOP",
        group=RESULT,
    ),
]


def groups(
    runs: Runs,
    /,
    *,
    responses: Columns,
    law: GroupLaw = "chinchilla",
    better: Better = "lower",
    from_: From = None,
    to: To = None,
    reference: Reference = None,
    budget: Budget = None,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Fit several responses of the same runs in one model, and report which get worse by scale."""
    if sampling.priors:
        raise UsageError("groups takes no --prior: parameters are those of all groups times a factor of each")
    expect_no_workers(sampling, "groups")
    names = [name.strip() for name in responses.split(",") if name.strip()]
    with progress(printing) as say:
        from bayescale.records.groups import groups_record, worst_record  # noqa: PLC0415  (ArviZ, which --help needs not)

        chosen = [bs.groups.Response(name, better=_better(better)) for name in names]
        say("compiling and sampling one model of all responses")
        with source_of(runs) as path:
            fitted = bs.groups.fit_responses(path, chosen, law, draws=sampling.draws, random_seed=sampling.seed)
        C = fitted.cells.columns["C"]
        low = float(read_budgets([from_])[0]) if from_ else float(C.min())
        high = float(read_budgets([to])[0]) if to else float(C.max())
        defaults = (
            [] if from_ and to else [f"from {short(low, 3)} to {short(high, 3)} FLOP (default: the runs' own range)"]
        )
        found = bs.groups.disparities(fitted, low, high, reference=reference, probability=probability)
        record = groups_record(found, defaults)
        if budget:
            record["worst"] = worst_record(bs.groups.allocate_worst(fitted, budget, probability=probability))
    return emit(record, show, printing, output=output)


def _better(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def show(console: Console, record: Mapping[str, Any]) -> None:
    """Print the groups, and what the joint posterior says of them."""
    runs = record["runs"]
    console.print(
        Text(f"{runs['name']}: {runs['rows']} rows of {runs['runs']} runs, law {record['law']}", style="bold")
    )
    for sentence in record["defaults"]:
        show_hanging(console, sentence, "")
    table = make_table("response", "slope a decade", "alone", "worse", "gap grows", "turns inside the data")
    for row in record["groups"]:
        slope = row["slope"]
        table.add_row(
            row["name"],
            f"{short(slope['median'])} [{short(slope['lower'])}, {short(slope['upper'])}]",
            number(row["raw_slope"]),
            "no verdict" if row["worsens"] is None else chance(row["worsens"]),
            chance(row["gap"]["grows"]),
            chance(row["reversal"]["inside"]),
        )
    show_table(console, table)
    console.print()
    for sentence in (*record["statements"], *record.get("worst", {}).get("statements", ())):
        show_hanging(console, sentence, "")

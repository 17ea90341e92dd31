"""``bayescale multiplier``: what compute spent on one recipe or family is worth, counted in that of another."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console

import bayescale as bs
from bayescale.cli.completion import complete_law
from bayescale.cli.dry_run import emit_work, fits_of, work_record
from bayescale.cli.options import (
    FITTING,
    READING,
    SAMPLING,
    WATCHING,
    Budgets,
    JsonFile,
    Probability,
    Reading,
    Runs,
    Sampling,
    Watching,
    check_law,
)
from bayescale.cli.output import emit
from bayescale.cli.parsing import UsageError
from bayescale.cli.spending import SPENDING, Spending, choose_budgets
from bayescale.cli.stages import progress
from bayescale.cli.steps import about, laws_of, load_table, prior_notes
from bayescale.cli.tables import make_table, show_hanging, show_heading, show_table
from bayescale.words import chance, typed

if TYPE_CHECKING:
    from bayescale.fits.fit import Fit

Groups = Annotated[
    str, Parameter(help="Column that names each run's recipe or family.", metavar="COLUMN", show_default=True)
]
From = Annotated[
    str | None,
    Parameter(name="--from", help="Group in whose compute is counted; the one with most runs.", metavar="GROUP"),
]
To = Annotated[
    str | None, Parameter(name="--to", help="Group whose compute is counted; each of the others.", metavar="GROUP")
]
SharedLaw = Annotated[
    str,
    Parameter(
        name=["--law", "--laws"],
        help="The law that the groups share; of N and D, or of C.",
        metavar="LAW",
        validator=check_law,
        completer=complete_law,
        show_default=True,
        group=FITTING,
    ),
]
Midway = Annotated[
    Budgets,
    Parameter(
        help="Budget in FLOP, or with --hardware in its hours or in money; repeat it for several. The two groups' "
        "budgets of the same loss lie around it. By default the typical and the largest of both groups' runs."
    ),
]


def multiplier(
    runs: Runs,
    /,
    *,
    groups: Groups = "family",
    from_: From = None,
    to: To = None,
    budgets: Midway = (),
    spending: Spending = SPENDING,
    law: SharedLaw = "chinchilla",
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Fit one law to several recipes or families, and count compute of one in compute of another."""
    if from_ is not None and from_ == to:
        raise UsageError(f"--from and --to are both {to}; choose two groups")
    with progress(printing) as say:
        from bayescale.groups.fitting import pooled  # noqa: PLC0415  (as below)
        from bayescale.groups.multipliers import group_table  # noqa: PLC0415  (ArviZ, which --help does not need)
        from bayescale.laws import given_record  # noqa: PLC0415  (NumPy, which --help does not need)
        from bayescale.records.multiplier import multiplier_record  # noqa: PLC0415

        table = load_table(runs, reading, say)
        flops, budget_note = choose_budgets(table, budgets, spending) if budgets else (None, [])
        (shared,) = laws_of([law], sampling)
        prior_note = prior_notes([shared])
        if printing.dry_run:
            work = [fits_of(*pooled(table, shared, groups), sampling)]
            return emit_work(work_record(table, work, [*prior_note, *budget_note]), printing, say)
        say("compiling and sampling one law for all groups")
        fitted = bs.groups.fit_groups(
            table,
            shared,
            groups,
            draws=sampling.draws,
            random_seed=sampling.seed,
            cache=not sampling.no_cache,
        )
        pairs, pair_note = _pairs(fitted, from_, to)
        say("matching the losses of groups")
        found = [bs.groups.multiplier(fitted, *pair, flops, probability=probability) for pair in pairs]
    record = {
        "schema": "bayescale/multiplier/1",
        "runs": about(table),
        "law": fitted.law.name,
        "probability": probability,
        "groups": group_table(fitted),
        "multipliers": [multiplier_record(each) for each in found],
        "priors": given_record([shared]),
        "defaults": [*prior_note, *pair_note, *budget_note],
        "doubts": list(dict.fromkeys(doubt for each in found for doubt in each.doubts)),
    }
    return emit(record, show, printing, output=output)


def _pairs(fitted: "Fit", from_: str | None, to: str | None) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the groups to compare, and a sentence where the first is the default."""
    from bayescale.groups.multipliers import group_table  # noqa: PLC0415  (as above)

    rows = {row["name"]: row["rows"] for row in group_table(fitted)}
    reference = from_ or max((name for name in rows if name != to), key=lambda name: (rows[name], name))
    others = [to] if to is not None else [name for name in rows if name != reference]
    note = [] if from_ else [f"counted in compute of {reference}, the group with most runs (default)"]
    return [(reference, other) for other in others], note


def show(console: Console, record: Mapping[str, Any]) -> None:
    """Print the groups, and the multiplier of each pair."""
    runs = record["runs"]
    show_heading(console, record)
    table = make_table("group", "runs", "FLOP", runs["response"])
    for row in record["groups"]:
        spans = [" to ".join(map(typed, row[column])) for column in ("C", runs["response"])]
        table.add_row(row["name"], str(row["rows"]), *spans)
    show_table(console, table)
    console.print()
    for found in record["multipliers"]:
        for sentence, budget in zip(found["statements"], found["budgets"], strict=True):
            show_hanging(console, f"{sentence}; above 1 with probability {chance(budget['above_one'])}", "")
        for note in found["notes"]:
            show_hanging(console, note, "- ")

"""``bayescale plan``: which runs to do next, within a spend, for a decision at a target."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter
from rich.console import Console
from rich.table import Table

import bayescale as bs
from bayescale import checks
from bayescale.cli.dry_run import emit_work, fits_record
from bayescale.cli.options import (
    READING,
    SAMPLING,
    WATCHING,
    JsonFile,
    Laws,
    Probability,
    Reading,
    Runs,
    Sampling,
    Watching,
)
from bayescale.cli.output import emit
from bayescale.cli.parsing import plausible_flops, validate
from bayescale.cli.stages import progress
from bayescale.cli.steps import (
    about,
    choose_laws,
    expect_several,
    fit_laws,
    fitted_or_compared,
    load_table,
    priors_record,
)
from bayescale.cli.tables import count, flop, make_table, number, show_hanging, show_heading, show_list, show_table
from bayescale.errors import InputError
from bayescale.words import percent

if TYPE_CHECKING:
    import pandas as pd

_PLANNING = Group.create_ordered("Planning")


def _above_zero(flops: float) -> None:
    """Refuse compute that is none."""
    validate(lambda: checks.above_zero("flops", flops, "FLOP", "1e20"))


def _check_flops(_: object, values: float | tuple[float, ...]) -> None:
    for value in values if isinstance(values, tuple) else (values,):
        _above_zero(value)
        plausible_flops(value)


def _check_count(_: object, value: int | None) -> None:
    if value is not None and value < 1:
        raise ValueError(f"expected a whole number of at least 1; found {value}")


Spend = Annotated[
    float,
    Parameter(
        help="The most that the runs may cost together, in FLOP.",
        metavar="FLOP",
        validator=_check_flops,
        group=_PLANNING,
    ),
]
Targets = Annotated[
    tuple[float, ...],
    Parameter(
        name="--target",
        help="Compute budget of the decision to be made, in FLOP; repeat it for several, which count alike.",
        metavar="FLOP",
        validator=_check_flops,
        group=_PLANNING,
    ),
]
Aim = Annotated[
    Literal["regret", "laws", "size", "loss"],
    Parameter(
        help="What the runs are for: less regret of the split at the target, finding out which law holds, or narrowing "
        "the best size or the law's loss there.",
        show_default=True,
        group=_PLANNING,
    ),
]
Most = Annotated[
    int | None,
    Parameter(
        name="--runs",
        help="At most this many runs; by default all affordable runs that are informative.",
        metavar="INT",
        validator=_check_count,
        group=_PLANNING,
    ),
]
Candidates = Annotated[
    Path | None,
    Parameter(
        help="Runs that could be done, as CSV: columns N, D, those that the laws need, and flops where the cost is not "
        "the cost of such runs. By default equal budgets at several tokens per parameter, and a ladder of sizes.",
        metavar="PATH",
        group=_PLANNING,
    ),
]


def plan(
    runs: Runs,
    /,
    *,
    spend: Spend,
    target: Targets,
    aim: Aim = "regret",
    most: Most = None,
    candidates: Candidates = None,
    laws: Laws = None,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Choose the next runs to do within a spend, so that a decision about a larger run is made well."""
    if aim == "laws":
        expect_several(laws)
    listed = None if candidates is None else read_candidates(candidates)
    with progress(printing) as say:
        from bayescale.records.plan import plan_record  # noqa: PLC0415  (ArviZ, which --help does not need)

        table = load_table(runs, reading, say)
        names, defaults = choose_laws(table, laws, sampling)
        if printing.dry_run:
            return emit_work(fits_record(table, names, sampling, defaults), printing, say)
        fits = fit_laws(table, names, sampling, say)
        source = fitted_or_compared(fits, sampling, say)
        say("choosing runs")
        found = bs.plan(
            source,
            listed,
            spend=spend,
            target=list(target),
            aim=aim,
            runs=most,
            probability=probability,
            random_seed=sampling.seed,
        )
    record = {
        "schema": "bayescale/plan/2",
        "runs": about(table),
        **plan_record(found),
        "priors": priors_record(source),
        "defaults": defaults,
    }
    return emit(record, show, printing, output=output)


def read_candidates(path: Path) -> "pd.DataFrame":
    """Read a list of candidates from a CSV file.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    import pandas as pd  # noqa: PLC0415  (which --help does not need)

    try:
        return pd.read_csv(path, index_col=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as CSV with columns N and D ({error})") from error


def show(console: Console, record: Mapping[str, Any]) -> None:
    """Print the runs, what they save, and what is to be known of it."""
    show_hanging(console, record["headline"], "")
    show_heading(console, record)
    show_table(console, _runs_table(record))
    for target in record["targets"]:
        show_hanging(console, _target_sentence(target, record), "")
    if record["aim"] != "regret":
        lowers = record["lowers"]
        ends = f"{number(lowers['before'])} now, {number(lowers['after'])} with these runs"
        show_hanging(console, f"{lowers['what']}: {ends}", "")
    show_list(console, "Notes", record["notes"])


def _runs_table(record: Mapping[str, Any]) -> Table:
    title = (
        f"The next {len(record['next_runs'])} runs, the best per FLOP first: {flop(record['cost'])} of "
        f"{flop(record['spend'])} FLOP"
    )
    what = "FLOP saved" if record["aim"] == "regret" else "lowers it by"
    table = make_table("N", "D", "D/N", "FLOP", what, title=title)
    for place, run in enumerate(record["next_runs"], 1):
        ratio = number(run["D"] / run["N"])
        saved = flop(run["flops_saved"]) if record["aim"] == "regret" else number(run["gain"])
        last = place == record["paying"] < len(record["next_runs"])
        table.add_row(count(run["N"]), count(run["D"]), ratio, flop(run["flops"]), saved, end_section=last)
    return table


def _target_sentence(target: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    before, after = (number(target[name], 2) for name in ("factor_before", "factor_after"))
    return (
        f"At {flop(target['flops'])} FLOP (N = {count(target['N'])}, D = {count(target['D'])}): the "
        f"{percent(record['probability'])} interval of the best N by the law alone spans a factor of {before} now, "
        f"{after} with these runs"
    )

"""``bayescale compare``: which law predicts runs best, and whether compute alone explains loss."""

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

import bayescale as bs
from bayescale.cli.dry_run import EXACT_REFITS, emit_work, fits_of, refits_of, work_record
from bayescale.cli.options import (
    READING,
    RESULT,
    SAMPLING,
    WATCHING,
    JsonFile,
    Laws,
    Probability,
    Reading,
    Runs,
    Sampling,
    Tolerance,
    Watching,
    check_budgets,
)
from bayescale.cli.output import emit
from bayescale.cli.spending import SPENDING, choose_budgets
from bayescale.cli.stages import progress
from bayescale.cli.steps import choose_laws, compare_laws, cross_validate, expect_several, fit_laws, load_table
from bayescale.cli.tables import (
    Record,
    interval,
    make_table,
    percent,
    show_hanging,
    show_heading,
    show_list,
    show_table,
)
from bayescale.errors import InputError
from bayescale.words import chance, odds, short


def parse_criteria(asked: tuple[str, ...]) -> list[str]:
    """Read ``budget,largest``, or the same in several options.

    Raises
    ------
    ValueError
        If a criterion is unknown or named twice.
    """
    from bayescale.runs.folds import NOUNS  # noqa: PLC0415  (ArviZ, which --help does not need)

    names = [name.strip() for text in asked for name in text.split(",")]
    unknown = [name for name in names if name not in NOUNS]
    if unknown or len(set(names)) < len(names):
        raise ValueError(f"expected some of {', '.join(NOUNS)}, each once; found {', '.join(names)}")
    return names


def _check_criteria(_: object, asked: tuple[str, ...]) -> None:
    if asked:
        parse_criteria(asked)


Criteria = Annotated[
    tuple[str, ...],
    Parameter(
        name="--by",
        help="Compare the laws as well with groups of runs left out, and every law refitted without them: budget, "
        "family, training_run, largest (the largest fifth by C: extrapolation) or random (10 folds). Separate several "
        "by commas, or repeat it.",
        metavar="GROUPS,...",
        validator=_check_criteria,
        group=RESULT,
    ),
]


WithinFamilies = Annotated[
    bool,
    Parameter(
        name="--within-families",
        help="Give each family a level of its own, partially pooled, and ask the question of compute alone within "
        "families.",
        group=RESULT,
    ),
]


RangeBudgets = Annotated[
    tuple[str, ...],
    Parameter(
        name="--budget",
        help="Compute budget in FLOP, such as 5.76e23, at which to report the range of D/N too; repeat it for several.",
        metavar="FLOP",
        validator=check_budgets,
        group=RESULT,
    ),
]

COLUMNS = (
    "elpd: expected log predictive density of runs left out, in nats (higher is better); p: effective parameters; "
    "dse: standard error of the difference; weight: stacking; best: probability of being the best law; missed: "
    "the smooth part alone of what the law misses at a typical run, so a worse law can have less of it; noise: the "
    "scatter that is left, which such a law takes for noise; bad_k: runs of high Pareto k not refitted."
)
"""What the columns of the comparison mean."""


def compare(
    runs: Runs,
    /,
    *,
    laws: Laws = None,
    by: Criteria = (),
    budgets: RangeBudgets = (),
    within_families: WithinFamilies = False,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    tolerance: Tolerance = 0.05,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Compare laws by leave-one-out cross-validation, and judge whether compute alone explains loss."""
    expect_several(laws)
    asked = parse_criteria(by) if by else []
    with progress(printing) as say:
        from bayescale.records import fits as records  # noqa: PLC0415  (ArviZ, which --help does not need)

        table = load_table(runs, reading, say)
        table = bs.groups.within_families(table) if within_families else table
        names, defaults = choose_laws(table, laws, sampling)
        flops, budget_notes = choose_budgets(table, budgets, SPENDING) if budgets else ([], [])
        if printing.dry_run:
            work = [fits_of(table, names, sampling), *(refits_of(table, names, each, sampling) for each in asked)]
            return emit_work(work_record(table, work, defaults, [EXACT_REFITS]), printing, say)
        fits = fit_laws(table, names, sampling, say)
        comparison = compare_laws(fits, sampling, say)
        criteria = [cross_validate(fits, name, sampling, say) for name in asked]
        say("judging whether compute alone explains loss")
        verdict, note = None, []
        try:
            verdict = bs.judge(
                comparison, tolerance=tolerance, probability=probability, budgets=flops, criteria=criteria
            )
        except InputError as error:  # laws of one kind: they can be compared, and there is nothing to judge
            note = [f"no verdict: {error}"]
        record = records.compare_record(comparison, verdict, [*defaults, *budget_notes], note, criteria)
    return emit(record, show_compare, printing, output=output, glossary=COLUMNS)


def show_compare(console: Console, record: Record) -> None:
    """Print the comparison, the verdict and what it rests on."""
    if record["verdict"] is not None:
        show_answer(console, record["verdict"])
    show_heading(console, record)
    table = make_table("law", "elpd", "se", "p", "elpd_diff", "dse", "weight", "best", "missed", "noise", "bad_k")
    for law in record["laws"]:
        shown = [number_of(law, column) for column in ("elpd", "se", "p", "elpd_diff", "dse")]
        name = law["name"] if law["diagnostics_passed"] else f"{law['name']} (doubtful)"
        parts = (
            chance(law["weight"]),
            number_of(law, "best_probability", 2),
            percent(law["missed"], 2),
            percent(law["noise"], 2),
        )
        table.add_row(name, *shown, *parts, str(law["bad_k"]))
    show_table(console, table)
    show_hanging(console, _stays(record), "")
    for criterion in record["criteria"]:
        _show_criterion(console, criterion)
    if record["criteria"]:
        _show_sides(console, record)
    if record["verdict"] is not None:
        console.print()
        show_verdict(console, record["verdict"])
    show_list(console, "Notes", record["notes"])


def _stays(ranked: Record) -> str:
    if ranked["ranking_probability"] is None:
        return "This order of the laws has no probability: what was left out counts as one run."
    return f"Probability that the laws rank in this order: {chance(ranked['ranking_probability'])}."


def _show_criterion(console: Console, criterion: Record) -> None:
    """Print the comparison with groups of runs left out."""
    console.print()
    folds = f"{criterion['folds']} refit{'s' if criterion['folds'] > 1 else ''} of each law"
    title = f"By {criterion['by']}: {criterion['rows']} runs left out in {folds}"
    table = make_table("law", "elpd", "se", "elpd_diff", "dse", "weight", "best", "", title=title)
    for place, law in enumerate(criterion["laws"]):
        shown = [number_of(law, column) for column in ("elpd", "se", "elpd_diff", "dse")]
        name = f"{law['name']} (doubtful)" if law["failed_folds"] else law["name"]
        said = "" if law["decided"] or not place else "not decided"
        table.add_row(name, *shown, chance(law["weight"]), number_of(law, "best_probability", 2), said)
    show_table(console, table)
    show_hanging(console, _stays(criterion), "")
    show_list(console, "Notes", criterion["notes"])


def _show_sides(console: Console, record: Record) -> None:
    """Print the stacking weights of each criterion side by side."""
    console.print()
    sides = {"single rows": record["laws"], **{each["by"]: each["laws"] for each in record["criteria"]}}
    table = make_table("law", *sides, title="Stacking weights by what is left out")
    weights = {name: {law["name"]: law["weight"] for law in laws} for name, laws in sides.items()}
    for law in record["laws"]:
        table.add_row(law["name"], *(f"{weight[law['name']]:.2f}" for weight in weights.values()))
    show_table(console, table)


def number_of(law: Record, column: str, decimals: int = 1) -> str:
    """Return an entry of the comparison, by default with one decimal; nats mean nothing beyond it."""
    return "none" if law[column] is None else f"{law[column]:.{decimals}f}"


def show_answer(console: Console, verdict: Record) -> None:
    """Print the answer with its probability, in words."""
    answer, matters = verdict["answer"].replace("_", " "), odds(verdict["probability"])
    console.print(Text(f"Verdict: {answer} (probability that the split matters: {matters})", style="bold"))
    show_hanging(console, verdict["summary"], "")
    show_list(console, "Why", verdict["reasons"])
    console.print()


def show_verdict(console: Console, verdict: Record) -> None:
    """Print the cost of ignoring the split, the ranges of D/N, tilt, criteria, and what would decide."""
    within = f"{percent(verdict['tokens_per_parameter']['probability'])} interval"
    _show_effects(console, verdict, within)
    for each in verdict["ranges"]:
        show_hanging(console, _range_text(each), "")
    show_hanging(
        console,
        f"Tilt: {interval(verdict['tilt'], 2)} ({within}, law {verdict['tilt_law']}); 0 is compute alone, above 0 "
        "favours parameters.",
        "",
    )
    if len(verdict["by_criterion"]) > 1:
        sides = ", ".join(f"{name} {chance(value)}" for name, value in verdict["by_criterion"].items())
        said = f"Probability that the split matters, by what is left out: {sides}; only that of point is calibrated."
        show_hanging(console, said, "")
    show_list(console, "Notes on the verdict", verdict["notes"])
    show_list(console, "Runs that would decide", verdict["remedies"])


def _show_effects(console: Console, verdict: Record, within: str) -> None:
    """Print what ignoring the split costs, averaged over both kinds of law and by the law of N and D alone."""
    title = f"Extra compute of ignoring the split, median [{within}]"
    sides = ("if too small", "if too large", "the worse")
    table = make_table("N off its best by", "laws of both kinds", "above tolerance", *sides, title=title)
    waste = {each["factor"]: each for each in verdict["waste"]}
    for each in verdict["effects"]:
        name = "runs' own D/N" if each["factor"] is None else f"{each['factor']:g} times"
        shown = "none" if each["extra_compute"] is None else _part_interval(each["extra_compute"])
        law = waste.get(each["factor"])
        cells = (_part_interval(law[side]) if law else "" for side in ("too_small", "too_large", "extra_compute"))
        table.add_row(name, shown, chance(each["above_tolerance"]), *cells)
    show_table(console, table)
    show_hanging(console, f"The last three columns hold if {verdict['split_law']} does.", "")


def _range_text(found: Record) -> str:
    cost = f"less than {percent(found['tolerance'])} extra compute ({percent(found['probability'])} probability)"
    where = f"At {short(found['flops'])} FLOP"
    if found["lower"] is None:
        return f"{where}: no D/N at which ignoring the split costs {cost}."
    return f"{where}: ignoring the split costs {cost} between D/N {short(found['lower'])} and {short(found['upper'])}."


def _part_interval(entry: Record) -> str:
    return f"{percent(entry['median'])} [{percent(entry['lower'])}, {percent(entry['upper'])}]"

"""``bayescale allocate``: split compute budgets between parameters and tokens."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

import bayescale as bs
from bayescale import checks
from bayescale.cli.dry_run import emit_work, fits_record
from bayescale.cli.limits import LIMITING, LIMITS, Limits
from bayescale.cli.options import (
    FITTING,
    READING,
    SAMPLING,
    WATCHING,
    Budgets,
    JsonFile,
    Laws,
    Probability,
    Reading,
    Runs,
    Sampling,
    Tolerance,
    Watching,
)
from bayescale.cli.output import emit
from bayescale.cli.parsing import UsageError, validate
from bayescale.cli.spending import SPENDING, Spending, choose_budgets
from bayescale.cli.stages import progress
from bayescale.cli.steps import choose_laws, fit_laws, fitted_or_compared, load_table, preview_law, shift_of_priors
from bayescale.cli.tables import (
    Record,
    count,
    flop,
    interval,
    make_table,
    number,
    percent,
    show_hanging,
    show_heading,
    show_list,
    show_table,
    writer,
)
from bayescale.words import capital, chance, safe_sizes


def _check_targets(_: object, losses: tuple[float, ...]) -> None:
    if losses:
        validate(lambda: checks.several("target_loss", losses, "losses to reach"))


Targets = Annotated[
    tuple[float, ...],
    Parameter(
        name="--target-loss",
        help="Loss to reach with the least compute, in the unit of the table, instead of a budget; repeat it for "
        "several.",
        metavar="L",
        validator=_check_targets,
        group=LIMITING,
    ),
]


Previewing = Annotated[
    bool,
    Parameter(
        name="--preview",
        negative="",
        help="Do with a preview of the posterior of one law, by Laplace's method with importance weights, unless the "
        "fit is in the cache; every output is marked as such.",
        group=FITTING,
    ),
]


def allocate(
    runs: Runs,
    /,
    *,
    budgets: Budgets = (),
    spending: Spending = SPENDING,
    targets: Targets = (),
    limits: Limits = LIMITS,
    laws: Laws = None,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    preview: Previewing = False,
    probability: Probability = 0.9,
    tolerance: Tolerance = 0.05,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Split compute budgets between parameters and tokens, or find the least compute for a loss, within limits."""
    if targets and budgets:
        raise UsageError("--budget gives the compute and --target-loss asks for it; choose one of them")
    asked = limits.keywords()
    if targets:
        asked["target_loss"] = list(targets)
    with progress(printing) as say:
        from bayescale.records import fits as records  # noqa: PLC0415  (ArviZ, which --help does not need)

        table = load_table(runs, reading, say)
        names, law_note = choose_laws(table, laws, sampling)
        flops, budget_note = (None, []) if targets else choose_budgets(table, budgets, spending)
        if printing.dry_run:
            return emit_work(fits_record(table, names, sampling, [*law_note, *budget_note]), printing, say)
        fits = (preview_law if preview else fit_laws)(table, names, sampling, say)
        source = fitted_or_compared(fits, sampling, say)
        say("searching the best splits")
        allocation = bs.allocate(
            source, flops, **asked, probability=probability, tolerance=tolerance, random_seed=sampling.seed
        )
        shift = shift_of_priors(table, source, allocation, sampling, say)
        record = records.allocate_record(source, allocation, [*law_note, *budget_note], shift)
    return emit(record, show_allocate, printing, output=output)


def show_allocate(console: Console, record: Record) -> None:
    """Print one table for each budget, and what all of them rest on."""
    show_heading(console, record)
    console.print(_averaged(record["weights"]))
    if record["constraints"]:
        from bayescale.records.allocation import limit_texts  # noqa: PLC0415  (ArviZ, which --help does not need)

        show_hanging(console, f"within: {'; '.join(limit_texts(record['constraints'], 4))}", "")
    if record["cost"]["measured"]:
        show_hanging(console, record["cost"]["statement"], "")
    for allocation in record["allocations"]:
        console.print()
        _show_budget(console, allocation, record)
    if record["data_limit"] is not None:
        console.print()
        show_hanging(console, _exhausted(record["data_limit"]), "")
    show_list(console, "Doubtful", record["doubts"])
    show_list(console, "Notes", record["notes"])
    show_shift(console, record["prior_shift"])


def show_shift(console: Console, shift: Record | None) -> None:
    """Print how far the headline numbers move against the laws' own priors."""
    if shift is not None:
        sentences = [*(each["sentence"] for each in shift["moved"]), *shift["notes"]]
        show_list(console, "Against the laws' own priors, by a second fit", sentences)


def _averaged(weights: Mapping[str, float]) -> str:
    if len(weights) == 1:
        return f"by law {next(iter(weights))} alone"
    return f"averaged over laws by weight: {', '.join(f'{name} {chance(weight)}' for name, weight in weights.items())}"


def _show_budget(console: Console, allocation: Record, record: Record) -> None:
    within = f"median [{percent(record['probability'])} interval]"
    best = allocation["recommended"]
    ratio = best["D"] / best["N"]
    reach = f"{number(allocation['extrapolation'], 2)} times the largest run"
    aim = "Budget" if allocation["target"] is None else f"Loss {number(allocation['target']['loss'], 4)}: budget"
    trained = ", training" if "inference_tokens" in record["constraints"] else ","
    title = f"{aim} {flop(allocation['flops'])} FLOP{trained} {reach}"
    table = make_table("", "recommended", f"optimum: {within}", title=title)
    unit = record["runs"].get("unit", "")
    table.add_row("N (parameters)", count(best["N"]), interval(allocation["N"], write=count))
    table.add_row("D (tokens)", count(best["D"]), interval(allocation["D"], write=count))
    table.add_row("D/N (tokens per parameter)", number(ratio, 2), interval(allocation["tokens_per_parameter"], 2))
    if "epochs" in allocation:
        epochs = best["D"] / record["constraints"]["unique_tokens"]
        table.add_row("epochs (of the unique tokens)", number(epochs, 2), interval(allocation["epochs"], 2))
    for name, value in best["covariates"].items():
        table.add_row(name, writer(name)(value, 3), "")
    name = record["runs"]["response"]
    table.add_row(f"{name} ({unit})", number(best["expected_loss"], 4), interval(allocation["law_loss"], 4))
    table.add_row(f"{name} of one run ({unit})", "", interval(allocation["loss"], 4))
    show_table(console, table)
    for sentence in _sentences(allocation, record):
        show_hanging(console, sentence, "")
    _show_ladder(console, allocation["sizes"])
    _show_options(console, allocation["options"])


def _sentences(allocation: Record, record: Record) -> Iterator[str]:
    """Give what a table has no room for: near-optimal sizes, limits that bind, serving, the loss to reach."""
    best, near = allocation["recommended"], allocation["near_optimal"]
    safe = safe_sizes(near, best)
    yield f"{capital(safe)}."
    if near["N"] is not None:
        yield (
            f"The recommended split costs {percent(best['extra_compute'], 2)} extra compute in the median, with 95% "
            f"probability less than {percent(best['extra_compute_95'], 2)}."
        )
    spread = allocation["spread"]
    if len(record["weights"]) > 1 and spread["ln_N_sd"] > 0:
        yield (
            f"Of the variance of ln N*, {percent(spread['laws'])} lies between laws and "
            f"{percent(spread['parameters'])} in their parameters."
        )
    if allocation["binding"]:
        yield f"Probability that the best run is at a limit: {', '.join(_binding(allocation['binding']))}."
    if allocation["serving"] is not None:
        yield _serving(allocation["serving"], record["probability"])
    if allocation["target"] is not None:
        yield from _target(allocation["target"], record["probability"])


def _binding(binding: Iterable[Record]) -> Iterator[str]:
    for each in binding:
        mark = " (the recommended one does)" if each["recommended"] else ""
        yield f"{each['limit'].replace('_', ' ')} {chance(each['probability'])}{mark}"


def _serving(serving: Record, probability: float) -> str:
    saved, cheap = serving["saved"], serving["training_only"]
    return (
        f"Served {count(serving['inference_tokens'])} tokens, the best run saves {percent(saved['median'])} "
        f"[{percent(saved['lower'])}, {percent(saved['upper'])}] of all compute against the model that is cheapest to "
        f"train to the same loss, N {interval(cheap['N'], write=count)} on D {interval(cheap['D'], write=count)} "
        f"({percent(probability)} intervals)."
    )


def _target(target: Record, probability: float) -> Iterator[str]:
    flops = ", ".join(flop(target["flops"][end], missing="never") for end in ("lower", "upper"))
    yield (
        f"Least compute for this loss: {flop(target['flops']['median'], missing='never')} [{flops}] FLOP. Some run "
        f"reaches it with probability {chance(target['probability'])}"
        + (f"; in {target['never']} of {target['draws']} draws none ever does." if target["never"] else ".")
    )
    yield (
        f"The recommended run reaches it with probability {chance(target['law_reaches'])} by the law, and "
        f"{chance(target['run_reaches'])} as a single run, with its noise and what the law misses."
    )
    assured = target["assured"]
    if assured is None:
        yield f"No compute makes the law reach it with probability {chance(probability)}."
    else:
        yield (
            f"For the law to reach it with probability {chance(probability)}: {flop(assured['flops'])} FLOP, N "
            f"{count(assured['N'])}, D {count(assured['D'])}."
        )


def _show_ladder(console: Console, sizes: Iterable[Record] | None) -> None:
    if sizes is None:
        return
    title = "Allowed sizes: probability of being best, extra compute in the median and at the 95% point"
    table = make_table("N", "D", "best", "extra compute", "95%", title=title)
    for each in sizes:
        if each["D"] is None:
            table.add_row(count(each["N"]), "beyond the budget", "", "", "")
        else:
            cells = (percent(each[name], 2) for name in ("extra_compute", "extra_compute_95"))
            table.add_row(count(each["N"]), count(each["D"]), chance(each["probability"]), *cells)
    show_table(console, table)


def _show_options(console: Console, options: Iterable[Record]) -> None:
    rows = list(options)
    if not rows:
        return
    names = list(rows[0]["covariates"])
    title = "Options: best N, probability of being best, extra compute on average"
    table = make_table(*names, "N", "best", "extra compute", title=title)
    for each in rows:
        columns = (writer(name)(each["covariates"][name], 3) for name in names)
        table.add_row(*columns, count(each["N"]), chance(each["probability"]), percent(each["extra_compute"], 2))
    show_table(console, table)


def _exhausted(exhausted: Record) -> str:
    tokens = count(exhausted["tokens"])
    if exhausted["flops"] is None:
        return f"At no compute would the best run use all {tokens} tokens."
    alone = "only a larger model helps, as no token is used twice (--repetition 15.4 weighs repeats)"
    then = "tokens are repeated" if exhausted["repeated"] else alone
    part = "" if exhausted["probability"] > 0.995 else f" (in {percent(exhausted['probability'])} of draws)"
    return (
        f"All {tokens} tokens are used from {interval(exhausted['flops'], write=flop)} FLOP on{part}, were the size "
        f"free: beyond it {then}."
    )

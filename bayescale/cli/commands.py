"""The commands: each reads a table, calls public verbs and emits a record; what is heavy is imported when needed."""

from pathlib import Path

from cyclopts import App, Parameter

import bayescale as bs
from bayescale.cli import allocations, tables
from bayescale.cli.data import app as data_app
from bayescale.cli.dry_run import emit_work, fits_of, folds_of, refits_of, work_record
from bayescale.cli.limits import LIMITS, Limits, Targets
from bayescale.cli.multiplier import multiplier
from bayescale.cli.options import (
    PRINTING,
    READING,
    REFITTING,
    SAMPLING,
    WATCHING,
    Budgets,
    CommandLine,
    Criteria,
    DryRun,
    FittedLaws,
    HeldOut,
    JsonFile,
    LawName,
    Laws,
    NoSeed,
    OneLaw,
    Picture,
    Printing,
    Probability,
    Reading,
    Refitting,
    ReportFile,
    Runs,
    Sampling,
    SavedFits,
    Strict,
    Thresholds,
    Tolerance,
    UsageError,
    Watching,
    parse_criteria,
    parse_laws,
    parse_thresholds,
)
from bayescale.cli.output import emit
from bayescale.cli.planning import plan
from bayescale.cli.serving import data_limit, serve
from bayescale.cli.spending import SPENDING, Spending, choose_budgets
from bayescale.cli.stages import progress
from bayescale.cli.steps import (
    choose_laws,
    compare_laws,
    cross_validate,
    fit_laws,
    fitted_or_compared,
    hold_out,
    hold_out_for_report,
    load_table,
    plan_for_report,
)
from bayescale.errors import InputError
from bayescale.processes import prepare

EXACT_REFITS = "not counted: exact refits, at most 20 of each law, where PSIS fails for single runs"
ONE_BACKTEST = "not counted: a backtest of the law that the report rests on most"

app = App(
    name="bayescale",
    help="Bayesian scaling-law fits: which law holds on your runs, and what to train with a compute budget.",
    help_epilogue="Example: bayescale compare chinchilla\n\n"
    "Exit status: 0 fine, 1 unexpected, 2 usage, 3 unusable data, 4 doubtful diagnostics under --strict, "
    "130 interrupted. Results go to stdout, progress to stderr.",
    version=bs.__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(negative=(), show_default=False),
)


app.register_install_completion_command(
    help="Install completion for bash, zsh, fish or PowerShell: of commands, options, tables and laws."
)
app.command(data_app)
app.command(serve)
app.command(data_limit)
app.command(multiplier)
app.command(plan)


@app.command
def laws(
    name: LawName = None,
    /,
    *,
    figure: Picture = None,
    output: JsonFile = None,
    printing: Printing = PRINTING,
    seed: NoSeed = 0,
) -> int:
    """List the laws, or tell one law's formula, columns, parameters, priors, published values and source."""
    if figure is not None and name is None:
        raise UsageError("--figure draws one law's prior; name the law: bayescale laws NAME --figure FILE")
    from bayescale.cli.describing import law_details  # noqa: PLC0415  (NumPy, which --help does not need)

    listed = bs.list_laws() if name is None else [law_details(name)]
    if name is not None and figure is not None:
        from bayescale.plots.priors import save_prior_predictive  # noqa: PLC0415  (PyMC and matplotlib, for this alone)

        save_prior_predictive(name, figure, random_seed=seed)
        listed[0]["figure"] = str(figure)
    show = tables.show_laws if name is None else tables.show_law
    return emit({"schema": "bayescale/laws/1", "laws": listed}, show, printing, output=output)


@app.command
def check(
    runs: Runs,
    /,
    *,
    reading: Reading = READING,
    output: JsonFile = None,
    printing: Printing = PRINTING,
    seed: NoSeed = 0,
) -> int:
    """Check a table: tell every fault (and end with status 3), or what the table can and cannot identify."""
    del seed
    from bayescale.cli.describing import check_record, faults_record  # noqa: PLC0415

    try:
        record = check_record(load_table(runs, reading))
    except InputError as error:
        emit(faults_record(error), tables.show_nothing, printing, output=output)
        raise
    return emit(record, tables.show_check, printing, output=output)


@app.command
def fit(
    runs: Runs,
    /,
    *,
    laws: FittedLaws = None,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    strict: Strict = False,
    output: SavedFits = None,
    printing: Watching = WATCHING,
) -> int:
    """Fit laws to a table: parameters with credible intervals, and diagnostics."""
    single = output is not None and output.suffix == ".nc"
    if single and (laws is None or len(parse_laws(laws)) > 1):
        raise UsageError(f"--output {output} is one file; choose one law by --law, or name a folder")
    with progress(printing) as say:
        from bayescale.records import fits as records  # noqa: PLC0415  (ArviZ, which --help does not need)

        table = load_table(runs, reading, say)
        names, defaults = choose_laws(table, laws)
        fits = fit_laws(table, names, sampling, say)
        paths = {name: output if single else output / f"{name}.nc" for name in fits} if output else {}
        for name, path in paths.items():
            fits[name].save(path)
        record = records.fit_record(fits, probability, paths, defaults)
    return emit(record, tables.show_fit, printing, strict=strict)


@app.command
def compare(
    runs: Runs,
    /,
    *,
    laws: Laws = None,
    by: Criteria = (),
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    tolerance: Tolerance = 0.05,
    strict: Strict = False,
    dry_run: DryRun = False,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Compare laws by leave-one-out cross-validation, and judge whether compute alone explains loss."""
    _expect_several(laws)
    asked = parse_criteria(by) if by else []
    with progress(printing) as say:
        from bayescale.records import fits as records  # noqa: PLC0415  (ArviZ, which --help does not need)

        table = load_table(runs, reading, say)
        names, defaults = choose_laws(table, laws)
        if dry_run:
            work = [fits_of(table, names, sampling), *(refits_of(table, names, each, sampling) for each in asked)]
            return emit_work(work_record(table, work, defaults, [EXACT_REFITS]), printing, say)
        fits = fit_laws(table, names, sampling, say)
        comparison = compare_laws(fits, sampling, say)
        say("judging whether compute alone explains loss")
        verdict, note = None, []
        try:
            verdict = bs.judge(comparison, tolerance=tolerance, probability=probability)
        except InputError as error:  # laws of one kind: they can be compared, and there is nothing to judge
            note = [f"no verdict: {error}"]
        criteria = [cross_validate(fits, name, sampling, say) for name in asked]
        record = records.compare_record(comparison, verdict, defaults, note, criteria)
    return emit(record, tables.show_compare, printing, output=output, strict=strict)


@app.command
def allocate(
    runs: Runs,
    /,
    *,
    budgets: Budgets = (),
    spending: Spending = SPENDING,
    targets: Targets = (),
    limits: Limits = LIMITS,
    laws: Laws = None,
    law: OneLaw = None,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    tolerance: Tolerance = 0.05,
    strict: Strict = False,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Split compute budgets between parameters and tokens, or find the least compute for a loss, within limits."""
    if laws is not None and law is not None:
        raise UsageError("--laws averages laws and --law takes one alone; choose one of them")
    if targets and budgets:
        raise UsageError("--budget gives the compute and --target-loss asks for it; choose one of them")
    asked = limits.keywords()
    if targets:
        asked["target_loss"] = list(targets)
    with progress(printing) as say:
        from bayescale.records import fits as records  # noqa: PLC0415  (ArviZ, which --help does not need)

        table = load_table(runs, reading, say)
        names, law_note = choose_laws(table, law or laws)
        flops, budget_note = (None, []) if targets else choose_budgets(table, budgets, spending)
        fits = fit_laws(table, names, sampling, say)
        source = fitted_or_compared(fits, sampling, say)
        say("searching the best splits")
        allocation = bs.allocate(
            source, flops, **asked, probability=probability, tolerance=tolerance, random_seed=sampling.seed
        )
        record = records.allocate_record(source, allocation, [*law_note, *budget_note])
    return emit(record, allocations.show_allocate, printing, output=output, strict=strict)


@app.command
def backtest(
    runs: Runs,
    /,
    *,
    laws: FittedLaws = None,
    by: HeldOut = "C",
    thresholds: Thresholds = None,
    reading: Reading = READING,
    refitting: Refitting = REFITTING,
    strict: Strict = False,
    dry_run: DryRun = False,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Hold out runs, forecast them from the others, and score the forecasts beside those of the usual methods."""
    if thresholds is not None and by in ("budget", "family"):
        raise UsageError(f"--thresholds goes with --by C, N or D; --by {by} holds out each in turn")
    with progress(printing) as say:
        from bayescale.records import fits as records  # noqa: PLC0415  (ArviZ, which --help does not need)

        table = load_table(runs, reading, say)
        names, defaults = choose_laws(table, laws)
        chosen = None if thresholds is None else parse_thresholds(thresholds)
        if dry_run:
            work = [folds_of(table, names, by, chosen, refitting)]
            return emit_work(work_record(table, work, defaults), printing, say)
        found = hold_out(table, names, by, chosen, refitting, say=say)
        record = records.backtest_record(found, defaults)
    return emit(record, tables.show_backtest, printing, output=output, strict=strict)


@app.command
def report(
    runs: Runs,
    /,
    *,
    budgets: Budgets = (),
    spending: Spending = SPENDING,
    limits: Limits = LIMITS,
    laws: Laws = None,
    law: OneLaw = None,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    tolerance: Tolerance = 0.05,
    strict: Strict = False,
    dry_run: DryRun = False,
    output: ReportFile = None,
    printing: Watching = WATCHING,
    command_line: CommandLine = "bayescale report",
) -> int:
    """Fit, compare, judge and allocate, and write it all as one page: HTML, Markdown or PDF by its name."""
    _expect_several(laws)
    asked = limits.keywords()
    prepare("bayescale.plots.rendering")
    with progress(printing) as say:
        from bayescale.records import fits as records  # noqa: PLC0415  (ArviZ, which --help does not need)
        from bayescale.report import check_report_name  # noqa: PLC0415  (Matplotlib)

        path = check_report_name(output or Path(f"{Path(runs).stem}-report.html"))
        table = load_table(runs, reading, say)
        names, law_note = choose_laws(table, laws)
        flops, budget_note = choose_budgets(table, budgets, spending)
        names += [law] if law and law not in names else []
        if dry_run:
            work = [fits_of(table, names, sampling)]
            return emit_work(work_record(table, work, law_note, [EXACT_REFITS, ONE_BACKTEST]), printing, say)
        fits = fit_laws(table, names, sampling, say)
        comparison = compare_laws(fits, sampling, say)
        say("judging whether compute alone explains loss")
        verdict = bs.judge(comparison, tolerance=tolerance, probability=probability)
        say("searching the best splits")
        source = comparison.fits[law] if law else comparison
        try:
            allocation = bs.allocate(
                source, flops, **asked, probability=probability, tolerance=tolerance, random_seed=sampling.seed
            )
        except InputError as error:  # no law has a best split at these budgets: all else is worth its report
            allocation, budget_note = None, [f"no allocation: {error}"]
        found, backtest_note = hold_out_for_report(comparison, allocation, sampling, say)
        next_runs, plan_note = plan_for_report(source, allocation, sampling, say)
        say("writing the report")
        numbers = bs.write_report(
            path, comparison, verdict, allocation, backtest=found, plan=next_runs, command=command_line
        )
        notes = [*law_note, *budget_note, *backtest_note, *plan_note]
        doubts = records.report_doubts(comparison, allocation, found)
        record = {**numbers, "path": str(path), "defaults": notes, "doubts": doubts}
    return emit(record, tables.show_report, printing, strict=strict)


def _expect_several(laws: str | None) -> None:
    if laws is not None and len(parse_laws(laws)) < 2:
        raise UsageError(f"--laws {laws} is one law; expected two or more to compare")

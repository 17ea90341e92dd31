"""``bayescale fit``: parameters of laws with credible intervals, and diagnostics."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from bayescale.cli.dry_run import emit_work, fits_record
from bayescale.cli.options import (
    READING,
    RESULT,
    SAMPLING,
    WATCHING,
    Laws,
    Probability,
    Reading,
    Runs,
    Sampling,
    Watching,
)
from bayescale.cli.output import emit
from bayescale.cli.parsing import UsageError, check_file, check_folder, check_parent, parse_laws
from bayescale.cli.stages import progress
from bayescale.cli.steps import choose_laws, fit_laws, load_table
from bayescale.cli.tables import Record, interval, make_table, number, show_hanging, show_heading, show_table, writer
from bayescale.words import percent


def _check_saved(_: object, path: Path | None) -> None:
    if path is not None:
        if path.suffix == ".nc":
            check_file(path)
        else:
            check_folder(path)
            check_parent(path)


SavedFits = Annotated[
    Path | None,
    Parameter(
        name=["--output", "-o"],
        help="Save the fits here: a folder, which gets LAW.nc for each law, or for one law a file that ends in .nc. "
        "load_fit() and ArviZ read them. By default they are only kept in the cache.",
        metavar="PATH",
        validator=_check_saved,
        group=RESULT,
    ),
]


def fit(
    runs: Runs,
    /,
    *,
    laws: Laws = None,
    reading: Reading = READING,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
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
        names, defaults = choose_laws(table, laws, sampling)
        if printing.dry_run:
            return emit_work(fits_record(table, names, sampling, defaults), printing, say)
        if output and not single:
            _check_fits(output / f"{name}.nc" for name in names)
        fits = fit_laws(table, names, sampling, say)
        paths = {name: output if single else output / f"{name}.nc" for name in fits} if output else {}
        for name, path in paths.items():
            fits[name].save(path)
        record = records.fit_record(fits, probability, paths, defaults)
    return emit(record, show_fit, printing)


def _check_fits(paths: Iterable[Path]) -> None:
    """Refuse to replace files in a folder that nobody named, unless they are saved fits."""
    from bayescale.fits.sealing import is_sealed  # noqa: PLC0415  (as above)

    for path in paths:
        if path.exists() and not (path.is_file() and is_sealed(path)):
            raise UsageError(f"--output: a fit goes to {path}, and this is none; move it, or name another folder")


def show_fit(console: Console, record: Record) -> None:
    """Print each law's parameters at both scales, and its diagnostics."""
    show_heading(console, record)
    for law in record["fits"]:
        console.print()
        console.print(Text(f"{law['law']}: {law['formula']}", style="bold"))
        table = make_table("parameter", "at a typical run", "at published scale")
        for entry in law["parameters"]:
            table.add_row(entry["name"], interval(entry["reference"]), interval(entry["published"]))
        show_table(console, table)
        if law["decided_by_prior"]:
            doubted = ", ".join(law["decided_by_prior"])
            show_hanging(console, f"The prior decides {doubted}: these runs say little of it.", "")
        show_hanging(console, _diagnosis(law["diagnostics"]), "")
        if law["path"] is not None:
            console.print(f"saved: {law['path']}", soft_wrap=True)
    typical = record["fits"][0]["typical_run"]
    sizes = ", ".join(f"{name} = {writer(name)(value, 3)}" for name, value in typical.items())
    console.print()
    show_hanging(
        console,
        f"Median and equal-tailed {percent(record['probability'])} credible interval. A typical run is the geometric "
        f"mean of the table, {sizes}; the published scale counts columns in ones.",
        "",
    )


def _diagnosis(diagnostics: Record) -> str:
    """Return one line for a posterior; failures are among the doubts below."""
    values = (
        f"R-hat {number(diagnostics['rhat'], 4)}, ESS {number(diagnostics['ess_bulk'], 2)} bulk "
        f"and {number(diagnostics['ess_tail'], 2)} tail, E-BFMI {number(diagnostics['bfmi'], 2)}, "
        f"{diagnostics['divergences']} divergences"
    )
    if diagnostics["passed"]:
        return f"diagnostics passed: {values}"
    return f"diagnostics FAILED: {values}"

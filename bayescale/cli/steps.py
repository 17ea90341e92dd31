"""From what was asked for to results: read the table, choose laws and budgets, fit and refit with progress."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import bayescale as bs
from bayescale.cli.options import SAMPLING, STDIN, Reading, Refitting, Sampling
from bayescale.cli.parsing import UsageError, check_folder, parse_laws
from bayescale.cli.stages import Stages
from bayescale.cli.timings import keep_timing
from bayescale.fits.settings import Settings
from bayescale.storage import cache_dir, sweep_cache

if TYPE_CHECKING:
    from bayescale.comparison.comparison import Comparison
    from bayescale.comparison.cross_validation import CrossValidation
    from bayescale.decisions.allocation import Allocation
    from bayescale.decisions.prior_shift import PriorShift
    from bayescale.fits.fit import Fit
    from bayescale.laws import Law
    from bayescale.runs import RunTable


def load_table(runs: str, reading: Reading, say: Stages | None = None) -> "RunTable":
    """Read the file or the catalogued table, and select its runs."""
    sweep_cache()
    if say:
        say("reading the table")
    return _table_from_stdin(reading) if runs == STDIN else _table(runs, reading)


def _table(runs: str, reading: Reading) -> "RunTable":
    return bs.catalogue.resolve_runs(
        runs,
        columns=reading.columns,
        response=reading.response,
        unit=reading.unit,
        needs=reading.needed,
        where=reading.where,
        **reading.rows,
    )


def _table_from_stdin(reading: Reading) -> "RunTable":
    """Read the table from standard input, of whatever kind it is."""
    with source_of(STDIN) as path:
        return _table(path, reading)


@contextmanager
def source_of(name: str) -> Iterator[str]:
    """Give the path of a file, or of one that holds standard input for as long as it is read.

    Raises
    ------
    UsageError
        If standard input is a terminal.
    """
    if name != STDIN:
        yield name
        return
    if sys.stdin.isatty():
        raise UsageError("RUNS is -, standard input, and nothing is piped into it; expected a table, or name a file")
    content = sys.stdin.buffer.read()
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"stdin{_suffix(content)}"
        path.write_bytes(content)
        try:
            yield str(path)
        except bs.InputError as error:  # nobody knows a file of this name
            raise bs.InputError(*(fault.replace(str(path), "standard input") for fault in error.faults)) from error


def _suffix(content: bytes) -> str:
    """Return how a file of this content would end: Parquet, a JSON list, JSON Lines, or text with tabs or commas."""
    if content.startswith(b"PAR1"):
        return ".parquet"
    if content.lstrip().startswith((b"[{", b"[\n", b"[ ")):
        return ".json"
    if content.lstrip().startswith(b"{"):
        return ".jsonl"
    return ".tsv" if b"\t" in content.partition(b"\n")[0] else ".csv"


def choose_laws(
    table: "RunTable", asked: str | None, sampling: Sampling | Refitting = SAMPLING
) -> tuple[list[str], list[str]]:
    """Return the laws asked for or those of the response, and sentences on a default and on priors given by hand."""
    if asked is not None:
        names, note = parse_laws(asked), []
    else:
        from bayescale.laws.usual import usual_laws  # noqa: PLC0415  (NumPy, which --help does not need)

        names = usual_laws(table)
        note = [f"laws: {', '.join(names)} (the default for {table.response})"]
    return names, [*note, *prior_notes(laws_of(names, sampling))]


def laws_of(laws: "Sequence[str | Law]", sampling: Sampling | Refitting) -> "list[Law]":
    """Return laws, those that are named with the priors given by hand.

    Raises
    ------
    InputError
        If none of them has a parameter that a prior is for, or a prior does not suit it.
    """
    from bayescale.laws import get_law, laws_with_priors  # noqa: PLC0415  (NumPy, which --help does not need)

    named = [get_law(law) for law in laws if isinstance(law, str)]
    if sampling.priors and named:
        named = laws_with_priors(named, sampling.priors)
    given = {law.name: law for law in named}
    return [given[law] if isinstance(law, str) else law for law in laws]


def prior_notes(laws: "Sequence[Law]") -> list[str]:
    """Say which priors are the user's, and in which laws."""
    from bayescale.laws import given_record  # noqa: PLC0415  (as above)

    places: dict[tuple[str, str], list[str]] = {}
    for entry in given_record(laws):
        own = f"{entry['law']} (its own: {entry['own']})"
        places.setdefault((entry["parameter"], entry["prior"]), []).append(own)
    return [f"prior by hand: {name} ~ {prior}, for {', '.join(own)}" for (name, prior), own in places.items()]


def choose_budgets(table: "RunTable", asked: Sequence[float]) -> tuple[list[float], list[str]]:
    """Return the budgets asked for or multiples of the largest run, and a sentence where they are the default."""
    if asked:
        return list(asked), []
    from bayescale.decisions.budgets import usual_budgets  # noqa: PLC0415  (as above)

    return usual_budgets(table), ["budgets: 1, 10 and 100 times the largest run (default)"]


def fit_laws(table: "RunTable", names: Sequence[str], sampling: Sampling, say: Stages) -> dict[str, "Fit"]:
    """Fit laws and show how far it is; laws that the cache holds are there at once."""
    waiting = waiting_laws(table, names, sampling)
    if waiting and not sampling.no_cache:
        check_cache()
    done: list[str] = []

    def show(name: str) -> None:
        done.extend([name] if name in waiting else [])
        say.count(len(done), len(waiting))

    say(_fitting(names, waiting, len(table.frame)))
    if waiting:
        say.count(0, len(waiting))
    with _on_workers(sampling.workers if waiting else None):
        fits = bs.fit_laws(
            table,
            names,
            priors=sampling.priors,
            draws=sampling.draws,
            random_seed=sampling.seed,
            cache=not sampling.no_cache,
            progress=show if waiting else None,
        )
    keep_timing("fit", say.seconds_each)
    return fits


def _on_workers(address: str | None) -> AbstractContextManager[None]:
    """Send what fans out to the workers at an address; keep it here where there is none."""
    if address is None:
        return nullcontext()
    from bayescale.fits.workers import on_workers  # noqa: PLC0415  (few commands need it)

    return on_workers(address)


def preview_law(table: "RunTable", names: Sequence[str], sampling: Sampling, say: Stages) -> dict[str, "Fit"]:
    """Fit one law by a preview, or read its posterior from the cache.

    Raises
    ------
    UsageError
        If there are several laws.
    """
    if len(names) != 1:
        raise UsageError(f"--preview is of one law, found {', '.join(names)}; choose one by --laws NAME")
    say(f"previewing law {names[0]}")
    law = laws_of(names, sampling)[0]
    cache = not sampling.no_cache
    return {
        law.name: bs.fit(
            table, law, draws=sampling.draws, random_seed=sampling.seed, cache=cache, progress=False, preview=True
        )
    }


def _fitting(names: Sequence[str], waiting: Sequence[str], rows: int) -> str:
    """Say which laws are fitted, and which are there already."""
    there = len(names) - len(waiting)
    if not waiting:
        return f"reading {laws_text(names)} from the cache"
    from bayescale.runs.amounts import time_of_fits  # noqa: PLC0415  (pandas, which --help does not need)

    known = f" ({there} in the cache)" if there else ""
    return f"compiling and sampling {laws_text(waiting)}{known}{time_of_fits(rows)}"


def laws_text(names: Sequence[str]) -> str:
    """Return one law by name, and how many several are."""
    return f"law {names[0]}" if len(names) == 1 else f"{len(names)} laws"


def waiting_laws[T: "str | Law"](table: "RunTable", names: Sequence[T], sampling: Sampling) -> list[T]:
    """Return the laws that are to be sampled."""
    if sampling.no_cache:
        return list(names)
    from bayescale.fits.fitting import is_cached  # noqa: PLC0415  (ArviZ, which --help does not need)

    settings = Settings(draws=sampling.draws, random_seed=sampling.seed)
    laws = laws_of(names, sampling)
    return [name for name, law in zip(names, laws, strict=True) if not is_cached(law, table, settings)]


def compare_laws(fits: "Mapping[str, Fit]", sampling: Sampling, say: Stages, **options: Any) -> "Comparison":  # noqa: ANN401
    """Compare laws, with further options of :func:`bayescale.compare`, and show which are refitted where PSIS fails."""
    refitted: list[str] = []

    def show(name: str, done: int, of: int) -> None:
        if name not in refitted:
            refitted.append(name)
            say(f"refitting law {name} without single runs")
        say.count(done, of)

    say("comparing laws, each run left out once")
    return bs.compare(fits, cache=not sampling.no_cache, progress=show, **options)


def fitted_or_compared(fits: "Mapping[str, Fit]", sampling: Sampling, say: Stages) -> "Fit | Comparison":
    """Return the only fit, or the comparison of several, whichever decisions are made from."""
    if len(fits) == 1:
        return next(iter(fits.values()))
    return compare_laws(fits, sampling, say)


def cross_validate(fits: "Mapping[str, Fit]", by: str, sampling: Sampling, say: Stages) -> "CrossValidation":
    """Refit laws without groups of runs, and show how many refits are done."""
    say(f"refitting {laws_text(list(fits))} by {by}")
    with _on_workers(sampling.workers):
        found = bs.cross_validate(
            fits, by, random_seed=sampling.seed, cache=not sampling.no_cache, progress=adding(say, {})
        )
    keep_timing(f"refit by {by}", say.seconds_each)
    return found


def forecast_folds[R](
    verb: Callable[..., R],
    planned: Callable[..., Mapping[str, tuple[int, int]]],
    given: "tuple[RunTable, Sequence[Law]]",
    options: Mapping[str, Any],
    doing: str,
    *,
    timing: str,
    workers: str | None,
    say: Stages,
) -> R:
    """Forecast what is held out, and show how many of the folds that are planned are done."""
    if options["cache"]:
        check_cache()
    say("looking for what is known")
    folds = planned(*given, **options)
    say(f"{doing}, with {laws_text(list(folds))}")
    with _on_workers(workers):
        found = verb(*given, **options, progress=adding(say, {name: count for name, (count, _) in folds.items()}))
    keep_timing(timing, say.seconds_each)
    return found


def adding(say: Stages, of: Mapping[str, int]) -> Callable[[str, int, int], None]:
    """Return what tells the folds done of all laws, from those of each."""
    done: dict[str, int] = {}
    total = dict(of)

    def show(name: str, folds: int, of: int) -> None:
        done[name], total[name] = folds, of
        say.count(sum(done.values()), sum(total.values()))

    return show


def check_cache() -> None:
    """Refuse a cache that cannot be written before anything is computed.

    Raises
    ------
    UsageError
        If its folder, or the nearest one above it, is no folder or may not be written.
    """
    try:
        check_folder(cache_dir())
    except ValueError as error:
        raise UsageError(f"the cache cannot be written: {error}; set BAYESCALE_CACHE, or give --no-cache") from error


def about(table: "RunTable") -> dict[str, Any]:
    """Return what a record says of the table that it is made from."""
    from bayescale.records.runs import runs_record  # noqa: PLC0415  (pandas, which --help does not need)

    return runs_record(table)


def priors_record(source: "Fit | Comparison") -> list[dict[str, str]]:
    """Return the priors by hand behind a result."""
    from bayescale.records.priors import given_priors  # noqa: PLC0415  (ArviZ, which --help does not need)

    return given_priors(source)


def shift_of_priors(
    table: "RunTable",
    source: "Fit | Comparison",
    allocation: "Allocation | None",
    sampling: Sampling,
    say: Stages,
) -> "PriorShift | None":
    """Fit laws that have priors by hand with their own as well, to see what that changes; None where there are none."""
    from bayescale.decisions.prior_shift import against_own_priors  # noqa: PLC0415  (as above)

    if not sampling.prior:
        return None
    say("fitting with the laws' own priors, to compare")
    return against_own_priors(table, source, allocation, cache=not sampling.no_cache)


def expect_several(laws: str | None) -> None:
    """Refuse a single law where laws are compared.

    Raises
    ------
    UsageError
        If one law is named.
    """
    if laws is not None and len(parse_laws(laws)) < 2:
        raise UsageError(f"--laws {laws} is one law; expected two or more to compare")

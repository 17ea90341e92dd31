"""From what was asked for to fits: read the table, choose laws and budgets, fit with progress."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import bayescale as bs
from bayescale.cli.options import Reading, Refitting, Sampling, parse_laws
from bayescale.cli.output import Say

if TYPE_CHECKING:
    from bayescale.allocation import Allocation
    from bayescale.backtesting import Backtest
    from bayescale.comparison import Comparison
    from bayescale.fits import Fit
    from bayescale.runs import RunTable
    from bayescale.validation import CrossValidation

DEFAULT_LAWS = {
    "loss": ("compute_power", "compute_floor", "tilt", "kaplan_nd", "chinchilla"),
    "bpc": ("guo_compute", "compute_floor", "tilt", "kaplan_n", "chinchilla"),
    "error": ("compute_power", "compute_floor", "tilt", "kaplan_nd", "chinchilla"),
}
"""Compute alone, compute with a tilt, size alone or with data, and size and data apart, for each response."""

DEFAULT_BUDGETS = (1.0, 10.0, 100.0)
"""Budgets over the largest run of the table."""


def load_table(runs: str, reading: Reading) -> "RunTable":
    """Read the file or the catalogued table, and select its runs."""
    table = bs.resolve_runs(
        runs, columns=reading.columns, response=reading.response, unit=reading.unit, needs=reading.needed
    )
    return bs.select_runs(table, reading.where) if reading.where else table


def choose_laws(table: "RunTable", asked: str | None) -> tuple[list[str], list[str]]:
    """Return the laws asked for or those of the response, and a sentence where they are the default."""
    if asked is not None:
        return parse_laws(asked), []
    names = _default_laws(table)
    return names, [f"laws: {', '.join(names)} (the default for {table.response})"]


def _default_laws(table: "RunTable") -> list[str]:
    """Return the usual laws where the table has N and D, else every built-in law that it has the columns for."""
    usual = DEFAULT_LAWS.get(table.response, ())
    if usual and {"N", "D"} <= set(table.frame):
        return list(usual)
    fitting = [
        law.name
        for law in bs.LAWS.values()
        if table.response in law.responses and set(law.covariates) <= set(table.frame)
    ]
    if not fitting:
        columns = ", ".join(map(str, table.frame))
        raise bs.InputError(
            f"{table.name}: no law describes {table.response} by the columns {columns}; see `bayescale laws`, or "
            "write a law of your own"
        )
    return fitting


def choose_budgets(table: "RunTable", asked: Sequence[float]) -> tuple[list[float], list[str]]:
    """Return the budgets asked for or multiples of the largest run, and a sentence where they are the default."""
    if asked:
        return list(asked), []
    if "C" not in table.frame:
        raise bs.InputError(f"{table.name}: a budget is FLOP to split between N and D; the table has no C")
    largest = float(table.frame["C"].max())
    return [factor * largest for factor in DEFAULT_BUDGETS], ["budgets: 1, 10 and 100 times the largest run (default)"]


def fit_laws(table: "RunTable", names: Sequence[str], sampling: Sampling, say: Say) -> dict[str, "Fit"]:
    """Fit laws and show how far it is; laws that the cache holds are there at once."""
    waiting = names if sampling.no_cache else [name for name in names if not _is_cached(table, name, sampling)]
    work = f"compiling and sampling {len(waiting)} law{'s' if len(waiting) != 1 else ''}"
    done: list[str] = []

    def show(name: str) -> None:
        done.extend([name] if name in waiting else [])
        say(f"{work}: {len(done)} done ({', '.join(done)})" if done else work)

    say(work if waiting else "reading fits from the cache")
    return bs.fit_laws(
        table, names, draws=sampling.draws, random_seed=sampling.seed, cache=not sampling.no_cache, progress=show
    )


def cross_validate(fits: "Mapping[str, Fit]", by: str, sampling: Sampling, say: Say) -> "CrossValidation":
    """Refit laws without groups of runs, and show how far each is."""
    done: dict[str, str] = {}

    def show(name: str, folds: int, of: int) -> None:
        done[name] = f"{name} {folds} of {of}"
        say(f"refitting laws by {by}: {', '.join(done.values())}")

    say(f"refitting laws by {by}")
    return bs.cross_validate(fits, by, random_seed=sampling.seed, cache=not sampling.no_cache, progress=show)


def hold_out(
    table: "RunTable",
    names: Sequence[str],
    by: str,
    thresholds: Sequence[float] | None,
    refitting: Refitting,
    *,
    say: Say,
) -> "Backtest":
    """Forecast held-out runs by each law and method, and show how far each law is."""
    work = f"forecasting runs held out by {by}"
    done: dict[str, str] = {}

    def show(name: str, folds: int, of: int) -> None:
        done[name] = f"{name} {folds} of {of} folds"
        say(f"{work}: {', '.join(done.values())}")

    say(work)
    return bs.backtest(
        table,
        names,
        by=by,
        thresholds=thresholds,
        random_seed=refitting.seed,
        cache=not refitting.no_cache,
        progress=show,
    )


def hold_out_for_report(
    comparison: "Comparison", allocation: "Allocation | None", sampling: Sampling, say: Say
) -> "tuple[Backtest | None, list[str]]":
    """Backtest the law that a report's forecasts rest on most, or return a sentence that says why it cannot be."""
    from bayescale.report import law_in_use  # noqa: PLC0415  (Matplotlib, which other commands do not need)

    law = comparison.fits[law_in_use(comparison, allocation)].law
    work = f"forecasting held-out runs by {law.name}"
    say(work)
    try:
        found = bs.backtest(
            comparison.runs,
            [law],
            methods=("discrepancy", "plain"),
            random_seed=sampling.seed,
            cache=not sampling.no_cache,
            progress=lambda _, done, of: say(f"{work}: {done} of {of} folds"),
        )
    except bs.InputError as error:  # too few runs: all else is worth its report, and the page says why
        return None, [f"no backtest: {error}"]
    return found, []


def _is_cached(table: "RunTable", name: str, sampling: Sampling) -> bool:
    from bayescale.fitting import is_cached  # noqa: PLC0415  (ArviZ, which --help does not need)
    from bayescale.laws import get_law  # noqa: PLC0415
    from bayescale.settings import Settings  # noqa: PLC0415

    return is_cached(get_law(name), table, Settings(draws=sampling.draws, random_seed=sampling.seed))

"""From what was asked for to fits: read the table, choose laws and budgets, fit with progress."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import bayescale as bs
from bayescale.cli.options import Reading, Sampling, parse_laws
from bayescale.cli.output import Say

if TYPE_CHECKING:
    from bayescale.fits import Fit
    from bayescale.runs import RunTable

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


def _is_cached(table: "RunTable", name: str, sampling: Sampling) -> bool:
    from bayescale.fitting import is_cached  # noqa: PLC0415  (ArviZ, which --help does not need)
    from bayescale.laws import get_law  # noqa: PLC0415
    from bayescale.settings import Settings  # noqa: PLC0415

    return is_cached(get_law(name), table, Settings(draws=sampling.draws, random_seed=sampling.seed))

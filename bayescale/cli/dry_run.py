"""``--dry-run``: what a long command would do, how much of it the cache holds, and about how long the rest takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bayescale.cli.options import Printing, Refitting, Sampling
from bayescale.cli.output import emit
from bayescale.cli.stages import Stages
from bayescale.cli.steps import about, laws_of, waiting_laws
from bayescale.cli.tables import make_table, show_hanging, show_heading, show_list, show_table
from bayescale.cli.timings import seconds_each

if TYPE_CHECKING:
    from bayescale.laws import Law
    from bayescale.runs import RunTable


EXACT_REFITS = "not counted: exact refits, at most 20 of each law, where PSIS fails for single runs"


@dataclass(frozen=True)
class Work:
    """Posteriors of some laws to sample: what for, the name of their timing, and of each law all and those known."""

    what: str
    timing: str
    laws: Mapping[str, tuple[int, int]]

    @property
    def waiting(self) -> dict[str, int]:
        """How many are to be sampled of each law of which some are."""
        return {law: count - known for law, (count, known) in self.laws.items() if count > known}

    @property
    def seconds(self) -> float | None:
        """About how long it takes by what such work took here last; None where it was never done."""
        count = sum(self.waiting.values())
        each = seconds_each(self.timing)
        return 0.0 if not count else None if each is None else count * each


def fits_of(table: "RunTable", laws: "Sequence[str | Law]", sampling: Sampling) -> Work:
    """Return the fits of laws to all runs."""
    from bayescale.laws import get_law  # noqa: PLC0415  (NumPy, which --help does not need)

    waiting = waiting_laws(table, laws, sampling)
    return Work("all runs", "fit", {get_law(law).name: (1, int(law not in waiting)) for law in laws})


def fits_record(table: "RunTable", names: Sequence[str], sampling: Sampling, defaults: Sequence[str]) -> dict[str, Any]:
    """Return which fits a decision would need, as plain data."""
    notes = [EXACT_REFITS] if len(names) > 1 else []
    return work_record(table, [fits_of(table, names, sampling)], defaults, notes)


def refits_of(table: "RunTable", names: Sequence[str], by: str, sampling: Sampling) -> Work:
    """Return the refits of a cross-validation."""
    import bayescale as bs  # noqa: PLC0415  (as below)
    from bayescale.comparison.cross_validation import planned_refits  # noqa: PLC0415  (ArviZ)

    laws = laws_of(names, sampling)
    waiting = waiting_laws(table, names, sampling)
    there = [law for law in laws if law.name not in waiting]
    fits = bs.fit_laws(table, there, draws=sampling.draws, random_seed=sampling.seed) if there else {}
    planned = planned_refits(table, laws, by, fits=fits, random_seed=sampling.seed, cache=not sampling.no_cache)
    return Work(f"without runs, by {by}", f"refit by {by}", planned)


def folds_of(
    table: "RunTable", names: Sequence[str], by: str, thresholds: Sequence[float] | None, refitting: Refitting
) -> Work:
    """Return the folds of a backtest."""
    from bayescale.forecasts.backtesting import planned_folds  # noqa: PLC0415  (ArviZ, which --help does not need)

    planned = planned_folds(
        table,
        laws_of(names, refitting),
        by=by,
        thresholds=thresholds,
        random_seed=refitting.seed,
        cache=not refitting.no_cache,
    )
    return Work(f"runs held out by {by}", f"fold by {by}", planned)


def size_folds_of(table: "RunTable", names: Sequence[str], refitting: Refitting) -> Work:
    """Return the folds of a backtest of best sizes."""
    from bayescale.decisions.size_backtesting import planned_size_folds  # noqa: PLC0415  (ArviZ, as above)

    planned = planned_size_folds(
        table, laws_of(names, refitting), random_seed=refitting.seed, cache=not refitting.no_cache
    )
    return Work("slices held out", "fold by slices", planned)


def work_record(
    table: "RunTable", work: Sequence[Work], defaults: Sequence[str], notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what would be done with a table of runs, as plain data."""
    return work_of(about(table), work, defaults, notes)


def work_of(
    described: Mapping[str, Any], work: Sequence[Work], defaults: Sequence[str], notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what would be done with a table that is described by its name, rows and response, as plain data."""
    seconds = [each.seconds for each in work]
    return {
        "schema": "bayescale/dry-run/1",
        "runs": dict(described),
        "work": [
            {"what": each.what, "law": law, "posteriors": count, "cached": known}
            for each in work
            for law, (count, known) in each.laws.items()
        ],
        "to_sample": sum(sum(each.waiting.values()) for each in work),
        "compilations": sum(len(each.waiting) for each in work),
        "seconds": None if None in seconds else sum(second or 0.0 for second in seconds),
        "notes": list(notes),
        "defaults": list(defaults),
    }


def emit_work(record: Mapping[str, Any], printing: Printing, say: Stages) -> int:
    """Print what would be done where the line of progress was, and return the exit status."""
    say.hide()
    return emit(record, show_work, printing)


def show_work(console: Console, record: Mapping[str, Any]) -> None:
    """Print what would be done."""
    show_heading(console, record)
    table = make_table("law", "fitted to", "posteriors", "in the cache", "to sample", wide=("fitted to",))
    for each in record["work"]:
        left = each["posteriors"] - each["cached"]
        table.add_row(each["law"], each["what"], str(each["posteriors"]), str(each["cached"]), str(left))
    show_table(console, table)
    show_hanging(console, _sentence(record), "")
    show_list(console, "Notes", record["notes"])


def _duration(seconds: float) -> str:
    """Return a rough time in words."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _sentence(record: Mapping[str, Any]) -> str:
    if not record["to_sample"]:
        return "All of it is in the cache: nothing is to be compiled or sampled."
    seconds = record["seconds"]
    time = (
        "how long that takes is not known, as such work was not done here yet"
        if seconds is None
        else f"about {_duration(seconds)} if it goes as it went here last"
    )
    models, posteriors = record["compilations"], record["to_sample"]
    return (
        f"{posteriors} posterior{'s' * (posteriors != 1)} to sample, with at most {models} "
        f"model{'s' * (models != 1)} to compile: {time}. Nothing was done."
    )

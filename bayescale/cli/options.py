"""What can be asked for on the command line, and how it is read."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from bayescale.cli.completion import complete_law, complete_laws, complete_runs
from bayescale.hardware import read_amount

_TABLE = Group.create_ordered("Reading the table")
_FITTING = Group.create_ordered("Fitting")
_RESULT = Group.create_ordered("Result")


class UsageError(Exception):
    """Options that contradict each other."""


def check_file(path: Path) -> None:
    """Raise ValueError for what cannot become a file, before anything is computed."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file")
    if path.exists() and not path.is_file():  # such as /dev/null, which a file would take the place of
        raise ValueError(f"{path} is no file of its own; results go to stdout without --output")
    check_folder(path.parent)


def check_folder(path: Path) -> None:
    """Raise ValueError for a folder that cannot be there, or in which nothing can be written."""
    nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise ValueError(f"{nearest} is a file, not a folder")
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise ValueError(f"nothing can be written in {nearest} ({error.strerror})") from error


def _check_file(_: object, path: Path | None) -> None:
    if path is not None:
        check_file(path)


def _check_page(_: object, path: Path | None) -> None:
    """Refuse what the numbers beside the page are called."""
    _check_file(_, path)
    if path is not None and path.suffix == ".json":
        raise ValueError(f"the report's numbers go to {path}; name the page {path.with_suffix('.html')}")


def _check_saved(_: object, path: Path | None) -> None:
    if path is not None:
        (check_file if path.suffix == ".nc" else check_folder)(path)


def parse_columns(text: str | None) -> dict[str, str] | None:
    """Read ``N=model_size,loss=val/loss``.

    Raises
    ------
    ValueError
        If a part has no equals sign or an empty side, or a name comes twice.
    """
    if text is None:
        return None
    columns: dict[str, str] = {}
    for part in text.split(","):
        name, equals, header = (piece.strip() for piece in part.partition("="))
        if not (name and equals and header):
            raise ValueError(f"expected NAME=HEADER pairs such as N=model_size,loss=val_loss; found {part!r}")
        if name in columns:
            raise ValueError(f"{name} is mapped twice, to {columns[name]!r} and {header!r}")
        columns[name] = header
    return columns


def parse_laws(text: str) -> list[str]:
    """Read ``compute_floor,chinchilla``.

    Raises
    ------
    ValueError
        If a law is unknown or named twice.
    """
    from bayescale.laws import get_law  # noqa: PLC0415  (NumPy, which --help does not need)

    names = [get_law(name.strip()).name for name in text.split(",")]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"expected each law once; found {', '.join(twice)} twice")
    return names


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


def parse_thresholds(text: str) -> list[float]:
    """Read ``0.2,10``.

    Raises
    ------
    ValueError
        If a part is no number, or neither a part of the runs nor a factor.
    """
    try:
        thresholds = [float(part) for part in text.split(",")]
    except ValueError:
        thresholds = []
    if not thresholds or not all(0 < value < 1 or 1 < value < math.inf for value in thresholds):
        raise ValueError(f"expected parts of the runs below 1 or factors above 1, such as 0.2,10; found {text}")
    if len(set(thresholds)) < len(thresholds):
        raise ValueError(f"expected each threshold once; found {text}")
    return thresholds


def _check_thresholds(_: object, text: str | None) -> None:
    if text is not None:
        parse_thresholds(text)


def _check_criteria(_: object, asked: tuple[str, ...]) -> None:
    if asked:
        parse_criteria(asked)


def _check_columns(_: object, text: str | None) -> None:
    parse_columns(text)


def _check_laws(_: object, text: str | None) -> None:
    if text is not None:
        parse_laws(text)


def _check_law(_: object, name: str | None) -> None:
    if name is not None and len(parse_laws(name)) > 1:
        raise ValueError("expected one law")


def _check_budgets(_: object, budgets: tuple[str, ...]) -> None:
    for budget in budgets:
        read_amount(budget)


def _check_part(_: object, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"expected a number between 0 and 1; found {value:g}")


def _at_least(smallest: int) -> Parameter:
    def check(_: object, value: int) -> None:
        if value < smallest:
            raise ValueError(f"expected a whole number of at least {smallest}; found {value}")

    return Parameter(validator=check, metavar="INT")


@Parameter(name="*", group=_TABLE)
@dataclass(frozen=True)
class Reading:
    """How to read the table of runs."""

    map: Annotated[str | None, Parameter(validator=_check_columns, metavar="N=HEADER,...")] = None
    """Columns whose headers are not the usual ones, such as N=model_size,loss=val_loss."""

    where: Annotated[str | None, Parameter(metavar="CONDITION")] = None
    """Keep only the runs for which this holds, such as "10 <= D / N <= 40"."""

    response: Annotated[str | None, Parameter(metavar="loss|bpc|error|gain")] = None
    """The response, where a file has several."""

    unit: Annotated[str | None, Parameter(metavar="UNIT")] = None
    """Unit of the response, such as "bits per token"."""

    needs: Annotated[str | None, Parameter(metavar="COLUMN,...")] = None
    """Columns that must be there and vary: N,D unless the laws use others, such as D for learning curves."""

    @property
    def needed(self) -> list[str] | None:
        """The columns that must be there."""
        return [name.strip() for name in self.needs.split(",")] if self.needs else None

    @property
    def columns(self) -> dict[str, str] | None:
        """The mapping of columns."""
        return parse_columns(self.map)


@Parameter(name="*", group=_FITTING)
@dataclass(frozen=True)
class Sampling:
    """How to sample the posteriors."""

    seed: Annotated[int, _at_least(0), Parameter(show_default=True)] = 0
    """Seed; the same seed, table, laws and versions give the same numbers."""

    draws: Annotated[int, _at_least(1), Parameter(show_default=True)] = 1000
    """Kept draws of each of the 4 chains."""

    no_cache: bool = False
    """Neither read fits from the cache nor keep them there."""


@Parameter(name="*", group=_FITTING)
@dataclass(frozen=True)
class Refitting:
    """How to refit laws by the dozen."""

    seed: Annotated[int, _at_least(0), Parameter(show_default=True)] = 0
    """Seed; the same seed, table, laws and versions give the same numbers."""

    no_cache: bool = False
    """Neither read results from the cache nor keep them there."""


@Parameter(name="*", group=_RESULT)
@dataclass(frozen=True)
class Printing:
    """How to print the result."""

    json: bool = False
    """Print the result as JSON, and nothing else, on stdout."""

    quiet: bool = False
    """Show no progress on stderr."""


@Parameter(name="*", group=_RESULT)
@dataclass(frozen=True)
class Watching(Printing):
    """How to print the result of long work, and what to tell of the work."""

    verbose: bool = False
    """Tell on stderr what was done, and how many seconds each stage took."""

    def __post_init__(self) -> None:
        """Refuse to be silent and to tell more at once."""
        if self.quiet and self.verbose:
            raise UsageError("--quiet tells nothing and --verbose more; choose one of them")


READING = Reading()
SAMPLING = Sampling()
REFITTING = Refitting()
PRINTING = Printing()
WATCHING = Watching()

_LAWS_HELP = (
    "Laws, separated by commas. By default, for a loss: compute_power, compute_floor, tilt, kaplan_nd, chinchilla; for "
    "bits per character: guo_compute, compute_floor, tilt, kaplan_n, chinchilla."
)

Runs = Annotated[
    str,
    Parameter(
        help="A file (CSV, TSV, JSON Lines, Parquet), or a name that `bayescale data` lists.", completer=complete_runs
    ),
]
Laws = Annotated[
    str | None,
    Parameter(
        help=_LAWS_HELP,
        metavar="LAW,...",
        validator=_check_laws,
        completer=complete_laws,
        group=_FITTING,
        show_default=False,
    ),
]
FittedLaws = Annotated[Laws, Parameter(name=["--laws", "--law"])]
OneLaw = Annotated[
    str | None,
    Parameter(
        help="Split budgets by this law alone, instead of averaging the laws by their stacking weights.",
        metavar="LAW",
        validator=_check_law,
        completer=complete_law,
        group=_FITTING,
    ),
]
Budgets = Annotated[
    tuple[str, ...],
    Parameter(
        name="--budget",
        help="Compute budget in FLOP, such as 5.76e23, or with --hardware in its hours or in money: 1000h, '$50000', "
        "50000usd; repeat it for several. By default 1, 10 and 100 times the largest run of the table.",
        metavar="FLOP|HOURS|MONEY",
        validator=_check_budgets,
        group=_RESULT,
    ),
]
Criteria = Annotated[
    tuple[str, ...],
    Parameter(
        name="--by",
        help="Compare the laws as well with groups of runs left out, and every law refitted without them: budget, "
        "family, training_run, largest (the largest fifth by C: extrapolation) or random (10 folds). Separate several "
        "by commas, or repeat it.",
        metavar="GROUPS,...",
        validator=_check_criteria,
        group=_RESULT,
    ),
]
HeldOut = Annotated[
    Literal["C", "N", "D", "budget", "family"],
    Parameter(
        name="--by",
        help="What is held out: the largest runs by C, N or D; each budget, forecast from the smaller ones; or each "
        "family, forecast from the others.",
        show_default=True,
        group=_FITTING,
    ),
]
Thresholds = Annotated[
    str | None,
    Parameter(
        help="How much is held out by C, N or D: parts of the runs below 1, or factors above 1 by which the training "
        "runs fall short of the largest. By default 0.2,0.4,10,30.",
        metavar="T,...",
        validator=_check_thresholds,
        group=_FITTING,
    ),
]
Probability = Annotated[
    float,
    Parameter(help="Of the credible intervals.", metavar="P", validator=_check_part, show_default=True, group=_RESULT),
]
Tolerance = Annotated[
    float,
    Parameter(
        help="Extra compute for the same loss that counts as little: 0.05 is 5 %.",
        metavar="PART",
        validator=_check_part,
        show_default=True,
        group=_RESULT,
    ),
]
Strict = Annotated[
    bool, Parameter(help="End with status 4 where diagnostics leave doubt; results are still printed.", group=_RESULT)
]
DryRun = Annotated[
    bool,
    Parameter(help="Tell what would be fitted, and how much of it the cache holds, and do none of it.", group=_RESULT),
]
JsonFile = Annotated[
    Path | None,
    Parameter(
        help="Also write the result to this file, as JSON.", metavar="PATH", validator=_check_file, group=_RESULT
    ),
]
SavedFits = Annotated[
    Path | None,
    Parameter(
        name="--output",
        help="Save the fits here: a folder, which gets LAW.nc for each law, or for one law a file that ends in .nc. "
        "load_fit() and ArviZ read them. By default they are only kept in the cache.",
        metavar="PATH",
        validator=_check_saved,
        group=_RESULT,
    ),
]
ReportFile = Annotated[
    Path | None,
    Parameter(
        help="The report: one HTML file, or Markdown (.md) or PDF (.pdf) by its name, with its numbers as JSON of the "
        "same name beside it; by default RUNS-report.html in this folder.",
        metavar="PATH",
        validator=_check_page,
        group=_RESULT,
    ),
]
NoSeed = Annotated[int, Parameter(name="--seed", show=False)]
"""Every command takes a seed, so that one set of options serves all; these three draw nothing."""
Picture = Annotated[
    Path | None,
    Parameter(
        name="--figure",
        help="Write a picture of what the law's prior expects to this file (.svg, .png or .pdf).",
        metavar="FILE",
        validator=_check_file,
        group=_RESULT,
    ),
]
LawName = Annotated[
    str | None, Parameter(help="A law to tell all about.", validator=_check_law, completer=complete_law)
]
CommandLine = Annotated[str, Parameter(parse=False)]

"""What can be asked for on the command line, and how it is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from bayescale import checks
from bayescale.cli.completion import complete_laws, complete_runs
from bayescale.cli.parsing import (
    UsageError,
    parse_columns,
    parse_laws,
    parse_priors,
    plausible_flops,
    validate,
    validate_file,
)
from bayescale.hardware import read_amount

STDIN = "-"
"""RUNS that are read from standard input."""

_TABLE = Group.create_ordered("Reading the table")
FITTING = Group.create_ordered("Fitting")
RESULT = Group.create_ordered("Result")


def _check_columns(_: object, text: str | None) -> None:
    parse_columns(text)


def _check_laws(_: object, text: str | None) -> None:
    if text is not None:
        parse_laws(text)


def check_law(_: object, name: str | None) -> None:
    """Refuse several laws where one is meant."""
    if name is not None and len(parse_laws(name)) > 1:
        raise ValueError("expected one law")


def check_budgets(_: object, budgets: tuple[str, ...]) -> None:
    """Raise ValueError unless each budget is an amount, and plausible where it is in FLOP."""
    for budget in budgets:
        amount = read_amount(budget)
        if amount.unit == "flops":
            plausible_flops(amount.value, budget)


def _check_runs(_: object, name: str) -> None:
    if not name:
        raise ValueError("this is no name; expected a file, a name that `bayescale data` lists, or -")
    if name.startswith("-") and name != STDIN:
        raise ValueError("this is no option here; expected a file, a name that `bayescale data` lists, or -")


def _check_probability(_: object, value: float) -> None:
    validate(lambda: checks.probability(value))


def _check_tolerance(_: object, value: float) -> None:
    validate(lambda: checks.tolerance(value))


def _check_priors(_: object, texts: tuple[str, ...]) -> None:
    if texts:
        parse_priors(texts)


def _check_workers(_: object, address: str | None) -> None:
    if address is not None and "://" not in address:
        raise ValueError(f"expected the address of a dask scheduler, such as tcp://10.0.0.1:8786; found {address}")


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
    """Columns whose headers are not the usual ones, such as N=model_size,loss=val_loss; or products of headers and
    numbers, such as "N=Size (M) * 1e6", "D=steps*batch" or D=C/6N."""

    ignore: Annotated[str | None, Parameter(metavar="HEADER,...")] = None
    """Headers to read the table without."""

    where: Annotated[str | None, Parameter(metavar="CONDITION")] = None
    """Keep only the runs for which this holds, such as "10 <= D / N <= 40"; the others are not checked."""

    drop_unfinished: bool = False
    """Leave out runs that did not finish by their own column of status, or have no value of the response."""

    drop_duplicates: bool = False
    """Keep one of each set of rows that are the same run."""

    last_of: Annotated[str | None, Parameter(metavar="COLUMN")] = None
    """Keep the last row of each value of this column, such as training_run."""

    best_of: Annotated[str | None, Parameter(metavar="COLUMN,...")] = None
    """Keep the best row for each combination of these columns, such as N,D."""

    response: Annotated[str | None, Parameter(metavar="loss|bpc|error|gain")] = None
    """The response, where a file has several."""

    unit: Annotated[str | None, Parameter(metavar="UNIT")] = None
    """Unit of the response, such as "bits per token"; of a perplexity the loss is the logarithm."""

    needs: Annotated[str | None, Parameter(metavar="COLUMN,...")] = None
    """Columns that must be there and vary: N,D unless the laws use others, such as D for learning curves."""

    @property
    def needed(self) -> list[str] | None:
        """The columns that must be there."""
        return _names(self.needs)

    @property
    def columns(self) -> dict[str, str] | None:
        """The mapping of columns."""
        return parse_columns(self.map)

    @property
    def rows(self) -> dict[str, Any]:
        """Which headers and rows to leave out, where any of it was asked for."""
        dropped = {"unfinished": self.drop_unfinished, "duplicates": self.drop_duplicates}
        asked = {
            "ignore": _names(self.ignore),
            "drop": [name for name, wanted in dropped.items() if wanted],
            "last_of": self.last_of,
            "best_of": _names(self.best_of),
        }
        return {name: value for name, value in asked.items() if value}


def _names(text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",")] if text else None


GivenPriors = Annotated[
    tuple[str, ...],
    Parameter(
        name="--prior",
        help='A prior of your own, by PyMC\'s name, such as "alpha=Normal(0.34, 0.05)"; E=Share(4) for a part of the '
        "loss; repeat it for several. It goes to each law that has the parameter; LAW.alpha=... to one.",
        metavar="PARAMETER=PRIOR",
        validator=_check_priors,
    ),
]


@Parameter(name="*", group=FITTING)
@dataclass(frozen=True)
class Refitting:
    """How to refit laws by the dozen."""

    seed: Annotated[int, _at_least(0), Parameter(show_default=True)] = 0
    """Seed; the same seed, table, laws and versions give the same numbers."""

    no_cache: bool = False
    """Neither read results from the cache nor keep them there."""

    prior: GivenPriors = ()

    workers: Annotated[str | None, Parameter(metavar="ADDRESS", validator=_check_workers)] = None
    """Send laws and folds to the workers of a dask cluster: the address of its scheduler, such as
    tcp://10.0.0.1:8786. Numbers are the same as on this machine."""

    @property
    def priors(self) -> dict[str, str] | None:
        """The priors given by hand, by parameter."""
        return parse_priors(self.prior) if self.prior else None


@Parameter(name="*", group=FITTING)
@dataclass(frozen=True)
class Sampling(Refitting):
    """How to sample the posteriors."""

    draws: Annotated[int, _at_least(1), Parameter(show_default=True)] = 1000
    """Kept draws of each of the 4 chains."""


@Parameter(name="*", group=RESULT)
@dataclass(frozen=True)
class Printing:
    """How to print the result."""

    json: bool = False
    """Print the result as JSON, and nothing else, on stdout."""

    quiet: Annotated[bool, Parameter(alias="-q")] = False
    """Show no progress on stderr."""


@Parameter(name="*", group=RESULT)
@dataclass(frozen=True)
class Watching(Printing):
    """How to print the result of long work, and what to say of the work."""

    verbose: Annotated[bool, Parameter(alias="-v")] = False
    """Say on stderr what was done and how many seconds each stage took, and explain the columns of tables."""

    strict: bool = False
    """End with status 4 where diagnostics leave doubt; results are still printed."""

    dry_run: bool = False
    """Show what would be fitted, and how much of it the cache holds, and do none of it."""

    def __post_init__(self) -> None:
        """Refuse to be silent and to tell more at once."""
        if self.quiet and self.verbose:
            raise UsageError("--quiet prints less and --verbose more; choose one of them")


def expect_no_workers(sampling: Sampling, command: str) -> None:
    """Refuse workers where one model is sampled, which cannot be shared out.

    Raises
    ------
    UsageError
        If they are asked for.
    """
    if sampling.workers is not None:
        raise UsageError(f"--workers: {command} samples one model, which stays on this machine; leave it out")


READING = Reading()
SAMPLING = Sampling()
REFITTING = Refitting()
PRINTING = Printing()
WATCHING = Watching()

_LAWS_HELP = (
    "Laws, separated by commas; decisions are made by one alone, or averaged over several. By default, for a loss: "
    "compute_power, compute_floor, tilt, kaplan_nd, chinchilla; for bits per character: guo_compute, compute_floor, "
    "tilt, kaplan_n, chinchilla."
)

Runs = Annotated[
    str,
    Parameter(
        help="A file (CSV, TSV, JSON Lines, Parquet), - for standard input, or a name that `bayescale data` lists.",
        completer=complete_runs,
        allow_leading_hyphen=True,  # of - itself
        validator=_check_runs,
    ),
]
Laws = Annotated[
    str | None,
    Parameter(
        name=["--laws", "--law"],
        help=_LAWS_HELP,
        metavar="LAW,...",
        validator=_check_laws,
        completer=complete_laws,
        group=FITTING,
        show_default=False,
    ),
]
Budgets = Annotated[
    tuple[str, ...],
    Parameter(
        name="--budget",
        help="Compute budget in FLOP, such as 5.76e23, or with --hardware in its hours or in money: 1000h, '$50000', "
        "50000usd; repeat it for several. By default 1, 10 and 100 times the largest run of the table.",
        metavar="FLOP|HOURS|MONEY",
        validator=check_budgets,
        group=RESULT,
    ),
]


Probability = Annotated[
    float,
    Parameter(
        help="Of the credible intervals.", metavar="P", validator=_check_probability, show_default=True, group=RESULT
    ),
]
Tolerance = Annotated[
    float,
    Parameter(
        help="Extra compute for the same loss that counts as little: 0.05 is 5%.",
        metavar="PART",
        validator=_check_tolerance,
        show_default=True,
        group=RESULT,
    ),
]
JsonFile = Annotated[
    Path | None,
    Parameter(
        alias="-o",
        help="Also write the result to this file, as JSON.",
        metavar="PATH",
        validator=validate_file,
        group=RESULT,
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
        validator=validate_file,
        group=RESULT,
    ),
]
Figure = Annotated[Picture, Parameter(help="Draw it in this file (.svg, .png or .pdf).")]

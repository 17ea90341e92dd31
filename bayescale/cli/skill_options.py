"""Options of ``bayescale skills``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from bayescale.cli.options import FITTING, RESULT, Budgets, Runs
from bayescale.cli.parsing import parse_columns, validate_file


def _check_numbers(_: object, text: str | None) -> None:
    parse_numbers(text)


def parse_numbers(text: str | None) -> dict[str, float]:
    """Read ``GPQA=0.25,MATH=0``.

    Raises
    ------
    ValueError
        If a part has no equals sign, or what follows is no number between 0 and 1.
    """
    found = {}
    for name, value in (parse_columns(text) or {}).items():
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = -1.0
        if not 0 <= found[name] < 1:
            raise ValueError(f"expected the score of guessing, such as {name}=0.25; found {name}={value}")
    return found


def _check_columns(_: object, text: str | None) -> None:
    parse_columns(text)


def _check_threshold(_: object, value: float | None) -> None:
    if value is not None and not 0 < value < 1:
        raise ValueError(f"expected a score between 0 and 1, such as 0.5; found {value}")


@Parameter(name="*", group=Group.create_ordered("Reading the scores"))
@dataclass(frozen=True)
class ReadingScores:
    """How to read the table of scores."""

    map: Annotated[str | None, Parameter(validator=_check_columns, metavar="C=HEADER,...")] = None
    """Columns whose headers are not the usual ones, such as run=name,C="compute * 1e21"; or scores in per cent, such
    as "BLEU=BLEU / 100"."""

    ignore: Annotated[str | None, Parameter(metavar="HEADER,...")] = None
    """Headers to read the table without."""

    chance: Annotated[str | None, Parameter(validator=_check_numbers, metavar="RESPONSE=SCORE,...")] = None
    """Score of guessing for each benchmark that is not known by its name."""


READING_SCORES = ReadingScores()


@Parameter(name="*", group=FITTING)
@dataclass(frozen=True)
class FurtherParts:
    """What the law of the forecast has besides."""

    second: Annotated[str | None, Parameter(metavar="RESPONSE,...", negative=())] = None
    """Three or more responses with a second skill in common, such as those of code and mathematics."""

    publication: Annotated[bool, Parameter(negative=())] = False
    """Let gains of families go with their compute, to see what forecasts owe to what is published."""


FURTHER_PARTS = FurtherParts()

By = Annotated[
    Literal["model", "family", "largest", "date", "cell", "response"],
    Parameter(
        help="What is left out to compare laws: all scores of some models, families, the largest or the latest models; "
        "single scores; or --target of the largest models, from their other scores.",
        show_default=True,
        group=FITTING,
    ),
]
Cutoff = Annotated[
    str | None,
    Parameter(
        help="Compute in FLOP above which models are left out, or the first date; by default that of the last third.",
        metavar="FLOP|DATE",
        group=FITTING,
    ),
]
SkillLaws = Annotated[
    str | None,
    Parameter(
        name=["--laws", "--law"],
        help="Laws of skill, separated by commas; forecasts are of the first. With one, nothing is compared. By "
        "default family_benchmark, compared with all others.",
        metavar="LAW,...",
        group=FITTING,
    ),
]
Target = Annotated[
    str | None, Parameter(help="The response to forecast; by default all.", metavar="RESPONSE", group=RESULT)
]
Family = Annotated[
    str | None,
    Parameter(help="Family of the model to forecast; by default a new one.", metavar="NAME", group=RESULT),
]
Run = Annotated[
    str | None,
    Parameter(
        help="A model of the table to forecast from the scores that it has, in place of family and budget.",
        metavar="NAME",
        group=RESULT,
    ),
]
Threshold = Annotated[
    float | None,
    Parameter(
        help="Score to pass: gives the probability of it, and the compute at which it is 0.5 and 0.9.",
        metavar="SCORE",
        validator=_check_threshold,
        group=RESULT,
    ),
]
SkillBudgets = Annotated[
    Budgets,
    Parameter(
        help="Training compute of the model to forecast, in FLOP; repeat it for several. By default 1 and 10 times the "
        "largest model of the family.",
        metavar="FLOP",
    ),
]
Scores = Annotated[
    Runs,
    Parameter(
        help="A file of scores (CSV, TSV, JSON Lines, Parquet), - for standard input, or obsscaling, llm-skills-v1, "
        "llm-skills-v2 or sloth, once `bayescale data get` has fetched it."
    ),
]
PageOrJson = Annotated[
    Path | None,
    Parameter(
        alias="-o",
        help="Also write the result to this file: as JSON, or as one page where its name ends in .html, with its JSON "
        "beside it.",
        metavar="PATH",
        validator=validate_file,
        group=RESULT,
    ),
]

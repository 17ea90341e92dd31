"""``bayescale skills``: what models of a family would score, and which law of skill forecasts scores best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter
from rich.console import Console
from rich.text import Text

import bayescale as bs
from bayescale.cli.dry_run import Work, emit_work, work_of
from bayescale.cli.options import (
    FITTING,
    RESULT,
    SAMPLING,
    WATCHING,
    Budgets,
    JsonFile,
    Probability,
    Runs,
    Sampling,
    Watching,
)
from bayescale.cli.output import emit
from bayescale.cli.parsing import UsageError, parse_columns
from bayescale.cli.stages import Stages, progress
from bayescale.cli.steps import check_cache, source_of
from bayescale.cli.tables import interval, make_table, number, show_end, show_hanging, show_table
from bayescale.cli.timings import keep_timing
from bayescale.hardware import read_budgets
from bayescale.words import chance, nats, short, typed

if TYPE_CHECKING:
    from bayescale.skills import ScoreTable, SkillComparison, SkillFit


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


def skills(
    scores: Scores,
    /,
    *,
    by: By = "model",
    cutoff: Cutoff = None,
    target: Target = None,
    budgets: SkillBudgets = (),
    family: Family = None,
    threshold: Threshold = None,
    laws: SkillLaws = None,
    reading: ReadingScores = READING_SCORES,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    output: JsonFile = None,
    printing: Watching = WATCHING,
) -> int:
    """Fit skills of public models to their scores, and forecast what a model of a family would score."""
    if by == "response" and target is None:
        raise UsageError("--by response leaves out one response; name it with --target")
    with progress(printing) as say:
        from bayescale.records.skills import skills_record  # noqa: PLC0415  (ArviZ, which --help does not need)

        names = [name.strip() for name in laws.split(",")] if laws else ["family_benchmark", *_others()]
        table = _read(scores, reading, say)
        _check_names(table, family, target)
        options = {"by": by, "cutoff": cutoff, "target": target if by == "response" else None}
        flops = read_budgets(budgets) if budgets else None
        if printing.dry_run:
            return emit_work(_work(table, names, options, sampling), printing, say)
        if not sampling.no_cache:
            check_cache()
        fitted = _fit(table, names, sampling, say)
        comparison = _compare(table, names, options, sampling, say) if len(names) > 1 else None
        verdict = _judged(comparison, fitted, probability)
        forecast = bs.skills.forecast_scores(
            fitted,
            family=family,
            flops=flops,
            responses=None if target is None else [target],
            threshold=threshold,
            probability=probability,
            random_seed=sampling.seed,
        )
        defaults = [] if budgets else ["budgets: 1 and 10 times the largest model (default)"]
        record = skills_record(fitted, comparison, verdict, [forecast], probability=probability, defaults=defaults)
    return emit(record, show, printing, output=output)


def _others() -> list[str]:
    return [name for name in bs.skills.SKILL_LAWS if name != "family_benchmark"]


def _read(scores: str, reading: ReadingScores, say: Stages) -> "ScoreTable":
    say("reading the scores")
    if scores in bs.skills.SCORE_TABLES and not Path(scores).exists():
        return bs.skills.load_scores(scores)
    with source_of(scores) as path:
        return bs.skills.read_scores(
            path,
            columns=parse_columns(reading.map),
            chance=parse_numbers(reading.chance),
            ignore=[name.strip() for name in reading.ignore.split(",")] if reading.ignore else (),
        )


def _check_names(table: "ScoreTable", family: str | None, target: str | None) -> None:
    """Refuse a family or response that is not there before anything is sampled."""
    for what, asked, names in (("family", family, table.families), ("response", target, table.names)):
        if asked is not None and asked not in names:
            raise bs.InputError(f"there is no {what} {asked!r} in {table.name}; found {', '.join(names)}")


def _given(law: str, names: Sequence[str], sampling: Sampling) -> dict[str, str]:
    """Return the priors by hand for the parameters that a law has, and those that none of the laws has."""
    own = {name: set(bs.skills.SKILL_LAWS[name].priors) for name in names if name in bs.skills.SKILL_LAWS}
    others = set().union(*own.values()) - own.get(law, set())
    return {key: prior for key, prior in (sampling.priors or {}).items() if "." in key or key not in others}


def _fit(table: "ScoreTable", names: Sequence[str], sampling: Sampling, say: Stages) -> "SkillFit":
    say(f"compiling and sampling law {names[0]}")
    return bs.skills.fit_skills(
        table,
        names[0],
        priors=_given(names[0], names, sampling),
        draws=sampling.draws,
        random_seed=sampling.seed,
        cache=not sampling.no_cache,
        progress=False,
    )


def _compare(
    table: "ScoreTable", names: Sequence[str], options: Mapping[str, Any], sampling: Sampling, say: Stages
) -> "SkillComparison":
    say(f"refitting {len(names)} laws by {options['by']}")

    def show(name: str, done: int, of: int) -> None:
        say.count(names.index(name) * of + done, of * len(names))

    found = bs.skills.compare_skills(
        table,
        names,
        **options,
        priors=sampling.priors,
        random_seed=sampling.seed,
        cache=not sampling.no_cache,
        progress=show,
    )
    keep_timing(f"scores by {options['by']}", say.seconds_each)
    return found


def _judged(comparison: "SkillComparison | None", fitted: "SkillFit", probability: float) -> Any:  # noqa: ANN401
    """Return the verdict where the laws compared allow one."""
    if comparison is None or not fitted.law.gain or "compute" not in set(comparison.table["law"]):
        return None
    return bs.skills.judge_skills(comparison, fitted, probability=probability)


def _work(table: "ScoreTable", names: Sequence[str], options: Mapping[str, Any], sampling: Sampling) -> dict[str, Any]:
    """Return what would be fitted as plain data."""
    from bayescale.fits.settings import Settings  # noqa: PLC0415  (as above)
    from bayescale.skills.comparison import planned_refits  # noqa: PLC0415
    from bayescale.skills.fitting import cache_path  # noqa: PLC0415
    from bayescale.skills.laws import skill_law  # noqa: PLC0415

    settings = Settings(draws=sampling.draws, tune=700, random_seed=sampling.seed)
    path = cache_path(skill_law(names[0], _given(names[0], names, sampling)), table, settings)
    known = path.exists() and not sampling.no_cache
    work = [Work("all scores", "fit of skills", {names[0]: (1, int(known))})]
    if len(names) > 1:
        planned = planned_refits(
            table, names, **options, priors=sampling.priors, random_seed=sampling.seed, cache=not sampling.no_cache
        )
        work.append(Work(f"without scores, by {options['by']}", f"scores by {options['by']}", planned))
    about = {"name": table.name, "rows": len(table.models), "response": ", ".join(table.names)}
    return work_of(about, work, [])


def show(console: Console, record: Mapping[str, Any]) -> None:
    """Print the verdict, the laws, the families and the forecasts."""
    about = record["scores"]
    console.print(
        Text(
            f"{about['name']}: {about['scores']} scores of {about['models']} models of {about['families']} families on "
            f"{about['responses']} responses",
            style="bold",
        )
    )
    for sentence in record["defaults"]:
        show_hanging(console, sentence, "")
    if record["verdict"]:
        show_hanging(console, record["verdict"]["statement"], "", "bold")
        for reason in record["verdict"]["reasons"]:
            show_hanging(console, reason, "- ")
    _show_laws(console, record)
    _show_families(console, record)
    _show_forecasts(console, record)
    show_end(console, record)


def _show_laws(console: Console, record: Mapping[str, Any]) -> None:
    if not record["laws"]:
        return
    table = make_table("law", "elpd", "difference", "s.e.", "held by 90%", "mean error", title="Scores left out")
    for row in record["laws"]:
        numbers = [nats(row[name]) for name in ("elpd", "elpd_diff", "dse")]
        table.add_row(row["name"], *numbers, f"{row['coverage_90']:.0%}", number(row["mean_error"], 2))
    show_table(console, table)


def _show_families(console: Console, record: Mapping[str, Any]) -> None:
    if not record["families"]:
        return
    table = make_table("family", "models", "compute multiplier", title="Families, over the average one")
    for row in record["families"]:
        table.add_row(row["family"], str(row["models"]), interval(row["multiplier"]))
    show_table(console, table)


def _show_forecasts(console: Console, record: Mapping[str, Any]) -> None:
    table = make_table("family", "FLOP", "response", "score", "passes", title="Forecasts", wide=("response",))
    for row in record["forecasts"]:
        passes = "" if row["probability"] is None else chance(row["probability"])
        table.add_row(row["family"], typed(row["flops"]), row["response"], interval(row["score"]), passes)
    show_table(console, table)
    for row in record["needed"]:
        parts = [
            f"{short(value)} FLOP with probability {each}" if value else f"at no compute looked at with {each}"
            for each, value in row["flops"].items()
        ]
        show_hanging(console, f"{row['family']}, {row['response']} above {row['threshold']}: {'; '.join(parts)}", "- ")

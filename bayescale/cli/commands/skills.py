"""``bayescale skills``: what models of a family would score, and which law of skill forecasts scores best."""

import difflib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

import bayescale as bs
from bayescale.cli.dry_run import Work, emit_work, work_of
from bayescale.cli.options import SAMPLING, WATCHING, Probability, Sampling, Watching, expect_no_workers
from bayescale.cli.output import emit
from bayescale.cli.parsing import UsageError, parse_columns
from bayescale.cli.skill_options import (
    FURTHER_PARTS,
    READING_SCORES,
    By,
    Cutoff,
    Family,
    FurtherParts,
    PageOrJson,
    ReadingScores,
    Run,
    Scores,
    SkillBudgets,
    SkillLaws,
    Target,
    Threshold,
    parse_numbers,
)
from bayescale.cli.stages import Stages, progress
from bayescale.cli.steps import check_cache, source_of
from bayescale.cli.tables import interval, make_table, number, show_end, show_hanging, show_table
from bayescale.cli.timings import keep_timing
from bayescale.hardware import read_budgets
from bayescale.words import chance, nats, short, typed

if TYPE_CHECKING:
    from bayescale.skills import ScoreTable, SkillComparison, SkillFit, SkillLaw

MANY = 60
"""Names that an error still lists."""


CommandLine = Annotated[str, Parameter(parse=False)]


def skills(
    scores: Scores,
    /,
    *,
    by: By = "model",
    cutoff: Cutoff = None,
    target: Target = None,
    budgets: SkillBudgets = (),
    family: Family = None,
    run: Run = None,
    threshold: Threshold = None,
    laws: SkillLaws = None,
    further: FurtherParts = FURTHER_PARTS,
    reading: ReadingScores = READING_SCORES,
    sampling: Sampling = SAMPLING,
    probability: Probability = 0.9,
    output: PageOrJson = None,
    printing: Watching = WATCHING,
    command_line: CommandLine = "bayescale skills",
) -> int:
    """Fit skills of public models to their scores, and forecast what a model of a family would score."""
    if by == "response" and target is None:
        raise UsageError("--by response leaves out one response; name it with --target")
    if run is not None and (family is not None or budgets or threshold is not None):
        raise UsageError(
            "--run forecasts a model of the table, at its own compute; leave out --family, --budget and --threshold"
        )
    expect_no_workers(sampling, "skills")
    with progress(printing) as say:
        from bayescale.records.skills import skills_record  # noqa: PLC0415  (ArviZ, which --help does not need)

        page = _page(output)
        table = _read(scores, reading, say)
        _check_names(table, family, target, run)
        chosen = _laws(laws, further)
        options = {"by": by, "cutoff": cutoff, "target": target if by == "response" else None}
        flops = read_budgets(budgets) if budgets else None
        if printing.dry_run:
            return emit_work(_work(table, chosen, options, sampling), printing, say)
        if not sampling.no_cache:
            check_cache()
        fitted = _fit(table, chosen, sampling, say)
        comparison = _compare(table, chosen, options, sampling, say) if len(chosen) > 1 else None
        verdict = _judged(comparison, fitted, probability)
        forecast = bs.skills.forecast_scores(
            fitted,
            family=family,
            flops=flops,
            run=run,
            responses=None if target is None else [target],
            threshold=threshold,
            probability=probability,
            random_seed=sampling.seed,
        )
        defaults = [] if budgets or run else ["budgets: 1 and 10 times the largest model (default)"]
        written: dict[str, Any] = {"probability": probability, "defaults": defaults}
        if page is None:
            record = skills_record(fitted, comparison, verdict, [forecast], **written)
        else:
            say("writing the page")
            record = _write_page(page, (fitted, forecast, comparison, verdict), written, command_line)
    return emit(record, show, printing, output=None if page else output)


def _page(output: Path | None) -> Path | None:
    """Return where a page is to be written, if one is asked for and can be."""
    if output is None or output.suffix.lower() != ".html":
        return None
    from bayescale.report.skills import check_skills_page  # noqa: PLC0415  (Matplotlib)

    return check_skills_page(output)


def _write_page(path: Path, parts: tuple[Any, ...], written: dict[str, Any], command_line: str) -> dict[str, Any]:
    from bayescale.report.skills import write_skills_report  # noqa: PLC0415  (Matplotlib)

    date = datetime.now(UTC).date().isoformat()
    return {**write_skills_report(path, *parts, **written, command=command_line, date=date), "path": str(path)}


def _laws(text: str | None, further: FurtherParts) -> "list[SkillLaw]":
    """Return the laws asked for, that of the forecast first, with its further parts and beside the one without them."""
    from bayescale.skills.laws import skill_law  # noqa: PLC0415  (as above)

    usual = ["family_benchmark", *(name for name in bs.skills.SKILL_LAWS if name != "family_benchmark")]
    plain = [skill_law(name.strip()) for name in (text.split(",") if text else usual)]
    first = plain[0]
    if further.second:
        first = bs.skills.with_second_skill(first, [name.strip() for name in further.second.split(",")])
    if further.publication:
        first = bs.skills.with_publication(first)
    if first is plain[0]:
        return plain
    return [first, *plain] if len(plain) > 1 else [first]


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


def _check_names(table: "ScoreTable", family: str | None, target: str | None, run: str | None) -> None:
    """Refuse a family, response or model that is not there before anything is sampled."""
    models = list(table.models["run"])
    for what, asked, names in (
        ("family", family, table.families),
        ("response", target, table.names),
        ("model", run, models),
    ):
        if asked is not None and asked not in names:
            raise bs.InputError(f"there is no {what} {asked!r} in {table.name}; {_found(asked, names)}")


def _found(asked: str, names: Sequence[str]) -> str:
    """Return all names where they are few, else those that are most like what was asked for."""
    if len(names) <= MANY:
        return f"found {', '.join(names)}"
    near = difflib.get_close_matches(asked, names, n=5, cutoff=0.3)
    return f"there are {len(names)}, such as {', '.join(near or names[:5])}"


def _given(law: "SkillLaw", laws: "Sequence[SkillLaw]", sampling: Sampling) -> dict[str, str]:
    """Return the priors by hand for the parameters that a law has, and those that none of the laws has."""
    others = set().union(*(set(each.priors) for each in laws)) - set(law.priors)
    return {key: prior for key, prior in (sampling.priors or {}).items() if "." in key or key not in others}


def _fit(table: "ScoreTable", laws: "Sequence[SkillLaw]", sampling: Sampling, say: Stages) -> "SkillFit":
    say(f"compiling and sampling law {laws[0].name}")
    return bs.skills.fit_skills(
        table,
        laws[0],
        priors=_given(laws[0], laws, sampling),
        draws=sampling.draws,
        random_seed=sampling.seed,
        cache=not sampling.no_cache,
        progress=False,
    )


def _compare(
    table: "ScoreTable", laws: "Sequence[SkillLaw]", options: Mapping[str, Any], sampling: Sampling, say: Stages
) -> "SkillComparison":
    say(f"refitting {len(laws)} laws by {options['by']}")
    names = [law.name for law in laws]

    def show(name: str, done: int, of: int) -> None:
        say.count(names.index(name) * of + done, of * len(names))

    found = bs.skills.compare_skills(
        table,
        laws,
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


def _work(
    table: "ScoreTable", laws: "Sequence[SkillLaw]", options: Mapping[str, Any], sampling: Sampling
) -> dict[str, Any]:
    """Return what would be fitted as plain data."""
    from bayescale.fits.settings import Settings  # noqa: PLC0415  (as above)
    from bayescale.skills.comparison import planned_refits  # noqa: PLC0415
    from bayescale.skills.fitting import cache_path  # noqa: PLC0415
    from bayescale.skills.laws import skill_law  # noqa: PLC0415

    settings = Settings(draws=sampling.draws, tune=700, random_seed=sampling.seed)
    path = cache_path(skill_law(laws[0], _given(laws[0], laws, sampling)), table, settings)
    known = path.exists() and not sampling.no_cache
    work = [Work("all scores", "fit of skills", {laws[0].name: (1, int(known))})]
    if len(laws) > 1:
        planned = planned_refits(
            table, laws, **options, priors=sampling.priors, random_seed=sampling.seed, cache=not sampling.no_cache
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
    if "path" in record:
        console.print(f"page: {record['path']}", soft_wrap=True)


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

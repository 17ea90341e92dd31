"""Write docs/tables.md: every law on every table that has its columns, compared and judged.

    bayescale data get --all                            # or set BAYESCALE_MIRROR to a folder or address with the files
    python docs/make_tables.py --further FOLDER         # half an hour on two cores; fits are cached

FOLDER holds tables that their authors publish in forms that the catalogue does not read (see docs/catalogue.md), as CSV
files with the columns named in FURTHER; without it those tables are left out.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from _tables import LEFT_OUT, MAIN, Job, catalogued, fit_all, further_jobs

import bayescale as bs
from bayescale.fits.workers import on_workers
from bayescale.storage import write_whole
from bayescale.tradeoffs import epoch_worth

PAGE = Path(__file__).with_name("tables.md")
WIDE = (*MAIN, "farseer")
CURVES = ("m1", "m2", "m3", "m4", "bnsl")
PROBABILITY = 0.9
MAX_REFITS = 5


CHECKPOINTS = (
    "Several rows are checkpoints of one run: they share a part of their noise, and standard errors count runs."
)


def thinned(name: str, laws: Sequence[str], step: int, remark: str = "") -> Job:
    """Return the job of every so many rows of each training run of a table."""

    def load() -> bs.RunTable:
        table = bs.load_runs(name)
        kept = table.frame.groupby("training_run").nth(slice(step - 1, None, step))
        return replace(table, frame=kept.reset_index(drop=True))

    return Job(f"{name} (one row in {step})", load, laws, f"{remark}. {CHECKPOINTS}" if remark else CHECKPOINTS)


JOBS = (
    catalogued("chinchilla", WIDE),
    catalogued("chinchilla", MAIN, "10 <= D / N <= 40"),
    catalogued("public-models", ("guo_compute", "compute_floor", "tilt", "kaplan_n", "chinchilla")),
    catalogued("gemstones-hot", WIDE, remark=CHECKPOINTS),
    catalogued("gemstones-cooled", MAIN, remark=CHECKPOINTS),
    catalogued(
        "opt-trajectories", MAIN, remark=f"{CHECKPOINTS} The learning rate had not decayed at any but the last."
    ),
    catalogued("steplaw-dense-best", MAIN[:5], remark="The best learning rate and batch size of each N and D."),
    catalogued("openclip", MAIN[:5], remark="Error on ImageNet; D counts samples seen, some of them many times."),
    *(catalogued(f"routed-{router}", ("routed", "routed_separable")) for router in ("s-base", "rl-r", "hash")),
    thinned("vocab-scaling", ("vocabulary",), 4, "The only law of this response"),
    *(
        thinned(f"multipower-{size}", ("lr_anneal", "multi_power"), 30, "Whole learning-rate curves")
        for size in ("25m", "100m", "400m")
    ),
    catalogued("alabdulmohsin-lm", CURVES, "family == '1.68e+07'", CHECKPOINTS),
    catalogued("alabdulmohsin-nmt", CURVES, "family == '6 Enc, 6 Dec'", CHECKPOINTS),
)

MOST_ROWS = 80
POOLED = ("compute_floor", "kaplan_n", "chinchilla")
BRIEF = (
    ("obsscaling-", POOLED, "families pooled"),
    ("llm-skills-", POOLED, "families pooled"),
    ("gemstones-slow", POOLED, "checkpoints"),
    ("gemstones-fineweb-edu", POOLED, "checkpoints"),
    ("gemstones-dclm", POOLED, "checkpoints"),
    ("datablations-", ("data_constrained", "chinchilla"), "repeated data"),
    ("alabdulmohsin-", ("m1", "m2", "m4"), "learning curve of one model"),
)
"""Beginnings of the names of further tables, the laws that are fitted to them, and what to bear in mind."""


def brief_jobs() -> Iterator[Job]:
    """Yield a job for each table of the catalogue that has no section of its own."""
    for name in (str(table["name"]) for table in bs.catalogue.list_tables()):
        for beginning, laws, remark in BRIEF:
            if name.startswith(beginning) and name not in {"alabdulmohsin-lm", "alabdulmohsin-nmt"}:
                yield Job(name, lambda name=name: few_rows(bs.load_runs(name)), laws, remark)


def few_rows(runs: bs.RunTable) -> bs.RunTable:
    """Keep the model with most rows where a table holds curves of several, and no more than so many rows."""
    frame = runs.frame
    if "N" not in frame and "family" in frame:
        frame = frame[frame["family"] == frame["family"].mode()[0]]
    step = -(-len(frame) // MOST_ROWS)
    return replace(runs, frame=frame.iloc[step - 1 :: step].reset_index(drop=True))


def _error(value: float) -> str:
    """Return a standard error; of a single training run there is none."""
    return "none" if np.isnan(value) else f"{value:.1f}"


def brief_row(job: Job) -> str:
    """Return the row of a further table: each law's difference of elpd to the best, and the verdict."""
    runs = job.load()
    print(f"{job.title}: {len(runs.frame)} runs, {', '.join(job.laws)}", flush=True)  # noqa: T201
    fits, refused = fit_all(runs, job.laws)
    if len(fits) < 2:
        return f"| {job.title} | {len(runs.frame)} | {'; '.join(refused)} | | {job.remark} |"
    comparison = bs.compare(fits, max_refits=0)
    shown = [
        f"{name} {row['elpd_diff']:.1f} ({_error(row['dse'])})"
        + ("" if fits[str(name)].diagnostics.passed else ", diagnostics failed")
        for name, row in comparison.table.iterrows()
    ]
    answer, _ = verdict(comparison)
    return f"| {job.title} | {len(runs.frame)} | {'; '.join(shown)} | {answer} | {job.remark} |"


def section(job: Job) -> tuple[str, str, Mapping[str, bs.Fit]]:
    """Return a row of the summary, the section of one table, and its fits."""
    runs = job.load()
    print(f"{job.title}: {len(runs.frame)} runs, {', '.join(job.laws)}", flush=True)  # noqa: T201
    fits, refused = fit_all(runs, job.laws)
    source = runs.record.get("reference", "").rstrip(".")
    facts = (source, f"{len(runs.frame)} rows, {runs.unit}", job.remark.rstrip("."))
    lines = [f"## {job.title}", "", f"{'. '.join(fact for fact in facts if fact)}."]
    lines += ["", *(f"- {text}" for text in refused)]
    if len(fits) < 2:
        lines += [*single(fits)]
        answer, first = "one law", next(iter(fits), "none")
        best = first
    else:
        comparison = bs.compare(fits, max_refits=MAX_REFITS)
        lines += list(comparison_lines(comparison))
        answer, sentence = verdict(comparison)
        lines += ["", sentence]
        best, first = best_law(comparison)
    lines += ["", *parameters(fits[best])] if best in fits else []
    return f"| {job.title} | {len(runs.frame)} | {first} | {answer} |", "\n".join(lines), fits


def best_law(comparison: bs.Comparison) -> tuple[str, str]:
    """Return the best law whose diagnostics passed, and how the summary names it."""
    ranked = [str(name) for name in comparison.table.index]
    sound = [name for name in ranked if comparison.fits[name].diagnostics.passed]
    best = sound[0] if sound else ranked[0]
    doubtful = ranked[: ranked.index(best)]
    return best, f"{best} ({', '.join(doubtful)} before it, with failed diagnostics)" if doubtful else best


def comparison_lines(comparison: bs.Comparison) -> Iterator[str]:
    """Yield the LOO table."""
    yield "| law | elpd | difference | s.e. of difference | weight | k too high | diagnostics |"
    yield "|---|---|---|---|---|---|---|"
    for name, row in comparison.table.iterrows():
        told = comparison.fits[str(name)].diagnostics
        yield (
            f"| {name} | {row['elpd']:.1f} | {row['elpd_diff']:.1f} | {_error(row['dse'])} | {row['weight']:.2f} | "
            f"{int(row['bad_k'])} | {diagnosis(told)} |"
        )


def single(fits: Mapping[str, bs.Fit]) -> Iterator[str]:
    """Yield the diagnostics of a law that stands alone."""
    for name, fitted in fits.items():
        yield f"{name}: diagnostics {diagnosis(fitted.diagnostics)}."


def diagnosis(told: bs.diagnostics.Diagnostics) -> str:
    """Return passed with the numbers, or the failures."""
    numbers = f"R-hat {told.rhat:.3f}, ESS {told.ess_bulk:.0f}"
    if told.passed:
        return f"passed ({numbers})"
    more = f"; and {len(told.failures) - 1} more" if len(told.failures) > 1 else ""
    return f"**failed** ({numbers}): {told.failures[0]}{more}"


def verdict(comparison: bs.Comparison) -> tuple[str, str]:
    """Return the answer and its sentence, or why there is none."""
    try:
        found = bs.judge(comparison)
    except bs.InputError as error:
        return "no verdict", f"No verdict: {error}."
    return f"`{found.answer}`", f"**{found.answer}.** {found.statement}"


def parameters(fitted: bs.Fit) -> Iterator[str]:
    """Yield the best law's parameters beside published values."""
    law, draws = fitted.law, bs.published_draws(fitted)
    published = law.published_for(fitted.runs.response)
    yield f"Parameters of {law.name} at published scale, median and {PROBABILITY:.0%} credible interval:"
    yield ""
    yield f"| parameter | posterior | {' | '.join(published) or 'published'} |"
    yield f"|---|---|{'---|' * max(len(published), 1)}"
    for name in law.parameters:
        found = bs.credible_interval(draws[name], PROBABILITY)
        values = " | ".join(f"{values[name]:.4g}" for values in published.values()) or "none"
        yield f"| {name} | {found.median:.4g} [{found.lower:.4g}, {found.upper:.4g}] | {values} |"


def repetition(fitted: bs.Fit) -> Iterator[str]:
    """Yield the worth of a token in its second and later epochs."""
    values, law = bs.published_draws(fitted), bs.LAWS["data_constrained"]
    paper = next(iter(law.published.values()))
    yield "## What a repeated token is worth"
    yield ""
    yield (
        "Worth of the last token of an epoch, relative to a fresh one, by the data-constrained law on the runs of its "
        f"published fit: median and {PROBABILITY:.0%} credible interval, beside the value at the published R_D*. "
        "They disagree because the published base law lies 11% below these runs at one epoch, and R_D takes that up; "
        "with the base law held there, R_D is hardly identified, and its interval holds the published value. "
        "[Decision 7](decisions/0007-repeated-data.md) says why neither is the last word."
    )
    yield ""
    yield "| epoch | posterior, base law fitted too | published |"
    yield "|---|---|---|"
    for epoch in (2.0, 4.0, 10.0, 40.0):
        found = bs.credible_interval(np.asarray(epoch_worth(values, epoch)), PROBABILITY)
        yield (
            f"| {epoch:.0f} | {found.median:.2f} [{found.lower:.2f}, {found.upper:.2f}] | "
            f"{float(epoch_worth(paper, epoch)):.2f} |"
        )


GEMSTONES = {
    "gemstones-hot": {"alpha": 0.2989, "beta": 0.6928, "E": 2.152, "ln A": 5.457, "ln B": 14.972},
    "gemstones-cooled": {"alpha": 0.2970, "beta": 0.6904, "E": 2.108},
}
"""Published fits of the additive law (McLeish et al. 2025, released parameters, delta 1e-4)."""


def gemstones(fits: Mapping[str, bs.Fit]) -> Iterator[str]:
    """Yield the additive law's posterior on the Gemstones beside the published fits."""
    yield "## Where the Gemstones' published fit comes from"
    yield ""
    yield (
        "The published ln B is 14.95 to 14.97 on the hot and the cooled runs, with and without embeddings, beside the "
        "value 15 that its search started from; lower values of the published objective lie elsewhere "
        "(`tests/test_published_fits.py`). D is one of a few multiples of ten billion tokens, a single decade: B and "
        "beta move together over a wide range. The prior is not what sets the posterior apart: twice as wide, it gives "
        "beta 0.47 [0.32, 0.63] on the hot runs. Least absolute deviations, in effect the published estimator, weigh "
        "residuals otherwise than a Student-t, of a law that is wrong there: `farseer` predicts these runs better by "
        "far. Rows are checkpoints, and share a part of their noise."
    )
    yield ""
    yield f"| table | parameter | posterior, median [{PROBABILITY:.0%}] | published |"
    yield "|---|---|---|---|"
    for title, published in GEMSTONES.items():
        draws = bs.published_draws(fits[title])
        shown = {**draws, "ln A": np.log(draws["A"]), "ln B": np.log(draws["B"])}
        for name in ("alpha", "beta", "E", "ln A", "ln B"):
            found = bs.credible_interval(shown[name], PROBABILITY)
            value = f"{published[name]:.4g}" if name in published else "not seen"
            yield f"| {title} | {name} | {found.median:.3g} [{found.lower:.3g}, {found.upper:.3g}] | {value} |"


def main() -> None:
    """Fit every table and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--further", type=Path, default=None)
    parser.add_argument("--only", default="", help="part of the titles to run, for a trial; nothing is written")
    parser.add_argument("--workers", help="address of a dask scheduler whose workers do it")
    asked = parser.parse_args()
    jobs = [*JOBS, *(further_jobs(asked.further) if asked.further else ())]
    rows, sections, extra, additive = [], [], [], {}
    for job in (job for job in jobs if asked.only in job.title):
        with on_workers(asked.workers):
            row, text, fits = section(job)
        rows.append(row)
        sections.append(text)
        additive |= {job.title: fits["chinchilla"]} if "chinchilla" in fits else {}
        if "data_constrained" in fits:
            extra.append("\n".join(repetition(fits["data_constrained"])))
    brief = [brief_row(job) for job in brief_jobs() if asked.only in job.title]
    left_out = [f"| {name} | | not fitted: {why} | | |" for name, why in LEFT_OUT.items()]
    closing = [FURTHER_TABLES, "\n".join([BRIEF_HEAD, *brief, *left_out])]
    extra += ["\n".join(gemstones(additive))] if set(GEMSTONES) <= set(additive) else []
    text = "\n\n".join(
        [
            INTRODUCTION,
            "\n".join(["| table | rows | best law by LOO | verdict |", "|---|---|---|---|", *rows]),
            *extra,
            *sections,
            *closing,
        ]
    )
    if asked.only:
        print(text)  # noqa: T201
        return
    write_whole(PAGE, lambda temporary: temporary.write_text(f"{text}\n", encoding="utf-8"))


BRIEF_HEAD = "| table | rows | elpd, difference to the best (s.e.) | verdict | bear in mind |\n|---|---|---|---|---|"

FURTHER_TABLES = """## Further tables

Fitted by fewer laws, at most 80 rows each, without exact refits of the worst rows. Errors of benchmarks pool families
that differ in much more than N and D: a law of either explains them badly, whichever is best."""

INTRODUCTION = """# Every table, every law that fits it

Differences of elpd are to the best law, in nats over all rows, by
PSIS-LOO with the worst rows refitted exactly; a difference counts as decided beyond 4 nats and 2 standard errors (4 on
fewer than 100 rows). Standard errors count training runs where a table has several rows of one. Point LOO scores
interpolation: it does not say which law forecasts larger runs best."""


if __name__ == "__main__":
    main()

"""Write docs/verdicts.md: does compute alone explain loss, asked of every table.

    bayescale data get --all                            # or set BAYESCALE_MIRROR to a folder or address with the files
    python docs/make_verdicts.py --further FOLDER       # an hour on two cores; fits and refits are cached

FOLDER holds the tables of FURTHER in docs/_tables.py; without it those are left out.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from _disagreements import (
    ANSWERS,
    MAX_REFITS,
    PROBABILITY,
    Found,
    counted,
    fitted,
    guo_against_chinchilla,
    interval,
    listed,
    repeated_data,
    tables_against_tables,
)
from _tables import LEFT_OUT, Job, catalogued, fit_all, further_jobs, settings_of

import bayescale as bs
from bayescale.comparison.odds import Kinds, split_odds
from bayescale.comparison.silence import LEAST_SPREAD
from bayescale.decisions.loss_map import loss_map
from bayescale.fits.workers import on_workers
from bayescale.laws.usual import USUAL_LAWS
from bayescale.plots.regions import plot_iso_loss
from bayescale.runs.families import spread_within_families
from bayescale.runs.units import units_are_families
from bayescale.splits.waste import Waste
from bayescale.storage import write_whole
from bayescale.words import odds, percent, short

PAGE = Path(__file__).with_name("verdicts.md")
PICTURE = Path(__file__).with_name("images") / "iso-loss.png"
FACTOR = 4.0
"""Mis-sizing whose cost is shown."""

TAIL = 1.645
"""Standard errors from the middle to an end of an interval of 90%."""

FEWEST_ROWS = 40
FOLDS = 8
"""Rows a table needs to be judged by further criteria, and the most refits of a law by each."""

BEFORE = (
    "chinchilla",
    "gemstones-fineweb-edu",
    "gemstones-dclm",
    "porian RefinedWeb",
    "porian OpenWebText2",
    "datablations C4, as published",
)
"""Tables of which this page said that the split matters by the rule before decision 18; all others could not tell."""

CONDITIONS = {
    "chinchilla": ("cosine over each run's own tokens", "SentencePiece, 32k"),
    "gemstones-hot": ("constant rate", "GPT-NeoX"),
    "gemstones-cooled": ("constant rate, cooled", "GPT-NeoX"),
    "gemstones-slow": ("constant rate", "GPT-NeoX"),
    "gemstones-fineweb-edu": ("constant rate", "GPT-NeoX"),
    "gemstones-dclm": ("constant rate", "GPT-NeoX"),
    "opt-trajectories": ("points of one schedule", "GPT-2"),
    "gadre": ("cosine over each run's own tokens", "GPT-NeoX"),
    "porian": ("cosine over each run's own tokens", "GPT-NeoX"),
    "datablations": ("cosine over each run's own tokens", "GPT-2"),
}
"""Schedule and tokenizer of tables of one family, by the beginning of their titles, as their papers have them."""

KAPLAN_LEAST = ((1 / FACTOR + FACTOR) / 2) ** 2 - 1
"""Least extra compute of a model off by FACTOR under that law: where the exponent of N, in it, equals that of D."""

WIDE = 2.0
"""Decades of D/N from which a table counts as wide."""

LEAST_ERROR = 0.01
"""Least standard error of the log of one plus a cost: no table weighs more than its law deserves."""

MOST_CHECKPOINTS = 300
"""Rows of a table of checkpoints from which only some of each training run are used: sampling is slow, and more of them
say little."""

MAX_REFITS_SHARED = 2
"""Most exact refits of a law where rows share noise; a row of high Pareto k that is not refitted counts as doubtful."""

NAMED_BUDGETS = (1e21, 5.76e23)
"""Budgets whose range is shown too, in FLOP: one of a small study, and that of Gopher and Chinchilla."""

FARTHEST = 100.0
"""Times the largest run beyond which no range is shown: it would rest on the law alone."""

LATE = "its rows share the noise of training runs or families, and its laws were not sampled again for this page"
"""Said of tables that are left out for the time that they take."""

CRITERIA = {"budget": "budgets left out", "largest": "largest fifth left out"}


def say(text: str) -> None:
    """Write progress to stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


# Which tables


def jobs_and_refusals(further: Path | None) -> tuple[list[Job], dict[str, str]]:
    """Return the tables the question can be asked of, and why it cannot be asked of the others."""
    jobs, refusals = [], {}
    for name in (str(table["name"]) for table in bs.catalogue.list_tables()):
        reason = LEFT_OUT.get(name) or unasked(bs.load_runs(name))
        if reason:
            refusals[name] = reason
        else:
            jobs.append(catalogued(name, USUAL_LAWS[bs.load_runs(name).response]))
    if further:
        jobs += [replace(job, laws=USUAL_LAWS["loss"]) for job in further_jobs(further)]
    return jobs, refusals


def unasked(runs: bs.RunTable) -> str:
    """Return why the question cannot be asked of a table; nothing where it can."""
    absent = [name for name in ("N", "D", "C") if name not in runs.frame]
    if absent:
        return f"no {', no '.join(absent)}"
    if runs.response not in USUAL_LAWS:
        return f"its response is {runs.response} ({runs.unit}), which no law of compute alone here describes"
    return ""


def asked_within(runs: bs.RunTable) -> bs.RunTable:
    """Return the table with a level for each family, where it pools families that can be asked within."""
    frame = runs.frame
    if "family" not in frame or not frame["family"].duplicated().any() or frame["family"].nunique() < 2:
        return runs
    return bs.groups.within_families(runs) if spread_within_families(frame) >= LEAST_SPREAD else runs


def thinned(runs: bs.RunTable) -> bs.RunTable:
    """Return a table of many checkpoints with some of each training run, evenly spaced; its runs are what counts."""
    step = -(-len(runs.frame) // MOST_CHECKPOINTS)
    if step == 1 or "training_run" not in runs.frame:
        return runs
    place = runs.frame.sort_values("D").groupby("training_run").cumcount().sort_index()
    return replace(runs, frame=runs.frame[place % step == step - 1].reset_index(drop=True))


def examine(job: Job) -> Found:
    """Fit, compare and judge one table."""
    runs = thinned(asked_within(job.load()))
    say(f"{job.title}: {len(runs.frame)} rows, {', '.join(job.laws)}")
    settings = settings_of(runs)
    fits, refused = fit_all(runs, job.laws, **settings)
    for reason in refused:
        say(f"  {reason}")
    C = runs.frame["C"]
    budgets = [flops for flops in NAMED_BUDGETS if C.min() <= flops <= FARTHEST * C.max()]
    comparison = bs.compare(fits, max_refits=MAX_REFITS_SHARED if settings else MAX_REFITS)
    verdict = bs.judge(comparison, probability=PROBABILITY, budgets=budgets)
    pair = {name: fits[name] for name in (verdict.compute_law, verdict.split_law)}
    families = runs.frame["family"].nunique() if "family" in runs.frame else 1
    asked = len(runs.frame) >= FEWEST_ROWS and families == 1 and not settings
    return Found(job, runs, verdict, criteria_of(pair, verdict) if asked else {})


def criteria_of(pair: Mapping[str, bs.Fit], verdict: bs.Verdict) -> dict[str, str]:
    """Return the difference of elpd by each further criterion, and the probability that the split matters by it."""
    return {by: by_criterion(pair, by, verdict) for by in CRITERIA}


def by_criterion(pair: Mapping[str, bs.Fit], by: str, verdict: bs.Verdict) -> str:
    """Return the difference of elpd when groups of runs are left out, compute less split, or why there is none."""
    say(f"  refits by {by}")
    try:
        try:
            found = bs.cross_validate(pair, by, folds=None if by == "largest" else FOLDS)
        except bs.InputError:
            found = bs.cross_validate(pair, by)  # fewer groups than folds
    except bs.InputError as error:
        return f"not possible: {error}"
    law, sign = (verdict.compute_law, 1) if found.table.index[0] == verdict.split_law else (verdict.split_law, -1)
    row = found.table.loc[law]
    failed = sum(found.failed.values())
    doubt = f"; diagnostics of {counted(failed, 'refit')} failed" if failed else ""
    matters = split_odds(found, Kinds((verdict.compute_law,), (verdict.split_law,))).probability
    return f"{sign * row['elpd_diff']:+.1f} ({row['dse']:.1f}), {odds(matters)}{doubt}"


# The summary


def in_short(found: Sequence[Found], refusals: Mapping[str, str]) -> Iterator[str]:
    """Yield what all tables say together."""
    by_answer = {answer: [each for each in found if each.verdict.answer == answer] for answer in ANSWERS}
    matters, silent = by_answer["split_matters"], by_answer["cannot_tell"]
    counts = "; ".join(f"{words}: {len(by_answer[answer])}" for answer, words in ANSWERS.items() if by_answer[answer])
    yield "## In short"
    yield ""
    yield f"- The question can be asked of {len(found)} of {len(found) + len(refusals)} tables. {capital(counts)}."
    for answer, words in ANSWERS.items():
        if answer != "cannot_tell" and by_answer[answer]:
            yield f"- {capital(words)} on {listed(by_answer[answer])}."
    yield from _costs_where(matters)
    fixed = [each for each in silent if any(reason.startswith("runs of like compute") for reason in _reasons(each))]
    pooled = [each for each in silent if any("families" in reason for reason in _reasons(each))]
    yield (
        f"- Of the tables that cannot tell, {len(fixed)} hold runs of like compute that hardly differ in size, and "
        f"{len(pooled)} pool families of models that differ in more than N and D. More such runs would not decide; a "
        "few runs of one recipe at one compute and several sizes would (below)."
    )


def _costs_where(matters: Sequence[Found]) -> Iterator[str]:
    """Yield what ignoring the split costs where it matters."""
    if not matters:
        return
    wastes = [waste_of(each).extra_compute.median for each in matters]
    own = [each.verdict.effect.median for each in matters]
    widths = [each.upper / each.lower for each in (one.verdict.tokens_per_parameter for one in matters) if each.lower]
    tolerance = percent(matters[0].verdict.tokens_per_parameter.tolerance)
    yield (
        f"- Where it matters, it does not matter everywhere: the largest D/N of small cost is {short(min(widths))} to "
        f"{short(max(widths))} times the smallest, depending on the table. Between them less than {tolerance} of the "
        f"compute is lost with {percent(PROBABILITY)} probability. At the D/N of the runs themselves ignoring the "
        f"split costs {percent(min(own), 2)} to {percent(max(own), 2)} more compute, {FACTOR:g} times off "
        f"{percent(min(wastes), 2)} to {percent(max(wastes), 2)}."
    )


def _reasons(found: Found) -> tuple[str, ...]:
    return found.verdict.reasons


def capital(words: str) -> str:
    """Return a sentence's beginning."""
    return words[0].upper() + words[1:]


def waste_of(found: Found) -> Waste:
    """Return what a model off by FACTOR costs."""
    return next(each for each in found.verdict.waste if each.factor == FACTOR)


def summary(found: Sequence[Found]) -> Iterator[str]:
    """Yield the table of tables, those that can tell first."""
    yield "## Every table"
    yield ""
    yield SUMMARY
    yield ""
    yield (
        "| table | rows | D/N of the runs | answer | probability | effect | elpd, compute less split (s.e.) | laws "
        f"| D/N of small cost | {FACTOR:g} times off costs | tilt |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    order = list(ANSWERS)
    for each in sorted(found, key=lambda one: order.index(one.verdict.answer)):
        verdict, difference = each.verdict, each.verdict.difference
        own = each.runs.frame["D"] / each.runs.frame["N"]
        yield (
            f"| {each.job.title} | {rows_of(each)} | {short(own.min())} to {short(own.max())} | "
            f"{ANSWERS[verdict.answer]} | {' | '.join(said(verdict))} | "
            f"{difference.elpd_diff:+.1f} ({difference.dse:.1f}) | "
            f"{verdict.compute_law}, {verdict.split_law} | {' | '.join(costs(each))} |"
        )


def said(verdict: bs.Verdict) -> tuple[str, str]:
    """Return the probability that the split matters, and what ignoring it costs at the runs' own D/N."""
    effect = verdict.effect
    if effect is None:
        return odds(verdict.probability), "-"
    ends = f"[{percent(effect.lower, 2)}, {percent(effect.upper, 2)}]"
    return odds(verdict.probability), f"{percent(effect.median, 2)} {ends}"


def costs(found: Found) -> tuple[str, str, str]:
    """Return the range of D/N, the waste and the tilt; dashes where the prior alone would speak."""
    if any(reason.startswith(("runs of like compute", "the best D/N is not")) for reason in found.verdict.reasons):
        return "-", "-", "-"
    ratios, waste, tilt = found.verdict.tokens_per_parameter, waste_of(found).extra_compute, found.verdict.tilt
    span = "none" if ratios.lower is None else f"{short(ratios.lower)} to {short(ratios.upper)}"
    return (
        f"{span} at {short(ratios.flops)} FLOP",
        f"{percent(waste.median)} [{percent(waste.lower)}, {percent(waste.upper)}]",
        f"{tilt.median:.2f} [{tilt.lower:.2f}, {tilt.upper:.2f}]",
    )


def rows_of(found: Found) -> str:
    """Return the number of rows, and of training runs where they share some."""
    rows, runs = len(found.runs.frame), found.verdict.difference.runs
    if units_are_families(found.runs.frame):
        return f"{rows} of {found.runs.frame['family'].nunique()} families"
    passes = f" (data repeated up to {short(found.repeated)} times)" if found.repeated else ""
    return (str(rows) if rows == runs else f"{rows} of {runs} training runs") + passes


def in_words(found: Sequence[Found]) -> Iterator[str]:
    """Yield the statements of the tables that can tell."""
    yield "## In words"
    yield ""
    yield from (f"- {each.verdict.statement}" for each in found if each.tells)


def together(found: Sequence[Found]) -> Iterator[str]:
    """Yield what a model of the wrong size costs over all tables that can be asked, and what predicts it."""
    known = [each for each in found if cost_of(each)]
    all_of_them = pooled_cost(known)
    yield "## The published record as a whole"
    yield ""
    yield (
        f"On the {len(known)} tables whose runs speak of the split and locate it, a model {FACTOR:g} times off costs "
        f"{percent(all_of_them.mean, 2)} [{percent(all_of_them.lower, 2)}, {percent(all_of_them.upper, 2)}] more "
        "compute on average, over laws of both kinds (random effects on the log of one plus the cost; DerSimonian and "
        f"Laird 1986). Tables differ by a factor of {short(all_of_them.spread)} (one s.d. of one plus the cost), so "
        f"that for another table of this kind {percent(all_of_them.new[0], 2)} to {percent(all_of_them.new[1], 2)} is "
        "to be expected. Tables of one paper share data and recipe, so that there are fewer independent ones than "
        "tables."
    )
    yield ""
    yield "What predicts the cost, each by itself (fewer than three tables of a kind say little):"
    yield ""
    yield f"| kind | tables | {FACTOR:g} times off costs | between tables, factor |"
    yield "|---|---|---|---|"
    for name, group in kinds_of_tables(known).items():
        cost = pooled_cost(group)
        ends = f"[{percent(cost.lower, 2)}, {percent(cost.upper, 2)}]"
        yield f"| {name} | {len(group)} | {percent(cost.mean, 2)} {ends} | {short(cost.spread)} |"
    yield ""
    yield for_whom(known, next(each for each in found if each.job.title == "public-models"))


@dataclass(frozen=True)
class Cost:
    """Extra compute of a wrong size over several tables."""

    mean: float
    lower: float
    upper: float
    new: tuple[float, float]
    spread: float


def cost_of(found: Found) -> bs.Interval | None:
    """Return the cost of FACTOR averaged over laws of both kinds, of a table that locates the best split."""
    (effect,) = (each for each in found.verdict.effects if each.factor == FACTOR)
    return effect.extra_compute if found.locates and not found.repeated else None


def pooled_cost(found: Sequence[Found]) -> Cost:
    """Return mean, its interval, that of another table and the spread between tables."""
    ends = [cost for cost in map(cost_of, found) if cost]
    costs = np.log1p([each.median for each in ends])
    errors = (np.log1p([each.upper for each in ends]) - np.log1p([each.lower for each in ends])) / (2 * TAIL)
    mean, error, spread = random_effects(costs, np.maximum(errors, LEAST_ERROR))
    low, middle, high = np.expm1(mean + error * TAIL * np.array([-1, 0, 1]))
    new = np.expm1(mean + np.hypot(error, spread) * TAIL * np.array([-1, 1]))
    return Cost(float(middle), float(low), float(high), (float(new[0]), float(new[1])), float(np.exp(spread)))


def kinds_of_tables(known: Sequence[Found]) -> dict[str, list[Found]]:
    """Return tables by span of D/N, response, schedule and tokenizer."""
    groups: dict[str, list[Found]] = defaultdict(list)
    for each in known:
        ratio = each.runs.frame["D"] / each.runs.frame["N"]
        wide = np.log10(ratio.max() / ratio.min()) >= WIDE
        groups[f"D/N over {WIDE:g} decades or more" if wide else f"D/N over less than {WIDE:g} decades"].append(each)
        groups[f"response: {each.runs.response}"].append(each)
        within = units_are_families(each.runs.frame)
        groups["asked within families" if within else "one family"].append(each)
        stated = next((said for title, said in CONDITIONS.items() if each.job.title.startswith(title)), None)
        if stated:
            groups[f"schedule: {stated[0]}"].append(each)
            groups[f"tokenizer: {stated[1]}"].append(each)
    return dict(sorted(groups.items(), key=lambda item: item[0].split(":")[0]))


def for_whom(known: Sequence[Found], public: Found) -> str:
    """Say over which D/N compute alone is enough, for one recipe and for models of several."""
    ranges = [one for one in (each.verdict.tokens_per_parameter for each in known) if one.lower]
    grid = np.geomspace(1, 1000, 301)
    inside = np.mean([(one.lower <= grid) & (grid <= one.upper) for one in ranges], axis=0)
    best = grid[inside == inside.max()]
    widths = np.array([one.upper / one.lower for one in ranges])
    sizes = np.sqrt(np.median(widths)) ** 0.5
    return (
        f"**What compute alone is good for.** On the {len(ranges)} of these tables with a range of small cost, it is "
        f"{short(float(np.median(widths)))} times wide in D/N in the median ({short(float(widths.min()))} to "
        f"{short(float(widths.max()))}): for whoever trains one recipe and keeps its size within a factor of "
        f"{short(float(sizes))} of the best one for its compute, compute alone is enough to within 5%. "
        f"{short(float(best.min()))} to {short(float(best.max()))} tokens per parameter is inside the range of "
        f"{percent(float(inside.max()))} of these tables, more than any other D/N. {public_sentence(public, known)}"
    )


def public_sentence(public: Found, known: Sequence[Found]) -> str:
    """Say what the founding paper's own models support."""
    verdict, own = public.verdict, (public.runs.frame["D"] / public.runs.frame["N"]).to_numpy()
    ranges = [one.verdict.tokens_per_parameter for one in known]
    lower, upper = (np.median([getattr(one, end) for one in ranges if one.lower]) for end in ("lower", "upper"))
    inside = int(((own >= lower) & (own <= upper)).sum())
    difference = verdict.difference
    return (
        f"For whoever compares public models of several recipes: on the {len(own)} public models {verdict.compute_law} "
        f"predicts {difference.elpd_diff:+.1f} nats (s.e. {difference.dse:.1f}) against {verdict.split_law}, so that N "
        f"and D add nothing that these models show, though they have {short(own.min())} to {short(own.max())} tokens "
        f"per parameter and only {inside} of them lie in the median range of the tables above ({short(float(lower))} "
        f"to {short(float(upper))}). That supports compute alone as a summary of models whose families differ by more "
        "than their splits do. It does not support it as a rule for choosing a split."
    )


def before_and_after(found: Sequence[Found]) -> Iterator[str]:
    """Yield the answer of each table by the former rule and now, and why it changed or did not."""
    yield "## Before and after"
    yield ""
    yield FORMER
    yield ""
    yield "| table | before | now | why |"
    yield "|---|---|---|---|"
    for each in found:
        before = ANSWERS["split_matters" if each.job.title in BEFORE else "cannot_tell"]
        yield f"| {each.job.title} | {before} | {ANSWERS[each.verdict.answer]} | {why(each)} |"


def why(found: Found) -> str:
    """Say why a table has the answer it has, beside the former one."""
    verdict, before = found.verdict, found.job.title in BEFORE
    if verdict.answer == "cannot_tell":
        return verdict.reasons[0]
    cost = f"more than 5% is lost with a probability of {odds(verdict.effect_above_tolerance)}"
    if before and verdict.answer == "split_matters":
        return f"as before; {cost}"
    if units_are_families(found.runs.frame):
        return f"asked within families, where it was refused; {cost}"
    difference = verdict.difference
    few = f"{difference.runs} independent runs no longer need 4 standard errors" if difference.runs < 100 else ""
    enough = f"the probability that the split matters is {odds(verdict.probability)}"
    return "; ".join(filter(None, (few, enough, cost)))


def random_effects(values: np.ndarray, errors: np.ndarray) -> tuple[float, float, float]:
    """Return mean, its standard error and the s.d. between tables, by the moments of DerSimonian and Laird."""
    if values.size < 2:
        return float(values.sum()), float(errors.sum()), 0.0  # of one table alone
    weights = 1 / errors**2
    mean = float(weights @ values / weights.sum())
    excess = float(weights @ (values - mean) ** 2) - (values.size - 1)
    spread = max(0.0, excess / float(weights.sum() - (weights**2).sum() / weights.sum()))
    weights = 1 / (errors**2 + spread)
    return float(weights @ values / weights.sum()), float(weights.sum() ** -0.5), float(np.sqrt(spread))


def by_budget(found: Sequence[Found]) -> Iterator[str]:
    """Yield the range of D/N at each budget, with the intervals of its ends."""
    yield "## The range of D/N by budget"
    yield ""
    yield RANGES
    yield ""
    yield "| table | law | FLOP | over largest run | range | lower end | upper end |"
    yield "|---|---|---|---|---|---|---|"
    for each in found:
        for ratios in each.verdict.ranges if each.tells else ():
            span = "none" if ratios.lower is None else f"{short(ratios.lower)} to {short(ratios.upper)}"
            ends = " | ".join(interval(end) for end in (ratios.lower_end, ratios.upper_end))
            beyond = ratios.flops / each.runs.frame["C"].max()
            where = f"{short(ratios.flops, 3)} | {short(beyond)}"
            yield f"| {each.job.title} | {each.verdict.split_law} | {where} | {span} | {ends} |"


def remedies(found: Sequence[Found]) -> Iterator[str]:
    """Yield why tables cannot tell and what would decide, once for tables of one design."""
    yield "## Why the others cannot tell, and which runs would decide"
    groups: dict[tuple[str, tuple[str, ...]], list[Found]] = defaultdict(list)
    for each in found:
        if not each.tells:
            groups[each.job.title.split("-")[0].split()[0], each.verdict.remedies].append(each)
    for (_, runs), tables in groups.items():
        yield ""
        yield f"**{listed(tables)}**"
        yield ""
        reasons: dict[str, list[str]] = defaultdict(list)
        for each in tables:
            for reason in each.verdict.reasons:
                reasons[reason].append(each.job.title)
        for reason, names in reasons.items():
            where = "" if len(names) == len(tables) else f" ({', '.join(names)})"
            yield f"- {reason}{where}"
        yield f"- *would decide:* {'; '.join(runs)}"


def refused(refusals: Mapping[str, str]) -> Iterator[str]:
    """Yield the tables of which the question cannot be asked, by reason."""
    yield "## Tables of which it cannot be asked"
    yield ""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, reason in refusals.items():
        groups[reason].append(name)
    for reason, names in groups.items():
        yield f"- {', '.join(names)}: {reason}"


# By criterion


def criteria_table(found: Sequence[Found]) -> Iterator[str]:
    """Yield the difference of elpd by criterion."""
    shown = [each for each in found if each.criteria]
    one = [each for each in shown if each.verdict.difference.elpd_diff < 0 and each.locates]
    turned = [each for each in one if each.criteria["largest"].startswith("+")]
    kept = [each for each in one if each.criteria["budget"].startswith("-")]
    yield "## Does the answer depend on the criterion?"
    yield ""
    yield CRITERION
    yield ""
    yield (
        f"Of the {len(one)} tables of one family on which single rows speak against compute alone, {len(kept)} do so "
        f"with whole budgets left out too. With the largest runs left out {len(turned)} turn: {listed(turned)}. That "
        "is no proof for compute alone. A law of N and D fits so closely that its noise is small, and a little beyond "
        "its runs it is off by more than that noise; a law of compute alone has the noise to cover it "
        "([decision 5](decisions/0005-forecasts.md)). It says that the laws as they are should not be trusted to "
        "forecast larger runs without room for being wrong."
    )
    yield ""
    yield f"| table | laws | single rows left out | {' | '.join(CRITERIA.values())} |"
    yield f"|---|---|---|{'---|' * len(CRITERIA)}"
    for each in shown:
        difference = each.verdict.difference
        cells = " | ".join(each.criteria[by] for by in CRITERIA)
        yield (
            f"| {each.job.title} | {each.verdict.compute_law}, {each.verdict.split_law} | "
            f"{difference.elpd_diff:+.1f} ({difference.dse:.1f}), {odds(each.verdict.probability)} | {cells} |"
        )


# The page


def draw(job: Job, law: str) -> None:
    """Draw the map of the Chinchilla runs beside the page."""
    figure = plot_iso_loss(loss_map(fitted(job, law), probability=PROBABILITY)).get_figure(root=True)

    def write(temporary: Path) -> None:
        figure.savefig(temporary, dpi=120, facecolor="white", format="png", metadata={"Software": None})

    write_whole(PICTURE, write)


def page(found: Sequence[Found], refusals: Mapping[str, str]) -> str:
    """Return the whole page."""
    named = {each.job.title: each for each in found}
    parts: list[Callable[[], Iterator[str]]] = [
        lambda: in_short(found, refusals),
        lambda: iter([MAP]),
        lambda: summary(found),
        lambda: before_and_after(found),
        lambda: in_words(found),
        lambda: together(found),
        lambda: by_budget(found),
        lambda: remedies(found),
        lambda: iter([DISAGREE]),
        lambda: guo_against_chinchilla(named),
        lambda: tables_against_tables(found),
        lambda: repeated_data(named),
        lambda: criteria_table(found),
        lambda: refused(refusals),
    ]
    texts = ["\n".join(make()) for make in parts]
    return "\n\n".join([INTRODUCTION, *(text for text in texts if text)])


def main() -> None:
    """Judge every table and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--further", type=Path, default=None)
    parser.add_argument("--only", default="", help="part of the titles to judge, for a trial; nothing is written")
    parser.add_argument("--workers", help="address of a dask scheduler whose workers do it")
    parser.add_argument("--without", default="", help="beginnings of titles to leave out, separated by commas")
    asked = parser.parse_args()
    jobs, refusals = jobs_and_refusals(asked.further)
    late = tuple(filter(None, asked.without.split(",")))
    refusals |= {job.title: LATE for job in jobs if job.title.startswith(late)} if late else {}
    jobs = [job for job in jobs if job.title not in refusals]
    with on_workers(asked.workers):
        found = [examine(job) for job in jobs if asked.only in job.title]
    if asked.only:
        print("\n\n".join("\n".join(make(found)) for make in (summary, remedies, criteria_table)))  # noqa: T201
        return
    draw(next(job for job in jobs if job.title == "chinchilla"), "chinchilla")
    text = page(found, refusals)
    write_whole(PAGE, lambda temporary: temporary.write_text(f"{text}\n", encoding="utf-8"))


INTRODUCTION = f"""# Does compute alone explain loss?

Asked of every table here, with the laws that `bayescale compare`
takes by default: if you know how much compute went into a run, do you also need to know how it was split between
parameters (N) and training tokens (D)? The honest answer is rarely yes or no, but a range of tokens per parameter (D/N)
inside which the split hardly matters. Intervals are {percent(PROBABILITY)} credible intervals, equal-tailed."""

MAP = """![Loss over model size and tokens, with the region in which compute alone is good enough](images/iso-loss.png)

*The additive law fitted to the Chinchilla runs. Inside the green region lines of equal loss stay close to lines of
equal compute: there compute alone is good enough.*"""

SUMMARY = f"""- **elpd, compute less split**: how much better (above 0) or worse (below 0) the best law of compute alone
  predicts rows it has not seen than the best law of N and D, in nats over all rows, by leave-one-out, with its standard
  error (over training runs where a table has several rows of one; of tables of more than {MOST_CHECKPOINTS}
  checkpoints some of each run are used, evenly spaced).
- **probability**: that the split matters, [calibrated on simulated tables](verdict-calibration.md); one half where
  runs of like compute do not differ in size. Where families are pooled it is confounded, and no answer is given.
- **effect**: extra compute that ignoring the split costs at the D/N of the runs themselves, averaged over laws of both
  kinds: nothing with the probability of compute alone. The answer follows from the probability that it is above 5%.
- **D/N of small cost**: tokens per parameter at which ignoring the split costs less than 5% more compute, with
  {percent(PROBABILITY)} probability, at a run of typical compute.
- **{FACTOR:g} times off costs**: extra compute that a model {FACTOR:g} times too small or too large needs, whichever
  is worse.
- **tilt**: the loss falls with slopes s (1 + tilt) on ln N and s (1 - tilt) on ln D at a typical run; 0 is compute
  alone there. A tilt near 0 says that the runs are centred on their best split, not that the split never matters.

Where a table cannot tell, the last three columns are what the best law of N and D says, not what the runs show; a dash
where these runs do not locate the best split and the prior alone would speak. Under `kaplan_nd` a model {FACTOR:g}
times off costs {percent(KAPLAN_LEAST)} or more whatever the runs: its form says so, not they."""

RANGES = f"""For the tables that can tell: the range holds with {percent(PROBABILITY)} probability at each D/N inside,
if the law holds there. Each posterior draw has a range of its own; the last two columns say where its ends lie. Budgets
are that of a typical run, that of the largest, and 1e21 and 5.76e23 FLOP within the runs or up to 100 times beyond
them. The further beyond the largest run (1 in the fourth column), the more it rests on the law alone."""

DISAGREE = """## Where papers disagree"""

FORMER = """Before [decision 18](decisions/0018-verdict-probability.md) a difference had to be 2 standard errors, or 4
below 100 runs, and tables that pool families were refused. Now the answer follows from a calibrated probability and a
cost, and families are asked within where their models differ in size at like compute."""

CRITERION = f"""The same difference, compute less split (s.e.), for the same two laws, and the probability that the
split matters by it (calibrated for single rows only), on tables of one family, one row a training run, and
{FEWEST_ROWS} rows or more: single rows left out (interpolation, as above); whole budgets left out (in at most {FOLDS}
refits of each law, standard errors over budgets); the largest fifth of the runs by compute left out (extrapolation).
Sums are over the rows that were left out, so the last column is over fewer rows. A law can win the first and lose the
last."""


if __name__ == "__main__":
    main()

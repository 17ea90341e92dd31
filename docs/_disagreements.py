"""Where papers disagree on compute and its split: what their tables say of each other, and which runs would decide."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from _tables import Job, settings_of

import bayescale as bs
from bayescale.fits.draws import Draws
from bayescale.laws.measured import sizes
from bayescale.runs.units import units_are_families
from bayescale.splits.optimum import find_optimum, loss_on_budget
from bayescale.words import count_text, percent, short

PROBABILITY = 0.9
MAX_REFITS = 5

SHARED_BUDGET = 1e21
"""Budget, in FLOP, at which tables are set side by side."""

ERRORS = 4.0
"""Standard errors that a difference between two runs' losses is to have, where runs to decide are counted."""

ANSWERS = {
    "split_matters": "the split matters",
    "probably_matters": "the split probably matters",
    "compute_suffices": "compute suffices",
    "probably_suffices": "compute probably suffices",
    "cannot_tell": "cannot tell",
}
PUBLISHED = (
    ("chinchilla", "Hoffmann et al. (2022)"),
    ("chinchilla", "Besiroglu et al. (2024)"),
    ("kaplan_nd", "Kaplan et al. (2020)"),
)


@dataclass(frozen=True, eq=False)
class Found:
    """What one table says."""

    job: Job
    runs: bs.RunTable
    verdict: bs.Verdict
    criteria: Mapping[str, str]

    @property
    def tells(self) -> bool:
        """Whether the table can tell."""
        return self.verdict.answer != "cannot_tell"

    @property
    def repeated(self) -> float:
        """Most passes over the same tokens, where there is more than one."""
        frame = self.runs.frame
        most = float((frame["D"] / frame["unique_tokens"]).max()) if "unique_tokens" in frame else 1.0
        return most if most > 1.5 else 0.0

    @property
    def locates(self) -> bool:
        """Whether its runs say where the best split lies, and are of one family."""
        silent = ("runs of like compute", "the diagnostics", "the best D/N", "the runs pool")
        return not any(reason.startswith(silent) for reason in self.verdict.reasons)


def listed(found: Sequence[Found]) -> str:
    """Name tables in one line."""
    return ", ".join(each.job.title for each in found)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def interval(found: bs.Interval | None) -> str:
    """Return a median with its interval."""
    return "none" if found is None else f"{short(found.median)} [{short(found.lower)}, {short(found.upper)}]"


def fitted(job: Job, law: str) -> bs.Fit:
    """Return the fit of one law to a table, from the cache."""
    runs = job.load()
    return bs.fit(runs, law, **settings_of(runs))


def scatter(fit: bs.Fit) -> float:
    """Return the typical distance of a run from the law, as a part of the response."""
    return float(np.median(fit.draws["sigma"]))


def repeats(effect: float, noise: float) -> int:
    """Return how many runs of each of two splits show a difference of this size."""
    return max(1, math.ceil(2 * (ERRORS * noise / effect) ** 2))


def above_best(fit: bs.Fit, flops: np.ndarray, log_ratio: np.ndarray) -> np.ndarray:
    """Return the response over that of the best split of the same compute, less 1 (draw, point)."""
    best = find_optimum(fit.draws, flops)
    return np.asarray(loss_on_budget(fit.draws, flops, log_ratio) / best.loss - 1)


def part(draws: np.ndarray) -> str:
    """Return a part as a percentage with its interval."""
    found = bs.credible_interval(draws[np.isfinite(draws)], PROBABILITY)
    return f"{100 * found.median:.1f}% [{100 * found.lower:.1f}, {100 * found.upper:.1f}]"


def split_text(flops: float, ratio: float) -> str:
    """Return the N and D that spend a budget at so many tokens per parameter."""
    N, D = (float(value) for value in sizes(np.array(flops), np.log(ratio)))
    return f"N = {count_text(N, 2)} on D = {count_text(D, 2)}"


def guo_against_chinchilla(found: Mapping[str, Found]) -> Iterator[str]:
    """Yield what the public models can say against the Chinchilla runs."""
    public, runs = found["public-models"], found["chinchilla"]
    line, law = fitted(public.job, public.verdict.compute_law), fitted(runs.job, "chinchilla")
    difference = public.verdict.difference
    yield "### Guo (2024) against Hoffmann et al. (2022)"
    yield ""
    yield (
        "Guo reads from public models that compression follows compute alone; Hoffmann et al. that the split decides. "
        f"The {len(public.runs.frame)} public models contradict neither: {public.verdict.compute_law} predicts them "
        f"{difference.elpd_diff:+.1f} nats against {public.verdict.split_law} (s.e. {difference.dse:.1f}). "
        + expected_of_models(public.runs, line, law)
    )
    yield ""
    yield f"*What would decide:* {deciding_sizes(line, law)}"


def expected_of_models(models: bs.RunTable, line: bs.Fit, law: bs.Fit) -> str:
    """Say what the law of the Chinchilla runs expects of the public models, against their scatter."""
    flops, frame = line.reference["C"], models.frame
    own = (frame["D"] / frame["N"]).to_numpy()
    (ratios,) = bs.ranges.ratio_ranges(law, [flops], probability=PROBABILITY)
    inside = int(((own >= ratios.lower) & (own <= ratios.upper)).sum())
    losses = above_best(law, frame["C"].to_numpy(), np.log(own))
    medians = np.nanmedian(losses, axis=0)
    worst, noise = int(medians.argmax()), scatter(line)
    beyond = short(flops / law.runs.frame["C"].max())
    return (
        f"They have {short(own.min())} to {short(own.max())} tokens per parameter. At their typical {short(flops)} "
        f"FLOP the additive law of the {len(law.runs.frame)} Chinchilla runs, carried {beyond} times beyond the "
        f"largest, puts the range of small cost at {short(ratios.lower)} to {short(ratios.upper)}: {inside} of the "
        f"models lie inside. It expects the loss of {frame['run'].iloc[worst]} (D/N {short(own[worst])}) to be "
        f"{part(losses[:, worst])} above that of the best split of its compute, the most of all, and that of half of "
        f"the models less than {100 * np.median(medians):.1f}%. The models scatter about the line of compute by "
        f"{100 * noise:.1f}%, for they differ in data, tokenizer and recipe as well: the effect in dispute is "
        f"{short(medians[worst] / noise)} times the scatter where it is largest, and below "
        f"{short(float(np.median(medians)) / noise)} times for half of them."
    )


def deciding_sizes(line: bs.Fit, law: bs.Fit) -> str:
    """Say which sizes of one compute would decide, and how many runs of each."""
    flops = line.reference["C"]
    log_ratio = np.log(line.reference["D"] / line.reference["N"] * np.array([1 / 16, 16]))
    effects = above_best(law, np.full(2, flops), log_ratio)
    sides = np.nanmedian(effects, axis=0)
    words = [
        f"{part(effects[:, i])} above the best at D/N {short(np.exp(log_ratio[i]))} "
        f"({split_text(flops, float(np.exp(log_ratio[i])))})"
        for i in np.argsort(-sides)
    ]
    needed = repeats(float(sides.max()), scatter(law)), repeats(float(sides.max()), scatter(line))
    return (
        f"runs of one recipe at {short(flops)} FLOP. The law of the Chinchilla runs expects losses "
        f"{' and '.join(words)}; compute alone expects no difference. To show the larger of the two by {ERRORS:g} "
        f"standard errors takes {counted(needed[0], 'run')} there and as many at the best split where runs scatter by "
        f"{100 * scatter(law):.1f}%, as on the Chinchilla table, and {needed[1]} of each where they scatter like the "
        "public models."
    )


@dataclass(frozen=True, eq=False)
class Position:
    """Where a table, or a published law, puts the best split of the shared budget."""

    title: str
    answer: str
    fit: bs.Fit | None
    log_ratio: np.ndarray
    exponent: np.ndarray

    @property
    def ends(self) -> bs.Interval:
        """Best D/N."""
        return bs.credible_interval(np.exp(self.log_ratio), PROBABILITY)


def position(title: str, draws: Draws) -> Position:
    """Return the best D/N of a law at the shared budget, and how N grows with compute there."""
    step = 0.1
    best = find_optimum(draws, SHARED_BUDGET * np.exp([0.0, step]))
    log_ratio = best.log_ratio[best.located.all(axis=1)]
    return Position(title, "", None, log_ratio[:, 0], 0.5 - 0.5 * (log_ratio[:, 1] - log_ratio[:, 0]) / step)


def positions(found: Sequence[Found]) -> Iterator[Position]:
    """Yield the position of each table that locates the best split, near enough to the shared budget."""
    for each in found:
        of_one = each.locates and not units_are_families(each.runs.frame)
        if of_one and not each.repeated and any(ratios.flops == SHARED_BUDGET for ratios in each.verdict.ranges):
            fit = bs.fit(each.runs, each.verdict.split_law, **settings_of(each.runs))
            known = position(each.job.title, fit.draws)
            yield replace(known, fit=fit, answer=ANSWERS[each.verdict.answer])


def tables_against_tables(found: Sequence[Found]) -> Iterator[str]:
    """Yield where each table puts the best split, and the two runs that would decide between those furthest apart."""
    known = list(positions(found))
    yield "### How many tokens per parameter"
    yield ""
    yield (
        f"Best D/N at {short(SHARED_BUDGET)} FLOP by each table of one family and fresh data whose runs locate it and "
        f"reach to within 100 times of that compute (median and {percent(PROBABILITY)} credible interval), and the "
        "exponent a of the best size, N ~ C^a, there. Losses of different data cannot be compared; best splits can, as "
        "far as recipes are alike."
    )
    yield ""
    yield "| table | answer | law | largest run (FLOP) | best D/N | a |"
    yield "|---|---|---|---|---|---|"
    for each in known:
        largest = short(each.fit.runs.frame["C"].max())
        a = bs.credible_interval(each.exponent, PROBABILITY)
        yield (
            f"| {each.title} | {each.answer} | {each.fit.law.name} | {largest} | {interval(each.ends)} | "
            f"{a.median:.2f} [{a.lower:.2f}, {a.upper:.2f}] |"
        )
    for law, source in PUBLISHED:
        values = {name: np.array([value]) for name, value in bs.LAWS[law].published[source].items()}
        one = position(source, Draws(bs.LAWS[law], values, dict.fromkeys(("N", "D", "C"), 1.0)))
        yield f"| published: {source} | | {law} | | {short(float(np.exp(one.log_ratio[0])))} | {one.exponent[0]:.2f} |"
    yield ""
    yield duel(known)


def duel(known: Sequence[Position]) -> str:
    """Say which two runs would decide between the two tables that can tell and are furthest apart."""
    telling = [one for one in known if one.answer != ANSWERS["cannot_tell"]]
    apart = [
        (first.ends.lower / second.ends.upper, first, second)
        for one, other in combinations(telling, 2)
        for first, second in [(one, other) if one.ends.median > other.ends.median else (other, one)]
        if first.ends.lower > second.ends.upper
    ]
    if not apart:
        return "No two tables that can tell disagree: each interval of the best D/N overlaps with every other."
    _, first, second = max(apart, key=lambda entry: entry[0])
    ratios = [one.ends.median for one in (first, second)]
    words, runs = [], []
    for fit, own, other in ((first.fit, *ratios), (second.fit, *ratios[::-1])):
        points = np.log([own, other])
        loss = loss_on_budget(fit.draws, np.full(2, SHARED_BUDGET), points)
        gain = loss[:, 1] / loss[:, 0] - 1
        words.append(f"{split_text(SHARED_BUDGET, own)} better by {part(gain)}")
        runs.append(repeats(float(np.nanmedian(gain)), scatter(fit)))
    return (
        f"Of the tables that can tell, {len(apart)} of {math.comb(len(telling), 2)} pairs disagree, their intervals "
        f"being apart. Furthest apart are {first.title} and {second.title}. *What would decide:* two runs of one "
        f"recipe at {short(SHARED_BUDGET)} FLOP. The law of {first.title} expects {words[0]}, that of {second.title} "
        f"{words[1]}. With the scatter of these tables, {runs[0]} and {runs[1]} runs of each split show it by "
        f"{ERRORS:g} standard errors."
    )


def repeated_data(found: Mapping[str, Found]) -> Iterator[str]:
    """Yield what counts when data are repeated, where the table of the published fit is there."""
    title = "datablations C4, as published"
    if title not in found:
        return
    each = found[title]
    runs = each.job.load()
    names = (each.verdict.compute_law, "chinchilla", "data_constrained")
    fits = {name: bs.fit(runs, name) for name in names}
    table = bs.compare(fits, max_refits=MAX_REFITS).table
    law, published = fits["data_constrained"], bs.LAWS["data_constrained"].published
    told = bs.credible_interval(bs.published_draws(law)["R_D"], PROBABILITY)
    source, values = next(iter(published.items()))
    epochs = (runs.frame["D"] / runs.frame["unique_tokens"]).max()
    difference = each.verdict.difference
    counting = table.loc["data_constrained", "elpd"] - table.loc["chinchilla", "elpd"]
    yield "### Repeated data: Muennighoff et al. (2023)"
    yield ""
    yield (
        f"On the {len(runs.frame)} runs of the published fit, with up to {short(epochs)} epochs, compute alone is "
        f"{difference.elpd_diff:+.1f} nats (s.e. {difference.dse:.1f}) against {each.verdict.split_law}, and the law "
        f"that counts unique tokens too is {counting:+.1f} nats against chinchilla: where data are repeated, neither "
        f"compute nor N and D say all. How much a repeated token is worth is not settled: R_D is {interval(told)} "
        f"here, {short(values['R_D'])} in {source}. " + would_settle(law, told, float(values["R_D"]))
    )
    fixed = [one for name, one in found.items() if name.startswith("datablations-") and not one.tells]
    if fixed:
        spans = [one.runs.frame["D"] / one.runs.frame["N"] for one in fixed]
        yield ""
        yield (
            f"{listed(fixed)} vary the repetition at {short(min(span.min() for span in spans))} to "
            f"{short(max(span.max() for span in spans))} tokens per parameter only: of the split they say nothing."
        )


def would_settle(fit: bs.Fit, told: bs.Interval, published: float) -> str:
    """Say by which run the two values of R_D differ most, at the size and tokens of a typical run."""
    N, D = (fit.reference[name] for name in ("N", "D"))
    epochs = np.array([4.0, 16.0, 64.0])
    points = {"N": np.full(3, N), "D": np.full(3, D), "unique_tokens": D / epochs}
    losses = [
        replace(fit.draws, arrays={**fit.draws, "R_D": np.full_like(fit.draws["R_D"], value)}).value(points)
        for value in (told.median, published)
    ]
    gaps = np.median(losses[1] / losses[0] - 1, axis=0)
    best = int(np.abs(gaps).argmax())
    count = repeats(float(abs(gaps[best])), scatter(fit))
    return (
        f"*What would decide:* runs of {count_text(N, 2)} parameters on {count_text(D, 2)} "
        f"tokens, fresh and in {epochs[best]:.0f} epochs. All else equal, the two values then differ by "
        f"{100 * abs(gaps[best]):.1f}% of the loss, and {counted(count, 'run')} of each at the scatter of this table "
        f"({100 * scatter(fit):.1f}%) show it by {ERRORS:g} standard errors."
    )

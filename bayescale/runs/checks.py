"""What a whole table must satisfy beyond its single values: one small function per kind of fault."""

import shlex
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.runs.costs import COVARIATES, CostCurve, cost_curve
from bayescale.runs.draft import Draft, listed
from bayescale.runs.grammar import says_loss
from bayescale.runs.headers import normalised
from bayescale.runs.numerals import cell_text
from bayescale.runs.rows import copies
from bayescale.runs.rules import rises_with_compute
from bayescale.runs.table import FEWEST_ROWS
from bayescale.words import typed

LARGEST_RATIO = 3.0  # of the C of a run over what runs of its size cost
LARGEST_FACTOR = 100.0  # of C over 6 N D: sparse mixtures of experts, and long contexts of small models, lie within it
LARGEST_SCATTER = 0.4  # of ln C about a smooth factor: more than half as much again
ROUNDED_PRODUCT = 0.05  # C that is N D within this lacks its factor of six
SAME_RATIO = 1.05  # a ratio is constant when its extremes differ by less than this
MOST_COPIES = 0.1
"""Part of the rows that may agree with another in all but their labels before they are taken for copies."""
CHANCE = 3.0
"""How many times more rows may agree by chance than if losses were spread evenly: they crowd in the middle."""
FEWEST_TOKENS = 1e-3
"""Tokens per parameter that no run trained on tokens falls short of."""
LONE_FACTOR = 100.0
"""How many times lower than all others the tokens per parameter of a row are before its unit is doubted."""
SUMMARIES = {
    **dict.fromkeys(("mean", "average", "avg", "mittelwert", "moyenne", "media"), "mean"),
    **dict.fromkeys(("sum", "total", "summe"), "sum"),
    **dict.fromkeys(("median",), "median"),
    **dict.fromkeys(("min", "minimum", "best"), "min"),
    **dict.fromkeys(("max", "maximum"), "max"),
    **dict.fromkeys(("std", "sd"), "std"),
}
"""Labels of rows that sum up the others, and how."""
CLOSE_TO_SUMMARY = 0.03
DATASET_HEADERS = ("dataset", "datasets")
FLOP_UNITS = {
    "PF-days": 8.64e19,
    "yottaFLOP": 1e24,
    "zettaFLOP": 1e21,
    "exaFLOP": 1e18,
    "petaFLOP": 1e15,
    "teraFLOP": 1e12,
    "gigaFLOP": 1e9,
}


NEARLY = 10.0
"""Units of the sixth digit within which responses of one size are copies, however their last digits differ."""


def table_faults(draft: Draft) -> list[str]:
    """Return every fault of the table as a whole."""
    return [fault for check in CHECKS for fault in check(draft)]


def too_few_rows(draft: Draft) -> Iterator[str]:
    """Tell a table with too few rows for any law."""
    if len(draft.frame) < FEWEST_ROWS:
        yield (
            f"{draft.source}: there are {len(draft.frame)} readable rows, and a law needs at least {FEWEST_ROWS}; "
            "add runs"
        )


def unlabelled_runs(draft: Draft) -> Iterator[str]:
    """Tell rows without a label where others have one."""
    if draft.has("run"):
        rows = [row for row, label in enumerate(draft.frame["run"]) if not label]
        if rows:
            yield f"{draft.source}: {draft.call('run')} is empty on {draft.at(rows)}; give every run a label"


def repeated_rows(draft: Draft) -> Iterator[str]:
    """Tell rows that say exactly the same."""
    groups = list(_groups(_as_text(draft)))
    if groups:
        cases = (f"the same row stands on {draft.at(rows)}" for rows in groups[:5])
        yield f"{draft.source}: {listed(cases, len(groups))}; keep one of each (--drop-duplicates)"


def many_copies(draft: Draft) -> Iterator[str]:
    """Tell a table in which many rows are the same run under other labels."""
    if not draft.has(draft.response) or not (draft.has("N", "D") or draft.has("C")):
        return
    groups = [rows for rows in copies(draft) if draft.cells.iloc[rows].map(cell_text).duplicated().sum() == 0]
    count = sum(map(len, groups))
    if count > MOST_COPIES * len(draft.frame) + CHANCE * _by_chance(draft):
        cases = (draft.at(rows) for rows in groups[:3])
        yield (
            f"{draft.source}: {count} of {len(draft.frame)} rows are the same run as another, with the same sizes and "
            f"{draft.response} to six digits ({'; '.join(cases)}{'; ...' if len(groups) > 3 else ''}); keep one of "
            "each (--drop-duplicates), or distinguish them by a column such as seed"
        )


def _by_chance(draft: Draft) -> float:
    """Return how many rows may share six digits of the response with another of the same sizes by chance."""
    values, sizes = draft.frame[str(draft.response)], [name for name in ("N", "D", "C") if draft.has(name)]
    cells = values.groupby([draft.frame[name] for name in sizes])
    count, width = cells.transform("size"), cells.transform("max") - cells.transform("min")
    unit = 10.0 ** (np.floor(np.log10(values.abs().where(values != 0, 1.0))) - 5)
    spread = width > NEARLY * unit
    return float((1 - np.exp(-(count * unit)[spread] / width[spread])).sum())


def repeated_labels(draft: Draft) -> Iterator[str]:
    """Tell labels that stand for several rows: checkpoints of one run are not independent."""
    if not draft.has("run"):
        return
    distinct = ~_as_text(draft).duplicated()
    labels = draft.frame.loc[distinct & (draft.frame["run"] != ""), ["run"]]
    groups = list(_groups(labels))
    if groups:
        cases = (f"{draft.frame['run'].iloc[rows[0]]!r} on {draft.at(rows)}" for rows in groups[:5])
        yield (
            f"{draft.source}: run labels are repeated with different values: {listed(cases, len(groups))}; "
            "checkpoints of one run are not independent rows, so keep the final row of each run (--last-of run), "
            "and give separate runs separate labels"
        )


def _as_text(draft: Draft) -> pd.DataFrame:
    return draft.cells.map(cell_text)


def _groups(frame: pd.DataFrame) -> Iterator[list[int]]:
    """Yield the positions of rows that are equal, for each set of two or more."""
    repeated = frame[frame.duplicated(keep=False)]
    if len(repeated):
        for _, rows in repeated.groupby(list(repeated.columns), sort=False, dropna=False):
            yield [int(row) for row in rows.index]


def several_datasets(draft: Draft) -> Iterator[str]:
    """Tell a table whose losses were measured on different data."""
    for column in (name for name in draft.frame if normalised(str(name)) in DATASET_HEADERS):
        values = list(dict.fromkeys(filter(None, map(cell_text, draft.cells[column]))))
        if len(values) > 1:
            yield (
                f"{draft.source}: column {column} has {len(values)} values, "
                f"{listed(map(repr, values[:5]), len(values))}; losses on different evaluation data are not "
                f"comparable: keep the rows of one (--where {shlex.quote(f'`{column}` == "{values[0]}"')}), or, if all "
                f"were evaluated on the same text, leave the column out (--ignore {shlex.quote(str(column))})"
            )


def summary_rows(draft: Draft) -> Iterator[str]:
    """Tell a row that is the mean, sum or extreme of the others, as spreadsheets have one below."""
    if not draft.has("run", draft.response):
        return
    sizes = [name for name in ("N", "D", str(draft.response)) if draft.has(name)]
    for row, label in enumerate(draft.frame["run"]):
        word = str(label).strip().casefold()
        if word in SUMMARIES and len(draft.frame) > 1:
            others = draft.frame[sizes].drop(index=row)
            own, expected = draft.frame.loc[row, sizes], others.agg(SUMMARIES[word])
            if bool((np.abs(own / expected - 1) < CLOSE_TO_SUMMARY).any()):
                out = shlex.quote(f'run != "{label}"')
                yield f"{draft.source}: row {label!r} ({draft.places[row]}) is a summary of the others; --where {out}"


def never_varies(draft: Draft) -> Iterator[str]:
    """Tell a column that is the same in every row."""
    for column in (*draft.needs, draft.response):
        if column is None or not draft.has(column):
            continue
        values = draft.sound(column)[column]
        if len(values) >= 2 and values.min() == values.max():
            yield (
                f"{draft.source}: {draft.call(column)} is {typed(values.iloc[0], 4)} in every row, so no law can be "
                "inferred from it; add runs that differ in it"
            )


def compute_disagrees(draft: Draft) -> Iterator[str]:
    """Tell compute that is no smooth multiple of 6 N D, or a multiple that no model costs.

    A factor that is the same, or changes smoothly with size, is information: active parameters, attention, embeddings.
    """
    frame = draft.sound("N", "D", "C")
    ratio = compute_ratio(frame)
    if not len(ratio):
        return
    curve, usual = compute_curve(frame)
    typical = float(np.median(usual))
    if not 1 / LARGEST_FACTOR < typical < LARGEST_FACTOR or _is_product(ratio) or _days_of_exa(ratio):
        where = " in every row" if ratio.max() < SAME_RATIO * ratio.min() else ""
        yield (
            f"{draft.source}: {draft.call('C')} is {typed(typical, 4)} times 6 N D{where}; "
            f"{_compute_remedy(draft, typical)}"
        )
        return
    away = np.abs(np.log(ratio / usual))
    off = away[away > np.log(LARGEST_RATIO)]
    if not len(off) and curve.scatter > LARGEST_SCATTER:
        off = away[away > LARGEST_SCATTER / 2]
    if len(off):
        cases = (_off_case(draft, row, float(ratio[row]), float(usual[row])) for row in off.index[:5])
        yield f"{draft.source}: {draft.call('C')} is {listed(cases, len(off))}; {_compute_remedy(draft, typical)}"


def _off_case(draft: Draft, row: int, ratio: float, usual: float) -> str:
    plain = 1 / SAME_RATIO < usual < SAME_RATIO
    others = "" if plain else f", where runs of this size have {typed(usual, 3)} times"
    return f"{draft.show('C', row)} {draft.where(row)}, {typed(ratio, 4)} times 6 N D{others}"


def _is_product(ratio: "pd.Series[float]") -> bool:
    """Return whether C is N D in every row, without the factor of six."""
    return bool((np.abs(FLOPS_PER_TOKEN * ratio - 1) < ROUNDED_PRODUCT).all())


def _days_of_exa(ratio: "pd.Series[float]") -> bool:
    """Return whether C is in every row 86.4 times 6 N D, as of exaFLOP taken for PF-days, or the other way round."""
    off = FLOP_UNITS["PF-days"] / FLOP_UNITS["exaFLOP"]
    return any(bool((np.abs(ratio / factor - 1) < ROUNDED_PRODUCT).all()) for factor in (off, 1 / off))


def compute_ratio(frame: pd.DataFrame) -> "pd.Series[float]":
    """Return C / (6 N D), with the active parameters for N where they are given."""
    size = working_size(frame)
    if size is None or not len(frame):
        return pd.Series(dtype=float)
    return frame["C"] / (FLOPS_PER_TOKEN * size * frame["D"])


def compute_curve(frame: pd.DataFrame) -> tuple[CostCurve, "pd.Series[float]"]:
    """Return the smooth factor of C over 6 N D, and its value for each run; of one or more runs."""
    ratio, size = compute_ratio(frame), working_size(frame)
    columns = {name: frame[name].to_numpy() for name in COVARIATES if name in frame}
    curve = cost_curve(np.asarray(size), ratio.to_numpy(), columns)
    own = {name: columns[name] for name in curve.usual}
    return curve, pd.Series(np.exp(curve.log_factor(np.asarray(size), own)), index=frame.index)


def working_size(frame: pd.DataFrame) -> "pd.Series[float] | None":
    """Return the parameters that work on each token, as far as they are known; None where there is no N."""
    return frame["active_N"].fillna(frame["N"]) if "active_N" in frame and "N" in frame else frame.get("N")


def _compute_remedy(draft: Draft, ratio: float) -> str:
    if _is_logarithm(draft):
        return "this looks like its decimal logarithm: write the FLOP themselves, 10 ** value"
    for unit, flop in FLOP_UNITS.items():
        if 1 / LARGEST_RATIO < ratio * flop < LARGEST_RATIO:
            factor = f"multiply by {typed(flop, 4)}, with {draft.mapped('C', flop)}"
            return f"C is in FLOP, and this looks like {unit}: {factor}"
    for slip, words in ((1 / 86.4, "exaFLOP, not PF-days"), (86.4, "PF-days, not exaFLOP")):
        if abs(ratio * slip - 1) < ROUNDED_PRODUCT:
            return f"C is in FLOP, and this looks like {words}: {draft.mapped('C', slip)}"
    if 0.9 < FLOPS_PER_TOKEN * ratio < 1.1:
        return f"this looks like N D: multiply by 6, with {draft.mapped('C', 6)}"
    return (
        f"C is in FLOP for the whole run; correct C, N or D, or take C out with {draft.left_out('C')} and let it be "
        "6 N D (for a mixture of experts, add a column active_N)"
    )


def _is_logarithm(draft: Draft) -> bool:
    """Tell C that is log10 of 6 N D within a decade in every row."""
    frame = draft.sound("N", "D", "C")
    away = frame["C"] - np.log10(FLOPS_PER_TOKEN * frame["N"] * frame["D"])
    return bool((away.abs() < 1).all())


def worse_than_uniform(draft: Draft) -> Iterator[str]:
    """Tell losses above ln(vocabulary), which a uniform guess would reach."""
    if draft.response != "loss" or draft.unit not in ("nats per token", "bits per token"):
        return
    frame = draft.sound("loss", "vocabulary")
    scale = 1.0 if draft.unit == "nats per token" else float(np.log(2))
    rows = [int(row) for row in frame.index[frame["loss"] * scale > np.log(frame["vocabulary"])]] if len(frame) else []
    if rows:
        limit = float(np.log(frame["vocabulary"][rows[0]])) / scale
        yield draft.fault(
            "loss",
            rows,
            f"that is worse than a uniform guess, {typed(limit, 4)} {draft.unit} for this vocabulary; "
            "take out a run that diverged, or convert the unit",
        )


def looks_like_accuracy(draft: Draft) -> Iterator[str]:
    """Tell a response between 0 and 1 that rises with compute."""
    if draft.response in (None, "gain") or not draft.has("N", "D", draft.response):
        return
    frame = draft.sound("N", "D", draft.response)
    if says_loss(draft.headers.get(str(draft.response), "")):
        return
    if len(frame) and frame[draft.response].max() <= 1 and rises_with_compute(frame, draft.response):
        header = draft.headers.get(str(draft.response), "")
        yield (
            f"{draft.source}: {draft.call(str(draft.response))} is at most 1 and rises with compute, so it looks like "
            f"an accuracy; give the loss, or rename {header!r} to accuracy and read it as 1 - accuracy"
        )


def few_tokens(draft: Draft) -> Iterator[str]:
    """Tell sizes and tokens that were swapped, or are not both in ones.

    Judged by the whole column: by its median, or by rows far below all others. A design that merely begins below the
    limit has runs in between.
    """
    frame = draft.sound("N", "D")
    ratio = frame["D"] / frame["N"] if len(frame) else pd.Series(dtype=float)
    ratio = ratio[ratio > 0]
    if draft.samples or not len(ratio):
        return
    rows = [int(row) for row in ratio.index[ratio < FEWEST_TOKENS]]
    if ratio.median() < FEWEST_TOKENS:
        remedies = "; ".join(_ratio_remedies(draft, ratio))
    elif rows and ratio.drop(rows).min() > LONE_FACTOR * ratio[rows].max():
        remedies = (
            f"their N or D may be in another unit than the others: write it in ones; where they are right: --where "
            f"{shlex.quote(f'D / N >= {FEWEST_TOKENS:g}')} takes such runs out"
        )
    else:
        return
    cases = (f"{typed(float(ratio[row]), 4)} {draft.where(row)}" for row in rows[:5])
    yield (f"{draft.source}: tokens per parameter are {listed(cases, len(rows))}, fewer than any run has; {remedies}")


def _ratio_remedies(draft: Draft, ratio: "pd.Series[float]") -> Iterator[str]:
    """Yield what may be wrong where D/N is far too low: the two swapped, D in another unit, or no tokens."""
    N, D = (draft.headers.get(column, column) for column in ("N", "D"))
    if 0.1 <= float((1 / ratio).median()) <= 1e4 and {draft.factors.get(column, 1.0) for column in "ND"} == {1.0}:
        yield f"where N and D are swapped: --map {shlex.quote(f'N={D},D={N}')}"
    for factor, word in ((1e3, "thousands"), (1e6, "millions"), (1e9, "billions")):
        if 0.1 <= float(ratio.median()) * factor <= 1e4:
            yield f"where D is in {word}: {draft.mapped('D', factor)}"
    yield f"where D counts no tokens: rename {D!r} to hours, images or what it counts, and use --map D=hours"


def batch_in_sequences(draft: Draft) -> Iterator[str]:
    """Tell a batch that counts sequences: steps times batch is a whole part of D in every row."""
    frame = draft.sound("steps", "batch", "D")
    frame = frame[(frame["steps"] > 0) & (frame["batch"] > 0)] if len(frame) else frame
    ratio = frame["D"] / (frame["steps"] * frame["batch"]) if len(frame) else pd.Series(dtype=float)
    if len(ratio) >= 2 and ratio.max() < SAME_RATIO * ratio.min() and ratio.min() > 2:
        length = round(float(ratio.median()))
        yield (
            f"{draft.source}: {draft.call('batch')} counts no tokens: D is {length} times steps x batch in every row, "
            f"as of sequences of {length} tokens; {draft.mapped('batch', length)}"
        )


CHECKS: tuple[Callable[[Draft], Iterator[str]], ...] = (
    too_few_rows,
    unlabelled_runs,
    repeated_rows,
    many_copies,
    repeated_labels,
    several_datasets,
    summary_rows,
    never_varies,
    compute_disagrees,
    worse_than_uniform,
    looks_like_accuracy,
    few_tokens,
)

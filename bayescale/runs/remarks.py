"""What is worth saying about a table that is not a fault: one small function per remark."""

import shlex
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from bayescale.memory import gigabytes
from bayescale.runs.amounts import MANY, fit_bytes, fit_minutes
from bayescale.runs.checks import SAME_RATIO, compute_curve, compute_ratio, working_size
from bayescale.runs.draft import Draft, listed
from bayescale.runs.headers import ALIASES, NUMERIC, quoted
from bayescale.runs.outliers import far_above
from bayescale.runs.rows import unfinished_rows
from bayescale.runs.rules import rises_with_compute
from bayescale.words import percent, typed

TOLD_SCATTER = 0.05

MOST_TOKENS_PER_PARAMETER = 1e5  # thirty times the most overtrained models published
FEW_TOKENS_PER_PARAMETER = 0.1


def remarks(draft: Draft, compute: str) -> list[str]:
    """Return the remarks on a table without faults."""
    return [remark for say in REMARKS for remark in say(draft, compute)]


def curve_ends(frame: pd.DataFrame) -> tuple[float, float]:
    """Return the smallest and the largest size."""
    sizes = working_size(frame)
    return (float("nan"), float("nan")) if sizes is None else (float(sizes.min()), float(sizes.max()))


def where_compute_is_from(draft: Draft, compute: str) -> Iterator[str]:
    """Say that C was computed, or that it is a constant times 6 N D."""
    if compute == "6ND":
        yield "C is computed as 6 N D"
        if draft.has("active_N"):
            yield "C = 6 N D counts every expert; give C where only active_N parameters work on each token"
        return
    if not draft.has("N", "D", "C"):
        return
    ratio = compute_ratio(draft.frame)
    curve, usual = compute_curve(draft.frame)
    if ratio.max() < SAME_RATIO * ratio.min():
        if not 1 / SAME_RATIO < ratio.median() < SAME_RATIO:
            yield f"C is {typed(ratio.median())} times 6 N D in every row"
    elif not curve.exact:
        least, largest = (usual[working_size(draft.frame) == size].median() for size in curve_ends(draft.frame))
        about = f", with a scatter of {percent(curve.scatter, 2)}" if curve.scatter > TOLD_SCATTER else ""
        yield (
            f"C is {typed(least, 3)} times 6 N D for the smallest model and {typed(largest, 3)} times for the largest"
            f"{about}: budgets are spent by it"
        )


def repeated_data(draft: Draft, _: str) -> Iterator[str]:
    """Say that some runs saw their data more than once."""
    frame = draft.frame
    repeats = np.zeros(len(frame), dtype=bool)
    if draft.has("epochs"):
        repeats |= (frame["epochs"] > 1.001).to_numpy()
    if draft.has("unique_tokens", "D"):
        repeats |= (frame["unique_tokens"] < 0.999 * frame["D"]).to_numpy()
    if repeats.any():
        yield (
            f"{repeats.sum()} of {len(frame)} runs repeat their data; "
            "laws of N and D alone are stated for a single epoch"
        )


def replicates(draft: Draft, _: str) -> Iterator[str]:
    """Say that runs share N and D."""
    if not draft.has("N", "D"):
        return
    shared = draft.frame.duplicated(["N", "D"], keep=False)
    if shared.any():
        yield f"{shared.sum()} runs share their N and D with another: replicates, or different in something else"
    same = draft.frame.duplicated(["N", "D", str(draft.response)], keep=False)
    if same.any():
        places = draft.at([int(row) for row in np.flatnonzero(same)])
        yield f"the same N, D and {draft.response} stand on {places}; make sure that they are different runs"


def proportional_data(draft: Draft, _: str) -> Iterator[str]:
    """Say that D is a constant times N."""
    if not draft.has("N", "D"):
        return
    ratio = draft.frame["D"] / draft.frame["N"]
    if ratio.max() < SAME_RATIO * ratio.min():
        yield f"D is {typed(ratio.median())} N in every row, so N and D cannot be distinguished"


def extreme_ratios(draft: Draft, _: str) -> Iterator[str]:
    """Say that a run has more tokens per parameter than any published, or next to none."""
    if not draft.has("N", "D"):
        return
    ratio = draft.frame["D"] / draft.frame["N"]
    low = 0.0 if draft.samples else FEW_TOKENS_PER_PARAMETER
    rows = [int(row) for row in np.flatnonzero((ratio > MOST_TOKENS_PER_PARAMETER) | (ratio < low))]
    if rows:
        cases = (f"{typed(ratio[row], 4)} {draft.where(row)}" for row in rows[:5])
        yield f"tokens per parameter are {listed(cases, len(rows))}; check the units of N and D"


def rising_response(draft: Draft, _: str) -> Iterator[str]:
    """Say that the response rises with compute."""
    if draft.response != "gain" and rises_with_compute(draft.frame, str(draft.response)):
        yield f"{draft.response} rises with compute; make sure that it is a loss, and that no run overfitted"


def samples(draft: Draft, compute: str) -> Iterator[str]:
    """Say that D counts no tokens."""
    if draft.samples:
        more = "; 6 N D is then no FLOP, but a count of the same kind" if compute == "6ND" else ""
        yield f"D counts {draft.samples} ({draft.headers['D']!r}), not tokens{more}"


def unfinished(draft: Draft, _: str) -> Iterator[str]:
    """Say that rows are of runs that did not end, by their own column of status."""
    rows = unfinished_rows(draft)
    if rows:
        yield (
            f"{len(rows)} of {len(draft.frame)} rows are of runs that did not finish, by their own status "
            f"({draft.at(rows)}); laws are stated for finished runs: --drop-unfinished takes them out"
        )


def diverged(draft: Draft, _: str) -> Iterator[str]:
    """Name the runs whose response lies far above that of runs like them."""
    for row, excess in far_above(draft.frame, str(draft.response)):
        label = str(draft.frame["run"].iloc[row]) if draft.has("run") else ""
        take_out = (
            shlex.quote(f'run != "{label}"') if label else shlex.quote(f"{draft.response} < {_below(draft, row)}")
        )
        yield (
            f"the {draft.response} {draft.where(row)} is {excess:.0%} above runs like it; did it diverge? "
            f"--where {take_out} takes it out"
        )


def _below(draft: Draft, row: int) -> str:
    return typed(float(draft.frame[str(draft.response)].iloc[row]), 6)


def gaps(draft: Draft, _: str) -> Iterator[str]:
    """Say which covariates are missing in some rows."""
    for column in NUMERIC:
        if draft.has(column) and draft.frame[column].isna().any():
            yield f"{column} is missing in {draft.frame[column].isna().sum()} of {len(draft.frame)} rows"


def shared_training(draft: Draft, _: str) -> Iterator[str]:
    """Say that rows are checkpoints of the same training."""
    if draft.has("training_run") and draft.frame["training_run"].duplicated().any():
        count = draft.frame["training_run"].nunique()
        yield f"{len(draft.frame)} rows come from {count} training runs; those of a run share a part of their noise"


def many_rows(draft: Draft, _: str) -> Iterator[str]:
    """Say what a fit of a large table takes, and what of it is thinned."""
    rows = len(draft.frame)
    if rows > MANY:
        yield (
            f"{rows} runs are many: a law takes about {fit_minutes(rows)} and "
            f"{gigabytes(fit_bytes(draft.frame))} of memory to fit; of the predictive draws some are kept, of the "
            "log likelihood none"
        )


def left_over(draft: Draft, _: str) -> Iterator[str]:
    """Say which columns no law knows."""
    columns = [str(column) for column in draft.frame if column not in ALIASES]
    if columns:
        yield f"columns kept but used by no law: {quoted(columns)}"


REMARKS: tuple[Callable[[Draft, str], Iterator[str]], ...] = (
    where_compute_is_from,
    repeated_data,
    replicates,
    proportional_data,
    extreme_ratios,
    rising_response,
    samples,
    unfinished,
    diverged,
    gaps,
    shared_training,
    many_rows,
    left_over,
)

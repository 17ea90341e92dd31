"""Which rows of a table are kept: asked for by the user, applied before values are checked, and reported."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.runs.conditions import ConditionError, rows_where
from bayescale.runs.draft import Draft
from bayescale.runs.headers import normalised, quoted
from bayescale.runs.numerals import cell_text
from bayescale.runs.table import FEWEST_ROWS
from bayescale.words import shortened

DROPS = ("unfinished", "duplicates")
STATUS = ("status", "state", "run_state", "run_status", "job_status", "job_state")
FINISHED = ("finished", "completed", "complete", "is_finished")
UNFINISHED = frozenset(
    (
        "running",
        "crashed",
        "failed",
        "failure",
        "killed",
        "diverged",
        "preempted",
        "pending",
        "queued",
        "aborted",
        "interrupted",
        "timeout",
        "unfinished",
        "canceled",
        "cancelled",
        "scheduled",
        "oom",
        "nan",
        "stopped",
        "terminated",
        "incomplete",
    )
)
NO = frozenset({"0", "0.0", "false", "no", "n"})
LABELS = ("run", "index", "id", "row", "unnamed:_0")
DIGITS = 6
"""Significant digits to which copies of a run agree."""


@dataclass(frozen=True)
class RowRules:
    """Which rows are kept.

    Attributes
    ----------
    where : str, optional
        A condition over the columns.
    drop : tuple of str
        ``unfinished``, ``duplicates``.
    last_of : str, optional
        Keep the last row of each value of this column.
    best_of : tuple of str
        Keep the row of least response for each combination of these columns.
    """

    where: str | None = None
    drop: tuple[str, ...] = ()
    last_of: str | None = None
    best_of: tuple[str, ...] = ()


def keep_rows(draft: Draft, rules: RowRules) -> tuple[Draft, list[int], list[str]]:
    """Return the draft of the rows kept, their numbers before, and what was dropped."""
    rows, notes = list(range(len(draft.frame))), []
    for name, select in (
        ("where", _where),
        ("drop", _unfinished),
        ("last_of", _last),
        ("best_of", _best),
        ("drop", _distinct),
    ):
        if getattr(rules, name):
            part = rows_of(draft, rows)
            kept, note = select(part, rules)
            notes += [note] * bool(note)
            rows = [rows[position] for position in kept]
    if len(rows) < min(FEWEST_ROWS, len(draft.frame)):
        asked = shortened(rules.where) if rules.where else "these options"
        raise InputError(
            f"{draft.source} [{asked}]: {len(rows)} of {len(draft.frame)} rows are left, and a law needs at least "
            f"{FEWEST_ROWS}; widen the condition"
        )
    return rows_of(draft, rows), rows, notes


def rows_of(draft: Draft, rows: Sequence[int]) -> Draft:
    """Return the draft with these rows only."""
    return replace(
        draft,
        frame=draft.frame.iloc[list(rows)].reset_index(drop=True),
        cells=draft.cells.iloc[list(rows)].reset_index(drop=True),
        places=tuple(draft.places[row] for row in rows),
    )


def _where(draft: Draft, rules: RowRules) -> tuple[list[int], str]:
    condition = str(rules.where)
    frame = draft.frame.copy()
    if "C" not in frame and {"N", "D"} <= set(frame):
        frame["C"] = FLOPS_PER_TOKEN * frame["N"] * frame["D"]
    for canonical, header in draft.headers.items():
        if canonical in frame and header not in frame:
            frame[header] = frame[canonical]
    if "run" not in frame:
        frame["run"] = row_labels(len(frame))
    try:
        kept = np.flatnonzero(rows_where(frame, condition))
    except ConditionError as error:
        raise InputError(
            f"{draft.source}: cannot select by {shortened(condition)!r} ({error}); write a comparison over the columns "
            f"{shortened(', '.join(map(str, frame.columns)))}"
        ) from None
    return [int(row) for row in kept], f"{len(kept)} of {len(frame)} rows selected by {condition}"


def row_labels(count: int) -> list[str]:
    """Return the labels of runs that have none."""
    return [f"run {row:0{len(str(count))}d}" for row in range(1, count + 1)]


def unfinished_rows(draft: Draft) -> list[int]:
    """Return the rows whose own column of status says that they did not end as they should."""
    found: set[int] = set()
    for column in draft.frame:
        name = normalised(str(column))
        if name in (*STATUS, *FINISHED):
            bad = UNFINISHED if name in STATUS else NO
            words = [cell_text(cell).strip().casefold() for cell in draft.cells[column]]
            found |= {row for row, word in enumerate(words) if word in bad}
    return sorted(found)


def _unfinished(draft: Draft, rules: RowRules) -> tuple[list[int], str]:
    if "unfinished" not in rules.drop:
        return list(range(len(draft.frame))), ""
    dropped = unfinished_rows(draft)
    if draft.has(draft.response):
        without = np.flatnonzero(~np.isfinite(draft.frame[str(draft.response)].to_numpy()))
        dropped = sorted({*dropped, *map(int, without)})
    kept = [row for row in range(len(draft.frame)) if row not in dropped]
    return kept, _report(draft, dropped, "unfinished, or without a value of the response")


def _distinct(draft: Draft, rules: RowRules) -> tuple[list[int], str]:
    if "duplicates" not in rules.drop:
        return list(range(len(draft.frame))), ""
    dropped = sorted(row for group in copies(draft) for row in group[1:])
    kept = [row for row in range(len(draft.frame)) if row not in dropped]
    return kept, _report(draft, dropped, "copies of another row")


def copies(draft: Draft) -> list[list[int]]:
    """Return the rows that agree in N, D, C and response to six digits, and in all else but their labels."""
    sizes = [column for column in ("N", "D", "C", draft.response) if draft.has(column)]
    keys = {column: _rounded(draft.frame[str(column)]) for column in sizes}
    for column in draft.cells:
        texts = draft.cells[column].map(cell_text)
        number = column in draft.frame and pd.api.types.is_numeric_dtype(draft.frame[column])
        label = normalised(str(column)) in LABELS or (texts.nunique() == len(texts) and not number)
        if column not in sizes and not label:
            keys[column] = texts
    frame = pd.DataFrame(keys)
    repeated = frame[frame.duplicated(keep=False) & frame[sizes].notna().all(axis=1)]
    if not len(repeated):
        return []
    groups = repeated.groupby(list(repeated.columns), sort=False, dropna=False)
    return [[int(row) for row in rows.index] for _, rows in groups]


def _rounded(values: "pd.Series[float]") -> "pd.Series[float]":
    return values.map(lambda value: float(f"{value:.{DIGITS - 1}e}"))


def _last(draft: Draft, rules: RowRules) -> tuple[list[int], str]:
    column = _column(draft, str(rules.last_of), "last_of= (--last-of)")
    order = next((name for name in ("steps", "D", "C") if draft.has(name)), None)
    values = draft.frame[order] if order else pd.Series(range(len(draft.frame)))
    last = values.fillna(-np.inf).groupby(draft.frame[column].map(cell_text), sort=False).idxmax()
    kept = sorted(int(row) for row in last)
    by = f"by {order}" if order else "in the order of the table"
    dropped = len(draft.frame) - len(kept)
    return kept, f"{dropped} of {len(draft.frame)} rows dropped: the last of each {rules.last_of}, {by}, is kept"


def _best(draft: Draft, rules: RowRules) -> tuple[list[int], str]:
    columns = [_column(draft, name, "best_of= (--best-of)") for name in rules.best_of]
    if not draft.has(draft.response):
        return list(range(len(draft.frame))), ""
    finite = draft.frame[np.isfinite(draft.frame[str(draft.response)])]
    best = finite.groupby([finite[column].map(cell_text) for column in columns], sort=False)[draft.response].idxmin()
    kept = sorted(int(row) for row in best)
    dropped = len(draft.frame) - len(kept)
    names = ", ".join(rules.best_of)
    return kept, f"{dropped} of {len(draft.frame)} rows dropped: the least {draft.response} of each {names} is kept"


def _column(draft: Draft, name: str, option: str) -> str:
    """Return the column called so, by its own name or its header."""
    by_header = {header: canonical for canonical, header in draft.headers.items()}
    found = name if name in draft.frame else by_header.get(name)
    if found is None or found not in draft.frame:
        raise InputError(
            f"{draft.source}: {option} names {name!r}, which is not there; found {quoted(list(draft.frame))}"
        )
    return found


def _report(draft: Draft, dropped: Iterable[int], why: str) -> str:
    rows = list(dropped)
    if not rows:
        return f"0 of {len(draft.frame)} rows dropped: none {why}"
    labels = [str(draft.frame["run"].iloc[row]) if draft.has("run") else draft.places[row] for row in rows]
    return f"{len(rows)} of {len(draft.frame)} rows dropped as {why}: {quoted(labels, 5)}"

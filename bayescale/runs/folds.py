"""Which rows are left out together, in cross-validation, and which larger ones are held out, in a backtest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayescale.errors import InputError
from bayescale.runs.table import RunTable
from bayescale.runs.units import group_labels, independent_units, numbered
from bayescale.words import percent, short

NOUNS = {
    "budget": "budgets",
    "family": "families",
    "training_run": "training runs",
    "largest": "runs",
    "random": "runs",
}
"""What can be left out together, and what standard errors are over."""

RANDOM_FOLDS = 10
LARGEST_PART = 0.2
FEWEST_LARGEST = 5
"""Folds of ``random``; part of the runs that ``largest`` leaves out, and the fewest that it does."""

BUDGET_GAP, BUDGET_WIDTH, BUDGET_RUNS = 0.05, 0.1, 3
"""Budgets are told apart by gaps of log10 C; each is no wider than this, and they hold this many runs on average."""

BINS_PER_DECADE = 4
"""Where C is not discrete: bins centred on 1, 1.8, 3.2 and 5.6 times a power of ten."""

TIE = 1e-9
"""Sizes tie within this part of them: C = 6 N D of one budget differs by rounding."""

ALONE = -1
"""Fold of a run that is never left out."""

THRESHOLDS = (0.2, 0.4, 10.0, 30.0)
"""Parts of the runs, and factors of compute, that are held out unless said otherwise."""


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which runs are left out together (run,): label, number of the refit, and what standard errors are over."""

    labels: np.ndarray
    folds: np.ndarray
    units: np.ndarray
    notes: tuple[str, ...]

    @property
    def count(self) -> int:
        """Number of refits of each law."""
        return np.unique(self.folds[self.folds != ALONE]).size


def grouping_of(runs: RunTable, by: str, folds: int | None, random_seed: int) -> Grouping:
    """Return the groups of a cross-validation: by budget, family, training run, the largest, or at random."""
    if by not in NOUNS:
        raise InputError(f"by is {by!r}; expected one of {', '.join(NOUNS)}")
    if by == "largest":
        return _largest(runs, folds)
    if by == "random":
        labels, note = _independent(runs), ""
    else:
        labels, note = budgets_of(runs) if by == "budget" else _named(runs, by)
    groups = numbered(labels)
    count = int(groups.max()) + 1
    if count < 2:
        raise InputError(f"{runs.name}: all runs are of one {by} ({labels[0]}); cross-validate by something else")
    wanted = min(RANDOM_FOLDS, count) if by == "random" and folds is None else folds
    if wanted is not None and not 2 <= wanted <= count:
        raise InputError(f"folds is {wanted}; expected a whole number from 2 to the {count} {NOUNS[by]} there are")
    together = groups if wanted in (None, count) else _shared_out(groups, int(wanted or count), random_seed)[groups]
    several = together is not groups
    shape = f"{count} {noun(by, runs)} in {together.max() + 1} folds" if several else f"{count} {NOUNS[by]}"
    notes = [f"left out by {by}: {shape}{note}", *_split_notes(runs, together, by)]
    return Grouping(labels, together, groups, tuple(notes))


def noun(by: str, runs: RunTable) -> str:
    """Name what standard errors are over."""
    shared = int(independent_units(runs).max()) + 1 < len(runs.frame)
    return "training runs" if shared and by in ("largest", "random") else NOUNS[by]


def _independent(runs: RunTable) -> np.ndarray:
    """Return a label of each row's training run, or of the row where it is one of its own (row,)."""
    if "training_run" in runs.frame:
        return group_labels(runs.frame["training_run"])
    return np.array([f"row {row}" for row in range(len(runs.frame))])


def _named(runs: RunTable, column: str) -> tuple[np.ndarray, str]:
    """Return the labels of a column, and how many rows have none."""
    if column not in runs.frame:
        raise InputError(
            f"{runs.name}: leaving out {NOUNS[column]} needs a column {column}; found "
            f"{', '.join(map(str, runs.frame))}; map one to it, or cross-validate by budget or random"
        )
    missing = int((runs.frame[column].to_numpy(dtype=str) == "").sum())
    note = f"; {missing} rows without a label are groups of their own" if missing else ""
    return group_labels(runs.frame[column]), note


def budgets_of(runs: RunTable) -> tuple[np.ndarray, str]:
    """Return the budget of each run as text (run,), and how it was found."""
    if "budget" in runs.frame:
        labels, note = _named(runs, "budget")
        return labels, f", as in column budget{note}"
    C = _compute(runs, "budget")
    found = _discrete(np.log10(C))
    if found is not None:
        typical = [np.exp(np.log(C[found == group]).mean()) for group in range(found.max() + 1)]
        return np.array([f"{short(typical[group], 3)} FLOP" for group in found]), ", the values of C that repeat"
    centers = np.round(BINS_PER_DECADE * np.log10(C)) / BINS_PER_DECADE
    return np.array([f"{short(10.0**center)} FLOP" for center in centers]), ", bins of a quarter of a decade of C"


def _compute(runs: RunTable, by: str) -> np.ndarray:
    if "C" not in runs.frame:
        raise InputError(f"{runs.name}: cross-validation by {by} needs training compute C; the table has none")
    values: np.ndarray = runs.frame["C"].to_numpy(dtype=float)
    return values


def _discrete(log_C: np.ndarray) -> np.ndarray | None:
    """Return the number of each run's value of log10 C where there are few that repeat, else None (run,)."""
    order = np.argsort(log_C, kind="stable")
    steps = np.diff(log_C[order]) > BUDGET_GAP
    groups = np.empty(log_C.size, dtype=int)
    groups[order] = np.concatenate([[0], np.cumsum(steps)])
    widths = [np.ptp(log_C[groups == group]) for group in range(groups.max() + 1)]
    few = len(widths) * BUDGET_RUNS <= log_C.size
    return groups if few and max(widths) <= BUDGET_WIDTH else None


def largest_part(size: np.ndarray, part: float, *, fewest: int = 1) -> np.ndarray:
    """Return which runs are the largest part of all (run,): the one rule of cross-validation and backtests.

    Parameters
    ----------
    size : numpy.ndarray
        What runs are ordered by, such as C (run,).
    part : float
        Part of the runs, above 0 and below 1.
    fewest : int
        The fewest runs, where there are more than that.

    Returns
    -------
    numpy.ndarray
        Whether each run is one of them: those from the quantile up. Runs that tie with the smallest of them are too,
        so that runs of one budget stay together, up to rounding; at least one run is, and where all tie, all are.
    """
    limit = min(np.quantile(size, 1 - part, method="higher"), np.sort(size)[-min(fewest, max(size.size - 1, 1))])
    held: np.ndarray = size >= limit * (1 - TIE)
    return held


def _largest(runs: RunTable, folds: int | None) -> Grouping:
    """Leave out the largest fifth of the runs by C, and all that tie with the smallest of them."""
    if folds is not None:
        raise InputError("the largest runs are left out once; leave folds out, or cross-validate by budget")
    C = _compute(runs, "largest")
    held = largest_part(C, LARGEST_PART, fewest=FEWEST_LARGEST)
    threshold = C[held].min()
    if held.all():
        raise InputError(f"{runs.name}: too many runs share the largest C ({short(threshold)} FLOP) to leave it out")
    reach = short(C[held].max() / C[~held].max(), 2)
    notes = [
        f"left out: the {held.sum()} largest runs by C ({percent(held.mean(), 2)}), from {short(threshold)} FLOP, up "
        f"to {reach} times the largest run left in",
        "one fold: standard errors are over the runs left out, and do not say how other extrapolations would go",
    ]
    folds_of = np.where(held, 0, ALONE)
    labels = np.where(held, "largest", "rest")
    return Grouping(labels, folds_of, independent_units(runs), (*notes, *_split_notes(runs, folds_of, "largest")))


def _split_notes(runs: RunTable, folds: np.ndarray, by: str) -> list[str]:
    """Say where rows of one training run stand on both sides of a fold."""
    units = independent_units(runs)
    sides = np.unique(np.stack([units, folds]), axis=1)[0]
    split_across_folds = int((np.bincount(sides) > 1).sum())
    if not split_across_folds:
        return []
    return [
        f"{split_across_folds} training runs have rows on both sides of a fold, so laws have seen other rows of the "
        f"runs they predict: by {by} these scores are too good, and their standard errors too small"
    ]


def _shared_out(groups: np.ndarray, folds: int, random_seed: int) -> np.ndarray:
    """Return the fold of each group: in random order, each goes to the fold with the fewest rows so far (group,)."""
    sizes = np.bincount(groups)
    rows, fold_of = np.zeros(folds, dtype=int), np.empty(sizes.size, dtype=int)
    for group in np.random.default_rng(random_seed).permutation(sizes.size):
        fold_of[group] = np.argmin(rows)
        rows[fold_of[group]] += sizes[group]
    return fold_of


@dataclass(frozen=True)
class Fold:
    """Runs to forecast from others.

    Attributes
    ----------
    threshold : float or str
        What was held out: a part of the runs, a factor, or the name of a budget or family.
    held : tuple of int
        Rows that are forecast, in canonical order.
    train : tuple of int
        Rows that the law is fitted to.
    """

    threshold: float | str
    held: tuple[int, ...]
    train: tuple[int, ...]


def size_folds(runs: RunTable, by: str, thresholds: Sequence[float] | None) -> list[Fold]:
    """Return the folds of a backtest: the largest by C, N or D, or each budget or family in turn."""
    if by in ("C", "N", "D"):
        if by not in runs.frame:
            raise InputError(f"{runs.name}: holding out the largest {by} needs column {by}; the table has none")
        chosen = THRESHOLDS if thresholds is None else tuple(thresholds)
        wrong = [value for value in chosen if not (0 < value < 1 or 1 < value < np.inf)]
        if wrong or not chosen:
            raise InputError(
                f"thresholds are {list(chosen)}; expected parts of the runs below 1, or factors above 1, as 0.2, 10"
            )
        return [_largest_fold(runs.frame[by].to_numpy(dtype=float), value) for value in chosen]
    if thresholds is not None:
        raise InputError(f"thresholds go with by = C, N or D; by = {by} holds out each in turn")
    if by in ("budget", "family") and "C" not in runs.frame:
        raise InputError(f"{runs.name}: holding out by {by} needs column C, to say how far beyond; the table has none")
    if by == "budget":
        return _budgets(runs)
    if by == "family":
        return _families(runs)
    raise InputError(f"cannot hold out by {by}; expected C, N, D, budget or family")


def _largest_fold(size: np.ndarray, threshold: float) -> Fold:
    held = largest_part(size, threshold) if threshold < 1 else size > size.max() / threshold * (1 + TIE)
    return _fold(threshold, held, ~held)


def _fold(threshold: float | str, held: np.ndarray, train: np.ndarray) -> Fold:
    return Fold(threshold, tuple(np.flatnonzero(held).tolist()), tuple(np.flatnonzero(train).tolist()))


def _budgets(runs: RunTable) -> list[Fold]:
    labels, _ = budgets_of(runs)
    C = runs.frame["C"].to_numpy(dtype=float)
    typical = {str(label): float(np.log(C[labels == label]).mean()) for label in dict.fromkeys(labels)}
    ranked = sorted(typical, key=lambda label: typical[label])
    place = np.array([ranked.index(str(label)) for label in labels])
    return [_fold(label, place == i, place < i) for i, label in enumerate(ranked)]


def _families(runs: RunTable) -> list[Fold]:
    if "family" not in runs.frame:
        raise InputError(f"{runs.name}: holding out families needs column family; the table has none")
    labels = runs.frame["family"].to_numpy(dtype=str)
    return [_fold(str(label), labels == label, labels != label) for label in dict.fromkeys(labels)]

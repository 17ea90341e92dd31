"""Which scores are left out together, and why."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.runs.folds import largest_part
from bayescale.skills.table import ScoreTable
from bayescale.words import short

PART = 1 / 3
"""Part of the models that are the largest, or the latest."""

FOLDS = {"model": 5, "family": 5, "cell": 5}


type Target = str | Sequence[str] | None
"""The response, or responses, that are left out of the largest models."""


@dataclass(frozen=True, eq=False)
class ScoreFold:
    """Scores to forecast from the others (run, response)."""

    held: np.ndarray
    what: str


def score_folds(
    table: ScoreTable, by: str, *, folds: int | None, cutoff: float | str | None, target: Target, random_seed: int
) -> list[ScoreFold]:
    """Return the folds of a scheme; only models of known compute are forecast.

    Raises
    ------
    InputError
        If there is no such scheme, or the table cannot be divided by it.
    """
    schemes: Mapping[str, Callable[[], Iterator[ScoreFold]]] = {
        "model": lambda: _by_group(table, np.arange(len(table.models)), folds or FOLDS["model"], random_seed),
        "family": lambda: _by_group(table, table.family_of, folds or FOLDS["family"], random_seed),
        "cell": lambda: _by_cell(table, folds or FOLDS["cell"], random_seed),
        "largest": lambda: iter([_largest(table, cutoff)]),
        "date": lambda: iter([_latest(table, cutoff)]),
        "response": lambda: iter([_target(table, cutoff, target)]),
    }
    if by not in schemes:
        raise InputError(f"by is {by!r}; expected {', '.join(schemes)}")
    if target is not None and by != "response":
        raise InputError(f"target= is for by='response'; found by={by!r}")
    found = [fold for fold in schemes[by]() if fold.held.any()]
    if not found or any(_seen(table, fold).sum() < 3 for fold in found):
        raise InputError(f"{table.name}: too few scores are left to fit by {by}; choose another cutoff or scheme")
    return found


def table_by(table: ScoreTable, by: str) -> ScoreTable:
    """Return the models that a scheme can use: by date, those of known date, for others may be later than any."""
    dated = table.models["date"].notna().to_numpy()
    if by != "date" or dated.all() or not dated.any():
        return table
    return table.only(dated, f"{int((~dated).sum())} models have no date and are left out")


def _seen(table: ScoreTable, fold: ScoreFold) -> np.ndarray:
    return np.asarray(np.isfinite(table.scores) & ~fold.held)


def _known(table: ScoreTable) -> np.ndarray:
    return np.asarray(table.models["C"].notna())


def _by_group(table: ScoreTable, group: np.ndarray, folds: int, random_seed: int) -> Iterator[ScoreFold]:
    """Share groups out in random order, each to the fold with the fewest models so far."""
    known, there = _known(table), np.isfinite(table.scores)
    sizes = np.bincount(group, weights=known)
    if not 2 <= folds <= int((sizes > 0).sum()):
        raise InputError(f"folds is {folds}; expected 2 to {int((sizes > 0).sum())}")
    filled, fold_of = np.zeros(folds), np.empty(sizes.size, dtype=int)
    for each in np.random.default_rng(random_seed).permutation(sizes.size):
        fold_of[each] = np.argmin(filled)
        filled[fold_of[each]] += sizes[each]
    for fold in range(folds):
        held = (fold_of[group] == fold) & known
        yield ScoreFold(held[:, None] & there, f"fold {fold + 1}")


def _by_cell(table: ScoreTable, folds: int, random_seed: int) -> Iterator[ScoreFold]:
    there = np.isfinite(table.scores) & _known(table)[:, None]
    order = np.random.default_rng(random_seed).permutation(int(there.sum())) % folds
    fold_of = np.full(there.shape, -1)
    fold_of[there] = order
    for fold in range(folds):
        yield ScoreFold(fold_of == fold, f"fold {fold + 1}")


def _largest(table: ScoreTable, cutoff: float | str | None) -> ScoreFold:
    return ScoreFold(_above(table, cutoff)[:, None] & np.isfinite(table.scores), _words(table, cutoff))


def _above(table: ScoreTable, cutoff: float | str | None) -> np.ndarray:
    """Return which models have more compute than the cutoff, or are the largest third."""
    known, compute = _known(table), table.models["C"].to_numpy(dtype=float)
    if cutoff is None:
        held = np.zeros(len(known), dtype=bool)
        held[known] = largest_part(compute[known], PART)
        return held
    try:
        return np.asarray(known & (np.nan_to_num(compute) > float(cutoff)))
    except ValueError:
        raise InputError(f"cutoff is {cutoff!r}; expected compute in FLOP, such as 8.4e22") from None


def _words(table: ScoreTable, cutoff: float | str | None) -> str:
    least = table.models["C"].to_numpy(dtype=float)[_above(table, cutoff)]
    return f"models of {short(least.min())} FLOP and more" if len(least) else "no models"


def _latest(table: ScoreTable, cutoff: float | str | None) -> ScoreFold:
    dates = table.models["date"]
    if dates.notna().sum() < 2:
        raise InputError(f"{table.name}: by date needs dates of release; give a column date, such as 2024-04-18")
    try:
        limit = dates.quantile(1 - PART) if cutoff is None else pd.to_datetime(str(cutoff))
    except ValueError:
        raise InputError(f"cutoff is {cutoff!r}; expected a date, such as 2024-04-18") from None
    held = ((dates >= limit) & _known(table)).to_numpy()
    return ScoreFold(held[:, None] & np.isfinite(table.scores), f"models released since {limit:%Y-%m-%d}")


def _target(table: ScoreTable, cutoff: float | str | None, target: Target) -> ScoreFold:
    names = [target] if isinstance(target, str) else [*(target or ())]
    if not names or not set(names) <= set(table.names):
        raise InputError(f"by response needs target=, one or more of {', '.join(table.names)}; found {target!r}")
    held = _above(table, cutoff)[:, None] & np.isin(table.names, names) & np.isfinite(table.scores)
    return ScoreFold(held, f"{', '.join(names)} of {_words(table, cutoff)}")

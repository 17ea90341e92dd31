"""rank_laws: laws in the order of their densities of runs left out, and which differences are decided."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescale.values import Value

SMALL_DIFFERENCE = 4.0
"""Below this many nats two laws are not distinguished (Sivula et al. 2025, arXiv:2008.10296)."""

FEW_ROWS = 100
"""Below this many rows, or training runs, the standard error of a difference is too small (same source)."""

ERRORS_NEEDED = 2.0
ERRORS_NEEDED_FEW = 4.0
"""Standard errors that decide a difference, and those asked for when runs are few (docs/decisions/0003)."""

LOWEST_DENSITY = -650.0
"""Nats below the best law at a run beyond which its weight there is nothing; exp() still has a value."""

BOOTSTRAP_DRAWS = 4000
"""Draws of the Bayesian bootstrap (Rubin 1981, doi:10.1214/aos/1176345338)."""

BLOCK = 2_000_000
"""Draws of it times units that are held at once, 16 MB."""

TIE = 1e-9
"""Nats within which two laws tie."""


@dataclass(frozen=True)
class Difference:
    """Difference of expected log predictive density between two laws on the same runs.

    Attributes
    ----------
    elpd_diff : float
        First law minus second, in nats over all runs.
    dse : float
        Standard error of the difference.
    runs : int
        Number of independent runs: training runs where several rows come from one.
    """

    elpd_diff: float
    dse: float
    runs: int

    @property
    def decided(self) -> bool:
        """Whether the difference is large enough to be called one, by more standard errors where runs are few."""
        errors = ERRORS_NEEDED if self.runs >= FEW_ROWS else ERRORS_NEEDED_FEW
        size = abs(self.elpd_diff)
        return bool(size >= SMALL_DIFFERENCE and size >= errors * self.dse)  # no standard error decides nothing


@dataclass(frozen=True, eq=False, repr=False)
class Ranking(Value):
    """Laws in the order of their densities of runs left out.

    Attributes
    ----------
    table : pandas.DataFrame
        As in :class:`Comparison`, without ``bad_k``.
    probability : float
        Probability that the whole order stays.
    units : int
        Number of independent units that standard errors rest on.
    converged : bool
        Whether the stacking weights are at their optimum.
    """

    table: pd.DataFrame
    probability: float
    units: int
    converged: bool


def rank_laws(pointwise: Mapping[str, Any], units: np.ndarray, *, random_seed: int) -> Ranking:
    """Rank laws by their densities of runs left out.

    Parameters
    ----------
    pointwise : mapping of str to arviz_stats.ELPDData
        With ``elpd_i`` (run,), and ``elpd`` and ``se`` over all runs.
    units : numpy.ndarray
        Number of the independent unit that each run belongs to, from 0 (run,).
    random_seed : int
        Of the Bayesian bootstrap.

    Returns
    -------
    Ranking
        Best law first.
    """
    table = _arviz_table(pointwise)
    names = list(table.index)
    best = pointwise[names[0]]
    found = [elpd_difference(pointwise[name], best, units) for name in names]
    _set_differences(table, found)
    table["decided"] = [each.decided for each in found]
    table["best_probability"], stays = float("nan"), float("nan")
    if units.max() > 0:  # a single unit leaves a bootstrap nothing to weigh
        totals = _bootstrap(np.stack([pointwise[name].elpd_i.to_numpy() for name in names]), units, random_seed)
        leading = totals >= totals.max(axis=1, keepdims=True) - TIE
        table["best_probability"] = (leading / leading.sum(axis=1, keepdims=True)).mean(axis=0)
        stays = float((np.diff(totals, axis=1) <= TIE).all(axis=1).mean())
    weights = table["weight"].reindex(list(pointwise)).to_numpy()
    return Ranking(table, stays, int(units.max()) + 1, _weights_converged(pointwise, weights))


def _arviz_table(pointwise: Mapping[str, Any]) -> pd.DataFrame:
    """Let ArviZ compare densities with each row's largest taken off, so that none underflows."""
    import arviz_stats as azs  # noqa: PLC0415  (1 s that one law alone does not need)

    largest = np.stack([loo.elpd_i.to_numpy() for loo in pointwise.values()]).max(axis=0)
    shifted = {}
    for name, loo in pointwise.items():
        elpd_i = (loo.elpd_i - largest).clip(min=LOWEST_DENSITY)
        shifted[name] = dataclasses.replace(loo, elpd_i=elpd_i, elpd=float(elpd_i.sum()))
    table = azs.compare(shifted, method="stacking", round_to="none")
    table["elpd"] = [pointwise[name].elpd for name in table.index]
    table["se"] = [pointwise[name].se for name in table.index]
    return table


def _set_differences(table: pd.DataFrame, found: Sequence[Difference]) -> None:
    """Take differences from the densities as they are, and over units; clipping cannot change the weights."""
    table["elpd_diff"] = [each.elpd_diff for each in found]
    table["dse"] = [each.dse for each in found]
    errors = table["dse"].where(table["dse"] > 0)
    table["p_worse"] = (-table["elpd_diff"] / errors).map(_normal_probability)


def _normal_probability(errors: float) -> float:
    """Return the probability that a standard normal is below a number of standard errors."""
    return 0.5 * (1 + math.erf(errors / math.sqrt(2)))


def _bootstrap(densities: np.ndarray, units: np.ndarray, random_seed: int) -> np.ndarray:
    """Return each law's total under weights of the units that are Dirichlet(1, ..., 1) (draw, law)."""
    relative = densities - densities.max(axis=0)
    sums = np.stack([np.bincount(units, each) for each in relative], axis=1)
    rng, count = np.random.default_rng(random_seed), len(sums)
    sizes = np.diff(np.append(np.arange(0, BOOTSTRAP_DRAWS, min(max(BLOCK // count, 1), 100)), BOOTSTRAP_DRAWS))
    return count * np.concatenate([rng.dirichlet(np.ones(count), size) @ sums for size in sizes])


def _weights_converged(pointwise: Mapping[str, Any], weights: np.ndarray) -> bool:
    """Return whether stacking weights are the optimum: there no law's gradient exceeds 1 (by 1% at most)."""
    densities = np.stack([loo.elpd_i.to_numpy() for loo in pointwise.values()])
    relative = np.exp((densities - densities.max(axis=0)).clip(LOWEST_DENSITY))
    return bool((relative / (weights @ relative)).mean(axis=1).max() <= 1.01)


def ranking_notes(ranking: Ranking, noun: str) -> list[str]:
    """Say in words which differences are small or not decided, and what is doubtful.

    Parameters
    ----------
    ranking : Ranking
        The ranking.
    noun : str
        What its independent units are, such as ``training runs``.
    """
    table, notes = ranking.table, []
    best, size = table.index[0], table["elpd_diff"].abs()
    if ranking.units == 1:
        notes.append(
            f"one {noun.removesuffix('s')}: differences have no standard error and no law a probability of being best, "
            "so nothing is decided"
        )
    elif ranking.units < FEW_ROWS:
        notes.append(
            f"{ranking.units} {noun} are fewer than {FEW_ROWS}: standard errors of differences are too small, and a "
            f"difference counts as decided only beyond {ERRORS_NEEDED_FEW:g} of them"
        )
    close = [name for name in table.index[1:] if size[name] < SMALL_DIFFERENCE]
    if close:
        notes.append(f"within {SMALL_DIFFERENCE:g} nats of {best}, not distinguished: {', '.join(close)}")
    unsure = [name for name in table.index[1:] if size[name] >= SMALL_DIFFERENCE and not table.loc[name, "decided"]]
    if unsure and ranking.units > 1:
        notes.append(f"not decided against {best}, inside the standard errors: {', '.join(unsure)}")
    if not ranking.converged:
        notes.append("the stacking weights are not at their optimum: do not use them")
    return notes


def elpd_difference(first: Any, second: Any, units: np.ndarray, counted: np.ndarray | None = None) -> Difference:  # noqa: ANN401  (ArviZ's, untyped)
    """Return the difference of two laws' densities of runs left out, first minus second, over independent units.

    Where some rows do not count, it is over the others, and over the units that have one.
    """
    diff = (first.elpd_i - second.elpd_i).to_numpy()
    if counted is not None:
        diff, units = diff[counted], np.unique(units[counted], return_inverse=True)[1]
    ddof = int(shared(units))  # ArviZ divides by n; with few units that would matter
    return Difference(float(diff.sum()), standard_error(diff, units, ddof=ddof), int(units.max()) + 1)


def shared(units: np.ndarray) -> bool:
    """Return whether several rows make one unit."""
    return bool(units.max() + 1 < units.size)


def standard_error(values: np.ndarray, units: np.ndarray, *, ddof: int = 1) -> float:
    """Return the standard error of the sum of values that are independent between units only.

    Deviations from the mean are summed within each unit first (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13);
    with one row per unit this is ``sqrt(n * var)``.

    Parameters
    ----------
    values : numpy.ndarray
        One value per run, in nats (run,).
    units : numpy.ndarray
        Number of the unit that each run belongs to, from 0 (run,).
    ddof : int
        What is taken off the number of units.

    Returns
    -------
    float
        In nats; NaN for a single unit.
    """
    sums = np.bincount(units, values - values.mean())
    if sums.size < 2:
        return float("nan")
    return float(np.sqrt(sums.size / (sums.size - ddof) * np.square(sums).sum()))

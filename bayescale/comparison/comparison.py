"""compare: several laws on the same runs, by leave-one-out cross-validation."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import arviz_stats as azs
import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.fits.discrepancy import infer_discrepancy
from bayescale.fits.fit import Fit
from bayescale.fits.fitting import exact_elpd
from bayescale.fits.loo import point_loo
from bayescale.runs import RunTable
from bayescale.runs.units import independent_units
from bayescale.values import Value
from bayescale.words import percent, short

SMALL_DIFFERENCE = 4.0
"""Below this many nats two laws are not told apart (Sivula et al. 2025, arXiv:2008.10296)."""

FEW_ROWS = 100
"""Below this many rows, or training runs, the standard error of a difference is too small (same source)."""

ERRORS_NEEDED = 2.0
ERRORS_NEEDED_FEW = 4.0
"""Standard errors that decide a difference, and those asked for when runs are few (docs/decisions/0003)."""

LOWEST_DENSITY = -650.0
"""Nats below the best law at a run beyond which its weight there is nothing; exp() still has a value."""

BOOTSTRAP_DRAWS = 4000
"""Draws of the Bayesian bootstrap (Rubin 1981, doi:10.1214/aos/1176345338)."""

BLOCK = 100
"""Draws of it that are held at once: a table of 20 000 rows then takes 16 MB."""

TIE = 1e-9
"""Nats within which two laws tie."""

MOST_BAD = 0.1
"""Beyond this part of rows with high Pareto k, single exact refits no longer mend a comparison."""

type Progress = Callable[[str, int, int], object]
"""Called with the name of a law, its refits done and its refits in all."""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Value):
    """Laws fitted to the same runs, and how well each predicts a run it has not seen.

    Attributes
    ----------
    fits : mapping of str to Fit
        The fits.
    table : pandas.DataFrame
        ArviZ's comparison table, unrounded, best law first: ``rank``, ``elpd``, ``se``, ``p``,
        ``elpd_diff`` (to the best law, at most 0), ``dse``, ``p_worse``, ``weight`` (stacking, by point LOO),
        ``best_probability`` (of being the best law, by a Bayesian bootstrap over runs), ``decided`` (whether the
        difference to the best law is one) and ``bad_k`` (rows whose Pareto k is too high and that were not refitted).
        Where several rows come from one training run, ``se``, ``dse`` and ``best_probability`` are over training runs;
        of a single one there are none (NaN).
    pointwise : mapping of str to arviz_stats.ELPDData
        LOO of each law with ``elpd_i`` and ``pareto_k`` (run,).
    exact : mapping of str to tuple of int
        Rows of each law whose density comes from an exact refit without the row.
    ranking_probability : float
        Probability that the whole order of the laws stays, by the same bootstrap; NaN with a single training run.
    notes : tuple of str
        What a reader must know of these numbers.
    """

    fits: Mapping[str, Fit]
    table: pd.DataFrame
    pointwise: Mapping[str, Any]
    exact: Mapping[str, tuple[int, ...]]
    ranking_probability: float
    notes: tuple[str, ...]

    @property
    def runs(self) -> RunTable:
        """The runs that every law was fitted to."""
        return next(iter(self.fits.values())).runs

    def _lines(self) -> list[str]:
        best = str(self.table.index[0])
        behind = (
            f"{name} {short(-row.elpd_diff, 3)} nats behind{' (decided)' if row.decided else ''}"
            for name, row in zip(self.table.index[1:], self.table[1:].itertuples(), strict=True)
        )
        runs = f"{len(self.runs.frame)} runs of {self.runs.name}"
        return [f"Comparison of {len(self.fits)} laws on {runs}: {best} predicts best", "; ".join(behind)]

    def _shown(self) -> pd.DataFrame:
        return self.table


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


def compare(
    fits: Mapping[str, Fit],
    *,
    max_refits: int = 20,
    random_seed: int = 0,
    cache: bool = True,
    progress: Progress | None = None,
) -> Comparison:
    """Compare laws by the expected log predictive density of a row left out.

    PSIS-LOO, with an exact refit for every row whose Pareto k is above ``min(1 - 1/log10(S), 0.7)``. Rows of one
    ``training_run`` are not independent: where labels repeat, densities are summed over each training run before
    standard errors are taken. Their densities still come from single rows left out;
    :func:`bayescale.cross_validate` leaves out whole training runs.

    Parameters
    ----------
    fits : mapping of str to Fit
        Two or more fits of the same runs.
    max_refits : int
        Most rows of one law that are refitted; what is left is counted in ``bad_k``.
    random_seed : int
        Of the Bayesian bootstrap.
    cache : bool
        Whether exact refits are read from the cache and kept there.
    progress : callable, optional
        Called with the name of a law that needs exact refits, those done and those in all.

    Returns
    -------
    Comparison
        Best law first.

    Raises
    ------
    InputError
        If there are fewer than two fits, or they are not of the same rows of the same response.
    """
    check_comparable(fits)
    units = independent_units(next(iter(fits.values())).runs)
    pointwise, exact = {}, {}
    for name, fitted in fits.items():
        pointwise[name], exact[name] = _leave_one_out(fitted, max_refits, units, cache, progress)
    ranking = rank_laws(pointwise, units, random_seed=random_seed)
    table = ranking.table
    table["bad_k"] = [_bad_rows(pointwise[name]).size for name in table.index]
    notes = [*failure_notes(fits), *_row_notes(units), *ranking_notes(ranking, _noun(units))]
    notes += _refit_notes(fits, table, exact)
    return Comparison(dict(fits), table, pointwise, exact, ranking.probability, tuple(notes))


def _noun(units: np.ndarray) -> str:
    return "training runs" if _shared(units) else "runs"


def _shared(units: np.ndarray) -> bool:
    """Return whether several rows make one unit."""
    return bool(units.max() + 1 < units.size)


def check_comparable(fits: Mapping[str, Fit]) -> None:
    """Raise InputError unless there are two or more fits of the same rows of the same response."""
    if len(fits) < 2:
        raise InputError(f"expected two or more fits to compare, found {len(fits)} ({', '.join(fits) or 'none'})")
    hashes = {fitted.record["table"]["hash"] for fitted in fits.values()}
    if len(hashes) > 1:
        each = ", ".join(
            f"'{name}' ({len(fitted.runs.frame)} runs of {fitted.runs.name}, {fitted.runs.response})"
            for name, fitted in fits.items()
        )
        raise InputError(f"cannot compare fits of different runs or responses: {each}; fit all laws to one table")


def _leave_one_out(
    fitted: Fit, max_refits: int, units: np.ndarray, cache: bool, progress: Progress | None
) -> tuple[Any, tuple[int, ...]]:
    loo = point_loo(fitted.data)
    bad = _bad_rows(loo)
    worst = bad[np.argsort(-loo.pareto_k.to_numpy()[bad])][:max_refits]
    elpd_i, pareto_k = loo.elpd_i.copy(), loo.pareto_k.copy()
    refitted = []
    for done, row in enumerate(worst):
        if progress:
            progress(fitted.law.name, done, worst.size)
        value = exact_elpd(fitted, int(row), cache=cache)
        if np.isfinite(value):
            elpd_i[row], pareto_k[row] = value, np.nan
            refitted.append(int(row))
    if not np.isfinite(elpd_i).all():
        raise InputError(
            f"law '{fitted.law.name}' gives a run a density of zero; it cannot be compared on {fitted.runs.name}"
        )
    density = fitted.data["log_likelihood"]["log_response"]
    full = np.logaddexp.reduce(density.to_numpy().reshape(-1, density.sizes["run"]), axis=0) - np.log(loo.n_samples)
    total, spread = float(elpd_i.sum()), standard_error(elpd_i.to_numpy(), units)
    changed = {"elpd": total, "se": spread, "p": float(full.sum()) - total, "elpd_i": elpd_i, "pareto_k": pareto_k}
    return dataclasses.replace(loo, **changed), tuple(sorted(refitted))


def _bad_rows(loo: azs.ELPDData) -> np.ndarray:
    """Return rows whose Pareto k is too high; exactly refitted rows have none (NaN)."""
    return np.flatnonzero(loo.pareto_k.to_numpy() > loo.good_k)


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
    found = [_difference(pointwise[name], best, units) for name in names]
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
    blocks = [rng.dirichlet(np.ones(count), BLOCK) @ sums for _ in range(BOOTSTRAP_DRAWS // BLOCK)]
    return count * np.concatenate(blocks)


def _weights_converged(pointwise: Mapping[str, Any], weights: np.ndarray) -> bool:
    """Return whether stacking weights are the optimum: there no law's gradient exceeds 1 (by 1 % at most)."""
    densities = np.stack([loo.elpd_i.to_numpy() for loo in pointwise.values()])
    relative = np.exp((densities - densities.max(axis=0)).clip(LOWEST_DENSITY))
    return bool((relative / (weights @ relative)).mean(axis=1).max() <= 1.01)


def failure_notes(fits: Mapping[str, Fit]) -> list[str]:
    """Name the fits whose diagnostics failed."""
    return [
        f"{name}: diagnostics failed ({_shortened(fitted.diagnostics.failures)})"
        for name, fitted in fits.items()
        if not fitted.diagnostics.passed
    ]


def _row_notes(units: np.ndarray) -> list[str]:
    """Say what standard errors are over, and what leaving out single rows does not test."""
    if not _shared(units):
        return []
    return [
        f"{units.size} rows of {units.max() + 1} training run{'s' if units.max() else ''}: standard errors are over "
        "training runs, but a row left out is predicted with the other rows of its run still in"
        + ("; cross-validate by training_run as well" if units.max() else "")
    ]


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
        notes.append(f"within {SMALL_DIFFERENCE:g} nats of {best}, not told apart: {', '.join(close)}")
    unsure = [name for name in table.index[1:] if size[name] >= SMALL_DIFFERENCE and not table.loc[name, "decided"]]
    if unsure and ranking.units > 1:
        notes.append(f"not decided against {best}, inside the standard errors: {', '.join(unsure)}")
    if not ranking.converged:
        notes.append("the stacking weights are not at their optimum: do not use them")
    return notes


def _refit_notes(fits: Mapping[str, Fit], table: pd.DataFrame, exact: Mapping[str, tuple[int, ...]]) -> list[str]:
    rows = len(next(iter(fits.values())).runs.frame)
    notes = [
        f"{name}: {len(found)} run{'s' if len(found) > 1 else ''} refitted exactly for high Pareto k"
        for name, found in exact.items()
        if found
    ]
    for name in table.index:
        bad, effective = int(table.loc[name, "bad_k"]), float(table.loc[name, "p"])
        inferred = len(fits[name].law.parameters) + 2
        if bad:
            notes.append(f"{name}: Pareto k of {bad} run{'s' if bad > 1 else ''} is too high; its elpd is doubtful")
        if bad > MOST_BAD * rows:
            notes.append(f"{name}: more than {percent(MOST_BAD)} of runs have high Pareto k; use K-fold instead")
        if effective > 2 * inferred:
            notes.append(f"{name}: {effective:.1f} effective parameters for {inferred}: doubt the noise model")
    return notes


def _shortened(failures: tuple[str, ...], most: int = 3) -> str:
    more = len(failures) - most
    return "; ".join([*failures[:most], *([f"and {more} more"] if more > 0 else [])])


def difference(comparison: Comparison, first: str, second: str) -> Difference:
    """Return the difference of two laws of a comparison, first minus second."""
    units = independent_units(comparison.runs)
    return _difference(comparison.pointwise[first], comparison.pointwise[second], units)


def _difference(first: Any, second: Any, units: np.ndarray) -> Difference:  # noqa: ANN401  (ArviZ's, untyped)
    diff = (first.elpd_i - second.elpd_i).to_numpy()
    ddof = int(_shared(units))  # ArviZ divides by n; with few units that would matter
    return Difference(float(diff.sum()), standard_error(diff, units, ddof=ddof), int(units.max()) + 1)


def pointwise_difference(comparison: Comparison, first: str, second: str) -> np.ndarray:
    """Return the difference of log predictive density of every run left out, first law minus second (run,).

    Raises
    ------
    InputError
        If the two laws are one, or not of this comparison.
    """
    unknown = [name for name in (first, second) if name not in comparison.pointwise]
    if unknown or first == second:
        raise InputError(
            f"expected two different laws of {', '.join(comparison.pointwise)}; found {first!r} and {second!r}"
        )
    diff: np.ndarray = (comparison.pointwise[first].elpd_i - comparison.pointwise[second].elpd_i).to_numpy()
    return diff


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


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data, best law first.

    ``missed`` is the size of a law's discrepancy at a typical run, in log response; it plays no part in ``elpd``.
    """
    columns = ("elpd", "se", "p", "elpd_diff", "dse", "weight", "best_probability")
    return {
        "runs": {
            "name": comparison.runs.name,
            "rows": len(comparison.runs.frame),
            "response": comparison.runs.response,
        },
        "laws": [
            {
                "name": name,
                **{column: float(comparison.table.loc[name, column]) for column in columns},
                "decided": bool(comparison.table.loc[name, "decided"]),
                "missed": float(np.median(infer_discrepancy(comparison.fits[name]).size)),
                "bad_k": int(comparison.table.loc[name, "bad_k"]),
                "exact_refits": len(comparison.exact[name]),
                "diagnostics_passed": comparison.fits[name].diagnostics.passed,
            }
            for name in comparison.table.index
        ],
        "ranking_probability": comparison.ranking_probability,
        "independent_runs": int(independent_units(comparison.runs).max()) + 1,
        "notes": list(comparison.notes),
    }

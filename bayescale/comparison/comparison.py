"""compare: several laws on the same runs, by leave-one-out cross-validation."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescale import checks
from bayescale.comparison.conventions import Convention, compare_conventions
from bayescale.comparison.ranking import Difference, elpd_difference, rank_laws, ranking_notes, shared, standard_error
from bayescale.errors import InputError
from bayescale.fits.exact import exact_elpd, exact_elpd_of_training_run
from bayescale.fits.fit import LIKELIHOOD, Fit
from bayescale.fits.likelihood import density_left_out
from bayescale.fits.loo import left_out_together, point_loo
from bayescale.laws import Law
from bayescale.runs import RunTable
from bayescale.runs.outliers import diverged_notes
from bayescale.runs.units import counted_rows, independent_units, units_are_families, units_of
from bayescale.values import Value
from bayescale.words import percent, short

if TYPE_CHECKING:
    import arviz_stats as azs

MOST_BAD = 0.1
"""Beyond this part of rows with high Pareto k, single exact refits no longer mend a comparison."""

NAMED = 3
"""Refitted runs that are named."""

SHOWN = ("elpd", "se", "elpd_diff", "dse", "weight", "best_probability", "decided", "bad_k")
"""Columns of a comparison's table that a notebook shows."""

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
    conventions : tuple of Convention
        Where the table counts parameters in several ways: whether the best law predicts better with each of the others
        as N.
    """

    fits: Mapping[str, Fit]
    table: pd.DataFrame
    pointwise: Mapping[str, Any]
    exact: Mapping[str, tuple[int, ...]]
    ranking_probability: float
    notes: tuple[str, ...]
    conventions: tuple[Convention, ...] = ()

    @property
    def runs(self) -> RunTable:
        """The runs that every law was fitted to."""
        return next(iter(self.fits.values())).runs

    @property
    def doubts(self) -> tuple[str, ...]:
        """The fits whose diagnostics failed, and why."""
        return tuple(failure_notes(self.fits))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the comparison, with its fits, as one NetCDF file, whole or not at all; :meth:`load` reads it.

        Parameters
        ----------
        path : str or path
            The file, such as ``comparison.nc``.
        """
        from bayescale.comparison.saving import save_comparison  # noqa: PLC0415  (it makes comparisons)

        save_comparison(self, Path(path))

    @classmethod
    def load(cls, path: str | os.PathLike[str], laws: Iterable[Law] = ()) -> "Comparison":
        """Read a comparison that :meth:`save` wrote.

        Parameters
        ----------
        path : str or path
            The file.
        laws : iterable of Law
            Laws that are not built in.

        Raises
        ------
        InputError
            If the file is missing, truncated, of another program or version, or of a law that is not here.
        """
        from bayescale.comparison.saving import load_comparison  # noqa: PLC0415  (as above)

        return load_comparison(Path(path), laws)

    def _lines(self) -> list[str]:
        best = str(self.table.index[0])
        behind = (
            f"{name} {short(-row.elpd_diff, 3)} nats behind{' (decided)' if row.decided else ''}"
            for name, row in zip(self.table.index[1:], self.table[1:].itertuples(), strict=True)
        )
        runs = f"{len(self.runs.frame)} runs of {self.runs.name}"
        return [f"Comparison of {len(self.fits)} laws on {runs}: {best} predicts best", "; ".join(behind)]

    def _shown(self) -> pd.DataFrame:
        return self.table[list(SHOWN)]


@checks.kinds
def compare(
    fits: Mapping[str, Fit],
    *,
    max_refits: int = 20,
    random_seed: int = 0,
    cache: bool = True,
    progress: Progress | None = None,
) -> Comparison:
    """Compare laws by the expected log predictive density of a row left out.

    PSIS-LOO, with an exact refit for every row whose Pareto k is above ``min(1 - 1/log10(S), 0.7)``. Where several rows
    come from one ``training_run``, every training run is left out as a whole: a row's density is that given the rows
    before it in its run and all other runs, and standard errors are over training runs. Where the table counts
    parameters in several ways (in all, active, without embeddings), the best law is fitted with each of the others as N
    as well: which predicts the same losses better is said in ``conventions``.

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
    runs = next(iter(fits.values())).runs
    units = independent_units(runs)
    pointwise, exact = {}, {}
    for name, fitted in fits.items():
        pointwise[name], exact[name] = _leave_one_out(fitted, max_refits, units, cache, progress)
    ranking = rank_laws(pointwise, units, random_seed=random_seed)
    table = ranking.table
    table["bad_k"] = [_bad_rows(pointwise[name]).size for name in table.index]
    notes = [
        *failure_notes(fits),
        *diverged_notes(runs),
        *_row_notes(units, fits),
        *ranking_notes(ranking, _noun(runs, units)),
    ]
    notes += _refit_notes(fits, table, exact)
    ranked = {str(name): fits[str(name)] for name in table.index}
    conventions = tuple(
        compare_conventions(
            ranked,
            pointwise,
            units,
            lambda fitted: _leave_one_out(fitted, max_refits, units, cache, progress)[0],
            cache=cache,
        )
    )
    notes += _convention_notes(runs, conventions)
    return Comparison(dict(fits), table, pointwise, exact, ranking.probability, tuple(notes), conventions)


def _convention_notes(runs: RunTable, conventions: Iterable[Convention]) -> list[str]:
    """Say which count of parameters the laws are fitted to, and how the others predict."""
    said = [each.statement for each in conventions]
    return [f"the laws are fitted to N, {runs.record.get('N', 'as the table gives it')}", *said] if said else []


def _noun(runs: RunTable, units: np.ndarray) -> str:
    if units_are_families(runs.frame):
        return "families"
    return "training runs" if shared(units) else "runs"


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
    loo = point_loo(fitted)
    together = left_out_together(fitted.data)
    worst = _worst(loo, together, max_refits)
    elpd_i, pareto_k = loo.elpd_i.copy(), loo.pareto_k.copy()
    refitted: list[int] = []
    for done, rows in enumerate(worst):
        if progress:
            progress(fitted.law.name, done, len(worst))
        values = _exact(fitted, rows, cache)
        if np.isfinite(values).all():
            elpd_i[rows], pareto_k[rows] = values, np.nan
            refitted += rows.tolist()
    if not np.isfinite(elpd_i).all():
        raise InputError(
            f"law '{fitted.law.name}' gives a run a density of zero; it cannot be compared on {fitted.runs.name}"
        )
    total, spread = float(elpd_i.sum()), standard_error(elpd_i.to_numpy(), units)
    changed = {
        "elpd": total,
        "se": spread,
        "p": _seen(fitted, loo, together) - total,
        "elpd_i": elpd_i,
        "pareto_k": pareto_k,
    }
    return dataclasses.replace(loo, **changed), tuple(sorted(refitted))


def _seen(fitted: Fit, loo: "azs.ELPDData", together: np.ndarray) -> float:
    """Return the log density of all rows under the posterior that has seen them."""
    if LIKELIHOOD not in fitted.data.children:
        return float(loo.elpd + loo.p)
    return float(density_left_out(fitted.data[LIKELIHOOD].to_dataset(), together).sum())


def _worst(loo: "azs.ELPDData", together: np.ndarray, most: int) -> list[np.ndarray]:
    """Return the rows that are left out together where their Pareto k is too high, the highest first, so many."""
    bad, k = _bad_rows(loo), loo.pareto_k.to_numpy()
    units = dict.fromkeys(together[bad[np.argsort(-k[bad])]].tolist())
    return [np.flatnonzero(together == unit) for unit in list(units)[:most]]


def _exact(fitted: Fit, rows: np.ndarray, cache: bool) -> np.ndarray:
    """Return the density of rows left out together, from a refit without them (row,)."""
    if rows.size == 1:
        return np.array([exact_elpd(fitted, int(rows[0]), cache=cache)])
    return exact_elpd_of_training_run(fitted, rows.tolist(), cache=cache)


def _bad_rows(loo: "azs.ELPDData") -> np.ndarray:
    """Return rows whose Pareto k is too high; exactly refitted rows have none (NaN)."""
    return np.flatnonzero(loo.pareto_k.to_numpy() > loo.good_k)


def failure_notes(fits: Mapping[str, Fit]) -> list[str]:
    """Name the fits whose diagnostics failed."""
    return [
        f"{name}: diagnostics failed ({_shortened(fitted.diagnostics.failures)})"
        for name, fitted in fits.items()
        if not fitted.diagnostics.passed
    ]


def _row_notes(units: np.ndarray, fits: Mapping[str, Fit]) -> list[str]:
    """Say what standard errors are over, and what leaving out single rows does not test."""
    if not shared(units):
        return []
    count = int(units.max()) + 1
    if units_are_families(next(iter(fits.values())).runs.frame):
        return [
            f"{units.size} models of {count} families: each family has a level of its own and is left out as a whole, "
            "and standard errors are over families"
        ]
    rows = f"{units.size} rows of {count} training run{'s' if count > 1 else ''}"
    if all(shared(left_out_together(fitted.data)) for fitted in fits.values()):
        return [f"{rows}: each training run is left out as a whole, and standard errors are over training runs"]
    return [
        f"{rows}: standard errors are over training runs, but a row left out is predicted with the other rows of its "
        f"run still in{'; cross-validate by training_run as well' if count > 1 else ''}"
    ]


def _refit_notes(fits: Mapping[str, Fit], table: pd.DataFrame, exact: Mapping[str, tuple[int, ...]]) -> list[str]:
    frame = next(iter(fits.values())).runs.frame
    rows, labels = len(frame), frame["run"].astype(str).to_numpy()
    notes = [
        f"{name}: {len(found)} run{'s' if len(found) > 1 else ''} refitted exactly for high Pareto k "
        f"({', '.join(labels[list(found[:NAMED])])}{', ...' if len(found) > NAMED else ''})"
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
    """Return the difference of two laws of a comparison, first minus second, over the rows that count."""
    frame = comparison.runs.frame
    one, other = (comparison.pointwise[name] for name in (first, second))
    return elpd_difference(one, other, units_of(frame), counted_rows(frame))


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

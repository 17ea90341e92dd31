"""compare: several laws on the same runs, by leave-one-out cross-validation."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import arviz_stats as azs
import numpy as np
import pandas as pd

from bayescale.errors import InputError
from bayescale.fits import Fit
from bayescale.fitting import exact_elpd
from bayescale.intervals import percent
from bayescale.loo import point_loo
from bayescale.runs import RunTable

SMALL_DIFFERENCE = 4.0
"""Below this many nats two laws are not told apart (Sivula et al. 2025, arXiv:2008.10296)."""

FEW_ROWS = 100
"""Below this many rows the standard error of a difference is too small (same source)."""

ERRORS_NEEDED = 2.0
ERRORS_NEEDED_FEW = 4.0
"""Standard errors that decide a difference, and those asked for when runs are few (docs/decisions/0003)."""

LOWEST_DENSITY = -650.0
"""Nats below the best law at a run beyond which its weight there is nothing; exp() still has a value."""

MOST_BAD = 0.1
"""Beyond this part of rows with high Pareto k, single exact refits no longer mend a comparison."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Laws fitted to the same runs, and how well each predicts a run it has not seen.

    Attributes
    ----------
    fits : mapping of str to Fit
        The fits.
    table : pandas.DataFrame
        ArviZ's comparison table, unrounded, best law first: ``rank``, ``elpd``, ``se``, ``p``,
        ``elpd_diff`` (to the best law, at most 0), ``dse``, ``p_worse``, ``weight`` (stacking, by point LOO)
        and ``bad_k`` (rows whose Pareto k is too high and that were not refitted).
    pointwise : mapping of str to arviz_stats.ELPDData
        LOO of each law with ``elpd_i`` and ``pareto_k`` (run,).
    exact : mapping of str to tuple of int
        Rows of each law whose density comes from an exact refit without the row.
    notes : tuple of str
        What a reader must know of these numbers.
    """

    fits: Mapping[str, Fit]
    table: pd.DataFrame
    pointwise: Mapping[str, Any]
    exact: Mapping[str, tuple[int, ...]]
    notes: tuple[str, ...]

    @property
    def runs(self) -> RunTable:
        """The runs that every law was fitted to."""
        return next(iter(self.fits.values())).runs


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
        Number of runs.
    """

    elpd_diff: float
    dse: float
    runs: int

    @property
    def decided(self) -> bool:
        """Whether the difference is large enough to be called one, by more standard errors where runs are few."""
        errors = ERRORS_NEEDED if self.runs >= FEW_ROWS else ERRORS_NEEDED_FEW
        return abs(self.elpd_diff) >= max(SMALL_DIFFERENCE, errors * self.dse)


def compare(fits: Mapping[str, Fit], *, max_refits: int = 20, cache: bool = True) -> Comparison:
    """Compare laws by the expected log predictive density of a run left out.

    PSIS-LOO, with an exact refit for every row whose Pareto k is above ``min(1 - 1/log10(S), 0.7)``.

    Parameters
    ----------
    fits : mapping of str to Fit
        Two or more fits of the same runs.
    max_refits : int
        Most rows of one law that are refitted; what is left is counted in ``bad_k``.
    cache : bool
        Whether exact refits are read from the cache and kept there.

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
    pointwise, exact = {}, {}
    for name, fitted in fits.items():
        pointwise[name], exact[name] = _leave_one_out(fitted, max_refits, cache=cache)
    table = _comparison_table(pointwise)
    table["bad_k"] = [_bad_rows(pointwise[name]).size for name in table.index]
    notes = _notes(fits, table, exact)
    if not _weights_converged(pointwise, table["weight"].reindex(list(pointwise)).to_numpy()):
        notes.append("the stacking weights are not at their optimum: do not use them")
    return Comparison(dict(fits), table, pointwise, exact, tuple(notes))


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


def _leave_one_out(fitted: Fit, max_refits: int, *, cache: bool) -> tuple[Any, tuple[int, ...]]:
    loo = point_loo(fitted.data)
    bad = _bad_rows(loo)
    worst = bad[np.argsort(-loo.pareto_k.to_numpy()[bad])][:max_refits]
    elpd_i, pareto_k = loo.elpd_i.copy(), loo.pareto_k.copy()
    refitted = []
    for row in worst:
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
    total, spread = float(elpd_i.sum()), float(np.sqrt(elpd_i.size * elpd_i.var(ddof=1)))
    changed = {"elpd": total, "se": spread, "p": float(full.sum()) - total, "elpd_i": elpd_i, "pareto_k": pareto_k}
    return dataclasses.replace(loo, **changed), tuple(sorted(refitted))


def _bad_rows(loo: azs.ELPDData) -> np.ndarray:
    """Return rows whose Pareto k is too high; exactly refitted rows have none (NaN)."""
    return np.flatnonzero(loo.pareto_k.to_numpy() > loo.good_k)


def _comparison_table(pointwise: Mapping[str, Any]) -> pd.DataFrame:
    """Let ArviZ compare densities with each row's largest taken off, so that none underflows."""
    densities = np.stack([loo.elpd_i.to_numpy() for loo in pointwise.values()])
    largest = densities.max(axis=0)
    shifted = {}
    for name, loo in pointwise.items():
        elpd_i = (loo.elpd_i - largest).clip(min=LOWEST_DENSITY)
        shifted[name] = dataclasses.replace(loo, elpd_i=elpd_i, elpd=float(elpd_i.sum()))
    table = azs.compare(shifted, method="stacking", round_to="none")
    table["elpd"] = [pointwise[name].elpd for name in table.index]
    table["se"] = [pointwise[name].se for name in table.index]
    if (densities - largest).min() < LOWEST_DENSITY:
        _undo_clipping(table, pointwise)
    return table


def _undo_clipping(table: pd.DataFrame, pointwise: Mapping[str, Any]) -> None:
    """Take differences from the densities as they are; only the weights, which they cannot change, were clipped."""
    for name in table.index[1:]:
        found = _difference(pointwise[name], pointwise[table.index[0]])
        table.loc[name, ["elpd_diff", "dse"]] = found.elpd_diff, found.dse


def _weights_converged(pointwise: Mapping[str, Any], weights: np.ndarray) -> bool:
    """Return whether stacking weights are the optimum: there no law's gradient exceeds 1 (by 1 % at most)."""
    densities = np.stack([loo.elpd_i.to_numpy() for loo in pointwise.values()])
    relative = np.exp((densities - densities.max(axis=0)).clip(LOWEST_DENSITY))
    return bool((relative / (weights @ relative)).mean(axis=1).max() <= 1.01)


def _notes(fits: Mapping[str, Fit], table: pd.DataFrame, exact: Mapping[str, tuple[int, ...]]) -> list[str]:
    rows = len(next(iter(fits.values())).runs.frame)
    notes = [
        f"{name}: diagnostics failed ({_shortened(fitted.diagnostics.failures)})"
        for name, fitted in fits.items()
        if not fitted.diagnostics.passed
    ]
    if rows < FEW_ROWS:
        notes.append(
            f"{rows} runs are fewer than {FEW_ROWS}: standard errors of differences are too small, and a difference "
            f"counts as decided only beyond {ERRORS_NEEDED_FEW:g} of them"
        )
    close = [name for name in table.index[1:] if abs(table.loc[name, "elpd_diff"]) < SMALL_DIFFERENCE]
    if close:
        notes.append(f"within {SMALL_DIFFERENCE:g} nats of {table.index[0]}, not told apart: {', '.join(close)}")
    notes += [f"{name}: {len(found)} runs refitted exactly for high Pareto k" for name, found in exact.items() if found]
    for name in table.index:
        bad, effective = int(table.loc[name, "bad_k"]), float(table.loc[name, "p"])
        inferred = len(fits[name].law.parameters) + 2
        if bad:
            notes.append(f"{name}: Pareto k of {bad} runs is too high; its elpd is doubtful")
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
    return _difference(comparison.pointwise[first], comparison.pointwise[second])


def _difference(first: Any, second: Any) -> Difference:  # noqa: ANN401  (ArviZ's results, which are untyped)
    diff = (first.elpd_i - second.elpd_i).to_numpy()
    return Difference(float(diff.sum()), float(np.sqrt(diff.size * diff.var())), diff.size)


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data, best law first."""
    columns = ("elpd", "se", "p", "elpd_diff", "dse", "weight")
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
                "bad_k": int(comparison.table.loc[name, "bad_k"]),
                "exact_refits": len(comparison.exact[name]),
                "diagnostics_passed": comparison.fits[name].diagnostics.passed,
            }
            for name in comparison.table.index
        ],
        "notes": list(comparison.notes),
    }

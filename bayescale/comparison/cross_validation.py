"""cross_validate: laws scored on groups of runs that were left out together, by exact refits."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from bayescale import checks
from bayescale.comparison.comparison import Comparison, check_comparable, failure_notes
from bayescale.comparison.ranking import rank_laws, ranking_notes, standard_error
from bayescale.comparison.refits import Progress, refits_of, score, waiting_folds
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.fits.tree import canonical_frame
from bayescale.laws import Law
from bayescale.runs import RunTable
from bayescale.runs.folds import ALONE, Grouping, grouping_of, noun
from bayescale.runs.units import numbered
from bayescale.storage import cache_dir
from bayescale.values import Value

if TYPE_CHECKING:
    import arviz_stats as azs


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation(Value):
    """Laws fitted to the same runs, and how well each predicts groups of runs that it has not seen.

    Attributes
    ----------
    fits : mapping of str to Fit
        The fits of all runs.
    by : str
        What was left out together: ``budget``, ``family``, ``training_run``, ``largest`` or ``random``.
    groups : numpy.ndarray
        Label of each run's group (run,).
    folds : numpy.ndarray
        Number of the refit that leaves each run out, from 0; -1 for a run that is never left out (run,).
    elpd_i : xarray.DataArray
        Log predictive density of each run under the posterior of the runs outside its fold, in nats (law, run); NaN
        where a run was never left out.
    table : pandas.DataFrame
        Best law first: ``rank``, ``elpd``, ``se``, ``elpd_diff`` (to the best law, at most 0), ``dse``, ``p_worse``,
        ``weight`` (stacking of these densities), ``best_probability`` and ``decided``, over the runs left out. ``se``,
        ``dse`` and ``best_probability`` are over groups; for ``largest`` and ``random`` over training runs, or over
        rows where each is a run of its own.
    ranking_probability : float
        Probability that the whole order of the laws stays, by a Bayesian bootstrap over the same units.
    failed : mapping of str to int
        Number of each law's refits that failed the diagnostics gate.
    notes : tuple of str
        What a reader must know of these numbers.
    """

    fits: Mapping[str, Fit]
    by: str
    groups: np.ndarray
    folds: np.ndarray
    elpd_i: xr.DataArray
    table: pd.DataFrame
    ranking_probability: float
    failed: Mapping[str, int]
    notes: tuple[str, ...]

    def _lines(self) -> list[str]:
        folds, best = int(self.folds.max()) + 1, self.table.index[0]
        return [f"Cross-validation of {len(self.fits)} laws by {self.by}, {folds} folds: {best} predicts best"]

    def _shown(self) -> pd.DataFrame:
        return self.table

    @property
    def doubts(self) -> tuple[str, ...]:
        """How many refits of which law failed their diagnostics."""
        return tuple(f"{name}: {count} refits by {self.by} failed" for name, count in self.failed.items() if count)

    @property
    def runs(self) -> RunTable:
        """The runs that every law was fitted to."""
        return next(iter(self.fits.values())).runs


@checks.kinds
def cross_validate(
    fits: Mapping[str, Fit],
    by: str,
    *,
    folds: int | None = None,
    random_seed: int = 0,
    cache: bool = True,
    progress: Progress | None = None,
) -> CrossValidation:
    """Score laws on groups of runs left out together, each predicted by the law refitted without them.

    Every refit samples the posterior of the remaining runs with the model that was compiled once for the law, and
    with the reference values, priors, settings and seed of the fit of all runs. Laws run in parallel processes.

    Parameters
    ----------
    fits : mapping of str to Fit
        Two or more fits of the same runs.
    by : {"budget", "family", "training_run", "largest", "random"}
        What is left out together. ``budget``: runs of like compute, by the table's column ``budget``, else where C is
        nearly discrete by its values, else by bins of a quarter of a decade. ``family``, ``training_run``: rows of one
        label. ``largest``: the largest fifth of the runs by C, once; this is extrapolation, the others interpolate.
        ``random``: folds at random, with the rows of one training run kept together.
    folds : int, optional
        Number of refits of each law: groups are put at random into so many folds. By default every group is left out
        by itself, and ``random`` has 10 folds.
    random_seed : int
        Of the folds and of the Bayesian bootstrap.
    cache : bool
        Whether results of refits are read from the cache and kept there.
    progress : callable, optional
        Called with the name of a law, its refits done and its refits in all.

    Returns
    -------
    CrossValidation
        Best law first. A fold that leaves too few runs for one of the laws is not scored, for any law, and noted.

    Raises
    ------
    InputError
        If the fits are not of the same runs, the criterion is unknown or needs a column that is not there, there are
        fewer than two groups, the number of folds is not possible, or no fold leaves enough runs.
    """
    check_comparable(fits)
    runs = next(iter(fits.values())).runs
    laws = [fitted.law for fitted in fits.values()]
    grouping = _with_enough_left(grouping_of(runs, by, folds, random_seed), laws, runs)
    refits = {name: refits_of(fitted, grouping.folds) for name, fitted in fits.items()}
    elpd_i, failed = score(refits, len(runs.frame), cache=cache, progress=progress)
    held = np.flatnonzero(grouping.folds != ALONE)
    units = numbered(grouping.units[held])
    pointwise = {name: _elpd_data(values[held], units, fits[name], grouping) for name, values in elpd_i.items()}
    ranking = rank_laws(pointwise, units, random_seed=random_seed)
    notes = [
        *grouping.notes,
        *failure_notes(fits),
        *_fold_notes(failed, grouping),
        *ranking_notes(ranking, noun(by, runs)),
    ]
    return CrossValidation(
        fits=dict(fits),
        by=by,
        groups=grouping.labels,
        folds=grouping.folds,
        elpd_i=_labelled(elpd_i, runs, grouping),
        table=ranking.table.drop(columns=["p", "diag_diff", "diag_elpd"]),
        ranking_probability=ranking.probability,
        failed=failed,
        notes=tuple(notes),
    )


def planned_refits(
    runs: RunTable, laws: Sequence[Law], by: str, *, fits: Mapping[str, Fit], random_seed: int = 0, cache: bool = True
) -> dict[str, tuple[int, int]]:
    """Return what :func:`cross_validate` would do: of each law its refits, and how many the cache holds.

    Parameters
    ----------
    runs : RunTable
        The runs.
    laws : sequence of Law
        The laws.
    by, random_seed, cache
        As for :func:`cross_validate`.
    fits : mapping of str to Fit
        Fits of all runs by those of the laws that have been fitted; without one, no refit can be known.

    Returns
    -------
    dict of str to tuple of int
        Refits and refits known, of each law.

    Raises
    ------
    InputError
        As :func:`cross_validate`.
    """
    table = dataclasses.replace(runs, frame=canonical_frame(runs))
    grouping = _with_enough_left(grouping_of(table, by, None, random_seed), laws, table)
    planned = {}
    for law in laws:
        count = grouping.count
        if cache and law.name in fits:
            count = len(waiting_folds(refits_of(fits[law.name], grouping.folds), cache_dir() / "folds"))
        planned[law.name] = (grouping.count, grouping.count - count)
    return planned


def _with_enough_left(grouping: Grouping, laws: Sequence[Law], runs: RunTable) -> Grouping:
    """Leave unscored, with a note, the folds without which a law has too few runs."""
    needs = {law.name: len(law.parameters) + 3 for law in laws}
    demanding = max(needs, key=lambda name: needs[name])
    folds, notes = grouping.folds.copy(), list(grouping.notes)
    for fold in np.unique(folds[folds != ALONE]):
        held = grouping.folds == fold
        left = int((~held).sum())
        if left < needs[demanding]:
            folds[held] = ALONE
            names = ", ".join(dict.fromkeys(grouping.labels[held].tolist()))
            notes.append(f"{names}: not scored, as {left} runs are left and {demanding} needs {needs[demanding]}")
    if (folds == ALONE).all():
        raise InputError(f"{runs.name}: {notes[-1]}; cross-validate by something else, or compare simpler laws")
    return dataclasses.replace(grouping, folds=folds, notes=tuple(notes))


def _fold_notes(failed: Mapping[str, int], grouping: Grouping) -> list[str]:
    return [
        f"{name}: diagnostics failed in {count} of {grouping.count} refits; its elpd is doubtful"
        for name, count in failed.items()
        if count
    ]


def _elpd_data(values: np.ndarray, units: np.ndarray, fitted: Fit, grouping: Grouping) -> "azs.ELPDData":
    """Return the densities as ArviZ holds those of K-fold cross-validation."""
    import arviz_stats as azs  # noqa: PLC0415  (1 s that a command without cross-validation does not need)

    draws = fitted.data["posterior"].sizes
    return azs.ELPDDataLOOKFold(
        elpd=float(values.sum()),
        se=standard_error(values, units),
        p=float("nan"),
        n_samples=draws["chain"] * draws["draw"],
        n_data_points=values.size,
        scale="log",
        warning=False,
        good_k=None,
        elpd_i=xr.DataArray(values, dims="run"),
        n_folds=grouping.count,
    )


def _labelled(elpd_i: Mapping[str, np.ndarray], runs: RunTable, grouping: Grouping) -> xr.DataArray:
    coords = {
        "law": list(elpd_i),
        "run": runs.frame["run"].to_numpy(dtype=str),
        "group": ("run", grouping.labels),
        "fold": ("run", grouping.folds),
    }
    return xr.DataArray(np.stack(list(elpd_i.values())), dims=("law", "run"), coords=coords, name="elpd_i")


@checks.kinds
def weights_by(criteria: Mapping[str, Comparison | CrossValidation]) -> pd.DataFrame:
    """Set stacking weights and differences side by side, to see where criteria disagree.

    Parameters
    ----------
    criteria : mapping of str to Comparison or CrossValidation
        Results of the same laws on the same runs, under names such as ``point`` and ``largest``.

    Returns
    -------
    pandas.DataFrame
        One row per law, in the order of the first criterion; columns (criterion, quantity): ``weight`` (stacking),
        ``elpd_diff`` to the criterion's best law and its ``dse`` (nats), ``best_probability``, and ``standing``:
        ``best``, ``worse``, or ``not decided`` where the difference is under 4 nats or inside its standard errors.

    Raises
    ------
    InputError
        If there is no criterion, or they are not of the same laws on the same runs.
    """
    if not criteria:
        raise InputError("expected one or more comparisons or cross-validations, found none")
    laws = {name: sorted(result.table.index) for name, result in criteria.items()}
    hashes = {each.record["table"]["hash"] for result in criteria.values() for each in result.fits.values()}
    if len(hashes) > 1 or len({tuple(names) for names in laws.values()}) > 1:
        each = "; ".join(f"{name}: {', '.join(found)} on {criteria[name].runs.name}" for name, found in laws.items())
        raise InputError(f"expected the same laws on the same runs under every criterion; found {each}")
    quantities = ["weight", "elpd_diff", "dse", "best_probability"]
    sides = {
        name: result.table[quantities].assign(standing=_standing(result.table)) for name, result in criteria.items()
    }
    first = next(iter(criteria.values())).table.index
    return pd.concat(sides, axis="columns", names=["criterion", "quantity"]).reindex(first)


def _standing(table: pd.DataFrame) -> list[str]:
    return ["best", *("worse" if decided else "not decided" for decided in table["decided"].iloc[1:])]

"""Fit: a law and the data tree of its posterior, in memory and on disk."""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits.diagnostics import Diagnostics, diagnostics_from_record
from bayescale.fits.draws import Draws
from bayescale.fits.sealing import seal
from bayescale.fits.settings import Settings
from bayescale.fits.summary import summary_table
from bayescale.fits.versions import versions
from bayescale.laws import (
    Law,
    law_record,
    published_scale,
    reference_units,
    unit_columns,
)
from bayescale.laws.measured import MeasuredCost, cost_of
from bayescale.runs import ALIASES, Runs, RunTable
from bayescale.storage import write_whole
from bayescale.values import FrozenMapping, Value, folded
from bayescale.words import short, typed

SCHEMA = "bayescale/fit/1"
COVARIATES = ("N", "D", "C")
KEPT = tuple(name for name in ALIASES if name != "run")
"""Columns of the table that a fit keeps, beside run and response, so that fits of different laws can be compared."""

PUBLISHED = "published"
"""The group of a fit that holds its posterior at the scale of published values."""

LOG_PRIOR = "log_prior"
"""The group of a fit that power scaling needs, which fits saved by earlier versions lack."""

LIKELIHOOD = "log_likelihood"
"""The group of a fit that those of large tables do not keep: it is computed where it is needed."""

GROUPS = (
    "posterior",
    "sample_stats",
    LIKELIHOOD,
    "posterior_predictive",
    "prior",
    "observed_data",
    "constant_data",
)


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Value):
    """A law and the data tree of its posterior; the tree is the whole record.

    Attributes
    ----------
    law : Law
        The law, with the priors it was fitted with.
    data : xarray.DataTree
        Groups ``posterior`` and ``prior`` (the law's parameters at reference scale in units of the
        response, ``sigma`` and ``nu``, and where rows share training runs ``run_share`` and ``path_share``; chain,
        draw), ``published`` (the same parameters at N = D = C = 1, as papers print them, and the quantities that they
        derive; chain, draw), ``sample_stats``, ``log_likelihood`` and
        ``posterior_predictive`` (``log_response``; chain, draw, run; beyond 2000 runs no log likelihood, which
        ``bayescale.fits.likelihood.with_log_likelihood`` adds, and fewer of the predictive draws), ``log_prior``
        (density of each free variable; chain, draw), ``loo`` (``elpd_i`` and ``pareto_k``; run),
        ``observed_data`` (run) and
        ``constant_data`` (``N``, ``D``, ``C`` and, where given, ``family``; run). Runs are sorted by N, D, C,
        response and label.
    """

    law: Law
    data: xr.DataTree

    @classmethod
    def from_draws(
        cls,
        runs: Runs,
        law: str | Law,
        draws: Mapping[str, np.ndarray] | xr.Dataset,
        *,
        scale: Literal["published", "reference"] = "published",
        prior: Mapping[str, np.ndarray] | xr.Dataset | None = None,
        sample_stats: xr.Dataset | None = None,
        diagnostics: Diagnostics | None = None,
        random_seed: int = 0,
    ) -> "Fit":
        """Make a fit of draws that come from elsewhere: of another sampler, a bootstrap, or a paper.

        Parameters
        ----------
        runs : RunTable, DataFrame, table, mapping or path-like
            The runs that the draws are the posterior of, as :func:`bayescale.read_runs` takes them.
        law : str or Law
            A built-in law by name, or a law of your own.
        draws : mapping of str to numpy.ndarray, or xarray.Dataset
            Draws of every parameter of the law, of ``sigma`` and of ``nu`` (scale and degrees of freedom of the noise
            on log response): (draw,), or (chain, draw).
        scale : str
            Whether parameters are ``published`` (at N = D = C = 1, as papers print them) or at ``reference`` scale.
        prior : mapping of str to numpy.ndarray, or xarray.Dataset, optional
            Draws of the prior, in the same form; by default of the law's own prior. The density of the prior, which
            :func:`bayescale.decisions.sensitivity.reweigh` needs, is known for the law's own prior only.
        sample_stats : xarray.Dataset, optional
            What the sampler says of its draws: ``diverging``, ``energy`` and ``maxdepth_reached`` (chain, draw).
        diagnostics : Diagnostics, optional
            Result of the diagnostics gate; by default what it finds in the draws, and in ``sample_stats`` where they
            are given. Fewer than four chains do not pass it.
        random_seed : int
            Of the predictive draws.

        Raises
        ------
        InputError
            If a parameter is missing, draws are not finite, or they differ in shape.
        """
        # The tree of a fit is made with functions of this module.
        from bayescale.fits.tree import fit_from_draws  # noqa: PLC0415

        return fit_from_draws(
            runs,
            law,
            draws,
            scale=scale,
            prior=prior,
            sample_stats=sample_stats,
            diagnostics=diagnostics,
            random_seed=random_seed,
        )

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """What was fitted and how: table, reference values, settings, versions, diagnostics."""
        return FrozenMapping(json.loads(self.data.attrs["bayescale"]))

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """Result of the diagnostics gate."""
        return diagnostics_from_record(self.record["diagnostics"])

    @cached_property
    def reference(self) -> Mapping[str, float]:
        """Geometric means over the table of N, D, C, the response and the law's covariates, or the law's own units."""
        return FrozenMapping(self.record["reference"])

    @cached_property
    def runs(self) -> RunTable:
        """The runs that were fitted, in the order of dimension ``run``."""
        table = self.record["table"]
        constant = self.data["constant_data"].to_dataset()
        frame = pd.DataFrame({"run": constant["run"].to_numpy().astype(str)})
        for name, values in constant.data_vars.items():
            frame[str(name)] = values.to_numpy()
        frame[table["response"]] = np.exp(self.data["observed_data"]["log_response"].to_numpy())
        fields = ("name", "response", "unit", "compute", "record")
        return RunTable(frame=frame, notes=tuple(table["notes"]), **{name: table[name] for name in fields})

    @cached_property
    def draws(self) -> Draws:
        """Posterior draws of every parameter at reference scale, chain after chain (draw,)."""
        cost = cost_of(self.law, self.runs)
        measured = cost if isinstance(cost, MeasuredCost) else None
        return Draws(self.law, flat_draws(self.data["posterior"].to_dataset()), self.reference, measured)

    def summary(self, probability: float = 0.9) -> pd.DataFrame:
        """Return what was found of each parameter, at the scale of papers and at that of a typical run.

        Parameters
        ----------
        probability : float
            Of the credible intervals.

        Returns
        -------
        pandas.DataFrame
            One row for each parameter, quantities that the paper derives from them, then ``sigma`` and ``nu``. Medians
            ``published`` (at N = D = C = 1, as papers print them), ``reference`` (at the typical run, where priors are
            declared) and ``prior`` (at the typical run), the ends of their intervals as ``published_lower``,
            ``published_upper`` and so on, and ``contraction``: near 1 the runs decide, near 0 the prior does. NaN
            where a parameter has no such scale.

        Raises
        ------
        InputError
            If the probability is not between 0 and 1.
        """
        checks.probability(probability)
        prior = flat_draws(self.data["prior"].to_dataset())
        return summary_table(published_draws(self), self.draws, prior, contraction(self), probability)

    def _lines(self) -> list[str]:
        sizes, passed = self.data["posterior"].sizes, self.diagnostics.passed
        state = "diagnostics passed" if passed else "diagnostics FAILED"
        found = published_draws(self)
        values = (f"{name} {short(float(np.median(draws)), 3)}" for name, draws in found.items())
        return [
            f"Fit of {self.law.name} to {len(self.runs.frame)} runs of {self.runs.name} "
            f"({sizes['chain']} x {sizes['draw']} draws, {state})",
            *self.diagnostics.failures[:1],
            f"{self.law.formula}: {', '.join(values)}",
        ]

    def _shown(self) -> pd.DataFrame:
        return folded(self.summary())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit as one NetCDF file, whole or not at all; ArviZ opens it as it is.

        The file ends with a checksum of its content, by which :func:`load_fit` knows a damaged one.

        Raises
        ------
        OSError
            If the file cannot be written, for instance because the disk is full.
        """
        write_whole(Path(path), self._write)

    def _write(self, path: Path) -> None:
        try:
            self.data.to_netcdf(path, engine="netcdf4")
        except RuntimeError as error:  # whatever HDF5 meets when it writes, a full disk above all
            raise OSError(f"{error}; is the disk full?") from error
        seal(path)


def flat_draws(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """Return each variable's draws, chain after chain (draw,)."""
    return {str(name): values.to_numpy().reshape(-1) for name, values in dataset.items()}


@checks.kinds
def published_draws(fitted: Fit) -> dict[str, np.ndarray]:
    """Return posterior draws at the scale of published values, with the paper's derived quantities (draw,)."""
    return published_scale(fitted.law, fitted.reference, fitted.draws)


def add_published(fitted: Fit) -> Fit:
    """Add the group ``published`` to a fit, and say of both groups of parameters what their scale is."""
    posterior = fitted.data["posterior"].to_dataset()
    draws = {str(name): values for name, values in posterior.items()}
    published = xr.Dataset(published_scale(fitted.law, fitted.reference, draws))
    at = ", ".join(f"{name} in units of {typed(fitted.reference[name], 6)}" for name in fitted.law.covariates)
    unit = fitted.record["table"]["unit"] or fitted.record["table"]["response"]
    scales = {
        PUBLISHED: (published, "N = D = C = 1, the scale of published values"),
        "posterior": (posterior, f"a typical run of the table ({at}); group {PUBLISHED} has the scale of papers"),
    }
    for group, (dataset, scale) in scales.items():
        fitted.data[group] = xr.DataTree(dataset.assign_attrs(scale=scale, response_unit=unit))
    return fitted


def contraction(fitted: Fit) -> dict[str, float | None]:
    """Return how much the runs have told of each parameter: 1 less posterior variance over prior variance.

    Near 1 the runs decide, near 0 the prior does. None for a prior that is one value.
    """
    prior = flat_draws(fitted.data["prior"].to_dataset())
    return {
        name: 1.0 - float(draws.var() / prior[name].var()) if prior[name].var() > 0 else None
        for name, draws in fitted.draws.items()
        if name in prior
    }


def reference_values(frame: pd.DataFrame, response: str, law: Law | None = None) -> dict[str, float]:
    """Return the reference value of N, D, C, the response, and of each further covariate of a law.

    Parameters
    ----------
    frame : pandas.DataFrame
        The runs.
    response : str
        The response column.
    law : Law, optional
        The law, for its further covariates and for units of its own.

    Returns
    -------
    dict of str to float
        Geometric means over the table, except where ``law.units`` says otherwise.
    """
    always = {name: _geometric_mean(frame[name]) for name in (*COVARIATES, response) if name in frame}
    if law is None:
        return always
    further = [name for name in unit_columns(law) if name not in always and name not in law.units]
    return always | reference_units(law, always | {name: _geometric_mean(frame[name]) for name in further})


def _geometric_mean(column: pd.Series) -> float:
    return float(np.exp(np.log(column.to_numpy(dtype=float)).mean()))


@checks.kinds
def predict(
    fitted: Fit, N: np.ndarray | None = None, D: np.ndarray | None = None, **covariates: np.ndarray
) -> np.ndarray:
    """Return the law's expected response for runs like these.

    Parameters
    ----------
    fitted : Fit
        The fit.
    N, D : numpy.ndarray, optional
        Parameters and tokens, in counts (point,).
    **covariates : numpy.ndarray
        Further columns that the law needs, under their names (point,); where C is not given, it is what such a run
        costs: by the table's own C, or 6 N D.

    Returns
    -------
    numpy.ndarray
        In the table's unit (draw, point); parameter uncertainty only, no noise of single runs.

    Raises
    ------
    InputError
        If a column that the law needs is not given.
    """
    points = complete_points(fitted.draws, {"N": N, "D": D, **covariates})
    return fitted.draws.value(points)


def complete_points(draws: Draws, columns: Mapping[str, np.ndarray | None]) -> dict[str, np.ndarray]:
    """Return the columns that are given, with the C of such runs where it is not; InputError if one is missing."""
    law = draws.law
    points = {name: np.asarray(value, dtype=float) for name, value in columns.items() if value is not None}
    if {"N", "D"} <= set(points):
        points = {"C": draws.flops(points["N"], points["D"]), **points}
    missing = [name for name in law.covariates if name not in points]
    if missing:
        raise InputError(f"law '{law.name}' needs {', '.join(missing)}; found {', '.join(points) or 'nothing'}")
    return points


def table_record(runs: RunTable) -> dict[str, Any]:
    """Return all of a table but its rows, as plain data."""
    fields = {name: getattr(runs, name) for name in ("name", "response", "unit", "compute")}
    return {**fields, "record": dict(runs.record), "notes": list(runs.notes)}


def fit_record(
    law: Law,
    runs: RunTable,
    rows_hash: str,
    *,
    settings: Settings,
    reference: Mapping[str, float],
    diagnostics: Diagnostics,
    attempt: Mapping[str, Any],
) -> str:
    """Return what a saved fit says of itself, as JSON."""
    record = {
        "schema": SCHEMA,
        "law": law_record(law),
        "table": {**table_record(runs), "hash": rows_hash},
        "settings": dataclasses.asdict(settings),
        "attempt": dict(attempt),
        "reference": dict(reference),
        "diagnostics": dataclasses.asdict(diagnostics),
        "versions": versions(),
    }
    return json.dumps(record, sort_keys=True)

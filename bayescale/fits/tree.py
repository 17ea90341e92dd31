"""The data tree of a fit, from its draws: the one place that knows its layout."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.errors import InputError
from bayescale.fits.diagnostics import Diagnostics, diagnose
from bayescale.fits.fit import COVARIATES, KEPT, Fit, add_published, fit_record, reference_values
from bayescale.fits.likelihood import kept_predictions
from bayescale.fits.settings import Settings
from bayescale.laws import Law, get_law, reference_scale
from bayescale.runs import Runs, RunTable, as_table
from bayescale.runs.checkpoints import RUN_SHARE, SHARES, checkpoints_of, rotated
from bayescale.storage import content_hash

NOISE = ("sigma", "nu")
PRIOR_DRAWS = 1000
"""Draws of the prior that a fit keeps."""

type Parameters = Mapping[str, np.ndarray] | xr.Dataset


def fit_from_draws(
    runs: Runs,
    law: str | Law,
    draws: Parameters,
    *,
    scale: Literal["published", "reference"] = "published",
    prior: Parameters | None = None,
    sample_stats: xr.Dataset | None = None,
    diagnostics: Diagnostics | None = None,
    random_seed: int = 0,
) -> Fit:
    """Make a fit of draws that come from elsewhere; see :meth:`bayescale.Fit.from_draws`."""
    law = get_law(law)
    runs = as_table(runs, law.covariates)
    frame = canonical_frame(runs)
    reference = reference_values(frame, runs.response, law)
    posterior = _dataset(law, reference, draws, scale, "draws")
    sizes, stats = posterior.sizes, xr.Dataset() if sample_stats is None else sample_stats
    fitted = posterior_fit(
        law,
        runs,
        reference,
        posterior,
        stats,
        settings=Settings(draws=sizes["draw"], chains=sizes["chain"], random_seed=random_seed),
        diagnostics=diagnostics or diagnose(posterior, stats),
        attempt={},
    )
    given = {} if prior is None else {"prior": _dataset(law, reference, prior, scale, "prior")}
    return with_groups(fitted, given or prior_groups(fitted))


def posterior_fit(
    law: Law,
    runs: RunTable,
    reference: Mapping[str, float],
    posterior: xr.Dataset,
    stats: xr.Dataset,
    *,
    settings: Settings,
    diagnostics: Diagnostics,
    attempt: Mapping[str, Any],
) -> Fit:
    """Return a fit of its posterior, at both scales, and its data alone.

    Parameters
    ----------
    law : Law
        The law.
    runs : RunTable
        The runs.
    reference : mapping of str to float
        Reference values of the law's covariates and of the response.
    posterior : xarray.Dataset
        Parameters at reference scale, ``sigma`` and ``nu`` (chain, draw).
    stats : xarray.Dataset
        What the sampler said of its draws (chain, draw); empty where none did.
    settings : Settings
        How they were sampled, and how refits are.
    diagnostics : Diagnostics
        What the gate found.
    attempt : mapping
        Which attempt of the sampler gave them.
    """
    frame = canonical_frame(runs)
    labels = {"run": frame["run"].to_numpy(dtype=str)}
    observed = np.log(frame[runs.response].to_numpy())
    constant = {name: ("run", _plain(frame[name])) for name in _kept(law, frame, runs.response)}
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "sample_stats": stats,
            "observed_data": xr.Dataset({"log_response": ("run", observed)}, coords=labels),
            "constant_data": xr.Dataset(constant, coords=labels),
        }
    )
    tree.attrs["bayescale"] = fit_record(
        law,
        runs,
        table_hash(frame, runs.response),
        settings=settings,
        reference=reference,
        diagnostics=diagnostics,
        attempt=attempt,
    )
    return add_published(Fit(law, tree))


def with_groups(fitted: Fit, groups: Mapping[str, xr.Dataset]) -> Fit:
    """Add the density of each run and its predictive draws, those that are kept, and then further groups."""
    labels = {"run": fitted.runs.frame["run"].to_numpy(dtype=str)}
    for name, group in kept_predictions(fitted).items():
        fitted.data[name] = xr.DataTree(group.assign_coords(labels))
    for name, group in groups.items():
        fitted.data[name] = xr.DataTree(group)
    return fitted


def prior_groups(fitted: Fit) -> dict[str, xr.Dataset]:
    """Return draws of the prior, and its density at each draw of the posterior."""
    from bayescale.fits.sampling import log_prior, sample_prior  # noqa: PLC0415  (imports PyMC)

    unit, seed = fitted.reference[fitted.runs.response], fitted.record["settings"]["random_seed"]
    return {
        "log_prior": log_prior(fitted.law, fitted.data["posterior"].to_dataset(), unit),
        "prior": sample_prior(fitted.law, unit, PRIOR_DRAWS, seed, shared=RUN_SHARE in fitted.data["posterior"]),
    }


def canonical_frame(runs: RunTable) -> pd.DataFrame:
    """Return run, N, D, C, response and further covariates, sorted so that row order cannot matter."""
    keys = [name for name in (*COVARIATES, runs.response, "run") if name in runs.frame]
    return runs.frame.sort_values(keys, ignore_index=True)


def sampler_data(law: Law, frame: pd.DataFrame, response: str, reference: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Return what ``sampling.sample_posterior`` takes: columns at reference scale, and log response.

    Where several rows come from one training run, what says how their noise goes together comes with them.
    """
    covariates = {name: frame[name].to_numpy() / reference[name] for name in law.covariates}
    log_response = np.log(frame[response].to_numpy())
    shared = checkpoints_of(frame)
    together = {} if shared is None else rotated(shared)
    return {**covariates, "log_response": log_response, "loss_unit": np.asarray(reference[response]), **together}


def table_hash(frame: pd.DataFrame, response: str) -> str:
    """Return a hash of the rows a fit sees: covariates and response, in their order."""
    columns = [*(name for name in frame if name in KEPT and name != response), response]
    return content_hash({"response": response, "rows": frame[columns].to_dict(orient="list")})


def _kept(law: Law, frame: pd.DataFrame, response: str) -> list[str]:
    """Return the columns that a fit keeps: those known, and those of a user's own law."""
    return [name for name in frame if name != response and (name in KEPT or name in law.covariates)]


def _plain(column: pd.Series) -> np.ndarray:
    values: np.ndarray = column.to_numpy(dtype=float if pd.api.types.is_numeric_dtype(column) else str)
    return values


def _dataset(law: Law, reference: Mapping[str, float], given: Parameters, scale: str, what: str) -> xr.Dataset:
    """Return draws at reference scale (chain, draw), or raise InputError if they are not those of the law."""
    if scale not in ("published", "reference"):
        raise InputError(f"scale is {scale!r}; expected 'published' (at N = D = C = 1) or 'reference'")
    needed = (*law.parameters, *NOISE)
    missing = [name for name in needed if name not in given]
    if missing:
        raise InputError(
            f"{what} of law '{law.name}' need {', '.join(needed)}; missing {', '.join(missing)} "
            "(sigma and nu are scale and degrees of freedom of the noise on log response)"
        )
    further = [name for name in SHARES if name in given]
    arrays = {name: np.atleast_2d(np.asarray(given[name], dtype=float)) for name in (*needed, *further)}
    shapes = {values.shape for values in arrays.values()}
    if len(shapes) > 1 or not all(np.isfinite(values).all() for values in arrays.values()):
        found = ", ".join(f"{name} {values.shape}" for name, values in arrays.items())
        raise InputError(f"{what} must be finite and of one shape, (draw,) or (chain, draw); found {found}")
    own = {name: arrays[name] for name in law.parameters}
    arrays |= reference_scale(law, reference, own) if scale == "published" else own
    chains, count = next(iter(shapes))
    coords = {"chain": np.arange(chains), "draw": np.arange(count)} if what == "draws" else {}
    return xr.Dataset({name: (("chain", "draw"), values) for name, values in arrays.items()}, coords=coords)

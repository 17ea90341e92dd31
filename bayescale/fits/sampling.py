"""Sampling a law's posterior: one compiled model per law and process, refitted with new data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from bayescale.errors import InputError
from bayescale.fits.diagnostics import Diagnostics, diagnose
from bayescale.fits.kernel import Kernel, NoMachineCode, kernel_of
from bayescale.fits.sampler import compile_model, run_sampler, with_used
from bayescale.fits.settings import Settings
from bayescale.laws import Law, law_record
from bayescale.laws.priors import free_from_parameters, free_priors, from_normal, log_density, parameters_from_free
from bayescale.runs.checkpoints import RUN_SHARE, TOGETHER
from bayescale.storage import content_hash

_COMPILED: dict[str, Any] = {}


@dataclass(frozen=True)
class Attempt:
    """One rung of the ladder: how to adapt, how careful to be, how many times the draws, and which part is kept."""

    adaptation: str
    target_accept: float
    factor: int
    thin: int = 1


ATTEMPTS = (Attempt("low_rank", 0.95, 1), Attempt("diag", 0.99, 2))
"""Low-rank adaptation needs a fifth of the steps; where it fails, small steps and more draws may not."""

SHARED_ATTEMPTS = (ATTEMPTS[0], Attempt("low_rank", 0.95, 4, thin=4), ATTEMPTS[1])
"""The same where rows share training runs: a few sizes leave a long ridge between floor and exponent of size, which
takes more draws of the cheap kind (5 s for 6 runs of 7 rows, against 20 s of small steps that find no more)."""

SCOUTS = 12
SCOUT_TUNE, SCOUT_DRAWS = 200, 50
SCOUT = Attempt("low_rank", 0.8, 1)
LEAST_LOGP = 0.01
"""Scouts count if their density is that of the draws: at least this quantile of it."""


def sample_posterior(
    law: Law, data: Mapping[str, np.ndarray], settings: Settings
) -> tuple[xr.Dataset, xr.Dataset, Diagnostics, Attempt]:
    """Sample until the diagnostics pass or the ladder of attempts ends.

    Parameters
    ----------
    law : Law
        The law.
    data : mapping of str to numpy.ndarray
        Each covariate divided by its reference value (run,), ``log_response`` (run,), ``loss_unit`` (); and where rows
        share training runs what :func:`bayescale.runs.checkpoints.rotated` returns.
    settings : Settings
        Draws, tuning steps, chains, seed.

    Returns
    -------
    posterior : xarray.Dataset
        Parameters at reference scale, ``sigma`` and ``nu`` (chain, draw).
    stats : xarray.Dataset
        Sampler statistics (chain, draw).
    diagnostics : Diagnostics
        Of the last attempt.
    attempt : Attempt
        The last attempt.

    Raises
    ------
    KeyboardInterrupt
        If sampling was interrupted; the sampler itself returns what it has without a word.
    InputError
        If no starting point has a finite density.
    """
    for attempt in SHARED_ATTEMPTS if _shared(data) else ATTEMPTS:
        posterior, stats = _sample_once(law, data, settings, attempt)
        diagnostics = diagnose(posterior, stats)
        if diagnostics.passed:
            break
    return posterior, stats, diagnostics, attempt


def missed_modes(
    law: Law, data: Mapping[str, np.ndarray], settings: Settings, posterior: xr.Dataset, stats: xr.Dataset
) -> tuple[str, ...]:
    """Send out short chains, and return a sentence if some settle, at densities like those of the draws, where none is.

    Chains that agree may have missed a mode together: one that draws in a quarter of all chains is missed by four of
    them one time in three, with an R-hat of 1.00. A scout counts if all its draws of some parameter lie outside the
    range of all draws.

    Parameters
    ----------
    law : Law
        The law.
    data : mapping of str to numpy.ndarray
        As :func:`sample_posterior` takes it.
    settings : Settings
        Those of the fit; the scouts' seed is derived from its seed.
    posterior, stats : xarray.Dataset
        What :func:`sample_posterior` returned (chain, draw).

    Returns
    -------
    tuple of str
        One sentence, or none.
    """
    seed = int(np.random.SeedSequence([settings.random_seed, SCOUTS]).generate_state(1)[0])
    found, found_stats = _sample_once(law, data, Settings(SCOUT_DRAWS, SCOUT_TUNE, SCOUTS, seed), SCOUT)
    likely = found_stats["logp"].mean("draw") >= stats["logp"].quantile(LEAST_LOGP)
    outside = (found < posterior.min()).all("draw") | (found > posterior.max()).all("draw")
    apart = outside.to_array("parameter") & likely
    if not apart.any():
        return ()
    count, name = int(apart.any("parameter").sum()), str(apart.sum("chain").idxmax("parameter").item())
    there, here = float(found[name].where(apart.sel(parameter=name)).median()), posterior[name]
    return (
        f"{count} of {SCOUTS} short chains settled where no draw is, at densities as high (for instance {name} near "
        f"{there:.3g}; draws lie at {float(here.min()):.3g} to {float(here.max()):.3g}): the posterior has more than "
        "one mode",
    )


def _sample_once(
    law: Law, data: Mapping[str, np.ndarray], settings: Settings, attempt: Attempt
) -> tuple[xr.Dataset, xr.Dataset]:
    compiled = with_used(compiled_model(law, shared=_shared(data)), model_data(law, data))
    free, stats = run_sampler(
        compiled,
        replace(settings, draws=settings.draws * attempt.factor),
        what=f"law '{law.name}'",
        remedy=(
            f"look for extreme values in {', '.join(law.covariates)} or the response, and for priors that exclude the "
            "data"
        ),
        target_accept=attempt.target_accept,
        adaptation=attempt.adaptation,
    )
    free, stats = (_thinned(group, attempt.thin) for group in (free, stats))
    posterior = parameters_from_free(law, {str(k): v for k, v in free.items()}, float(data["loss_unit"]))
    return xr.Dataset(posterior), stats


def _thinned(group: xr.Dataset, thin: int) -> xr.Dataset:
    """Keep one draw of ``thin``, numbered anew; all of them where that is one."""
    if thin == 1:
        return group
    kept = group.isel(draw=slice(thin - 1, None, thin))
    return kept.assign_coords(draw=np.arange(kept.sizes["draw"]))


def model_data(law: Law, data: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the data under the names that the model gives them."""
    lengths = {name: data[name].shape for name in (*law.covariates, "log_response")}
    if len(set(lengths.values())) != 1:
        raise InputError(f"law '{law.name}': expected columns of one length, found {lengths}")
    covariates = {f"{name}_data": data[name] for name in law.covariates}
    together = {f"{name}_data": data[name] for name in TOGETHER if name in data}
    return {**covariates, "log_response_data": data["log_response"], "loss_unit": data["loss_unit"], **together}


def _shared(data: Mapping[str, np.ndarray]) -> bool:
    """Return whether several rows come from one training run."""
    return TOGETHER[0] in data


def model_key(law: Law, *, shared: bool) -> str:
    """Return what two laws of one model share: all of them, and the order in which their shares are drawn."""
    return content_hash({"law": law_record(law), "order": list(law.priors), **({"shared": True} if shared else {})})


def compiled_model(law: Law, *, shared: bool = False) -> Any:  # noqa: ANN401  (nutpie names no public type)
    """Return the law's compiled model: made at most once in a process, and good for every table.

    It is machine code where there is such a thing for the law, and otherwise the PyMC model by nutpie's own compiler.
    """
    key = model_key(law, shared=shared)
    if key not in _COMPILED:
        _COMPILED[key] = _machine_code(law, shared=shared) or _by_pymc(law, shared=shared)
    return _COMPILED[key]


def _machine_code(law: Law, *, shared: bool) -> Kernel | None:
    if shared:  # rows of one training run are no single loop
        return None
    try:
        return kernel_of(law)
    except NoMachineCode:
        return None


def _by_pymc(law: Law, *, shared: bool) -> Any:  # noqa: ANN401  (nutpie names no public type)
    from bayescale.fits.model import model_of  # noqa: PLC0415  (imports PyMC)

    return compile_model(model_of(law, shared=shared))


def sample_prior(law: Law, unit: float, draws: int, random_seed: int, *, shared: bool = False) -> xr.Dataset:
    """Draw parameters from the prior.

    Parameters
    ----------
    law : Law
        The law.
    unit : float
        The table's typical response.
    draws : int
        Number of draws.
    random_seed : int
        Seed.
    shared : bool
        Whether rows share training runs, and noise has shares.

    Returns
    -------
    xarray.Dataset
        Parameters at reference scale and those of the noise (chain, draw), with one chain.
    """
    priors = free_priors(law, shared=shared)
    scores = np.random.default_rng(random_seed).standard_normal((len(priors), draws))
    try:
        free = {name: from_normal(prior, score) for (name, prior), score in zip(priors.items(), scores, strict=True)}
    except InputError:  # a family of which PyMC alone has draws
        from bayescale.fits.model import draw_prior  # noqa: PLC0415  (imports PyMC)

        free = draw_prior(law, draws, random_seed, shared=shared)
    parameters = parameters_from_free(law, free, unit)
    return xr.Dataset({name: (("chain", "draw"), np.atleast_1d(value)[None, :]) for name, value in parameters.items()})


def log_prior(law: Law, posterior: xr.Dataset, unit: float) -> xr.Dataset:
    """Return the log density of the prior at posterior draws, one variable for each free variable of the model.

    The density is that of the free variables as they are declared, not of the unconstrained ones that are sampled: of
    alpha, not of its logarithm. It is what ArviZ's power scaling multiplies, noise included.

    Parameters
    ----------
    law : Law
        The law.
    posterior : xarray.Dataset
        Parameters at reference scale, ``sigma`` and ``nu`` (chain, draw).
    unit : float
        The table's typical response.

    Returns
    -------
    xarray.Dataset
        Log densities (chain, draw), as the group ``log_prior`` that ArviZ expects.
    """
    parameters = {str(name): values.to_numpy() for name, values in posterior.items()}
    free = free_from_parameters(law, parameters, unit)
    priors = free_priors(law, shared=RUN_SHARE in parameters)
    try:
        densities = {name: log_density(prior, free[name]) for name, prior in priors.items()}
    except InputError:  # a family of which PyMC alone has the density
        from bayescale.fits.model import prior_densities  # noqa: PLC0415  (imports PyMC)

        densities = prior_densities(law, free, shared=RUN_SHARE in parameters)
    coords = {name: posterior[name] for name in ("chain", "draw")}
    return xr.Dataset({name: (("chain", "draw"), values) for name, values in densities.items()}, coords)

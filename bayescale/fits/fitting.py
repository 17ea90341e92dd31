"""fit, fit_laws: sample the posteriors of laws on a table, or read them from the cache."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayescale import checks
from bayescale.errors import InputError
from bayescale.fits import discrepancy, loo
from bayescale.fits.catalogue_priors import catalogue_priors
from bayescale.fits.fit import (
    GROUPS,
    KEPT,
    LOG_PRIOR,
    Fit,
    reference_values,
    table_record,
)
from bayescale.fits.progress import waiting_for
from bayescale.fits.saving import read_fit
from bayescale.fits.settings import Settings
from bayescale.fits.tree import (
    canonical_frame,
    posterior_fit,
    prior_groups,
    sampler_data,
    table_hash,
    with_groups,
)
from bayescale.fits.versions import versions
from bayescale.laws import Given, Law, get_law, law_record, laws_with_priors, with_priors
from bayescale.laws.published import published_priors
from bayescale.laws.usual import usual_laws
from bayescale.processes import in_processes, workers
from bayescale.runs import Runs, RunTable, as_table
from bayescale.runs.amounts import check_memory, time_of_fits
from bayescale.storage import cache_dir, content_hash, kept_if_possible
from bayescale.words import typed


@checks.kinds
def fit(
    runs: Runs,
    law: str | Law,
    *,
    priors: Given | Literal["published", "catalogue"] | None = None,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    random_seed: int = 0,
    cache: bool = True,
    progress: bool = True,
    preview: bool = False,
) -> Fit:
    """Sample the posterior of a law on a table of runs.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        The runs, as :func:`bayescale.read_runs` takes them; their order does not matter.
    law : str or Law
        A built-in law by name, or a law of your own.
    priors : mapping of str to Prior, Share or str, "published" or "catalogue", optional
        Priors that replace the law's own, at reference scale, as records or as text:
        ``{"alpha": "Normal(0.34, 0.05)"}``, by PyMC's names; see ``bayescale.laws.with_priors``. ``"published"``
        takes the law's published fit with its uncertainties, to update it with runs of your own; ``"catalogue"`` what
        public tables together know of its exponents and shares, for tables of few runs.
    draws, tune : int
        Kept draws and tuning steps of each chain.
    chains : int
        Chains; the diagnostics gate needs four.
    random_seed : int
        The same seed, table, law and versions give the same draws on the same machine.
    cache : bool
        Whether to read the fit from the cache, and to keep it there.
    progress : bool
        Whether to say on stderr that the law is being sampled, in a terminal or a notebook; elsewhere, and of a fit in
        the cache, nothing is said.
    preview : bool
        Whether Laplace's method with importance weights will do for now. Where the fit is not in the cache, its draws
        are then a preview, which is not kept and never passes the diagnostics: ``fit.diagnostics.failures`` says what
        it is and gives its Pareto k, and so do all results that rest on it.

    Returns
    -------
    Fit
        With ``fit.diagnostics.passed`` False when sampling was doubtful twice: doubt is a result.

    Raises
    ------
    InputError
        If the law is unknown, a prior cannot be read or does not suit its parameter, the table lacks a column the law
        needs, has another response than the law describes, or has no more rows than the model has parameters.
    """
    law = get_law(law)
    runs = as_table(runs, law.covariates)
    settings = Settings(draws, tune, chains, random_seed)
    check_table(law, runs)
    if priors == "published":
        priors = published_priors(law, reference_values(runs.frame, runs.response, law), runs.response)
    if priors == "catalogue":
        priors = catalogue_priors(law)
    law = with_priors(law, priors) if priors else law
    known = cache and is_cached(law, runs, settings)
    if preview and not known:
        from bayescale.fits.preview import preview_fit  # noqa: PLC0415  (loads LLVM)

        return preview_fit(law, runs, settings)
    with _waiting(runs, [] if known else [law], progress=progress):
        return _fit(law, runs, settings, cache=cache)


@checks.kinds
def fit_laws(
    runs: Runs,
    laws: Iterable[str | Law] | None = None,
    *,
    priors: Given | None = None,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    random_seed: int = 0,
    cache: bool = True,
    progress: Callable[[str], object] | bool | None = True,
) -> dict[str, Fit]:
    """Fit several laws to the same runs, those not in the cache in parallel processes.

    Parameters
    ----------
    runs : RunTable, DataFrame, table, mapping or path-like
        The runs, as :func:`bayescale.read_runs` takes them.
    laws : iterable of str or Law, optional
        Laws by name, or laws of your own; names must differ. By default the usual ones of the response
        (``bayescale.laws.usual.USUAL_LAWS``), or where the table lacks N or D every law of the columns that it has.
    priors : mapping of str to Prior, Share or str, optional
        As for :func:`fit`, for each law that has the parameter; ``"chinchilla.alpha"`` is for that law alone.
    draws, tune, chains, random_seed, cache
        As for :func:`fit`.
    progress : bool, callable or None
        As for :func:`fit`; or a function that is called with the name of each law when its fit is there. None says
        nothing.

    Returns
    -------
    dict of str to Fit
        In the order of ``laws``.

    Raises
    ------
    InputError
        If ``laws`` is empty, two have one name, none has the parameter of a prior, or one cannot be fitted to this
        table (see :func:`fit`).
    """
    chosen, runs = laws_and_table(laws, runs)
    chosen = laws_with_priors(chosen, priors) if priors else chosen
    names = [law.name for law in chosen]
    for law in chosen:
        check_table(law, runs)
    settings = Settings(draws, tune, chains, random_seed)
    waiting = [law for law in chosen if not (cache and is_cached(law, runs, settings))]
    there = [law for law in chosen if law not in waiting]
    done = {}
    fit_one = functools.partial(_fit, runs=runs, settings=settings, cache=cache)
    sampled = in_processes(fit_one, waiting, lambda law: len(law.parameters))
    tell = progress if callable(progress) else _ignore
    with _waiting(runs, waiting, progress=progress is True):
        for fitted in itertools.chain(map(fit_one, there), sampled):
            done[fitted.law.name] = fitted
            if cache and workers() is not None:
                _keep_here(fitted, runs, settings)
            tell(fitted.law.name)
    return {name: done[name] for name in names}


def _keep_here(fitted: Fit, runs: RunTable, settings: Settings) -> None:
    """Keep a fit that a worker has made, which may keep its own elsewhere, on this machine."""
    path = _cache_path(fitted.law, runs, canonical_frame(runs), settings, fitted.reference)
    if not path.exists():
        with kept_if_possible(path):
            fitted.save(path)


def _ignore(name: str) -> None:
    del name


def _waiting(runs: RunTable, laws: Sequence[Law], *, progress: bool) -> AbstractContextManager[None]:
    """Say which laws are sampled on which runs, where there are some."""
    names = ", ".join(law.name for law in laws)
    rows = len(runs.frame)
    doing = f"sampling {names} on {rows} runs of {runs.name}{time_of_fits(rows)}"
    return waiting_for(doing, progress=progress and bool(laws))


def laws_and_table(laws: Iterable[str | Law] | None, runs: Runs) -> tuple[list[Law], RunTable]:
    """Return laws given by name or value, or else the usual ones, and the runs as a table."""
    if laws is None:
        table = as_table(runs)
        return distinct_laws(usual_laws(table)), table
    chosen = distinct_laws(laws)
    return chosen, as_table(runs, {name for law in chosen for name in law.covariates})


def distinct_laws(laws: Iterable[str | Law]) -> list[Law]:
    """Return laws given by name or value; raise InputError unless there are some, of different names."""
    chosen = [get_law(law) for law in laws]
    names = [law.name for law in chosen]
    if not names or len(set(names)) < len(names):
        raise InputError(f"expected one or more laws of different names, found {names}")
    return chosen


def _fit(law: Law, runs: RunTable, settings: Settings, *, cache: bool) -> Fit:
    frame = canonical_frame(runs)
    return _fit_frame(law, runs, frame, settings, reference_values(frame, runs.response, law), cache=cache)


def check_table(law: Law, runs: RunTable) -> None:
    """Raise InputError if this law cannot be fitted to this table."""
    missing = [name for name in law.covariates if name not in runs.frame]
    if missing:
        raise InputError(
            f"{runs.name}: law '{law.name}' needs column {', '.join(missing)}, found "
            f"{', '.join(map(str, runs.frame))}; add it, or choose a law of the columns that are there"
        )
    _check_columns(law, runs)
    if runs.response not in law.responses:
        raise InputError(
            f"{runs.name}: law '{law.name}' describes {' or '.join(law.responses)}, the table holds {runs.response}"
        )
    needed = len(law.parameters) + 3
    if len(runs.frame) < needed:
        raise InputError(
            f"{runs.name}: law '{law.name}' has {needed - 1} parameters with its noise and needs at least {needed} "
            f"runs, found {len(runs.frame)}; add runs or choose a simpler law"
        )


def _check_columns(law: Law, runs: RunTable) -> None:
    """Raise InputError where a column of the law has gaps, or zeros that its unit does not allow."""
    for name in law.covariates:
        values = runs.frame[name].to_numpy(dtype=float)
        lowest = 0.0 if name in law.units else np.nextafter(0.0, 1.0)
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= lowest)))
        if len(bad):
            shown = ", ".join(f"{typed(values[row], 6)} for run {runs.frame['run'].iloc[row]!r}" for row in bad[:5])
            least = "of at least" if name in law.units else "above"
            raise InputError(
                f"{runs.name}: law '{law.name}' needs a number {least} zero in "
                f"column {name} of every run; found {shown}{f', and {len(bad) - 5} more' if len(bad) > 5 else ''}; "
                "select the runs that have it, or choose another law"
            )


def is_cached(law: Law, runs: RunTable, settings: Settings) -> bool:
    """Return whether the fit of this law to this table is in the cache."""
    frame = canonical_frame(runs)
    return _cache_path(law, runs, frame, settings, reference_values(frame, runs.response, law)).exists()


def _fit_frame(
    law: Law, runs: RunTable, frame: pd.DataFrame, settings: Settings, reference: Mapping[str, float], *, cache: bool
) -> Fit:
    path = _cache_path(law, runs, frame, settings, reference)
    cached = _from_cache(path, law) if cache else None
    if cached is not None and _is_of(cached, runs, frame, settings, reference):
        return cached
    fitted = _sample_fit(law, runs, settings, reference)
    if cache:
        with kept_if_possible(path):
            fitted.save(path)
    return fitted


def _cache_path(
    law: Law, runs: RunTable, frame: pd.DataFrame, settings: Settings, reference: Mapping[str, float]
) -> Path:
    content = {
        "law": law_record(law),
        "table": {**table_record(runs), "labels": frame["run"].tolist(), "hash": table_hash(frame, runs.response)},
        "own": {name: frame[name].tolist() for name in law.covariates if name not in KEPT},
        "settings": dataclasses.asdict(settings),
        "reference": dict(reference),
        "groups": [*GROUPS, LOG_PRIOR, discrepancy.GROUP],
        "versions": versions(),
    }
    return cache_dir() / "fits" / f"{law.name}-{content_hash(content)[:24]}.nc"


def _from_cache(path: Path, law: Law) -> Fit | None:
    """Read a fit from the cache; a damaged file counts as none and is sampled again."""
    try:
        return read_fit(path, law) if path.exists() else None
    except InputError:
        return None


def _is_of(
    fitted: Fit, runs: RunTable, frame: pd.DataFrame, settings: Settings, reference: Mapping[str, float]
) -> bool:
    """Return whether a fit is of these runs and settings, whatever the name of its file says."""
    expected = {
        "table": {**table_record(runs), "hash": table_hash(frame, runs.response)},
        "settings": dataclasses.asdict(settings),
        "reference": dict(reference),
        "versions": versions(),
    }
    fitted_to = fitted.data["constant_data"].to_dataset()
    own = [name for name in fitted.law.covariates if name not in KEPT]
    return (
        content_hash({name: fitted.record.get(name) for name in expected}) == content_hash(expected)
        and fitted_to["run"].to_numpy().astype(str).tolist() == frame["run"].tolist()
        and all(name in fitted_to and np.array_equal(fitted_to[name], frame[name]) for name in own)
    )


def _sample_fit(law: Law, runs: RunTable, settings: Settings, reference: Mapping[str, float]) -> Fit:
    fitted = _sample_posterior_alone(law, runs, settings, reference, scout=True)
    with_groups(fitted, {**prior_groups(fitted), discrepancy.GROUP: discrepancy.discrepancy_group(fitted)})
    fitted.data[loo.GROUP] = xr.DataTree(loo.loo_group(fitted))
    return fitted


def sample_posterior_alone(law: Law, runs: RunTable, settings: Settings) -> Fit:
    """Return a fit of its posterior and data alone, without prior, predictive draws or LOO, for refits by the dozen.

    Raises
    ------
    InputError
        If the law cannot be fitted to these runs; see :func:`check_table`.
    """
    check_table(law, runs)
    reference = reference_values(canonical_frame(runs), runs.response, law)
    return _sample_posterior_alone(law, runs, settings, reference, scout=False)


def _sample_posterior_alone(
    law: Law, runs: RunTable, settings: Settings, reference: Mapping[str, float], *, scout: bool
) -> Fit:
    from bayescale.fits.sampling import missed_modes, sample_posterior  # noqa: PLC0415  (imports PyMC)

    check_memory(runs)
    data = sampler_data(law, canonical_frame(runs), runs.response, reference)
    posterior, stats, diagnostics, attempt = sample_posterior(law, data, settings)
    if scout and diagnostics.passed:
        diagnostics = dataclasses.replace(diagnostics, failures=missed_modes(law, data, settings, posterior, stats))
    return posterior_fit(
        law,
        runs,
        reference,
        posterior,
        stats,
        settings=settings,
        diagnostics=diagnostics,
        attempt=dataclasses.asdict(attempt),
    )

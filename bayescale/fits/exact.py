"""exact_elpd: the density of runs left out, by a refit without them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayescale.fits.fit import Fit
from bayescale.fits.likelihood import density_without
from bayescale.fits.settings import Settings
from bayescale.fits.tree import sampler_data
from bayescale.storage import cache_dir, content_hash, keep, kept


def exact_elpd(fitted: Fit, row: int, *, cache: bool = True) -> float:
    """Return the log predictive density of one run under the posterior of all others.

    Parameters
    ----------
    fitted : Fit
        Fit of all runs; its reference values, priors and settings are kept.
    row : int
        Position along dimension ``run``.
    cache : bool
        Whether to read the result from the cache, and to keep it there.

    Returns
    -------
    float
        In nats; NaN when the refit failed the diagnostics gate.
    """
    path, known = _exact(fitted, {"row": int(row)}, cache=cache)
    if isinstance(known, float):
        return known
    value = _refit_density(fitted, row)
    if cache:
        keep(path, value)
    return value


def exact_elpd_of_training_run(fitted: Fit, rows: Sequence[int], *, cache: bool = True) -> np.ndarray:
    """Return the same of each row of a training run left out, given the rows before it and all other runs (row,)."""
    left_out = [int(row) for row in rows]
    path, known = _exact(fitted, {"rows": left_out}, cache=cache)
    if isinstance(known, list) and len(known) == len(left_out):
        return np.array(known, dtype=float)
    values = _refit_densities(fitted, left_out)
    if cache:
        keep(path, values.tolist())
    return values


def _exact(fitted: Fit, rows: Mapping[str, Any], *, cache: bool) -> tuple[Path, object]:
    """Return where the density of rows left out is kept, and what is kept there."""
    path = cache_dir() / "exact" / f"{content_hash({'fit': {**fitted.record}, **rows})[:32]}.json"
    return path, kept(path) if cache else None


def _refit_density(fitted: Fit, row: int) -> float:
    return float(_refit_densities(fitted, [row])[0])


def _refit_densities(fitted: Fit, rows: list[int]) -> np.ndarray:
    from bayescale.fits.sampling import sample_posterior  # noqa: PLC0415  (imports PyMC)

    law, runs, reference = fitted.law, fitted.runs, fitted.reference
    rest = runs.frame.drop(index=rows)
    data = sampler_data(law, rest, runs.response, reference)
    posterior, _, diagnostics, _ = sample_posterior(law, data, Settings(**fitted.record["settings"]))
    if not diagnostics.passed:
        return np.full(len(rows), np.nan)
    units = np.zeros(len(rows), dtype=int)
    return density_without(law, posterior, runs.frame.loc[rows], runs.response, reference, units=units)

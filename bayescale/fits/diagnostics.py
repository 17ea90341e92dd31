"""The gate every posterior passes before its numbers are believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayescale.fits import convergence
from bayescale.values import Value

RHAT_LIMIT = 1.01
ESS_PER_CHAIN = 100
MCSE_LIMIT = 0.05
BFMI_LIMIT = 0.3
CHAINS = 4


@dataclass(frozen=True, eq=False, repr=False)
class Diagnostics(Value):
    """What the gate measured, and every check that failed.

    Attributes
    ----------
    failures : tuple of str
        One sentence per failed check; empty when the posterior passed.
    rhat : float
        Largest R-hat (rank and folded) of any parameter.
    ess_bulk, ess_tail : float
        Smallest effective sample sizes of any parameter.
    bfmi : float
        Smallest E-BFMI of any chain.
    divergences, saturated : int
        Divergent transitions, and transitions that reached the largest tree depth.
    draws : int
        Draws over all chains.
    """

    failures: tuple[str, ...]
    rhat: float
    ess_bulk: float
    ess_tail: float
    bfmi: float
    divergences: int
    saturated: int
    draws: int

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return not self.failures


def diagnose(posterior: xr.Dataset, stats: xr.Dataset) -> Diagnostics:
    """Check a posterior; NaN counts as failure.

    Parameters
    ----------
    posterior : xarray.Dataset
        Scalar parameters (chain, draw).
    stats : xarray.Dataset
        Sampler statistics ``diverging``, ``energy`` and ``maxdepth_reached`` (chain, draw). Where there are none, of
        draws from elsewhere, the sampler is not checked: E-BFMI is NaN.
    """
    mixing = {str(name): _mixing(_grid(values)) for name, values in posterior.data_vars.items()}
    failures = _check_draws(posterior, mixing)
    rhat = max(value for each in mixing.values() for value in each.rhat.values())
    bulk, tail = (min(each.ess[method] for each in mixing.values()) for method in ("bulk", "tail"))
    draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    if not stats.data_vars:
        return Diagnostics(tuple(failures), rhat, bulk, tail, float("nan"), 0, 0, draws)
    bfmi = float(convergence.bfmi(stats["energy"].transpose("chain", "draw").to_numpy()).min())
    divergences = int(stats["diverging"].sum())
    saturated = int(stats["maxdepth_reached"].sum())
    if not bfmi >= BFMI_LIMIT:
        failures.append(f"E-BFMI is {bfmi:.2f} (at least {BFMI_LIMIT})")
    if divergences:
        failures.append(f"{divergences} transitions diverged (none may)")
    if saturated:
        failures.append(f"{saturated} transitions reached the largest tree depth (none may)")
    return Diagnostics(tuple(failures), rhat, bulk, tail, bfmi, divergences, saturated, draws)


@dataclass(frozen=True)
class _Mixing:
    """R-hat and effective sample sizes of one quantity, by method."""

    rhat: Mapping[str, float]
    ess: Mapping[str, float]


def _grid(values: xr.DataArray) -> np.ndarray:
    return values.transpose("chain", "draw").to_numpy()


def _mixing(array: np.ndarray) -> _Mixing:
    """Return how well a quantity's draws mix (chain, draw)."""
    return _Mixing(
        rhat={method: convergence.rhat(array, method) for method in ("rank", "folded")},
        ess={method: convergence.ess(array, method) for method in ("bulk", "tail")},
    )


def check_draws(draws: xr.Dataset, probability: float = 0.9) -> list[str]:
    """Return a sentence for each quantity whose draws are too few, too correlated or not mixed.

    Parameters
    ----------
    draws : xarray.Dataset
        Scalar quantities (chain, draw).
    probability : float
        Of the interval whose end points are reported.
    """
    finite = {str(name): values for name, values in draws.data_vars.items() if np.isfinite(values.to_numpy()).all()}
    return _check_draws(draws, {name: _mixing(_grid(values)) for name, values in finite.items()}, probability)


def _check_draws(draws: xr.Dataset, mixing: Mapping[str, _Mixing], probability: float = 0.9) -> list[str]:
    failures = []
    chains = draws.sizes["chain"]
    if not chains >= CHAINS:
        failures.append(f"{chains} chains were run (at least {CHAINS} are needed to see that they agree)")
    for name, values in draws.data_vars.items():
        if not np.isfinite(values.to_numpy()).all():
            failures.append(f"{name} has draws that are not finite")
            continue
        failures += _check_mixing(str(name), mixing[str(name)], chains) + _check_error(str(name), values, probability)
    return failures


def _check_mixing(name: str, mixing: _Mixing, chains: int) -> list[str]:
    failures = []
    for method, rhat in mixing.rhat.items():
        if not rhat <= RHAT_LIMIT:
            failures.append(f"R-hat ({method}) of {name} is {rhat:.3f} (at most {RHAT_LIMIT})")
    for method, ess in mixing.ess.items():
        if not ess >= ESS_PER_CHAIN * chains:
            failures.append(f"{method} ESS of {name} is {ess:.0f} (at least {ESS_PER_CHAIN * chains})")
    return failures


def _check_error(name: str, values: xr.DataArray, probability: float) -> list[str]:
    tail = (1 - probability) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    failures = []
    for prob in (tail, 1 - tail):
        error = convergence.quantile_error(_grid(values), prob)
        if not error <= MCSE_LIMIT * (high - low):
            failures.append(
                f"Monte Carlo error of the {prob:.0%} point of {name} is {error / (high - low):.1%} of the "
                f"{probability:.0%} interval's width (at most {MCSE_LIMIT:.0%})"
            )
    return failures


def check_each(name: str, values: xr.DataArray) -> list[str]:
    """Return a sentence where the worst of many like quantities is not mixed or has too few effective draws.

    Parameters
    ----------
    name : str
        What they are called together.
    values : xarray.DataArray
        Draws (chain, draw, ...).
    """
    arrays = values.transpose("chain", "draw", ...).to_numpy()
    each = np.moveaxis(arrays.reshape(*arrays.shape[:2], -1), -1, 0)
    found = [_mixing(array) for array in each]
    worst = _Mixing(
        rhat={method: max(one.rhat[method] for one in found) for method in ("rank", "folded")},
        ess={method: min(one.ess[method] for one in found) for method in ("bulk", "tail")},
    )
    return _check_mixing(name, worst, values.sizes["chain"])


def diagnostics_from_record(record: Mapping[str, Any]) -> Diagnostics:
    """Return the diagnostics that ``dataclasses.asdict`` wrote."""
    return Diagnostics(**{**record, "failures": tuple(record["failures"])})

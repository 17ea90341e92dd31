"""PSIS-LOO of one fit: computed where the fit is made, kept with it, and read back as ArviZ's result."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.fits.convergence import ess
from bayescale.fits.fit import Fit
from bayescale.fits.likelihood import density_blocks
from bayescale.fits.pareto import good_shape, smoothed
from bayescale.runs.checkpoints import RUN_SHARE
from bayescale.runs.units import numbered, units_of

if TYPE_CHECKING:
    import arviz_stats as azs

GROUP = "loo"
SCALARS = ("elpd", "se", "p", "n_samples", "n_data_points", "good_k")


@dataclass(frozen=True)
class Scores:
    """PSIS-LOO under ArviZ's names, which takes longer to import than this to compute."""

    elpd: float
    se: float
    p: float
    n_samples: int
    n_data_points: int
    good_k: float
    elpd_i: xr.DataArray
    pareto_k: xr.DataArray


def left_out_together(tree: xr.DataTree) -> np.ndarray:
    """Return the number of what each row is left out with, from 0 (run,): its training run, where they share noise.

    In a fit whose noise has no share of training runs, every row is left out by itself.
    """
    constant = tree["constant_data"].to_dataset()
    if RUN_SHARE not in tree["posterior"] or "training_run" not in constant:
        return np.arange(constant.sizes["run"])
    return units_of(pd.DataFrame({"training_run": constant["training_run"].to_numpy().astype(str)}))


def point_loo(fitted: Fit) -> "azs.ELPDData":
    """Return PSIS-LOO of a fit, from its group ``loo`` where it has one.

    Parameters
    ----------
    fitted : Fit
        The fit.

    Returns
    -------
    arviz_stats.ELPDData
        With ``elpd_i`` and ``pareto_k`` (run,). Rows of high Pareto k are for the caller to refit or to count. Where
        rows share training runs, each of them is left out as a whole: ``elpd_i`` of a row is its density given the
        rows before it in its run and all other runs, and ``pareto_k`` is that of the run.
    """
    import arviz_stats as azs  # noqa: PLC0415  (1 s that a fit does not need)

    kept = fitted.data[GROUP].to_dataset() if GROUP in fitted.data.children else loo_group(fitted)
    scalars = {name: kept[name].item() for name in SCALARS}
    warning = bool((kept["pareto_k"] > scalars["good_k"]).any())
    pointwise = {"elpd_i": kept["elpd_i"], "pareto_k": kept["pareto_k"]}
    return azs.ELPDDataLOO(scale="log", warning=warning, **scalars, **pointwise)


def loo_group(fitted: Fit) -> xr.Dataset:
    """Return the group that keeps a fit's PSIS-LOO: ``elpd_i`` and ``pareto_k`` (run,), and its totals."""
    loo = _compute(fitted)
    pointwise = {"elpd_i": loo.elpd_i, "pareto_k": loo.pareto_k}
    return xr.Dataset({**pointwise, **{name: getattr(loo, name) for name in SCALARS}})


def _compute(fitted: Fit) -> Scores:
    """Leave out the rows of each block in turn."""
    tree, units = fitted.data, left_out_together(fitted.data)
    reff = _relative_ess(tree["posterior"].to_dataset())
    elpd_i, pareto_k, p = np.empty(units.size), np.empty(units.size), 0.0
    for rows, density in density_blocks(fitted, units):
        values = density["log_response"].transpose("run", "chain", "draw").to_numpy().reshape(rows.size, -1)
        own = numbered(units[rows])
        alone = own.max() + 1 == own.size
        elpd_i[rows], pareto_k[rows], part = _each(values, reff) if alone else _by_training_run(values, own, reff)
        p += part
    labels = {"run": tree["observed_data"]["run"]}
    left_out, draws = np.bincount(units, elpd_i), values.shape[1]
    return Scores(
        elpd=float(left_out.sum()),
        se=float(np.sqrt(left_out.size * left_out.var(ddof=1))),
        p=p,
        n_samples=draws,
        n_data_points=units.size,
        good_k=good_shape(draws),
        elpd_i=xr.DataArray(elpd_i, dims="run", coords=labels, name="elpd_i"),
        pareto_k=xr.DataArray(pareto_k, dims="run", coords=labels, name="pareto_k"),
    )


def _relative_ess(posterior: xr.Dataset) -> float:
    """Return the mean effective part of the draws of all parameters."""
    if posterior.sizes["chain"] == 1:
        return 1.0
    effective = [ess(values.transpose("chain", "draw").to_numpy(), "mean") for values in posterior.values()]
    return float(np.mean(effective)) / (posterior.sizes["chain"] * posterior.sizes["draw"])


def _each(values: np.ndarray, reff: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the density of each row left out, its Pareto k (row,), and the effective number of parameters."""
    weights, shapes = smoothed(-values, reff)
    elpd_i = np.logaddexp.reduce(weights + values, axis=1)
    return elpd_i, shapes, float((_log_mean(values) - elpd_i).sum())


def _log_mean(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.logaddexp.reduce(values, axis=1) - np.log(values.shape[1]))


def _by_training_run(values: np.ndarray, units: np.ndarray, reff: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Leave out every training run, and share its density out over its rows, in their order."""
    whole = np.stack([values[units == unit].sum(axis=0) for unit in range(units.max() + 1)])
    weights, shapes = smoothed(-whole, reff)
    elpd_i = np.empty(units.size)
    for unit, weight in enumerate(weights):
        rows = np.flatnonzero(units == unit)
        so_far = np.logaddexp.reduce(np.cumsum(values[rows], axis=0) + weight, axis=1)
        elpd_i[rows] = np.diff(so_far, prepend=np.logaddexp.reduce(weight))
    p = float((_log_mean(whole) - np.bincount(units, elpd_i)).sum())
    return elpd_i, shapes[units], p

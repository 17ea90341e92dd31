"""PSIS-LOO of one fit: computed where the fit is made, kept with it, and read back as ArviZ's result."""

import warnings

import arviz_stats as azs
import numpy as np
import pandas as pd
import xarray as xr

from bayescale.runs.checkpoints import RUN_SHARE
from bayescale.runs.units import units_of

GROUP = "loo"
SCALARS = ("elpd", "se", "p", "n_samples", "n_data_points", "good_k")


def left_out_together(tree: xr.DataTree) -> np.ndarray:
    """Return the number of what each row is left out with, from 0 (run,): its training run, where they share noise.

    In a fit whose noise has no share of training runs, every row is left out by itself.
    """
    constant = tree["constant_data"].to_dataset()
    if RUN_SHARE not in tree["posterior"] or "training_run" not in constant:
        return np.arange(tree["log_likelihood"].sizes["run"])
    return units_of(pd.DataFrame({"training_run": constant["training_run"].to_numpy().astype(str)}))


def point_loo(tree: xr.DataTree) -> azs.ELPDData:
    """Return PSIS-LOO of the log likelihood in a tree, from its group ``loo`` where it has one.

    Parameters
    ----------
    tree : xarray.DataTree
        With group ``log_likelihood`` (chain, draw, run).

    Returns
    -------
    arviz_stats.ELPDData
        With ``elpd_i`` and ``pareto_k`` (run,). Rows of high Pareto k are for the caller to refit or to count. Where
        rows share training runs, each of them is left out as a whole: ``elpd_i`` of a row is its density given the
        rows before it in its run and all other runs, and ``pareto_k`` is that of the run.
    """
    if GROUP not in tree.children:
        return _compute(tree)
    kept = tree[GROUP].to_dataset()
    scalars = {name: kept[name].item() for name in SCALARS}
    warning = bool((kept["pareto_k"] > scalars["good_k"]).any())
    pointwise = {"elpd_i": kept["elpd_i"], "pareto_k": kept["pareto_k"]}
    return azs.ELPDDataLOO(scale="log", warning=warning, **scalars, **pointwise)


def loo_group(tree: xr.DataTree) -> xr.Dataset:
    """Return the group that keeps a tree's PSIS-LOO: ``elpd_i`` and ``pareto_k`` (run,), and its totals."""
    loo = _compute(tree)
    pointwise = {"elpd_i": loo.elpd_i, "pareto_k": loo.pareto_k}
    return xr.Dataset({**pointwise, **{name: getattr(loo, name) for name in SCALARS}})


def _compute(tree: xr.DataTree) -> azs.ELPDData:
    units = left_out_together(tree)
    if units.max() + 1 == units.size:
        return _loo(tree)
    return _by_training_run(tree, units)


def _loo(tree: xr.DataTree) -> azs.ELPDData:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto")
        return azs.loo(tree, pointwise=True, var_name="log_response")


def _by_training_run(tree: xr.DataTree, units: np.ndarray) -> azs.ELPDData:
    """Leave out every training run, and share its density out over its rows, in their order."""
    density = tree["log_likelihood"]["log_response"]
    whole = density.assign_coords(unit=("run", units)).groupby("unit").sum().to_dataset(name="log_response")
    loo = _loo(xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset(), "log_likelihood": whole}))
    weights = loo.log_weights.transpose("unit", "chain", "draw").to_numpy().reshape(units.max() + 1, -1)
    values = density.transpose("run", "chain", "draw").to_numpy().reshape(units.size, -1)
    elpd_i, pareto_k = np.empty(units.size), np.empty(units.size)
    for unit, weight in enumerate(weights):
        rows = np.flatnonzero(units == unit)
        so_far = np.logaddexp.reduce(np.cumsum(values[rows], axis=0) + weight, axis=1)
        elpd_i[rows] = np.diff(so_far, prepend=np.logaddexp.reduce(weight))
        pareto_k[rows] = loo.pareto_k.to_numpy()[unit]
    labels = {"run": density["run"]} if "run" in density.coords else {}
    pointwise = (xr.DataArray(found, dims="run", coords=labels) for found in (elpd_i, pareto_k))
    changed = dict(zip(("elpd_i", "pareto_k"), pointwise, strict=True))
    scalars = {name: getattr(loo, name) for name in SCALARS} | {"n_data_points": units.size}
    return azs.ELPDDataLOO(scale="log", warning=loo.warning, **scalars, **changed)

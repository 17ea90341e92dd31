"""PSIS-LOO of one fit: computed where the fit is made, kept with it, and read back as ArviZ's result."""

import warnings

import arviz_stats as azs
import xarray as xr

GROUP = "loo"
SCALARS = ("elpd", "se", "p", "n_samples", "n_data_points", "good_k")


def point_loo(tree: xr.DataTree) -> azs.ELPDData:
    """Return PSIS-LOO of the log likelihood in a tree, from its group ``loo`` where it has one.

    Parameters
    ----------
    tree : xarray.DataTree
        With group ``log_likelihood`` (chain, draw, run).

    Returns
    -------
    arviz_stats.ELPDData
        With ``elpd_i`` and ``pareto_k`` (run,). Rows of high Pareto k are for the caller to refit or to count.
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
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto")
        return azs.loo(tree, pointwise=True, var_name="log_response")

"""The table of an allocation: one row for each budget."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr


def allocation_table(optima: xr.Dataset, recommended: xr.Dataset, probability: float) -> pd.DataFrame:
    """Return an allocation as a table; see :attr:`bayescale.Allocation.table`.

    Parameters
    ----------
    optima, recommended : xarray.Dataset
        As in :class:`bayescale.Allocation`.
    probability : float
        Of the credible intervals.
    """
    N, D = recommended["N"].to_numpy(), recommended["D"].to_numpy()
    columns: dict[str, np.ndarray] = {"flops": recommended["flops"].to_numpy()}
    columns |= _with_ends("N", N, optima, probability)
    columns |= _with_ends("D", D, optima, probability)
    columns |= _with_ends("tokens_per_parameter", D / N, optima, probability)
    columns |= _with_ends("loss", None, optima, probability)
    columns["expected_loss"] = recommended["expected_loss"].to_numpy()
    columns |= _with_ends("forecast", None, optima, probability)
    columns |= {name: recommended[name].to_numpy() for name in ("expected_regret", "extrapolation")}
    return pd.DataFrame(columns)


def _with_ends(name: str, value: np.ndarray | None, optima: xr.Dataset, probability: float) -> Mapping[str, np.ndarray]:
    """Return a quantity, by default its median, and the ends of its credible interval (budget,)."""
    draws = optima[name].transpose(..., "budget").to_numpy()
    lower, median, upper = np.quantile(draws, [(1 - probability) / 2, 0.5, (1 + probability) / 2], axis=0)
    return {name: median if value is None else value, f"{name}_lower": lower, f"{name}_upper": upper}

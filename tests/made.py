"""Fits made without sampling, finished as sampled ones are."""

import xarray as xr

from bayescale.fits.discrepancy import GROUP, discrepancy_group
from bayescale.fits.fit import Fit


def with_discrepancy(fitted: Fit) -> Fit:
    """Return a fit that keeps its discrepancy, as sampled ones do: each forecast would infer it anew."""
    tree = fitted.data.copy()
    tree[GROUP] = xr.DataTree(discrepancy_group(fitted))
    return Fit(fitted.law, tree)

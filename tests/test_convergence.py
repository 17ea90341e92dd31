"""R-hat, effective sample sizes and Monte Carlo errors: the numbers of ArviZ."""

import arviz_stats as azs
import numpy as np
import pytest
import xarray as xr

from bayescale.fits import convergence

SHAPES = [(2, 4), (4, 5), (5, 16), (3, 33), (2, 101), (4, 1000)]


def chains(shape, persistence, seed, step=None):
    """Return autocorrelated chains, rounded to a step where one is given."""
    values = np.random.default_rng(seed).standard_normal(shape)
    for draw in range(1, shape[1]):
        values[:, draw] += persistence * values[:, draw - 1]
    return values if step is None else np.round(values / step) * step


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("persistence", "step"), [(0.0, None), (0.9, None), (-0.7, None), (0.5, 0.5)])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_number_is_that_of_arviz(shape, persistence, step):
    values = chains(shape, persistence, seed=shape[0] * shape[1], step=step)
    there = xr.DataArray(values, dims=("chain", "draw"))
    for method in ("rank", "folded"):
        assert convergence.rhat(values, method) == pytest.approx(float(azs.rhat(there, method=method)), nan_ok=True)
    for method in ("bulk", "tail", "mean"):
        expected = float(azs.ess(there, method=method))
        assert convergence.ess(values, method) == pytest.approx(expected, rel=1e-9, nan_ok=True)
    for chance in (0.05, 0.5, 0.95):
        expected = float(azs.mcse(there, method="quantile", prob=chance))
        assert convergence.quantile_error(values, chance) == pytest.approx(expected, rel=1e-9, nan_ok=True)


def test_the_fraction_of_missing_information_is_that_of_arviz():
    energy = chains((4, 200), 0.8, seed=1)
    expected = azs.bfmi(xr.Dataset({"energy": (("chain", "draw"), energy)}))["energy"].to_numpy()
    np.testing.assert_allclose(convergence.bfmi(energy), expected, rtol=1e-12)


@pytest.mark.parametrize("values", [np.full((4, 100), np.nan), np.ones((1, 100)), np.ones((4, 3))])
def test_draws_that_are_missing_or_too_few_have_no_rhat(values):
    assert np.isnan(convergence.rhat(values, "rank"))

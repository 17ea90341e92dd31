"""Pareto-smoothed weights and power scaling: the numbers of ArviZ."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bayescale.decisions.power_scaling import power_weights, sensitivity
from bayescale.fits.pareto import smoothed

POWERS = (0.99, 1.01)


@pytest.mark.parametrize(("draws", "degrees"), [(100, 3), (1000, 1), (4000, 30)])
@pytest.mark.parametrize("relative", [0.4, 1.0])
def test_smoothed_weights_and_their_pareto_k_are_those_of_arviz(draws, degrees, relative):
    ratios = np.random.default_rng(draws).standard_t(degrees, (3, draws))
    expected, shapes = array_stats.psislw(-ratios, axis=-1, r_eff=relative)  # ArviZ takes the negative
    weights, found = smoothed(ratios, relative)
    np.testing.assert_allclose(weights, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found, shapes, rtol=1e-9)
    np.testing.assert_allclose(np.exp(weights).sum(axis=-1), 1.0)


def test_weights_that_are_all_alike_stay_so():
    weights, shape = smoothed(np.zeros(100))
    np.testing.assert_allclose(weights, -np.log(100))
    assert shape == np.inf


def test_power_scaling_is_that_of_arviz():
    rng = np.random.default_rng(1)
    density = rng.standard_t(5, 2000)
    values = density + rng.standard_normal(2000)
    weights = [array_stats.power_scale_lw(density[None], alpha=power, axis=[-2, -1]) for power in POWERS]
    for power, expected in zip(POWERS, weights, strict=True):
        np.testing.assert_allclose(power_weights(density, power)[0], expected[0], rtol=1e-9, atol=1e-12)
    lower, upper = map(np.exp, weights)
    expected = array_stats.power_scale_sense(values[None], lower, upper, lower_alpha=POWERS[0], upper_alpha=POWERS[1])
    assert sensitivity(values, lower[0], upper[0], POWERS) == pytest.approx(float(expected), rel=1e-9)

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from bayescale.errors import InputError
from bayescale.fits.forecast import Forecast
from bayescale.forecasts.scores import PROBABILITIES, crps, pointwise, score, summarise

values = st.floats(-3.0, 3.0)
draws_and_observed = st.tuples(arrays(float, (7, 3), elements=values), arrays(float, 3, elements=values))


def forecast_of(draws, log_density=None):
    draws = np.asarray(draws, dtype=float)
    return Forecast(draws, np.zeros(draws.shape[1]) if log_density is None else np.asarray(log_density, dtype=float))


# CRPS


def closed_form(observed, mean, sd):
    """Return the CRPS of a Normal forecast (Gneiting and Raftery 2007, section 4.2)."""
    z = (observed - mean) / sd
    return sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))


@pytest.mark.parametrize("count", [2, 5, 100])
@pytest.mark.parametrize("observed", [-1.0, 0.4, 3.0])
def test_crps_of_few_draws_is_on_average_that_of_the_distribution(count, observed):
    repeats = 40_000
    draws = np.random.default_rng(count).normal(0.3, 1.5, (count, repeats))
    found = crps(draws, np.full(repeats, observed))
    error = found.std() / np.sqrt(repeats)
    assert found.mean() == pytest.approx(closed_form(observed, 0.3, 1.5), abs=4 * error)


@given(draws_and_observed)
def test_crps_is_the_distance_to_the_observation_less_half_that_of_two_draws(case):
    draws, observed = case
    count = len(draws)
    pairs = np.abs(draws[:, None] - draws[None, :]).sum(axis=(0, 1)) / (count * (count - 1))
    expected = np.abs(draws - observed).mean(axis=0) - pairs / 2
    np.testing.assert_allclose(crps(draws, observed), expected, atol=1e-12)


@given(draws_and_observed, st.floats(0.1, 10.0), values)
def test_crps_has_the_unit_of_the_observation_and_no_origin(case, factor, shift):
    draws, observed = case
    moved = crps(factor * draws + shift, factor * observed + shift)
    np.testing.assert_allclose(moved, factor * crps(draws, observed), atol=1e-11)


def test_crps_of_a_certain_forecast_is_its_error():
    np.testing.assert_array_equal(crps(np.full((4, 2), [1.0, 5.0]), np.array([3.0, 5.0])), [2.0, 0.0])


def test_the_true_distribution_has_the_least_crps():
    rng = np.random.default_rng(0)
    observed = rng.standard_normal(20_000)
    normal = rng.standard_normal((40, 20_000))
    truth = crps(normal, observed)
    for other in (0.5 * normal, 2.0 * normal, normal + 0.5):
        gain = crps(other, observed) - truth
        assert gain.mean() > 4 * gain.std() / np.sqrt(gain.size)


# Intervals


@pytest.mark.parametrize("count", [39, 200, 1000])
def test_intervals_of_calibrated_draws_hold_as_often_as_they_promise(count):
    runs = 5000
    rng = np.random.default_rng(count)
    points = pointwise(forecast_of(0.1 * rng.standard_normal((count, runs))), 0.1 * rng.standard_normal(runs))
    for probability in PROBABILITIES:
        error = np.sqrt(probability * (1 - probability) / runs)
        assert points[f"inside_{100 * probability:.0f}"].mean() == pytest.approx(probability, abs=4 * error)


@given(draws_and_observed)
def test_a_wider_interval_holds_what_a_narrower_one_holds(case):
    draws, observed = case
    held = pointwise(forecast_of(draws), observed)[["inside_50", "inside_80", "inside_90", "inside_95"]].to_numpy()
    assert (np.diff(held.astype(int), axis=1) >= 0).all()


def test_intervals_that_are_too_narrow_or_too_wide_are_seen():
    rng = np.random.default_rng(1)
    draws, observed = rng.standard_normal((500, 2000)), rng.standard_normal(2000)
    narrow, right, wide = (score(forecast_of(factor * draws), observed) for factor in (0.5, 1.0, 2.0))
    for probability in PROBABILITIES:
        assert narrow.coverage[probability] < right.coverage[probability] < wide.coverage[probability]
    assert narrow.width < right.width < wide.width


# Tables of scores


def test_scores_of_one_run_by_hand():
    draws = np.log(np.arange(1.0, 20.0))[:, None]  # 19 draws: the 90% interval ends at the 1st and the 19th
    points = pointwise(forecast_of(draws, [-1.5]), np.log([12.0]))
    (row,) = points.to_dict("records")
    assert row["width_90"] == pytest.approx(18.0)
    assert row["error"] == pytest.approx(10.0 - 12.0)
    assert row["lpd"] == -1.5
    assert (row["inside_50"], row["inside_95"]) == (True, True)  # the middle half is 5 to 15
    assert not pointwise(forecast_of(draws), np.log([15.5]))["inside_50"].item()
    # 19 draws at distances 11 ... 0 ... 7 from 12, and the mean distance of two of the numbers 1 to m is (m + 1) / 3
    assert row["crps"] == pytest.approx((66 + 28) / 19 - 20 / 6)


def test_scores_are_in_the_unit_of_the_response():
    rng = np.random.default_rng(2)
    draws, observed = 0.1 * rng.standard_normal((50, 30)), 0.1 * rng.standard_normal(30)
    nats = score(forecast_of(draws), observed)
    bits = score(forecast_of(draws - np.log(np.log(2))), observed - np.log(np.log(2)))
    assert bits.coverage == nats.coverage
    for name in ("width", "crps", "bias", "rmse"):
        assert getattr(bits, name) == pytest.approx(getattr(nats, name) / np.log(2))


def test_a_score_is_the_mean_over_runs():
    rng = np.random.default_rng(3)
    forecast = forecast_of(rng.standard_normal((50, 30)), rng.standard_normal(30))
    observed = rng.standard_normal(30)
    points, found = pointwise(forecast, observed), score(forecast, observed)
    assert list(found.coverage) == list(PROBABILITIES)
    assert found.coverage[0.8] == points["inside_80"].mean()
    assert (found.width, found.lpd) == pytest.approx((points["width_90"].mean(), points["lpd"].mean()))
    assert (found.crps, found.bias) == pytest.approx((points["crps"].mean(), points["error"].mean()))
    assert found.rmse == pytest.approx(np.sqrt((points["error"] ** 2).mean()))


def test_forecasts_put_together_are_scored_as_one():
    rng = np.random.default_rng(4)
    draws, density, observed = rng.standard_normal((50, 30)), rng.standard_normal(30), rng.standard_normal(30)
    halves = [
        pointwise(forecast_of(draws[:, half], density[half]), observed[half]) for half in (slice(0, 10), slice(10, 30))
    ]
    assert summarise(pd.concat(halves)) == score(forecast_of(draws, density), observed)


def test_the_order_of_draws_does_not_matter():
    rng = np.random.default_rng(5)
    draws, observed = rng.standard_normal((50, 4)), rng.standard_normal(4)
    shuffled = rng.permutation(draws)
    pd.testing.assert_frame_equal(pointwise(forecast_of(draws), observed), pointwise(forecast_of(shuffled), observed))


# Errors


@pytest.mark.parametrize("shape", [(1, 3), (5,), (5, 2)])
def test_a_forecast_has_draws_and_a_density_for_each_run(shape):
    with pytest.raises(InputError, match="at least 2 draws"):
        Forecast(np.zeros(shape), np.zeros(3))


@pytest.mark.parametrize(("draw", "density"), [(np.nan, 0.0), (np.inf, 0.0), (0.0, -np.inf)])
def test_a_forecast_is_finite(draw, density):
    with pytest.raises(InputError, match="not finite"):
        Forecast(np.full((5, 3), draw), np.full(3, density))


@pytest.mark.parametrize("observed", [np.zeros(2), np.array([0.0, np.nan, 1.0])])
def test_every_forecast_run_needs_an_observation(observed):
    with pytest.raises(InputError, match="one finite log response for each of the 3 forecast runs"):
        pointwise(forecast_of(np.zeros((5, 3))), observed)


def test_no_run_has_no_score():
    with pytest.raises(InputError, match="no forecast run to score"):
        score(forecast_of(np.zeros((5, 0))), np.zeros(0))

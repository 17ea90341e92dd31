import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.errors import InputError
from bayescale.intervals import Interval, credible_interval


def test_an_interval_leaves_equal_tails():
    found = credible_interval(np.arange(1025.0), 0.875)  # binary fractions, so that no digit is lost
    assert found == Interval(median=512.0, lower=64.0, upper=960.0, probability=0.875)
    assert found.record() == {"median": 512.0, "lower": 64.0, "upper": 960.0}
    assert all(type(value) is float for value in found.record().values())


def test_draws_may_have_any_shape():
    draws = np.random.default_rng(0).standard_normal((4, 250))
    assert credible_interval(draws, 0.8) == credible_interval(draws.ravel(), 0.8)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0.01, 0.98))
def test_a_wider_probability_gives_an_interval_around_the_narrower(draws, probability):
    narrow = credible_interval(np.array(draws), probability)
    wide = credible_interval(np.array(draws), (1 + probability) / 2)
    slack = 1e-9  # quantiles between equal draws differ by rounding
    assert wide.lower - slack <= narrow.lower <= narrow.median + slack
    assert narrow.median - slack <= narrow.upper <= wide.upper + slack


@pytest.mark.parametrize("probability", [0, 1, -0.1, 90, np.nan, np.inf])
def test_a_probability_lies_between_0_and_1(probability):
    with pytest.raises(InputError, match=f"probability is {probability}; expected a number between 0 and 1"):
        credible_interval(np.zeros(3), probability)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.errors import InputError
from bayescale.intervals import Interval, credible_interval, short


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


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0, 2, "0"),
        (45.4, 2, "45"),
        (0.3649, 2, "0.36"),
        (8.34e19, 2, "8.3e19"),
        (1e21, 2, "1.0e21"),
        (1e21, 3, "1.00e21"),
        (-12.34, 3, "-12.3"),
        (99.96, 3, "100"),
        (99999.0, 2, "1.0e5"),
        (4.53e9, 3, "4.53e9"),
        (12345.0, 2, "12000"),
        (0.00123, 2, "0.0012"),
        (2.5e-7, 2, "2.5e-7"),
        (1.5e-12, 2, "1.5e-12"),
        (1.0, 2, "1.0"),
        (9.99, 2, "10"),
        (7, 1, "7"),
    ],
)
def test_a_number_is_written_with_its_digits(value, digits, text):
    assert short(value, digits) == text


@given(st.floats(1e-30, 1e30), st.integers(1, 6), st.sampled_from([1, -1]))
def test_a_short_number_is_the_number_to_its_digits(value, digits, sign):
    # Half a unit of the last digit, and a rounding error of the text.
    assert float(short(sign * value, digits)) == pytest.approx(sign * value, rel=0.500001 * 10.0 ** (1 - digits))

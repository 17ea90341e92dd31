"""What a valid budget, probability or positive number is, and what the others are told."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale import checks
from bayescale.errors import InputError
from bayescale.hardware import read_budgets

POSITIVE = st.floats(1e-300, 1e300)


@given(st.lists(POSITIVE, min_size=1))
def test_positive_numbers_come_back_in_every_container(values):
    for given_as in (values, tuple(values), np.array(values), pd.Series(values)):
        assert checks.several("N", given_as, "parameters").tolist() == values


@given(POSITIVE)
def test_one_number_is_a_list_of_one(value):
    assert read_budgets(value).tolist() == [checks.above_zero("flops", value)] == [value]


def test_whole_numbers_beyond_64_bits_and_decimals_are_numbers():
    assert read_budgets([10**24, 10**3]).tolist() == [1e24, 1e3]
    assert checks.above_zero("flops", Decimal("1e21")) == 1e21


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [0.0],
        [1e21, -1.0],
        [np.nan],
        [np.inf],
        [[1e21]],
        True,
        [True],
        None,
        {"a": 1},
        [1, [2, 3]],
    ],
)
def test_what_is_no_list_of_positive_numbers_is_refused_as_it_was_given(wrong):
    message = f"flops is {wrong!r}; expected budgets in FLOP, such as 1e21: one or more, each above zero"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_budgets(wrong)


@pytest.mark.parametrize("wrong", [0, -1.5, np.nan, np.inf, [1.0, 2.0], "3", None, True])
def test_one_number_is_finite_and_above_zero(wrong):
    message = f"hours is {wrong!r}; expected a number above zero, such as 8"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        checks.above_zero("hours", wrong, example="8")


def test_an_array_of_any_shape_is_positive_or_refused():
    grid = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert (checks.positive("N", grid, "parameters") == grid).all()
    with pytest.raises(InputError, match="expected parameters above zero"):
        checks.positive("N", grid - 1, "parameters")


@pytest.mark.parametrize(("check", "example"), [(checks.probability, "0.9"), (checks.tolerance, "0.05")])
@pytest.mark.parametrize("wrong", [0, 1, -0.1, 90, np.nan, "0.9", None])
def test_probability_and_tolerance_are_between_0_and_1(check, example, wrong):
    with pytest.raises(
        InputError, match=f"{check.__name__} is {wrong}; expected .* between 0 and 1, such as {example}"
    ):
        check(wrong)
    assert check(0.5) == 0.5

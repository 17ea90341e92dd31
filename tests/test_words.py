"""How numbers are written, each kind in one way."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.words import chance, count_text, nats, percent, short, typed


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0, 2, "0"),
        (45.4, 2, "45"),
        (0.3649, 2, "0.36"),
        (8.34e19, 2, "8.3e19"),
        (1e21, 2, "1e21"),
        (1.3e22, 3, "1.3e22"),
        (-12.34, 3, "-12.3"),
        (99.96, 3, "100"),
        (99999.0, 2, "1e5"),
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


@given(st.floats(1e5, 1e30) | st.floats(1e-30, 1e-4), st.integers(1, 6))
def test_numbers_of_many_places_are_written_alike_in_sentences_and_tables(value, digits):
    assert short(value, digits) == typed(float(f"{value:.{digits - 1}e}"), digits)


@given(st.floats(1e-30, 1e30), st.integers(1, 6), st.sampled_from([1, -1]))
def test_a_short_number_is_the_number_to_its_digits(value, digits, sign):
    # Half a unit of the last digit, and a rounding error of the text.
    assert float(short(sign * value, digits)) == pytest.approx(sign * value, rel=0.500001 * 10.0 ** (1 - digits))


@pytest.mark.parametrize(
    ("value", "text"),
    [(4e8, "400M"), (8.68e10, "86.8B"), (1.107e12, "1.11T"), (9.9999e8, "1B"), (30e9, "30B"), (12.0, "12")],
)
def test_counts_have_a_unit(value, text):
    assert count_text(value) == text


def test_counts_keep_the_digits_asked_for():
    assert [count_text(value, 2) for value in (415e9, 4.012e12, 86.8e9)] == ["420B", "4T", "87B"]


def test_counts_rise_with_their_value():
    values = np.geomspace(1.0, 1e16, 400)
    scale = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "Q": 1e15}
    read = [float(text.rstrip("kMBTQ")) * scale.get(text[-1], 1.0) for text in map(count_text, values)]
    assert all(a <= b for a, b in itertools.pairwise(read))


@pytest.mark.parametrize(
    ("value", "text"),
    [(5.76e23, "5.76e23"), (1e21, "1e21"), (0.05, "0.05"), (12.0, "12"), (1500.0, "1500"), (12345.0, "12300")],
)
def test_numbers_read_as_people_type_them(value, text):
    assert typed(value) == text
    assert float(text) == pytest.approx(value, rel=5e-3)


def test_a_typed_number_keeps_the_digits_asked_for():
    assert [typed(value, 4) for value in (12345.0, 1.23456e21, 70.0)] == ["12340", "1.235e21", "70"]


@pytest.mark.parametrize(
    ("part", "digits", "text"),
    [
        (0.9, 3, "90%"),
        (0.05, 3, "5%"),
        (0.918, 3, "91.8%"),
        (0.918, 2, "92%"),
        (1.53, 3, "153%"),
        (4e-4, 3, "0.04%"),
    ],
)
def test_a_part_is_a_percentage_without_a_space_before_its_sign(part, digits, text):
    assert percent(part, digits) == text


@pytest.mark.parametrize("probability", [0.995, 0.975, 0.9, 0.0004])
def test_no_probability_is_rounded_up_to_certainty(probability):
    assert float(percent(probability).removesuffix("%")) == pytest.approx(100 * probability)


def test_probabilities_have_two_decimals_and_nats_one():
    assert [chance(0.926), chance(1e-9), nats(12.34)] == ["0.93", "0.00", "12.3"]

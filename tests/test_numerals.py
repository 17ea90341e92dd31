"""Numbers as people write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescale.runs.numerals import UnreadableNumberError, parse_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("70B", 70e9), ("1.4T", 1.4e12), ("350M", 350e6), ("2k", 2e3), ("1e21", 1e21), ("1,000,000", 1e6),
        ("1_000", 1e3), (" 7 G ", 7e9), (".5b", 5e8), ("+3", 3.0), ("12.", 12.0), ("9223372036854775808", 2.0**63),
    ],
)  # fmt: skip
def test_counts_are_read_as_people_write_them(text, value):
    assert parse_number(text) == value


@pytest.mark.parametrize(
    "text",
    ["2,13", "1,00", "1,0000", "1__0", "_1", "1e", "e5", ".", "1.2.3", "0x10", "3%", "1 000", "7BB", "7P", "$7",
     "\u0667", "1e9 9", "1_6e9", "10_00", "7e9B", "1.5e9M", "1e3k", "1,234E+09", "1,234B", "1_234B", "1\nB", "1_000e3",
     "--inf", "+-inf", "++Infinity", "--1", "+-1"],
)  # fmt: skip
def test_doubtful_counts_are_refused(text):
    with pytest.raises(UnreadableNumberError):
        parse_number(text)


@pytest.mark.parametrize("text", ["2k", "1,000", "1_0", "2,13", "--inf", "-+2"])
def test_suffixes_and_grouping_are_for_counts_only(text):
    with pytest.raises(UnreadableNumberError):
        parse_number(text, count=False)


@settings(deadline=None)
@given(st.integers(1, 10**6), st.integers(0, 3), st.sampled_from("kMBGT"))
def test_a_suffix_is_its_power_of_ten(digits, decimals, suffix):
    power = {"k": 3, "M": 6, "B": 9, "G": 9, "T": 12}[suffix]
    text = f"{digits / 10**decimals:.{decimals}f}"
    assert parse_number(text + suffix) == float(f"{text}e{power}")
    assert parse_number(text + suffix.lower()) == parse_number(f"{text}e{power}")


@settings(deadline=None)
@given(st.integers(1, 2**63 - 1))
def test_int64_counts_survive_grouping_and_frames(value):
    assert parse_number(f"{value:,}") == parse_number(f"{value:_}") == parse_number(str(value)) == float(value)


@settings(deadline=None)
@given(st.floats(1e-300, 1e300))
def test_plain_floats_survive_their_text(value):
    assert parse_number(repr(value)) == parse_number(repr(value), count=False) == value

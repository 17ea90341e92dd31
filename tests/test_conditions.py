"""Conditions: what can be asked of a table, the same answers as pandas gives, and nothing that runs."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.runs.conditions import ConditionError, rows_where

FRAME = pd.DataFrame(
    {
        "run": ["a", "b", "c", "d"],
        "N": [1e8, 2e8, 4e8, np.nan],
        "D": [2e9, 2e9, 8e10, 1e9],
        "family": ["llama", "qwen", "llama", ""],
        "val/loss": [3.0, 2.5, 2.0, 3.5],
        "größe": [1.0, 2.0, 3.0, 4.0],
        "flag": [True, False, True, False],
        "kept": [np.nan, 0.5, 1.0, 0.25],
    }
)

AS_IN_PANDAS = [
    "N > 1e8",
    "10 <= D / N <= 40",
    "N > 1e8 and D < 1e10",
    "N > 1e8 & D < 1e10",
    "(N > 1e8) & (D < 1e10) | (N < 2e8)",
    "N > 1e8 | D < 1.5e9 and N < 1",
    "~(N > 1e8)",
    "not N > 1e8",
    "not flag",
    "flag",
    "flag == True",
    "flag and N > 0",
    "family == 'llama'",
    "family != \"llama\" and run > 'b'",
    "family in ['llama', 'other']",
    "family not in ('llama',)",
    "N in [1e8, 4e8]",
    "`val/loss` < 3",
    "2 < `val/loss` + 0.25 and family == '`llama`'",
    "größe >= 2 and `größe` < 4",
    "-N < -1e8",
    "D % 3 == 2 or D // 1e9 == 2",
    "(N + 1e8) * 2 - D / 10 > 0",
    "kept > 0.3",
    "kept != 0.5",
    " N\n> 1e8 ",
    "1 < 2 and N > 1e8",
]


@pytest.mark.parametrize("condition", AS_IN_PANDAS)
def test_a_condition_holds_for_the_rows_for_which_it_does_in_pandas(condition):
    expected = FRAME.eval(condition.strip().replace("\n", " "), engine="python", local_dict={}, global_dict={})
    np.testing.assert_array_equal(rows_where(FRAME, condition), expected.to_numpy(dtype=bool))


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("N.to_csv('x') == 1", "at character 1: a call cannot stand"),
        ("N.values > 1", "at character 1: an attribute cannot stand"),
        ("D > 1 and N.values.tofile('x')", "at character 11: a call"),
        ("N > 9**9**9", "at character 5: only + - * / // % calculate here"),
        ("N > __import__('os').system('true')", "a call"),
        ("N[0] > 1", "an index"),
        ("[x for x in N]", "ListComp"),
        ("(lambda: 1) == N", "Lambda"),
        ("(N := 3) > 1", "NamedExpr"),
        ("N > f'{N}'", "JoinedStr"),
        ("N if flag else D", "IfExp"),
        ("N > @limit", "at character"),
        ("(", "at character 1: '(' was never closed"),
        ("N >", "at character"),
        ("", "at character 1"),
        ("`val/loss` > width", "at character 14: there is no column 'width'"),
        ("`no such` > 1", "at character 1: there is no column 'no such'"),
        ("N > 'abc'", "at character 5: this is text, and is compared with a number"),
        ("run > 3", "this is a number, and is compared with text"),
        ("N and D", "expected true or false; this is a number"),
        ("family + 'x' == 'llamax'", "expected a number; this is text"),
        ("N in family", "after in stands a list"),
        ("N is 1", "compare by"),
        ("N > None", "neither a number nor text"),
        ("N > b'x'", "neither a number nor text"),
        ("N > 1j", "neither a number nor text"),
        ("N > 10000" + "0" * 400, "the number is too large"),
        ("N + D", "it is true or false of no row"),
        ("True", "it is true or false of no row"),
        ("1 < 2", "it is true or false of no row"),
        ("N > 1\0", "null bytes"),
        ("(" * 500, "too many nested parentheses"),
        ("N > " + "-" * 1900 + "1", "too many"),
        ("N > 1 or " * 500 + "N > 2", "at most 2,000 are read"),
        ("größe > 1 and x > 1", "at character 15: there is no column 'x'"),
    ],
)
def test_anything_else_is_refused_with_its_place(condition, words):
    with pytest.raises(ConditionError) as caught:
        rows_where(FRAME, condition)
    assert words in str(caught.value)


PIECES = [
    *"ND()&|~<>=-+*/%.,'`\"[]\\ \n",
    "N",
    "family",
    " and ",
    " or ",
    " in ",
    "not ",
    "==",
    "1e9",
    "'llama'",
    "9**9",
    "`val/loss`",
    "\ud800",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_text_leads_to_another_error(text):
    try:
        found = rows_where(FRAME, text)
    except ConditionError:
        return
    assert (found.dtype, found.shape) == (bool, (4,))


@given(st.text(max_size=30))
def test_no_characters_lead_to_another_error(text):
    try:
        rows_where(FRAME, text)
    except ConditionError:
        return

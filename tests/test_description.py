"""What a table of runs can determine, by its design."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import isoflop_grid, synthetic

from bayescale.records.runs import description_record
from bayescale.runs import (
    RunTable,
    describe,
)
from bayescale.runs.description import condition_number


def test_a_grid_of_equal_budgets_is_a_sound_design():
    facts = describe(isoflop_grid())
    assert facts.condition < 60
    assert facts.spread_N_at_like_C > 0.4
    assert facts.span_N_at_like_C == pytest.approx(1.5)
    assert any(sentence.startswith("Separate exponents of N and D") for sentence in facts.can)
    assert any(sentence.startswith("Whether compute alone explains the loss") for sentence in facts.can)


def test_data_proportional_to_size_identifies_neither_exponents_nor_allocation():
    N = np.geomspace(1e8, 1e10, 12)
    facts = describe(synthetic(N, 20 * N))
    assert facts.condition > 1e6
    assert facts.correlation == pytest.approx(1.0)
    (exponents,) = [sentence for sentence in facts.cannot if sentence.startswith("Separate exponents of N and D")]
    assert "the compute-optimal allocation, are not identified" in exponents
    assert "D is 20 N in every run; at one C, such as 1.2e20 FLOP, add N = 330M with D = 60B" in exponents
    (alone,) = [sentence for sentence in facts.cannot if sentence.startswith("Whether compute alone")]
    assert "cannot be decided" in alone


def test_two_model_sizes_ask_for_a_third():
    N, D = np.meshgrid([1e8, 1e9], np.geomspace(1e9, 1e11, 6))
    facts = describe(synthetic(N.ravel(), D.ravel()))
    assert (facts.distinct_N, facts.distinct_D) == (2, 6)
    assert facts.condition > 1e6
    assert any("N has only 2 values; add runs at a third, such as N = 3.2e8" in text for text in facts.cannot)


def test_half_a_decade_in_each_direction_is_weak():
    N, D = np.meshgrid(np.geomspace(1e9, 10**9.5, 5), np.geomspace(1e10, 10**10.5, 5))
    facts = describe(synthetic(N.ravel(), D.ravel()))
    assert 200 < facts.condition < 1e6
    assert any("weakly identified" in text and "0.5 decades in N and 0.5 decades in D" in text for text in facts.cannot)
    assert any(text.startswith("The irreducible loss cannot be separated from the exponents") for text in facts.cannot)


def test_the_condition_number_is_infinite_where_a_size_never_varies():
    assert condition_number(np.full(6, 1e9), np.geomspace(1e9, 1e11, 6)) == np.inf


def test_families_and_replicates_enter_the_description():
    N = np.array([1e8, 1e8, 2e8, 4e8, 8e8, 1.6e9])
    D = np.array([1e9, 1e9, 9e9, 3e9, 2e10, 8e9])
    apart = describe(synthetic(N, D, family=list("abcabc")))
    assert any("between the 3 families" in text for text in apart.cannot)
    assert any(text.startswith("Noise cannot be separated") for text in apart.cannot)
    together = describe(synthetic(N, D, seed=range(6)))
    assert any(text.startswith("The noise between runs of the same N and D (2 runs") for text in together.can)


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(random):
    runs = isoflop_grid()
    order = list(range(len(runs.frame)))
    random.shuffle(order)
    one, other = describe(runs), describe(RunTable.from_frame(runs.frame.iloc[order]))
    assert (one.ranges, one.distinct_N, one.distinct_D) == (other.ranges, other.distinct_N, other.distinct_D)
    for name in ("correlation", "spread_N_at_like_C", "span_N_at_like_C", "condition"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, abs=1e-12)
    assert one.can == other.can
    assert one.cannot == other.cannot


def test_a_description_is_plain_data_for_json():
    N = np.geomspace(1e8, 1e10, 12)
    record = description_record(describe(synthetic(N, 20 * N)))
    again = json.loads(json.dumps(record, allow_nan=False))
    assert again == record
    assert set(again["ranges"]) == {"N", "D", "C", "tokens_per_parameter", "loss"}


def test_importing_the_module_stays_light():
    heavy = "pymc", "arviz", "matplotlib"
    code = f"import sys, bayescale.runs, bayescale.catalogue; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Which rows are left out together, and which larger ones are held out: one rule for runs that tie."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.runs.folds import grouping_of, largest_part, size_folds


@given(size=st.lists(st.sampled_from([1.0, 2.0, 3.0, 5.0, 8.0]), min_size=2, max_size=60), part=st.floats(0.01, 0.99))
def test_the_largest_part_is_never_empty_and_separates_no_runs_that_tie(size, part):
    size = np.array(size)
    held = largest_part(size, part)
    assert held.any()
    assert held.all() or size[held].min() > size[~held].max()
    # Without the runs that tie with the smallest of them, they are fewer than the part that was asked for.
    assert (size > size[held].min()).sum() < np.ceil(part * size.size)


def test_runs_whose_compute_differs_by_rounding_tie():
    C = np.r_[np.full(6, 1e19), 1e21 * (1 + 2e-16 * np.arange(4))]
    assert largest_part(C, 0.2).tolist() == [False] * 6 + [True] * 4


@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_cross_validation_and_backtests_hold_out_the_same_largest_fifth(wide_runs, jitter):
    factor = np.exp(jitter * np.random.default_rng(0).standard_normal(len(wide_runs.frame)))
    runs = dataclasses.replace(wide_runs, frame=wide_runs.frame.assign(C=wide_runs.frame["C"] * factor))
    (fold,) = size_folds(runs, "C", [0.2])
    assert fold.held == tuple(np.flatnonzero(grouping_of(runs, "largest", None, 0).folds == 0))

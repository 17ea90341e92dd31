"""Which rows are left out together, and which larger ones are held out: one rule for runs that tie."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.errors import InputError
from bayescale.runs import RunTable
from bayescale.runs.folds import ALONE, grouping_of, largest_part, size_folds


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


def table(rows=60, name="table", **columns):
    """Return runs of six budgets, ten sizes each."""
    N = np.tile(np.geomspace(1e8, 1e9, 10), 6)[:rows]
    C = np.repeat(np.geomspace(1e19, 1e21, 6), 10)[:rows]
    loss = 1.7 + 400 / N**0.34 + 2000 / (C / 6 / N) ** 0.37
    return RunTable.from_frame(pd.DataFrame({"N": N, "D": C / (6 * N), "C": C, "loss": loss, **columns}), name=name)


def grouping(runs, by, folds=None, seed=0):
    return grouping_of(runs, by, folds, seed)


# What is left out together


def test_budgets_are_the_values_of_compute_where_these_repeat():
    found = grouping(table(), "budget")
    assert found.count == 6
    assert found.notes == ("left out by budget: 6 budgets, the values of C that repeat",)
    assert found.labels[[0, 10]].tolist() == ["1e19 FLOP", "2.51e19 FLOP"]
    assert all(np.unique(found.folds[i : i + 10]).size == 1 for i in range(0, 60, 10))


def test_budgets_are_recognised_through_digitising_noise():
    runs = table()
    frame = runs.frame.assign(C=runs.frame["C"] * np.exp(0.01 * np.random.default_rng(0).standard_normal(60)))
    found = grouping(dataclasses.replace(runs, frame=frame), "budget")
    assert found.count == 6
    assert all(np.unique(found.folds[i : i + 10]).size == 1 for i in range(0, 60, 10))


def test_compute_that_is_not_discrete_is_binned_by_quarters_of_a_decade():
    runs = table()
    frame = runs.frame.assign(C=np.geomspace(1e19, 1e21, 60))
    found = grouping(dataclasses.replace(runs, frame=frame), "budget")
    assert found.notes == ("left out by budget: 9 budgets, bins of a quarter of a decade of C",)
    widths = [np.ptp(np.log10(frame["C"][found.folds == fold])) for fold in range(9)]
    assert max(widths) <= 0.25
    assert found.labels[[0, -1]].tolist() == ["1e19 FLOP", "1e21 FLOP"]


def test_the_column_budget_goes_before_compute():
    found = grouping(table(budget=np.repeat(["small", "large"], 30)), "budget")
    assert found.count == 2
    assert found.notes == ("left out by budget: 2 budgets, as in column budget",)


@pytest.mark.parametrize("column", ["family", "training_run"])
def test_rows_of_one_label_are_left_out_together(column):
    labels = np.array(["a", "b", "c"])[np.arange(60) % 3]
    found = grouping(table(**{column: labels}), column)
    assert found.labels.tolist() == labels.tolist()
    assert [set(found.folds[labels == each]) for each in "abc"] == [{0}, {1}, {2}]


def test_a_row_without_a_label_is_a_group_of_its_own():
    labels = ["a"] * 29 + ["b"] * 29 + ["", ""]
    found = grouping(table(family=labels), "family")
    assert found.count == 4
    assert found.notes[0].endswith("4 families; 2 rows without a label are groups of their own")


def test_a_label_that_the_table_does_not_have_is_refused():
    with pytest.raises(
        InputError, match=r"table: leaving out families needs a column family; found run, N, D, C, loss"
    ):
        grouping(table(), "family")


def test_one_group_alone_cannot_be_left_out():
    with pytest.raises(InputError, match=r"all runs are of one family \(a\)"):
        grouping(table(family=["a"] * 60), "family")


def test_the_largest_fifth_is_left_out_with_all_that_tie():
    runs = table()
    found = grouping(runs, "largest")
    held = found.folds == 0
    assert held.sum() == 20  # 12 of 60, and the budget that the twelfth belongs to
    assert runs.frame["C"][held].min() > runs.frame["C"][~held].max()
    assert set(found.folds[~held]) == {ALONE}
    assert "the 20 largest runs by C (33%)" in found.notes[0]
    assert "up to 6.3 times the largest run left in" in found.notes[0]


def test_at_least_five_of_the_largest_are_left_out():
    runs = table()
    frame = runs.frame.iloc[::3].reset_index(drop=True).assign(C=np.geomspace(1e18, 1e20, 20))
    assert (grouping(dataclasses.replace(runs, frame=frame), "largest").folds == 0).sum() == 5


def test_the_largest_are_left_out_once():
    with pytest.raises(InputError, match="the largest runs are left out once"):
        grouping(table(), "largest", folds=3)


def test_a_table_without_compute_has_no_budgets_and_no_largest():
    runs = table()
    runs = dataclasses.replace(runs, frame=runs.frame.drop(columns="C"))
    for by in ("budget", "largest"):
        with pytest.raises(InputError, match=f"by {by} needs training compute C"):
            grouping(runs, by)


def test_random_folds_are_balanced_and_depend_on_the_seed_alone():
    runs = table()
    first, again, other = (grouping(runs, "random", seed=seed) for seed in (0, 0, 1))
    assert np.bincount(first.folds).tolist() == [6] * 10
    assert np.array_equal(first.folds, again.folds)
    assert not np.array_equal(first.folds, other.folds)


def test_random_folds_keep_rows_of_one_training_run_together():
    labels = np.array([f"model {i}" for i in np.arange(60) % 15])
    found = grouping(table(training_run=labels), "random", folds=5)
    assert all(np.unique(found.folds[labels == label]).size == 1 for label in set(labels))
    assert np.bincount(found.folds).tolist() == [12] * 5
    assert np.unique(found.units).size == 15
    assert found.notes == ("left out by random: 15 training runs in 5 folds",)


def test_groups_are_dealt_into_the_folds_asked_for():
    found = grouping(table(), "budget", folds=3)
    assert found.count == 3
    assert np.unique(found.units).size == 6  # standard errors stay over budgets
    assert found.notes[0].startswith("left out by budget: 6 budgets in 3 folds")


@pytest.mark.parametrize("folds", [1, 7])
def test_more_folds_than_groups_are_refused(folds):
    with pytest.raises(InputError, match=f"folds is {folds}; expected a whole number from 2 to the 6 budgets"):
        grouping(table(), "budget", folds=folds)


def test_an_unknown_criterion_is_refused():
    with pytest.raises(InputError, match="by is 'size'; expected one of budget, family, training_run, largest, random"):
        grouping(table(), "size")


@pytest.mark.parametrize("by", ["budget", "largest"])
def test_training_runs_on_both_sides_of_a_fold_are_told(by):
    found = grouping(table(training_run=[f"model {i}" for i in np.arange(60) % 10]), by)
    assert found.notes[-1].startswith("10 training runs have rows on both sides of a fold")
    assert len(grouping(table(), by).notes) < len(found.notes)

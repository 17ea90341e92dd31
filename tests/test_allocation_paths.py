"""Tests of allocations that know what a law misses of the best size."""

import numpy as np
import pytest
from made import crossed, exact_sizes, with_discrepancy, without_paths

from bayescale.decisions import mixture
from bayescale.decisions.allocation import allocate
from bayescale.runs import RunTable
from bayescale.splits.constraints import Constraints

FLOPS = [1e20, 1e22, 1e24]


@pytest.fixture(scope="module")
def runs(make_runs):
    return crossed(make_runs, make_runs.truth)


@pytest.fixture(scope="module")
def wrong(make_runs, synthetic_fit, runs):
    """A law that is sure of best sizes half as large again as they are."""
    truth = {**make_runs.truth, "A": 1.5 * make_runs.truth["A"]}
    return with_discrepancy(synthetic_fit("chinchilla", runs, truth, spread=0.005))


def allocated_alone(fitted, flops, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(mixture, "paths_of", without_paths)
        return allocate(fitted, flops)


def test_sizes_follow_the_minima_where_the_law_misses_them(make_runs, wrong, monkeypatch):
    best = np.log(exact_sizes(make_runs.truth, np.array(FLOPS[:1])))[0]
    alone, whole = (each.table.iloc[0] for each in (allocated_alone(wrong, FLOPS, monkeypatch), allocate(wrong, FLOPS)))
    assert not np.log(alone.N_lower) < best < np.log(alone.N_upper)
    assert np.log(whole.N_lower) < best < np.log(whole.N_upper)
    assert abs(np.log(whole.N) - best) < 0.5 * abs(np.log(alone.N) - best)
    assert whole.loss == pytest.approx(alone.loss, rel=1e-6)
    assert whole.forecast == pytest.approx(alone.forecast, rel=1e-6)


def test_intervals_of_the_size_widen_with_distance_and_regret_grows(synthetic_fit, runs, monkeypatch):
    right = with_discrepancy(synthetic_fit("chinchilla", runs, spread=0.005))
    alone, whole = (each.table for each in (allocated_alone(right, FLOPS, monkeypatch), allocate(right, FLOPS)))
    widths = [np.log(each["N_upper"] / each["N_lower"]).to_numpy() for each in (alone, whole)]
    assert (widths[1] > widths[0]).all()
    assert (np.diff(widths[1]) > 0).all()
    assert (whole["expected_regret"] >= alone["expected_regret"]).all()


def test_limits_hold_for_sizes_that_follow_the_minima(wrong):
    limits = Constraints(max_params=1e9, inference_tokens=1e11)
    best = allocate(wrong, FLOPS, constraints=limits)
    assert float(best.optima["N"].max()) <= 1e9 * (1 + 1e-9)
    np.testing.assert_allclose(best.optima["flops_used"][:, 0], FLOPS[0], rtol=1e-6)


def test_a_table_without_slices_says_what_that_costs_and_what_one_slice_would_bring(synthetic_fit, runs, monkeypatch):
    few = with_discrepancy(synthetic_fit("chinchilla", RunTable.from_frame(runs.frame[::3], name="few")))
    alone, whole = allocated_alone(few, FLOPS, monkeypatch), allocate(few, FLOPS)
    widths = [np.log(each.table["N_upper"] / each.table["N_lower"]) for each in (alone, whole)]
    assert (widths[1] > widths[0] + 0.3).all()
    (note,) = [each for each in whole.notes if each.startswith("no isoFLOP slice")]
    span = np.exp(widths[1].iloc[-1])
    assert f"spans a factor of {span:.2g}; with one slice at" in note


def test_the_same_seed_gives_the_same_sizes_and_another_gives_others(wrong):
    first, again, other = (allocate(wrong, FLOPS, random_seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.optima["N"], again.optima["N"])
    assert not np.array_equal(first.optima["N"], other.optima["N"])

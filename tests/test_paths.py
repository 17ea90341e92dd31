"""Tests of paths: what a law misses of the best size is normal given its scales, and moves nothing but the size."""

import numpy as np
import pytest
from made import crossed, exact_sizes

from bayescale.runs import RunTable
from bayescale.splits import paths as module
from bayescale.splits.best_sizes import best_sizes, paths_of
from bayescale.splits.constraints import Constraints
from bayescale.splits.frontier import frontiers
from bayescale.splits.optimum import find_optimum
from bayescale.splits.paths import KNOTS, Minima, Paths, sample_paths
from bayescale.splits.search import Search, searches

BUDGETS = np.array([1e21, 1e22, 1e23])


@pytest.fixture
def typical(monkeypatch):
    """Every scale is the typical one."""
    monkeypatch.setattr(module, "FACTORS", (np.ones(1), np.ones(1)))
    monkeypatch.setattr(module, "SCATTERS", (0.05,))
    module._scales.cache_clear()
    yield
    module._scales.cache_clear()


def at(sampled, log_flops):
    return sampled.at(np.arange(len(sampled.values), dtype=float)[:, None], np.atleast_1d(log_flops))


@pytest.mark.usefixtures("typical")
def test_given_its_scales_a_path_has_the_moments_of_the_normal_law_given_one_minimum():
    center, error, missed, count = KNOTS[20], 0.04, 0.3, 40_000
    places = KNOTS[[15, 20, 23, 30]]
    minima = Minima(
        np.array([center + 2.0]), np.array([20.0 + missed]), np.array([[error**2]]), np.full((count, 1), 20.0)
    )
    sampled = at(sample_paths(minima, center, count, random_seed=1), places)
    x, y = places - center, 2.0
    small, large = np.minimum(np.abs(x), y), np.maximum(np.abs(x), y)

    def kernel(x, y, wander):
        return 0.03**2 + 0.01**2 * x * y + 0.0007**2 * x**2 * y**2 + 0.003**2 * wander

    with_minimum = kernel(x, y, np.where(x > 0, small**2 * (3 * large - small) / 6, 0.0))
    own = kernel(x, x, np.abs(x) ** 3 / 3)
    total = kernel(y, y, y**3 / 3) + error**2 + 0.05**2
    mean, variance = (
        with_minimum / total * missed,
        own - with_minimum**2 / total + 0.05**2,
    )  # and scatter
    standard = np.sqrt(variance / count)
    np.testing.assert_array_less(np.abs(sampled.mean(axis=0) - mean), 4 * standard)
    np.testing.assert_allclose(sampled.var(axis=0), variance, rtol=0.03)


def test_without_minima_and_with_scales_of_zero_there_is_nothing_but_the_law(make_runs, synthetic_fit, monkeypatch):
    for name in ("LEVEL_ALONE", "SLOPE_ALONE"):
        monkeypatch.setattr(module, name, 0.0)
    runs = crossed(make_runs, make_runs.truth)
    few = RunTable.from_frame(runs.frame[::3], name="few")
    fitted = synthetic_fit("chinchilla", few)
    np.testing.assert_array_equal(paths_of(fitted).values, 0.0)
    np.testing.assert_allclose(best_sizes(fitted, BUDGETS), np.log(find_optimum(fitted.draws, BUDGETS).N), atol=1e-6)


def test_the_best_size_moves_by_the_path_and_the_least_loss_stays(make_runs, synthetic_fit):
    fitted = synthetic_fit("chinchilla", crossed(make_runs, make_runs.truth))
    rng, (frontier,) = np.random.default_rng(0), frontiers(fitted.law)
    values = 0.3 * rng.standard_normal((fitted.draws.count, 1)) + 0.02 * rng.standard_normal((1, 1)) * (KNOTS - 50)
    search = Search(fitted.draws, frontier, paths=Paths(values))
    bare, moved = find_optimum(fitted.draws, BUDGETS), search.find_best(BUDGETS)
    np.testing.assert_allclose(np.log(moved.N / bare.N), at(Paths(values), np.log(BUDGETS)), atol=2e-5)
    np.testing.assert_allclose(moved.loss, bare.loss, rtol=1e-9)
    few = search.take(np.array([5, 2])).find_best(BUDGETS)
    np.testing.assert_allclose(few.N, moved.N[[5, 2]], rtol=1e-5)
    np.testing.assert_allclose(search.cheapest(moved.loss[:, 1:2])[:, 0], BUDGETS[1], rtol=1e-4)


def test_a_law_that_misses_its_minima_is_moved_to_them_and_one_that_does_not_pays_little(make_runs, synthetic_fit):
    runs = crossed(make_runs, make_runs.truth)
    inside = np.array([1e19, 1e20])
    wrong = synthetic_fit("chinchilla", runs, {**make_runs.truth, "A": 1.5 * make_runs.truth["A"]}, spread=0.005)
    best = np.log(exact_sizes(make_runs.truth, inside))
    bare = np.log(find_optimum(wrong.draws, inside).N)
    assert np.abs(np.median(bare, axis=0) - best).min() > 0.4
    low, high = np.quantile(best_sizes(wrong, inside), [0.05, 0.95], axis=0)
    assert ((low < best) & (best < high)).all()
    right = synthetic_fit("chinchilla", runs, spread=0.005)
    beyond = np.array([1e22, 1e23])
    widths = [np.ptp(np.quantile(best_sizes(each, beyond), [0.05, 0.95], axis=0), axis=0) for each in (wrong, right)]
    assert (widths[1] < widths[0]).all()
    assert (np.diff(widths, axis=1) > 0).all()


def test_paths_are_the_same_for_the_same_seed_and_widen_without_slices(make_runs, synthetic_fit):
    runs = crossed(make_runs, make_runs.truth)
    fitted = synthetic_fit("chinchilla", runs)
    first, again, other = (paths_of(fitted, random_seed=seed).values for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    few = synthetic_fit("chinchilla", RunTable.from_frame(runs.frame[::3], name="few"))
    widths = [np.ptp(np.quantile(at(paths_of(each), np.log(1e21)), [0.05, 0.95])) for each in (fitted, few)]
    assert widths[1] > 1.5 * widths[0]


def test_without_minima_a_law_misses_what_laws_miss_in_other_tables():
    center = float(KNOTS[20])
    sampled = at(sample_paths(None, center, 40_000, random_seed=0), KNOTS[[20, 25]])
    expected = np.hypot(module.LEVEL_ALONE, module.SLOPE_ALONE * np.array([0.0, KNOTS[25] - center]))
    np.testing.assert_allclose(sampled.std(axis=0), expected, rtol=0.03)
    assert (np.abs(sampled.mean(axis=0)) < 4 * expected / 200).all()


def test_a_path_moves_a_best_run_alike_whether_searched_or_moved(make_runs, synthetic_fit):
    fitted = synthetic_fit("chinchilla", crossed(make_runs, make_runs.truth))
    paths = Paths(0.3 * np.random.default_rng(0).standard_normal((fitted.draws.count, 1)) + 0 * KNOTS)
    (moved,) = (Search(fitted.draws, each, paths=paths) for each in frontiers(fitted.law))
    (searched,) = searches(fitted, fitted.draws, Constraints(max_params=1e20), paths=paths)
    assert moved._moves_alike
    assert not searched._moves_alike
    one, two = (each.find_best(BUDGETS) for each in (moved, searched))
    for name in ("N", "D", "loss"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=2e-5)


def test_a_path_at_compute_that_is_not_known_is_not_known():
    paths = Paths(np.ones((2, KNOTS.size)))
    found = paths.at(np.arange(2.0)[:, None], np.array([[KNOTS[3], np.nan]]))
    np.testing.assert_array_equal(found, [[1.0, np.nan], [1.0, np.nan]])


def test_paths_are_linear_between_knots_flat_beyond():
    sampled = Paths(np.random.default_rng(0).standard_normal((3, KNOTS.size)))
    middle = 0.25 * KNOTS[4] + 0.75 * KNOTS[5]
    np.testing.assert_allclose(at(sampled, middle)[:, 0], sampled.values[:, 4:6] @ [0.25, 0.75])
    np.testing.assert_array_equal(at(sampled, [0.0, 99.0]), sampled.values[:, [0, -1]])

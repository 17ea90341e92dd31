from types import SimpleNamespace

import numpy as np
import pytest

from bayescale.decisions.mixture import Mixture, counts_by_weight, mixture
from bayescale.decisions.single_runs import in_proportion
from bayescale.fits.draws import Draws
from bayescale.laws import LAWS
from bayescale.splits.constraints import UNLIMITED
from bayescale.splits.search import searches

PLAIN = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}
ENDLESS = PLAIN | {"A": 1e-9}  # the smaller the model the better: no best split inside the search
BUDGETS = np.array([1e20, 1e22])


def mixed(first, second, weights=(0.6, 0.4)):
    """Return a mixture of the chinchilla law under two sets of draws, as if these were two laws."""
    found, fits = {}, {}
    for name, sets in (("first", first), ("second", second)):
        law = LAWS["chinchilla"]
        arrays = {parameter: np.array([values[parameter] for values in sets]) for parameter in PLAIN}
        draws = Draws(law, arrays, {"N": 1.0, "D": 1.0})
        fits[name] = SimpleNamespace(law=law, draws=draws, runs=SimpleNamespace(response="loss"))
        found[name] = searches(fits[name], draws, UNLIMITED)
    return Mixture(fits, dict(zip(found, weights, strict=True)), found, UNLIMITED, 0, ())


def varied(count, **changed):
    """Return parameter sets that differ in E, so that each draw is known by it."""
    return [PLAIN | changed | {"E": 1.8 + 1e-3 * i} for i in range(count)]


@pytest.mark.parametrize(
    ("available", "weights", "total", "expected"),
    [
        ([4000], [1.0], 4000, [4000]),
        ([4000, 4000], [0.7, 0.3], 4000, [2800, 1200]),
        ([4000, 4000], [0.7, 0.3], 1000, [700, 300]),
        ([1400, 4000], [0.7, 0.3], 4000, [1400, 600]),
        ([4000, 0], [0.7, 0.3], 4000, [2800, 0]),
    ],
)
def test_draws_are_shared_out_by_weight_as_far_as_there_are_draws(available, weights, total, expected):
    assert counts_by_weight(available, weights, total) == expected


def test_a_law_counts_by_its_weight_in_a_decision_though_some_of_its_draws_have_no_best_split():
    sets = [*varied(30), *([ENDLESS] * 30)]
    laws = mixed(sets, varied(40))
    assert np.mean(laws.law == "first") == 0.6
    located, best = laws.locate(BUDGETS)
    assert best.located.all()
    assert located.counts == [30, 20]
    expected = located.find_best(BUDGETS)  # the runs kept are those of the draws kept
    np.testing.assert_allclose(best.loss, expected.loss, rtol=1e-12)
    assert located.searches["first"][0].draws["A"].min() > 1


def test_a_law_counts_by_its_weight_in_forecasts_though_some_of_its_draws_are_lost():
    lost, whole = np.zeros((1500, 1)), np.ones((4000, 1))
    draws = in_proportion({"lost": lost, "whole": whole}, {"lost": 0.6, "whole": 0.4})
    assert draws.mean() == pytest.approx(0.4, abs=1e-3)
    assert len(draws) == 2500


def test_where_no_draw_is_lost_all_of_one_law_are_kept(wide_fit):
    laws = mixture(wide_fit, BUDGETS)
    located, best = laws.locate(BUDGETS)
    assert located.counts == laws.counts == [wide_fit.draws.count]
    assert best.N.shape == (wide_fit.draws.count, 2)


def test_what_is_split_by_law_is_joined_in_the_same_order():
    laws = mixed(varied(3), varied(2))
    values = np.arange(5)
    first, second = laws.split_by_law(values)
    assert first.tolist() == [0, 1, 2]
    assert second.tolist() == [3, 4]
    assert laws.law.tolist() == ["first"] * 3 + ["second"] * 2
    taken = laws.take(np.array([1, 3]))
    assert taken.counts == [1, 1]
    assert taken.searches["first"][0].draws["E"] == [1.801]


def test_losses_of_own_points_are_those_of_each_draw():
    laws = mixed(varied(3), varied(2, alpha=0.3))
    best = laws.find_best(BUDGETS)
    np.testing.assert_allclose(laws.losses(0, best.N, best.D), best.loss, rtol=1e-14)
    shared = laws.losses(0, best.N[3], best.D[3])
    np.testing.assert_allclose(shared[3], best.loss[3], rtol=1e-14)
    assert (shared >= best.loss - 1e-12).all()

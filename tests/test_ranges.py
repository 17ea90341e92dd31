"""The ranges of D/N in which the split costs little: their ends against the definition, draw by draw."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.catalogue import load_runs
from bayescale.errors import InputError
from bayescale.fits.fitting import fit
from bayescale.laws import LAWS
from bayescale.records.comparison import range_record
from bayescale.runs import select_runs
from bayescale.splits.frontier import RATIOS
from bayescale.splits.optimum import find_optimum, loss_on_budget
from bayescale.splits.ranges import chance_inside, ratio_ends, ratio_range, ratio_ranges
from bayescale.splits.waste import extra_compute

BUDGETS = np.array([1e19, 1e21, 5.76e23])


@pytest.fixture(scope="module")
def ends(wide_fit):
    return ratio_ends(wide_fit, BUDGETS, 0.05)


def test_each_draws_range_contains_its_best_split(wide_fit, ends):
    best = find_optimum(wide_fit.draws, BUDGETS)
    assert best.located.all()
    assert (ends[0] < best.log_ratio).all()
    assert (best.log_ratio < ends[1]).all()


@pytest.mark.parametrize("tolerance", [0.01, 0.05, 0.5])
def test_at_the_ends_of_each_draws_range_the_extra_compute_is_the_tolerance(wide_fit, tolerance):
    found = ratio_ends(wide_fit, BUDGETS[1:2], tolerance)
    best = find_optimum(wide_fit.draws, BUDGETS[1:2])
    few = slice(0, None, 100)
    draws = wide_fit.draws.take(few)
    for end in found:
        factors = np.exp((best.log_ratio - end)[few, 0] / 2)  # N falls by the root of what D/N rises by
        cost = extra_compute(draws, float(BUDGETS[1]), factors).diagonal()
        assert cost == pytest.approx(tolerance, rel=1e-3)  # ends to 1e-6 in ln(D/N), Newton steps to 1e-6 in ln C


def test_the_range_holds_with_its_probability_just_inside_and_not_just_outside(wide_fit):
    (found,) = ratio_ranges(wide_fit, [1e21], 0.05, 0.9)
    target = find_optimum(wide_fit.draws, np.array([1e21 / 1.05])).loss
    for end, outward in ((found.lower, -1), (found.upper, 1)):
        points = np.log(end) + outward * np.array([-1e-4, 1e-2])
        losses = loss_on_budget(wide_fit.draws, np.full(2, 1e21), points)
        inside, outside = (losses <= target).mean(axis=0)
        assert outside < 0.9 <= inside


def test_the_ends_have_intervals_and_the_range_to_act_on_lies_inside_their_medians(wide_fit):
    for found in ratio_ranges(wide_fit, BUDGETS):
        for end in (found.lower_end, found.upper_end):
            assert end.lower < end.median < end.upper
            assert end.probability == 0.9
        assert found.lower_end.median < found.lower < found.upper < found.upper_end.median


@given(first=st.floats(0.005, 0.9), second=st.floats(0.005, 0.9))
def test_a_larger_tolerance_gives_wider_ranges(wide_fit, first, second):
    narrow, wide = (ratio_ranges(wide_fit, BUDGETS, value, 0.5) for value in sorted((first, second)))
    for inner, outer in zip(narrow, wide, strict=True):
        # Ends are found to 1e-6 in ln(D/N).
        assert outer.lower <= inner.lower * (1 + 2e-6)
        assert inner.upper <= outer.upper * (1 + 2e-6)


def test_a_larger_probability_gives_narrower_ranges_until_there_is_none(wide_fit):
    found = [ratio_ranges(wide_fit, [1e21], 0.001, probability)[0] for probability in (0.1, 0.5, 0.999)]
    assert found[0].lower < found[1].lower < found[1].upper < found[0].upper
    assert found[2].lower is None
    assert found[2].upper is None
    assert found[2].lower_end.lower < found[2].upper_end.upper


def test_budgets_do_not_change_one_another(wide_fit):
    together = ratio_ranges(wide_fit, BUDGETS)
    for i, flops in enumerate(BUDGETS):
        (alone,) = ratio_ranges(wide_fit, [flops])
        assert alone.flops == together[i].flops == flops
        assert (alone.lower, alone.upper) == pytest.approx((together[i].lower, together[i].upper), rel=1e-5)


def test_a_range_that_runs_off_the_search_ends_there(wide_runs, synthetic_fit, make_runs):
    flat = {**make_runs.truth, "alpha": 1e-3, "beta": 1e-3, "A": 1.0, "B": 1.0}
    fitted = synthetic_fit("chinchilla", wide_runs, flat, spread=1e-6, draws=20)
    (found,) = ratio_ranges(fitted, [1e21], 0.9)
    assert (found.lower, found.upper) == pytest.approx(RATIOS)


def test_draws_without_a_best_split_count_against_the_range():
    ends = np.array([[0.0, 0.0, 0.0, np.nan], [1.0, 1.0, 1.0, np.nan]])
    assert chance_inside(ends, np.array([-0.1, 0.5, 1.1])) == pytest.approx([0, 0.75, 0])
    assert ratio_range(ends, 1e21, 0.05, 0.9).lower is None
    found = ratio_range(ends, 1e21, 0.05, 0.7)
    assert (found.lower, found.upper) == pytest.approx((1.0, np.e))
    assert found.lower_end.median == pytest.approx(1.0)


def two_modes(left, both, right):
    """Return ends, in ln(D/N), of draws of 8% on either side and 84% over both: the probability dips between."""
    return np.repeat(np.array([left, both, right], dtype=float), [8, 84, 8], axis=0).T


def test_a_range_never_bridges_a_gap_in_which_the_probability_is_missed():
    ends = two_modes((0, 1), (0, 3), (2.5, 3))
    assert chance_inside(ends, np.array([0.5, 1.5, 2.75])) == pytest.approx([0.92, 0.84, 0.92])
    found = ratio_range(ends, 1e21, 0.05, 0.9)
    assert (found.lower, found.upper) == pytest.approx((1.0, np.e))  # the longer of [0, 1] and [2.5, 3]
    found = ratio_range(ends, 1e21, 0.05, 0.84)
    assert (found.lower, found.upper) == pytest.approx((1.0, np.exp(3)))  # the dip has this probability itself


def test_of_two_pieces_the_one_that_holds_the_median_is_the_range():
    found = ratio_range(two_modes((-4, 1.9), (-4, 6), (2, 6)), 1e21, 0.05, 0.9)
    assert (found.lower, found.upper) == pytest.approx(np.exp([-4, 1.9]))  # the median of the middles is 1
    narrow = ratio_range(two_modes((-1, 1.9), (-1, 5), (1.95, 5)), 1e21, 0.05, 0.9)
    assert (narrow.lower, narrow.upper) == pytest.approx(np.exp([1.95, 5]))  # here it is 2


@given(
    ends=st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 6)), min_size=1, max_size=30),
    probability=st.floats(0.05, 0.95),
)
def test_every_ratio_of_a_range_has_the_probability_and_none_just_beyond(ends, probability):
    low, width = np.array(ends).T
    own = np.stack([low, low + width])
    found = ratio_range(own, 1e21, 0.05, probability)
    dense = np.unique(own)
    dense = np.sort(np.concatenate([dense, (dense[1:] + dense[:-1]) / 2]))
    if found.lower is None:
        assert (chance_inside(own, dense) < probability).all()
        return
    lower, upper = np.log([found.lower, found.upper])
    inside = dense[(dense >= lower + 1e-9) & (dense <= upper - 1e-9)]
    assert (chance_inside(own, inside) >= probability).all()
    for beyond in (dense[dense < lower - 1e-9][-1:], dense[dense > upper + 1e-9][:1]):
        assert (chance_inside(own, beyond) < probability).all()


def test_ends_are_not_reported_where_most_draws_have_no_best_split():
    ends = np.array([[0.0, np.nan, np.nan, np.nan], [1.0, np.nan, np.nan, np.nan]])
    found = ratio_range(ends, 1e21, 0.05, 0.2)
    assert (found.lower_end, found.upper_end) == (None, None)
    assert json.loads(json.dumps(range_record(found)))["lower_end"] is None


def test_a_law_of_compute_alone_has_no_range(wide_comparison):
    with pytest.raises(InputError, match="it has no best split of N and D alone"):
        ratio_ranges(wide_comparison.fits["compute_floor"], [1e21])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flops": []}, "expected budgets in FLOP, such as 1e21: one or more"),
        ({"flops": [1e21, -1.0]}, "each above zero"),
        ({"tolerance": 1.0}, "tolerance is 1.0"),
        ({"probability": 90}, "probability is 90"),
    ],
)
def test_arguments_out_of_range_are_refused(wide_fit, options, message):
    with pytest.raises(InputError, match=message):
        ratio_ranges(**{"fitted": wide_fit, "flops": [1e21], **options})


@pytest.mark.slow
def test_the_ends_on_the_chinchilla_runs_hold_those_of_the_published_refit(synthetic_fit):
    runs = load_runs("chinchilla")
    trimmed = select_runs(runs, "D / N > 0.41")  # the refit left out the five runs of fewest tokens per parameter
    assert len(trimmed.frame) == 240
    published = LAWS["chinchilla"].published["Besiroglu et al. (2024)"]
    exact = synthetic_fit("chinchilla", runs, published, spread=1e-9, draws=5)
    found = ratio_ranges(fit(trimmed, "chinchilla", random_seed=1), [1e21, 5.76e23])
    for ours, theirs in zip(found, ratio_ranges(exact, [1e21, 5.76e23]), strict=True):
        assert ours.lower_end.lower < theirs.lower < ours.lower_end.upper
        assert ours.upper_end.lower < theirs.upper < ours.upper_end.upper
        assert ours.lower < 20 < ours.upper  # what Chinchilla itself was trained with

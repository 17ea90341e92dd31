import dataclasses
import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bayescale.allocation import allocate, allocation_record
from bayescale.comparison import compare
from bayescale.errors import InputError
from bayescale.fits import law_value, predict, published_draws
from bayescale.intervals import credible_interval

FLOPS = [1e20, 1e21, 5.76e23]


def best_size(values, flops):
    """Return N* of an additive law (Hoffmann et al. 2022, Eq. 4)."""
    A, B, alpha, beta = (values[name] for name in ("A", "B", "alpha", "beta"))
    return (alpha * A / (beta * B)) ** (1 / (alpha + beta)) * (flops / 6) ** (beta / (alpha + beta))


@pytest.fixture(scope="module")
def allocation(wide_fit):
    return allocate(wide_fit, FLOPS)


@pytest.fixture(scope="module")
def certain(synthetic_fit, wide_runs, make_runs):
    """A posterior without spread."""
    return synthetic_fit("chinchilla", wide_runs, make_runs.truth, spread=1e-12, draws=100)


@pytest.fixture(scope="module")
def two_laws(synthetic_fit, wide_runs, wide_fit):
    """A comparison whose weights a test may set, with laws that have a best split and one that has none."""
    fits = {
        "chinchilla": wide_fit,
        "kaplan_nd": synthetic_fit("kaplan_nd", wide_runs),
        "compute_floor": synthetic_fit("compute_floor", wide_runs),
    }
    return compare(fits, max_refits=0)


@pytest.fixture
def weighted(two_laws):
    """Return a function that gives the comparison other weights, and makes all its laws predict alike."""

    def weigh(**weights):
        table = two_laws.table.copy()
        table["weight"] = [weights.get(name, 0.0) for name in table.index]
        alike = dict.fromkeys(two_laws.pointwise, two_laws.pointwise["chinchilla"])
        return dataclasses.replace(two_laws, table=table, pointwise=alike)

    return weigh


# One law


def test_the_optima_agree_with_the_closed_form_for_every_draw(allocation, wide_fit):
    draws = published_draws(wide_fit)
    values = {name: draws[name][:, None] for name in wide_fit.law.parameters}
    expected = best_size(values, np.array(FLOPS))
    # The loss is flat at its minimum, which hides the sixth digit of N.
    np.testing.assert_allclose(allocation.optima["N"], expected, rtol=4e-6)
    assert allocation.optima["N"].dims == ("draw", "budget")
    assert allocation.optima["flops"].to_numpy().tolist() == FLOPS
    assert set(allocation.optima["law"].to_numpy()) == {"chinchilla"}


@given(
    exponents=st.tuples(st.floats(0.25, 0.5), st.floats(0.25, 0.5)),
    coefficients=st.tuples(st.floats(300, 800), st.floats(800, 3000)),
    flops=st.floats(19, 24).map(lambda decades: 10.0**decades),
)
@settings(max_examples=6)
def test_a_certain_law_is_allocated_by_its_closed_form(synthetic_fit, wide_runs, exponents, coefficients, flops):
    truth = dict(zip(("E", "A", "B", "alpha", "beta"), (1.8, *coefficients, *exponents), strict=True))
    fitted = synthetic_fit("chinchilla", wide_runs, truth, spread=1e-12, draws=20)
    best = best_size(truth, flops)
    assume(1e-1 < flops / 6 / best**2 < 1e4)  # well inside the search
    found = allocate(fitted, [flops]).recommended
    # A cubic spline through 41 splits, read at 2001 of them: steps of about 0.005 in ln(D/N).
    assert found["N"].item() == pytest.approx(best, rel=0.003)
    assert found["expected_regret"].item() == pytest.approx(0, abs=1e-5)


def test_every_split_spends_its_budget_exactly(allocation):
    for splits in (allocation.optima, allocation.recommended):
        spent = 6 * splits["N"] * splits["D"]
        # Three roundings of a double.
        np.testing.assert_allclose(spent, np.broadcast_to(FLOPS, spent.shape), rtol=1e-15)


def test_no_other_split_beats_the_optimum_of_a_draw(allocation, wide_fit):
    for i, flops in enumerate(FLOPS):
        N = allocation.recommended["N"].to_numpy()[i] * np.geomspace(0.1, 10, 60)
        losses = predict(wide_fit, N, flops / 6 / N)
        assert (losses.min(axis=1) >= allocation.optima["loss"].to_numpy()[:, i] - 1e-12).all()


def test_no_other_split_has_a_smaller_expected_loss(allocation, wide_fit):
    for i, flops in enumerate(FLOPS):
        best = allocation.recommended.isel(budget=i)
        N = best["N"].item() * np.geomspace(0.1, 10, 201)
        expected = predict(wide_fit, N, flops / 6 / N).mean(axis=0)
        assert best["expected_loss"].item() <= expected.min() + 1e-7  # the spline's error
        own = predict(wide_fit, best["N"].to_numpy()[None], best["D"].to_numpy()[None]).mean()
        assert best["expected_loss"].item() == pytest.approx(own, abs=1e-7)


def test_the_regret_is_never_negative_and_smallest_at_the_recommendation(allocation):
    regret = allocation.regret["expected_regret"].to_numpy()
    least = allocation.recommended["expected_regret"].to_numpy()
    assert (least > 0).all()
    assert (regret >= least[:, None] - 1e-7).all()
    assert (regret[:, 0] > 10 * least).all()
    assert (regret[:, -1] > 10 * least).all()


def test_certainty_leaves_no_regret(certain):
    found = allocate(certain, FLOPS)
    np.testing.assert_allclose(found.recommended["expected_regret"], 0, atol=2e-6)  # the spline's error and its grid
    widths = found.optima["N"].max("draw") / found.optima["N"].min("draw")
    np.testing.assert_allclose(widths, 1, atol=1e-5)


def test_the_regret_is_the_loss_above_each_draws_own_optimum(allocation, wide_fit):
    N = allocation.regret["N"].to_numpy()[0, [5, 20, 35]]
    losses = predict(wide_fit, N, FLOPS[0] / 6 / N)
    expected = losses.mean(axis=0) - allocation.optima["loss"].to_numpy()[:, 0].mean()
    np.testing.assert_allclose(allocation.regret["expected_regret"].to_numpy()[0, [5, 20, 35]], expected, rtol=1e-9)


def test_the_near_optimal_set_holds_the_recommendation(allocation):
    best = allocation.recommended
    assert (best["near_low"] < best["N"]).all()
    assert (best["N"] < best["near_high"]).all()


def test_the_ends_of_the_near_optimal_set_cost_the_tolerance(certain):
    found = allocate(certain, [1e21], tolerance=0.05)
    draws = {name: values[:1] for name, values in certain.draws.items()}
    cheaper = allocate(certain, [1e21 / 1.05]).optima["loss"].item(0)
    for end in ("near_low", "near_high"):
        N = found.recommended[end].to_numpy()
        loss = law_value(certain.law, draws, {"N": N, "D": 1e21 / 6 / N}, certain.reference).item()
        ideal = found.optima["loss"].item(0)
        # The ends are read on a grid with steps of 0.5 % in D/N.
        assert (loss - ideal) / (cheaper - ideal) == pytest.approx(1, abs=0.02)


def test_a_larger_tolerance_widens_the_near_optimal_set(wide_fit, allocation):
    wide = allocate(wide_fit, FLOPS, tolerance=0.2).recommended
    assert (wide["near_low"] < allocation.recommended["near_low"]).all()
    assert (wide["near_high"] > allocation.recommended["near_high"]).all()
    np.testing.assert_array_equal(wide["N"], allocation.recommended["N"])


def test_a_larger_budget_buys_a_larger_model_and_a_smaller_loss(wide_fit):
    found = allocate(wide_fit, np.geomspace(1e18, 1e25, 8))
    assert (np.diff(found.optima["N"], axis=1) > 0).all()
    assert (np.diff(found.optima["loss"], axis=1) < 0).all()
    assert (np.diff(found.recommended["N"]) > 0).all()
    assert (np.diff(found.recommended["D"]) > 0).all()


def test_the_order_of_budgets_changes_nothing(wide_fit, allocation):
    found = allocate(wide_fit, FLOPS[::-1])
    np.testing.assert_allclose(found.optima["N"][:, ::-1], allocation.optima["N"], rtol=4e-6)
    np.testing.assert_allclose(found.recommended["N"][::-1], allocation.recommended["N"], rtol=1e-3)


def test_one_budget_may_be_a_plain_number(wide_fit, allocation):
    found = allocate(wide_fit, 1e21)
    assert found.recommended["N"].item() == pytest.approx(allocation.recommended["N"].to_numpy()[1], rel=1e-3)


def test_the_distance_beyond_the_data_is_told(allocation, wide_runs):
    largest = wide_runs.frame["C"].max()
    np.testing.assert_allclose(allocation.recommended["extrapolation"], np.array(FLOPS) / largest, rtol=1e-12)
    assert any("times the largest run" in note for note in allocation.notes)


def test_budgets_within_the_data_need_no_note(wide_fit):
    assert allocate(wide_fit, [1e20, 1e21]).notes == ()


def test_failed_diagnostics_are_told_beside_the_numbers(synthetic_fit, wide_runs, make_runs):
    fitted = synthetic_fit("chinchilla", wide_runs, make_runs.truth, failures=("R-hat of E is 1.2",))
    assert any(doubt.startswith("chinchilla: R-hat of E is 1.2") for doubt in allocate(fitted, [1e21]).doubts)


def test_the_probability_is_kept_with_the_numbers(wide_fit):
    narrow, wide = (allocate(wide_fit, [1e21], probability=probability) for probability in (0.5, 0.95))
    low, high = (allocation_record(found)["allocations"][0]["N"] for found in (narrow, wide))
    assert high["lower"] < low["lower"] < low["median"] == high["median"] < low["upper"] < high["upper"]
    assert (narrow.probability, wide.probability) == (0.5, 0.95)


# Refusals


@pytest.mark.parametrize("name", ["compute_floor", "guo_compute", "kaplan_n"])
def test_a_law_of_one_input_is_refused(synthetic_fit, wide_runs, name):
    message = f"^law '{name}' is a law of [NC]: along a budget it has no best split of N and D"
    with pytest.raises(InputError, match=message):
        allocate(synthetic_fit(name, wide_runs, draws=50), [1e21])


def test_a_law_without_a_best_split_is_refused(synthetic_fit, wide_runs):
    with pytest.raises(InputError) as caught:
        allocate(synthetic_fit("tilt", wide_runs, draws=50), [1e21])
    assert str(caught.value) == (
        "law 'tilt' has its smallest loss at the edge of the searched range of D/N: it has no best split; allocate "
        "with a law that has one, such as chinchilla"
    )


@pytest.mark.parametrize(("budgets", "said"), [([0], "0"), ([1e21, -1], "-1"), ([np.nan], "nan"), ([np.inf], "inf")])
def test_a_budget_is_a_positive_number(wide_fit, budgets, said):
    with pytest.raises(InputError, match=f"budgets are FLOP and must be positive and finite, .* found {said}$"):
        allocate(wide_fit, budgets)


@pytest.mark.parametrize("budgets", [[], [[1e21, 1e22]]])
def test_budgets_are_a_list_of_one_or_more(wide_fit, budgets):
    with pytest.raises(InputError, match="expected a list of one or more budgets in FLOP"):
        allocate(wide_fit, budgets)


def test_a_budget_in_words_is_refused(wide_fit):
    with pytest.raises(InputError, match="lots"):
        allocate(wide_fit, ["lots"])


@pytest.mark.parametrize("name", ["probability", "tolerance"])
@pytest.mark.parametrize("value", [0, 1, 90, -0.5, np.nan])
def test_probability_and_tolerance_lie_between_0_and_1(wide_fit, name, value):
    with pytest.raises(InputError, match=f"{name} is {value}; expected"):
        allocate(wide_fit, [1e21], **{name: value})


# Several laws


def test_laws_are_averaged_by_weights_that_sum_to_1(weighted):
    found = allocate(weighted(chinchilla=0.45, kaplan_nd=0.15, compute_floor=0.4), [1e21])
    assert found.weights == pytest.approx({"chinchilla": 0.75, "kaplan_nd": 0.25})
    names, counts = np.unique(found.optima["law"].to_numpy(), return_counts=True)
    share = dict(zip(names, counts / counts.sum(), strict=True))
    assert share == pytest.approx(found.weights, abs=1e-3)  # whole draws


def test_the_average_lies_between_its_laws(weighted, two_laws):
    found = allocate(weighted(chinchilla=0.5, kaplan_nd=0.5), [1e23])
    sizes = [allocate(two_laws.fits[name], [1e23]).recommended["N"].item() for name in ("chinchilla", "kaplan_nd")]
    assert min(sizes) < found.recommended["N"].item() < max(sizes)
    assert found.recommended["expected_regret"].item() > 0


def test_laws_without_a_best_split_are_left_out_by_name_and_weight(weighted):
    found = allocate(weighted(chinchilla=0.3, compute_floor=0.7), [1e21])
    assert found.weights == {"chinchilla": 1.0}
    assert "without a best split, so not averaged: compute_floor (weight 0.70)" in found.notes
    assert any("hold 70 % of the stacking weight" in note for note in found.notes)


def test_a_decidedly_worse_law_is_left_out_whatever_its_weight(two_laws):
    weights = {"chinchilla": 0.6, "kaplan_nd": 0.4}
    table = two_laws.table.assign(weight=[weights.get(name, 0.0) for name in two_laws.table.index])
    found = allocate(dataclasses.replace(two_laws, table=table), [1e21])
    assert found.weights == {"chinchilla": 1.0}
    note = "decidedly worse than chinchilla on these runs, so not averaged: kaplan_nd (weight 0.40)"
    assert note in found.notes


def test_when_all_the_weight_is_left_out_the_best_law_with_a_split_stands_alone(weighted):
    found = allocate(weighted(compute_floor=1.0), [1e21])
    assert found.weights == {"chinchilla": 1.0}
    assert any("hold 100 % of the stacking weight" in note for note in found.notes)


def test_one_law_of_a_comparison_is_allocated_as_that_law_alone(weighted, two_laws):
    averaged = allocate(weighted(chinchilla=1.0), [1e21])
    alone = allocate(two_laws.fits["chinchilla"], [1e21])
    assert averaged.optima.equals(alone.optima)
    assert averaged.recommended.equals(alone.recommended)


def test_a_comparison_without_any_best_split_is_refused(wide_comparison):
    fits = {name: wide_comparison.fits[name] for name in ("compute_floor", "tilt")}
    with pytest.raises(InputError) as caught:
        allocate(compare(fits, max_refits=0), [1e21])
    assert str(caught.value).startswith("none of the laws ")
    assert "compute_floor" in str(caught.value)
    assert "tilt" in str(caught.value)


# The record


def test_the_record_of_an_allocation_has_the_promised_fields_and_is_plain_data(allocation):
    record = allocation_record(allocation)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["probability"] == 0.9
    assert [entry["flops"] for entry in record["allocations"]] == FLOPS
    promised = {"flops", "N", "D", "tokens_per_parameter", "loss", "recommended", "near_optimal", "extrapolation"}
    for i, entry in enumerate(record["allocations"]):
        assert promised <= set(entry)
        assert all(
            set(entry[name]) == {"median", "lower", "upper"} for name in ("N", "D", "tokens_per_parameter", "loss")
        )
        assert {"N", "D", "expected_loss", "expected_regret"} <= set(entry["recommended"])
        assert entry["near_optimal"]["tolerance"] == 0.05
        low, high = entry["near_optimal"]["N"]
        assert low < entry["recommended"]["N"] < high
        expected = credible_interval(allocation.optima["N"].to_numpy()[:, i], 0.9)
        assert entry["N"] == expected.record()


def test_the_loss_of_the_record_has_the_noise_of_single_runs(allocation):
    entry = allocation_record(allocation)["allocations"][1]
    law = credible_interval(allocation.optima["loss"].to_numpy()[:, 1], 0.9)
    assert entry["loss"]["lower"] < law.lower < law.upper < entry["loss"]["upper"]


def test_draws_without_an_optimum_leave_the_intervals_of_the_others(synthetic_fit, wide_runs, make_runs):
    fitted = synthetic_fit("chinchilla", wide_runs, make_runs.truth, draws=100)
    fitted.data["posterior"]["A"][0, 0] *= 1e-12  # its best model is beyond the search
    found = allocate(fitted, [1e21])
    assert any("of draws have no best split inside the searched range" in note for note in found.doubts)
    json.dumps(allocation_record(found), allow_nan=False)

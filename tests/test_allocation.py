import dataclasses
import json
import re

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from made import without_paths

from bayescale import tradeoffs
from bayescale.comparison.comparison import compare
from bayescale.decisions import mixture
from bayescale.decisions.allocation import allocate
from bayescale.decisions.demand import demand_for_size, implied_demand
from bayescale.errors import InputError
from bayescale.fits.discrepancy import discrepancy_group
from bayescale.fits.fit import Fit, predict, published_draws
from bayescale.intervals import credible_interval
from bayescale.laws.data_constrained import effective
from bayescale.records.allocation import allocation_record
from bayescale.records.fits import fit_record
from bayescale.splits.constraints import Constraints

FLOPS = [1e20, 1e21, 5.76e23]
MOE = {"c": 0.47, "g": 2.1, "gamma": 0.58, "a": 18.1, "alpha": 0.115, "b": 30.8, "beta": 0.147}


def best_size(values, flops):
    """Return N* of an additive law (Hoffmann et al. 2022, Eq. 4)."""
    A, B, alpha, beta = (values[name] for name in ("A", "B", "alpha", "beta"))
    return (alpha * A / (beta * B)) ** (1 / (alpha + beta)) * (flops / 6) ** (beta / (alpha + beta))


def with_discrepancy(fitted):
    """Return the fit with what the law misses kept in it, as that of a real fit is: inferred once for all tests."""
    tree = fitted.data.copy()
    tree["discrepancy"] = xr.DataTree(discrepancy_group(fitted))
    return Fit(fitted.law, tree)


@pytest.fixture(scope="session")
def wide_fit(wide_fit):
    return with_discrepancy(wide_fit)


@pytest.fixture(scope="module", autouse=True)
def law_alone():
    """Take laws at their word, so that closed forms hold; what they miss has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixture, "paths_of", without_paths)
        yield


@pytest.fixture(scope="module")
def allocation(wide_fit):
    return allocate(wide_fit, FLOPS)


@pytest.fixture(scope="module")
def certain(synthetic_fit, wide_runs, make_runs):
    """A posterior without spread."""
    return with_discrepancy(synthetic_fit("chinchilla", wide_runs, make_runs.truth, spread=1e-12, draws=100))


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
    N = allocation.regret["N"].to_numpy()[0, [3, 15, 27]]
    losses = predict(wide_fit, N, FLOPS[0] / 6 / N)
    expected = losses.mean(axis=0) - allocation.optima["loss"].to_numpy()[:, 0].mean()
    found = allocation.regret["expected_regret"].to_numpy()[0, [3, 15, 27]]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)  # a difference of losses near 2, each rounded


def test_the_near_optimal_set_holds_the_recommendation(allocation):
    best = allocation.recommended
    assert (best["near_low"] < best["N"]).all()
    assert (best["N"] < best["near_high"]).all()


def test_the_ends_of_the_near_optimal_set_cost_the_tolerance(certain):
    found = allocate(certain, [1e21], tolerance=0.05)
    draws = certain.draws.take(slice(1))
    cheaper = allocate(certain, [1e21 / 1.05]).optima["loss"].item(0)
    for end in ("near_low", "near_high"):
        N = found.recommended[end].to_numpy()
        loss = draws.value({"N": N, "D": 1e21 / 6 / N}).item()
        ideal = found.optima["loss"].item(0)
        # The ends are read on a grid with steps of 0.5% in D/N.
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


@pytest.mark.parametrize(
    ("budgets", "said"),
    [([0], "[0]"), ([1e21, -1], "[1e+21, -1]"), ([np.nan], "[nan]"), ([], "[]"), ([[1e21, 1e22]], "[[1e+21, 1e+22]]")],
)
def test_a_budget_is_a_positive_number(wide_fit, budgets, said):
    message = f"flops is {said}; expected budgets in FLOP, such as 1e21: one or more, each above zero"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
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
    assert any("hold 70% of the stacking weight" in note for note in found.notes)


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
    assert any("hold 100% of the stacking weight" in note for note in found.notes)


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
    assert "no best split" not in " ".join(found.doubts)  # one draw of hundreds is no doubt
    json.dumps(allocation_record(found), allow_nan=False)
    fitted.data["posterior"]["A"][0, :20] *= 1e-12
    lost = " ".join(allocate(fitted, [1e21]).doubts)
    assert "20 of" in lost
    assert "draws have no best split inside the searched range" in lost


# Limits


SERVING = Constraints(inference_tokens=1e13)
LIMITED = {
    "served": SERVING,
    "data end": Constraints(unique_tokens=1e11),
    "repeated": Constraints(unique_tokens=1e11, repetition=15.4),
    "all": Constraints(inference_tokens=1e12, unique_tokens=1e11, repetition=15.4, max_params=2e9, min_tokens=1e10),
    "ladder": Constraints(sizes=(4e8, 1e9, 3e9, 8e9, 20e9)),
}


def runs_within(constraints, flops, count=301):
    """Return N and D of runs that a budget and its limits allow."""
    most = min(constraints.max_params or np.inf, 0.999 * flops / (2 * constraints.inference_tokens + 1e-9))
    N = np.array(constraints.sizes) if constraints.sizes else np.geomspace(1e6, min(most, 1e13), count)
    D = flops / 6 / N - constraints.inference_tokens / 3
    if constraints.unique_tokens and constraints.repetition is None:
        D = np.minimum(D, constraints.unique_tokens)
    kept = (constraints.min_tokens or 0) <= D
    return N[kept], D[kept]


def worth_of(constraints, D):
    if constraints.repetition is None:
        return D
    return effective(D, np.log(D / constraints.unique_tokens), constraints.repetition)


@pytest.mark.parametrize("limits", LIMITED.values(), ids=LIMITED)
def test_within_limits_no_other_run_has_a_smaller_expected_loss(wide_fit, limits):
    found = allocate(wide_fit, [1e22, 3e23], constraints=limits)
    for i, flops in enumerate((1e22, 3e23)):
        best = found.recommended.isel(budget=i)
        N, D = runs_within(limits, flops)
        losses = predict(wide_fit, N, worth_of(limits, D))
        own = predict(wide_fit, best["N"].to_numpy()[None], worth_of(limits, best["D"].to_numpy()[None]))
        assert best["expected_loss"].item() == pytest.approx(own.mean(), rel=1e-12)
        assert own.mean() <= losses.mean(axis=0).min() + 1e-7  # the spline's error
        ideal = found.optima["loss"].to_numpy()[:, i]
        assert (ideal <= losses.min(axis=1) + 1e-12).all()
        excess = own[:, 0] - ideal
        assert best["expected_regret"].item() == pytest.approx(excess.mean(), abs=1e-12)
        assert best["high_regret"].item() == pytest.approx(np.quantile(excess, 0.95, method="inverted_cdf"), abs=1e-12)
        assert (excess >= -1e-12).all()


@pytest.mark.parametrize("limits", LIMITED.values(), ids=LIMITED)
def test_every_near_optimal_size_costs_little_with_the_probability(wide_fit, limits):
    tolerance = 0.1
    found = allocate(wide_fit, [1e22], constraints=limits, tolerance=tolerance)
    best = found.recommended.isel(budget=0)
    low, high = float(best["near_low"]), float(best["near_high"])
    cheaper = allocate(wide_fit, [1e22 / (1 + tolerance)], constraints=limits).optima["loss"].to_numpy()
    N, D = runs_within(limits, 1e22, 801)
    losses = predict(wide_fit, N, worth_of(limits, D))
    chance = (losses <= np.maximum(cheaper, found.optima["loss"].to_numpy())).mean(axis=0)
    inside = (low * 1.01 <= N) & (high / 1.01 >= N)
    if not np.isfinite(low):
        assert chance.max() < 0.92
        return
    assert chance[inside].min(initial=1) > 0.88  # ends are read between 31 sizes
    beside = (low * 0.97 > N) | (high * 1.03 < N)
    assert chance[beside].max(initial=0) < 0.92


def test_extra_compute_is_that_of_a_run_as_good_as_the_size(certain):
    found = allocate(certain, [1e22])
    splits = found.regret.isel(budget=0).dropna("size")
    place = int(np.argmin(np.abs(splits["extra_compute"].to_numpy() - 0.3)))
    N, extra = (splits[name].to_numpy()[[place]] for name in ("N", "extra_compute"))
    loss = predict(certain, N, 1e22 / 6 / N)[0].item()
    needed = allocate(certain, target_loss=loss).optima["flops_used"].to_numpy()[0].item()
    assert 1e22 / needed - 1 == pytest.approx(extra.item(), rel=0.03)  # compute is taken to fall evenly with loss


@pytest.mark.parametrize("limits", [each for name, each in LIMITED.items() if name != "ladder"])
def test_certainty_leaves_no_regret_within_limits(certain, limits):
    found = allocate(certain, [1e22, 3e23], constraints=limits)
    np.testing.assert_allclose(found.recommended["expected_regret"], 0, atol=2e-6)


def test_serving_is_part_of_what_a_run_costs(wide_fit):
    found = allocate(wide_fit, FLOPS[1:], constraints=SERVING)
    spent = found.optima["N"] * (6 * found.optima["D"] + 2e13)
    np.testing.assert_allclose(spent, np.broadcast_to(FLOPS[1:], spent.shape), rtol=1e-12)
    np.testing.assert_allclose(found.optima["flops_used"], spent, rtol=1e-12)
    training = 6 * found.recommended["N"] * found.recommended["D"]
    np.testing.assert_allclose(found.recommended["extrapolation"], training / wide_fit.runs.frame["C"].max())


def test_what_serving_saves_is_sardanas(wide_fit):
    found = allocate(wide_fit, [1e23], constraints=SERVING)
    expected = tradeoffs.best_for_serving(published_draws(wide_fit), found.optima["loss"].to_numpy()[:, 0], 1e13)
    saved = found.serving["saved"].to_numpy()[:, 0]
    np.testing.assert_allclose(saved, expected.saved, atol=2e-5)
    np.testing.assert_allclose(found.optima["N"].to_numpy()[:, 0], expected.N, rtol=1e-4)
    assert (found.serving["N"].to_numpy() > found.optima["N"].to_numpy()).all()
    assert (found.serving["D"].to_numpy() < found.optima["D"].to_numpy()).all()


def test_a_limit_that_binds_is_told_with_its_probability(wide_fit, allocation):
    middle = allocation.optima["N"].to_numpy()[:, 1]
    limit = float(np.quantile(middle, 0.3))
    found = allocate(wide_fit, FLOPS, constraints=Constraints(max_params=limit))
    assert found.binding["limit"].to_numpy().tolist() == ["max_params"]
    np.testing.assert_allclose(found.binding["probability"][:, 0], [0.0, 0.7, 1.0], atol=0.001)
    assert found.binding["recommended"][:, 0].to_numpy().tolist() == [False, True, True]
    assert (found.optima["N"] <= limit).all()


def test_where_data_end_the_budget_is_told_from_which_only_a_larger_model_helps(wide_fit):
    found = allocate(wide_fit, [1e21, 1e25], constraints=Constraints(unique_tokens=1e12))
    draws = published_draws(wide_fit)
    A, B, alpha, beta = (draws[name] for name in ("A", "B", "alpha", "beta"))
    expected = 6e12 * (alpha * A / (beta * B) * 1e12**beta) ** (1 / alpha)
    np.testing.assert_allclose(found.exhausted["flops"], expected, rtol=1e-5)
    record = allocation_record(found)["data_limit"]
    assert record["flops"]["median"] == pytest.approx(np.median(expected), rel=1e-5)
    assert (record["tokens"], record["repeated"], record["probability"]) == (1e12, False, 1.0)
    assert found.binding["probability"].to_numpy()[:, 0].tolist() == [0.0, 1.0]
    assert allocation_record(found)["allocations"][1]["epochs"]["median"] == 1.0


def test_compute_that_no_limit_lets_be_used_is_told(wide_fit):
    found = allocate(wide_fit, [1e25], constraints=Constraints(unique_tokens=1e12, max_params=1e10))
    assert found.recommended["flops_used"].item() == pytest.approx(6e22)
    assert any(note.startswith("the limits leave 99% of 1e25 FLOP unspent") for note in found.notes)


def test_tokens_per_parameter_that_no_run_has_are_told(wide_fit):
    found = allocate(wide_fit, [1e23], constraints=Constraints(max_params=1e8))
    assert any("where they have none, nothing checks the law" in note for note in found.notes)


def test_what_repeats_are_worth_is_said_to_be_uncertain(wide_fit):
    found = allocate(wide_fit, [1e23], constraints=LIMITED["repeated"])
    assert any("repeated tokens are weighed by R_D = 15" in note for note in found.notes)


def test_each_size_of_a_ladder_has_its_probability_and_its_regret(wide_fit, allocation):
    middle = float(allocation.optima["N"][:, 1].median())
    sizes = (middle / 1.1, middle * 1.1, 100 * middle)
    found = allocate(wide_fit, [FLOPS[1]], constraints=Constraints(sizes=sizes))
    losses = predict(wide_fit, np.array(sizes), FLOPS[1] / 6 / np.array(sizes))
    excess = losses - losses.min(axis=1, keepdims=True)
    ladder = found.ladder.isel(budget=0)
    np.testing.assert_allclose(ladder["probability"], [(excess[:, k] == 0).mean() for k in range(3)])
    np.testing.assert_allclose(ladder["expected_regret"], excess.mean(axis=0), atol=1e-12)
    high = np.quantile(excess, 0.95, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(ladder["high_regret"], high, rtol=1e-9)
    assert found.recommended["N"].item() == sizes[int(excess.mean(axis=0).argmin())]
    assert ladder["probability"].sum() == pytest.approx(1)


def test_a_size_of_the_ladder_beyond_the_budget_is_left_out(wide_fit):
    found = allocate(wide_fit, [1e21], constraints=Constraints(sizes=(1e9, 1e12), min_tokens=1e10))
    record = json.loads(json.dumps(allocation_record(found), allow_nan=False))["allocations"][0]
    assert [size["N"] for size in record["sizes"]] == [1e9, 1e12]
    unknown = dict.fromkeys(("D", "expected_regret", "regret_95", "extra_compute", "extra_compute_95"))
    assert record["sizes"][1] == {"N": 1e12, "probability": 0.0, **unknown}


def test_a_column_of_the_law_is_fixed_or_chosen(synthetic_fit, make_runs):
    N, D = make_runs.isoflop()
    runs = make_runs.of(N, D, granularity=np.resize([1.0, 4.0, 16.0], N.size))
    fitted = with_discrepancy(synthetic_fit("moe_granular", runs, MOE, draws=100))
    fixed = [
        allocate(fitted, [1e21], constraints=Constraints(covariates={"granularity": each})) for each in (1.0, 16.0)
    ]
    chosen = allocate(fitted, [1e21], constraints=Constraints(covariates={"granularity": [1.0, 16.0]}))
    assert chosen.options["granularity"].to_numpy().tolist() == [1.0, 16.0]
    losses = [each.recommended["expected_loss"].item() for each in fixed]
    np.testing.assert_allclose(chosen.options["expected_loss"][0], losses, rtol=1e-9)
    assert chosen.recommended["expected_loss"].item() == pytest.approx(min(losses), rel=1e-12)
    best = np.minimum(*(each.optima["loss"].to_numpy() for each in fixed))
    np.testing.assert_allclose(chosen.optima["loss"], best, rtol=1e-12)
    entry = allocation_record(chosen)["allocations"][0]
    assert entry["recommended"]["covariates"] == {"granularity": [1.0, 16.0][int(np.argmin(losses))]}
    assert sum(option["probability"] for option in entry["options"]) == pytest.approx(1)
    assert set(np.unique(chosen.optima["granularity"])) <= {1.0, 16.0}
    extra = chosen.options["extra_compute"][0].to_numpy()
    best_column = Constraints(covariates={"granularity": [1.0, 16.0][int(np.argmin(losses))]})
    less = allocate(fitted, [1e21 / (1 + extra.max())], constraints=best_column).recommended["expected_loss"].item()
    assert 0 <= extra.min() < 0.01  # what each draw would choose better
    assert (less - min(losses)) / (max(losses) - min(losses)) == pytest.approx(1, abs=0.05)


def test_a_law_of_further_columns_asks_for_them(synthetic_fit, make_runs):
    N, D = make_runs.isoflop()
    runs = make_runs.of(N, D, granularity=np.resize([1.0, 4.0, 16.0], N.size))
    fitted = synthetic_fit("moe_granular", runs, MOE, draws=50)
    with pytest.raises(InputError, match="give granularity among the covariates of the constraints"):
        allocate(fitted, [1e21])


def test_the_spread_of_the_best_size_is_split_between_laws_and_parameters(weighted, wide_fit):
    alone = allocate(wide_fit, [1e23]).recommended
    assert alone["spread_by_law"].item() == 0
    found = allocate(weighted(chinchilla=0.5, kaplan_nd=0.5), [1e23])
    log_N, law = np.log(found.optima["N"].to_numpy()[:, 0]), found.optima["law"].to_numpy()
    parts = [log_N[law == name] for name in np.unique(law)]
    share = np.array([part.size for part in parts]) / log_N.size
    between = share @ (np.array([part.mean() for part in parts]) - log_N.mean()) ** 2
    assert found.recommended["spread"].item() == pytest.approx(log_N.var())
    assert found.recommended["spread_by_law"].item() == pytest.approx(between / log_N.var())


def test_laws_are_averaged_within_limits(weighted):
    found = allocate(weighted(chinchilla=0.5, kaplan_nd=0.5), [1e23], constraints=LIMITED["all"])
    assert set(found.weights) == {"chinchilla", "kaplan_nd"}
    json.dumps(allocation_record(found), allow_nan=False)


def test_a_law_without_a_best_split_decides_between_limits(synthetic_fit, wide_runs):
    fitted = synthetic_fit("tilt", wide_runs, draws=50)
    found = allocate(fitted, [1e23], constraints=Constraints(min_params=1e9, max_params=1e11))
    assert set(np.unique(found.optima["N"])) <= {1e9, 1e11}


@pytest.mark.parametrize("limits", LIMITED.values(), ids=LIMITED)
def test_the_record_of_a_limited_allocation_is_plain_data(wide_fit, limits):
    record = allocation_record(allocate(wide_fit, [1e22], constraints=limits))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["constraints"] == limits.record()
    entry = record["allocations"][0]
    assert entry["near_optimal"]["probability"] == 0.9
    assert entry["spread"]["parameters"] + entry["spread"]["laws"] == pytest.approx(
        1 if entry["spread"]["ln_N_sd"] else 0
    )
    fields = {"N", "D", "expected_regret", "regret_95", "extra_compute", "extra_compute_95"}
    assert all(set(each) == fields for each in entry["candidates"])
    assert (entry["serving"] is None) == (limits.inference_tokens == 0)


# A loss to reach


def test_a_loss_is_reached_with_the_least_compute_of_each_draw(wide_fit):
    found = allocate(wide_fit, target_loss=2.1)
    draws = published_draws(wide_fit)
    E, A, B, alpha, beta = (draws[name] for name in ("E", "A", "B", "alpha", "beta"))
    # On the ridge alpha A / N**alpha = beta B / D**beta, and both add to what is above E.
    N = (A * (1 + alpha / beta) / (2.1 - E)) ** (1 / alpha)
    D = (beta * B / (alpha * A) * N**alpha) ** (1 / beta)
    np.testing.assert_allclose(found.targets["flops"][:, 0], 6 * N * D, rtol=3e-6)  # sought to 1e-6
    np.testing.assert_allclose(found.targets["N"][:, 0], N, rtol=1e-5)
    assert found.targets["probability"].item() == 1
    best = found.recommended
    assert best["expected_loss"].item() == pytest.approx(2.1, abs=1e-5)
    own = predict(wide_fit, best["N"].to_numpy(), best["D"].to_numpy())[:, 0]
    assert found.targets["law_reaches"].item() == pytest.approx((own <= 2.1).mean(), abs=0.01)
    assured = found.targets[["assured_N", "assured_D"]].isel(budget=0)
    sure = predict(wide_fit, assured["assured_N"].to_numpy()[None], assured["assured_D"].to_numpy()[None])
    assert (sure <= 2.1).mean() == pytest.approx(0.9, abs=0.01)


def test_a_loss_and_its_budget_ask_for_the_same_run(wide_fit):
    by_loss = allocate(wide_fit, target_loss=[2.1, 2.0], constraints=SERVING)
    by_budget = allocate(wide_fit, by_loss.recommended["flops"].to_numpy(), constraints=SERVING)
    for name in ("N", "D", "expected_regret"):
        np.testing.assert_array_equal(by_loss.recommended[name], by_budget.recommended[name])
    assert by_budget.targets is None


def test_a_loss_may_cost_more_than_any_run_so_far(wide_fit):
    limits = Constraints(min_params=7e10, min_tokens=1e12)  # 42 times the largest run
    found = allocate(wide_fit, target_loss=1.9, constraints=limits)
    assert found.recommended["flops"].item() > 4.2e23
    easy = allocate(wide_fit, target_loss=2.5, constraints=limits)
    assert easy.recommended["flops"].item() == pytest.approx(4.2e23, rel=0.02)  # the least that the limits allow


def test_draws_that_never_reach_a_loss_are_counted(synthetic_fit, wide_runs, make_runs):
    fitted = with_discrepancy(synthetic_fit("chinchilla", wide_runs, make_runs.truth, spread=0.02, draws=100))
    floor = published_draws(fitted)["E"]
    target = float(np.quantile(floor, 0.9))
    found = allocate(fitted, target_loss=target)
    # Some draws that could reach it would need more compute than there will ever be.
    assert 0.8 < found.targets["probability"].item() <= (floor < target).mean()
    record = allocation_record(found)["allocations"][0]["target"]
    assert record["never"] >= (floor >= target).sum()
    assert record["flops"]["upper"] is None  # more than 5% of the draws never reach it
    assert record["flops"]["lower"] < record["flops"]["median"]
    json.dumps(record, allow_nan=False)


def test_a_loss_out_of_reach_is_refused_with_its_probability(wide_fit):
    with pytest.raises(InputError, match=r"no run is expected to reach 1\.5 at any compute within the limits; 0% of"):
        allocate(wide_fit, target_loss=1.5)
    with pytest.raises(InputError, match=r"no run is expected to reach 2\.1 "):
        allocate(wide_fit, target_loss=2.1, constraints=Constraints(max_params=1e8))


def test_budgets_or_losses_are_asked_for_but_not_both(wide_fit):
    with pytest.raises(InputError, match=r"expected budgets \(flops\) or losses to reach \(target_loss\), one of them"):
        allocate(wide_fit, flops=[1e21], target_loss=2.1)


@pytest.mark.parametrize("loss", [0, -1, np.nan, [], [[2.0]], "low"])
def test_a_loss_to_reach_is_a_positive_number(wide_fit, loss):
    with pytest.raises(InputError, match="target_loss is"):
        allocate(wide_fit, target_loss=loss)


def test_a_budget_that_pays_for_no_allowed_run_is_refused(wide_fit):
    with pytest.raises(InputError, match="leaves no run within the limits of N and D"):
        allocate(wide_fit, [1e21], constraints=Constraints(min_params=1e11, min_tokens=1e11))


# Demand


def test_the_demand_that_a_model_implies_is_sardanas(wide_fit):
    N, D = [8e9, 70e9], [15e12, 1.4e12]
    found = implied_demand(wide_fit, N, D)
    values = {name: draws[:, None] for name, draws in published_draws(wide_fit).items()}
    expected = tradeoffs.revealed_served_tokens(values, np.array(N), np.array(D))
    np.testing.assert_allclose(found.draws["served_tokens"], expected, rtol=1e-6)  # slopes by differences


def test_at_the_demand_of_its_size_a_model_is_the_cheapest_of_its_loss(certain):
    found = demand_for_size(certain, 3e9, 2.1)
    served = float(np.median(found.draws["served_tokens"]))
    best = allocate(certain, target_loss=2.1, constraints=Constraints(inference_tokens=served))
    assert best.recommended["N"].item() == pytest.approx(3e9, rel=0.01)  # read on a grid
    assert best.recommended["D"].item() == pytest.approx(float(found.draws["D"].median()), rel=0.03)


def test_a_size_that_never_reaches_the_loss_has_no_demand(wide_fit):
    draws = demand_for_size(wide_fit, [1e7, 3e9], 2.1).draws
    for name in ("served_tokens", "D"):
        assert np.isnan(draws[name].isel(model=0)).all()
        assert np.isfinite(draws[name].isel(model=1)).any()


def test_the_model_that_is_cheapest_to_train_is_right_without_demand(certain):
    best = allocate(certain, [1e22]).recommended
    found = implied_demand(certain, best["N"].item(), best["D"].item())
    assert abs(float(found.draws["served_tokens"].median())) < 0.05 * best["D"].item()  # a step of the grid in D/N


@pytest.mark.parametrize(("N", "D"), [([1e9, 2e9], [1e12]), (-1e9, 1e12), (1e9, np.nan), ("8B", 1e12)])
def test_models_are_pairs_of_positive_numbers(wide_fit, N, D):
    with pytest.raises(InputError, match="expected"):
        implied_demand(wide_fit, N, D)


def test_runs_that_cannot_separate_N_from_D_are_refused_with_cause_and_remedy(make_runs, synthetic_fit):
    N = np.geomspace(1e7, 1e10, 12)
    ladder = synthetic_fit("chinchilla", make_runs.of(N, 20 * N, name="ladder"))
    with pytest.raises(InputError) as refused:
        allocate(ladder, [1e22])
    cause, remedy = refused.value.faults
    assert cause.lower().endswith("so no split follows: d is 20 n in every run")
    assert remedy.startswith("to change that: ")
    assert remedy.count("with D =") == 3


def test_a_law_that_failed_is_one_sentence_of_doubt(make_runs, synthetic_fit):
    runs = make_runs.of(*make_runs.isoflop(sizes=4))
    failed = synthetic_fit("chinchilla", runs, failures=("R-hat of A is 1.4", "ESS of A is 9"))
    record = fit_record({"chinchilla": failed}, 0.9, {}, ())
    assert record["doubts"] == ["chinchilla: R-hat of A is 1.4 (and 1 more)"]
    assert record["fits"][0]["diagnostics"]["failures"] == ["R-hat of A is 1.4", "ESS of A is 9"]

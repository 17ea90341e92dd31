"""The best runs within limits, against closed forms, and what cannot be asked for."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from bayescale import tradeoffs
from bayescale.errors import InputError
from bayescale.fits.draws import Draws
from bayescale.hardware import read_budgets
from bayescale.laws import LAWS, get_law, measured
from bayescale.laws.data_constrained import effective
from bayescale.splits import frontier
from bayescale.splits.constraints import UNLIMITED, Constraints
from bayescale.splits.frontier import RATIOS
from bayescale.splits.search import best_runs, cheapest_runs, exhausting_flops, missing_columns, searches

BUDGETS = np.array([1e19, 1e21, 5.76e23])
QUICK = (Phase.explicit, Phase.generate)  # a smaller failing example is not worth minutes
SERVED = (1e10, 1e12, 1e14)


def published(name, source=None):
    """Return the published values of a law, one set or the first."""
    sets = LAWS[name].published
    return dict(next(values for key, values in sets.items() if source is None or key.startswith(source)))


def as_draws(*sets):
    return {name: np.array([values[name] for values in sets]) for name in sets[0]}


def searches_of(law, draws, limits=UNLIMITED):
    """Return the searches of a law whose parameters are at published scale, without a fit; one set for each option."""
    law = get_law(law)
    fitted = SimpleNamespace(law=law, runs=SimpleNamespace(response=law.responses[0]))
    return searches(fitted, Draws(law, draws, dict.fromkeys(law.covariates, 1.0)), limits)


def best(law, draws, flops, **limits):
    return best_runs(searches_of(law, draws, Constraints(**limits)), np.atleast_1d(flops))


def cheapest(name, draws, loss, **limits):
    return cheapest_runs(searches_of(name, draws, Constraints(**limits)), np.atleast_1d(loss))


HOFFMANN, BESIROGLU = published("chinchilla", "Hoffmann"), published("chinchilla", "Besiroglu")
TWO = as_draws(HOFFMANN, BESIROGLU)
VALUES = {name: values[:, None] for name, values in TWO.items()}


def wedge(values, N, D):
    """Return the ratio of the slopes of an additive law on ln N and ln D."""
    A, B, alpha, beta = (values[name] for name in ("A", "B", "alpha", "beta"))
    return alpha * A / N**alpha / (beta * B / D**beta)


POSTERIORS = st.lists(
    st.fixed_dictionaries(
        {
            "E": st.floats(1.0, 2.2),
            "A": st.floats(200, 800),
            "B": st.floats(300, 3000),
            "alpha": st.floats(0.28, 0.42),
            "beta": st.floats(0.28, 0.42),
        }
    ),
    min_size=1,
    max_size=20,
).map(lambda sets: as_draws(*sets))


# Closed forms


@given(POSTERIORS)
@settings(max_examples=10, phases=QUICK)
def test_without_limits_the_best_size_is_the_closed_form(draws):
    values = {name: each[:, None] for name, each in draws.items()}
    A, B, alpha, beta = (values[name] for name in ("A", "B", "alpha", "beta"))
    expected = (alpha * A / (beta * B)) ** (1 / (alpha + beta)) * (BUDGETS / 6) ** (beta / (alpha + beta))
    found = best("chinchilla", draws, BUDGETS)
    ratio = BUDGETS / 6 / expected**2
    inside, outside = (ratio > 1.1e-3) & (ratio < 9e5), (ratio < 0.9e-3) | (ratio > 1.1e6)
    assert found.located[inside].all()
    assert not found.located[outside].any()  # of the searched D/N
    # The loss is flat at its minimum: rounding hides the sixth digit of N.
    np.testing.assert_allclose(found.N[inside], expected[inside], rtol=4e-6)
    np.testing.assert_allclose(6 * found.N * found.D, np.broadcast_to(BUDGETS, found.N.shape), rtol=1e-14)


def test_the_best_size_grows_with_compute_by_the_elasticity_of_the_law():
    found = best("chinchilla", TWO, [1e20, 1e24])
    elasticity = np.log(found.N[:, 1] / found.N[:, 0]) / np.log(1e4)
    np.testing.assert_allclose(elasticity, TWO["beta"] / (TWO["alpha"] + TWO["beta"]), rtol=1e-6)


@pytest.mark.parametrize("tokens", SERVED)
def test_with_serving_the_slopes_have_the_wedge_at_the_optimum(tokens):
    found = best("chinchilla", TWO, [1e22, 1e25], inference_tokens=tokens)
    # Where serving takes nearly all, D is what is left over: its digits are lost with those of N.
    rtol = 1e-5 * (1 + tokens / found.D.min() / 3)
    np.testing.assert_allclose(wedge(VALUES, found.N, found.D), 1 + tokens / (3 * found.D), rtol=rtol)
    np.testing.assert_allclose(found.flops, np.broadcast_to([1e22, 1e25], found.N.shape), rtol=1e-13)
    np.testing.assert_allclose(6 * found.N * found.D + 2 * found.N * tokens, found.flops, rtol=1e-13)


@pytest.mark.parametrize("tokens", SERVED)
def test_the_cheapest_served_model_of_a_loss_is_that_of_sardana(tokens):
    losses = np.array([2.2, 2.05])
    found = cheapest("chinchilla", TWO, losses, inference_tokens=tokens)
    expected = tradeoffs.best_for_serving(VALUES, losses, tokens)
    np.testing.assert_allclose(found.flops, expected.flops, rtol=3e-6)  # the budget is sought to 1e-6
    np.testing.assert_allclose(found.N, expected.N, rtol=2e-5)
    np.testing.assert_allclose(found.D, expected.D, rtol=1e-4)  # the loss is flat along the budget


def test_the_over_training_law_has_its_best_multiplier_at_every_budget():
    draws = as_draws(*LAWS["overtrain"].published.values())
    found = best("overtrain", draws, BUDGETS)
    expected = np.broadcast_to(tradeoffs.best_multiplier(draws)[:, None], found.N.shape)
    np.testing.assert_allclose(found.D / found.N, expected, rtol=1e-5)


@pytest.mark.parametrize("granularity", [1.0, 4.0, 16.0])
def test_a_mixture_of_experts_is_sized_as_krajewski_does(granularity):
    draws = as_draws(published("moe_granular"))
    expected = tradeoffs.best_experts(draws, BUDGETS, granularities=[granularity])
    found = best("moe_granular", draws, BUDGETS, covariates={"granularity": granularity})
    np.testing.assert_allclose(found.N, expected.N, rtol=1e-5)
    np.testing.assert_allclose(found.D, expected.D, rtol=1e-5)
    np.testing.assert_allclose(found.flops, BUDGETS[None], rtol=1e-13)


def test_a_law_of_experts_under_another_name_costs_what_the_law_says():
    draws = as_draws(published("moe_granular"))
    renamed = replace(LAWS["moe_granular"], name="our_experts")
    first, second = (best(law, draws, BUDGETS, covariates={"granularity": 4.0}) for law in ("moe_granular", renamed))
    np.testing.assert_array_equal(second.N, first.N)
    np.testing.assert_array_equal(second.D, first.D)
    paid = tradeoffs.expert_flops(second.N, second.D, 4.0)
    np.testing.assert_allclose(paid, BUDGETS[None], rtol=1e-13)
    assert (1.5 * paid < 6 * second.N * second.D).all()  # which is what 6 N D would have asked for


@pytest.mark.parametrize("name", ["vocabulary", "datastore", "precision"])
def test_a_law_of_ones_own_costs_6_n_d_whatever_built_in_law_has_its_name(name):
    own = replace(LAWS["chinchilla"], name=name)
    found, expected = best(own, TWO, BUDGETS), best("chinchilla", TWO, BUDGETS)
    np.testing.assert_array_equal(found.N, expected.N)
    np.testing.assert_allclose(6 * found.N * found.D, np.broadcast_to(BUDGETS, found.N.shape), rtol=1e-13)


def test_a_granularity_is_chosen_as_krajewski_does():
    draws = as_draws(published("moe_granular"))
    offered = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    expected = tradeoffs.best_experts(draws, BUDGETS, granularities=offered)
    options = searches_of("moe_granular", draws, Constraints(covariates={"granularity": offered}))
    found = best_runs(options, BUDGETS)
    assert np.array(offered)[found.option].tolist() == expected.granularity.tolist()
    np.testing.assert_allclose(found.N, expected.N, rtol=1e-5)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-12)


def test_precision_costs_its_bits_and_is_chosen_as_kumar_does():
    values = published("precision")
    draws, bits = as_draws(values), [float(each) for each in range(2, 17)]
    exact = tradeoffs.best_bits(values, 1e21)
    losses = []
    for each in bits:
        columns = dict.fromkeys(("bits_weights", "bits_activations", "bits_cache"), each)
        found = best("precision", draws, 1e21, covariates=columns)
        np.testing.assert_allclose(tradeoffs.precision_flops(found.N, found.D, each), 1e21, rtol=1e-13)
        losses.append(found.loss.item())
    assert abs(bits[int(np.argmin(losses))] - exact.bits) < 1
    assert min(losses) >= exact.loss


def test_embedding_a_datastore_is_paid_for_before_training():
    values = {"E": 1.8, "A": 480.0, "B": 2000.0, "rho": 0.05, "alpha": 0.35, "beta": 0.37}
    found = best("datastore", as_draws(values), 1e22, covariates={"datastore_tokens": [0.0, 1e12]}, min_tokens=1e10)
    spent = tradeoffs.datastore_flops(found.N, found.D, np.array([0.0, 1e12])[found.option])
    np.testing.assert_allclose(spent, 1e22, rtol=1e-13)


def test_a_vocabulary_is_paid_for_and_more_gain_is_better():
    draws = as_draws(published("vocabulary"))
    columns = {"width": 2048.0, "vocabulary": [4e3, 32e3, 256e3]}
    options = searches_of("vocabulary", draws, Constraints(covariates=columns, sizes=(1e9, 2e9)))
    # A gain: the least of the three would be the worst.
    for each in options:
        object.__setattr__(each, "sign", -1.0)
    found = best_runs(options, np.array([1e21]))
    gains = []
    for each in columns["vocabulary"]:
        for size in (1e9, 2e9):
            D = 1e21 / 6 / (size + 2048 * each)
            gains.append(LAWS["vocabulary"].loss(size, each, 2048.0, D, **published("vocabulary")))
    assert found.loss.item() == pytest.approx(max(gains), rel=1e-12)


# Data


@given(POSTERIORS, st.floats(10, 14).map(lambda decades: 10.0**decades), st.sampled_from([0.0, 1e12, 1e14]))
@settings(max_examples=10, phases=QUICK)
def test_all_data_are_used_from_the_closed_form_of_the_budget_on(draws, tokens, served):
    (options,) = searches_of("chinchilla", draws, Constraints(unique_tokens=tokens, inference_tokens=served))
    A, B, alpha, beta = (draws[name] for name in ("A", "B", "alpha", "beta"))
    N = (alpha * A / ((1 + served / 3 / tokens) * beta * B) * tokens**beta) ** (1 / alpha)
    inside = (tokens / N > 2e-3) & (tokens / N < 5e5)
    found = exhausting_flops(options, tokens)
    expected = 6 * N * (tokens + served / 3)
    np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-4)  # found to 1e-6 / slope


def test_beyond_that_budget_only_the_model_grows():
    limits = {"unique_tokens": 1e12}
    (options,) = searches_of("chinchilla", TWO, Constraints(**limits))
    last = exhausting_flops(options, 1e12)
    budgets = last[:, None] * np.array([0.9, 1.1, 100.0])
    found = best_runs([options], budgets)
    assert (found.D[:, 0] < 1e12).all()
    np.testing.assert_array_equal(found.D[:, 1:], 1e12)
    np.testing.assert_allclose(found.N[:, 1:], budgets[:, 1:] / 6e12, rtol=1e-12)


@pytest.mark.parametrize("scale", [5.0, 15.387756, 100.0])
def test_repeats_are_worth_what_the_law_of_repeated_data_says(scale):
    found = best("chinchilla", TWO, [1e24, 1e26], unique_tokens=1e12, repetition=scale)
    worth = effective(found.D, np.log(found.D / 1e12), scale)
    np.testing.assert_allclose(found.loss, LAWS["chinchilla"].loss(found.N, worth, **VALUES), rtol=1e-13)
    assert (found.D > 1e12).all()
    for factor in (0.9, 0.99, 1.01, 1.1):
        N, D = found.N * factor, found.D / factor
        other = LAWS["chinchilla"].loss(N, effective(D, np.log(D / 1e12), scale), **VALUES)
        assert (other > found.loss).all()


def test_a_law_that_knows_repeats_is_asked_for_them():
    values = published("data_constrained")
    expected = tradeoffs.best_repetition(as_draws(values), BUDGETS, 1e10)
    found = best("data_constrained", as_draws(values), BUDGETS, unique_tokens=1e10)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-12)
    np.testing.assert_allclose(found.N, expected.N, rtol=1e-4)  # the search of the other is coarser in N


def test_very_little_repetition_is_next_to_none():
    capped = best("chinchilla", TWO, 1e25, unique_tokens=1e12)
    repeated = best("chinchilla", TWO, 1e25, unique_tokens=1e12, repetition=1e-3)
    np.testing.assert_allclose(repeated.N, capped.N, rtol=0.02)


# Limits


@given(POSTERIORS, st.floats(8, 12), st.floats(9, 14), st.floats(20, 26))
@settings(max_examples=15, phases=QUICK)
def test_no_run_within_the_limits_is_better(draws, most_params, most_tokens, flops):
    limits = Constraints(max_params=10**most_params, max_tokens=10**most_tokens, inference_tokens=1e11)
    (options,) = searches_of("chinchilla", draws, limits)
    found = best_runs([options], np.array([10**flops]))
    largest = min(10**most_params, 10**flops / 2e11 * 0.999)
    N = np.geomspace(1e-8, 1, 300) * largest
    D = np.minimum(10**flops / 6 / N - 1e11 / 3, 10**most_tokens)
    losses = LAWS["chinchilla"].loss(N, D, **{name: each[:, None] for name, each in draws.items()})
    assert (found.loss <= losses.min(axis=1, keepdims=True) * (1 + 1e-12)).all()
    assert (10**most_params >= found.N).all()
    assert (10**most_tokens >= found.D).all()
    assert (found.flops <= 10**flops * (1 + 1e-12)).all()


def test_a_binding_limit_is_the_optimum_and_is_told():
    limits = Constraints(max_params=1e9, min_tokens=1e9)
    (options,) = searches_of("chinchilla", TWO, limits)
    found = best_runs([options], np.array([1e17, 1e23]))
    assert found.located.all()
    binding = options.frontier.binding(found.N, found.D)
    assert binding["max_params"].tolist() == [[False, True], [False, True]]
    assert set(binding) == {"max_params", "min_tokens"}
    np.testing.assert_array_equal(found.N[:, 1], 1e9)


def test_more_compute_than_the_limits_can_use_is_left_over():
    found = best("chinchilla", TWO, 1e26, max_params=1e9, unique_tokens=1e11)
    np.testing.assert_array_equal(found.N, 1e9)
    np.testing.assert_array_equal(found.D, 1e11)
    np.testing.assert_allclose(found.flops, 6e20, rtol=1e-14)


def test_a_law_without_a_best_split_has_one_between_limits():
    draws = as_draws({"E": 1.8, "K": 1800.0, "gamma": 0.17, "delta": -0.3})
    assert not best("tilt", draws, 1e22).located.any()
    limited = best("tilt", draws, 1e22, max_tokens=1e12)
    assert limited.located.all()
    np.testing.assert_allclose(limited.N, 1e22 / 6e12, rtol=1e-12)
    assert not best("tilt", draws, 1e22, max_params=1e12).located.any()


def test_a_narrow_range_of_sizes_is_kept_to():
    found = best("chinchilla", TWO, [1e20, 1e24], min_params=3e9, max_params=3e9)
    np.testing.assert_array_equal(found.N, 3e9)
    np.testing.assert_allclose(found.flops, np.broadcast_to([1e20, 1e24], found.N.shape), rtol=1e-14)


@given(POSTERIORS, st.sampled_from([0.0, 1e11]))
@settings(max_examples=10, phases=QUICK)
def test_of_a_ladder_the_size_of_least_loss_is_taken(draws, served):
    sizes = (1e8, 1e9, 7e9, 70e9)
    found = best("chinchilla", draws, 1e22, sizes=sizes, inference_tokens=served)
    D = 1e22 / 6 / np.array(sizes) - served / 3
    allowed = D > 0
    values = {name: each[:, None] for name, each in draws.items()}
    losses = LAWS["chinchilla"].loss(np.array(sizes)[allowed], D[allowed], **values)
    np.testing.assert_array_equal(found.N[:, 0], np.array(sizes)[allowed][losses.argmin(axis=1)])


# Monotone


@given(POSTERIORS)
@settings(max_examples=12, phases=QUICK)
def test_at_one_loss_more_demand_means_a_smaller_model_and_more_tokens(draws):
    target = draws["E"] + 0.4
    found = [
        cheapest_runs(searches_of("chinchilla", draws, Constraints(inference_tokens=served)), target[:, None])
        for served in (0.0, 1e10, 1e11, 1e12, 1e13)
    ]
    A, B, alpha, beta = (draws[name] for name in ("A", "B", "alpha", "beta"))
    size, tokens = (A * (1 + alpha / beta) / 0.4) ** (1 / alpha), (B * (1 + beta / alpha) / 0.4) ** (1 / beta)
    # Serving 1e13 tokens raises D/N by some hundred times; what it then is must still lie where the search looks.
    searched = ((tokens / size > 1.05 * RATIOS[0]) & (tokens / size < 1e-3 * RATIOS[1]))[:, None]
    assume(searched.any())
    assert all((each.located | ~searched).all() for each in found)
    for less, more in pairwise(found):
        # Far above the training tokens all falls; far below nothing moves that the search could see.
        assert (more.N <= less.N * (1 + 1e-4))[searched].all()
        assert (more.D >= less.D * (1 - 1e-4))[searched].all()
        assert (more.flops >= less.flops * (1 - 1e-6))[searched].all()
    assert (found[-1].N < found[0].N)[searched].all()
    assert (found[-1].D > found[0].D)[searched].all()


@given(POSTERIORS)
@settings(max_examples=12, phases=QUICK)
def test_of_one_budget_more_demand_leaves_a_smaller_model_and_a_larger_loss(draws):
    found = [best("chinchilla", draws, 1e23, inference_tokens=served) for served in (0.0, 1e10, 1e11, 1e12, 1e13)]
    for less, more in pairwise(found):
        assert (more.N <= less.N * (1 + 1e-5)).all()
        assert (more.loss >= less.loss - 1e-12).all()


@given(POSTERIORS, st.sampled_from([None, 15.0]))
@settings(max_examples=12, phases=QUICK)
def test_fewer_data_mean_a_larger_model_and_a_larger_loss(draws, scale):
    found = [
        best("chinchilla", draws, 1e24, unique_tokens=tokens, repetition=scale) for tokens in (1e14, 1e13, 1e12, 1e11)
    ]
    for more, fewer in pairwise(found):
        assert (fewer.N >= more.N * (1 - 1e-5)).all()
        assert (fewer.loss >= more.loss - 1e-12).all()


@given(POSTERIORS)
@settings(max_examples=7, phases=QUICK)
def test_a_lower_loss_costs_more(draws):
    above = np.array([0.6, 0.4, 0.2])
    found = cheapest_runs(searches_of("chinchilla", draws), draws["E"][:, None] + above)
    assert (np.diff(found.flops, axis=1) > 0).all()
    np.testing.assert_allclose(found.loss, draws["E"][:, None] + above, rtol=1e-6)


def test_a_loss_below_the_floor_is_reached_at_no_compute():
    draws = as_draws(HOFFMANN, HOFFMANN | {"E": 1.5})
    found = cheapest("chinchilla", draws, 1.65)
    assert found.located[:, 0].tolist() == [False, True]


def test_draws_without_an_answer_take_it_from_no_other():
    draws = as_draws(HOFFMANN, HOFFMANN | {"A": 1e-9}, BESIROGLU)
    found, alone = best("chinchilla", draws, BUDGETS), best("chinchilla", TWO, BUDGETS)
    assert found.located.all(axis=1).tolist() == [True, False, True]
    np.testing.assert_allclose(found.N[[0, 2]], alone.N, rtol=4e-6)


# What cannot be asked for


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"inference_tokens": -1.0}, "inference_tokens is -1.0; expected tokens to serve, zero or more"),
        ({"inference_tokens": np.nan}, "inference_tokens is nan"),
        ({"inference_tokens": "many"}, "inference_tokens is 'many'"),
        ({"unique_tokens": 0.0}, "unique_tokens is 0.0; expected tokens above zero, such as 15e12"),
        ({"max_params": -7e9}, "max_params is -7000000000.0; expected parameters above zero, such as 8e9"),
        ({"min_tokens": np.inf}, "min_tokens is inf"),
        ({"min_params": 2e9, "max_params": 1e9}, "min_params is 2e9 and max_params 1e9: they leave no choice"),
        ({"min_tokens": 2e9, "max_tokens": 1e9}, "min_tokens is 2e9 and max_tokens 1e9: they leave no choice"),
        ({"sizes": (1e9, 70e9), "max_params": 8e9}, "sizes 7e10 lie outside min_params 0 to max_params 8e9"),
        ({"sizes": (1e9, 1e9)}, "expected different numbers of parameters"),
        ({"sizes": (1e9, -1.0)}, "expected different numbers of parameters, each above zero"),
        ({"sizes": ("small",)}, "sizes is .*write a count such as 7e9"),
        ({"sizes": 7e9}, "expected numbers of parameters, such as"),
        ({"repetition": 15.0}, "give unique_tokens as well"),
        ({"repetition": 0.0, "unique_tokens": 1e12}, "repetition is 0.0; expected R_D above zero"),
        ({"repetition": "twice", "unique_tokens": 1e12}, "repetition is 'twice'; expected R_D"),
        ({"covariates": {"N": 1e9}}, "covariates names N, which the allocation chooses"),
        ({"covariates": {"granularity": []}}, "covariate granularity is \\[\\]"),
        ({"covariates": {"granularity": [4, 4]}}, "or different ones"),
        ({"covariates": {"granularity": -4}}, "expected a number of zero or more"),
        ({"covariates": {"granularity": "fine"}}, "covariate granularity is 'fine'"),
        ({"covariates": {"a": list(range(9)), "b": list(range(9))}}, "more than 64 combinations"),
        ({"covariates": {"unique_tokens": 1e12}, "unique_tokens": 1e12}, "unique_tokens is given twice"),
    ],
)
def test_what_cannot_be_used_is_told_with_the_remedy(asked, said):
    with pytest.raises(InputError, match=said):
        Constraints(**asked)


def test_a_fit_of_another_law_does_not_know_what_repeats_are_worth(wide_fit):
    with pytest.raises(InputError, match="a fit of law 'chinchilla', which has no R_D"):
        Constraints(unique_tokens=1e12, repetition=wide_fit)


def test_more_tokens_than_there_are_cannot_be_the_least():
    with pytest.raises(InputError, match="min_tokens is 1e13, but there are 1e12 unique tokens"):
        searches_of("chinchilla", TWO, Constraints(unique_tokens=1e12, min_tokens=1e13))


@pytest.mark.parametrize("limits", [{"sizes": (70e9,), "min_tokens": 1e12}, {"min_params": 70e9, "min_tokens": 1e12}])
def test_a_budget_that_pays_for_no_allowed_run_says_what_the_smallest_costs(limits):
    (options,) = searches_of("chinchilla", TWO, Constraints(**limits))
    with pytest.raises(InputError, match=r"a budget of 1e21 FLOP leaves no run .* costs 4\.2e23 FLOP"):
        options.frontier.check(np.array([1e21, 1e24]))


def test_serving_alone_may_cost_more_than_the_budget():
    (options,) = searches_of("chinchilla", TWO, Constraints(inference_tokens=1e15, min_params=1e9))
    with pytest.raises(InputError, match="then served 1e15 tokens"):
        options.frontier.check(np.array([1e21]))


def test_a_datastore_that_costs_more_than_the_budget_is_told():
    limits = Constraints(covariates={"datastore_tokens": 1e14})
    values = {"E": 1.8, "A": 480.0, "B": 2000.0, "rho": 0.05, "alpha": 0.35, "beta": 0.37}
    (options,) = searches_of("datastore", as_draws(values), limits)
    with pytest.raises(InputError, match=r"3\.54e22 FLOP are spent before a run starts"):
        options.frontier.check(np.array([1e22]))


def test_columns_that_a_law_needs_are_asked_for():
    assert missing_columns(LAWS["moe_granular"], UNLIMITED) == ["granularity"]
    assert missing_columns(LAWS["data_constrained"], Constraints(unique_tokens=1e12)) == []
    with pytest.raises(InputError, match="give granularity among the covariates of the constraints"):
        searches_of("moe_granular", as_draws(published("moe_granular")))


# The record


def test_only_what_is_asked_for_is_recorded():
    assert UNLIMITED.record() == {}
    asked = Constraints(unique_tokens=1e12, repetition=np.array([10.0, 20.0, 30.0]), sizes=[7e9, 1e9])
    assert asked.record() == {"unique_tokens": 1e12, "repetition": 20.0, "sizes": [1e9, 7e9]}
    chosen = Constraints(covariates={"granularity": [1, 4], "experts": 8})
    assert list(chosen.options) == [{"granularity": 1.0, "experts": 8.0}, {"granularity": 4.0, "experts": 8.0}]
    assert chosen.offered == ("granularity",)
    assert chosen.record() == {"covariates": {"granularity": [1.0, 4.0], "experts": 8.0}}


def test_draws_of_what_repeats_are_worth_are_spread_over_those_of_the_law():
    scales = np.linspace(5, 50, 37)
    draws = {name: np.repeat(values[:1], 100) for name, values in TWO.items()}
    (options,) = searches_of("chinchilla", draws, Constraints(unique_tokens=1e12, repetition=scales))
    assert set(options.repetition_scale) == set(scales)
    assert np.mean(options.repetition_scale) == pytest.approx(scales.mean(), rel=0.02)


def test_a_size_that_newton_does_not_find_is_an_error_and_no_number(monkeypatch):
    found = frontier.Frontier(get_law("chinchilla").cost, UNLIMITED, {}, np.inf)
    flops = np.array([1e20, 1e23])
    N = np.exp(found.log_size(flops, ratio=20.0))
    np.testing.assert_allclose(6 * N * 20 * N, flops, rtol=1e-9)
    monkeypatch.setattr(measured, "STEPS", 1)
    with pytest.raises(InputError, match="a run that costs 1e23 FLOP was not found in 1 steps"):
        found.log_size(flops, tokens=1e10, ratio=20.0)


def test_counts_that_are_text_are_read_as_on_the_command_line():
    written = Constraints(
        inference_tokens="10T", max_params="8B", unique_tokens="1.5e13", sizes=("1B", "3,000,000,000")
    )
    numbers = Constraints(inference_tokens=10e12, max_params=8e9, unique_tokens=1.5e13, sizes=(1e9, 3e9))
    assert written == numbers


@pytest.mark.parametrize("text", ["ten", "", "5%", "inf"])
def test_text_that_is_no_count_is_refused_by_name(text):
    with pytest.raises(InputError, match="max_params is "):
        Constraints(max_params=text)


def test_budgets_that_are_text_are_read_as_on_the_command_line():
    np.testing.assert_array_equal(read_budgets(["1e22", 3e21, "1,000"]), [1e22, 3e21, 1e3])
    with pytest.raises(InputError, match="a budget in money needs the hardware"):
        read_budgets("$50000")

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import bayescale.tradeoffs as to
from bayescale.errors import InputError
from bayescale.laws import LAWS, published_scale
from bayescale.laws.bnsl import broken_power, undone
from bayescale.laws.m4 import learnt
from bayescale.laws.vocabulary import AS_PRINTED, REFITTED

HOFFMANN = LAWS["chinchilla"].published["Hoffmann et al. (2022)"]
BESIROGLU = LAWS["chinchilla"].published["Besiroglu et al. (2024)"]


def published(law, source):
    (values,) = (values for key, values in LAWS[law].published.items() if key.startswith(source))
    return values


def draws_of(values, count=7, spread=0.02, seed=3):
    """Return draws around published values."""
    rng = np.random.default_rng(seed)
    return {name: value * np.exp(spread * rng.standard_normal(count)) for name, value in values.items()}


# Over-training


@pytest.mark.parametrize(("corpus", "multiplier"), [("C4", 3.358), ("RedPajama", 7.419), ("RefinedWeb", 5.846)])
def test_the_published_fits_of_over_training_are_best_at_few_tokens(corpus, multiplier):
    values = published("overtrain", f"Gadre et al. (2024), {corpus}")
    assert to.best_multiplier(values) == pytest.approx(multiplier, abs=5e-4)
    assert LAWS["overtrain"].derived(**values)["best_multiplier"] == pytest.approx(multiplier, abs=5e-4)
    around = to.overtrained_loss(values, 1e20, multiplier * np.geomspace(0.5, 2, 9))
    assert np.argmin(around) == 4


@pytest.mark.parametrize(
    ("corpus", "E", "a", "b", "eta"),
    [
        ("C4", 1.50826, 141.277, 189.516, 0.121236),
        ("RedPajama", 1.83665, 212.236, 366.687, 0.136425),
        ("RefinedWeb", 1.73446, 157.116, 246.207, 0.127197),
    ],
)
def test_the_papers_names_of_over_training_are_derived(corpus, E, a, b, eta):
    values = published("overtrain", f"Gadre et al. (2024), {corpus}")
    names = LAWS["overtrain"].derived(**values)
    assert values["E"] == pytest.approx(E, abs=5e-6)
    assert values["eta"] == pytest.approx(eta, abs=5e-7)
    assert names["a"] == pytest.approx(a, abs=1e-3)
    assert names["b"] == pytest.approx(b, abs=1e-3)
    C, M = 1e20, 60.0
    paper = values["E"] + (names["a"] * M ** values["eta"] + names["b"] * M ** -values["eta"]) * C ** -values["eta"]
    assert to.overtrained_loss(values, C, M) == pytest.approx(paper, rel=1e-12)


def test_over_training_is_the_additive_law_with_equal_exponents():
    values = published("overtrain", "Gadre et al. (2024), C4")
    twin = {name: values[name] for name in "EAB"} | {"alpha": 2 * values["eta"], "beta": 2 * values["eta"]}
    points = {"N": np.geomspace(1e7, 1e10, 5), "D": np.geomspace(1e8, 1e12, 5)}
    np.testing.assert_allclose(
        LAWS["overtrain"].loss(**points, **values), LAWS["chinchilla"].loss(**points, **twin), rtol=1e-14
    )


def test_the_error_follows_from_the_loss():
    values = published("loss_to_error", "Gadre et al. (2024), C4, 17")
    assert LAWS["loss_to_error"].derived(**values)["k"] == pytest.approx(2.0789, rel=1e-12)
    assert to.error_from_loss(values, 2.5) == pytest.approx(0.84974 - 2.0789 * np.exp(-0.75612 * 2.5), rel=1e-12)
    draws = draws_of(values)
    assert to.error_from_loss(draws, [2.0, 3.0, 4.0]).shape == (7, 3)
    own = to.error_from_loss(draws, np.full((7, 1), 3.0))
    np.testing.assert_allclose(own[:, 0], to.error_from_loss(draws, 3.0))


def test_over_training_refuses_what_is_not_above_zero():
    values = published("overtrain", "Gadre et al. (2024), C4")
    with pytest.raises(InputError, match="flops is -1; expected FLOP above zero"):
        to.overtrained_loss(values, -1, 20)
    with pytest.raises(InputError, match="expected values of overtrain: A, B, eta; missing B, eta"):
        to.best_multiplier({"A": 1.0})


# Learning curves


FIGURE = [(0.49, np.log(3e6), 1.1), (-0.811, np.log(1e14), 1.425), (2.1, np.log(2e20), 0.05)]


@pytest.mark.parametrize(
    ("x", "value"),
    [
        (1.0, 4659.9978),
        (1e4, 2931.4281),
        (1e8, 325.6435),
        (1e12, 2.4087539),
        (1e16, 0.69861262),
        (1e20, 8.0958014),
        (1e22, 0.0086267506),
    ],
)
def test_broken_powers_give_the_figure_of_the_paper(x, value):
    found = 1e-3 + 4.66e3 / undone(FIGURE) * broken_power(x, 0.05, FIGURE)
    digits = len(f"{value:.10g}".split(".")[1].rstrip("0"))
    assert found == pytest.approx(value, abs=0.51 * 10.0**-digits)


def test_without_a_change_of_slope_a_broken_power_is_m2():
    D = np.geomspace(1.0, 1e6, 7)
    curve = LAWS["bnsl"].loss(D, a=0.2, b_1=3.0, c_0=0.4, c_1=0.0, d_1=1e3, f_1=0.3)
    np.testing.assert_allclose(curve, LAWS["m2"].loss(D, eps_inf=0.2, beta=3.0, c=0.4), rtol=1e-12)
    two = LAWS["bnsl_two"].loss(D, a=0.2, b_1=3.0, c_0=0.4, c_1=0.3, d_1=1e3, f_1=0.3, c_2=0.0, gap=1.0, f_2=0.3)
    one = LAWS["bnsl"].loss(D, a=0.2, b_1=3.0, c_0=0.4, c_1=0.3, d_1=1e3, f_1=0.3)
    np.testing.assert_allclose(two, one, rtol=1e-12)


@pytest.mark.parametrize("law", ["bnsl", "bnsl_two"])
def test_a_broken_power_is_the_formula_of_the_paper_in_its_own_b(law):
    values = {"a": 0.2, "b_1": 3.0, "c_0": 0.4, "c_1": 0.3, "d_1": 1e3, "f_1": 0.3}
    values |= {"c_2": -0.5, "gap": 3.0, "f_2": 0.6} if law == "bnsl_two" else {}
    names = LAWS[law].derived(**values)
    D = np.geomspace(1.0, 1e8, 9)
    paper = names["b"] * D**-0.4 * (1 + (D / 1e3) ** (1 / 0.3)) ** (-0.3 * 0.3)
    if law == "bnsl_two":
        paper = paper * (1 + (D / names["d_2"]) ** (1 / 0.6)) ** (0.5 * 0.6)
    np.testing.assert_allclose(LAWS[law].loss(D, **values), 0.2 + paper, rtol=1e-12)


def test_m1_and_m2_nest_in_the_next():
    D = np.geomspace(1.0, 1e6, 7)
    m1 = LAWS["m1"].loss(D, beta=3.0, c=0.4)
    np.testing.assert_allclose(LAWS["m2"].loss(D, eps_inf=0.0, beta=3.0, c=0.4), m1, rtol=1e-15)
    np.testing.assert_allclose(LAWS["m3"].loss(D, beta=3.0, gamma=0.0, c=0.4), m1, rtol=1e-12)
    m2 = LAWS["m2"].loss(D, eps_inf=0.1, beta=3.0, c=0.4)
    m4 = LAWS["m4"].loss(D, eps_inf=0.1, amount=3.0, c=0.4, alpha=0.0, span=10.0)
    np.testing.assert_allclose(m4, m2, rtol=1e-9)


@given(log_ratio=st.floats(-25, 25), alpha=st.floats(0.1, 8))
def test_the_learnt_part_solves_its_equation(log_ratio, alpha):
    u = learnt(log_ratio, alpha)
    assert 0 < u <= 1
    if u < 1 - 1e-9:
        assert np.log(u) - alpha * np.log1p(-u) == pytest.approx(log_ratio, abs=1e-6)


def test_the_gradient_of_m4_is_that_of_the_solution():
    import pytensor  # noqa: PLC0415
    import pytensor.tensor as pt  # noqa: PLC0415

    values = {"D": 30.0, "eps_inf": 0.1, "amount": 2.0, "c": 0.4, "alpha": 0.7, "span": 0.9}
    symbols = {name: pt.dscalar(name) for name in values}
    gradients = pytensor.function(
        list(symbols.values()),
        pytensor.grad(LAWS["m4"].loss(**symbols), list(symbols.values())),
        mode=pytensor.compile.mode.Mode(linker="py", optimizer=None),
    )
    for (name, value), gradient in zip(values.items(), gradients(*values.values()), strict=True):
        step = 1e-5 * value
        above, below = (LAWS["m4"].loss(**{**values, name: value + h}) for h in (step, -step))
        assert float(gradient) == pytest.approx((above - below) / (2 * step), rel=1e-7), name


def test_the_papers_names_of_m4_satisfy_its_equation():
    values = {"eps_inf": 0.1, "amount": 2.0, "c": 0.4, "alpha": 0.7, "span": 0.9}
    y, names = LAWS["m4"].loss(30.0, **values), LAWS["m4"].derived(**values)
    assert (y - 0.1) / (names["eps_0"] - y) ** 0.7 == pytest.approx(names["beta"] / 30.0**0.4, rel=1e-12)


# Serving


@pytest.mark.parametrize(
    ("quality", "served", "N", "digit", "more_tokens", "saved"),
    [
        (7e9, 1e11, 6.055e9, 5e5, 1.164, None),
        (13e9, 2e12, 7.12e9, 5e6, None, 0.163),
        (30e9, 1e13, 13.93e9, 5e6, 2.739, 0.2659),
        (70e9, 2e12, 58.61e9, 5e6, 1.207, 0.0115),
    ],
)
def test_serving_many_tokens_asks_for_smaller_models(  # noqa: PLR0917
    quality, served, N, digit, more_tokens, saved
):
    choice = to.best_for_serving(HOFFMANN, to.compute_optimal_loss(HOFFMANN, quality), served)
    assert choice.interior
    assert float(choice.N) == pytest.approx(N, abs=digit)
    if more_tokens is not None:
        assert choice.more_tokens == pytest.approx(more_tokens, abs=5e-4)
    if saved is not None:
        assert choice.saved == pytest.approx(saved, abs=5e-4 if saved == 0.163 else 5e-5)


def test_a_7b_model_in_the_place_of_a_13b_saves_a_sixth():
    loss, served = to.compute_optimal_loss(HOFFMANN, 13e9), 2e12
    costs = [to.lifetime_flops(N, to.tokens_for_loss(HOFFMANN, loss, N), served) for N in (13e9, 7e9)]
    assert costs[0] - costs[1] == pytest.approx(1.633e22, abs=5e18)
    assert 1 - costs[1] / costs[0] == pytest.approx(0.1631, abs=5e-5)


@given(quality=st.floats(1e8, 1e12), served=st.floats(1e9, 1e15))
def test_the_cheapest_model_to_serve_meets_its_first_order_condition(quality, served):
    loss = to.compute_optimal_loss(BESIROGLU, quality)
    choice = to.best_for_serving(BESIROGLU, loss, served)
    assert LAWS["chinchilla"].loss(choice.N, choice.D, **BESIROGLU) == pytest.approx(loss, rel=1e-9)
    assert to.revealed_served_tokens(BESIROGLU, choice.N, choice.D) == pytest.approx(
        served, rel=2e-3, abs=1e-3 * choice.D
    )
    assert float(choice.N) < quality
    assert choice.saved > -1e-9


def test_serving_takes_draws_and_says_what_cannot_be_reached():
    draws = draws_of(HOFFMANN)
    choice = to.best_for_serving(draws, 2.2, np.geomspace(1e11, 1e13, 7))
    assert choice.N.shape == choice.interior.shape == (7,)
    assert choice.interior.all()
    with pytest.raises(InputError, match=r"loss is 1\.5; no model reaches it, for the irreducible loss is 1\.69"):
        to.best_for_serving(HOFFMANN, 1.5, 1e12)
    assert np.isnan(to.tokens_for_loss(HOFFMANN, 1.9, 1e6))


# Routing


def test_routing_gives_the_published_counts():
    values = published("routed", "Clark et al. (2022), S-Base")
    assert to.saturating_experts(values, 64) == pytest.approx(53.76867, abs=5e-6)
    assert to.saturating_experts(values, 1) == pytest.approx(1.847, rel=1e-12)
    assert to.effective_parameters(values, 25e6, 64) == pytest.approx(1.4445e8, abs=5e3)
    assert to.effective_parameters(values, 25e6, 1) == pytest.approx(25e6, rel=1e-12)


@pytest.mark.parametrize(("router", "size"), [("S-Base", 1e12), ("RL-R", 3.16e10), ("Hash", 2.15e11)])
def test_routing_stops_helping_at_the_published_sizes(router, size):
    assert to.cutoff_size(published("routed", f"Clark et al. (2022), {router}")) == pytest.approx(size, rel=3e-3)


def test_a_routed_model_has_the_loss_of_its_dense_twin():
    values = published("routed", "Clark et al. (2022), RL-R")
    N, experts = np.array([25e6, 4e8, 1.3e9]), np.array([8.0, 64.0, 512.0])
    twin = to.effective_parameters(values, N, experts)
    law = LAWS["routed"]
    np.testing.assert_allclose(law.loss(N, experts, **values), law.loss(twin, 1.0, **values), rtol=1e-12)


def test_at_the_cut_off_experts_make_no_difference():
    values = published("routed", "Clark et al. (2022), RL-R")
    cut = to.cutoff_size(values)
    losses = LAWS["routed"].loss(cut, np.array([1.0, 8.0, 512.0]), **values)
    np.testing.assert_allclose(losses, losses[0], rtol=1e-10)
    assert np.isinf(to.cutoff_size({"b": np.array([-0.1, -0.1]), "c": np.array([0.0, -0.01])})).all()


def test_routed_without_the_product_is_separable():
    values = {name: value for name, value in published("routed", "Clark et al. (2022), Hash").items() if name != "c"}
    N, experts = np.array([25e6, 4e8]), np.array([8.0, 512.0])
    routed = LAWS["routed"].loss(N, experts, **values, c=0.0)
    np.testing.assert_allclose(LAWS["routed_separable"].loss(N, experts, **values), routed, rtol=1e-14)


# Vocabulary


@pytest.mark.parametrize(
    ("N", "width", "isoflop", "derivative", "law"),
    [(3e9, 3200, 39368, 42539, 36648), (7e9, 4096, 62281, 67450, 59548), (70e9, 8192, 211860, 230861, 217961)],
)
def test_the_three_approaches_give_the_published_vocabularies(N, width, isoflop, derivative, law):
    # Printed as whole numbers, cut off or rounded.
    assert to.isoflop_vocabulary(N, width) == pytest.approx(isoflop, abs=1)
    assert to.derivative_vocabulary(N, width) == pytest.approx(derivative, abs=1)
    choice = to.best_vocabulary(LAWS["vocabulary"].published[AS_PRINTED], N, width)
    assert choice.interior
    assert choice.vocabulary == pytest.approx(law, abs=1)


def test_true_tokens_ask_for_another_vocabulary():
    choices = [
        to.best_vocabulary(LAWS["vocabulary"].published[source], np.array([3e9, 70e9]), np.array([3200.0, 8192.0]))
        for source in (AS_PRINTED, REFITTED)
    ]
    assert (choices[1].vocabulary < 0.7 * choices[0].vocabulary).all()
    assert choices[1].interior.all()


def test_a_smaller_budget_asks_for_a_smaller_vocabulary_and_is_spent():
    draws = draws_of(LAWS["vocabulary"].published[AS_PRINTED], spread=0.01)
    small, large = (to.best_vocabulary(draws, 302e6, 1024, flops) for flops in (1e19, 1e21))
    assert (small.vocabulary < large.vocabulary).all()
    np.testing.assert_allclose(6 * (302e6 + small.vocabulary * 1024) * small.D, 1e19, rtol=1e-12)
    gain = LAWS["vocabulary"].loss(302e6, small.vocabulary, 1024.0, small.D, **draws)
    np.testing.assert_allclose(gain, small.gain, rtol=1e-12)


def test_a_larger_vocabulary_takes_fewer_tokens_for_a_character():
    tokens = to.tokens_per_character([4096, 16384, 65536])
    assert (np.diff(tokens) < 0).all()
    expected = 0.00639222 * np.log(32000) ** 2 - 0.15811069 * np.log(32000) + 1.20470122
    assert to.tokens_per_character(32000) == pytest.approx(expected, rel=1e-12)


# Precision


def test_fewer_bits_are_worth_fewer_parameters():
    values = published("precision", "Kumar")
    full = {"bits_activations": 1e6, "bits_cache": 1e6}
    assert to.effective_precision_parameters(values, 1.0, bits_weights=16, **full) == pytest.approx(0.997477, abs=5e-7)
    assert to.effective_precision_parameters(values, 1.0, bits_weights=4, **full) == pytest.approx(0.775887, abs=5e-7)


@pytest.mark.parametrize(
    ("N", "D", "damage"), [(220e6, 26e9, 0.0175861), (30e6, 26e9, 0.0348937), (220e6, 1.5e9, 0.0041429)]
)
def test_quantising_to_4_bits_does_the_published_damage(N, D, damage):
    values = published("precision_post", "Kumar")
    assert to.quantisation_damage(values, N, D, 4) == pytest.approx(damage, abs=5e-8)
    assert LAWS["precision_post"].derived(**values)["C_T"] == pytest.approx(0.0598, rel=1e-12)


def test_beyond_the_harmful_tokens_the_quantised_model_gets_worse():
    values, N, bits = published("precision_post", "Kumar"), 220e6, 3.0
    most = to.harmful_tokens(values, N, bits)
    losses = LAWS["precision_post"].loss(N, most * np.array([0.9, 1.0, 1.1]), 16.0, 16.0, 16.0, bits, **values)
    assert np.argmin(losses) == 1
    assert to.harmful_tokens(values, N, 6) > to.harmful_tokens(values, N, 3)


def test_the_best_bits_are_the_same_for_every_budget_and_beat_all_others():
    values = published("precision", "Kumar")
    choice = to.best_bits(values, np.array([1e19, 1e21]))
    assert choice.interior.all()
    assert choice.bits[0] == choice.bits[1]
    np.testing.assert_allclose(to.precision_flops(choice.N, choice.D, choice.bits), [1e19, 1e21], rtol=1e-12)
    for bits in choice.bits[0] * np.array([0.8, 1.25]):
        for N in choice.N[1] * np.array([0.8, 1.0, 1.25]):
            D = 1e21 / to.precision_flops(N, 1.0, bits)
            assert LAWS["precision"].loss(N, D, bits, bits, bits, **values) > choice.loss[1]


def test_the_published_bits_are_fewer_than_the_papers_text_says_for_want_of_offsets():
    values = published("precision", "Kumar")
    assert to.best_bits(values, 1e21).bits == pytest.approx(3.47, abs=5e-3)
    gamma, n = np.array([[2.6745], [2.2102], [0.9578]]), np.array([[0.3037], [1.4072], [2.4185]])
    bits = np.linspace(4, 12, 8001)
    assert bits[np.argmax(np.prod(1 - np.exp(n - bits / gamma), axis=0) / bits)] == pytest.approx(7.0, abs=0.01)


def test_the_best_bits_of_a_given_size_grow_with_the_budget():
    values = draws_of(published("precision", "Kumar"))
    choice = to.best_bits(values, np.array([1e18, 1e21]), N=220e6)
    assert choice.interior.all()
    assert choice.bits.shape == (7, 2)
    assert (choice.bits[:, 0] < choice.bits[:, 1]).all()
    one = {name: value[0] for name, value in values.items()}

    def loss(bits):
        return LAWS["precision"].loss(220e6, 1e21 / to.precision_flops(220e6, 1.0, bits), bits, bits, bits, **one)

    assert choice.bits[0, 1] == pytest.approx(minimize_scalar(loss, bounds=(1, 30), method="bounded").x, rel=1e-3)


# Schedules


STEPS, PEAK = 1000, 1e-3
TIME = np.arange(STEPS)
COSINE = PEAK * (0.1 + 0.9 * (1 + np.cos(np.pi * TIME / STEPS)) / 2)
STABLE = np.where(TIME < 800, PEAK, PEAK * (1 - 0.9 * (TIME - 799) / 200))
ANNEAL = {"L_0": 2.6, "A": 0.45, "alpha": 0.5, "C": 0.5}


@pytest.mark.parametrize(
    ("rates", "loss"),
    [(np.full(STEPS, PEAK), 3.05), (COSINE, 3.03606616), (STABLE, 3.02947695)],
    ids=("constant", "cosine", "stable"),
)
def test_annealing_gives_the_reference_losses(rates, loss):
    columns = to.learning_rate_columns(rates, fading=0.999)
    found = LAWS["lr_anneal"].loss(columns.lr_sum[-1], columns.lr_drop[-1], **ANNEAL)
    assert found == pytest.approx(loss, abs=5e-9)


def test_the_annealing_area_is_the_double_sum_of_the_paper():
    rates, fading = COSINE[::40], 0.9
    drops = rates[:-1] - rates[1:]
    double = sum(drops[k - 1] * fading ** (i - k) for i in range(1, rates.size) for k in range(1, i + 1))
    columns = to.learning_rate_columns(rates, fading=fading)
    assert columns.lr_drop[-1] == pytest.approx(double, rel=1e-12)
    assert columns.lr_sum[-1] == pytest.approx(rates.sum(), rel=1e-12)
    assert columns.lr_drop.shape == columns.lr_sum.shape == rates.shape


@pytest.mark.parametrize("rates", [[], [[1.0]], [1e-3, -1e-3], [np.nan]])
def test_rates_must_be_numbers_of_zero_or_more(rates):
    with pytest.raises(InputError, match="expected one learning rate of zero or more for each step"):
        to.learning_rate_columns(rates)


def test_the_multi_power_curve_is_the_sum_of_the_paper():
    rates = COSINE[::50]
    values = to.MULTI_POWER["Luo et al. (2025), 25M"]
    L, A, alpha, B, C, beta, gamma = (values[name] for name in ("L_0", "A", "alpha", "B", "C", "beta", "gamma"))
    for step in (0, 7, rates.size - 1):
        gained = 0.0
        for k in range(1, step + 1):
            x = rates[k] ** -gamma * rates[k : step + 1].sum()
            gained += (rates[k - 1] - rates[k]) * (1 - (C * x + 1) ** -beta)
        expected = L + A * (rates[: step + 1].sum() + 0.3) ** -alpha - B * gained
        found = to.multi_power_loss(values, rates, [step], warmup_sum=0.3)
        assert found == pytest.approx([expected], rel=1e-12)


def test_the_multi_power_curve_takes_draws():
    values = draws_of(to.MULTI_POWER["Luo et al. (2025), 25M"])
    assert to.multi_power_loss(values, STABLE, [100, 999]).shape == (7, 2)
    with pytest.raises(InputError, match="expected steps from 0 to 999, found 100 to 1000"):
        to.multi_power_loss(values, STABLE, [100, 1000])
    with pytest.raises(InputError, match="above zero, found zero"):
        to.multi_power_loss(values, [1e-3, 0.0], [1])
    with pytest.raises(InputError, match="gamma is missing"):
        to.multi_power_loss({k: v for k, v in values.items() if k != "gamma"}, STABLE, [1])


def with_pieces(rates, steps, warmup_sum=0.3):
    """Return the covariates of the law at some steps."""
    columns = {"lr_sum": np.cumsum(rates) + warmup_sum, **to.learning_rate_pieces(rates)}
    return {name: column[steps] for name, column in columns.items()}


LONG = np.arange(20_000) / 20_000
LONG_SCHEDULES = {
    "constant": (np.ones(LONG.size), 1e-12),
    "two stages": (np.where(LONG < 0.4, 1.0, 0.3), 1e-12),
    "three stages": (np.select([LONG < 0.4, LONG < 0.8], [1.0, 0.3], 0.1), 2e-3),
    "cosine": (0.55 + 0.45 * np.cos(np.pi * LONG), 5e-4),
    "linear": (1 - 0.9 * LONG, 5e-4),
    "linear to nearly nothing": (1 - 0.999 * LONG, 1e-3),
    "stable, then linear": (np.interp(LONG, [0, 0.8, 1], [1, 1, 0.1]), 5e-4),
    "stable, then exponential": (0.1 ** np.clip(5 * LONG - 4, 0, 1), 5e-4),
}


@pytest.mark.parametrize("schedule", LONG_SCHEDULES)
@pytest.mark.parametrize("source", to.MULTI_POWER)
def test_in_pieces_the_multi_power_law_is_nearly_the_sum_over_all_steps(source, schedule):
    shape, nats = LONG_SCHEDULES[schedule]
    rates, values = 3e-4 * shape, to.MULTI_POWER[source]
    steps = np.unique(np.r_[np.linspace(0, rates.size - 1, 60), np.geomspace(8000, 12_000, 30)].astype(int))
    expected = to.multi_power_loss(values, rates, steps, warmup_sum=0.3)
    found = LAWS["multi_power"].loss(**with_pieces(rates, steps), **values)
    assert np.abs(found - expected).max() < nats


def test_the_pieces_are_means_over_their_part_of_the_fall():
    rates = COSINE[::40]
    columns, step = to.learning_rate_pieces(rates), rates.size - 3
    total, drops = np.cumsum(rates), np.append(0.0, -np.diff(rates))
    # Each step's drop, cut into so many equal bits that the pieces' edges fall between two of them.
    parts = np.repeat(np.arange(step + 1), 20_000)
    reached = np.cumsum(drops[parts] / 20_000) / columns["lr_fall"][step]
    edges = np.cumsum([0, 15, 13, 11, 9, 7, 5, 3, 1]) / 64
    assert columns["lr_fall"][step] == pytest.approx(rates[0] - rates[step], rel=1e-12)
    for piece in range(8):
        inside = parts[(edges[piece] < reached) & (reached <= edges[piece + 1] + 1e-12)]
        weights = drops[inside]
        assert columns[f"rate_{piece + 1}"][step] == pytest.approx(np.average(rates[inside], weights=weights), rel=1e-4)
        since = np.average((total[step] - total + rates)[inside], weights=weights)
        assert columns[f"since_{piece + 1}"][step] == pytest.approx(since, rel=1e-4)


def test_before_any_drop_the_pieces_are_harmless():
    columns = to.learning_rate_pieces(STABLE)
    assert (columns["lr_fall"][:800] == 0).all()
    for piece in range(1, 9):
        np.testing.assert_allclose(columns[f"rate_{piece}"][:800], PEAK)
        np.testing.assert_allclose(columns[f"since_{piece}"][:800], np.cumsum(STABLE)[:800])
    assert all((column > 0).all() for name, column in columns.items() if name != "lr_fall")


@pytest.mark.parametrize(
    ("rates", "message"),
    [([1e-3, 0.0], "above zero, found zero"), ([1e-3, 5e-4, 7e-4], "found 0.0005 and then 0.0007 at position 2")],
)
def test_pieces_are_of_rates_above_zero_that_never_rise(rates, message):
    with pytest.raises(InputError, match=message):
        to.learning_rate_pieces(rates)


# Non-embedding parameters


@pytest.mark.parametrize(("N", "exponent"), [(1e3, 0.76298), (1e6, 0.96281), (1.5e9, 0.53004), (1e11, 0.51368)])
def test_the_local_exponent_is_the_published_one(N, exponent):
    values = published("nonembedding", "Pearce & Song (2024) with Besiroglu")
    assert to.local_exponent(values, N) == pytest.approx(exponent, abs=5e-6)
    above, below = (np.log(to.compute_for_size(values, N * np.exp(h))) for h in (1e-4, -1e-4))
    assert 2e-4 / (above - below) == pytest.approx(exponent, abs=2e-5)


def test_the_exponent_has_the_published_limits():
    values = published("nonembedding", "Pearce & Song (2024) with Besiroglu")
    limits = to.exponent_limits(values)
    assert limits.small == pytest.approx(0.759341, abs=5e-7)
    assert limits.large == pytest.approx(0.512612, abs=5e-7)
    assert to.local_exponent(values, 1e-9) == pytest.approx(limits.small, abs=1e-4)
    assert to.local_exponent(values, 1e20) == pytest.approx(limits.large, abs=1e-6)


@pytest.mark.parametrize(("source", "exponent"), [("Besiroglu", 0.7751), ("Hoffmann", 0.7395)])
def test_kaplans_exponent_follows_from_small_models_counted_without_embeddings(source, exponent):
    values = published("nonembedding", f"Pearce & Song (2024) with {source}")
    assert to.fitted_exponent(values) == pytest.approx(exponent, abs=5e-5)


def test_compute_for_a_size_is_where_the_law_is_smallest():
    values = published("nonembedding", "Pearce & Song (2024) with Besiroglu")
    N = np.array([1e5, 1e8, 1e10])
    flops = to.compute_for_size(values, N)
    law = LAWS["nonembedding"]
    best = law.loss(N, flops / (6 * N), **values)
    for factor in (0.9, 1.1):
        assert (law.loss(factor * N, flops / (6 * factor * N), **values) > best).all()
    assert to.compute_for_size(draws_of(values), N).shape == (7, 3)
    assert to.fitted_exponent(draws_of(values)).shape == (7,)
    assert to.total_parameters(values, 1e9) == pytest.approx(1e9 + 47491 * 1e3, rel=1e-12)


# Farseer


@pytest.mark.parametrize(("flops", "ratio"), [(1e20, 25.04), (1e21, 26.49), (1e22, 40.58), (1e23, 84.17)])
def test_the_best_ratio_of_farseer_grows_with_compute(flops, ratio):
    law, values = LAWS["farseer"], published("farseer", "Li")
    centre = np.log(np.sqrt(flops / 6 / ratio))

    def loss(log_N):
        return law.loss(np.exp(log_N), flops / 6 / np.exp(log_N), **values)

    best = minimize_scalar(loss, bounds=(centre - 1, centre + 1), method="bounded", options={"xatol": 1e-9})
    assert flops / 6 / np.exp(2 * best.x) == pytest.approx(ratio, abs=0.01)


def test_farseer_keeps_the_papers_coefficients():
    values = published("farseer", "Li")
    names = LAWS["farseer"].derived(**values)
    expected = {"s": -0.062465473, "S": 0.1284880679, "B": 230.7343708, "Q": -1.544209554}
    expected |= {"A": -1.665630816, "E": 3.133347199}
    assert names == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("N", "exponent"), [(2e8, 0.418285), (1e9, 0.307693), (7e9, 0.205664)])
def test_the_data_exponent_of_farseer_falls_with_size(N, exponent):
    names = LAWS["farseer"].derived(**published("farseer", "Li"))
    assert np.exp(names["A"] * N**0.0459 + names["E"]) == pytest.approx(exponent, abs=5e-7)


def test_farseer_without_slopes_in_the_data_is_additive_with_one_exponent():
    flat = {"floor": 1.8, "amplitude": 0.3, "exponent": 0.35, "floor_slope": 0.0, "amplitude_slope": 0.0}
    flat |= {"exponent_slope": 0.0, "q": 0.1, "b": -0.1, "a": 0.05, "N_0": 1e9, "D_0": 1e10}
    D = np.geomspace(1e9, 1e12, 5)
    np.testing.assert_allclose(LAWS["farseer"].loss(3e8, D, **flat), 1.8 + 0.3 * (D / 1e10) ** -0.35, rtol=1e-13)


# Other relations


def test_far_below_its_ceiling_the_bounded_law_is_additive():
    values = {**LAWS["bounded"].examples[0].parameters, "K": 0.0, "span": 1e9}
    twin = {name: values[name] for name in ("E", "A", "B", "alpha", "beta")}
    points = np.geomspace(1e7, 1e10, 4), np.geomspace(1e9, 1e12, 4)
    bounded = LAWS["bounded"].loss(*points, points[1], **values)
    np.testing.assert_allclose(bounded, LAWS["chinchilla"].loss(*points, **twin), rtol=1e-8)
    ceiling = LAWS["bounded"].derived(**LAWS["bounded"].examples[0].parameters)
    assert ceiling == pytest.approx({"L_0": 10.4, "a": 60.0, "b": 260.0, "c": 1e-3}, rel=1e-12)


def test_with_many_bits_and_no_quantising_precision_is_the_additive_law():
    values = published("precision_post", "Kumar")
    twin = {name: values[name] for name in ("E", "A", "B", "alpha", "beta")}
    full = LAWS["precision_post"].loss(1e8, 1e10, 1e4, 1e4, 1e4, 1e4, **values)
    assert full == pytest.approx(LAWS["chinchilla"].loss(1e8, 1e10, **twin), rel=1e-12)


def test_without_an_embedding_the_bridge_is_the_additive_law():
    values = {**published("nonembedding", "Pearce & Song (2024) with Besiroglu"), "omega": 0.0}
    assert LAWS["nonembedding"].loss(1e8, 1e10, **values) == pytest.approx(
        LAWS["chinchilla"].loss(1e8, 1e10, **BESIROGLU), rel=1e-14
    )


def test_omega_is_carried_to_single_parameters():
    reference = {"N": 1e8, "D": 1e10}
    values = {"E": 1.8, "A": 0.5, "B": 0.4, "alpha": 0.35, "beta": 0.37, "omega": 0.22}
    scaled = published_scale(LAWS["nonembedding"], reference, values)
    assert scaled["omega"] == pytest.approx(0.22 * 1e8 ** (2 / 3), rel=1e-12)
    assert to.total_parameters(scaled, 1e8) == pytest.approx(1.22e8, rel=1e-12)

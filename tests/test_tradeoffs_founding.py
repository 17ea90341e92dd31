"""Decisions of the founding papers: their published numbers, exact optima and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from bayescale import tradeoffs
from bayescale.errors import InputError
from bayescale.laws import LAWS
from bayescale.laws.adaptive_shape import PATCH_16, PATCH_32
from bayescale.laws.compress import MADE_UP as COMPRESS
from bayescale.laws.compute_power import PETAFLOP_DAY
from bayescale.laws.ensemble import MADE_UP as ENSEMBLE
from bayescale.laws.moe_granular import DENSE, MOE

KAPLAN_NS = LAWS["kaplan_ns"].published["Kaplan et al. (2020)"]
MUENNIGHOFF = LAWS["data_constrained"].published["Muennighoff et al. (2023)"]
KRAJEWSKI = LAWS["moe_granular"].published[MOE]
DATASTORE = {"E": 1.8, "A": 480.0, "B": 2000.0, "rho": 0.05, "alpha": 0.35, "beta": 0.37}
EXAFLOP = 1e18


def draws_around(values, count=50, spread=0.02, seed=0):
    """Return values as draws, with the values themselves first."""
    rng = np.random.default_rng(seed)
    steps = np.vstack([np.zeros(len(values)), spread * rng.standard_normal((count - 1, len(values)))])
    return {name: value * np.exp(steps[:, column]) for column, (name, value) in enumerate(values.items())}


# Nesting of the laws

sizes = st.floats(1e6, 1e12)
tokens = st.floats(1e8, 1e13)


@given(N=sizes, D=tokens)
def test_droppo_and_elibol_without_a_floor_is_kaplan(N, D):
    (kaplan,) = LAWS["kaplan_nd"].published.values()
    nested = LAWS["droppo_elibol"].loss(N, D, L_inf=0.0, alpha=kaplan["alpha_D"], **kaplan)
    assert nested == pytest.approx(LAWS["kaplan_nd"].loss(N, D, **kaplan), rel=1e-12)


@given(N=sizes, D=tokens)
def test_without_repeats_and_superfluous_parameters_data_constrained_is_chinchilla(N, D):
    additive = {name: MUENNIGHOFF[name] for name in ("E", "A", "B", "alpha", "beta")}
    best_N = (additive["alpha"] * additive["A"] / (additive["beta"] * additive["B"])) ** (1 / additive["alpha"]) * D
    chinchilla = LAWS["chinchilla"].loss(N, D, **additive)
    for unique in (D, 3 * D):  # tokens that were not used are worth nothing
        nested = LAWS["data_constrained"].loss(N, D, unique, **MUENNIGHOFF)
        if best_N >= N:
            assert nested == pytest.approx(chinchilla, rel=1e-12)
        else:
            assert nested > chinchilla


@given(N=sizes, D=tokens, granularity=st.floats(1, 64))
def test_a_mixture_of_experts_without_its_own_term_is_dense(N, D, granularity):
    dense = LAWS["chinchilla"].loss(N, D, E=0.47, A=16.3, B=26.7, alpha=0.126, beta=0.127)
    assert LAWS["moe_granular"].loss(N, D, granularity, **DENSE) == pytest.approx(dense, rel=1e-12)


@given(N=sizes, D=tokens)
def test_without_a_datastore_or_compression_the_laws_are_chinchilla(N, D):
    for name, last, values, own in (
        ("datastore", 0.0, DATASTORE, ("rho",)),
        ("compress", 1.0, COMPRESS, ("K", "kappa", "lam")),
    ):
        additive = {key: value for key, value in values.items() if key not in own}
        assert LAWS[name].loss(N, D, last, **values) == pytest.approx(
            LAWS["chinchilla"].loss(N, D, **additive), rel=1e-12
        )


@given(N=st.floats(10, 1e9), steps=st.floats(10, 1e6), a=st.floats(0.05, 5), b=st.floats(0, 2))
def test_the_spectrum_only_ties_the_exponents_of_time_and_size(N, steps, a, b):
    free = {"L_inf": 0.3, "C_N": 20.0, "C_t": 6.0}
    exponents = LAWS["dmft"].derived(**free, a_above_1=a, b_above_1=b)
    tied = LAWS["dmft"].loss(N, steps, **free, a_above_1=a, b_above_1=b)
    same = LAWS["time_size"].loss(N, steps, **free, alpha_N=exponents["alpha_N"], alpha_t=exponents["alpha_t"])
    assert tied == pytest.approx(same, rel=1e-12)
    assert exponents["alpha_N"] == pytest.approx(min(a, 2 * (1 + b)), rel=1e-12)


@given(C=st.floats(1e3, 1e25))
def test_no_shape_is_worse_than_untrained(C):
    for shape in (PATCH_16, PATCH_32):
        start = shape["a"] / shape["d"] ** shape["b"] + shape["c"]
        assert shape["c"] < LAWS["adaptive_shape"].loss(C, **shape) <= start


def test_the_floor_is_what_is_left_of_droppo_and_elibols_law():
    values = {"L_inf": 0.5, "A": 1e5**0.2, "B": 10**0.3, "alpha": 0.5, "alpha_N": 0.2, "alpha_D": 0.3}
    assert LAWS["droppo_elibol"].loss(1e60, 1e60, **values) == pytest.approx(0.5, abs=1e-12)
    scales = LAWS["droppo_elibol"].derived(**values)
    assert (scales["N_C"], scales["D_C"]) == (pytest.approx(1e5), pytest.approx(10.0))


def test_kaplans_scales_come_back_from_the_coefficients():
    (values,) = LAWS["kaplan_d"].published.values()
    assert LAWS["kaplan_d"].derived(**values)["D_c"] == pytest.approx(5.4e13, rel=1e-10)
    scales = LAWS["kaplan_ns"].derived(**KAPLAN_NS)
    assert (scales["N_c"], scales["S_c"]) == (pytest.approx(6.5e13, rel=1e-10), pytest.approx(2.1e3, rel=1e-10))


# Experts: Krajewski et al. (2024), Table 2

TABLE_2 = [
    (2.95e18, 100e6, 4.37e9, 8, 3.133, 3.1093),
    (1.93e20, 1e9, 28.94e9, 16, 2.491, 2.4717),
    (6.46e21, 7e9, 137.6e9, 32, 2.076, 2.0597),
    (4.16e23, 70e9, 941e9, 32, 1.694, 1.6804),
    (4.97e25, 1e12, 7.94e12, 64, 1.367, 1.3559),
]


@pytest.mark.parametrize("row", TABLE_2)
def test_the_best_experts_are_those_of_the_paper(row):
    flops, active_N, D, granularity, loss, rounded = row
    best = tradeoffs.best_experts(KRAJEWSKI, flops)
    assert best.granularity == granularity
    assert best.active_N == pytest.approx(active_N, rel=0.04)
    assert pytest.approx(D, rel=0.04) == best.D
    assert best.loss == pytest.approx(loss, abs=0.025)  # the parameters are printed with two or three digits
    assert best.loss == pytest.approx(rounded, abs=5e-5)
    assert best.interior


@pytest.mark.parametrize(("flops", "active_N", "D", "granularity"), [row[:4] for row in TABLE_2])
def test_the_cost_of_the_papers_runs_is_that_of_the_paper(flops, active_N, D, granularity):
    assert tradeoffs.expert_flops(43 * active_N, D, granularity) == pytest.approx(flops, rel=0.005)
    assert tradeoffs.active_parameters(43 * active_N) == pytest.approx(active_N)


def test_experts_spend_the_budget_and_no_other_size_is_better():
    best = tradeoffs.best_experts(draws_around(KRAJEWSKI, 5), [1e20, 1e22])
    assert best.N.shape == best.D.shape == best.granularity.shape == (5, 2)
    assert best.losses.shape == (5, 2, 9)
    np.testing.assert_allclose(
        tradeoffs.expert_flops(best.N, best.D, best.granularity), np.broadcast_to([1e20, 1e22], (5, 2))
    )
    single = tradeoffs.best_experts(KRAJEWSKI, 1e22)
    for factor in (0.98, 1.02):
        N = factor * single.N
        D = 1e22 / tradeoffs.expert_flops(N, 1.0, single.granularity)
        assert LAWS["moe_granular"].loss(N, D, single.granularity, **KRAJEWSKI) > single.loss
    assert single.loss == pytest.approx(best.loss[0, 1], rel=1e-12)


def test_a_dense_model_costs_six_flops_and_falls_further_behind():
    dense = tradeoffs.best_experts(DENSE, [1e20, 1e22, 1e24], granularities=[1], expansion=1, routing=0)
    np.testing.assert_allclose(6 * dense.N * dense.D, [1e20, 1e22, 1e24])
    np.testing.assert_allclose(dense.N, dense.active_N)
    advantage = dense.loss - tradeoffs.best_experts(KRAJEWSKI, [1e20, 1e22, 1e24]).loss
    assert (advantage > 0).all()
    assert dense.interior.all()


def test_the_largest_granularity_offered_is_no_interior_optimum():
    best = tradeoffs.best_experts(KRAJEWSKI, 4.97e25, granularities=(1, 2, 4))
    assert best.granularity == 4
    assert not best.interior


# Datastore


def test_the_datastore_of_shao_costs_half_a_percent_of_a_pretraining():
    cost = tradeoffs.datastore_flops(7e9, 0.0, 1.4e12)
    assert cost == pytest.approx(4.956e20, rel=1e-12)
    assert cost / tradeoffs.datastore_flops(7e9, 2e12, 0.0) == pytest.approx(0.00590, abs=5e-6)
    assert cost / (6 * 7e9) == pytest.approx(11.80e9, rel=5e-4)


@pytest.mark.parametrize(("N", "threshold"), [(7e9, 0.00842857), (1e9, 0.0590)])
def test_the_price_of_a_datastore_token_is_the_published_one(N, threshold):
    assert tradeoffs.datastore_threshold(N) == pytest.approx(threshold, abs=5e-9)
    worth = tradeoffs.datastore_worth({"rho": np.array([0.99, 1.01]) * threshold}, N)
    assert worth.buys.tolist() == [False, True]
    np.testing.assert_allclose(worth.gain, [0.99, 1.01], rtol=1e-6)


@given(rho=st.floats(0.001, 0.5), part=st.floats(0.0, 0.5), flops=st.floats(1e19, 1e23))
def test_no_other_datastore_beats_the_best(rho, part, flops):
    values = {**DATASTORE, "rho": rho}
    best = tradeoffs.best_datastore(values, 3e9, flops, 1e12)
    assert tradeoffs.datastore_flops(3e9, best.D, best.datastore_tokens) == pytest.approx(flops)
    stored = min(part * flops / (2 * 177e6), 1e12)
    D = (flops - 2 * 177e6 * stored) / (6 * 3e9)
    assert LAWS["datastore"].loss(3e9, D, stored, **values) >= best.loss * (1 - 1e-12)
    assert (best.datastore_tokens > 0) == (rho > 177e6 / 9e9)
    assert best.loss <= best.loss_without


def test_a_split_with_a_datastore_has_draws_and_budgets():
    split = tradeoffs.best_datastore(draws_around(DATASTORE, 6), 7e9, [1e22, 1e23], 1.4e12)
    assert split.D.shape == split.datastore_tokens.shape == split.loss.shape == split.loss_without.shape == (6, 2)
    assert (split.loss < split.loss_without).all()


# Spectrum


@pytest.mark.parametrize(
    ("spectrum", "exponents", "optimal"),
    [
        ((2.0, 1.0), (1.0, 1.0, 0.5), (0.5, 0.5)),
        ((1.5, 1.25), (0.4, 0.5, 0.222222), (0.5556, 0.4444)),
        ((1.3, 1.5), (0.2, 0.3, 0.12), (0.6, 0.4)),
        ((5.0, 1.1), (3.636364, 2.2, 1.370717), (0.3769, 0.6231)),
    ],
)
def test_a_spectrum_has_the_published_exponents(spectrum, exponents, optimal):
    found = tradeoffs.spectrum_exponents(*spectrum)
    np.testing.assert_allclose([found.time, found.size, found.compute], exponents, rtol=0, atol=5e-7)
    np.testing.assert_allclose([found.optimal_time, found.optimal_size], optimal, rtol=0, atol=5e-5)


def test_the_best_steps_grow_with_the_exponents_of_the_spectrum():
    free = {"L_inf": 0.3, "C_N": 60.0, "C_t": 6.0}
    values = {**free, **LAWS["dmft"].derived(**free, a_above_1=0.5, b_above_1=0.25)}
    exponents = tradeoffs.spectrum_exponents(values["a"], values["b"])
    best = tradeoffs.best_steps(values, [1e18, 1e20], 1e5)
    np.testing.assert_allclose(6 * best.N * 1e5 * best.steps, [1e18, 1e20])
    assert np.diff(np.log(best.steps)) / np.log(100) == pytest.approx(exponents.optimal_time)
    assert np.diff(np.log(best.loss - 0.3)) / np.log(100) == pytest.approx(-exponents.compute)
    for factor in (0.98, 1.02):
        law = LAWS["dmft"].loss(factor * best.N, best.steps / factor, **free, a_above_1=0.5, b_above_1=0.25)
        assert (law > best.loss).all()


def test_a_spectrum_outside_the_theory_is_refused():
    with pytest.raises(InputError, match=r"^a is 0\.9 and b is 1\.2; expected a above 1 and b of at least 1"):
        tradeoffs.spectrum_exponents(0.9, 1.2)


# Shapes


def test_shapes_switch_where_their_slopes_cross():
    switch = tradeoffs.switch_shape(PATCH_32, PATCH_16)
    assert switch.found
    assert switch.error == pytest.approx(0.428593, abs=5e-7)
    assert switch.first / EXAFLOP == pytest.approx(14.420446, abs=5e-7)
    assert switch.second / EXAFLOP == pytest.approx(19.255377, abs=5e-7)
    assert switch.saved / EXAFLOP == pytest.approx(4.834931, abs=5e-7)


def test_an_adaptive_shape_reaches_an_error_with_the_published_compute():
    reached = tradeoffs.adaptive_compute(PATCH_32, PATCH_16, 0.30)
    assert reached.second / EXAFLOP == pytest.approx(87.114473, abs=5e-7)
    assert reached.first / EXAFLOP == pytest.approx(131.227464, abs=5e-7)
    assert reached.adaptive / EXAFLOP == pytest.approx(82.279542, abs=5e-7)
    assert reached.saved == pytest.approx(4.834931 / 87.114473, abs=1e-7)


@given(error=st.floats(0.13, 1.0))
def test_adapting_is_the_cheapest_path_down(error):
    grid = np.geomspace(error - 0.12, 1.51 - 0.12, 4001) + 0.12  # from the better start of the two shapes
    computes = [tradeoffs.compute_to_reach(shape, grid) for shape in (PATCH_32, PATCH_16)]
    steps = np.fmin(*(-np.diff(compute) for compute in computes))
    reached = tradeoffs.adaptive_compute(PATCH_32, PATCH_16, error)
    start = computes[0][-1]  # the run begins with the first shape
    assert reached.adaptive <= np.fmin(reached.first, reached.second)
    assert reached.adaptive - (steps.sum() + start) == pytest.approx(0, abs=2e-3 * reached.adaptive + 0.02 * EXAFLOP)


def test_a_switch_has_an_uncertainty_and_may_not_exist():
    first, second = draws_around(PATCH_32, 40, 0.002), draws_around(PATCH_16, 40, 0.002, seed=1)
    switch = tradeoffs.switch_shape(first, second)
    assert switch.error.shape == switch.found.shape == (40,)
    assert switch.found.all()
    assert 0.001 < np.std(switch.error) < 0.2
    backwards = tradeoffs.switch_shape(second, first)
    assert not backwards.found.any()
    assert np.isnan(backwards.error).all()
    reached = tradeoffs.adaptive_compute(second, first, 0.30)
    np.testing.assert_allclose(reached.adaptive, np.fmin(reached.first, reached.second))


def test_an_error_at_the_floor_is_out_of_reach():
    assert np.isnan(tradeoffs.compute_to_reach(PATCH_32, 0.18))
    assert tradeoffs.compute_to_reach(PATCH_32, 5.0) == 0
    reached = tradeoffs.adaptive_compute(PATCH_32, PATCH_16, 0.15)
    assert np.isnan(reached.first)
    assert reached.adaptive < reached.second


# Ensembles


def test_one_larger_model_wins_with_the_example_of_the_law():
    choice = tradeoffs.share_among_members(ENSEMBLE, 4e8, members=(1, 2, 4))
    assert choice.best == 1
    np.testing.assert_allclose(choice.losses[[0, 2]], [2.244700, 2.492961], atol=5e-7)
    always = tradeoffs.ensemble_crossover(ENSEMBLE, 2)
    assert (bool(always.exists), bool(always.above)) == (False, False)


@given(
    v=st.floats(0.05, 0.9),
    alpha=st.floats(0.1, 0.6),
    V=st.floats(1.0, 100.0),
    members=st.sampled_from([2.0, 4.0, 8.0]),
    N=st.floats(1e4, 1e12),
)
def test_the_crossover_separates_ensembles_from_larger_models(v, alpha, V, members, N):
    values = {"E": 1.0, "A": 100.0, "V": V, "alpha": alpha, "v": v}
    crossing = tradeoffs.ensemble_crossover(values, members)
    law = LAWS["ensemble"]
    advantage = law.loss(members * N, 1.0, **values) - law.loss(N, members, **values)
    if not crossing.exists:
        expected = bool(crossing.above)
    elif np.isclose(crossing.N, N, rtol=1e-6):
        return
    else:
        expected = bool((crossing.N < N) == crossing.above)
    assert (advantage > 0) == expected or abs(advantage) < 1e-12


def test_an_ensemble_never_wins_where_variance_falls_as_fast_as_size():
    crossing = tradeoffs.ensemble_crossover({**ENSEMBLE, "v": np.array([1.0, 1.2])}, 4)
    assert crossing.exists.tolist() == [False, False]
    assert crossing.above.tolist() == [False, False]


def test_the_choice_of_members_has_draws_and_sizes():
    choice = tradeoffs.share_among_members(draws_around(ENSEMBLE, 7), [1e8, 1e9], members=(1, 2))
    assert choice.losses.shape == (7, 2, 2)
    assert choice.best.shape == (7, 2)


# Compression


def test_a_large_budget_trains_more_than_fits_and_compresses_it():
    best = tradeoffs.best_compressed(COMPRESS, [1e18, 1e20, 1e22], 1e9)
    assert best.kept[0] == 1
    assert best.kept[1] == 1
    assert best.N[1] == 5e8  # just what fits
    assert best.kept[2] < 1
    assert best.kept[2] * best.N[2] * 2 == pytest.approx(1e9)
    assert best.loss[2] < best.loss_uncompressed[2]
    np.testing.assert_allclose(best.loss[:2], best.loss_uncompressed[:2])
    np.testing.assert_allclose(6 * best.N * best.D, [1e18, 1e20, 1e22])


def test_without_a_limit_the_best_model_is_that_of_the_additive_law():
    best = tradeoffs.best_compressed(COMPRESS, 1e21, 1e15)
    E, A, B, alpha, beta = (COMPRESS[name] for name in ("E", "A", "B", "alpha", "beta"))
    N = (alpha * A / (beta * B)) ** (1 / (alpha + beta)) * (1e21 / 6) ** (beta / (alpha + beta))
    assert pytest.approx(N, rel=1e-6) == best.N
    assert best.loss == pytest.approx(E + A / N**alpha + B / (1e21 / 6 / N) ** beta, rel=1e-12)


@given(log_N=st.floats(np.log(1e7), np.log(1e11)))
def test_no_other_size_beats_the_best_compressed_model(log_N):
    best = tradeoffs.best_compressed(COMPRESS, 1e22, 1e9)
    N = np.exp(log_N)
    assert LAWS["compress"].loss(N, 1e22 / (6 * N), min(1, 5e8 / N), **COMPRESS) >= best.loss * (1 - 1e-12)


# Kaplan: batch, steps and compute


@pytest.mark.parametrize(("loss", "batch"), [(4.0, 2.85277e5), (3.0, 1.12257e6), (2.5, 2.67465e6)])
def test_the_critical_batch_is_the_published_one(loss, batch):
    assert tradeoffs.critical_batch_size(loss) == pytest.approx(batch, rel=5e-6)


def test_at_the_critical_batch_a_run_takes_twice_the_least_steps_and_compute():
    batch = tradeoffs.critical_batch_size(3.0)
    assert tradeoffs.least_steps(1e5, batch, 3.0) == pytest.approx(5e4)
    assert tradeoffs.least_compute(1e20, batch, 3.0) == pytest.approx(5e19)
    assert tradeoffs.least_steps(1e5, 1e12, 3.0) == pytest.approx(1e5, rel=1e-5)
    assert tradeoffs.least_compute(1e20, 1.0, 3.0) == pytest.approx(1e20, rel=1e-5)


def test_kaplans_runs_are_those_of_table_6():
    run = tradeoffs.kaplan_run([1.0, 1e3])
    assert (run.N[0], run.D[0], run.batch[0], run.steps[0]) == (1.3e9, 2e10, 2.0e6, 5.4e3)
    assert run.N[1] == pytest.approx(2.0135e11, rel=5e-5)
    assert run.D[1] == pytest.approx(1.2913e11, rel=5e-5)


def test_kaplans_exponents_follow_from_the_law_of_steps():
    found = tradeoffs.kaplan_exponents({**KAPLAN_NS, "alpha_N": 0.076})  # the single-variable exponent
    assert found.loss == pytest.approx(0.0520, abs=5e-5)
    assert found.excess == pytest.approx(0.1, abs=5e-4)
    assert pytest.approx(1.0) == found.N + found.D
    assert pytest.approx(0.0520 / 0.076, abs=5e-4) == found.N


def test_the_best_run_of_the_law_of_steps_spends_the_budget_and_is_the_best():
    budgets = PETAFLOP_DAY * np.array([1.0, 1e3])
    best = tradeoffs.best_kaplan_run(KAPLAN_NS, budgets)
    law = LAWS["kaplan_ns"]
    np.testing.assert_allclose(law.loss(best.N, best.steps, **KAPLAN_NS), best.loss)
    np.testing.assert_allclose(tradeoffs.critical_batch_size(best.loss), best.batch)
    np.testing.assert_allclose(6 * best.N * best.batch * best.steps, budgets)
    slopes = np.diff(np.log([best.N, best.batch, best.steps]))[:, 0] / np.log(1e3)
    exponents = tradeoffs.kaplan_exponents(KAPLAN_NS)
    np.testing.assert_allclose(slopes, [exponents.N, exponents.batch, exponents.steps])

    def loss_at(log_N):
        """Return the loss that spends one petaFLOP/s-day at this size."""

        def excess(log_loss):
            steps = (KAPLAN_NS["B"] / (np.exp(log_loss) - KAPLAN_NS["A"] / N ** KAPLAN_NS["alpha_N"])) ** (1 / 0.76)
            return np.log(6 * N * tradeoffs.critical_batch_size(np.exp(log_loss)) * steps / PETAFLOP_DAY)

        N = np.exp(log_N)
        converged = np.log(KAPLAN_NS["A"] / N ** KAPLAN_NS["alpha_N"])
        return brentq(excess, converged + 1e-6, converged + 1.0)

    found = minimize_scalar(loss_at, bounds=(np.log(1e8), np.log(1e10)), method="bounded", options={"xatol": 1e-8})
    assert np.exp(found.x) == pytest.approx(best.N[0], rel=1e-3)
    assert np.exp(found.fun) == pytest.approx(best.loss[0], rel=1e-8)


def test_tokens_against_overfitting_grow_more_slowly_than_size():
    assert tradeoffs.least_tokens(1e9) == pytest.approx(5e3 * 1e9**0.74)


# Repetition


def test_epochs_are_worth_what_was_published():
    np.testing.assert_allclose(
        tradeoffs.epoch_worth(MUENNIGHOFF, [1.0, 4.0, 40.0]), [1.0, 0.823, 0.079], rtol=0, atol=5e-4
    )


def test_repeated_tokens_are_worth_what_was_published():
    epochs = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 40.0, 100.0])
    published = [1, 1.968199, 3.725673, 6.624119, 10.582457, 15.167465, 16.363035]
    np.testing.assert_allclose(
        tradeoffs.effective_tokens(MUENNIGHOFF, epochs * 25e9, 25e9) / 25e9, published, atol=5e-7
    )


def test_the_best_split_of_scarce_data_is_the_published_one():
    best = tradeoffs.best_repetition(MUENNIGHOFF, 1e22, 25e9)
    assert best.interior
    assert pytest.approx(7.02616e9, rel=1e-6) == best.N
    assert pytest.approx(2.37209e11, rel=3e-6) == best.D
    assert best.epochs == pytest.approx(9.4884, abs=5e-5)
    assert best.loss == pytest.approx(2.22212927, abs=5e-9)


def test_with_data_enough_the_best_split_is_that_of_the_additive_law():
    best = tradeoffs.best_repetition(draws_around(MUENNIGHOFF, 8), [1e20, 1e22], 1e14)
    assert best.N.shape == best.epochs.shape == (8, 2)
    A, B, alpha = (MUENNIGHOFF[name] for name in ("A", "B", "alpha"))
    # There, size and tokens are those for which neither is superfluous.
    np.testing.assert_allclose(best.N[0], (A / B) ** (1 / (2 * alpha)) * np.sqrt(np.array([1e20, 1e22]) / 6), rtol=1e-4)
    assert (best.epochs < 1).all()


# What every function refuses


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tradeoffs.best_experts({"c": 0.5}, 1e20), "expected values of law 'moe_granular': c, g, gamma, a,"),
        (lambda: tradeoffs.best_experts(KRAJEWSKI, -1.0), "flops is -1.0; expected budgets in FLOP above zero"),
        (lambda: tradeoffs.best_experts(KRAJEWSKI, 1e20, granularities=(0.5, 1)), "expected numbers of at least 1"),
        (lambda: tradeoffs.best_datastore(DATASTORE, 1e9, 1e20, 0.0), "available is 0.0; expected tokens above zero"),
        (lambda: tradeoffs.best_datastore(DATASTORE, 1e9, 1e20, 1e9, largest_part=2), "largest_part is 2; expected a"),
        (lambda: tradeoffs.datastore_worth({}, 1e9), "missing rho; pass the draws of its fit"),
        (lambda: tradeoffs.ensemble_crossover(ENSEMBLE, 1), "members is 1; expected a number of models above 1"),
        (lambda: tradeoffs.best_repetition(MUENNIGHOFF, np.nan, 1e9), "flops is nan; expected budgets"),
        (lambda: tradeoffs.critical_batch_size(0.0), "loss is 0.0; expected nats per token above zero"),
        (lambda: tradeoffs.compute_to_reach(PATCH_16, -0.1), "error is -0.1; expected an error or loss above zero"),
    ],
)
def test_unusable_arguments_are_answered_with_what_to_do(call, message):
    with pytest.raises(InputError) as caught:
        call()
    assert message in str(caught.value)

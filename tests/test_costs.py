"""What a token costs: learned from a table's own C, and used wherever a budget is spent."""

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made import without_paths

import bayescale as bs
from bayescale import tradeoffs
from bayescale.decisions import mixture
from bayescale.decisions.curves import isoflop_slices
from bayescale.decisions.demand import implied_demand
from bayescale.designs.grids import isoflop_design, ridge_design
from bayescale.designs.identifiability import identify
from bayescale.errors import InputError
from bayescale.laws import LAWS
from bayescale.laws.compress import MADE_UP
from bayescale.laws.costs import DENSE
from bayescale.laws.measured import MeasuredCost, cost_of, cost_record, sizes, spending_sentence, table_cost
from bayescale.planning.proposals import check_candidates, design_candidates
from bayescale.records.allocation import allocation_record
from bayescale.records.assumptions import assumptions
from bayescale.runs import RunTable
from bayescale.runs.costs import cost_curve
from bayescale.runs.numerals import parse_number
from bayescale.splits.best_sizes import best_sizes
from bayescale.splits.minima import isoflop_minima
from bayescale.splits.optimum import find_optimum, loss_on_budget
from bayescale.splits.ranges import ratio_ends
from bayescale.splits.waste import extra_compute
from bayescale.words import short

CASE = Path(__file__).parents[2] / "shared" / "cases" / "01-moe-total-and-active.csv"
BUDGET = np.array([1e21])
TRUTH = LAWS["chinchilla"].published["Besiroglu et al. (2024)"]


def isoflop(budgets=(1e18, 1e19, 1e20, 1e21, 1e22), sizes=8, width=2.0, center=20.0):
    """Return N and D of runs that spend each budget by 6 N D, at sizes over ``width`` decades around ``center``."""
    C = np.repeat(budgets, sizes)
    N = np.sqrt(C / 6 / center) * 10 ** np.tile(np.linspace(-width / 2, width / 2, sizes), len(budgets))
    return N, C / (6 * N)


def runs_of(N, D):
    """Return runs that follow the usual law with 0.5% noise, without C."""
    loss = LAWS["chinchilla"].loss(N, D, **TRUTH)
    noise = np.exp(0.005 * np.random.default_rng(0).standard_normal(N.size))
    return RunTable.from_frame(pd.DataFrame({"N": N, "D": D, "loss": loss * noise}), name="made")


def attention(N):
    """Return a factor that falls from 3.6 to 1.3 over three decades of size."""
    return 1 + 2.6 * (N / 1e7) ** (-1 / 3)


def costly(factor=attention, scatter=0.0):
    """Return runs of the usual law whose C is 6 N D times a factor of the size, and scatter."""
    plain = runs_of(*isoflop())
    N, noise = plain.frame["N"], np.random.default_rng(3).standard_normal(len(plain.frame))
    frame = plain.frame.assign(C=plain.frame["C"] * factor(N) * np.exp(scatter * noise))
    return RunTable.from_frame(frame, name="costly")


@pytest.fixture(scope="module")
def fitted(synthetic_fit):
    return synthetic_fit("chinchilla", costly(), TRUTH)


# The curve


@pytest.mark.parametrize("factor", [attention, lambda N: 2.9 + 0 * N, lambda N: 0.5 * (N / 1e9) ** 0.1])
def test_a_smooth_factor_is_found_within_its_error(factor):
    cost = table_cost(costly(factor, scatter=0.02))
    N = np.geomspace(*cost.curve.sizes, 20)
    off = np.log(cost.per_token(N, {}) / (6 * N * factor(N)))
    assert (np.abs(off) < 3 * cost.curve.error(N) + 0.005).all()  # a cubic is within 0.5% of each of these shapes
    assert cost.curve.error(N).max() < 0.03
    assert cost.curve.scatter == pytest.approx(0.02, rel=0.4)


def test_one_run_with_another_C_moves_nothing():
    N = np.geomspace(1e8, 1e10, 20)
    factor = attention(N)
    plain, off = cost_curve(N, factor), cost_curve(N, np.where(np.arange(20) == 7, 2.5 * factor, factor))
    np.testing.assert_allclose(off.log_factor(N), plain.log_factor(N), atol=2e-3)


def test_beyond_the_sizes_of_the_runs_the_factor_goes_on_and_levels_out():
    curve = cost_curve(np.geomspace(1e7, 1e9, 20), attention(np.geomspace(1e7, 1e9, 20)))
    far = np.exp(curve.log_factor(np.array([1e10, 1e11, 1e14, 1e15])))
    assert far[0] == pytest.approx(attention(1e10), rel=0.05)
    assert far[2] == pytest.approx(far[3], rel=0.01)
    assert (curve.error(np.array([1e9, 1e11, 1e13]))[1:] > curve.error(np.array([1e9]))).all()


def test_a_larger_model_never_costs_less_per_token():
    N = np.geomspace(1e8, 1e10, 20)
    cost = MeasuredCost(DENSE, cost_curve(N, (N / 1e9) ** -1.4))
    assert (np.diff(cost.per_token(np.geomspace(1e6, 1e13, 200), {})) > 0).all()


def test_sizes_that_hardly_vary_say_nothing_of_the_slope():
    N = 1e9 * np.exp(1e-3 * np.arange(12))
    curve = cost_curve(N, 2.0 * np.exp(0.05 * np.random.default_rng(0).standard_normal(12)))
    factor = np.exp(curve.log_factor(np.array([1e8, 1e9, 1e10])))
    assert factor == pytest.approx(2.0, rel=0.1)


def test_active_parameters_explain_why_models_of_one_size_cost_differently():
    N = np.repeat(np.geomspace(1e9, 1e11, 6), 4)
    active = N / np.tile([2.0, 4.0, 8.0, 16.0], 6)
    curve = cost_curve(N, active / N, {"active_N": active})
    assert curve.scatter < 0.01
    np.testing.assert_allclose(np.exp(curve.log_factor(N, {"active_N": active})), active / N, rtol=0.01)
    assert np.exp(curve.log_factor(np.array(1e10))) == pytest.approx(np.exp(np.log(active / N).mean()), rel=0.01)


def with_attention(N, context):
    """Return the factor of attention for models of one shape: 12 depth width context FLOP of 6 N a token."""
    width = (N * 64 / 12) ** (1 / 3)
    return 1 + 12 * width / 64 * width * context / (6 * N)


def of_contexts(contexts, seed, scatter=0.005):
    """Return sizes, contexts and the curve of the cost of 40 models, each of one of the contexts."""
    rng = np.random.default_rng(seed)
    N = np.exp(rng.uniform(np.log(5e7), np.log(1e10), 40))
    context = rng.choice(contexts, N.size)
    noise = np.exp(scatter * rng.standard_normal(N.size))
    return N, context, cost_curve(N, with_attention(N, context) * noise, {"context": context, "depth": np.ones(40)})


@pytest.mark.parametrize("contexts", [(1024.0, 2048.0, 4096.0, 8192.0), (512.0, 131072.0)])
@pytest.mark.parametrize("seed", range(4))
def test_attention_over_long_contexts_is_told_from_the_size_and_carried_on(contexts, seed):
    N, context, curve = of_contexts(contexts, seed)
    assert list(curve.usual) == ["context"]
    fitted = np.exp(curve.log_factor(N, {"context": context}))
    np.testing.assert_allclose(fitted, with_attention(N, context), rtol=0.04)
    for size, times in ((1e9, 4.0), (1e11, 1.0), (1e11, 4.0)):
        long = {"context": times * contexts[-1]}
        told = np.exp(curve.log_factor(np.array(size), long))
        assert told == pytest.approx(with_attention(size, long["context"]), rel=0.1)


def test_a_context_that_costs_nothing_is_no_part_of_the_cost():
    rng = np.random.default_rng(0)
    N = np.geomspace(1e8, 1e10, 40)
    factor = attention(N) * np.exp(0.03 * rng.standard_normal(40))
    curve = cost_curve(N, factor, {"context": rng.choice([1024.0, 32768.0], 40)})
    assert not curve.usual
    assert curve.share == 0


# The cost of a table


@pytest.mark.parametrize("name", ["chinchilla", "public-models"])
def test_where_C_is_6ND_to_rounding_a_budget_is_spent_by_6ND(name):
    runs = bs.load_runs(name)
    assert runs.compute == "given"
    assert cost_of(LAWS["chinchilla"], runs) is LAWS["chinchilla"].cost
    assert "agrees with it" in spending_sentence(table_cost(runs), runs)


def test_a_table_that_gives_6ND_decides_as_one_that_gives_no_C(synthetic_fit):
    plain = runs_of(*isoflop())
    given = RunTable.from_frame(plain.frame, name="made")
    assert (plain.compute, given.compute) == ("6ND", "given")
    first, second = (bs.allocate(synthetic_fit("chinchilla", runs, TRUTH), [1e21]) for runs in (plain, given))
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)


def test_one_sentence_says_how_budgets_are_spent():
    runs = costly(lambda N: 2.9 + 0 * N)
    sentence = spending_sentence(table_cost(runs), runs)
    assert sentence == (
        "Budgets are spent by this table's own FLOP per token: 2.9 times 6 N (fitted to 40 runs, scatter 0.1%)."
    )
    assert "3.7 times 6 N at" in spending_sentence(table_cost(costly()), costly())
    told = cost_record(table_cost(costly()), costly())
    assert told["measured"]
    assert [each["factor"] for each in told["factors"]] == pytest.approx(
        [attention(each["N"]) for each in told["factors"]], rel=0.02
    )


def test_the_law_counts_where_the_table_cannot_be_compared_with_it():
    runs = costly()
    for name in ("moe_granular", "vocabulary"):
        law = next(law for law in LAWS.values() if law.name.startswith(name.split("_")[0]) and law.cost != DENSE)
        assert cost_of(law, runs) is law.cost


# Decisions


def test_a_budget_of_a_table_that_costs_2_point_9_times_as_much_buys_2_point_9_times_less(synthetic_fit):
    plain = synthetic_fit("chinchilla", runs_of(*isoflop()), TRUTH)
    dear = synthetic_fit("chinchilla", costly(lambda N: 2.9 + 0 * N), TRUTH)
    own, other = (find_optimum(each.draws, budget) for each, budget in ((plain, BUDGET / 2.9), (dear, BUDGET)))
    np.testing.assert_allclose(other.N, own.N, rtol=1e-3)
    np.testing.assert_allclose(other.D, own.D, rtol=1e-3)
    found = bs.allocate(dear, [1e21])
    spent = 2.9 * 6 * found.recommended["N"].item() * found.recommended["D"].item()
    assert spent == pytest.approx(1e21, rel=0.005)
    record = allocation_record(found)
    assert record["cost"]["statement"].startswith("Budgets are spent by this table's own FLOP per token: 2.9 times 6 N")


def test_the_best_run_is_that_of_the_tables_own_cost(fitted, synthetic_fit):
    best = find_optimum(fitted.draws, BUDGET)
    cost = fitted.draws.cost
    np.testing.assert_allclose(cost.per_token(best.N, {}) * best.D, BUDGET[0], rtol=1e-9)
    few = fitted.draws.take(slice(0, None, 200))
    N = np.geomspace(1e8, 1e11, 20_001)
    losses = few.value({"N": N, "D": BUDGET[0] / cost.per_token(N, {})})
    np.testing.assert_allclose(N[losses.argmin(axis=1)], best.N[::200, 0], rtol=1e-3)
    plain = synthetic_fit("chinchilla", runs_of(*isoflop()), TRUTH)
    assert (np.median(best.N) < np.median(find_optimum(plain.draws, BUDGET).N)).all()


def test_ranges_and_waste_follow_the_cost(fitted):
    cost, few = fitted.draws.cost, fitted.draws.take(slice(0, None, 500))
    N, D = sizes(BUDGET, np.log(np.array([20.0])), cost)
    np.testing.assert_allclose([cost.per_token(N, {}) * D, D / N], [BUDGET, [20.0]], rtol=1e-9)
    (low, high) = ratio_ends(fitted, BUDGET, 0.05)
    cheaper = find_optimum(fitted.draws, BUDGET / 1.05).loss
    for end in (low, high):
        np.testing.assert_allclose(loss_on_budget(fitted.draws, BUDGET, end), cheaper, rtol=1e-6)
    best = find_optimum(few, BUDGET)
    size = best.N * 4.0
    loss = few.value({"N": size, "D": BUDGET / cost.per_token(size, {})})
    needed = BUDGET / (1 + extra_compute(few, 1e21, np.array([4.0])))
    np.testing.assert_allclose(find_optimum(few, needed).loss, loss, rtol=1e-6)


def test_what_the_law_misses_of_its_best_size_follows_the_cost(synthetic_fit):
    plain = synthetic_fit("chinchilla", runs_of(*isoflop()), TRUTH)
    dear = synthetic_fit("chinchilla", costly(lambda N: 2.9 + 0 * N), TRUTH)
    own, other = (best_sizes(each, budget) for each, budget in ((plain, BUDGET), (dear, 2.9 * BUDGET)))
    np.testing.assert_allclose(np.quantile(other, [0.05, 0.5, 0.95]), np.quantile(own, [0.05, 0.5, 0.95]), atol=0.01)


def test_serving_costs_a_third_of_the_tables_own_token(fitted):
    found = bs.allocate(fitted, [1e21], constraints=bs.Constraints(inference_tokens=1e12))
    N, D = (found.recommended[name].to_numpy() for name in ("N", "D"))
    np.testing.assert_allclose(fitted.draws.cost.per_token(N, {}) * (D + 1e12 / 3), 1e21, rtol=1e-9)


def test_the_demand_of_the_best_run_without_serving_is_none(fitted):
    best = find_optimum(fitted.draws, BUDGET)
    N, D = float(np.median(best.N)), float(np.median(best.D))
    served = implied_demand(fitted, N, D).draws["served_tokens"].to_numpy()
    assert np.quantile(served, 0.05) < 0 < np.quantile(served, 0.95)


def test_minima_of_slices_are_those_along_the_tables_own_compute():
    budgets = np.geomspace(1e19, 1e22, 4)
    N = np.concatenate([np.sqrt(budget / 120) * np.geomspace(0.2, 2.0, 9) for budget in budgets])
    C = np.repeat(budgets, 9)
    D = C / (6 * N * attention(N))
    loss = LAWS["chinchilla"].loss(N, D, **TRUTH) * np.exp(0.001 * np.random.default_rng(0).standard_normal(N.size))
    runs = RunTable.from_frame(pd.DataFrame({"N": N, "D": D, "C": C, "loss": loss}), name="made")
    found = isoflop_minima(runs, random_seed=0)
    grid = np.geomspace(1e7, 1e12, 20_001)
    for flops, size in zip(found.table["flops"], found.table["N"], strict=True):
        losses = LAWS["chinchilla"].loss(grid, flops / (6 * grid * attention(grid)), **TRUTH)
        assert size == pytest.approx(grid[losses.argmin()], rel=0.04)


def test_a_cost_that_scatters_widens_the_best_runs_and_leaves_losses_and_limits(synthetic_fit, monkeypatch):
    monkeypatch.setattr(mixture, "paths_of", without_paths)  # the minima of scattered runs are less certain, too
    sharp, rough = (
        bs.allocate(synthetic_fit("chinchilla", costly(scatter=each), TRUTH), [1e21, 1e23]).optima
        for each in (0.0, 0.15)
    )
    for name, least in (("N", [1.1, 2.0]), ("D", [1.0, 1.2])):  # the farther, the less is known of the cost
        widths = [np.log(each[name]).std("draw").to_numpy() for each in (sharp, rough)]
        assert (widths[1] > least * widths[0]).all()
    np.testing.assert_allclose(rough["loss"].std("draw"), sharp["loss"].std("draw"), rtol=0.1)
    limits = bs.Constraints(max_params=1e9)
    found = bs.allocate(synthetic_fit("chinchilla", costly(scatter=0.15), TRUTH), [1e23], constraints=limits).optima
    assert (found["N"] <= 1e9).all()


def test_slices_spend_their_budget_by_the_cost(fitted):
    found = isoflop_slices(fitted)
    each = found.slices[0]
    best = bs.allocate(fitted, [each.flops]).recommended["N"].item()
    assert each.N[np.argmin(each.median)] == pytest.approx(best, rel=0.08)  # 80 points over two decades


def test_a_law_of_compute_expects_what_such_runs_cost(synthetic_fit):
    law_fit = synthetic_fit("compute_floor", costly())
    N, D = np.array([1e9]), np.array([2e10])
    own = bs.predict(law_fit, N, D)
    np.testing.assert_array_equal(own, bs.predict(law_fit, C=law_fit.draws.cost.per_token(N, {}) * D))


def test_runs_that_could_be_done_cost_what_runs_cost():
    runs = costly()
    cost = table_cost(runs)
    design = design_candidates(runs, 1e21, 20.0, cost)
    np.testing.assert_allclose(design["flops"], cost.per_token(design["N"].to_numpy(), {}) * design["D"], rtol=1e-12)
    assert design["flops"].max() <= 1e21
    own = check_candidates(pd.DataFrame({"N": [1e8], "D": [1e10]}), ["N", "D"], 1e21, cost)
    assert own["flops"].item() == pytest.approx(6e18 * attention(1e8), rel=0.02)


def test_a_design_spends_its_budgets_by_the_cost(fitted):
    cost = fitted.draws.cost
    design = isoflop_design([1e19, 1e21], [5.0, 20.0, 80.0], cost=cost)
    np.testing.assert_allclose(cost.per_token(design["N"].to_numpy(), {}) * design["D"], [1e19] * 3 + [1e21] * 3)
    np.testing.assert_allclose(design["D"] / design["N"], [5.0, 20.0, 80.0] * 2, rtol=1e-9)
    ridge = ridge_design([1e19, 1e21], at=1e21, cost=cost)
    np.testing.assert_allclose(cost.per_token(ridge["N"].to_numpy(), {}) * ridge["D"], [1e19, 1e21], rtol=1e-9)
    assert ridge["D"].iloc[1] / ridge["N"].iloc[1] == pytest.approx(20.0)


def test_runs_that_would_decide_cost_the_compute_they_are_said_to():
    ladder = runs_of(np.geomspace(1e7, 1e10, 12), 20 * np.geomspace(1e7, 1e10, 12)).frame
    frame = ladder.assign(C=ladder["C"] * attention(ladder["N"]))
    said = next(each for each in bs.describe(RunTable.from_frame(frame, name="made")).cannot if "at one C" in each)
    flops = float(re.search(r"such as (\S+) FLOP", said)[1])
    runs = [(parse_number(N), parse_number(D)) for N, D in re.findall(r"N = (\S+) with D = (\d[\d.]*[MBT])", said)]
    assert len(runs) == 3
    for N, D in runs:
        assert 6 * N * attention(N) * D == pytest.approx(flops, rel=0.1)  # each printed with two digits


def test_what_a_design_would_tell_of_a_budget_follows_the_cost():
    plain, dear = (identify(runs_) for runs_ in (runs_of(*isoflop()), costly(lambda N: 2.9 + 0 * N)))
    for own, other in zip(plain.questions[1:], dear.questions[1:], strict=True):
        assert other.name != own.name  # the largest budget of the runs is 2.9 times as much
        assert other.width == pytest.approx(own.width, rel=0.01)


@pytest.mark.parametrize("level", [2.9, 0.4])
def test_decisions_of_papers_take_the_cost_of_a_fit(level):
    cost = table_cost(costly(lambda N: level + 0 * N))
    repeats = LAWS["data_constrained"].published["Muennighoff et al. (2023)"]
    compress = MADE_UP
    (overtrain, *_) = LAWS["overtrain"].published.values()
    for decide in (
        lambda flops, **asked: tradeoffs.best_repetition(repeats, flops, 1e10, **asked).N,
        lambda flops, **asked: tradeoffs.best_compressed(compress, flops, 1e9, **asked).N,
        lambda flops, **asked: tradeoffs.overtrained_loss(overtrain, flops, 60.0, **asked),
    ):
        assert decide(1e21, cost=cost) == pytest.approx(decide(1e21 / level), rel=1e-3)
    plain, own = (tradeoffs.best_for_serving(TRUTH, 2.2, 1e12, **asked) for asked in ({}, {"cost": cost}))
    for name in ("N", "D", "saved"):
        assert getattr(own, name) == pytest.approx(getattr(plain, name), rel=2e-3)
    assert own.flops == pytest.approx(level * plain.flops, rel=2e-3)


def test_the_cheapest_model_to_serve_follows_a_cost_that_falls_with_size():
    cost = table_cost(costly())
    own = tradeoffs.best_for_serving(TRUTH, 2.2, 1e12, cost=cost)
    N = np.geomspace(1e9, 1e12, 20_001)
    D = tradeoffs.tokens_for_loss(TRUTH, 2.2, N)
    for served, size in ((1e12, own.N), (0.0, None)):
        flops = tradeoffs.lifetime_flops(N, D, served, cost=cost)
        best = np.nanargmin(flops)
        if size is None:
            whole = tradeoffs.lifetime_flops(N[best], D[best], 1e12, cost=cost)
            assert own.saved == pytest.approx(1 - own.flops / whole, abs=1e-4)
        else:
            assert size == pytest.approx(N[best], rel=1e-3)


def test_the_report_says_how_budgets_are_spent(fitted):
    comparison = type("Compared", (), {"runs": fitted.runs, "conventions": ()})
    said = assumptions(comparison, bs.allocate(fitted, [1e21]))
    assert any(each.startswith("Budgets are spent by this table's own FLOP per token") for each in said)


def test_a_size_whose_cost_nobody_measured_is_said_to_be_extrapolated(fitted):
    near, far = (bs.allocate(fitted, [budget]).notes for budget in (1e20, 1e26))
    assert not any("carried on" in note for note in near)
    assert any("the cost of a token is known from models of" in note for note in far)


def of_two_contexts():
    """Return runs that cost what attention over 2,048 or 8,192 tokens costs."""
    plain = runs_of(*isoflop())
    context = np.tile([2048.0, 8192.0], len(plain.frame) // 2)
    N = plain.frame["N"].to_numpy()
    frame = plain.frame.assign(C=plain.frame["C"] * with_attention(N, context), seq_len=context)
    return RunTable.from_frame(frame, name="contexts")


def test_the_context_of_the_model_offered_decides_what_its_budget_buys(synthetic_fit):
    fitted = synthetic_fit("chinchilla", of_two_contexts(), TRUTH)
    found = {
        context: bs.allocate(fitted, [1e21], constraints=bs.Constraints(covariates={"context": context}))
        for context in (2048.0, 32768.0)
    }
    for context, each in found.items():
        N, D = (each.recommended[name].item() for name in "ND")
        assert 6 * N * D * with_attention(N, context) == pytest.approx(1e21, rel=0.03)
    extrapolated = [any("nobody trained such a shape" in note for note in each.notes) for each in found.values()]
    assert extrapolated == [False, True]
    usual = bs.allocate(fitted, [1e21])
    assert "the models recommended have the context that is usual in the table at their size" in usual.notes


def test_a_column_that_changes_nothing_is_said_to(fitted):
    found = bs.allocate(fitted, [1e21], constraints=bs.Constraints(covariates={"experts": 64}))
    assert any(note.startswith("experts changes nothing here") for note in found.notes)


# Tables


def test_scattered_factors_are_a_fault_and_smooth_ones_a_note():
    assert any("budgets are spent by it" in note for note in costly().notes)
    with pytest.raises(
        InputError, match=r"times 6 N D, where runs of this size have .* C is in FLOP for the whole run"
    ):
        costly(scatter=1.0)


def test_a_mixture_of_experts_is_given_its_budget_whichever_size_is_meant(tmp_path, synthetic_fit):
    runs = experts(tmp_path)
    total = synthetic_fit("chinchilla", runs(N="total_params"))
    active = synthetic_fit("chinchilla", runs(N="active_params"))
    first, second = (bs.allocate(each, [1e19]).table.iloc[0] for each in (total, active))
    assert first["N"] / second["N"] == pytest.approx(9.3, rel=0.02)
    assert first["D"] == pytest.approx(second["D"], rel=0.02)
    assert 6 * second["N"] * second["D"] == pytest.approx(1e19, rel=1e-6)
    assert first["loss"] == pytest.approx(second["loss"], rel=1e-3)
    (note,) = (each for each in bs.allocate(total, [1e19]).notes if "work on each token" in each)
    assert note.endswith("laws of either size say the same")
    assert f"about {short(first['N'] / 9.3)} work" in note


def experts(folder):
    """Write runs of models with 9.3 parameters for each active one, and return a function that reads them."""
    active, D = isoflop(budgets=(1e18, 3e18, 1e19, 3e19), sizes=5, width=1.2, center=60.0)
    loss = LAWS["chinchilla"].loss(N=active, D=D, **TRUTH) * np.exp(
        0.003 * np.random.default_rng(1).standard_normal(D.size)
    )
    frame = pd.DataFrame({"budget_flop": 6 * active * D, "tokens": D, "loss": loss, "active_params": active})
    frame.assign(total_params=9.3 * active).to_csv(folder / "experts.csv", index=False)
    return lambda N: bs.read_runs(folder / "experts.csv", columns={"C": "budget_flop", "N": N})


@pytest.mark.slow
@pytest.mark.skipif(not CASE.exists(), reason="needs a table that is not shipped")
@pytest.mark.parametrize(("column", "share"), [("total_params", 9.3), ("active_params", 1.0)])
def test_real_experts_are_given_a_run_of_their_budget(tmp_path, column, share):
    with CASE.open(encoding="utf-8") as lines:
        rows = [{key: value for key, value in row.items() if key != "shape"} for row in csv.DictReader(lines)]
    pd.DataFrame(rows).to_csv(tmp_path / "runs.csv", index=False)
    columns = {"C": "budget", "D": "tokens", "loss": "paloma macro", "N": column}
    runs = bs.read_runs(tmp_path / "runs.csv", columns=columns)
    found = bs.allocate(bs.fit(runs, "chinchilla", random_seed=1), [1e19]).table.iloc[0]
    for name, right in (("N", 1.65e8 * share), ("D", 1.0e10), ("loss", 3.035)):
        assert found[f"{name}_lower"] < right < found[f"{name}_upper"]
    assert (found["loss_lower"], found["loss_upper"]) == pytest.approx((3.021, 3.048), abs=0.004)

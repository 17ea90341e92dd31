"""The next runs: closed forms, exhaustive search, reweighting, and what is said of a plan."""

import dataclasses
import itertools
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import without_paths

import bayescale as bs
from bayescale.cli.output import without_infinities
from bayescale.decisions import mixture
from bayescale.decisions.slice_price import slice_price
from bayescale.planning.beliefs import believe, decide, effective_noise, split_loss
from bayescale.planning.goals import LawGoal, NormalGoal, choose
from bayescale.planning.proposals import design_candidates
from bayescale.plots.plan import plot_plan
from bayescale.records.plan import plan_record

TARGET = 1e23


@pytest.fixture(scope="module")
def few_runs(make_runs):
    """30 runs at three small budgets: enough to fit, not to be sure."""
    return make_runs.of(*make_runs.isoflop(budgets=(1e18, 1e19, 1e20), sizes=10, width=1.0), name="few")


@pytest.fixture(scope="module")
def few_fit(few_runs, synthetic_fit):
    return synthetic_fit("chinchilla", few_runs)


@pytest.fixture(scope="module")
def found(few_fit):
    return bs.plan(few_fit, spend=1e21, target=TARGET)


def linear_goal(seed, candidates=9, parameters=3, quantities=1):
    """Return a goal of outcomes and quantities linear in normal parameters, and how it was made."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((parameters, parameters))
    prior = root @ root.T
    design = rng.standard_normal((candidates, parameters))
    asked = rng.standard_normal((quantities, parameters))
    noise = rng.uniform(0.1, 2.0, candidates)
    covariance = np.stack([rows @ prior @ rows.T for rows in (np.vstack([design, each]) for each in asked)])
    worth = rng.uniform(0.5, 2.0, quantities)
    return NormalGoal(covariance, np.tile(noise, (quantities, 1)), worth), prior, design, asked


def exact_left(goal, prior, design, asked, chosen):
    """Return the weighted variances that conjugate regression leaves."""
    rows = list(chosen)
    precision = np.linalg.inv(prior) + design[rows].T @ (design[rows] / goal.noise[0, rows, None])
    return goal.worth @ np.einsum("qi,ij,qj->q", asked, np.linalg.inv(precision), asked)


# Closed forms


@given(seed=st.integers(0, 10_000), chosen=st.sets(st.integers(0, 8), max_size=6), quantities=st.integers(1, 3))
def test_what_is_left_is_the_conjugate_posterior_variance(seed, chosen, quantities):
    goal, *made = linear_goal(seed, quantities=quantities)
    assert goal.left(sorted(chosen)) == pytest.approx(exact_left(goal, *made, chosen), rel=1e-6)


@given(seed=st.integers(0, 10_000), chosen=st.sets(st.integers(0, 8), max_size=4))
def test_gains_are_differences_of_what_is_left(seed, chosen):
    goal, *_ = linear_goal(seed, quantities=2)
    chosen = sorted(chosen)
    gains = goal.gains(chosen)
    for run in set(range(9)) - set(chosen):
        assert gains[run] == pytest.approx(goal.left(chosen) - goal.left([*chosen, run]), rel=1e-6, abs=1e-9)


def bowl(N, D, *, level, shift):
    """Return a law whose best ln N is linear in ``shift``: ``ln N* = ln(C / 6) / 2 + shift / 2`` at reference scale."""
    return level * (1.0 + 0.1 * (np.log(N / D) - shift) ** 2)


BOWL = bs.Law(
    name="bowl",
    loss=bowl,
    priors={
        "level": bs.Prior("LogNormal", {"mu": 0.0, "sigma": 1.0}, relative=True),
        "shift": bs.Prior("Normal", {"mu": 0.0, "sigma": 1.0}),
    },
)


def test_a_plan_ends_at_the_conjugate_posterior_of_the_best_size(make_runs, synthetic_fit):
    runs = make_runs.of(*make_runs.isoflop(budgets=(1e19, 1e20), sizes=8))
    truth = {"level": 3.0, "shift": 0.5}
    fitted = synthetic_fit(BOWL, runs, truth, spread=0.004, sigma=0.004)
    listed = pd.DataFrame(dict(zip("ND", make_runs.isoflop(budgets=(1e20,), sizes=12, width=2.0), strict=True)))
    plan = bs.plan(fitted, listed, spend=4e20, target=1e22, aim="size")
    assert 1 < len(plan.runs) <= 4
    draws, scaled = fitted.draws, listed / [fitted.reference["N"], fitted.reference["D"]]
    x = np.log(scaled["N"] / scaled["D"]).to_numpy()[plan.runs["candidate"]]
    shift = draws["shift"].mean()
    slopes = np.column_stack([np.ones_like(x), -0.2 * (x - shift) / (1 + 0.1 * (x - shift) ** 2)])
    prior = np.cov(np.log(draws["level"]), draws["shift"])
    noise = np.median(effective_noise(draws["sigma"], draws["nu"]))
    after = np.linalg.inv(np.linalg.inv(prior) + slopes.T @ slopes / noise)
    assert plan.aim_before == pytest.approx(0.5 * np.sqrt(prior[1, 1]), rel=1e-3)
    assert plan.aim_after == pytest.approx(0.5 * np.sqrt(after[1, 1]), rel=1e-2)


def test_information_about_two_fixed_laws_is_that_of_a_binary_channel():
    apart, sd, weight = 1.3, 0.9, 0.3
    zero = np.zeros((2, 1, 1))
    scores = np.random.default_rng(0).standard_normal((40_000, 1))
    goal = LawGoal(np.array([[0.0], [apart]]), zero, np.full((2, 1), sd**2), np.array([weight, 1 - weight]), scores)
    y = np.linspace(-8, 10, 20_001)
    densities = np.exp(-0.5 * ((y - np.array([[0.0], [apart]])) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
    joint = densities * np.array([[weight], [1 - weight]])
    chance = joint / joint.sum(axis=0)
    left = -(joint * np.log(np.maximum(chance, 1e-300))).sum() * (y[1] - y[0])
    assert goal.left(()) == pytest.approx(-weight * np.log(weight) - (1 - weight) * np.log(1 - weight))
    assert goal.left([0]) == pytest.approx(left, abs=0.005)
    assert goal.gains(())[0] == pytest.approx(goal.left(()) - left, abs=0.005)


def test_runs_that_share_what_is_unknown_tell_laws_apart_less_the_second_time():
    mean, shared = np.array([[0.0, 0.0], [1.0, 1.0]]), np.full((2, 2, 2), 0.5)
    scores = np.random.default_rng(1).standard_normal((20_000, 2))
    goal = LawGoal(mean, shared, np.full((2, 2), 0.01), np.array([0.5, 0.5]), scores)
    first, second = goal.gains(())[0], goal.gains([0])[1]
    assert first > 0.1
    assert abs(second) < 0.01


# Search


@pytest.mark.parametrize("seed", range(20))
def test_the_search_comes_close_to_trying_every_set(seed):
    goal, *_ = linear_goal(seed, candidates=10, quantities=2)
    costs = np.random.default_rng(seed).uniform(1, 10, goal.size)
    spend, most = 12.0, 4
    chosen = choose(goal, costs, spend, most)
    sets = (each for count in range(most + 1) for each in itertools.combinations(range(goal.size), count))
    best = min(goal.left(each) for each in sets if costs[list(each)].sum() <= spend)
    assert costs[chosen].sum() <= spend
    assert len(set(chosen)) == len(chosen) <= most
    assert goal.left(()) - goal.left(chosen) >= 0.95 * (goal.left(()) - best)


def test_nothing_is_chosen_that_tells_nothing():
    goal, *_ = linear_goal(0)
    covariance = goal.covariance.copy()
    covariance[:, -1, :-1] = covariance[:, :-1, -1] = 0.0
    silent = NormalGoal(covariance, goal.noise, goal.worth)
    assert choose(silent, np.ones(goal.size), 5.0, 5) == []


# Plans


def test_the_spend_is_kept_and_the_saved_regret_adds_up(found):
    assert 0 < found.runs["flops"].sum() <= found.spend
    assert (found.runs["flops"] == 6 * found.runs["N"] * found.runs["D"]).all()
    saved = found.expected_regret_before - found.expected_regret_after
    assert found.runs["regret_saved"].sum() == pytest.approx(saved)
    assert (found.runs["regret_saved"] > 0).all()
    assert 0 < found.aim_bound <= found.aim_after < found.aim_before
    assert found.worthwhile
    assert (found.candidates["place"].iloc[found.runs["candidate"]] == np.arange(1, len(found.runs) + 1)).all()
    target = found.targets.iloc[0]
    assert 1 < target["factor_after"] < target["factor_before"]
    assert 6 * target["N"] * target["D"] == pytest.approx(TARGET)


def test_what_the_runs_save_is_told_in_flop_and_in_words(few_fit, found):
    saved = found.targets["flops_saved"].item()
    assert 0 < saved < TARGET
    # The law falls by about as much from the budget to what is saved less, as regret is expected to be saved.
    best = bs.allocate(few_fit, [TARGET - saved, TARGET]).optima["loss"].mean("draw").to_numpy()
    regret = found.expected_regret_before - found.expected_regret_after
    assert best[0] - best[1] == pytest.approx(regret, rel=0.2)
    assert found.runs["flops_saved"].sum() == pytest.approx(saved)


def test_a_plan_says_first_how_many_runs_are_worth_their_cost(few_fit, found):
    net = (found.runs["flops_saved"] - found.runs["flops"]).cumsum().to_numpy()
    assert found.paying == (int(net.argmax()) + 1 if net.max() > 0 else 0)
    assert repr(found).splitlines()[0].startswith(found.headline[:40])
    dear = bs.plan(few_fit, spend=TARGET, target=TARGET / 1000, runs=5)
    assert dear.paying < 5
    none = bs.plan(few_fit, pd.DataFrame({"N": [1e10], "D": [1e12]}), spend=1e23, target=1e20)
    assert none.paying == 0
    assert none.headline.startswith("No")


def test_the_regret_before_is_that_of_the_split_of_least_expected_loss(few_fit, found, monkeypatch):
    monkeypatch.setattr(mixture, "paths_of", without_paths)  # plans take laws at their word
    flops = np.array([TARGET])
    laws, _ = believe(few_fit, flops)
    decision = decide(laws, flops)
    grid = decision.chosen + np.linspace(-0.3, 0.3, 61)
    regret = (split_loss(laws, np.full_like(grid, TARGET), grid) - np.exp(decision.log_loss)).mean(axis=0)
    assert grid[regret.argmin()] == pytest.approx(decision.chosen[0], abs=0.011)
    assert found.expected_regret_before == pytest.approx(regret[30], rel=0.02)
    allocated = bs.allocate(few_fit, [TARGET]).recommended
    assert float(allocated["N"][0]) == pytest.approx(np.exp(decision.chosen[0]), rel=0.03)
    assert found.expected_regret_before == pytest.approx(float(allocated["expected_regret"][0]), rel=0.1)


def test_reweighting_simulated_outcomes_agrees(few_fit):
    small = bs.plan(few_fit, spend=1e20, target=TARGET, runs=2)
    assert small.check.reliable
    assert small.check.before == pytest.approx(small.expected_regret_before, rel=0.1)
    assert small.check.after == pytest.approx(small.expected_regret_after, rel=0.3)
    assert not any("reweighting" in note for note in small.notes)


def test_more_to_spend_saves_more(few_fit):
    after = [bs.plan(few_fit, spend=spend, target=TARGET).expected_regret_after for spend in (1e19, 1e20, 1e21, 1e22)]
    assert after == sorted(after, reverse=True)


def test_targets_count_alike(few_fit):
    both = bs.plan(few_fit, spend=1e21, target=[1e22, 1e24])
    assert both.targets["flops"].tolist() == [1e22, 1e24]
    assert both.expected_regret_before == pytest.approx(both.targets["expected_regret_before"].mean())
    assert both.expected_regret_after == pytest.approx(both.targets["expected_regret_after"].mean())


@pytest.mark.parametrize("aim", ["size", "loss"])
def test_each_aim_lowers_most_what_it_is_for(few_fit, found, aim):
    own = bs.plan(few_fit, spend=found.spend, target=TARGET, aim=aim, runs=6)
    assert own.aim_after < own.aim_before
    assert own.runs["gain"].sum() == pytest.approx(own.aim_before - own.aim_after)
    listed = own.candidates[["N", "D", "flops"]]
    other = bs.plan(few_fit, listed.iloc[found.runs["candidate"][:6]], spend=found.spend, target=TARGET, aim=aim)
    assert own.aim_after <= other.aim_after * (1 + 1e-9)


def test_the_same_seed_gives_the_same_plan(few_fit, found):
    again = bs.plan(few_fit, spend=1e21, target=TARGET)
    pd.testing.assert_frame_equal(again.runs, found.runs)
    assert again.check == found.check


def test_a_list_of_candidates_keeps_its_columns_and_costs(few_fit):
    listed = pd.DataFrame({"run": ["a", "b", "c"], "N": [3e8, 1e9, 2e9], "D": [4e10, 2e10, 1e10], "flops": 1e19})
    listed.loc[2, "flops"] = 1e22
    plan = bs.plan(few_fit, listed, spend=2e19, target=TARGET)
    assert set(plan.runs["run"]) <= {"a", "b"}
    assert plan.candidates["affordable"].tolist() == [True, True, False]
    assert (plan.runs["flops"] == 1e19).all()
    assert "flops" in listed
    assert list(listed.columns) == ["run", "N", "D", "flops"]


def test_candidates_are_of_any_library(few_fit):
    listed = {"run": ["a", "b"], "N": [3e8, 1e9], "D": [4e10, 2e10], "flops": [1e19, 1e19]}
    first, second = (bs.plan(few_fit, make(listed), spend=2e19, target=TARGET) for make in (pd.DataFrame, pl.DataFrame))
    assert first == second


def test_designed_candidates_are_affordable_and_span_the_split(few_runs):
    design = design_candidates(few_runs, 1e21, 20.0)
    assert design["flops"].max() <= 1e21
    assert design["flops"].max() > 0.99e21
    assert design["flops"].min() <= few_runs.frame["C"].min() * 1.01
    largest = design[design["flops"] > 0.99e21]
    assert (largest["D"] / largest["N"]).max() > 100 * (largest["D"] / largest["N"]).min()


def test_a_plan_that_would_change_nothing_says_so(wide_fit):
    plan = bs.plan(wide_fit, spend=1e17, target=1e22)
    assert not plan.worthwhile
    assert plan.headline.startswith("No affordable run would change the decision")


def test_without_slices_a_plan_says_what_one_would_save_and_which_runs_make_it(make_runs, synthetic_fit):
    rng = np.random.default_rng(0)
    N = 10 ** rng.uniform(8, 10, 12)
    fitted = synthetic_fit("chinchilla", make_runs.of(N, N * 10 ** rng.uniform(1, 2, 12), name="no slices"))
    found = bs.plan(fitted, spend=1e21, target=1e24)
    assert found.headline.startswith("First train one isoFLOP slice: 5 runs of ")
    listed = next(note for note in found.notes if note.startswith("the isoFLOP slice, N x D"))
    assert listed.count(" x ") == 6
    assert any(note.startswith("no isoFLOP slice of these runs") for note in found.notes)
    small = slice_price(believe(fitted, found.targets["flops"].to_numpy())[0], np.array([1e24]), 0.9, spend=7e20)
    assert small is not None
    assert small.flops == pytest.approx(1e20)
    np.testing.assert_allclose(6 * small.N * small.D, small.flops, rtol=1e-9)
    assert small.span_after < small.span_before
    assert small.wasted_after < small.wasted_before


def test_a_table_with_slices_is_offered_none(found):
    assert not any("isoFLOP slice" in each for each in (found.headline, *found.notes))


def test_five_hundred_candidates_are_searched(few_fit):
    rng = np.random.default_rng(0)
    listed = pd.DataFrame({"N": 10 ** rng.uniform(7.5, 10, 500), "D": 10 ** rng.uniform(9, 11.5, 500)})
    plan = bs.plan(few_fit, listed, spend=1e22, target=1e24, runs=20)
    assert len(plan.candidates) == 500
    assert 1 < len(plan.runs) <= 20


# Several laws


@pytest.fixture(scope="module")
def open_comparison(wide_comparison):
    """Laws of which none is decidedly the best."""
    chances = {"chinchilla": 0.5, "tilt": 0.3, "compute_floor": 0.2, "kaplan_n": 0.0}
    table = wide_comparison.table
    table = table.assign(decided=False, best_probability=[chances[str(name)] for name in table.index])
    return dataclasses.replace(wide_comparison, table=table)


def test_telling_laws_apart_lowers_their_entropy(open_comparison):
    listed = pd.DataFrame({"N": [3e8, 3e9, 3e10], "D": [3e11, 3e10, 3e9]})
    plan = bs.plan(open_comparison, listed, spend=1e21, target=1e22, aim="laws", runs=2)
    chances = np.array([0.5, 0.3, 0.2])
    assert dict(plan.weights) == {"chinchilla": 0.5, "tilt": 0.3, "compute_floor": 0.2}
    assert plan.aim_before == pytest.approx(-(chances * np.log(chances)).sum())
    assert 0 <= plan.aim_after < 0.9 * plan.aim_before
    assert plan.worthwhile
    assert (plan.candidates["gain"] > 0).all()
    assert plan.expected_regret_after < plan.expected_regret_before


def test_laws_without_a_best_split_can_still_be_told_apart(open_comparison):
    fits = {name: open_comparison.fits[name] for name in ("tilt", "compute_floor")}
    comparison = dataclasses.replace(open_comparison, fits=fits, table=open_comparison.table.loc[list(fits)])
    plan = bs.plan(comparison, spend=1e22, target=1e24, aim="laws", runs=2)
    assert np.isnan(plan.expected_regret_before)
    assert plan.targets.empty
    assert plan.check is None
    assert any("regret is not reported" in note for note in plan.notes)
    with pytest.raises(bs.InputError, match="best split"):
        bs.plan(comparison, spend=1e22, target=1e24)


def test_laws_that_are_told_apart_leave_nothing_to_plan(wide_comparison):
    with pytest.raises(bs.InputError, match="no laws are left to distinguish: chinchilla is decidedly better"):
        bs.plan(wide_comparison, spend=1e22, target=1e24, aim="laws")


def test_a_comparison_is_averaged_like_an_allocation(wide_comparison):
    plan = bs.plan(wide_comparison, spend=1e22, target=1e24, runs=3)
    assert dict(plan.weights) == dict(bs.allocate(wide_comparison, [1e24]).weights)


# Faults


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"spend": 0.0}, "spend is 0.0; expected FLOP above zero, such as 1e20"),
        ({"spend": -1e20}, "spend is -1e\\+20"),
        ({"spend": "1e20"}, "spend is '1e20'"),
        ({"spend": float("nan")}, "spend is nan"),
        ({"spend": float("inf")}, "spend is inf"),
        ({"spend": True}, "spend is True"),
        ({"target": None}, "target is None; expected budgets in FLOP"),
        ({"target": []}, "target is \\[\\]"),
        ({"target": [1e23, -1.0]}, "target is \\[1e\\+23, -1.0\\]"),
        ({"target": "much"}, "much"),
        ({"aim": "profit"}, "aim is 'profit'; expected one of regret, laws, size, loss"),
        ({"aim": "laws"}, "one fit was given"),
        ({"runs": 0}, "runs is 0"),
        ({"runs": 2.5}, "runs is 2.5"),
        ({"probability": 1.5}, "probability is 1.5"),
        ({"spend": 1e10}, "too little for any run like those of few"),
        ({"candidates": pd.DataFrame({"N": [1e9]})}, "candidates need columns N, D.*found 1 rows with N"),
        ({"candidates": pd.DataFrame({"N": [], "D": []})}, "one or more rows; found 0 rows"),
        ({"candidates": pd.DataFrame({"N": [1e9, -1.0], "D": [2e10, 2e10]})}, "column N is -1.0 in row 1"),
        ({"candidates": pd.DataFrame({"N": ["1B"], "D": [2e10]})}, "column N is '1B' in row 0"),
        ({"candidates": pd.DataFrame({"N": [1e12], "D": [2e13]})}, "no candidate is affordable: the cheapest costs"),
    ],
)
def test_unusable_arguments_are_refused_with_a_remedy(few_fit, changed, message):
    arguments = {"spend": 1e21, "target": TARGET} | changed
    with pytest.raises(bs.InputError, match=message):
        bs.plan(few_fit, **arguments)


def test_a_law_of_compute_alone_has_no_split_to_plan_for(wide_comparison):
    with pytest.raises(bs.InputError, match="best split"):
        bs.plan(wide_comparison.fits["compute_floor"], spend=1e21, target=TARGET)


def test_doubts_of_the_fit_go_with_the_plan(few_runs, synthetic_fit):
    doubtful = synthetic_fit("chinchilla", few_runs, failures=("R-hat of E is 1.2",))
    found = bs.plan(doubtful, spend=1e21, target=TARGET, runs=1)
    assert found.doubts == ("chinchilla: R-hat of E is 1.2",)
    assert found.headline.startswith("Doubtful, by the diagnostics (chinchilla): ")
    assert repr(found).startswith("Doubtful: chinchilla: R-hat of E is 1.2\n")


# Record and figure


def test_the_record_has_the_promised_fields(found):
    record = json.loads(json.dumps(without_infinities(plan_record(found)), allow_nan=False))
    assert {"spend", "next_runs", "expected_regret_before", "expected_regret_after"} <= set(record)
    assert len(record["next_runs"]) == len(found.runs)
    for run in record["next_runs"]:
        assert {"N", "D", "flops", "regret_saved"} <= set(run)
    assert record["cost"] <= record["spend"]
    assert record["lowers"]["after_every_candidate"] <= record["lowers"]["after"]


def test_the_figure_shows_candidates_and_chosen_runs(found):
    ax = plot_plan(found)
    labels = ax.get_legend_handles_labels()[1]
    for words in ("runs done", "candidates", "split to be decided", "chosen, area by gain"):
        assert words in labels
    assert ax.get_title(loc="left") == f"The next {len(found.runs)} runs"
    (marks,) = ax.collections
    assert len(marks.get_offsets()) == len(found.runs)
    sizes = marks.get_sizes()
    assert sizes.argmax() == found.runs["gain"].to_numpy().argmax()

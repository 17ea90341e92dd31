"""Tests of isoFLOP minima: they find the best sizes of known laws, and are silent where the law is right."""

import numpy as np
import pandas as pd
import pytest
from made import crossed, exact_sizes
from scipy import stats

from bayescale.decisions import disagreement as slices
from bayescale.decisions.disagreement import BEYOND_CHANCE, disagreement, minima_notes
from bayescale.errors import InputError
from bayescale.runs import RunTable
from bayescale.splits.minima import isoflop_minima, line_sizes
from bayescale.splits.slices import budgets
from bayescale.splits.valleys import read_valleys

LOPSIDED = {"E": 2.1, "A": 230.0, "B": 3e6, "alpha": 0.3, "beta": 0.7}
"""A law whose valleys are steeper on the side of large models, as fits of the Gemstones runs are."""


OFF_BUDGET = {"E": 1.82, "A": 482.0, "alpha": 0.3478, "B": 2085.0, "beta": 0.3658}
"""Small models of a published table miss their budgets by 12% one way, large ones by 18% the other; its law."""


@pytest.mark.parametrize("truth", ["even", "lopsided"])
def test_minima_without_noise_are_those_of_the_law(make_runs, truth):
    values = {"even": make_runs.truth, "lopsided": LOPSIDED}[truth]
    found = isoflop_minima(crossed(make_runs, values, noise=1e-7))
    assert len(found.table) == 6
    np.testing.assert_allclose(found.table["N"], exact_sizes(values, found.table["flops"]), rtol=0.03)
    exponent = values["beta"] / (values["alpha"] + values["beta"])
    assert np.median(found.lines[:, 1]) == pytest.approx(exponent, abs=0.01)


@pytest.mark.parametrize("truth", ["even", "lopsided"])
def test_intervals_of_minima_and_of_the_exponent_hold_what_they_promise(make_runs, truth):
    values = {"even": make_runs.truth, "lopsided": LOPSIDED}[truth]
    inside, slopes = [], []
    for seed in range(40):
        found = isoflop_minima(crossed(make_runs, values, seed=seed), random_seed=seed)
        best = exact_sizes(values, found.table["flops"])
        inside += list((found.table["lower"] <= best) & (best <= found.table["upper"]))
        low, high = np.quantile(found.lines[:, 1], [0.05, 0.95])
        slopes.append(low <= values["beta"] / (values["alpha"] + values["beta"]) <= high)
    assert 0.83 <= np.mean(inside) <= 0.96
    assert np.sum(slopes) >= stats.binom.ppf(0.005, 40, 0.9)


def off_budget(make_runs, kind, seed, sizes=14, noise=0.008):
    """Return runs that miss their budgets by what their size is, as published slices do, or slices of another shape."""
    rng, budgets = np.random.default_rng(seed), np.array([1e19, 3e19, 1e20, 3e20])
    log_N = np.broadcast_to(np.linspace(np.log(2.5e8), np.log(1.2e10), sizes), (4, sizes))
    if kind in ("around", "at the end"):
        steps = np.linspace(-1.4, 1.4, sizes) if kind == "around" else np.linspace(-2.2, 0.35, sizes)
        log_N = np.log(exact_sizes(OFF_BUDGET, budgets))[:, None] + steps + rng.uniform(-0.15, 0.15, (4, 1))
    miss = {
        "jump": np.log(np.where(log_N < np.log(1.2e9), 1.12, 0.82)) + 0.02 * rng.standard_normal(log_N.shape),
        "drift": 0.25 * np.linspace(-0.5, 0.5, sizes) + 0.02 * rng.standard_normal(log_N.shape),
    }.get(kind, 0.0)
    N = np.exp(log_N).ravel()
    C = (budgets[:, None] * np.exp(miss) * np.ones(sizes)).ravel()
    runs = make_runs.of(N, C / (6 * N), truth=OFF_BUDGET, noise=noise, seed=seed, name=kind)
    if kind != "one diverged":
        return runs
    loss = runs.frame["loss"] * np.where(np.arange(N.size) == rng.integers(N.size), np.e, 1.0)
    return RunTable.from_frame(runs.frame.assign(loss=loss), name=kind)


SLICES = {
    "jump": ("jump", 14, 0.008),
    "drift": ("drift", 14, 0.008),
    "one diverged": ("one diverged", 14, 0.008),
    "4 runs": ("around", 4, 0.003),
    "8 runs": ("around", 8, 0.003),
    "40 runs": ("around", 40, 0.01),
    "at the end": ("at the end", 8, 0.003),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", SLICES)
def test_minima_are_covered_as_promised_whatever_the_slices(make_runs, case, record_property):
    kind, sizes, noise = SLICES[case]
    inside = []
    for seed in range(200):
        found = read_valleys(off_budget(make_runs, kind, seed, sizes, noise), samples=400, random_seed=seed)
        if found is not None:
            best = np.log(exact_sizes(OFF_BUDGET, np.exp([part.log_training for part in found.slices])))
            low, high = np.quantile(found.log_sizes, [0.05, 0.95], axis=0)
            inside += list((low <= best) & (best <= high))
    record_property(case, f"{np.mean(inside):.3f}")
    assert len(inside) > 600
    assert 0.85 <= np.mean(inside) <= 0.95


@pytest.mark.parametrize("kind", ["jump", "drift"])
def test_slices_that_miss_their_budget_by_size_stay_whole_and_have_the_right_minima(make_runs, kind):
    """Cut in two, or with a slope of C that is confounded with that of N, minima come out 4 times off."""
    exponent, held = OFF_BUDGET["beta"] / (OFF_BUDGET["alpha"] + OFF_BUDGET["beta"]), []
    for seed in range(20):
        runs = off_budget(make_runs, kind, seed, noise=0.004)
        found = isoflop_minima(runs, random_seed=seed)
        assert (found.table["runs"] == 14).all()
        assert found.table["spread"].between(1.2, 1.75).all()
        assert found.table["moved"].between(0.005, 0.05).all()
        best = exact_sizes(OFF_BUDGET, found.table["flops"])
        assert np.abs(np.log(found.table["N"] / best)).max() < np.log(1.6)
        low, high = np.quantile(found.lines[:, 1], [0.05, 0.95])
        held.append(low < exponent < high)
    assert np.sum(held) >= stats.binom.ppf(0.005, 20, 0.9)


def test_the_rows_of_a_slice_are_places_in_the_table(make_runs):
    runs = crossed(make_runs, make_runs.truth)
    mixed = RunTable.from_frame(runs.frame.sample(frac=1, random_state=1).reset_index(drop=True), name="mixed")
    found = isoflop_minima(mixed)
    for rows, flops in zip(found.rows, found.table["flops"], strict=True):
        own = mixed.frame.iloc[rows]
        np.testing.assert_allclose(own["C"], flops, rtol=1e-6)
        assert own["N"].is_monotonic_increasing


def test_budgets_are_those_that_the_table_names_or_the_widest_gaps_of_compute():
    log_C = np.log(np.array([1e18, 1.1e18, 1.5e18, 4e18, 4.2e18, 3.9e18]))
    np.testing.assert_array_equal(budgets(log_C) == budgets(log_C)[0], [True] * 3 + [False] * 3)
    repeated = np.log(np.repeat([1e18, 1.3e18], 5))
    assert len(np.unique(budgets(repeated))) == 2  # closer than groups of like C, but each value repeats
    shuffled = np.random.default_rng(0).permutation(6)
    same = budgets(log_C[shuffled])[:, None] == budgets(log_C[shuffled])
    np.testing.assert_array_equal(same, (budgets(log_C)[:, None] == budgets(log_C))[np.ix_(shuffled, shuffled)])


def test_the_order_of_rows_does_not_matter_and_the_seed_does(make_runs):
    runs = crossed(make_runs, make_runs.truth)
    mixed = RunTable.from_frame(runs.frame.sample(frac=1, random_state=1), name="mixed")
    first, second = isoflop_minima(runs), isoflop_minima(mixed)
    pd.testing.assert_frame_equal(first.table, second.table)
    np.testing.assert_array_equal(first.lines, second.lines)
    assert not np.array_equal(first.lines, isoflop_minima(runs, random_seed=1).lines)


def test_more_noise_and_less_probability_change_the_intervals_as_they_should(make_runs):
    def width(noise, probability=0.9):
        table = isoflop_minima(crossed(make_runs, make_runs.truth, noise=noise), probability=probability).table
        return np.log(table["upper"] / table["lower"]).median()

    assert width(0.003, 0.5) < 0.6 * width(0.003) < 0.6 * 0.6 * width(0.01)


def test_compute_that_varies_inside_a_budget_is_allowed_for(make_runs):
    """Larger runs of a bin have larger N and less loss; without its slope the minimum would move up."""
    rng, budgets = np.random.default_rng(0), np.geomspace(1e18, 1e21, 6)
    log_N = np.log(exact_sizes(make_runs.truth, budgets))[:, None] + np.linspace(-1.2, 1.2, 16)
    tilted = np.log(budgets)[:, None] + np.linspace(-0.25, 0.25, 16) + rng.uniform(-0.05, 0.05, log_N.shape)
    N, C = np.exp(log_N).ravel(), np.exp(tilted).ravel()
    labels = np.repeat([f"b{i}" for i in range(6)], 16)
    runs = make_runs.of(N, C / (6 * N), noise=1e-6, budget=labels)
    found = isoflop_minima(runs)
    np.testing.assert_allclose(found.table["N"], exact_sizes(make_runs.truth, found.table["flops"]), rtol=0.05)


def test_a_slice_whose_least_loss_is_at_its_end_has_no_minimum(make_runs):
    runs = crossed(make_runs, make_runs.truth)
    best = exact_sizes(make_runs.truth, runs.frame["C"])
    first = runs.frame["C"] < 2e18
    cut = RunTable.from_frame(runs.frame[~first | (runs.frame["N"] < 0.9 * best)], name="cut")
    assert len(isoflop_minima(cut).table) == 5


def test_tables_without_slices_are_refused_with_a_remedy(make_runs):
    runs = crossed(make_runs, make_runs.truth)
    few = RunTable.from_frame(runs.frame[runs.frame["C"] < 6e18], name="few")
    with pytest.raises(InputError, match=r"few: 2 slices of like C .* expected 3 or more; train runs of one compute"):
        isoflop_minima(few)
    curve = pd.DataFrame({"D": np.geomspace(1e9, 1e10, 6), "loss": np.linspace(3.0, 2.5, 6)})
    with pytest.raises(InputError, match="curve: isoFLOP slices need columns N and C; the table has no N and no C"):
        isoflop_minima(RunTable.from_frame(curve, name="curve", needs=("D",)))
    with pytest.raises(InputError, match="probability"):
        isoflop_minima(runs, probability=1.5)


def test_the_line_goes_on_as_a_power_of_compute(make_runs):
    found = isoflop_minima(crossed(make_runs, make_runs.truth))
    sizes = line_sizes(found, np.array([1e22, 1e23, 1e24]))
    growth = np.diff(np.log10(sizes), axis=1)
    np.testing.assert_allclose(growth, np.repeat(found.lines[:, 1:], 2, axis=1), rtol=1e-9)
    spread = np.log(sizes).std(axis=0)
    assert (np.diff(spread) > 0).all()


# Beside a law


def test_a_right_law_seldom_raises_a_note(make_runs, synthetic_fit):
    raised = 0
    for seed in range(25):
        fitted = synthetic_fit("chinchilla", crossed(make_runs, make_runs.truth, seed=seed))
        raised += bool(minima_notes({"chinchilla": fitted}, {"chinchilla": 1.0}, np.array([1e22]), 0.9))
    assert raised <= stats.binom.ppf(0.999, 25, 0.03)


def test_a_law_with_other_best_sizes_raises_a_note_that_says_which(make_runs, synthetic_fit):
    runs = crossed(make_runs, make_runs.truth)
    wrong = synthetic_fit("chinchilla", runs, {**make_runs.truth, "A": 1.5 * make_runs.truth["A"]}, spread=0.005)
    (note,) = minima_notes({"chinchilla": wrong}, {"chinchilla": 1.0}, np.array([1e22]), 0.9)
    assert note.startswith("the runs' own isoFLOP minima disagree with the best sizes of chinchilla: at ")
    assert note.endswith("The sizes given here follow the minima, and their intervals have what the law misses")


def test_best_sizes_that_part_only_beyond_the_runs_raise_a_note(make_runs, synthetic_fit, monkeypatch):
    runs = crossed(make_runs, make_runs.truth)
    fitted = synthetic_fit("chinchilla", runs)
    budgets = np.array([1e25])
    found = slices._best_sizes
    bent = {"factor": 1.0}

    def bending(fits, weights, flops):
        return found(fits, weights, flops) + np.log(np.where(flops > 1e22, bent["factor"], 1.0))

    monkeypatch.setattr(slices, "_best_sizes", bending)
    assert minima_notes({"chinchilla": fitted}, {"chinchilla": 1.0}, budgets, 0.9) == []
    bent["factor"] = 0.1
    (note,) = minima_notes({"chinchilla": fitted}, {"chinchilla": 1.0}, budgets, 0.9)
    assert "at 1e25 FLOP" in note


def test_a_difference_too_small_to_matter_is_not_told(make_runs, synthetic_fit):
    runs = crossed(make_runs, make_runs.truth, noise=1e-5)
    truth = {**make_runs.truth, "A": 1.03 * make_runs.truth["A"]}
    fitted = synthetic_fit("chinchilla", runs, truth, spread=1e-5)
    minima = isoflop_minima(runs)
    law = slices._best_sizes({"c": fitted}, {"c": 1.0}, minima.table["flops"].to_numpy())
    assert disagreement(minima, law) > BEYOND_CHANCE
    assert minima_notes({"c": fitted}, {"c": 1.0}, np.array([1e21]), 0.9) == []


def test_tables_without_slices_raise_no_note(make_runs, synthetic_fit):
    runs = crossed(make_runs, make_runs.truth)
    few = RunTable.from_frame(runs.frame[runs.frame["C"] < 6e18], name="few")
    fitted = synthetic_fit("chinchilla", few, make_runs.truth)
    assert minima_notes({"chinchilla": fitted}, {"chinchilla": 1.0}, np.array([1e22]), 0.9) == []


def test_laws_that_do_not_split_raise_no_note(make_runs, synthetic_fit):
    runs = crossed(make_runs, make_runs.truth)
    fitted = synthetic_fit("compute_floor", runs)
    assert minima_notes({"compute_floor": fitted}, {"compute_floor": 1.0}, np.array([1e22]), 0.9) == []

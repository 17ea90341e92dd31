import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from bayescale.comparison.comparison import compare
from bayescale.comparison.deciding import find_deciding_runs
from bayescale.comparison.effect import OWN, Effect, find_effects
from bayescale.comparison.odds import Kinds, Lead, calibration, drawn_totals, score_of
from bayescale.comparison.statements import Grounds, reasons_sentence, verdict_statement
from bayescale.comparison.verdict import LEVELS, UNDECIDED, answer_at, judge
from bayescale.designs.simulation import simulate
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.fits.fitting import fit_laws
from bayescale.intervals import Interval, credible_interval
from bayescale.records.comparison import verdict_record
from bayescale.splits.optimum import find_optimum, loss_on_budget
from bayescale.splits.waste import FACTORS, find_waste

LAWS_ASKED = ("compute_floor", "chinchilla", "tilt")


def compared(fits):
    return compare(fits, max_refits=0)


def ridge(truth, flops):
    """Return E, exponent of compute, best N and loss above E by N of an additive law (Hoffmann et al., Eq. 4)."""
    E, A, B, alpha, beta = (truth[name] for name in ("E", "A", "B", "alpha", "beta"))
    N = (alpha * A / (beta * B)) ** (1 / (alpha + beta)) * (flops / 6) ** (beta / (alpha + beta))
    return E, alpha * beta / (alpha + beta), N, lambda size: A / size**alpha + B / (flops / 6 / size) ** beta


@pytest.fixture(scope="module")
def split_verdict(wide_comparison):
    """The truth is a law of N and D, and the table shows it."""
    return judge(wide_comparison)


@pytest.fixture(scope="module")
def compute_comparison(make_runs, synthetic_fit):
    """The truth is a law of compute alone, on the same wide grid."""
    runs = make_runs.of(*make_runs.isoflop(), law="compute_floor", truth=make_runs.floor_truth, name="by compute")
    return compared({name: synthetic_fit(name, runs) for name in LAWS_ASKED})


@pytest.fixture(scope="module")
def ridge_comparison(make_runs, synthetic_fit):
    """The truth is a law of N and D, and all runs lie close to its best split."""
    runs = make_runs.of(*make_runs.isoflop(width=0.45, center=20), name="ridge")
    E, gamma, N, excess = ridge(make_runs.truth, 1e20)
    truths = {"compute_floor": {"E": E, "K": excess(N) * 1e20**gamma, "gamma": gamma}, "chinchilla": make_runs.truth}
    # With so much noise the two laws predict alike; the best split is known all the same.
    fits = {name: synthetic_fit(name, runs, truth, spread=1e-3, sigma=0.3) for name, truth in truths.items()}
    return compared(fits)


@pytest.fixture(scope="module")
def collinear_comparison(make_runs, synthetic_fit):
    """The same truth on runs that all have 20 tokens per parameter."""
    N = np.geomspace(1e7, 1e10, 120)
    runs = make_runs.of(N, 20 * N, name="collinear")
    return compared({name: synthetic_fit(name, runs) for name in LAWS_ASKED})


# The five answers


def test_a_wide_table_of_a_law_of_both_says_that_the_split_matters(split_verdict):
    assert split_verdict.answer == "split_matters"
    assert (split_verdict.compute_law, split_verdict.split_law) == ("compute_floor", "chinchilla")
    assert split_verdict.probability > 0.99
    assert split_verdict.effect_above_tolerance > 0.95
    assert split_verdict.difference.elpd_diff < -100
    assert split_verdict.reasons == split_verdict.remedies == ()
    assert "compute alone does not explain loss" in split_verdict.statement
    assert "compute_floor" in split_verdict.statement
    assert "chinchilla" in split_verdict.statement
    assert "the split matters with probability above 0.99" in split_verdict.statement


def test_a_wide_table_of_a_law_of_compute_says_that_compute_suffices(compute_comparison):
    verdict = judge(compute_comparison)
    assert verdict.answer == "compute_suffices"
    assert verdict.probability < 0.02
    assert verdict.effect.upper == 0
    assert verdict.difference.elpd_diff > 0
    assert verdict.reasons == ()
    assert "compute alone explains loss well enough" in verdict.statement
    error = (verdict.tilt.upper - verdict.tilt.lower) / (2 * 1.645)  # of an interval of 90%
    assert abs(verdict.tilt.median) < 2.6 * error
    assert error < 0.005  # so that a tilt of 0.013 would be found; loss moves with compute by an exponent of 0.17


@pytest.mark.parametrize(
    ("above", "answer"),
    [
        (0.0, "compute_suffices"),
        (0.05, "compute_suffices"),
        (0.051, "probably_suffices"),
        (0.2, "probably_suffices"),
        (0.21, "cannot_tell"),
        (0.79, "cannot_tell"),
        (0.8, "probably_matters"),
        (0.949, "probably_matters"),
        (0.95, "split_matters"),
    ],
)
def test_the_answer_follows_from_the_probability_of_a_cost_above_the_tolerance(above, answer):
    assert answer_at(above) == answer


def test_a_split_that_costs_little_over_all_the_runs_does_not_matter_there(ridge_comparison):
    verdict = judge(ridge_comparison, tolerance=0.2)
    assert 0.05 < verdict.probability < 0.95
    assert verdict.answer == "compute_suffices"
    assert verdict.effect.upper < 0.2
    assert "ignoring the split costs less than 20% extra compute between" in verdict.statement


def test_a_split_whose_cost_is_not_known_to_be_small_is_no_yes(ridge_comparison):
    lax, strict = (judge(ridge_comparison, tolerance=tolerance) for tolerance in (0.2, 0.001))
    assert lax.probability == strict.probability
    assert lax.effect_above_tolerance <= 0.05 < strict.effect_above_tolerance
    assert strict.effect_above_tolerance <= strict.probability + 1e-9  # a sum of weights
    assert strict.answer in UNDECIDED


def test_a_collinear_table_cannot_tell_and_says_why(collinear_comparison):
    verdict = judge(collinear_comparison)
    assert verdict.answer == "cannot_tell"
    assert verdict.probability == 0.5
    assert verdict.reasons[0].startswith("runs of like compute hardly differ in size (s.d. of log10 N is 0.00")
    assert verdict.reasons[0][1:] in verdict.statement
    assert "cannot tell whether compute alone explains loss" in verdict.statement


# What is not decided has a price


def test_a_table_that_cannot_tell_is_given_the_runs_that_would_decide_and_what_they_cost(collinear_comparison):
    verdict = judge(collinear_comparison)
    (remedy,), runs = verdict.remedies, verdict.deciding
    assert remedy.startswith(f"{len(runs.N)} runs of one recipe at ")
    assert "FLOP in all" in remedy
    assert np.allclose(6 * runs.N * runs.D, runs.flops)
    assert runs.if_not <= 0.05
    assert runs.if_matters >= 0.95
    C = collinear_comparison.runs.frame["C"]
    assert runs.part == pytest.approx(len(runs.N) * runs.flops / C.sum())
    assert C.min() <= runs.flops <= C.max()


@pytest.mark.slow
def test_the_runs_that_would_decide_take_the_probability_to_the_side_of_the_truth(make_runs):
    N, D = make_runs.isoflop(budgets=(1e19, 1e20), sizes=6, width=0.3)
    for law, truth, low, high in (
        ("chinchilla", make_runs.truth, LEVELS[2], 1.0),  # 0.95 and 0.05 are expected, and this is one draw of it
        ("compute_floor", make_runs.floor_truth, 0.0, LEVELS[1]),
    ):
        before = make_runs.of(N, D, law=law, truth=truth, noise=0.01, name="before")
        first = judge(compare(fit_laws(before, LAWS_ASKED)))
        assert first.answer in UNDECIDED
        more = (np.append(N, first.deciding.N), np.append(D, first.deciding.D))
        after = make_runs.of(*more, law=law, truth=truth, noise=0.01, name="after")
        assert low < judge(compare(fit_laws(after, LAWS_ASKED))).probability < high


def test_noisier_runs_need_more_of_them(wide_runs, synthetic_fit, make_runs):
    fits = [synthetic_fit("chinchilla", wide_runs, make_runs.truth, sigma=sigma) for sigma in (0.01, 0.02)]
    few, many = (find_deciding_runs(fitted, None) for fitted in fits)
    assert len(few.N) < len(many.N)
    assert find_deciding_runs(synthetic_fit("chinchilla", wide_runs, make_runs.truth, sigma=3.0), None) is None


def with_families(fitted, families):
    """Return the same fit of runs that belong to so many families."""
    tree = fitted.data.copy()
    constant = tree["constant_data"].to_dataset()
    names = [f"family {i % families}" for i in range(constant.sizes["run"])]
    tree["constant_data"] = xr.DataTree(constant.assign(family=("run", names)))
    return dataclasses.replace(fitted, data=tree)


def test_pooled_families_cannot_tell_however_large_the_difference(wide_comparison):
    pooled, single = (
        judge(compared({name: with_families(fitted, count) for name, fitted in wide_comparison.fits.items()}))
        for count in (3, 1)
    )
    assert pooled.difference.decided
    assert pooled.answer == "cannot_tell"
    assert pooled.reasons[0] == (
        "the runs pool 3 families that differ in more than N and D; ask within families (--within-families, or "
        "groups.within_families)"
    )
    assert "runs of one recipe at" in pooled.remedies[0]
    assert single.answer == "split_matters"


def test_families_of_one_model_each_are_refused_in_one_sentence(wide_comparison, wide_runs):
    count = len(wide_runs.frame)
    alone = judge(compared({name: with_families(fitted, count) for name, fitted in wide_comparison.fits.items()}))
    assert alone.answer == "cannot_tell"
    assert alone.reasons == (f"the runs pool {count} families that differ in more than N and D, with one model each",)


def test_families_whose_models_hardly_differ_at_like_compute_are_refused_in_one_sentence(make_runs, synthetic_fit):
    N = np.geomspace(1e7, 1e10, 12)
    runs = make_runs.of(*(np.concatenate([a, b]) for a, b in ((N, N), (20 * N, 200 * N))), name="two ratios")
    fits = {name: with_families(synthetic_fit(name, runs), 2) for name in LAWS_ASKED}
    ratio = {name: fitted.runs.frame["D"] / fitted.runs.frame["N"] for name, fitted in fits.items()}
    for name, fitted in fits.items():
        constant = fitted.data["constant_data"].to_dataset()
        own = ("run", np.where(ratio[name] > 100, "young", "old"))
        fitted.data["constant_data"] = xr.DataTree(constant.assign(family=own))
    verdict = judge(compared(fits))
    assert verdict.answer == "cannot_tell"
    assert verdict.reasons[0].startswith(
        "the runs pool 2 families that differ in more than N and D, and within them models of like compute hardly "
        "differ in size (s.d. of log10 N is 0.00"
    )


def test_a_law_that_failed_is_left_out_where_the_answer_does_not_depend_on_it(
    wide_runs, wide_comparison, split_verdict, synthetic_fit
):
    fits = dict(wide_comparison.fits) | {"tilt": synthetic_fit("tilt", wide_runs, failures=("R-hat of E is 1.7",))}
    verdict = judge(compared(fits))
    assert verdict.answer == split_verdict.answer == "split_matters"
    assert "left out of the verdict, as their diagnostics failed: tilt" in verdict.notes
    assert verdict.tilt_law == "chinchilla"


def test_a_law_that_failed_counts_against_an_answer_that_depends_on_it(compute_comparison, make_runs, synthetic_fit):
    runs = make_runs.of(*make_runs.isoflop(), law="compute_floor", truth=make_runs.floor_truth, name="by compute")
    failed = synthetic_fit("tilt", runs, failures=("R-hat of E is 1.7",))
    comparison = compared(dict(compute_comparison.fits) | {"tilt": failed})
    assert judge(comparison).answer == "compute_suffices"
    loo = comparison.pointwise["tilt"]
    leading = {**comparison.pointwise, "tilt": dataclasses.replace(loo, elpd_i=loo.elpd_i + 1.0)}
    verdict = judge(dataclasses.replace(comparison, pointwise=leading))
    assert verdict.answer == "cannot_tell"
    assert verdict.reasons[0] == "the diagnostics of tilt failed; fit again with more draws"


@pytest.mark.parametrize("failing", ["compute_floor", "chinchilla"])
def test_failed_diagnostics_cannot_tell(wide_runs, wide_comparison, synthetic_fit, failing):
    fits = dict(wide_comparison.fits) | {failing: synthetic_fit(failing, wide_runs, failures=("R-hat of E is 1.3",))}
    verdict = judge(compared(fits))
    assert verdict.answer == "cannot_tell"
    assert verdict.reasons[0] == f"the diagnostics of {failing} failed; fit again with more draws"
    assert verdict.remedies


# The probability


def totals(differences, doubtful=None, units=None):
    """Return drawn totals of compute_floor and of chinchilla, which is ahead by so much at each row."""
    ahead = np.asarray(differences, dtype=float)
    elpd_i = np.stack([np.zeros_like(ahead), ahead])
    doubt = np.zeros(elpd_i.shape, dtype=bool) if doubtful is None else np.stack([doubtful, doubtful])
    return drawn_totals(elpd_i, np.arange(ahead.size) if units is None else units, doubt)


PAIR = Kinds(("compute_floor",), ("chinchilla",))
PLAIN = Lead(0.0, 0.0, 0.0)


def test_the_plain_score_is_the_student_t_probability_of_the_difference():
    ahead = np.random.default_rng(3).normal(0.1, 1.0, size=8)
    expected = stats.t.cdf(ahead.sum() / np.sqrt(8 * ahead.var(ddof=1)), 7)
    assert score_of(totals(ahead), PAIR, PLAIN)[0] == pytest.approx(expected, abs=0.012)  # 3.5 s.e. of 20000 draws


def test_few_runs_of_a_given_difference_are_less_sure_than_many():
    few, many = (score_of(totals(np.tile([0.0, 2.0], n) * 4 / n), PAIR, PLAIN)[0] for n in (2, 40))
    assert few < many


def test_rows_of_one_training_run_count_as_one():
    ahead, units = np.repeat([0.2, 1.6, 0.4, 1.0], 10), np.repeat(np.arange(4), 10)
    alone, together = score_of(totals(ahead), PAIR)[0], score_of(totals(ahead, units=units), PAIR)[0]
    assert together < alone
    assert score_of(totals([0.3, 0.4], units=np.zeros(2, dtype=int)), PAIR)[0] == 0.5  # a single unit says nothing


def test_a_row_whose_density_is_not_to_be_trusted_makes_the_probability_less_sure():
    ahead = np.append(np.full(30, 0.1) + np.tile([-0.1, 0.1], 15), 6.0)
    sure, unsure = (score_of(totals(ahead, doubtful=ahead > limit), PAIR)[0] for limit in (9.0, 5.0))
    assert 0.5 < unsure < sure


def test_the_choice_among_more_laws_of_compute_counts_for_compute():
    rng = np.random.default_rng(4)
    rows = rng.normal(0, 1, size=(6, 40))
    one, five = (
        score_of(
            drawn_totals(np.vstack([rows[:n], rows[5:]]), np.arange(40), np.zeros((n + 1, 40), dtype=bool)),
            Kinds(tuple(f"compute {i}" for i in range(n)), ("chinchilla",)),
            PLAIN,
        )[0]
        for n in (1, 5)
    )
    assert five < one


def test_a_law_without_a_best_split_has_to_lead_by_more():
    split, lean = (
        score_of(totals(np.tile([0.1, 0.4], 15)), Kinds(("compute_floor",), *kinds))[0]
        for kinds in ((("chinchilla",),), ((), ("tilt",)))
    )
    assert lean < split


def test_no_probability_is_surer_than_the_simulated_tables(split_verdict):
    assert split_verdict.probability == 1 - calibration()["least"]


# The effect


def test_the_effect_is_nothing_with_the_probability_of_compute_alone(wide_comparison, wide_fit):
    shares = {"chinchilla": 1.0}
    at = {"flops": 1e20, "tolerance": 0.05, "probability": 0.9}
    whole, half, none = (find_effects(wide_comparison.fits, shares, p, **at) for p in (1.0, 0.4, 0.0))
    for sure, unsure, nothing in zip(whole, half, none, strict=True):
        assert sure.extra_compute.median > 0.05
        assert unsure.extra_compute.median == 0.0
        assert unsure.extra_compute.upper == pytest.approx(sure.extra_compute.median, rel=0.2)
        assert unsure.above_tolerance == pytest.approx(0.4 * sure.above_tolerance)
        assert nothing.extra_compute.upper == nothing.above_tolerance == 0.0
    waste = {each.factor: each.extra_compute.median for each in find_waste(wide_fit, 1e20, 0.9)[0]}
    for effect in whole[1:]:
        assert effect.extra_compute.median == pytest.approx(waste[effect.factor], rel=0.03)  # 400 of 2000 draws


def test_the_effect_at_the_runs_own_ratios_is_the_closed_form_at_a_known_law(wide_runs, synthetic_fit, make_runs):
    fitted = synthetic_fit("chinchilla", wide_runs, make_runs.truth, spread=1e-9, draws=20)
    _, gamma, N, excess = ridge(make_runs.truth, 1e20)
    ratios = np.quantile(wide_runs.frame["D"] / wide_runs.frame["N"], OWN)
    expected = np.mean([(excess(np.sqrt(1e20 / 6 / ratio)) / excess(N)) ** (1 / gamma) - 1 for ratio in ratios])
    options = {"flops": 1e20, "tolerance": 0.05, "probability": 0.9}
    (own, *_) = find_effects({"chinchilla": fitted}, {"chinchilla": 1.0}, 1.0, **options)
    assert own.factor is None
    assert own.extra_compute.median == pytest.approx(expected, rel=1e-4)


def test_draws_without_a_best_split_count_as_costly(wide_fit):
    flat = with_flat_draws(wide_fit, 0.25)
    options = {"flops": 1e20, "tolerance": 50.0, "probability": 0.9}
    (own, *_) = find_effects({"chinchilla": flat}, {"chinchilla": 1.0}, 1.0, **options)
    assert own.above_tolerance == pytest.approx(0.25, abs=0.01)
    none = find_effects({"chinchilla": with_flat_draws(wide_fit, 1.0)}, {"chinchilla": 1.0}, 0.7, **options)
    assert none[0].extra_compute is None
    assert none[0].above_tolerance == pytest.approx(0.7)


# The numbers


def test_the_range_of_small_cost_holds_the_best_split(split_verdict, wide_fit):
    found = split_verdict.tokens_per_parameter
    best = find_optimum(wide_fit.draws, np.array([found.flops]))
    ratio = credible_interval(np.exp(best.log_ratio), 0.9)
    assert found.lower < ratio.lower
    assert ratio.upper < found.upper
    assert (found.tolerance, found.probability) == (0.05, 0.9)
    assert found.flops == pytest.approx(wide_fit.reference["C"])


@pytest.mark.parametrize("end", ["lower", "upper"])
def test_the_ends_of_the_range_cost_the_tolerance_with_the_stated_probability(split_verdict, wide_fit, end):
    found = split_verdict.tokens_per_parameter
    budgets = np.array([found.flops / (1 + found.tolerance)])
    cheaper = find_optimum(wide_fit.draws, budgets).loss[:, 0]
    outward = -1 if end == "lower" else 1
    ratio = np.log(getattr(found, end)) + outward * np.array([-1e-4, 1e-2])  # just inside, and just outside
    losses = loss_on_budget(wide_fit.draws, np.full(2, found.flops), ratio)
    inside, outside = (losses <= cheaper[:, None]).mean(axis=0)
    assert outside < found.probability <= inside


def test_a_larger_tolerance_and_a_smaller_probability_widen_the_range(wide_comparison, split_verdict):
    narrow = split_verdict.tokens_per_parameter
    for options in ({"tolerance": 0.2}, {"probability": 0.5}):
        wide = judge(wide_comparison, **options).tokens_per_parameter
        assert wide.lower <= narrow.lower
        assert narrow.upper <= wide.upper
        assert (wide.lower, wide.upper) != (narrow.lower, narrow.upper)


def test_the_range_is_reported_at_the_typical_run_the_largest_and_the_budgets_asked_for(wide_comparison):
    verdict = judge(wide_comparison, budgets=[5.76e23, 1e21])
    C = wide_comparison.runs.frame["C"]
    shown = [found.flops for found in verdict.ranges]
    assert shown == pytest.approx(sorted([verdict.tokens_per_parameter.flops, C.max(), 1e21, 5.76e23]))
    assert verdict.tokens_per_parameter in verdict.ranges
    assert all(found.lower < found.upper for found in verdict.ranges)
    assert len(judge(wide_comparison).ranges) == 2


def test_the_ends_of_the_range_are_less_certain_further_from_the_runs(wide_comparison):
    ranges = judge(wide_comparison, budgets=[1e21, 5.76e23]).ranges
    widths = [np.log(found.lower_end.upper / found.lower_end.lower) for found in ranges]
    assert widths[0] < widths[1] < widths[-1]


def test_the_profile_gives_the_chance_of_a_small_cost_at_each_ratio(split_verdict):
    ratio, chance = split_verdict.profile
    found = split_verdict.tokens_per_parameter
    inside = (found.lower <= ratio) & (ratio <= found.upper)
    assert (np.diff(ratio) > 0).all()
    assert ((chance >= 0) & (chance <= 1)).all()
    assert (chance[inside] >= 0.9).all()
    assert (chance[~inside] < 0.9).all()


def test_the_waste_grows_with_the_error_and_is_the_worse_direction(split_verdict):
    assert tuple(waste.factor for waste in split_verdict.waste) == FACTORS
    medians = [waste.extra_compute.median for waste in split_verdict.waste]
    assert 0 < medians[0] < medians[1] < medians[2]
    for waste in split_verdict.waste:
        assert waste.extra_compute.lower <= waste.extra_compute.median <= waste.extra_compute.upper
        worse = max(waste.too_small.median, waste.too_large.median)
        assert waste.extra_compute.median >= worse
        assert waste.extra_compute.median == pytest.approx(worse, rel=0.05)  # the median of a maximum over draws
        assert waste.extra_compute.probability == 0.9


def with_flat_draws(fitted, part):
    """Return the fit with a part of its draws flat in D, so that they have no best split."""
    tree = fitted.data.copy()
    posterior = tree["posterior"].to_dataset()
    flat = posterior["draw"] < part * posterior.sizes["draw"]
    tree["posterior"] = xr.DataTree(posterior.assign(B=posterior["B"].where(~flat, 0.0)))
    return Fit(fitted.law, tree)


def test_draws_without_a_best_split_are_left_out_of_the_waste_and_counted(wide_fit, wide_comparison):
    whole, notes = find_waste(wide_fit, 1e21, 0.9)
    assert notes == ()
    fitted = with_flat_draws(wide_fit, 0.25)
    count = wide_fit.draws["alpha"].size
    verdict = judge(
        dataclasses.replace(wide_comparison, fits={**wide_comparison.fits, "chinchilla": fitted}), flops=1e21
    )
    note, word = verdict.notes
    assert f"leaves out {count // 4} of {count} draws" in note
    assert word.startswith("ranges of D/N take chinchilla at its word")
    assert verdict_record(verdict)["notes"] == [note, word]
    for ours, all_draws in zip(verdict.waste, whole, strict=True):
        assert ours.extra_compute.median == pytest.approx(all_draws.extra_compute.median, rel=0.02)


def test_where_no_draw_has_a_best_split_there_is_no_waste_and_a_note(wide_fit):
    waste, notes = find_waste(with_flat_draws(wide_fit, 1.0), 1e21, 0.9)
    assert waste == ()
    (note,) = notes
    assert note.startswith("extra compute of a wrong size at 1e21 FLOP is not known: all draws are lost")


def test_the_waste_agrees_with_the_closed_form_at_a_known_law(wide_runs, synthetic_fit, make_runs):
    chinchilla = synthetic_fit("chinchilla", wide_runs, make_runs.truth, spread=1e-9, draws=20)
    floor = synthetic_fit("compute_floor", wide_runs, make_runs.floor_truth, spread=1e-9, draws=20)
    waste = judge(compared({"chinchilla": chinchilla, "compute_floor": floor}), flops=1e21).waste
    _, gamma, N, excess = ridge(make_runs.truth, 1e21)
    for found in waste:
        expected = (excess(N * found.factor) / excess(N)) ** (1 / gamma) - 1
        # The draws differ by 1e-9 and the search ends at steps of 1e-6 in ln C.
        assert found.too_large.median == pytest.approx(expected, rel=1e-4)
        expected = (excess(N / found.factor) / excess(N)) ** (1 / gamma) - 1
        assert found.too_small.median == pytest.approx(expected, rel=1e-4)


def test_the_tilt_is_that_of_the_law_that_infers_it(split_verdict, wide_comparison):
    draws = wide_comparison.fits["tilt"].draws["delta"]
    assert split_verdict.tilt_law == "tilt"
    assert split_verdict.tilt == credible_interval(draws, 0.9)


def test_without_that_law_the_tilt_comes_from_the_slopes_of_the_best(make_runs, synthetic_fit, wide_runs):
    fits = {
        "chinchilla": synthetic_fit("chinchilla", wide_runs, make_runs.truth, spread=1e-9, draws=20),
        "compute_floor": synthetic_fit("compute_floor", wide_runs, make_runs.floor_truth, spread=1e-9, draws=20),
    }
    verdict = judge(compared(fits))
    truth, reference = make_runs.truth, fits["chinchilla"].reference
    on_N = truth["alpha"] * truth["A"] * reference["N"] ** -truth["alpha"]
    on_D = truth["beta"] * truth["B"] * reference["D"] ** -truth["beta"]
    assert verdict.tilt_law == "chinchilla"
    assert verdict.tilt.median == pytest.approx((on_N - on_D) / (on_N + on_D), abs=1e-6)  # finite differences


def test_the_budget_can_be_chosen(wide_comparison, split_verdict):
    verdict = judge(wide_comparison, flops=1e23)
    assert verdict.tokens_per_parameter.flops == 1e23
    assert verdict.tokens_per_parameter.lower != split_verdict.tokens_per_parameter.lower
    assert verdict.difference == split_verdict.difference


# Arguments and the record


@pytest.mark.parametrize("tolerance", [0, 1, -0.1, 5, np.nan])
def test_a_tolerance_is_a_part_of_the_compute(wide_comparison, tolerance):
    with pytest.raises(InputError, match=f"tolerance is {tolerance}; expected extra compute between 0 and 1"):
        judge(wide_comparison, tolerance=tolerance)


@pytest.mark.parametrize("probability", [0, 1, 90, np.nan])
def test_a_probability_of_a_verdict_lies_between_0_and_1(wide_comparison, probability):
    with pytest.raises(InputError, match=f"probability is {probability}"):
        judge(wide_comparison, probability=probability)


@pytest.mark.parametrize("flops", [0, -1e21, np.nan, np.inf])
def test_a_budget_of_a_verdict_is_a_positive_number(wide_comparison, flops):
    with pytest.raises(InputError, match=f"flops is {re.escape(repr(flops))}; expected a budget in FLOP above zero"):
        judge(wide_comparison, flops=flops)


@pytest.mark.parametrize("names", [("chinchilla", "tilt"), ("compute_floor", "tilt"), ("compute_floor", "kaplan_n")])
def test_a_verdict_needs_a_law_of_each_kind(wide_comparison, names):
    fits = {name: wide_comparison.fits[name] for name in names}
    with pytest.raises(InputError) as caught:
        judge(compared(fits))
    assert str(caught.value).startswith("a verdict needs a law of compute alone (such as compute_floor) and a law of N")
    assert all(name in str(caught.value) for name in names)


def test_the_record_of_a_verdict_has_the_promised_fields_and_is_plain_data(split_verdict):
    record = verdict_record(split_verdict)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    promised = {"answer", "statement", "elpd_diff", "dse", "tilt", "tokens_per_parameter", "waste", "probability"}
    assert promised | {"effect", "effect_above_tolerance", "effects", "by_criterion"} <= set(record)
    assert set(record["effect"]) == {"median", "lower", "upper"}
    assert record["probability"] == record["by_criterion"]["point"] == split_verdict.probability
    assert [each["factor"] for each in record["effects"]] == [None, 2, 4, 10]
    assert {"lower", "upper", "tolerance", "probability"} <= set(record["tokens_per_parameter"])
    assert [entry["flops"] for entry in record["ranges"]] == [found.flops for found in split_verdict.ranges]
    for entry in record["ranges"]:
        assert {"flops", "lower", "upper", "tolerance", "probability", "lower_end", "upper_end"} == set(entry)
        assert set(entry["lower_end"]) == set(entry["upper_end"]) == {"median", "lower", "upper"}
    assert set(record["tilt"]) == {"median", "lower", "upper"}
    assert [set(entry) >= {"factor", "extra_compute"} for entry in record["waste"]] == [True] * 3
    assert all(set(entry["extra_compute"]) == {"median", "lower", "upper"} for entry in record["waste"])
    assert record["elpd_diff"] == split_verdict.difference.elpd_diff


def test_the_record_of_a_table_that_cannot_tell_is_plain_data_too(collinear_comparison):
    record = verdict_record(judge(collinear_comparison))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["reasons"]
    assert record["remedies"]
    runs = record["deciding_runs"]
    assert runs["total_flops"] == pytest.approx(runs["flops"] * len(runs["N"]))
    assert runs["probability_if_not"] < runs["probability_if_matters"]


def test_a_table_without_sizes_gets_no_verdict(synthetic_fit):
    runs = simulate(pd.DataFrame({"D": np.geomspace(1e7, 1e10, 30)}), "m1", {"beta": 15.0, "c": 0.2}, response="error")
    comparison = compared({name: synthetic_fit(name, runs) for name in ("m1", "kaplan_d")})
    with pytest.raises(InputError, match="a verdict on compute needs N, D and C of every run; the table has no N, C"):
        judge(comparison)


def test_a_cost_that_may_be_nothing_or_twice_the_compute_is_called_unknown(split_verdict, wide_comparison):
    ratios = split_verdict.tokens_per_parameter
    names = (split_verdict.compute_law, split_verdict.split_law)
    told = {}
    for upper in (0.5, 19.0):
        effect = Effect(None, Interval(0.01, 0.0, upper, 0.9), 0.4)
        grounds = Grounds(wide_comparison.runs, *names, split_verdict.difference, 0.5, effect, ratios, ("why not",))
        told[upper] = verdict_statement("cannot_tell", grounds)
    assert "Ignoring it costs 1% (90% interval 0% to 50%) more compute" in told[0.5]
    assert "These runs do not show what ignoring it costs: the 90% interval is 0% to 1900%." in told[19.0]
    assert reasons_sentence(("why not",)) in told[0.5]

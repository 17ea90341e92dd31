import dataclasses
import re

import arviz_stats as azs
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from pages import page_of
from pytensor.scalar import autocast_float_as
from scipy import stats
from simulation import log_prior as scipy_log_prior

from bayescale.comparison.comparison import compare
from bayescale.comparison.verdict import judge
from bayescale.decisions import sensitivity
from bayescale.decisions.allocation import allocate
from bayescale.decisions.sensitivity import CONFLICT, LITTLE_TOLD, PRIOR_DECIDES, SENSITIVE, reweigh
from bayescale.decisions.verdict_sensitivity import probabilities_under, verdict_sensitivity
from bayescale.errors import InputError
from bayescale.fits.fit import LOG_PRIOR, Fit
from bayescale.fits.fitting import fit
from bayescale.fits.model import build_prior
from bayescale.fits.sampling import log_prior
from bayescale.fits.saving import load_fit
from bayescale.laws import LAWS, Prior
from bayescale.laws.priors import free_priors, from_normal, parameters_from_free
from bayescale.records.fits import allocate_record
from bayescale.records.sensitivity import sensitivity_record

BUDGETS = (1e21, 5.76e23)


def with_log_prior(fitted, **priors):
    """Return a fit with the densities of its prior, of which some may be others."""
    law = dataclasses.replace(fitted.law, priors={**fitted.law.priors, **priors})
    unit = fitted.reference[fitted.runs.response]
    density = log_prior(law, fitted.data["posterior"].to_dataset(), unit)
    groups = {name: node.to_dataset() for name, node in fitted.data.children.items()}
    tree = xr.DataTree.from_dict({**groups, LOG_PRIOR: density})
    tree.attrs = fitted.data.attrs
    return Fit(law, tree)


@pytest.fixture(scope="module")
def prior_fit(wide_fit):
    return with_log_prior(wide_fit)


@pytest.fixture(scope="module")
def prior_comparison(wide_comparison):
    return compare({name: with_log_prior(fitted) for name, fitted in wide_comparison.fits.items()}, max_refits=0)


@pytest.fixture(scope="module")
def wide_sensitivity(prior_fit):
    return reweigh(prior_fit, flops=BUDGETS)


def shift_of(found, quantity):
    return next(shift for shift in found.shifts if shift.quantity == quantity)


def rescaled(shift, component, factor):
    return next(each for each in shift.rescaled if (each.component, each.factor) == (component, factor))


# The density of the prior


def prior_draws(law, count=40, unit=2.5, seed=4):
    rng = np.random.default_rng(seed)
    free = {name: from_normal(prior, rng.standard_normal(count)) for name, prior in free_priors(law).items()}
    parameters = parameters_from_free(law, free, unit)
    coords = {"chain": [0], "draw": np.arange(count)}
    return free, xr.Dataset({name: (("chain", "draw"), each[None]) for name, each in parameters.items()}, coords)


@pytest.mark.parametrize("name", ["chinchilla", "guo_compute", "kaplan_nd", "tilt"])
def test_the_log_prior_is_that_of_scipy(name):
    free, posterior = prior_draws(LAWS[name])
    found = log_prior(LAWS[name], posterior, 2.5).to_array().sum("variable").to_numpy()[0]
    np.testing.assert_allclose(found, scipy_log_prior(LAWS[name], free), rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["chinchilla", "guo_compute", "kaplan_nd", "loss_to_error", "dmft", "routed", "bounded", "multi_power"]
)  # every family of priors, and every way from free variables to parameters
def test_the_log_prior_is_that_of_pymc(name):
    law = LAWS[name]
    free, posterior = prior_draws(law)
    values = {name: (("chain", "draw"), each[None]) for name, each in free.items()}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(values, posterior.coords)})
    with autocast_float_as("float64"):  # PyTensor keeps the numbers of a prior in single precision where that does
        expected = pm.stats.compute_log_prior(tree, model=build_prior(law), progressbar=False)["log_prior"]
    found = log_prior(law, posterior, 2.5)
    assert set(found) == set(expected.data_vars)
    for variable, values in found.items():
        np.testing.assert_allclose(values, expected[variable], rtol=1e-7, atol=1e-9)


def test_a_sampled_fit_keeps_what_arviz_needs(sampled_fit, tmp_path):
    posterior = sampled_fit.data["posterior"].to_dataset()
    unit = sampled_fit.reference["loss"]
    kept = sampled_fit.data[LOG_PRIOR].to_dataset()
    # Sums of terms of order 1 to 10, which may cancel: what is left is right to the rounding of the terms.
    xr.testing.assert_allclose(kept, log_prior(sampled_fit.law, posterior, unit), rtol=1e-12, atol=1e-13)
    sampled_fit.save(tmp_path / "fit.nc")
    kept = load_fit(tmp_path / "fit.nc")
    assert azs.psense(kept.data, group="prior").equals(azs.psense(sampled_fit.data, group="prior"))


# What is told


def test_parameters_have_the_sensitivities_of_arviz(prior_fit, wide_sensitivity):
    table = azs.psense_summary(prior_fit.data, round_to=12)
    for name in prior_fit.law.parameters:
        shift = shift_of(wide_sensitivity, name)
        assert (shift.prior, shift.likelihood) == pytest.approx(tuple(table.loc[name, ["prior", "likelihood"]]))


def test_every_headline_number_is_told(wide_sensitivity):
    at = [f"{what} at {flops} FLOP" for flops in ("1e21", "5.76e23") for what in ("N*", "D/N", "loss")]
    expected = [*LAWS["chinchilla"].parameters, "exponent of N* in compute", *at]
    assert [shift.quantity for shift in wide_sensitivity.shifts] == expected
    assert {shift.law for shift in wide_sensitivity.shifts} == {"chinchilla"}


def test_size_and_ratio_of_one_budget_are_equally_sensitive(wide_sensitivity):
    size, ratio = (shift_of(wide_sensitivity, f"{what} at 1e21 FLOP") for what in ("N*", "D/N"))
    assert size.prior == pytest.approx(ratio.prior, rel=1e-6)
    assert size.likelihood == pytest.approx(ratio.likelihood, rel=1e-6)


def test_runs_that_count_double_narrow_an_interval_as_twice_the_runs_would(wide_sensitivity):
    for shift in wide_sensitivity.shifts:
        for factor in (0.5, 2.0):
            other = rescaled(shift, "likelihood", factor).interval
            width = (other.upper - other.lower) / (shift.fitted.upper - shift.fitted.lower)
            assert width == pytest.approx(factor**-0.5, rel=0.2)


def test_a_comparison_tells_of_the_laws_that_are_averaged_and_of_the_verdict(prior_comparison):
    verdict = judge(prior_comparison)
    found = reweigh(prior_comparison, flops=BUDGETS, verdict=verdict)
    assert set(allocate(prior_comparison, BUDGETS).weights) == {"chinchilla"}
    tilt = shift_of(found, "tilt of N against D")
    assert (tilt.law, tilt.fitted) == ("tilt", verdict.tilt)
    ends = [shift for shift in found.shifts if "end of the range of D/N" in shift.quantity]
    told = verdict.tokens_per_parameter
    assert [end.fitted for end in ends] == [told.lower_end, told.upper_end]
    assert {shift.law for shift in found.shifts} == {"chinchilla", "tilt"}


def test_without_budgets_a_fit_tells_of_its_parameters_and_a_comparison_of_its_verdict(prior_comparison, sampled_fit):
    assert [shift.quantity for shift in reweigh(sampled_fit, flops=()).shifts] == ["E", "K", "gamma"]
    found = reweigh(prior_comparison, flops=(), verdict=judge(prior_comparison))
    assert len(found.shifts) == 3


# Words


def test_a_prior_that_hardly_matters_is_not_flagged(wide_sensitivity):
    shift = shift_of(wide_sensitivity, "N* at 5.76e23 FLOP")
    assert shift.prior < SENSITIVE < shift.likelihood
    assert shift.diagnosis == ""
    assert shift.sentence.startswith("Doubling the prior's weight ")
    assert " N* at 5.76e23 FLOP by " in shift.sentence
    assert re.search(r"\(\d[\d.]*B to \d[\d.]*B\)", shift.sentence)  # counts have their unit


def test_a_prior_against_the_runs_is_flagged_and_its_effect_told(wide_fit):
    far = Prior("LogNormal", {"mu": np.log(0.5), "sigma": 0.06})
    shift = shift_of(reweigh(with_log_prior(wide_fit, alpha=far), flops=()), "alpha")
    assert shift.prior > SENSITIVE
    assert shift.diagnosis == CONFLICT
    assert (
        rescaled(shift, "prior", 2.0).interval.median
        > shift.fitted.median
        > rescaled(shift, "prior", 0.5).interval.median
    )
    assert "raises alpha by" in shift.sentence
    assert shift.sentence.endswith(f": {CONFLICT}.")


def silenced(fitted):
    """Return a fit whose likelihood hardly depends on the draws."""
    noise = 1e-3 * np.random.default_rng(0).standard_normal(fitted.data["log_likelihood"]["log_response"].shape)
    fitted.data["log_likelihood"] = xr.DataTree(xr.Dataset({"log_response": (("chain", "draw", "run"), noise)}))
    return fitted


def test_a_number_that_the_runs_say_nothing_of_is_the_priors(wide_fit):
    steep = silenced(with_log_prior(wide_fit, alpha=Prior("LogNormal", {"mu": np.log(0.5), "sigma": 0.06})))
    shift = shift_of(reweigh(steep, flops=()), "alpha")
    assert shift.likelihood < SENSITIVE < shift.prior
    assert shift.sentence.endswith(f": {PRIOR_DECIDES}.")
    shift = shift_of(reweigh(silenced(with_log_prior(wide_fit)), flops=()), "alpha")
    assert max(shift.likelihood, shift.prior) < SENSITIVE
    assert shift.sentence.endswith(f": {LITTLE_TOLD}.")


def test_weights_that_cannot_be_trusted_are_carried_on_from_nearer_ones_or_left_out(wide_fit):
    steep = with_log_prior(wide_fit, alpha=Prior("LogNormal", {"mu": np.log(0.5), "sigma": 0.03}))
    found = reweigh(steep, flops=())
    double = rescaled(shift_of(found, "alpha"), "prior", 2.0)
    assert double.pareto_k > 0.7
    assert double.extrapolated
    assert double.interval.median > shift_of(found, "alpha").fitted.median
    assert any("doubling the prior's weight is extrapolated from a change by a quarter" in note for note in found.notes)

    hopeless = with_log_prior(wide_fit, alpha=Prior("LogNormal", {"mu": np.log(0.8), "sigma": 0.005}))
    shift = shift_of(reweigh(hopeless, flops=()), "alpha")
    assert rescaled(shift, "prior", 2.0).interval is None
    assert "changes alpha by more than these draws can show" in shift.sentence


# What is refused


def test_a_fit_of_an_earlier_version_is_to_be_made_again(wide_fit):
    with pytest.raises(InputError, match=r"law 'chinchilla' to wide has no group log_prior.*fit again"):
        reweigh(wide_fit, flops=BUDGETS)
    record = sensitivity_record(wide_fit, allocate(wide_fit, BUDGETS))
    assert record["numbers"] == []
    assert "fit again" in record["notes"][0]


def test_a_verdict_needs_its_comparison(prior_fit, prior_comparison):
    with pytest.raises(InputError, match="a verdict is on a comparison"):
        reweigh(prior_fit, flops=BUDGETS, verdict=judge(prior_comparison))


def test_budgets_and_probability_are_checked(prior_fit):
    with pytest.raises(InputError, match=r"flops is \[-1\.0\]; expected budgets in FLOP"):
        reweigh(prior_fit, flops=[-1.0])
    with pytest.raises(InputError, match=r"probability is 1\.5"):
        reweigh(prior_fit, flops=BUDGETS, probability=1.5)


def test_the_record_is_plain_data(prior_comparison):
    record = sensitivity_record(prior_comparison, allocate(prior_comparison, BUDGETS), judge(prior_comparison))
    first = record["numbers"][0]
    assert set(first) == {
        *("quantity", "law", "unit", "fitted", "rescaled", "prior", "likelihood", "diagnosis", "sentence")
    }
    assert set(first["fitted"]) == {"median", "lower", "upper"}
    assert [(each["component"], each["factor"]) for each in first["rescaled"]] == [
        *(("prior", 0.5), ("prior", 2.0), ("likelihood", 0.5), ("likelihood", 2.0))
    ]


def test_the_report_and_the_command_line_tell_it(prior_comparison, tmp_path):
    allocation = allocate(prior_comparison, BUDGETS)
    words = page_of(tmp_path, prior_comparison, judge(prior_comparison), allocation).text
    assert "How much prior and runs decide" in words
    still = re.search(r"Less than a twentieth of the 90% interval: (.*?)\. [A-Z]", f"{words} A")
    small = still[1].split("; ") if still else []
    for shift in reweigh(prior_comparison, flops=BUDGETS).shifts:
        shown = shift.quantity.startswith("N*") or bool(shift.diagnosis)
        assert (shift.sentence in words or shift.quantity in small) == shown
        assert not (shift.diagnosis and shift.quantity in small)
    record = allocate_record(prior_comparison, allocation, [])["sensitivity"]
    assert [each["quantity"] for each in record["numbers"]][-1] == "loss at 5.76e23 FLOP"


# Against what is known


def test_weighted_draws_give_the_posterior_of_the_other_weights():
    even = stats.norm(1.0, 1.0).ppf((np.arange(20_000) + 0.5) / 20_000)
    draws = np.random.default_rng(0).permutation(
        even
    )  # of a mean: prior variance 2 about 0, one datum, 2, of variance 2
    densities = {
        "prior": stats.norm.logpdf(draws, 0.0, np.sqrt(2)),
        "likelihood": stats.norm.logpdf(draws, 2.0, np.sqrt(2)),
    }
    weights = sensitivity._all_weights(densities)
    for component, factor in weights:
        prior, runs = (factor if component == name else 1.0 for name in ("prior", "likelihood"))
        exact = stats.norm(2 * runs / (prior + runs), np.sqrt(2 / (prior + runs)))
        found = sensitivity._weighted_interval(draws, weights[component, factor][0], 0.9)
        assert [found.lower, found.median, found.upper] == pytest.approx(exact.ppf([0.05, 0.5, 0.95]), abs=0.02)


@pytest.mark.slow
def test_runs_that_count_double_are_as_runs_that_are_there_twice(sampled_fit, small_runs):
    again = small_runs.frame.assign(run=[f"{label} again" for label in small_runs.frame["run"]])
    frame = pd.concat([small_runs.frame, again], ignore_index=True)
    twice = fit(dataclasses.replace(small_runs, frame=frame), "compute_floor", draws=1000, tune=300, random_seed=1)
    for shift in reweigh(sampled_fit, flops=()).shifts:
        found, draws = rescaled(shift, "likelihood", 2.0), twice.data["posterior"][shift.quantity]
        error = np.hypot(float(azs.mcse(draws, method="median")), draws.std() / np.sqrt(1000))  # of 1000 weighted draws
        assert abs(found.interval.median - float(draws.median())) < 4 * error
        low, high = np.quantile(draws, [0.05, 0.95])
        assert (found.interval.upper - found.interval.lower) / (high - low) == pytest.approx(1.0, abs=0.1)


def test_the_probability_of_a_verdict_moves_with_the_priors_weight_and_not_at_weight_one(prior_comparison):
    verdict = judge(prior_comparison)
    assert probabilities_under(prior_comparison, verdict, [1.0]) == [verdict.probability]
    (sentence,) = verdict_sensitivity(prior_comparison, verdict)
    assert sentence.startswith(
        "Halved or doubled, the weight of the priors leaves the probability that the split matters"
    )
    record = sensitivity_record(prior_comparison, allocate(prior_comparison, BUDGETS), verdict)
    assert record["verdict"] == [sentence]


def test_criteria_that_disagree_are_said_to(prior_comparison):
    verdict = judge(prior_comparison)
    sides = {"point": 0.97, "budget": 0.9, "largest": 0.2}
    *_, sentence = verdict_sensitivity(prior_comparison, dataclasses.replace(verdict, by_criterion=sides))
    assert "0.97 (single rows), 0.90 (budget), 0.20 (largest)" in sentence
    assert "they disagree" in sentence
    agreed = dataclasses.replace(verdict, by_criterion={**sides, "largest": 0.8})
    *_, sentence = verdict_sensitivity(prior_comparison, agreed)
    assert "all are on one side" in sentence
    assert sentence.endswith("Only that by single rows is calibrated.")

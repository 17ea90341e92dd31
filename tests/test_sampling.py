import dataclasses
import os
import re
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import nutpie
import pytest
import xarray as xr

from bayescale.catalogue import load_runs
from bayescale.errors import InputError
from bayescale.fits import model, sampling
from bayescale.fits.diagnostics import Diagnostics
from bayescale.fits.fit import reference_values
from bayescale.fits.fitting import fit
from bayescale.fits.settings import Settings
from bayescale.fits.tree import canonical_frame
from bayescale.laws import LAWS
from bayescale.laws.priors import parameters_from_free
from bayescale.runs import select_runs

LAW = LAWS["compute_floor"]  # the one law that the quick tests compile
QUICK = Settings(draws=50, tune=150, chains=2, random_seed=5)


def data_of(runs, law=LAW):
    frame = canonical_frame(runs)
    reference = reference_values(frame, runs.response)
    columns = {name: frame[name].to_numpy() / reference[name] for name in law.covariates}
    log_response = np.log(frame[runs.response].to_numpy())
    return {**columns, "log_response": log_response, "loss_unit": np.asarray(reference[runs.response])}


@pytest.fixture
def accept_all(monkeypatch):
    """Let every posterior pass, for tests that are not about the gate."""
    passed = Diagnostics((), 1.0, 500.0, 500.0, 1.0, 0, 0, 100)
    monkeypatch.setattr(sampling, "diagnose", Mock(return_value=passed))


@pytest.fixture
def scripted_gate(monkeypatch):
    """Return a function that sets whether each attempt in turn passes, and the list of what was asked."""

    def script(*verdicts):
        answers, asked = iter(verdicts), []

        def diagnose(posterior, _stats):
            asked.append(dict(posterior.sizes))
            failures = () if next(answers) else ("made to fail",)
            return Diagnostics(failures, 1.0, 500.0, 500.0, 1.0, 0, 0, 100)

        monkeypatch.setattr(sampling, "diagnose", diagnose)
        return asked

    return script


@pytest.fixture
def fake_sampler(monkeypatch):
    """Replace compiling and sampling: the calls are listed and each answer is made from the asked sizes."""
    calls = []
    keys = [SimpleNamespace(name=name) for name in ("C_data", "log_response_data", "loss_unit")]

    def with_data(**data):
        return SimpleNamespace(data=data)

    def sample(compiled, **options):
        calls.append({"data": compiled.data, **options})
        return sampled(options["chains"], options["draws"])

    monkeypatch.setattr(
        sampling, "compiled_model", Mock(return_value=SimpleNamespace(shared_var_keys=keys, with_data=with_data))
    )
    monkeypatch.setattr(nutpie, "sample", sample)
    return calls


def sampled(chains, draws, change=None):
    """Return what nutpie returns: free variables of LAW and statistics."""
    rng = np.random.default_rng(0)
    names = ("gamma", "level", "E_part", "sigma", "nu_above_2")
    values = {name: rng.uniform(0.1, 0.9, (chains, draws)) for name in names}
    if change:
        change(values)
    none = np.zeros((chains, draws), dtype=bool)
    stats = {"diverging": none, "maxdepth_reached": none, "energy": rng.standard_normal((chains, draws))}
    stats["divergence_message"] = np.full((chains, draws), None, dtype=object)
    dims = ("chain", "draw")
    groups = {"posterior": values, "sample_stats": stats}
    return xr.DataTree.from_dict(
        {group: xr.Dataset({name: (dims, array) for name, array in arrays.items()}) for group, arrays in groups.items()}
    )


# Really sampled


@pytest.mark.usefixtures("accept_all")
def test_a_posterior_holds_the_parameters_of_the_law_and_its_noise(small_runs):
    posterior, stats, _, attempt = sampling.sample_posterior(LAW, data_of(small_runs), QUICK)
    assert list(posterior) == ["E", "K", "gamma", "sigma", "nu"]
    assert all(values.dims == ("chain", "draw") for values in posterior.values())
    assert dict(posterior.sizes) == dict(stats.sizes) == {"chain": 2, "draw": 50}
    assert {"diverging", "energy", "maxdepth_reached", "n_steps", "step_size"} <= set(stats)
    assert not any(values.dtype == object for values in stats.values())  # netCDF has no such thing
    assert attempt == sampling.ATTEMPTS[0]


@pytest.mark.usefixtures("accept_all")
def test_the_same_seed_gives_the_same_draws_to_the_last_bit(small_runs):
    first, second = (sampling.sample_posterior(LAW, data_of(small_runs), QUICK)[0] for _ in range(2))
    assert first.equals(second)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_draws_before_and_after_numba_has_compiled(tmp_path):
    code = """
import bayescale as bs
fit = bs.fit(bs.load_runs("chinchilla"), "kaplan_nd", draws=100, tune=200, random_seed=1, cache=False)
print(fit.data["posterior"].to_dataset().to_array().values.tobytes().hex())
"""
    compiled, temporary = tmp_path / "compiled", tmp_path / "temporary"
    temporary.mkdir()
    environ = {**os.environ, "PYTENSOR_FLAGS": f"base_compiledir={compiled}", "TMPDIR": str(temporary)}
    first, again = (
        subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert len(first) > 10_000
    assert first == again
    assert not list(temporary.iterdir())  # nothing is left behind


@pytest.mark.slow
def test_a_mode_that_four_chains_missed_is_found_and_one_mode_is_not_taken_for_more():
    runs = select_runs(load_runs("chinchilla"), "10 <= D / N <= 40")
    missed = 0
    for law, modes in (("kaplan_nd", 2), ("chinchilla", 1)):
        data = data_of(runs, LAWS[law])
        for seed in range(8):
            settings = Settings(random_seed=seed)
            posterior, stats, diagnostics, _ = sampling.sample_posterior(LAWS[law], data, settings)
            told = sampling.missed_modes(LAWS[law], data, settings, posterior, stats)
            assert (bool(told) or not diagnostics.passed) == (modes > 1), (law, seed, told, diagnostics)
            missed += modes > 1 and diagnostics.passed
    assert missed > 0  # R-hat alone would not do


@pytest.mark.usefixtures("accept_all")
def test_another_seed_gives_other_draws(small_runs):
    other = dataclasses.replace(QUICK, random_seed=6)
    first, second = (sampling.sample_posterior(LAW, data_of(small_runs), settings)[0] for settings in (QUICK, other))
    assert not (first["gamma"] == second["gamma"]).any()


@pytest.mark.usefixtures("accept_all")
def test_the_same_chains_come_first_when_there_are_more(small_runs):
    more = dataclasses.replace(QUICK, chains=3)
    two, three = (sampling.sample_posterior(LAW, data_of(small_runs), settings)[0] for settings in (QUICK, more))
    assert two.equals(three.isel(chain=[0, 1]))


@pytest.mark.usefixtures("accept_all")
def test_a_law_is_compiled_once_for_tables_of_different_lengths(small_runs, monkeypatch):
    compiled, asked = sampling.compiled_model(LAW), []

    def compile_once(law):
        asked.append(law)
        return compiled

    monkeypatch.setattr(sampling, "_COMPILED", {})
    monkeypatch.setattr(sampling, "kernel_of", compile_once)
    shorter = select_runs(small_runs, "C < 5e19")
    medians = []
    for runs in (small_runs, shorter):
        posterior, *_ = sampling.sample_posterior(LAW, data_of(runs), QUICK)
        medians.append(float(posterior["K"].median()))
    assert len(shorter.frame) < len(small_runs.frame)
    assert len(asked) == 1
    assert medians[0] != medians[1]


def test_laws_that_differ_only_in_the_order_of_their_shares_have_models_of_their_own():
    law = LAWS["three_term"]  # K comes last in both orders, so that the free variables have the same names
    other = dataclasses.replace(law, priors={name: law.priors[name] for name in sorted(law.priors)})
    values = {"E_part": 0.5, "A_part": 0.3, "B_part": 0.4, "level": 1.0}
    assert {each.name for each in model.model_of(law).free_RVs} >= set(values)
    free = {each.name: values.get(each.name, 0.3) for each in model.model_of(law).free_RVs}
    assert parameters_from_free(law, free, 1.0)["A"] != parameters_from_free(other, free, 1.0)["A"]
    assert model.model_of(law) is not model.model_of(other)
    assert model.model_of(law) is model.model_of(dataclasses.replace(law))


def test_data_without_a_finite_density_are_refused_by_the_law_and_its_columns(small_runs):
    data = data_of(small_runs)
    data["log_response"] = data["log_response"] * np.nan
    with pytest.raises(InputError) as caught:
        sampling.sample_posterior(LAW, data, QUICK)
    message = str(caught.value)
    assert message.startswith("law 'compute_floor': no starting point has a finite density")
    assert message.endswith("look for extreme values in C or the response, and for priors that exclude the data")
    assert "\n" not in message


# With the sampler replaced


@pytest.mark.usefixtures("accept_all")
def test_what_is_asked_of_the_sampler(fake_sampler, small_runs):
    data = data_of(small_runs)
    sampling.sample_posterior(LAW, data, QUICK)
    (call,) = fake_sampler
    np.testing.assert_array_equal(call["data"]["C_data"], data["C"])
    np.testing.assert_array_equal(call["data"]["log_response_data"], data["log_response"])
    asked = {name: call[name] for name in ("draws", "tune", "chains", "seed", "save_warmup", "progress_bar")}
    expected = {"draws": 50, "tune": 150, "chains": 2, "seed": 5, "save_warmup": False, "progress_bar": False}
    assert asked == expected


def test_one_attempt_is_enough_when_it_passes(fake_sampler, small_runs, scripted_gate):
    asked = scripted_gate(True)
    *_, attempt = sampling.sample_posterior(LAW, data_of(small_runs), QUICK)
    assert len(asked) == len(fake_sampler) == 1
    assert (attempt.adaptation, attempt.target_accept, attempt.factor) == ("low_rank", 0.95, 1)


def test_a_second_more_careful_attempt_follows_a_failure(fake_sampler, small_runs, scripted_gate):
    asked = scripted_gate(False, True)
    posterior, _, diagnostics, attempt = sampling.sample_posterior(LAW, data_of(small_runs), QUICK)
    assert asked == [{"chain": 2, "draw": 50}, {"chain": 2, "draw": 100}]
    steps = [(call["adaptation"], call["target_accept"]) for call in fake_sampler]
    assert steps == [("low_rank", 0.95), ("diag", 0.99)]
    assert posterior.sizes["draw"] == 100
    assert attempt.factor == 2
    assert diagnostics.passed


def test_after_two_failures_the_last_attempt_is_returned_with_its_doubt(fake_sampler, small_runs, scripted_gate):
    scripted_gate(False, False)
    *_, diagnostics, attempt = sampling.sample_posterior(LAW, data_of(small_runs), QUICK)
    assert attempt == sampling.ATTEMPTS[-1]
    assert diagnostics.failures == ("made to fail",)
    assert len(fake_sampler) == len(sampling.ATTEMPTS)


# Further chains


@pytest.fixture
def scouted(monkeypatch):
    """Return a function that says what the gate finds when scouts draw like this, beside 4000 draws around 0."""
    rng = np.random.default_rng(0)

    def draw(chains, draws, center=0.0):
        values = {name: rng.standard_normal((chains, draws)) for name in ("alpha", "beta")}
        values["beta"] += np.asarray(center)[..., None]
        logp = -rng.chisquare(2, (chains, draws)) / 2
        return tuple(
            xr.Dataset({name: (("chain", "draw"), array) for name, array in arrays.items()})
            for arrays in (values, {"logp": logp})
        )

    def ask(center, logp=0.0):
        posterior, stats = draw(4, 1000)
        found, found_stats = draw(sampling.SCOUTS, sampling.SCOUT_DRAWS, center)
        asked = Mock(return_value=(found, found_stats + logp))
        monkeypatch.setattr(sampling, "_sample_once", asked)
        told = sampling.missed_modes(LAW, {}, QUICK, posterior, stats)
        (_, _, settings, _), _ = asked.call_args
        assert settings.chains == sampling.SCOUTS
        assert settings.random_seed != QUICK.random_seed
        return told

    return ask


def test_chains_that_settle_where_no_draw_is_are_told_with_the_place(scouted):
    (told,) = scouted([9.0] * 3 + [0.0] * 9)
    assert told.startswith(
        "3 of 12 short chains settled where no draw is, at densities as high (for instance beta near "
    )
    near, low, high = (float(number) for number in re.findall(r"-?\d+\.\d+", told))
    assert near == pytest.approx(9, abs=0.3)
    assert -5 < low < -3 < 3 < high < 5


def test_chains_among_the_draws_say_nothing(scouted):
    assert scouted([0.0] * 12) == scouted([1.5] * 12) == ()


def test_chains_that_found_no_likely_place_say_nothing(scouted):
    assert scouted([9.0] * 12, logp=-10.0) == ()


@pytest.mark.usefixtures("own_cache", "fake_sampler")
def test_a_fit_whose_chains_missed_a_mode_is_kept_and_marked(small_runs, scripted_gate, monkeypatch):
    scripted_gate(True, False, False)
    missed = Mock(return_value=("more modes",))
    monkeypatch.setattr(sampling, "missed_modes", missed)
    assert fit(small_runs, "compute_floor", draws=20, tune=100, random_seed=1).diagnostics.failures == ("more modes",)
    failures = fit(small_runs, "compute_floor", draws=20, tune=100, random_seed=2).diagnostics.failures
    assert failures == ("made to fail",)
    assert missed.call_count == 1  # what has failed is not asked again


@pytest.mark.usefixtures("own_cache")
def test_a_fit_that_fails_twice_is_kept_and_marked(small_runs, scripted_gate):
    asked = scripted_gate(False, False)
    options = {"draws": 20, "tune": 100, "chains": 2, "random_seed": 1}
    fitted = fit(small_runs, "compute_floor", **options)
    assert not fitted.diagnostics.passed
    assert fitted.record["attempt"]["adaptation"] == "diag"
    assert fitted.data["posterior"].sizes["draw"] == 40
    again = fit(small_runs, "compute_floor", **options)
    assert again.diagnostics.failures == ("made to fail",)
    assert len(asked) == 2


def cut(values):
    for array in values.values():
        array[1, 30:] = np.nan


@pytest.mark.parametrize(
    "answer", [sampled(2, 31), sampled(1, 50), sampled(2, 0), sampled(2, 50, cut)], ids=["short", "lost", "none", "nan"]
)
@pytest.mark.usefixtures("fake_sampler")
def test_an_interruption_is_not_taken_for_a_result(answer, small_runs, monkeypatch):
    monkeypatch.setattr(nutpie, "sample", Mock(return_value=answer))
    with pytest.raises(KeyboardInterrupt, match="sampling of law 'compute_floor' was interrupted"):
        sampling.sample_posterior(LAW, data_of(small_runs), QUICK)


@pytest.mark.usefixtures("fake_sampler")
def test_an_interrupted_fit_is_not_kept(small_runs, own_cache, monkeypatch):
    monkeypatch.setattr(nutpie, "sample", Mock(return_value=sampled(4, 3)))
    with pytest.raises(KeyboardInterrupt):
        fit(small_runs, "compute_floor")
    assert not list(own_cache.rglob("*.nc"))


def test_columns_of_different_lengths_are_refused(small_runs):
    data = data_of(small_runs)
    data["C"] = data["C"][:-1]
    with pytest.raises(InputError, match=r"law 'compute_floor': expected columns of one length, found .*\(23,\)"):
        sampling.model_data(LAW, data)


# Settings


@pytest.mark.parametrize("name", ["draws", "tune", "chains"])
@pytest.mark.parametrize("value", [0, -1])
def test_settings_refuse_what_the_sampler_would_answer_with_a_crash(name, value):
    with pytest.raises(InputError, match=f"{name} is {value}; expected a whole number of at least 1"):
        Settings(**{name: value})


def test_settings_refuse_a_negative_seed():
    with pytest.raises(InputError, match="random_seed is -1; expected a whole number of at least 0"):
        Settings(random_seed=-1)

import dataclasses

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import stats
from simulation import CALIBRATED

from bayescale.errors import InputError
from bayescale.fits.fit import reference_values
from bayescale.fits.likelihood import log_likelihood
from bayescale.fits.model import NORMAL_SCORES, build_model, build_prior
from bayescale.fits.sampling import model_data, sample_prior
from bayescale.fits.tree import canonical_frame
from bayescale.laws import EXTRA_DEGREES, LAWS, REAL_RUNS, Law, Prior, Share
from bayescale.laws.priors import parameters_from_free

DRAWS = 4000


@pytest.fixture(scope="module")
def models():
    """The models of all built-in laws; building one takes hundredths of a second, compiling it ten."""
    return {name: build_model(law) for name, law in LAWS.items()}


def free_draws(model, draws=20, seed=1):
    values = pm.draw(model.free_RVs, draws=draws, random_seed=seed, mode="FAST_COMPILE")
    return {variable.name: value for variable, value in zip(model.free_RVs, values, strict=True)}


def with_every_column(frame):
    """Add columns that any law may need, each over a part of its usual range."""
    rng = np.random.default_rng(0)
    further = {
        name: np.exp(rng.uniform(*np.quantile(np.log(ends), [0.3, 0.7]), len(frame)))
        for name, ends in REAL_RUNS.items()
        if name not in frame
    }
    return frame.assign(**further)


def is_share(law, name):
    return isinstance(law.priors[name], Share)


def test_free_variables_are_one_scalar_for_each_degree_of_freedom(law, models):
    shares = [name for name in law.priors if is_share(law, name)]
    plain = [
        f"{name}_relative" if law.priors[name].relative else name for name in law.parameters if not is_share(law, name)
    ]
    level = {"level"} if shares else set()
    expected = {*plain, *level, *(f"{name}_part" for name in shares[:-1]), "sigma", "nu_above_2"}
    assert {variable.name for variable in models[law.name].free_RVs} == expected
    assert len(expected) == len(law.parameters) + 2
    assert all(variable.ndim == 0 for variable in models[law.name].free_RVs)


def test_the_free_variables_of_chinchilla_have_these_names(models):
    names = [variable.name for variable in models["chinchilla"].free_RVs]
    assert names == ["alpha", "beta", "level", "E_part", "A_part", "sigma", "nu_above_2"]


def test_the_sampler_sees_heavy_tails_as_a_standard_normal_variable():
    scores = np.linspace(-6, 8, 15)
    model = build_prior(LAWS["chinchilla"])
    (noise,) = (variable for variable in model.free_RVs if variable.name == "nu_above_2")
    (sampled,) = (variable for variable in model.value_vars if variable.name.startswith("nu_above_2"))
    density = pytensor.function([sampled], model.logp(noise), mode="FAST_COMPILE")
    densities = [density(score) for score in scores]
    np.testing.assert_allclose(densities, stats.norm.logpdf(scores), atol=1e-7)  # its log(10) is single
    score, extra = pt.dvector(), NORMAL_SCORES["nu_above_2"]
    there = extra.backward(score)
    np.testing.assert_allclose(
        there.eval({score: scores}), stats.expon.isf(stats.norm.sf(scores), scale=EXTRA_DEGREES), rtol=1e-6, atol=1e-12
    )
    np.testing.assert_allclose(extra.forward(there).eval({score: scores}), scores, rtol=1e-6)


def test_data_can_be_set_and_nothing_has_one_entry_per_run(law, models):
    model = models[law.name]
    data = {variable.name for variable in model.data_vars}
    assert data == {*(f"{name}_data" for name in law.covariates), "log_response_data", "loss_unit"}
    assert [variable.name for variable in model.observed_RVs] == ["log_response"]
    assert not model.deterministics  # one with an entry per run would tie a compiled model to one table
    assert model.dim_lengths == {} or set(model.coords) <= {"run"}


def test_parameters_are_the_same_in_the_model_and_on_its_draws(law, models):
    model = models[law.name]
    free = free_draws(model)
    symbols = {variable.name: variable for variable in model.free_RVs}
    graph = parameters_from_free(law, symbols, 2.5)
    compute = pytensor.function(list(symbols.values()), list(graph.values()), mode="FAST_COMPILE")
    arrays = parameters_from_free(law, free, 2.5)
    assert list(arrays) == list(graph) == [*law.parameters, "sigma", "nu"]
    for row in range(3):
        inside = compute(*(free[name][row] for name in symbols))
        np.testing.assert_allclose([values[row] for values in arrays.values()], inside, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name, law in LAWS.items() if any(is_share(law, p) for p in law.priors)])
def test_shares_add_up_to_the_level(name, models):
    law = LAWS[name]
    free = free_draws(models[law.name])
    values = parameters_from_free(law, free, 2.5)
    shares = {name: prior for name, prior in law.priors.items() if is_share(law, name)}
    powers = {name: values[share.power] if share.power else 1.0 for name, share in shares.items()}
    unit = 2.5 * free["level"]
    total = sum((values[name] / unit) ** (1 / powers[name]) for name in shares)
    np.testing.assert_allclose(total, 1.0, rtol=1e-9)  # a part raised to a power and back loses some digits
    assert all((values[name] > 0).all() for name in shares)


@pytest.mark.parametrize("name", CALIBRATED)
def test_the_level_is_the_loss_of_a_typical_run(name, models):
    law = LAWS[name]
    free = free_draws(models[law.name])
    values = parameters_from_free(law, free, 2.5)
    at_center = law.loss(**dict.fromkeys(law.covariates, 1.0), **{name: values[name] for name in law.parameters})
    np.testing.assert_allclose(at_center, 2.5 * free["level"], rtol=1e-9)


def test_broken_sticks_are_a_dirichlet_distribution():
    law = LAWS["chinchilla"]
    draws = sample_prior(law, 1.0, DRAWS, 3)
    level = draws["E"] + draws["A"] + draws["B"]
    weights = {name: law.priors[name].concentration for name in ("E", "A", "B")}
    total = sum(weights.values())
    for name, weight in weights.items():
        part = (draws[name] / level).to_numpy().ravel()
        mean, variance = weight / total, weight * (total - weight) / total**2 / (total + 1)
        # Four standard errors; that of a variance is at most sqrt(2 / n) of it for such light tails.
        assert abs(part.mean() - mean) < 4 * np.sqrt(variance / DRAWS)
        assert abs(part.var() / variance - 1) < 4 * np.sqrt(2 / DRAWS)
    products = ((draws["E"] / level) * (draws["A"] / level)).to_numpy().ravel()
    expected = weights["E"] * weights["A"] / total / (total + 1)
    assert abs(products.mean() - expected) < 4 * products.std() / np.sqrt(DRAWS)


def test_prior_draws_are_those_of_the_stated_families():
    count = 500  # a truncated normal is drawn slowly
    draws = sample_prior(LAWS["guo_compute"], 0.5, count, 3)
    assert dict(draws.sizes) == {"chain": 1, "draw": count}
    assert list(draws) == ["alpha", "beta", "sigma", "nu"]
    assert (draws["alpha"] < 0).all()
    assert (draws["sigma"] > 0).all()
    assert (draws["nu"] > 2).all()
    alpha = draws["alpha"].to_numpy().ravel() / 0.5  # a half normal of scale 0.13, in units of the typical response
    assert abs(np.sqrt((alpha**2).mean()) / 0.13 - 1) < 4 / np.sqrt(2 * count)
    sigma = draws["sigma"].to_numpy().ravel()
    assert abs(np.sqrt((sigma**2).mean()) / 0.05 - 1) < 4 / np.sqrt(2 * count)
    assert abs(draws["nu"].to_numpy().mean() - 12) < 4 * 10 / np.sqrt(count)
    assert sample_prior(LAWS["guo_compute"], 0.5, 5, 3).equals(sample_prior(LAWS["guo_compute"], 0.5, 5, 3))


def test_the_density_computed_without_pymc_is_that_of_the_model(law, models, small_runs):
    model = models[law.name]
    frame = with_every_column(canonical_frame(small_runs))
    reference = reference_values(frame, "loss", law)
    unit = reference["loss"]
    columns = {name: frame[name].to_numpy() / reference[name] for name in law.covariates}
    data = {**columns, "log_response": np.log(frame["loss"].to_numpy()), "loss_unit": np.asarray(unit)}
    free = free_draws(model, draws=3)
    values = parameters_from_free(law, free, unit)
    posterior = xr.Dataset(
        {name: (("chain", "draw"), value[None, :]) for name, value in values.items()},
        coords={"chain": [0], "draw": np.arange(3)},
    )
    ours, _ = log_likelihood(law, posterior, frame, "loss", reference, random_seed=0)
    with model:
        pm.set_data(model_data(law, data))
    density = model.logp(vars=model.observed_RVs, sum=False, jacobian=False)
    compute = model.compile_fn(density, inputs=model.value_vars, mode="FAST_COMPILE", on_unused_input="ignore")
    forward = {variable: model.rvs_to_values[variable] for variable in model.free_RVs}
    for draw in range(3):
        point = {}
        for variable, value in forward.items():
            transform = model.rvs_to_transforms[variable]
            plain = np.asarray(free[variable.name][draw])
            inputs = variable.owner.inputs
            point[value.name] = transform.forward(plain, *inputs).eval(mode="FAST_COMPILE") if transform else plain
        (theirs,) = compute(point)
        # The way to the sampler's scale and back costs a few digits, and the law's log takes them to the density.
        np.testing.assert_allclose(ours["log_response"][0, draw], theirs, rtol=1e-8, atol=1e-8)


def test_a_law_that_falls_through_zero_keeps_a_density(small_runs):
    frame = canonical_frame(small_runs)
    reference = reference_values(frame, "loss")
    posterior = xr.Dataset(
        {
            name: (("chain", "draw"), [[value]])
            for name, value in {"alpha": -5.0, "beta": 1.0, "sigma": 0.1, "nu": 5.0}.items()
        },
        coords={"chain": [0], "draw": [0]},
    )
    density, predictive = log_likelihood(LAWS["guo_compute"], posterior, frame, "loss", reference, random_seed=0)
    assert np.isfinite(density["log_response"]).all()
    assert np.isfinite(predictive["log_response"]).all()


def with_prior(prior):
    law = LAWS["compute_power"]
    return dataclasses.replace(law, priors={**law.priors, "gamma": prior})


@pytest.mark.parametrize(
    "prior",
    [
        Prior("LogNormall", {"mu": 0.0, "sigma": 1.0}),
        Prior("Beta", {"alpha": 2.0}),
        Prior("LogNormal", {"location": 0.0}),
        Prior("Normal", {"mean": -1.2, "sd": 0.4}),
    ],
)
def test_a_prior_that_pymc_cannot_make_is_refused_by_its_law_and_parameter(prior):
    with pytest.raises(InputError, match=r"^law 'compute_power': PyMC cannot make the prior .* of gamma: "):
        build_model(with_prior(prior))


def test_a_plain_prior_can_replace_a_share():
    law = LAWS["compute_floor"]
    plain = dataclasses.replace(law, priors={**law.priors, "E": Prior("LogNormal", {"mu": 0.0, "sigma": 0.5})})
    model = build_model(plain)
    assert {variable.name for variable in model.free_RVs} == {"E", "gamma", "level", "sigma", "nu_above_2"}
    free = free_draws(model, draws=5)
    values = parameters_from_free(plain, free, 2.0)
    np.testing.assert_allclose(values["K"], 2.0 * free["level"])
    np.testing.assert_allclose(values["E"], free["E"])


def test_a_law_without_shares_needs_no_level():
    law = Law(
        "plain",
        LAWS["compute_power"].loss,
        {name: Prior("LogNormal", {"mu": 0.0, "sigma": 0.5}) for name in ("K", "gamma")},
    )
    assert {variable.name for variable in build_model(law).free_RVs} == {"K", "gamma", "sigma", "nu_above_2"}

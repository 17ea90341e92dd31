import dataclasses

import numpy as np
import pytest
from scipy import stats

from bayescale.errors import InputError
from bayescale.laws import LAWS, Law, Prior, Share
from bayescale.laws import priors as priors_module
from bayescale.laws.priors import free_from_parameters, free_priors, from_normal, parameters_from_free

UNIT = 2.5
SCORES = np.linspace(-3, 3, 25)


def free_draws(law, count=200, seed=1):
    """Return draws of the free variables, made from standard normal scores."""
    rng = np.random.default_rng(seed)
    return {name: from_normal(prior, rng.standard_normal(count)) for name, prior in free_priors(law).items()}


def test_free_variables_become_parameters_and_back(law):
    free = free_draws(law)
    back = free_from_parameters(law, parameters_from_free(law, free, UNIT), UNIT)
    assert set(back) == set(free)
    for name, values in free.items():
        np.testing.assert_allclose(back[name], values, rtol=1e-9)


def test_parts_that_are_raised_to_different_powers_come_back_too():
    def loss(N, *, E, A, B, a, b):
        return E + A / N**a + B / N**b

    exponent = Prior("LogNormal", {"mu": -1.0, "sigma": 0.5})
    priors = {"E": Share(3.0), "A": Share(2.0, power="a"), "B": Share(1.0, power="b"), "a": exponent, "b": exponent}
    law = Law("powers", loss, priors)
    free = free_draws(law)
    back = free_from_parameters(law, parameters_from_free(law, free, UNIT), UNIT)
    for name, values in free.items():
        np.testing.assert_allclose(back[name], values, rtol=1e-9)


FAMILIES = {
    "LogNormal": ({"mu": -1.2, "sigma": 0.45}, stats.lognorm(s=0.45, scale=np.exp(-1.2))),
    "Normal": ({"mu": -1.2, "sigma": 0.4}, stats.norm(-1.2, 0.4)),
    "TruncatedNormal": ({"mu": -0.08, "sigma": 0.03, "upper": 0.0}, stats.truncnorm(-np.inf, 0.08 / 0.03, -0.08, 0.03)),
    "HalfNormal": ({"sigma": 0.5}, stats.halfnorm(scale=0.5)),
    "Exponential": ({"scale": 10.0}, stats.expon(scale=10.0)),
    "Beta": ({"alpha": 1.5, "beta": 9.0}, stats.beta(1.5, 9.0)),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_normal_score_becomes_the_quantile_that_scipy_has(family):
    parameters, expected = FAMILIES[family]
    found = from_normal(Prior(family, parameters), SCORES)
    np.testing.assert_allclose(found, expected.ppf(stats.norm.cdf(SCORES)), rtol=1e-8, atol=1e-12)


def test_every_family_of_the_built_in_laws_has_its_quantiles():
    used = {prior.family for law in LAWS.values() for prior in free_priors(law).values()}
    assert used == set(FAMILIES)


def test_scores_of_any_size_have_finite_quantiles():
    for family, (parameters, _) in FAMILIES.items():
        assert np.isfinite(from_normal(Prior(family, parameters), np.array([-50.0, 50.0]))).all()


@pytest.mark.parametrize("prior", [Prior("Rice", {"nu": 2.0, "sigma": 1.0}), Prior("Normal", {"mu": 0, "tau": 1.0})])
def test_a_family_without_quantiles_is_named(prior):
    with pytest.raises(InputError, match=rf"quantiles of the prior {prior.family}\(.*\) are not known without PyMC"):
        from_normal(prior, SCORES)


def test_a_relative_prior_counts_in_typical_responses():
    law = LAWS["guo_compute"]
    assert "alpha_relative" in free_priors(law)
    doubled = parameters_from_free(law, free_draws(law), 2 * UNIT)
    np.testing.assert_allclose(doubled["alpha"], 2 * parameters_from_free(law, free_draws(law), UNIT)["alpha"])


def test_a_law_with_other_priors_has_other_free_variables():
    law = LAWS["chinchilla"]
    assert list(free_priors(law)) == ["alpha", "beta", "level", "E_part", "A_part", "sigma", "nu_above_2"]
    plain = dataclasses.replace(law, priors={**law.priors, "E": Prior("LogNormal", {"mu": 0.0, "sigma": 0.5})})
    assert list(free_priors(plain)) == ["E", "alpha", "beta", "level", "A_part", "sigma", "nu_above_2"]


def test_a_level_that_newton_does_not_find_is_an_error_and_no_number(monkeypatch):
    def loss(N, *, E, A, b):
        return E + A / N**b

    exponent = Prior("LogNormal", {"mu": -1.0, "sigma": 0.5})
    law = Law("powers", loss, {"E": Share(3.0), "A": Share(2.0, power="b"), "b": exponent})
    parameters = parameters_from_free(law, free_draws(law), UNIT)
    monkeypatch.setattr(priors_module, "MOST_STEPS", 1)
    with pytest.raises(InputError, match="was not found in 1 steps"):
        free_from_parameters(law, parameters, UNIT)

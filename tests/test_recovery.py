"""Every law gets back the parameters of a table simulated from it, on a design that identifies it."""

import numpy as np
import pytest
import recovery_first
import recovery_founding
import recovery_other

import bayescale as bs
from bayescale.laws import LAWS, Prior

CASES = {**recovery_first.CASES, **recovery_founding.CASES, **recovery_other.CASES}

TAIL = 0.0005
"""Of 200 parameters that are right, one lies this far out with probability 0.2; the seed is fixed."""


def test_every_law_has_a_design_that_identifies_it():
    assert set(CASES) == set(LAWS)
    for name, case in CASES.items():
        assert set(case.truth) == set(LAWS[name].parameters)
        assert set(case.loose) < set(LAWS[name].parameters)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_law_gets_its_parameters_back(name):
    case, law = CASES[name], LAWS[name]
    runs = bs.simulate(case.design, law, case.truth, sigma=0.005, response=law.responses[0], random_seed=1)
    fit = bs.fit(runs, law)
    assert fit.diagnostics.passed, fit.diagnostics.failures
    found = bs.published_draws(fit)
    ranks = {key: float(np.mean(found[key] < case.truth[key])) for key in law.parameters if key not in case.loose}
    off = {key: rank for key, rank in ranks.items() if not TAIL <= rank <= 1 - TAIL}
    assert not off
    expected = law.loss(**{key: case.design[key].to_numpy() for key in law.covariates}, **case.truth)
    median = np.median(bs.predict(fit, **{key: runs.frame[key].to_numpy() for key in law.covariates}), axis=0)
    np.testing.assert_allclose(median, expected, rtol=0.01)


@pytest.mark.slow
def test_at_a_fixed_ratio_the_prior_comes_back_and_the_tool_says_so():
    """N and D that move together leave the additive law's split to its prior."""
    design = bs.designs.fixed_ratio_design(np.geomspace(3e7, 3e10, 40))
    runs = bs.simulate(design, "chinchilla", "Besiroglu et al. (2024)", random_seed=1)
    assert any("not identified" in text for text in bs.describe(runs).cannot)
    fit = bs.fit(runs, "chinchilla")
    log_ratio = np.log(fit.draws["alpha"] / fit.draws["beta"])
    prior = LAWS["chinchilla"].priors["alpha"]
    assert isinstance(prior, Prior)
    # Before the runs, ln(alpha / beta) has s.d. 0.45 sqrt(2); what they tell of the sum of two powers narrows it.
    assert log_ratio.std() > 0.6 * np.sqrt(2) * prior.parameters["sigma"]
    with pytest.raises(bs.InputError, match="cannot distinguish the effect of N from that of D"):
        bs.allocate(fit, [1e22])

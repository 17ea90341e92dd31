import numpy as np
import pytest

import bayescale as bs
from bayescale.errors import InputError
from bayescale.fits.fit import reference_values
from bayescale.laws import LAWS
from bayescale.laws.published import published_priors

LAW = LAWS["chinchilla"]
VALUES = LAW.published["Besiroglu et al. (2024)"]
SD = LAW.published_sd["Besiroglu et al. (2024)"]


@pytest.fixture(scope="module")
def reference():
    runs = bs.load_runs("chinchilla")
    return reference_values(runs.frame, runs.response, LAW)


def test_published_priors_are_centred_on_the_published_terms_at_a_typical_run(reference):
    found = published_priors(LAW, reference, "loss")
    terms = {
        "E": VALUES["E"],
        "A": VALUES["A"] * reference["N"] ** -VALUES["alpha"],
        "B": VALUES["B"] * reference["D"] ** -VALUES["beta"],
        "alpha": VALUES["alpha"],
        "beta": VALUES["beta"],
    }
    for name, value in terms.items():
        prior = found[name]
        assert prior.family == "LogNormal"
        # The mean of a log-normal exponent lies sd**2 / 2 above its median; the exponent is carried over ln N or ln D.
        exponent, column = {"A": ("alpha", "N"), "B": ("beta", "D")}.get(name, (None, None))
        above = SD[exponent] ** 2 / 2 * VALUES[exponent] * np.log(reference[column]) if exponent else 0.0
        # Four standard errors of the mean of the draws.
        assert abs(prior.parameters["mu"] - np.log(value) + above) < 4 * prior.parameters["sigma"] / np.sqrt(20_000)


def test_published_priors_keep_what_the_correlation_of_coefficient_and_exponent_tells(reference):
    found = published_priors(LAW, reference, "loss")
    log_N = np.log(reference["N"]) * VALUES["alpha"]
    # sd(ln A - alpha ln N) by hand, alpha's own s.d. being on its log.
    expected = np.sqrt(SD["A"] ** 2 + (log_N * SD["alpha"]) ** 2 - 2 * 0.9993 * SD["A"] * log_N * SD["alpha"])
    assert found["A"].parameters["sigma"] == pytest.approx(expected, rel=0.05)
    assert found["A"].parameters["sigma"] < 0.4 * SD["A"]
    assert found["alpha"].parameters["sigma"] == pytest.approx(SD["alpha"], rel=0.03)


def test_published_priors_for_another_response_are_refused(reference):
    with pytest.raises(InputError, match="law 'chinchilla' has no published values with uncertainties for bpc"):
        published_priors(LAW, reference, "bpc")
    with pytest.raises(InputError, match="law 'kaplan_nd' has no published values with uncertainties for loss"):
        published_priors(LAWS["kaplan_nd"], reference, "loss")


@pytest.mark.slow
def test_a_published_law_is_updated_by_a_few_runs_of_ones_own():
    few = bs.simulate(
        bs.designs.isoflop_design([1e20, 1e21], [5, 10, 20, 40, 80]), "chinchilla", "Besiroglu et al. (2024)"
    )
    alone, informed = bs.fit(few, "chinchilla"), bs.fit(few, "chinchilla", priors="published")
    assert alone.diagnostics.passed
    assert informed.diagnostics.passed
    width = {
        name: np.std(np.log(bs.published_draws(fit)["alpha"]))
        for name, fit in (("alone", alone), ("informed", informed))
    }
    assert width["informed"] < 0.5 * width["alone"]
    low, high = np.quantile(informed.draws["alpha"], [0.005, 0.995])
    assert low < 0.3478 < high

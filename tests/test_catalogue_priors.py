"""What public tables know of a law's parameters, as priors."""

import importlib.util
import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

import bayescale as bs
from bayescale.catalogue import data_dir
from bayescale.errors import InputError
from bayescale.fits.catalogue_priors import FILE, catalogue_priors
from bayescale.laws import LAWS, Share

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "catalogue_priors.py"
LAW = LAWS["chinchilla"]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("catalogue_priors_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_priors_of_the_catalogue_are_narrower_than_those_of_the_law():
    known = catalogue_priors(LAW)
    for name in ("alpha", "beta"):
        assert known[name].parameters["sigma"] < LAW.priors[name].parameters["sigma"]
    shares = [known[name] for name in ("E", "A", "B")]
    assert all(isinstance(each, Share) for each in shares)
    assert sum(each.concentration for each in shares) > sum(LAW.priors[name].concentration for name in ("E", "A", "B"))


def test_the_file_names_the_tables_it_rests_on_and_the_script_that_made_it():
    record = json.loads((data_dir() / FILE).read_text(encoding="utf-8"))
    assert SCRIPT.parents[1].joinpath(record["made_by"]) == SCRIPT
    assert len(record["tables"]) >= 6
    assert all(each["runs"] >= 8 and each["noise"] > 0 and each["discrepancy"] > 0 for each in record["tables"])


def test_a_fit_with_them_says_so():
    with patch("bayescale.fits.fitting._fit", autospec=True) as fit:
        bs.fit(data_dir() / "chinchilla.csv", "chinchilla", priors="catalogue", cache=False)
    law = fit.call_args.args[0]
    assert {name: law.priors[name] for name in law.replaced} == catalogue_priors(LAW)


def test_a_law_of_which_no_population_ships_is_refused():
    with pytest.raises(InputError, match="no priors from the catalogue, which are of chinchilla"):
        catalogue_priors(LAWS["kaplan_nd"])


def test_the_population_of_many_tables_is_found_whatever_the_prior_they_were_fitted_with(script):
    """300 tables whose log exponents are known to 0.15, normal about -1 and -0.6 with 0.2 and 0.1."""
    rng = np.random.default_rng(0)
    own, mean, scale, error = script.own_priors(), np.array([-1.0, -0.6]), np.array([0.2, 0.1]), 0.15
    posteriors = []
    for _ in range(300):
        seen = mean + scale * rng.standard_normal(2) + error * rng.standard_normal(2)
        precision = own.scale**-2 + error**-2
        centre = (own.mean * own.scale**-2 + seen * error**-2) / precision
        logs = centre + precision**-0.5 * rng.standard_normal((400, 2))
        posteriors.append((logs, rng.dirichlet([30.0, 10.0, 10.0], 400)))
    found = script.population(posteriors)
    np.testing.assert_allclose(found.mean, mean, atol=0.05)
    np.testing.assert_allclose(found.scale, scale, atol=0.04)
    np.testing.assert_allclose(found.shares / found.shares.sum(), [0.6, 0.2, 0.2], atol=0.02)

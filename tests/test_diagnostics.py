import dataclasses
import json

import numpy as np
import pytest
import xarray as xr

from bayescale.fits.diagnostics import check_draws, diagnose, diagnostics_from_record

CHAINS, DRAWS = 4, 500
DIMS = ("chain", "draw")


def iid(seed=0, chains=CHAINS, draws=DRAWS):
    return np.random.default_rng(seed).standard_normal((chains, draws))


def walk(seed, scale=1.0):
    """Return chains that remember: each draw keeps ``scale`` of the one before."""
    steps, chains = iid(seed), np.zeros((CHAINS, DRAWS))
    for draw in range(1, DRAWS):
        chains[:, draw] = scale * chains[:, draw - 1] + steps[:, draw]
    return chains


def posterior(**values):
    return xr.Dataset({name: (DIMS, array) for name, array in values.items()})


def statistics(chains=CHAINS, draws=DRAWS, **values):
    none = np.zeros((chains, draws), dtype=bool)
    arrays = {"diverging": none, "maxdepth_reached": none, "energy": iid(9, chains, draws), **values}
    return xr.Dataset({name: (DIMS, array) for name, array in arrays.items()})


def once(where=(0, 7)):
    flags = np.zeros((CHAINS, DRAWS), dtype=bool)
    flags[where] = True
    return flags


def test_independent_draws_pass():
    found = diagnose(posterior(a=iid(1), b=np.exp(iid(2))), statistics())
    assert found.passed
    assert found.failures == ()
    assert found.rhat <= 1.01
    assert min(found.ess_bulk, found.ess_tail) >= 400
    assert (found.divergences, found.saturated, found.draws) == (0, 0, CHAINS * DRAWS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_draw_that_is_not_finite_fails(value):
    values = iid()
    values[2, 3] = value
    found = diagnose(posterior(a=iid(1), b=values), statistics())
    assert found.failures == ("b has draws that are not finite",)


def test_one_chain_fails_for_nothing_shows_that_chains_agree():
    found = diagnose(posterior(a=iid(chains=1)), statistics(chains=1))
    assert not found.passed
    assert "1 chains were run (at least 4 are needed to see that they agree)" in found.failures
    assert "R-hat (rank) of a is nan (at most 1.01)" in found.failures


def test_three_chains_fail():
    assert not diagnose(posterior(a=iid(chains=3)), statistics(chains=3)).passed


def test_chains_around_different_means_fail():
    found = diagnose(posterior(a=iid(), b=iid(1) + np.arange(CHAINS)[:, None]), statistics())
    assert any(failure.startswith("R-hat (rank) of b is 1.") for failure in found.failures)
    assert not any(" of a " in failure for failure in found.failures)
    assert found.rhat > 1.01


def test_chains_of_different_widths_fail_by_folded_ranks():
    wider = iid(1) * np.array([1, 1, 1, 4])[:, None]
    failures = diagnose(posterior(a=wider), statistics()).failures
    assert any(failure.startswith("R-hat (folded) of a") for failure in failures)


def test_correlated_draws_fail_by_effective_sample_size():
    failures = diagnose(posterior(a=walk(1, 0.9)), statistics()).failures
    assert any(failure.startswith("bulk ESS of a is") and "at least 400" in failure for failure in failures)


def test_few_effective_draws_in_the_tails_fail_alone():
    # The size of the draws is correlated and their sign is not: the bulk looks well, the tails do not.
    heavy = np.exp(walk(4, 0.97)) * np.sign(iid(5))
    failures = diagnose(posterior(a=heavy), statistics()).failures
    assert any(failure.startswith("tail ESS of a is") for failure in failures)
    assert not any(failure.startswith("bulk ESS") for failure in failures)


def test_an_end_point_known_too_poorly_fails():
    failures = check_draws(posterior(a=iid(1) ** 21), probability=0.98)
    assert any("Monte Carlo error of the 99% point of a" in failure for failure in failures)
    assert any("of the 98% interval's width (at most 5%)" in failure for failure in failures)


def test_one_divergence_fails():
    found = diagnose(posterior(a=iid()), statistics(diverging=once()))
    assert found.failures == ("1 transitions diverged (none may)",)
    assert found.divergences == 1


def test_one_saturated_tree_fails():
    found = diagnose(posterior(a=iid()), statistics(maxdepth_reached=once()))
    assert found.failures == ("1 transitions reached the largest tree depth (none may)",)
    assert found.saturated == 1


def test_low_energy_information_in_one_chain_fails():
    energy = iid(9)
    energy[1] = np.cumsum(energy[1])
    (failure,) = diagnose(posterior(a=iid()), statistics(energy=energy)).failures
    assert failure.startswith("E-BFMI is 0.0")


@pytest.mark.parametrize(
    "where",
    [
        (slice(None), 1),
        (1, 1),
    ],
)
def test_energy_that_is_not_a_number_fails(where):
    energy = iid(9)
    energy[where] = np.nan
    (failure,) = diagnose(posterior(a=iid()), statistics(energy=energy)).failures
    assert failure == "E-BFMI is nan (at least 0.3)"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_quantity_that_never_moves_fails():
    assert not diagnose(posterior(a=iid(), b=np.ones((CHAINS, DRAWS))), statistics()).passed


def test_a_handful_of_draws_fails():
    assert not diagnose(posterior(a=iid(draws=3)), statistics(draws=3)).passed


def test_diagnostics_return_from_their_record_unchanged():
    found = diagnose(posterior(a=iid()), statistics(diverging=once()))
    assert diagnostics_from_record(json.loads(json.dumps(dataclasses.asdict(found)))) == found

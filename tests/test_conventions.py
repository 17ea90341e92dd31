"""Tables that count parameters in several ways: which count the laws are fitted to is said, and compared."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.comparison.conventions import compare_conventions, is_power, other_sizes
from bayescale.fits.loo import point_loo
from bayescale.laws import LAWS
from bayescale.records.comparison import comparison_record
from bayescale.runs.units import independent_units

TRUTH = LAWS["chinchilla"].published["Besiroglu et al. (2024)"]


def experts(share, **columns):
    """Return a table of models whose loss follows from the parameters that work on each token."""
    rng = np.random.default_rng(0)
    active = np.exp(rng.uniform(np.log(3e7), np.log(3e9), 40))
    D = active * np.exp(rng.uniform(np.log(5), np.log(200), 40))
    loss = LAWS["chinchilla"].loss(active, D, **TRUTH) * np.exp(0.005 * rng.standard_normal(40))
    return pd.DataFrame(
        {
            "total_params": active * share(rng, active),
            "active_params": active,
            **{name: make(active) for name, make in columns.items()},
            "tokens": D,
            "flops": 6 * active * D,
            "loss": loss,
        }
    )


def mixed(rng, active):
    return rng.choice([2.0, 4.0, 8.0, 16.0], active.size)


def test_the_counts_of_a_table_are_found_with_the_factors_of_their_headers():
    frame = experts(
        mixed, **{"Params excl. embeddings (M)": lambda N: 0.8 * N / 1e6, "router_params": lambda N: N / 99}
    )
    runs = bs.read_runs(frame)
    found = other_sizes(runs.frame)
    assert list(found) == ["active_N", "Params excl. embeddings (M)"]
    np.testing.assert_allclose(found["Params excl. embeddings (M)"], 0.8 * frame["active_params"])
    assert runs.record["N"] == "the parameters of 'total_params' (total)"
    assert "N" not in bs.read_runs(frame[["total_params", "tokens", "loss"]]).record
    kept = bs.read_runs(frame, record={"N": "as I say"})
    assert kept.record["N"] == "as I say"


def test_a_count_that_is_a_power_of_another_needs_no_fit(synthetic_fit):
    fitted = synthetic_fit("chinchilla", bs.read_runs(experts(lambda *_: 9.3)), TRUTH)
    units = independent_units(fitted.runs)
    (found,) = compare_conventions({"chinchilla": fitted}, {}, units, lambda _: pytest.fail("no fit is needed"))
    assert found.alike
    assert (found.column, found.counts, found.elpd_diff) == ("active_N", "active", 0.0)
    assert found.statement == "'active_N' (active) as N would predict as N does: in these runs it is a power of it"


def test_a_size_that_does_not_vary_is_no_power():
    assert not is_power(np.full(5, 1e9), np.geomspace(1e8, 1e9, 5))


def test_laws_without_N_are_not_compared_by_it(wide_comparison):
    assert wide_comparison.conventions == ()
    only = {"compute_floor": wide_comparison.fits["compute_floor"]}
    assert not list(compare_conventions(only, {}, np.arange(3), point_loo))


@pytest.mark.slow
def test_the_count_that_the_loss_follows_predicts_better_and_is_said_to(tmp_path):
    runs = bs.read_runs(experts(mixed))
    fits = bs.fit_laws(runs, ["chinchilla", "compute_power"], draws=500, tune=500, cache=False)
    comparison = bs.compare(fits, cache=False)
    (found,) = comparison.conventions
    assert found.decided
    assert found.elpd_diff > 20
    assert "the laws are fitted to N, the parameters of 'total_params' (total)" in comparison.notes
    assert found.statement in comparison.notes
    assert found.statement in bs.allocate(comparison, [1e21]).notes
    record = comparison_record(comparison)
    assert record["conventions"] == [{**dataclasses.asdict(found), "statement": found.statement}]
    comparison.save(tmp_path / "comparison.nc")
    assert bs.Comparison.load(tmp_path / "comparison.nc").conventions == (found,)

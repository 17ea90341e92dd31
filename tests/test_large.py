"""Large tables: what is computed in blocks is what it was as a whole, and less of it is kept."""

import dataclasses
import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from test_checkpoints import draws_of, table

import bayescale as bs
from bayescale.comparison import ranking
from bayescale.decisions.sensitivity import densities
from bayescale.decisions.verdict_sensitivity import _changes
from bayescale.errors import InputError
from bayescale.fits import blocks, discrepancy
from bayescale.fits.discrepancy import discrepancy_group
from bayescale.fits.fit import LIKELIHOOD, LOG_PRIOR, Fit
from bayescale.fits.gibbs import sample_weights
from bayescale.fits.likelihood import density_left_out, density_without, log_likelihood, with_log_likelihood
from bayescale.fits.loo import GROUP, SCALARS, left_out_together, loo_group, point_loo
from bayescale.fits.saving import load_fit
from bayescale.fits.sums import weights_from_sums
from bayescale.fits.tree import with_groups
from bayescale.forecasts import alternatives, backtesting
from bayescale.runs import amounts

ROWS = 24
"""Rows that a block holds here."""


@pytest.fixture(scope="module")
def shared_fit():
    """Six training runs of seven rows, which share noise."""
    runs = bs.read_runs(table(), name="made")
    return Fit.from_draws(runs, "chinchilla", draws_of(runs, count=200)[2], scale="reference")


@pytest.fixture(params=["each row by itself", "training runs"])
def small(request):
    """A fit that keeps its log likelihood."""
    if request.param == "training runs":
        return request.getfixturevalue("shared_fit")
    return request.getfixturevalue("wide_fit")


@pytest.fixture
def large(small, monkeypatch):
    """The same fit as one of a large table has it: without log likelihood, computed in several blocks."""
    tree = small.data.copy()
    for name in {LIKELIHOOD, GROUP} & set(tree.children):
        del tree[name]
    draws = small.data["posterior"].sizes
    monkeypatch.setattr(blocks, "BLOCK", ROWS * draws["chain"] * draws["draw"])
    monkeypatch.setattr(blocks, "MOST", ROWS * draws["chain"] * draws["draw"])
    return Fit(small.law, tree)


# Blocks


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 30))
def test_blocks_hold_each_row_once_and_units_whole(labels, size):
    units = np.unique(labels, return_inverse=True)[1]
    found = list(blocks.row_blocks(units, 3, 3 * size))
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.arange(units.size))
    seen = [set(units[rows].tolist()) for rows in found]
    assert sum(map(len, seen)) == len(set.union(*seen))
    assert max(rows.size for rows in found) < size + np.bincount(units).max()


def test_predictive_draws_are_all_of_a_small_table_and_few_of_a_large_one():
    np.testing.assert_array_equal(blocks.predictive_draws(4, 1000, 2000), np.arange(1000))
    for rows, count in ((100_000, 20), (1_000_000, 5)):
        kept = blocks.predictive_draws(4, 1000, rows)
        assert (kept[0], kept[-1], np.unique(kept).size) == (0, 999, count)


# Fits


def test_rows_left_out_in_blocks_are_those_of_the_whole(small, large):
    whole, parts = loo_group(small), loo_group(large)
    for name in ("elpd_i", "pareto_k", *SCALARS):
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-9, err_msg=name)
    np.testing.assert_array_equal(parts["run"], large.data["observed_data"]["run"])


def test_the_likelihood_that_is_not_kept_is_computed_when_asked(small, large):
    found = with_log_likelihood(large)
    assert with_log_likelihood(found) is found
    np.testing.assert_allclose(
        found.data[LIKELIHOOD]["log_response"], small.data[LIKELIHOOD]["log_response"], rtol=1e-9
    )


def test_a_comparison_of_large_fits_is_that_of_small_ones(small, large):
    expected, found = (bs.compare({"chinchilla": fit, "other": fit}, max_refits=0) for fit in (small, large))
    np.testing.assert_allclose(found.table["p"], expected.table["p"], rtol=1e-8)
    np.testing.assert_allclose(found.table["elpd"], expected.table["elpd"], rtol=1e-10)


def test_sensitivity_needs_no_kept_likelihood(small, large):
    prior = xr.DataTree(np.log(small.data["posterior"].to_dataset()[["sigma"]]))
    whole, parts = (Fit(fit.law, fit.data.copy()) for fit in (small, large))
    whole.data[LOG_PRIOR] = parts.data[LOG_PRIOR] = prior
    expected, found = (densities(fit)["likelihood"] for fit in (whole, parts))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_allclose(_changes(parts, [0.5]), _changes(whole, [0.5]), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("small", ["each row by itself"], indirect=True)
def test_a_large_fit_keeps_no_likelihood_and_some_predictive_draws(large, tmp_path):
    with_groups(large, {})
    assert LIKELIHOOD not in large.data.children
    kept, posterior = large.data["posterior_predictive"].to_dataset(), large.data["posterior"].sizes
    assert kept.sizes["chain"] == posterior["chain"]
    assert kept.sizes["draw"] < posterior["draw"]
    assert kept.attrs["thinned"].startswith(f"{kept.sizes['draw']} of {posterior['draw']} draws of each chain")
    large.save(tmp_path / "fit.nc")
    assert point_loo(load_fit(tmp_path / "fit.nc")).elpd == pytest.approx(point_loo(large).elpd, abs=1e-9)


@pytest.mark.usefixtures("large")
def test_densities_of_unseen_rows_in_blocks_are_those_of_the_whole(small):
    frame, units = small.runs.frame, left_out_together(small.data)
    given_ = (small.law, small.data["posterior"].to_dataset(), frame, "loss", small.reference)
    density, _ = log_likelihood(*given_, random_seed=0)
    np.testing.assert_allclose(density_without(*given_, units=units), density_left_out(density, units), rtol=1e-9)


# What a law misses


def bent(bend, rows=1200, seed=0):
    """Residuals with a bend in x and noise of scale 0.01 and 4 degrees of freedom, and features."""
    rng = np.random.default_rng(seed)
    x, z = rng.uniform(-3.5, 3.5, (2, rows))
    sides = [np.maximum(side[:, None] - np.arange(4), 0) for side in (x, -x, z, -z)]
    residuals = bend * np.maximum(x - 1, 0) + 0.01 * rng.standard_t(4, rows)
    return np.tile(residuals, (60, 1)), np.concatenate(sides, axis=1)


@pytest.mark.parametrize("bend", [0.0, 0.2])
def test_sums_over_rows_give_the_weights_that_single_rows_give(bend):
    residuals, features = bent(bend)
    places = np.array_split(np.arange(residuals.shape[1]), 3)
    exact = sample_weights(residuals, features, np.random.default_rng(1))
    found = weights_from_sums(
        lambda: ((residuals[:, rows], features[rows]) for rows in places), np.random.default_rng(2)
    )
    delta, expected = (each["weights"] @ features[:40].T for each in (found, exact))
    spread = np.sqrt(expected.var(axis=0) + delta.var(axis=0))
    assert (np.abs(delta.mean(axis=0) - expected.mean(axis=0)) < 0.6 * spread).all()
    assert 0.6 < np.median(delta.std(axis=0) / expected.std(axis=0)) < 1.6
    assert np.median(found["sigma"]) == pytest.approx(0.01, rel=0.12)
    assert 2.8 < np.median(found["nu"]) < 6.5


def test_the_discrepancy_of_a_large_table_is_that_of_a_small_one(small, monkeypatch):
    frame = small.runs.frame
    whole = discrepancy_group(small)
    monkeypatch.setattr(discrepancy, "FEW", 30)
    parts = discrepancy_group(small)
    features = discrepancy._features(small, {name: frame[name].to_numpy() for name in ("N", "D")})
    expected, found = (discrepancy._delta(each["weights"].to_numpy(), features) for each in (whole, parts))
    spread = np.sqrt(expected.var(axis=0) + found.var(axis=0))
    assert (np.abs(found.mean(axis=0) - expected.mean(axis=0)) < spread).all()
    assert float(parts["sigma"].median()) == pytest.approx(float(whole["sigma"].median()), rel=0.25)
    assert float(parts["size"].median()) < 3 * float(whole["size"].median())


# Forecasts


@pytest.mark.parametrize("method", ["discrepancy", "plain"])
def test_forecasts_in_blocks_score_as_those_of_all_runs(method, wide_fit, monkeypatch):
    held = wide_fit.runs.frame.iloc[::2]
    whole = backtesting._own_points(wide_fit, held, method, 1)
    monkeypatch.setattr(backtesting, "MOST", 4000 * ROWS)
    parts = backtesting._own_points(wide_fit, held, method, 1)
    assert len(parts) == len(held)
    np.testing.assert_allclose(parts["lpd"], whole["lpd"], rtol=1e-9)
    np.testing.assert_allclose(parts["width_90"], whole["width_90"], rtol=0.1)
    np.testing.assert_array_equal(parts["observed"], held["loss"])


def test_many_rows_get_fewer_resamples_and_fewer_conformal_draws(wide_runs, monkeypatch):
    frame = wide_runs.frame
    monkeypatch.setattr(alternatives, "MOST_RESAMPLED", 20 * len(frame))
    monkeypatch.setattr(alternatives, "FEWEST_BOOTSTRAPS", 10)
    few = alternatives.least_squares(bs.LAWS["compute_floor"], frame, frame[:3], "loss", random_seed=0)
    assert len(few.draws) == 20
    monkeypatch.setattr(alternatives, "MOST_DRAWS", 150)
    monkeypatch.setattr(alternatives, "BOOTSTRAPS", 30)
    fewer = alternatives.conformal(bs.LAWS["compute_floor"], frame, frame[:3], "loss", random_seed=0)
    assert len(fewer.draws) == 50


def test_a_bootstrap_of_the_ranking_does_not_depend_on_its_blocks(monkeypatch):
    densities_ = np.random.default_rng(0).standard_normal((2, 50))
    whole = ranking._bootstrap(densities_, np.arange(50), 1)
    monkeypatch.setattr(ranking, "BLOCK", 50 * 7)
    parts = ranking._bootstrap(densities_, np.arange(50), 1)
    assert parts.shape == (ranking.BOOTSTRAP_DRAWS, 2)
    np.testing.assert_allclose(parts, whole, rtol=1e-9)


# Memory


def test_a_table_that_memory_cannot_hold_is_refused_before_it_is_sampled(wide_runs, monkeypatch):
    monkeypatch.setattr(amounts, "free_memory", lambda: 0.5e9)
    with pytest.raises(InputError, match=r"wide: fitting 120 runs needs about 0.7 GB of memory, and 0.5 GB are free"):
        bs.fit(wide_runs, "chinchilla", cache=False, progress=False)


def test_rows_of_training_runs_need_memory_for_their_shares():
    frame = pd.DataFrame({"training_run": np.repeat([f"run {i}" for i in range(1000)], 100)})
    alone = amounts.fit_bytes(frame.assign(training_run=[f"run {i}" for i in range(len(frame))]))
    assert amounts.fit_bytes(frame) - alone == pytest.approx(8 * 100_000 * (1000 + 600))


def test_the_limit_of_a_container_counts(tmp_path, monkeypatch):
    from bayescale import memory  # noqa: PLC0415

    monkeypatch.setattr(memory, "GROUP", tmp_path)
    machine = memory.free_memory()
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert memory.free_memory() == 2e6
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_memory() == pytest.approx(machine, rel=0.5)


def test_a_large_table_says_what_a_fit_takes(wide_runs):
    frame = pd.concat([wide_runs.frame] * 50).assign(run=[str(i) for i in range(6000)])
    rng = np.random.default_rng(0)
    frame["N"] *= np.exp(0.01 * rng.standard_normal(6000))
    (note,) = [each for each in bs.read_runs(frame.drop(columns="C")).notes if "many" in each]
    assert note.startswith("6000 runs are many: a law takes about 0.80 minutes of one core and 0.72 GB of memory")
    assert not any("many" in each for each in dataclasses.replace(wide_runs).notes)


def test_reading_does_not_take_the_square_of_the_rows():
    def seconds(rows):
        rng = np.random.default_rng(0)
        N, D = 10 ** rng.uniform(7, 10, rows), 10 ** rng.uniform(9, 12, rows)
        frame = pd.DataFrame({"run": [f"r{i}" for i in range(rows)], "N": N, "D": D, "loss": 2 + N**-0.1 + D**-0.1})
        begun = time.process_time()
        bs.read_runs(frame)
        return time.process_time() - begun

    seconds(100)  # what is imported once
    assert seconds(4000) < 24 * max(seconds(500), 0.02)  # 8 times the rows; 64 times the pairs


@pytest.mark.parametrize(("rows", "said"), [(5000, ""), (1_000_000, "minutes of one core each")])
def test_what_is_said_while_laws_are_fitted_names_a_time_where_it_is_long(rows, said):
    assert amounts.time_of_fits(rows).endswith(said)
    assert bool(amounts.time_of_fits(rows)) == bool(said)

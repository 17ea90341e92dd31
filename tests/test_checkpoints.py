"""Rows of one training run share a part of their noise, in the posterior and in all that counts runs."""

import dataclasses

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

import bayescale as bs
from bayescale.comparison import comparison as module
from bayescale.comparison.comparison import compare
from bayescale.fits.discrepancy import discrepancy_group
from bayescale.fits.fit import Fit, reference_values
from bayescale.fits.fitting import sample_posterior_alone
from bayescale.fits.likelihood import density_left_out, log_likelihood, run_densities
from bayescale.fits.loo import left_out_together, loo_group, point_loo
from bayescale.fits.model import build_model
from bayescale.fits.sampling import model_data
from bayescale.fits.settings import Settings
from bayescale.fits.tree import canonical_frame, sampler_data
from bayescale.laws import LAWS
from bayescale.laws.priors import free_from_parameters, free_priors, parameters_from_free
from bayescale.runs.checkpoints import EXPECTED_SHARES, MEMORY, TOGETHER, Checkpoints, checkpoints_of
from bayescale.splits.optimum import find_optimum

SIZES = np.array([53.3, 63.9, 159.6, 206.5, 322.9, 481.7]) * 1e6
TOKENS = np.array([139.2, 278.4, 556.8, 1113.6, 2227.2, 3340.8, 4419.6]) * 1e6
TRUTH = {"E": 1.69, "A": 291.0, "B": 155000.0, "alpha": 0.34, "beta": 0.655}
CHINCHILLA = LAWS["chinchilla"]
NOISE = {"sigma": 0.01, "nu": 6.0, "run_share": 0.6, "path_share": 0.3}


def table(seed=0, tokens=TOKENS, *, offset=0.005, alone=0.0015):
    """Six training runs of seven checkpoints each, with an offset of each run and noise of each row."""
    rng = np.random.default_rng(seed)
    N, D = np.meshgrid(SIZES, tokens, indexing="ij")
    noise = offset * rng.standard_normal((SIZES.size, 1)) + alone * rng.standard_normal(N.shape)
    labels = np.repeat([f"run {i}" for i in range(SIZES.size)], tokens.size)
    loss = CHINCHILLA.loss(N=N, D=D, **TRUTH) * np.exp(noise)
    return pd.DataFrame({"N": N.ravel(), "D": D.ravel(), "loss": loss.ravel(), "training_run": labels})


def covariance(frame, run_share, path_share):
    """The covariance of the noise over its variance, written out (row, row)."""
    labels, x = frame["training_run"].to_numpy(), np.log(frame["D"].to_numpy())
    path = np.exp(-np.abs(x[:, None] - x[None]) / MEMORY)
    within = path_share * path + (1 - path_share) * np.eye(x.size)
    return (labels[:, None] == labels[None]) * (run_share + (1 - run_share) * within)


def draws_of(runs, law=CHINCHILLA, count=3, seed=0):
    """Parameters of a law near the truth, and noise with shares (chain, draw)."""
    rng = np.random.default_rng(seed)
    frame = canonical_frame(runs)
    reference = reference_values(frame, "loss", law)
    at_typical = {"E": 1.69, "A": 291.0 * reference["N"] ** -0.34, "B": 155000.0 * reference["D"] ** -0.655}
    values = {**at_typical, "alpha": 0.34, "beta": 0.655, **NOISE}
    jitter = {name: value * np.exp(0.01 * rng.standard_normal((1, count))) for name, value in values.items()}
    return frame, reference, xr.Dataset({name: (("chain", "draw"), each) for name, each in jitter.items()})


# Density


def test_rows_of_a_training_run_are_one_multivariate_student_t():
    frame = table().iloc[:14]
    residuals = 0.01 * np.random.default_rng(1).standard_normal((1, 14))
    found = run_densities(residuals, {name: np.array([value]) for name, value in NOISE.items()}, checkpoints_of(frame))
    shape = NOISE["sigma"] ** 2 * covariance(frame, NOISE["run_share"], NOISE["path_share"])
    for rows in (slice(0, 7), slice(7, 14)):
        expected = stats.multivariate_t(shape=shape[rows, rows], df=NOISE["nu"]).logpdf(residuals[0, rows])
        assert found[0, rows].sum() == pytest.approx(expected, abs=1e-9)
        first = stats.t(NOISE["nu"], scale=NOISE["sigma"]).logpdf(residuals[0, rows.start])
        assert found[0, rows.start] == pytest.approx(first, abs=1e-12)


def test_the_model_has_the_density_that_is_kept_with_a_fit():
    frame = table()
    frame.loc[40:, "training_run"] = ["single", ""]  # a run of one row, and one without a label
    runs = bs.read_runs(frame, name="made")
    frame, reference, posterior = draws_of(runs)
    data = sampler_data(CHINCHILLA, frame, "loss", reference)
    model = build_model(CHINCHILLA, shared=True)
    with model:
        pm.set_data(model_data(CHINCHILLA, data))
    density, _ = log_likelihood(CHINCHILLA, posterior, frame, "loss", reference, random_seed=0)
    parameters = {str(name): values.to_numpy().ravel() for name, values in posterior.items()}
    free = free_from_parameters(CHINCHILLA, parameters, reference["loss"])
    assert set(free) == {variable.name for variable in model.free_RVs} == set(free_priors(CHINCHILLA, shared=True))
    (potential,) = model.potentials
    for i in range(3):
        at = {variable: free[variable.name][i] for variable in model.free_RVs}
        found = potential.eval(at, mode="FAST_COMPILE")
        assert found.shape == (8,)
        assert found.sum() == pytest.approx(float(density["log_response"][0, i].sum()), rel=1e-10)


def test_parameters_and_free_variables_go_back_and_forth_with_shares():
    _, reference, posterior = draws_of(bs.read_runs(table(), name="made"))
    parameters = {str(name): values.to_numpy().ravel() for name, values in posterior.items()}
    back = parameters_from_free(
        CHINCHILLA, free_from_parameters(CHINCHILLA, parameters, reference["loss"]), reference["loss"]
    )
    for name, values in parameters.items():
        np.testing.assert_allclose(back[name], values, rtol=1e-10)


def test_whitened_noise_is_independent_and_of_the_same_scale():
    frame = table().sample(frac=1.0, random_state=3, ignore_index=True)
    root = np.linalg.cholesky(covariance(frame, 0.6, 0.3))
    whitener = checkpoints_of(frame).whiten(np.eye(len(frame)), (0.6, 0.3)).T
    np.testing.assert_allclose(whitener @ root @ root.T @ whitener.T, np.eye(len(frame)), atol=1e-10)


def test_a_density_left_out_adds_up_to_that_of_the_whole_training_run():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((2, 50, 5))
    found = density_left_out(
        xr.Dataset({"log_response": (("chain", "draw", "run"), values)}), np.array([0, 0, 1, 1, 1])
    )
    for rows in ([0, 1], [2, 3, 4]):
        assert found[rows].sum() == pytest.approx(np.log(np.exp(values[..., rows].sum(axis=-1)).mean()), abs=1e-12)


# Tables of one row a run


@pytest.mark.parametrize("labels", [None, [f"run {i}" for i in range(42)], [""] * 42])
def test_one_row_a_run_is_the_model_without_shares(labels):
    frame = table().drop(columns="training_run")
    frame = frame if labels is None else frame.assign(training_run=labels)
    reference = reference_values(frame.assign(C=6 * frame["N"] * frame["D"]), "loss", CHINCHILLA)
    assert not set(TOGETHER) & set(sampler_data(CHINCHILLA, frame, "loss", reference))
    assert checkpoints_of(frame) is None


def test_shares_change_nothing_where_no_run_has_several_rows():
    runs = bs.read_runs(table().drop(columns="training_run"), name="made")
    frame, reference, posterior = draws_of(runs)
    plain = posterior.drop_vars(["run_share", "path_share"])
    found = [
        log_likelihood(CHINCHILLA, each, frame, "loss", reference, random_seed=0)[0] for each in (posterior, plain)
    ]
    xr.testing.assert_equal(*found)


# What counts runs


@pytest.fixture(scope="module")
def shared_fit():
    """A fit of made-up draws near the truth, with shares, of six training runs of seven rows."""
    runs = bs.read_runs(table(), name="made")
    _, _, posterior = draws_of(runs, count=200)
    return Fit.from_draws(runs, "chinchilla", posterior, scale="reference")


def test_each_training_run_is_left_out_as_a_whole(shared_fit):
    together = left_out_together(shared_fit.data)
    assert np.bincount(together).tolist() == [7] * 6
    loo = point_loo(shared_fit)
    assert loo.elpd == pytest.approx(float(loo.elpd_i.sum()), abs=1e-9)
    for unit in range(6):
        assert np.unique(loo.pareto_k.to_numpy()[together == unit]).size == 1
    kept = loo_group(shared_fit)
    np.testing.assert_array_equal(kept["elpd_i"], loo.elpd_i)


def test_a_training_run_left_out_is_less_likely_than_its_rows_left_out_one_by_one(shared_fit):
    alone = shared_fit.data.copy()
    alone["constant_data"] = xr.DataTree(alone["constant_data"].to_dataset().drop_vars("training_run"))
    assert point_loo(shared_fit).elpd < point_loo(Fit(shared_fit.law, alone)).elpd


def test_exact_refits_leave_out_training_runs(shared_fit, monkeypatch):
    asked = []

    def refit(_fitted, rows, *, cache=True):
        asked.append((tuple(rows), cache))
        return np.full(len(rows), -3.0)

    monkeypatch.setattr(module, "exact_elpd_of_training_run", refit)
    monkeypatch.setattr(module, "_bad_rows", lambda _: np.arange(3, 9))
    together = left_out_together(shared_fit.data)
    found = compare({"chinchilla": shared_fit, "other": shared_fit}, max_refits=1)
    (rows, _), *_ = asked
    assert len(asked) == 2  # one for each fit
    assert len(set(together[list(rows)])) == 1
    assert len(rows) == 7
    assert found.exact["chinchilla"] == rows
    assert found.pointwise["chinchilla"].elpd_i.to_numpy()[list(rows)].tolist() == [-3.0] * 7
    assert "42 rows of 6 training runs: each training run is left out as a whole" in "; ".join(found.notes)


def test_the_discrepancy_counts_what_rows_of_a_run_tell_beside_each_other(shared_fit):
    """A run's offset that all its rows share is no evidence of a bend: the discrepancy is smaller for it."""
    unshared = shared_fit.data["posterior"].to_dataset().drop_vars(["run_share", "path_share"])
    runs = dataclasses.replace(shared_fit.runs)
    alone = Fit.from_draws(runs, "chinchilla", unshared, scale="reference")
    assert discrepancy_group(shared_fit)["tau"].median() < discrepancy_group(alone)["tau"].median()


def test_more_checkpoints_are_not_more_runs():
    """Of seven checkpoints in place of one, as independent rows, N* would be known far better."""
    few = table(tokens=TOKENS[[0, 3, 6]])
    dense = table(tokens=np.geomspace(TOKENS[0], TOKENS[-1], 41))

    def width(frame):
        return bs.identify(bs.read_runs(frame, name="made")).questions[1].width

    gain_shared = np.log(width(few)) / np.log(width(dense))
    gain_alone = np.log(width(few.drop(columns="training_run"))) / np.log(width(dense.drop(columns="training_run")))
    assert 1.0 <= gain_shared < gain_alone


def test_checkpoints_are_ordered_by_progress_whatever_the_order_of_rows():
    shared = Checkpoints(np.array([0, 1, 0, 1, 0]), np.array([3.0, 1.0, 1.0, 2.0, 2.0]))
    assert [rows.tolist() for rows in shared.runs()] == [[2, 4, 0], [1, 3]]


def test_expected_shares_are_shares():
    assert all(0 < share < 1 for share in EXPECTED_SHARES)


# Sampled


@pytest.mark.slow
def test_intervals_of_the_best_size_hold_it_where_rows_are_checkpoints():
    """Over 30 tables of 6 runs with 7 checkpoints; as independent rows the intervals held it in about half.

    Of 30 tables at least 23 must: fewer have a probability below 1% if 90% intervals hold 90%.
    """
    grid = np.linspace(np.log(1e7), np.log(1e11), 100_001)
    best = np.exp(grid[np.argmin(CHINCHILLA.loss(N=np.exp(grid), D=1e19 / 6 / np.exp(grid), **TRUTH))])
    held = []
    for seed in range(30):
        runs = bs.read_runs(table(seed), name="made")
        fitted = sample_posterior_alone(CHINCHILLA, runs, Settings(draws=600, tune=600, chains=2, random_seed=seed))
        sizes = np.sqrt(1e19 / 6) * np.exp(-0.5 * find_optimum(fitted.draws, np.array([1e19])).log_ratio[:, 0])
        low, high = np.quantile(sizes, [0.05, 0.95])
        held.append(low <= best <= high)
    assert sum(held) >= 23

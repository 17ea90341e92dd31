import dataclasses

import numpy as np
import pandas as pd
import pytest
from recovery_founding import CASES as FOUNDING
from recovery_other import CASES as OTHER
from scipy import stats

import bayescale as bs
from bayescale.errors import InputError
from bayescale.fits import discrepancy, gibbs
from bayescale.fits.discrepancy import SAMPLES, discrepancy_group
from bayescale.fits.fit import Fit
from bayescale.fits.forecast import NOISES, forecast_runs
from bayescale.fits.gibbs import NUS, SIGMAS, SWEEPS, TAIL, TAUS, sample_weights
from bayescale.fits.saving import load_fit
from bayescale.forecasts.scores import score
from bayescale.laws import EXTRA_DEGREES, NOISE_SCALE, Law, Share

PRIORS = {
    "tau": (TAUS, np.log(TAUS) - 0.5 * (TAUS / gibbs.SCALE) ** 2),
    "sigma": (SIGMAS, np.log(SIGMAS) - 0.5 * (SIGMAS / NOISE_SCALE) ** 2),
    "nu": (NUS, np.log(NUS - 2) - (NUS - 2) / EXTRA_DEGREES),
}
"""Half-normal, half-normal and exponential priors on values evenly spaced in the log, as densities of that log."""

X = np.linspace(-3.2, 3.2, 24)
BEYOND = 5.2
"""e-folds from the centre of the runs, and of a run to forecast."""

TABLES, RANKED = 200, 19
"""Simulated problems, and samples of each."""


def hinges(x):
    """Return changes of slope at 0 to 3 e-folds on both sides (point, feature)."""
    x = np.asarray(x, dtype=float)[:, None]
    return np.concatenate([np.maximum(side - np.arange(4), 0) for side in (x, -x)], axis=1)


def simulate(rng, noise=1.0):
    """Draw problems from the prior: their truth (problem, ...) and residuals (problem, run)."""
    truth = {}
    for name, (values, log_density) in PRIORS.items():
        density = np.exp(log_density - log_density.max())
        truth[name] = rng.choice(values, TABLES, p=density / density.sum())
    features = hinges(X)
    truth["weights"] = truth["tau"][:, None] * rng.standard_t(TAIL, (TABLES, features.shape[1]))
    errors = noise * truth["sigma"][:, None] * rng.standard_t(truth["nu"][:, None], size=(TABLES, X.size))
    return truth, truth["weights"] @ features.T + errors


def quantities(found):
    """Return what is looked at of each sample: scales, two weights, size of delta, and delta beyond the runs."""
    weights = found["weights"]
    delta = {
        "size": np.sqrt(((weights @ hinges(X).T) ** 2).mean(axis=1)),
        "beyond": (weights @ hinges([BEYOND]).T)[:, 0],
    }
    scales = {name: found[name] for name in PRIORS}
    return {**scales, "first weight": weights[:, 0], "last weight": weights[:, -1], **delta}


def rank_p_values(truth, residuals, rng):
    """Return the p-value of uniform ranks of the truth among samples, for each quantity; ties are split at random."""
    found = quantities(sample_weights(np.repeat(residuals, RANKED, axis=0), hinges(X), rng))
    p = {}
    for name, values in quantities(truth).items():
        samples, true = found[name].reshape(TABLES, RANKED), values[:, None]
        ranks = (samples < true).sum(axis=1) + rng.integers(0, (samples == true).sum(axis=1) + 1)
        p[name] = stats.chisquare(np.bincount(ranks // 2, minlength=10)).pvalue
    return p


# The sampler


def test_samples_are_calibrated_over_the_prior():
    rng = np.random.default_rng(1)
    p = rank_p_values(*simulate(rng), rng)
    assert min(p.values()) > 0.01 / len(p), p


def test_calibration_finds_a_noise_that_is_half_as_large_again():
    rng = np.random.default_rng(1)
    p = rank_p_values(*simulate(rng, noise=1.5), rng)
    assert p["sigma"] < 1e-6


@pytest.mark.parametrize(("bend", "nu"), [(0.0, 30.0), (0.02, 30.0), (0.1, 2.5)])
def test_a_few_sweeps_sample_what_many_do(bend, nu):
    rng = np.random.default_rng(3)
    residuals = np.tile(bend * np.maximum(X - 1, 0) + 0.01 * rng.standard_t(nu, size=X.size), (500, 1))
    few = quantities(sample_weights(residuals, hinges(X), rng))
    many = quantities(sample_weights(residuals, hinges(X), rng, sweeps=10 * SWEEPS))
    p = {name: stats.ks_2samp(few[name], many[name]).pvalue for name in few}
    assert min(p.values()) > 0.01 / len(p), p


def test_weights_of_known_scales_have_the_posterior_of_the_closed_form(monkeypatch):
    tau, sigma, count = 0.03, 0.02, 8000
    for name, value in (("TAUS", tau), ("SIGMAS", sigma), ("NUS", 1e9)):
        monkeypatch.setattr(gibbs, name, np.array([value]))
    rng, features = np.random.default_rng(4), hinges(X)
    residual = 0.02 * X + 0.02 * rng.standard_normal(X.size)
    found = sample_weights(np.tile(residual, (count, 1)), features, rng, sweeps=1)["weights"]
    covariance = np.linalg.inv(features.T @ features / sigma**2 + np.eye(features.shape[1]) / tau**2)
    mean = covariance @ features.T @ residual / sigma**2
    white = np.linalg.solve(np.linalg.cholesky(covariance), (found - mean).T)
    np.testing.assert_allclose(white.mean(axis=1), 0, atol=4.5 / np.sqrt(count))
    np.testing.assert_allclose(np.cov(white), np.eye(len(white)), atol=4.5 * np.sqrt(2 / count))


def test_scales_have_the_posterior_of_a_sum_over_all_their_values(monkeypatch):
    monkeypatch.setattr(gibbs, "NUS", np.array([1e9]))  # Normal noise and weights, whose sum is known
    monkeypatch.setattr(gibbs, "TAIL", 1e9)
    rng, features = np.random.default_rng(5), hinges(X)
    residual = 0.01 * np.maximum(X, 0) + 0.01 * rng.standard_normal(X.size)
    log_density = PRIORS["tau"][1][:, None] + PRIORS["sigma"][1]
    for i, tau in enumerate(TAUS):
        for j, sigma in enumerate(SIGMAS):
            covariance = tau**2 * features @ features.T + sigma**2 * np.eye(X.size)
            log_density[i, j] += stats.multivariate_normal.logpdf(residual, cov=covariance)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    found = sample_weights(np.tile(residual, (2000, 1)), features, rng)
    for name, values, marginal in (("tau", TAUS, density.sum(axis=1)), ("sigma", SIGMAS, density.sum(axis=0))):
        counts, expected = np.array([(found[name] == value).sum() for value in values]), 2000 * marginal
        common = expected >= 5
        pooled = [np.append(part[common], part[~common].sum()) for part in (counts, expected)]
        assert stats.chisquare(*pooled).pvalue > 0.005


def test_residuals_without_a_feature_have_noise_alone():
    rng = np.random.default_rng(0)
    found = sample_weights(0.01 * rng.standard_normal((400, 30)), np.zeros((30, 0)), rng)
    assert found["weights"].shape == (400, 0)
    assert 0.007 < np.median(found["sigma"]) < 0.012


# What a law misses


@pytest.fixture(scope="module")
def missing(synthetic_fit, wide_runs):
    """Return the discrepancies of three laws on runs of a law of N and D."""
    names = ("chinchilla", "compute_floor", "tilt")
    return {name: bs.discrepancy.infer_discrepancy(synthetic_fit(name, wide_runs)) for name in names}


def test_a_law_that_misses_nothing_has_little_discrepancy(missing):
    found = missing["chinchilla"]
    assert np.quantile(found.size, 0.9) < 0.5 * np.median(found.sigma)
    assert np.median(found.sigma) == pytest.approx(0.005, rel=0.25)


def test_a_law_that_misses_something_has_more(missing, synthetic_fit):
    runs = bs.simulate(OTHER["bounded"].design, "bounded", OTHER["bounded"].truth, random_seed=1)
    found = bs.discrepancy.infer_discrepancy(synthetic_fit("chinchilla", runs))
    assert np.quantile(found.size, 0.05) > 5 * np.median(missing["chinchilla"].size)
    assert np.median(found.size) > np.median(found.sigma)


def test_what_a_compute_only_law_misses_of_the_split_is_found_where_the_law_has_n_and_d(missing):
    tilt, compute = missing["tilt"], missing["compute_floor"]
    assert np.quantile(tilt.size, 0.05) > 5 * np.median(missing["chinchilla"].size)
    assert np.median(tilt.sigma) < 0.01  # curvature along the budget is in delta ...
    assert np.median(compute.sigma) > 0.02  # ... and is noise to a law that sees C alone


def test_the_law_keeps_its_posterior(synthetic_fit, wide_runs):
    fitted = synthetic_fit("tilt", wide_runs)
    before = fitted.data.copy(deep=True)
    found = bs.discrepancy.infer_discrepancy(fitted)
    assert fitted.data.identical(before)
    assert set(found.draws) == set(fitted.law.parameters)
    for name, draws in found.draws.items():
        assert draws.size == discrepancy.SAMPLES
        assert np.isin(draws, fitted.draws[name]).all()
        assert stats.ks_2samp(draws, fitted.draws[name]).pvalue > 1e-3
    rows = np.stack([found.draws[name] for name in fitted.law.parameters], axis=1)
    assert np.isin(rows.view([("", rows.dtype)] * rows.shape[1]).ravel(), _rows_of(fitted)).all()  # whole draws


def _rows_of(fitted):
    rows = np.stack([fitted.draws[name] for name in fitted.law.parameters], axis=1)
    return rows.view([("", rows.dtype)] * rows.shape[1]).ravel()


def test_a_fit_keeps_its_discrepancy_and_computes_the_same_without(sampled_fit, tmp_path):
    assert discrepancy.GROUP in sampled_fit.data.children
    tree = sampled_fit.data.copy()
    del tree[discrepancy.GROUP]
    sampled_fit.save(tmp_path / "fit.nc")
    others = (Fit(sampled_fit.law, tree), load_fit(tmp_path / "fit.nc"))
    first, *rest = (bs.discrepancy.infer_discrepancy(fitted) for fitted in (sampled_fit, *others))
    for other in rest:
        for name in ("weights", "tau", "sigma", "nu", "size"):
            np.testing.assert_array_equal(getattr(other, name), getattr(first, name))


def test_another_seed_of_the_fit_gives_other_samples(synthetic_fit, small_runs):
    fits = [synthetic_fit("compute_floor", small_runs, seed=seed) for seed in (1, 2)]
    first, second = (discrepancy_group(fitted) for fitted in fits)
    assert not np.array_equal(first["weights"], second["weights"])
    assert np.median(first["size"]) == pytest.approx(np.median(second["size"]), rel=0.5)


def test_size_is_that_of_delta_over_the_runs(missing):
    found = missing["tilt"]
    frame = found.fitted.runs.frame
    points = {name: frame[name].to_numpy() for name in ("N", "D")}
    delta = found.log_center(points) - np.log(found.fitted.law.loss(**_scaled(found, points), **_columns(found.draws)))
    np.testing.assert_allclose(found.size, np.median(np.abs(delta), axis=1), rtol=1e-6)


def _scaled(found, points):
    return {name: values / found.fitted.reference[name] for name, values in points.items()}


def _columns(draws):
    return {name: values[:, None] for name, values in draws.items()}


# Forecasts


@pytest.fixture(scope="module")
def ladder():
    """N and D of 20 tokens per parameter, from the runs' own largest budget to a million times that."""
    C = 1e22 * np.array([1.0, 10.0, 1e2, 1e4, 1e6])
    N = np.sqrt(C / 120)
    return N, C / (6 * N)


def spread(draws):
    low, high = np.quantile(np.log(draws), [0.05, 0.95], axis=0)
    return high - low


def test_forecasts_beyond_the_runs_widen_with_distance_and_stay_finite(missing, ladder):
    for found in missing.values():
        points = {"C": 6 * ladder[0] * ladder[1]} if found.fitted.law.name == "compute_floor" else {}
        draws = bs.forecast(found.fitted, *(() if points else ladder), **points)
        assert draws.shape == (SAMPLES * NOISES, 5)
        assert np.isfinite(draws).all()
        assert (draws > 0).all()
    widths = spread(np.exp(missing["tilt"].log_center({"N": ladder[0], "D": ladder[1]})))
    assert (np.diff(widths) > 0).all()
    assert widths[-1] > 3 * widths[0]


def test_a_forecast_is_as_wide_as_law_and_noise_where_the_law_misses_nothing(missing, ladder):
    fitted = missing["chinchilla"].fitted
    N, D = (values[:1] for values in ladder)
    alone = bs.predict(fitted, N, D)[:, 0]
    noise = np.random.default_rng(0).standard_t(fitted.draws["nu"]) * fitted.draws["sigma"]
    drawn = spread(bs.forecast(fitted, N, D))[0]
    assert 0.85 < drawn / spread((alone * np.exp(noise))[:, None])[0] < 1.3
    assert np.median(bs.forecast(fitted, N, D)) == pytest.approx(np.median(alone), rel=0.005)


def test_larger_runs_of_the_same_law_are_forecast_with_near_nominal_coverage(synthetic_fit, make_runs):
    """Errors of one table go together, so several tables are needed; the slow tests take more, and real posteriors."""
    held = {1.0: [], 0.5: [], 3.0: []}  # by how many times as wide as the forecast
    for seed in range(8):
        runs = make_runs.of(*make_runs.isoflop((1e18, 1e19, 1e20, 1e21), 6), seed=seed)
        larger = make_runs.of(*make_runs.isoflop((3e21, 1e22), 6), seed=100 + seed).frame
        forecast = forecast_runs(synthetic_fit("chinchilla", runs), larger, random_seed=0)
        middle = np.median(forecast.draws, axis=0)
        for width, coverages in held.items():
            other = dataclasses.replace(forecast, draws=middle + width * (forecast.draws - middle))
            coverages.append(score(other, np.log(larger["loss"])).coverage)
    # Coverage of one table has a standard deviation of 0.13 at 90% and of 0.19 at 50% (over 40 tables): 2.6 standard
    # errors of the mean of eight. The one finds intervals too narrow, the other those too wide.
    least, most = 0.9 - 2.6 * 0.13 / np.sqrt(8), 0.5 + 2.6 * 0.19 / np.sqrt(8)
    mean = {(width, level): np.mean([each[level] for each in held[width]]) for width in held for level in (0.5, 0.9)}
    assert mean[1.0, 0.9] > least > mean[0.5, 0.9]
    assert mean[1.0, 0.5] < most < mean[3.0, 0.5]


def test_the_same_seed_gives_the_same_forecast_and_another_does_not(sampled_fit):
    C = np.array([1e21, 1e22])
    first, second, other = (bs.forecast(sampled_fit, C=C, random_seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.isclose(first, other).all()
    np.testing.assert_allclose(np.median(first, axis=0), np.median(other, axis=0), rtol=0.01)


def test_a_forecast_of_runs_has_the_density_of_its_own_draws(sampled_fit, small_runs):
    frame = small_runs.frame.assign(C=10 * small_runs.frame["C"])
    forecast = forecast_runs(sampled_fit, frame, random_seed=3)
    found = bs.discrepancy.infer_discrepancy(sampled_fit)
    center = found.log_center({"C": frame["C"].to_numpy()})
    density = stats.t.pdf(np.log(frame["loss"]).to_numpy(), found.nu[:, None], center, found.sigma[:, None])
    np.testing.assert_allclose(forecast.log_density, np.log(density.mean(axis=0)), rtol=1e-9)
    drawn = np.exp(forecast.draws)
    np.testing.assert_array_equal(drawn, bs.forecast(sampled_fit, C=frame["C"].to_numpy(), random_seed=3))


def test_points_of_each_sample_agree_with_points_of_all(missing, ladder):
    for name in ("tilt", "compute_floor"):
        found = missing[name]
        points = {"N": ladder[0], "D": ladder[1], "C": 6 * ladder[0] * ladder[1]}
        own = {key: np.broadcast_to(values, (discrepancy.SAMPLES, values.size)) for key, values in points.items()}
        np.testing.assert_allclose(found.log_center(own), found.log_center(points), rtol=1e-10)
    moved = {key: values * np.linspace(1, 2, discrepancy.SAMPLES)[:, None] for key, values in points.items()}
    last = {key: values[-1] for key, values in moved.items()}
    np.testing.assert_allclose(found.log_center(moved)[-1], found.log_center(last)[-1], rtol=1e-10)


# Columns with zeros


@pytest.fixture(scope="module")
def with_zeros(synthetic_fit):
    """Return a fit of a law one of whose columns has zeros."""
    case = FOUNDING["datastore"]
    return synthetic_fit("datastore", bs.simulate(case.design, "datastore", case.truth, random_seed=1))


def test_a_column_with_zeros_has_no_part_in_what_is_missed(with_zeros):
    found = bs.discrepancy.infer_discrepancy(with_zeros)
    point = {"N": np.full(3, 1e10), "D": np.full(3, 1e12), "datastore_tokens": np.array([0.0, 1e11, 1e13])}
    law = with_zeros.law.loss(**_scaled(found, point), **_columns(found.draws))
    delta = found.log_center(point) - np.log(law)
    np.testing.assert_allclose(delta, delta[:, :1] * np.ones(3), atol=1e-12)
    assert np.abs(delta).max() > 0


def test_a_law_whose_only_column_has_zeros_has_noise_alone(synthetic_fit):
    def line(datastore_tokens, *, E, K):
        return E + K * datastore_tokens

    priors = {"E": Share(4.0), "K": Share(3.0)}
    units = {"datastore_tokens": 1e11}
    law = Law("line", line, priors, formula="E + K datastore_tokens", reference="none", units=units)
    tokens = np.tile([0.0, 3e10, 6e10, 1e11], 6)
    design = pd.DataFrame({"N": 1e9 * np.ones(24), "D": np.geomspace(1e10, 1e11, 24), "datastore_tokens": tokens})
    runs = bs.simulate(design, law, {"E": 1.8, "K": 1e-11}, sigma=0.01, response="loss", random_seed=1)
    found = bs.discrepancy.infer_discrepancy(synthetic_fit(law, runs))
    assert not found.size.any()
    assert 0.006 < np.median(found.sigma) < 0.015
    assert np.isfinite(bs.forecast(found.fitted, datastore_tokens=np.array([0.0, 1e12]))).all()


# Errors


def test_a_missing_column_is_named(missing):
    with pytest.raises(InputError, match=r"law 'chinchilla' needs D; found N"):
        bs.forecast(missing["chinchilla"].fitted, N=np.array([1e9]))


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_a_size_that_is_not_above_zero_is_refused(missing, value):
    with pytest.raises(InputError, match=r"cannot forecast at N = .*expected numbers above zero"):
        bs.forecast(missing["chinchilla"].fitted, N=np.array([1e9, value]), D=np.array([1e10, 1e10]))

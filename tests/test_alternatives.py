import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

from bayescale import testing
from bayescale.errors import InputError
from bayescale.forecasts import alternatives
from bayescale.forecasts.alternatives import HUBER_DELTA, METHODS, least_squares
from bayescale.forecasts.scores import score
from bayescale.laws import LAWS, Law, Prior, get_law

LOSSES = pytest.mark.parametrize("delta", [math.inf, HUBER_DELTA], ids=["squares", "huber"])
EACH = pytest.mark.parametrize("method", METHODS)
POWER = get_law("compute_power")


@pytest.fixture
def few_bootstraps(monkeypatch):
    monkeypatch.setattr(alternatives, "BOOTSTRAPS", 200)


@pytest.fixture(scope="module")
def split(wide_runs):
    """The wide table without its largest budget, and that budget."""
    frame = wide_runs.frame
    return frame[frame["C"] < 1e22], frame[frame["C"] >= 1e22]


def line(rows, noise, seed):
    """Return runs of a power of compute with this noise, and their ln C around the middle."""
    x = np.random.default_rng(seed).uniform(-4, 4, rows)
    return pd.DataFrame({"C": 1e20 * np.exp(x), "loss": 3.0 * np.exp(-0.1 * x + noise)}), x


def best_of(law, train, delta):
    task = alternatives._task(law, train, train, "loss")
    return task, alternatives._best(task, delta)


def observed(frame):
    return np.log(frame["loss"].to_numpy())


# Against a known law


@EACH
@pytest.mark.usefixtures("few_bootstraps")
def test_runs_beyond_the_table_are_forecast(method, split, make_runs):
    train, test = split
    forecast = METHODS[method](get_law("chinchilla"), train, test, "loss", random_seed=1)
    truth = get_law("chinchilla").loss(test["N"].to_numpy(), test["D"].to_numpy(), **make_runs.truth)
    low, median, high = np.quantile(forecast.draws, [0.05, 0.5, 0.95], axis=0)
    assert (np.abs(median - np.log(truth)) < (high - low) / 2).all()
    width = (high - low).mean() / (2 * 1.645 * 0.005)  # of that of the noise alone, which the fits can only widen
    assert 0.9 < width < 2.0
    assert score(forecast, observed(test)).lpd == pytest.approx(stats.norm.entropy(scale=0.005) * -1, abs=0.5)


@EACH
@pytest.mark.usefixtures("few_bootstraps")
def test_runs_without_noise_are_forecast_exactly(method, split, make_runs):
    law = get_law("chinchilla")
    train, test = (
        part.assign(loss=law.loss(part["N"].to_numpy(), part["D"].to_numpy(), **make_runs.truth)) for part in split
    )
    forecast = METHODS[method](law, train, test, "loss", random_seed=1)
    np.testing.assert_allclose(np.median(forecast.draws, axis=0), observed(test), atol=1e-6)


@EACH
@pytest.mark.usefixtures("few_bootstraps")
def test_intervals_hold_inside_the_table(method):
    tables, held = 12, []
    for seed in range(tables):
        noise = 0.02 * np.random.default_rng(seed).standard_normal(140)
        frame, _ = line(140, noise, 100 + seed)
        train, test = frame[:40], frame[40:]
        held.append(score(METHODS[method](POWER, train, test, "loss", random_seed=1), observed(test)).coverage)
    for probability in (0.5, 0.8, 0.9):
        coverage = np.array([one[probability] for one in held])
        assert coverage.mean() == pytest.approx(probability, abs=4 * coverage.std(ddof=1) / np.sqrt(tables))


# Against least squares in closed form: the log of this law is linear in its parameters


def test_the_fit_of_a_line_is_that_of_the_closed_form():
    frame, x = line(60, 0.02 * np.random.default_rng(3).standard_normal(60), 3)
    task, best = best_of(POWER, frame, math.inf)
    slope, intercept = np.polyfit(x, observed(frame), 1)
    np.testing.assert_allclose(task.forecast(best[None, :])[0], intercept + slope * x, atol=1e-7)


def test_hubers_fit_of_a_line_is_that_of_another_minimiser():
    frame, x = line(60, 0.002 * np.random.default_rng(4).standard_t(2, 60), 4)
    task, best = best_of(POWER, frame, HUBER_DELTA)

    def loss(point):
        return 1e6 * special.huber(HUBER_DELTA, point[0] + point[1] * x - observed(frame)).sum()

    start = np.polyfit(x, observed(frame), 1)[::-1]
    found = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-10})
    np.testing.assert_allclose(task.forecast(best[None, :])[0], found.x[0] + found.x[1] * x, atol=1e-6)


def test_the_bootstrap_of_a_line_has_the_spread_of_the_closed_form():
    frame, x = line(400, 0.02 * np.random.default_rng(5).standard_normal(400), 5)
    task, best = best_of(POWER, frame, math.inf)
    _, fits = alternatives._bootstrap(task, best, math.inf, np.random.default_rng(0))
    design = np.column_stack([np.ones_like(x), x])
    covariance = 0.02**2 * np.linalg.inv(design.T @ design)
    at = np.array([-4.0, 0.0, 4.0, 12.0])
    there = replace(task, test=pd.DataFrame({"C": 1e20 * np.exp(at)}))
    expected = np.sqrt([[1, point] @ covariance @ [1, point] for point in at])
    # A s.d. of 1000 draws is known to 2%, and the residuals that are resampled to 1 / sqrt(2 x 400), 3.5%.
    np.testing.assert_allclose(there.forecast(fits).std(axis=0), expected, rtol=4 * math.hypot(0.022, 0.035))


def test_least_squares_forecasts_a_line_as_the_textbook_does():
    frame, x = line(200, 0.02 * np.random.default_rng(6).standard_normal(200), 6)
    train, test = frame[:80], frame[80:]
    forecast = least_squares(POWER, train, test, "loss", random_seed=1)
    design = np.column_stack([np.ones(80), x[:80]])
    solved, squares, _, _ = np.linalg.lstsq(design, observed(train))
    at = np.column_stack([np.ones(120), x[80:]])
    leverage = np.einsum("ij,jk,ik->i", at, np.linalg.inv(design.T @ design), at)
    scale = np.sqrt(squares[0] / 78 * (1 + leverage))
    expected = stats.t.logpdf(observed(test), 78, at @ solved, scale)
    assert forecast.log_density.mean() == pytest.approx(expected.mean(), abs=0.03)
    np.testing.assert_allclose(forecast.draws.std(axis=0).mean(), scale.mean(), rtol=0.05)


def test_the_noise_of_few_rows_is_not_too_small():
    ratios = []
    for seed in range(10):
        frame, x = line(20, 0.02 * np.random.default_rng(seed).standard_normal(20), 300 + seed)
        middle = frame[:1].assign(C=1e20 * np.exp(x.mean()))
        draws = least_squares(POWER, frame, middle, "loss", random_seed=1).draws
        _, squares, _, _ = np.linalg.lstsq(np.column_stack([np.ones(20), x]), observed(frame))
        ratios.append(draws.std() / np.sqrt(squares[0] / 18 * (1 + 1 / 20)))
    # A s.d. of 1000 draws is known to 2%, so the mean of ten to 0.7%; taken off once, the parameters would cost 5%.
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.03)


# The refits


@LOSSES
@pytest.mark.parametrize("name", ["chinchilla", "kaplan_nd"])
def test_refits_together_end_where_scipy_ends_one_by_one(name, delta, split):
    train, test = split
    law = get_law(name)
    task = alternatives._task(law, train, test, "loss")
    best = alternatives._best(task, delta)
    weights, fits = alternatives._bootstrap(task, best, delta, np.random.default_rng(0))
    forecasts, misfit = task.forecast(fits), task.misfit(fits)
    kind = {"loss": "linear"} if math.isinf(delta) else {"loss": "huber", "f_scale": delta}
    for i in range(5):
        rows = np.repeat(np.arange(len(train)), weights[i].astype(int))
        single = optimize.least_squares(
            lambda point, rows=rows: task.misfit(point[None, :])[0, rows],
            best,
            bounds=(task.low, task.high),
            x_scale="jac",
            ftol=1e-12,
            xtol=1e-12,
            gtol=1e-12,
            max_nfev=2000,
            **kind,
        )
        loss = (weights[i] * alternatives._loss(misfit[i], delta)).sum()
        assert loss <= single.cost * (1 + 1e-6)
        off = np.abs(forecasts[i] - task.forecast(single.x[None, :])[0]) / forecasts.std(axis=0)
        assert off.max() < 0.02 or loss < single.cost  # of the spread that the refits are there to tell


@LOSSES
def test_a_search_that_meets_a_bound_ends_there_as_scipys_does(delta):
    frame, _ = line(60, 0.005 * np.random.default_rng(7).standard_normal(60), 7)
    law = get_law("compute_floor")
    task = alternatives._task(law, frame, frame, "loss")
    bounded = replace(task, low=np.where(np.arange(3) == 0, task.starts[:, 0].mean(), task.low))  # a floor too high
    weights = np.ones((1, 60))
    start = bounded.starts.mean(axis=0)[None, :] + np.array([0.1, 0.0, 0.0])
    found = alternatives._refit(bounded, start, weights, delta)[0]
    kind = {"loss": "linear"} if math.isinf(delta) else {"loss": "huber", "f_scale": delta}
    single = optimize.least_squares(
        lambda point: bounded.misfit(point[None, :])[0],
        start[0],
        bounds=(bounded.low, bounded.high),
        x_scale="jac",
        max_nfev=2000,
        **kind,
    )
    assert found[0] == bounded.low[0]
    assert alternatives._loss(bounded.misfit(found[None, :]), delta).sum() <= single.cost * (1 + 1e-6)


def test_a_resample_has_as_many_rows_as_the_table_and_enough_different_ones():
    frame, _ = line(5, 0.02 * np.random.default_rng(8).standard_normal(5), 8)
    task, best = best_of(POWER, frame, math.inf)
    weights, fits = alternatives._bootstrap(task, best, math.inf, np.random.default_rng(0))
    assert weights.shape == (alternatives.BOOTSTRAPS, 5)
    assert (weights.sum(axis=1) == 5).all()
    assert (weights > 0).sum(axis=1).min() == 3  # two parameters, and one row more
    assert np.isfinite(fits).all()


# The noise


@pytest.mark.parametrize(("nu", "scale"), [(4.0, 0.01), (30.0, 0.002)])
def test_students_t_is_fitted_by_maximum_likelihood(nu, scale):
    residuals = scale * np.random.default_rng(9).standard_t(nu, 500)
    found = alternatives._fit_student(residuals)
    expected = stats.t.fit(residuals, floc=0)
    best = stats.t.logpdf(residuals, expected[0], scale=expected[2]).sum()
    assert stats.t.logpdf(residuals, found[0], scale=found[1]).sum() == pytest.approx(best, abs=1e-3)


def test_students_t_does_not_follow_residuals_of_nothing_alone():
    residuals = np.concatenate([np.full(8, 1e-9), 0.01 * np.random.default_rng(10).standard_normal(12)])
    nu, scale = alternatives._fit_student(residuals)
    assert nu > 2
    assert scale > 1e-4


def test_the_conformal_density_is_scipys_kernel_estimate(split):
    train, test = split
    forecast = METHODS["conformal"](get_law("compute_floor"), train, test, "loss", random_seed=1)
    assert forecast.draws.shape == (len(train), len(test))
    pairs = zip(forecast.draws.T, observed(test), strict=True)
    expected = [stats.gaussian_kde(draws).logpdf(value)[0] for draws, value in pairs]
    np.testing.assert_allclose(forecast.log_density, expected, atol=1e-8)


def test_conformal_residuals_are_of_fits_without_the_row():
    frame, x = line(6, 0.02 * np.random.default_rng(11).standard_normal(6), 11)  # fewer rows than folds
    forecast = METHODS["conformal"](POWER, frame, frame[:1], "loss", random_seed=1)
    expected = []
    for i in range(6):
        others = np.arange(6) != i
        slope, intercept = np.polyfit(x[others], observed(frame)[others], 1)
        expected.append(intercept + slope * x[0] + observed(frame)[i] - intercept - slope * x[i])
    np.testing.assert_allclose(forecast.draws[:, 0], expected, atol=1e-5)


# Seeds, and every law


@EACH
@pytest.mark.usefixtures("few_bootstraps")
def test_the_same_seed_gives_the_same_forecast(method):
    frame, _ = line(40, 0.02 * np.random.default_rng(12).standard_normal(40), 12)
    first, again, other = (
        METHODS[method](POWER, frame[:30], frame[30:], "loss", random_seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.draws, again.draws)
    np.testing.assert_array_equal(first.log_density, again.log_density)
    assert not np.array_equal(first.draws, other.draws)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LAWS)[::3])
def test_laws_can_be_fitted_to_runs_of_their_own(name):
    law = LAWS[name]
    case = testing._made_up_case(law, 0)
    values = next(row for row in case.values() if row.min() > 0.1 * testing.UNIT)
    noise = 0.01 * np.random.default_rng(0).standard_normal(values.size)
    response = law.responses[0]
    own = {name: case.counts[name] for name in law.covariates}
    frame = pd.DataFrame({**own, response: values * np.exp(noise)})
    task = alternatives._task(law, frame, frame, response)
    residuals = task.misfit(alternatives._best(task, math.inf)[None, :])[0]
    assert (residuals**2).sum() <= (noise**2).sum() * (1 + 1e-6)  # the truth itself is one of the candidates


# Errors


def test_too_few_rows_are_refused_in_words(split):
    train, test = split
    with pytest.raises(
        InputError, match="5 parameters, and a fit with a residual noise needs at least 7 rows; found 6"
    ):
        least_squares(get_law("chinchilla"), train[:6], test, "loss", random_seed=1)


@EACH
@pytest.mark.usefixtures("few_bootstraps")
def test_the_fewest_rows_that_are_taken_give_a_forecast(method, split):
    train, test = split
    forecast = METHODS[method](get_law("compute_floor"), train[::20][:5], test, "loss", random_seed=1)
    assert np.isfinite(forecast.draws).all()


def test_a_column_that_is_missing_is_named(split):
    train, test = split
    with pytest.raises(InputError, match="the runs to forecast lack N; add the column"):
        least_squares(get_law("chinchilla"), train, test.drop(columns="N"), "loss", random_seed=1)


def test_no_runs_to_forecast_are_refused(split):
    train, test = split
    with pytest.raises(InputError, match="there are no runs to forecast"):
        least_squares(POWER, train, test[:0], "loss", random_seed=1)


@pytest.mark.parametrize(("column", "value"), [("loss", -1.0), ("loss", np.nan), ("C", np.inf)])
def test_a_value_that_cannot_be_used_is_refused(column, value, split):
    train, test = split
    with pytest.raises(InputError, match=f"column {column} of the runs to fit must be finite"):
        least_squares(POWER, train.assign(**{column: value}), test, "loss", random_seed=1)


def rooted(C, *, A):
    return A * np.sqrt(2 - C)


def test_a_law_without_a_value_is_refused_in_words(split):
    train, test = split
    law = Law(name="rooted", loss=rooted, priors={"A": Prior("LogNormal", {"mu": 1.0, "sigma": 0.3})})
    with pytest.raises(InputError, match="no fit has a finite value at every row"):
        least_squares(law, train, test, "loss", random_seed=1)
    small = train[train["C"] < 1.1 * train["C"].min()]
    with pytest.raises(InputError, match="only 0 of 1000 refits have a finite value at every run to forecast"):
        least_squares(law, small, test, "loss", random_seed=1)

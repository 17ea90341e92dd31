"""Exact anchors: posteriors, and densities of runs left out, known by integration rather than by sampling.

A tolerance is four Monte Carlo standard errors of at least 4000 effective draws, and nothing else.
"""

import arviz_stats as azs
import numpy as np
import nutpie
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import stats
from scipy.interpolate import CubicSpline
from scipy.special import gammaln
from simulation import CALIBRATED, DESIGN, REFERENCE, SCALED, UNIT, log_prior, simulate_tables

from bayescale.comparison.comparison import compare
from bayescale.fits.exact import exact_elpd
from bayescale.fits.fitting import fit
from bayescale.fits.likelihood import log_likelihood
from bayescale.fits.model import build_model
from bayescale.fits.sampling import ATTEMPTS
from bayescale.laws import LAWS
from bayescale.laws.priors import parameters_from_free
from bayescale.runs import RunTable

pytestmark = pytest.mark.slow

LIMIT = 4.0
EFFECTIVE = 4000
PROBABILITIES = (0.05, 0.5, 0.95)


def assert_close(draws, exact, error=0.0):
    """Compare draws (chain, draw) with the exact mean, s.d. and distribution function of a quantity.

    ``exact`` is (mean, s.d., function); ``error`` the standard error of those, in units of the posterior s.d.
    """
    mean, spread, distribution = exact
    assert float(azs.ess(draws, method="bulk")) >= EFFECTIVE
    for found, value, method in ((draws.mean(), mean, "mean"), (draws.std(), spread, "sd")):
        assert abs(float(found) - value) <= LIMIT * np.hypot(float(azs.mcse(draws, method=method)), error * spread)
    for probability in PROBABILITIES:
        effective = float(azs.ess(draws, method="quantile", prob=probability))
        reached = distribution(float(np.quantile(draws, probability)))
        one_draw = np.sqrt(probability * (1 - probability))
        assert abs(reached - probability) <= LIMIT * one_draw * np.hypot(effective**-0.5, error)


# Density


@pytest.mark.parametrize("name", CALIBRATED)
def test_the_density_of_the_model_is_that_of_scipy_and_of_the_fits_module(name):
    law = LAWS[name]
    model = build_model(law)
    table = simulate_tables(law, 2, seed=3)[0]
    with model:
        pm.set_data({f"{column}_data": SCALED[column] for column in law.covariates})
        pm.set_data({"loss_unit": UNIT, "log_response_data": table.log_response})
    plain = pm.model.transform.conditioning.remove_value_transforms(model)
    names = [variable.name for variable in plain.free_RVs]
    values = pm.draw(plain.free_RVs, draws=20, random_seed=5, mode="FAST_COMPILE")
    free = dict(zip(names, values, strict=True))
    density = plain.compile_logp(sum=False, mode="FAST_COMPILE")
    terms = [density({name: free[name][i] for name in names}) for i in range(20)]

    assert plain.basic_RVs[-1].name == "log_response"
    prior = [sum(float(term) for term in row[:-1]) for row in terms]
    assert prior == pytest.approx(list(log_prior(law, free)), abs=1e-6)  # PyTensor keeps 0.1 in single precision

    drawn = parameters_from_free(law, free, UNIT)
    posterior = xr.Dataset({name: (("chain", "draw"), values[None]) for name, values in drawn.items()})
    posterior = posterior.assign_coords(chain=[0], draw=range(20))
    frame = pd.DataFrame({**DESIGN, "loss": np.exp(table.log_response)})
    found, _ = log_likelihood(law, posterior, frame, "loss", {**REFERENCE, "loss": UNIT}, random_seed=0)
    rows = np.stack([row[-1] for row in terms])
    np.testing.assert_allclose(found["log_response"].to_numpy()[0], rows, rtol=1e-9, atol=1e-9)


# Sampler settings


MEANS = np.array([2.0, 0.5, 0.5])
SPREADS = np.array([1.0, 0.5, 0.5])


def additive_runs():
    """Return centred logs of N and D, and losses with normal noise."""
    x, z = (np.log(SCALED[name]) for name in ("N", "D"))
    loss = 1.8 + 0.5 * np.exp(-0.35 * x) + 0.6 * np.exp(-0.4 * z)
    return x, z, loss + 0.02 * np.random.default_rng(11).standard_normal(x.size)


def sample_additive(x, z, loss):
    """Sample the additive law with normal noise on the loss, by the first attempt of the package's ladder."""
    with pm.Model() as model:
        coefficients = pm.Normal("coefficients", MEANS, SPREADS, shape=3)
        rates = pm.Normal("log_rates", np.log(0.3), 0.45, shape=2)
        log_sigma = pm.Normal("log_sigma", np.log(0.02), 1.0)
        terms = pt.stack([pt.ones(x.size), pt.exp(-pt.exp(rates[0]) * x), pt.exp(-pt.exp(rates[1]) * z)])
        pm.Normal("loss", pt.dot(coefficients, terms), pt.exp(log_sigma), observed=loss)
    tree = nutpie.sample(
        nutpie.compile_pymc_model(model),
        draws=4000,
        tune=1000,
        chains=4,
        seed=1,
        save_warmup=False,
        progress_bar=False,
        adaptation=ATTEMPTS[0].adaptation,
        target_accept=ATTEMPTS[0].target_accept,
    )
    posterior = tree["posterior"].to_dataset()
    assert int(tree["sample_stats"]["diverging"].sum()) == 0
    parts = {name: posterior["coefficients"][:, :, i] for i, name in enumerate("EAB")}
    return {**parts, **{name: posterior["log_rates"][:, :, i] for i, name in enumerate(("alpha", "beta"))}} | {
        "log_sigma": posterior["log_sigma"]
    }


def gauss_nodes(draws, count, width=8.0):
    """Return nodes and weights of Gauss-Legendre over the draws' mean and ``width`` s.d. either side."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return float(draws.mean()) + width * float(draws.std()) * nodes, weights


def additive_moments(x, z, loss, axes):
    """Integrate E, A and B out exactly, the rest by quadrature; return mean and s.d. of all six."""
    (a, wa), (b, wb), (s, ws) = axes
    grid = np.stack(np.meshgrid(a, b, indexing="ij")).reshape(2, -1)
    decays = [np.exp(-np.exp(rate)[:, None] * log) for rate, log in zip(grid, (x, z), strict=True)]
    terms = np.stack([np.ones_like(decays[0]), *decays], axis=1) * SPREADS[:, None]
    residual = loss - MEANS / SPREADS @ terms
    prior = stats.norm.logpdf(grid, np.log(0.3), 0.45).sum(axis=0)
    # With standard normal coefficients, one rotation serves every sigma.
    size, rotation = np.linalg.eigh(terms @ terms.transpose(0, 2, 1))
    pull = np.einsum("kji,kjn,kn->ki", rotation, terms, residual, optimize=True)
    rest = np.sum(residual**2, axis=1)
    logs, means, squares = [], [], []
    for log_sigma in s:
        noise = np.exp(2 * log_sigma)
        variance = noise / (noise + size)
        center = pull / (noise + size)
        misfit = (rest - np.sum(pull * center, axis=1)) / noise
        scale = -loss.size * log_sigma + 0.5 * np.log(variance).sum(axis=1)
        logs.append(prior - 0.5 * misfit + scale + stats.norm.logpdf(log_sigma, np.log(0.02), 1.0))
        mean = MEANS + SPREADS * np.einsum("kij,kj->ki", rotation, center)
        means.append(mean)
        squares.append(mean**2 + SPREADS**2 * np.einsum("kij,kj->ki", rotation**2, variance))
    log_weight = np.array(logs)
    weight = np.exp(log_weight - log_weight.max()) * np.outer(ws, np.outer(wa, wb).ravel())
    weight /= weight.sum()
    means, squares = np.array(means), np.array(squares)
    first = {name: np.sum(weight * means[:, :, i]) for i, name in enumerate("EAB")}
    second = {name: np.sum(weight * squares[:, :, i]) for i, name in enumerate("EAB")}
    others = {"alpha": grid[0], "beta": grid[1], "log_sigma": s[:, None]}
    first |= {name: np.sum(weight * values) for name, values in others.items()}
    second |= {name: np.sum(weight * values**2) for name, values in others.items()}
    return {name: (first[name], np.sqrt(second[name] - first[name] ** 2)) for name in first}


def test_the_sampler_at_the_package_settings_agrees_with_an_additive_law_integrated_exactly():
    x, z, loss = additive_runs()
    draws = sample_additive(x, z, loss)
    names = ("alpha", "beta", "log_sigma")
    exact = additive_moments(x, z, loss, [gauss_nodes(draws[name], 60) for name in names])
    finer = additive_moments(x, z, loss, [gauss_nodes(draws[name], 72) for name in names])
    for name, values in draws.items():
        mean, spread = exact[name]
        assert finer[name] == pytest.approx(exact[name], abs=1e-5 * spread)
        assert float(azs.ess(values, method="bulk")) >= EFFECTIVE
        assert abs(float(values.mean()) - mean) <= LIMIT * float(azs.mcse(values, method="mean"))
        assert abs(float(values.std()) - spread) <= LIMIT * float(azs.mcse(values, method="sd"))


# The package's own model of a power of compute, by quadrature


def log_student(residual, sigma, nu):
    """Return the log density of Student's t, written out."""
    constant = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(nu * np.pi) - np.log(sigma)
    return constant - (nu + 1) / 2 * np.log1p((residual / sigma) ** 2 / nu)


@pytest.fixture(scope="module")
def power_runs():
    """30 runs of a power of compute with heavy-tailed noise."""
    C = np.geomspace(1e18, 1e22, 30)
    noise = 0.02 * np.random.default_rng(2).standard_t(4, C.size)
    N = np.sqrt(C / 120)
    return RunTable.from_frame(
        pd.DataFrame({"N": N, "D": C / (6 * N), "loss": 3 * (C / 1e20) ** -0.07 * np.exp(noise)})
    )


@pytest.fixture(scope="module")
def power_fit(power_runs):
    """The package's fit of them, with 16000 draws."""
    return fit(power_runs, "compute_power", draws=4000, random_seed=1, cache=False)


def power_axes(fitted, counts):
    """Return equally spaced nodes of log level, log gamma, log sigma and log(nu - 2) wide enough for all mass.

    The density is smooth and vanishes at the ends, where the plain sum over such nodes converges exponentially.
    """
    unit = fitted.reference["loss"]
    logs = [np.log(fitted.draws["K"] / unit), np.log(fitted.draws["gamma"]), np.log(fitted.draws["sigma"])]
    axes = [
        np.linspace(values.mean() - 9 * values.std(), values.mean() + 9 * values.std(), count)
        for values, count in zip(logs, counts, strict=False)
    ]
    return [*axes, np.linspace(-14.0, 5.6, counts[3])]


def power_integrals(fitted, counts):
    """Return the weight of every node, and of each run the sums of weight, weight / density and weight * density."""
    level, gamma, sigma, heavy = power_axes(fitted, counts)
    frame, unit = fitted.runs.frame, fitted.reference["loss"]
    x = np.log(frame["C"].to_numpy() / fitted.reference["C"])
    y = np.log(frame["loss"].to_numpy())
    residual = y - np.log(unit) - level[:, None, None] + np.exp(gamma)[None, :, None] * x
    residual = residual.reshape(-1, y.size)
    lines = stats.norm.logpdf(level, 0, 0.3)[:, None] + stats.norm.logpdf(gamma, np.log(0.09), 0.5)
    noise = stats.halfnorm.logpdf(np.exp(sigma), scale=0.05)[:, None] + sigma[:, None]
    noise = noise + stats.expon.logpdf(np.exp(heavy), scale=10) + heavy
    peak = float(fitted.data["log_likelihood"]["log_response"].sum("run").max())
    weights = np.empty((sigma.size, heavy.size, lines.size))
    inverse, direct = np.zeros(y.size), np.zeros(y.size)
    for i, j in np.ndindex(sigma.size, heavy.size):
        density = log_student(residual, np.exp(sigma[i]), 2 + np.exp(heavy[j]))
        joint = density.sum(axis=1) + lines.ravel() + noise[i, j]
        weights[i, j] = np.exp(joint - peak)
        some = weights[i, j] > 1e-25
        inverse += weights[i, j, some] @ np.exp(-density[some])
        direct += weights[i, j, some] @ np.exp(density[some])
    return weights.reshape(sigma.size, heavy.size, level.size, gamma.size), inverse, direct


def marginal(axis, weight, back):
    """Return mean, s.d. and distribution function of ``back(axis)`` from weights at equally spaced nodes."""
    weight = weight / weight.sum()
    values = back(axis)
    mean = np.sum(weight * values)
    grows = CubicSpline(axis, weight / (axis[1] - axis[0])).antiderivative()
    forward = CubicSpline(values, axis)
    return mean, np.sqrt(np.sum(weight * (values - mean) ** 2)), lambda value: float(grows(forward(value)))


def power_marginals(fitted, counts):
    """Return the exact marginals of the four quantities, the leave-one-out densities and their relative variances."""
    level, gamma, sigma, heavy = power_axes(fitted, counts)
    weights, inverse, direct = power_integrals(fitted, counts)
    unit, total = fitted.reference["loss"], weights.sum()
    marginals = {
        "K": marginal(level, weights.sum(axis=(0, 1, 3)), lambda axis: unit * np.exp(axis)),
        "gamma": marginal(gamma, weights.sum(axis=(0, 1, 2)), np.exp),
        "sigma": marginal(sigma, weights.sum(axis=(1, 2, 3)), np.exp),
        "nu": marginal(heavy, weights.sum(axis=(0, 2, 3)), lambda axis: 2 + np.exp(axis)),
    }
    return marginals, np.log(total / inverse), direct * inverse / total**2 - 1


@pytest.fixture(scope="module")
def power_exact(power_fit):
    """Integrate on a grid; a coarser one must give the same to 1e-5 of an s.d. and of a nat."""
    coarse, coarse_elpd, _ = power_marginals(power_fit, (29, 29, 29, 45))
    exact, elpd, variance = power_marginals(power_fit, (37, 37, 37, 57))
    for name, (mean, spread, _) in exact.items():
        assert coarse[name][:2] == pytest.approx((mean, spread), abs=1e-5 * spread), name
    np.testing.assert_allclose(coarse_elpd, elpd, atol=1e-5)
    return exact, elpd, variance


@pytest.mark.parametrize("name", ["K", "gamma", "sigma", "nu"])
def test_a_fit_of_a_power_of_compute_agrees_with_quadrature_of_the_same_model(name, power_fit, power_exact):
    assert power_fit.diagnostics.passed
    assert_close(power_fit.data["posterior"][name], power_exact[0][name])


def elpd_error(fitted):
    """Return the Monte Carlo standard error of elpd_loo: it is a smooth function of the mean of inverse densities."""
    inverse = np.exp(-fitted.data["log_likelihood"]["log_response"])
    relative = (inverse / inverse.mean(("chain", "draw"))).sum("run")
    return float(azs.mcse(relative, method="mean"))


def test_leave_one_out_densities_agree_with_quadrature(power_fit, power_runs, power_exact):
    elpd_i = power_exact[1]
    again = fit(power_runs, "compute_power", draws=4000, random_seed=2, cache=False)
    comparison = compare({"one": power_fit, "two": again}, cache=False)
    errors = [elpd_error(fitted) for fitted in comparison.fits.values()]
    for (name, loo), error in zip(comparison.pointwise.items(), errors, strict=True):
        assert float(loo.pareto_k.max()) <= loo.good_k
        assert abs(comparison.table.loc[name, "elpd"] - elpd_i.sum()) <= LIMIT * error, name
    assert abs(comparison.table["elpd_diff"].min()) <= LIMIT * np.hypot(*errors)


def test_an_exact_refit_without_a_run_gives_its_density_by_quadrature(power_fit, power_exact):
    _, elpd_i, variance = power_exact
    for row in (int(np.argmin(elpd_i)), int(np.argmax(elpd_i))):
        error = np.sqrt(variance[row] / EFFECTIVE)
        assert abs(exact_elpd(power_fit, row, cache=False) - elpd_i[row]) <= LIMIT * error


# The package's own model of Chinchilla's law, by importance sampling


@pytest.fixture(scope="module")
def additive_fit():
    """The package's fit of 48 simulated runs of Chinchilla's law with heavy-tailed noise, with 16000 draws."""
    x, z, _ = additive_runs()
    rng = np.random.default_rng(4)
    loss = 1.8 + 0.5 * np.exp(-0.35 * x) + 0.6 * np.exp(-0.4 * z)
    runs = RunTable.from_frame(pd.DataFrame({**DESIGN, "loss": loss * np.exp(0.01 * rng.standard_t(4, x.size))}))
    return fit(runs, "chinchilla", draws=4000, random_seed=1, cache=False)


def free_logs(fitted):
    """Return the draws as unconstrained variables (draw, 7), by the way back from the reported parameters."""
    draws = fitted.draws
    level = draws["E"] + draws["A"] + draws["B"]
    columns = (
        np.log(level / fitted.reference["loss"]),
        np.log(draws["E"] / (level - draws["E"])),
        np.log(draws["A"] / draws["B"]),
        *(np.log(draws[name]) for name in ("alpha", "beta", "sigma")),
        np.log(draws["nu"] - 2),
    )
    return np.stack(columns, axis=1)


def chinchilla_from_logs(logs, unit):
    """Return parameters from unconstrained variables: parts of a Dirichlet by logits."""
    first, second = 1 / (1 + np.exp(-logs[:, 1])), 1 / (1 + np.exp(-logs[:, 2]))
    level = unit * np.exp(logs[:, 0])
    parts = {"E": level * first, "A": level * (1 - first) * second, "B": level * (1 - first) * (1 - second)}
    rest = {name: np.exp(logs[:, i]) for name, i in (("alpha", 3), ("beta", 4), ("sigma", 5))}
    return {**parts, **rest, "nu": 2 + np.exp(logs[:, 6])}


def log_chinchilla(logs, fitted):
    """Return the log posterior density of unconstrained variables (draw,), up to a constant, written out."""
    values = chinchilla_from_logs(logs, fitted.reference["loss"])
    level = values["E"] + values["A"] + values["B"]
    parts = np.stack([values[name] for name in "EAB"]) / level
    prior = stats.norm.logpdf(logs[:, 0], 0, 0.3) + stats.norm.logpdf(logs[:, 3:5], np.log(0.3), 0.45).sum(axis=1)
    prior += stats.halfnorm.logpdf(values["sigma"], scale=0.05) + logs[:, 5]
    prior += stats.expon.logpdf(values["nu"] - 2, scale=10) + logs[:, 6]
    prior += 3 * np.log(parts[0]) + 0.5 * np.log(parts[1]) + 0.5 * np.log(parts[2])  # Dirichlet(4, 1.5, 1.5)
    prior += np.log(parts).sum(axis=0)  # and its Jacobian in the two logits
    frame = fitted.runs.frame
    N, D = (frame[name].to_numpy() / fitted.reference[name] for name in ("N", "D"))
    center = (
        values["E"][:, None]
        + values["A"][:, None] * N ** -values["alpha"][:, None]
        + values["B"][:, None] * D ** -values["beta"][:, None]
    )
    residual = np.log(frame["loss"].to_numpy()) - np.log(center)
    return prior + log_student(residual, values["sigma"][:, None], values["nu"][:, None]).sum(axis=1)


@pytest.fixture(scope="module")
def additive_exact(additive_fit):
    """Half a million weighted draws from a heavy-tailed proposal, independent of each other and of the sampler's."""
    logs = free_logs(additive_fit)
    proposal = stats.multivariate_t(logs.mean(axis=0), 1.2 * np.cov(logs.T), df=6, seed=5)
    blocks = [proposal.rvs(50_000) for _ in range(10)]
    log_weight = np.concatenate([log_chinchilla(block, additive_fit) - proposal.logpdf(block) for block in blocks])
    weight = np.exp(log_weight - log_weight.max())
    return chinchilla_from_logs(np.concatenate(blocks), additive_fit.reference["loss"]), weight / weight.sum()


@pytest.mark.parametrize("name", ["E", "A", "B", "alpha", "beta", "sigma", "nu"])
def test_a_fit_of_the_chinchilla_law_agrees_with_importance_sampling_of_the_same_model(
    name, additive_fit, additive_exact
):
    values, weight = additive_exact[0][name], additive_exact[1]
    assert 1 / np.sum(weight**2) >= 50_000
    mean = np.sum(weight * values)
    spread = np.sqrt(np.sum(weight * (values - mean) ** 2))
    standard = (values - mean) / spread
    moments = (standard, (standard**2 - 1) / 2)
    error = max(float(np.sqrt(np.sum(weight**2 * moment**2))) for moment in moments)
    distribution = lambda value: float(np.sum(weight[values <= value]))  # noqa: E731
    assert additive_fit.diagnostics.passed
    assert_close(additive_fit.data["posterior"][name], (mean, spread, distribution), error)

"""Machine code of a law's log density: the same numbers as the PyMC model, which defines them."""

import dataclasses
import subprocess
import sys

import arviz_stats as azs
import numpy as np
import pymc as pm
import pytensor
import pytest
from pytensor.compile import Mode
from pytensor.scalar import autocast_float_as
from scipy import special

from bayescale.catalogue import load_runs
from bayescale.fits import sampling
from bayescale.fits.fit import reference_values
from bayescale.fits.kernel import NoMachineCode, chains, kernel_of
from bayescale.fits.kernel.code import NUMPY, compiled, computed
from bayescale.fits.kernel.graph import Graph, digamma, gradient
from bayescale.fits.model import build_model, draw_prior, prior_densities
from bayescale.fits.settings import Settings
from bayescale.fits.tree import canonical_frame, sampler_data
from bayescale.laws import LAWS, Law, Prior
from bayescale.laws.priors import free_priors, log_density

ROWS = 31
QUICK = ("chinchilla", "lr_anneal")
CLOSE = 1e-9
SINGLE = dict.fromkeys(("routed", "routed_separable"), 1e-7)
"""Laws with ``10 ** x``: PyTensor takes log(10) of its slope in single precision; differences of its own density agree
with the slope here."""


def some_data(law, seed=1):
    rng = np.random.default_rng(seed)
    columns = {f"{name}_data": np.exp(rng.normal(size=ROWS)) for name in law.covariates}
    return {**columns, "log_response_data": rng.normal(1.0, 0.1, ROWS), "loss_unit": np.array(2.5)}


def by_pymc(law, data):
    """Return PyMC's log density and its gradient, as a function of a point, and its initial point."""
    with autocast_float_as("float64"):  # PyTensor keeps numbers of a formula in single precision where that does
        model = build_model(law)
        with model:
            pm.set_data({name: values for name, values in data.items() if name in model.named_vars})
        inputs = [model.rvs_to_values[variable] for variable in model.free_RVs]
        outputs = [model.logp(), *pytensor.grad(model.logp(), inputs)]
    function = model.compile_fn(outputs, inputs=inputs, mode=Mode("py", None), on_unused_input="ignore", point_fn=False)
    start = model.initial_point()
    assert [variable.name for variable in model.free_RVs] == list(kernel_of(law).density.names)
    return lambda point: np.array(function(*point), dtype=float), np.array([start[each.name] for each in inputs])


def assert_same_as_pymc(law):
    data = some_data(law)
    expected, start = by_pymc(law, data)
    bound = kernel_of(law).with_data(data)
    rng = np.random.default_rng(2)
    wanted, found = [], []
    for _ in range(4):
        point = start + rng.uniform(-1, 1, start.size)
        value, slopes = bound.log_density(point)
        wanted.append(expected(point))
        found.append(np.array([value, *slopes]))
    wanted, found = np.array(wanted), np.array(found)
    assert np.isfinite(wanted).all()
    np.testing.assert_allclose(found[:, 0], wanted[:, 0], rtol=CLOSE, atol=CLOSE)
    close = SINGLE.get(law.name, CLOSE)
    np.testing.assert_allclose(found[:, 1:], wanted[:, 1:], rtol=close, atol=close)


@pytest.mark.parametrize("name", QUICK)
def test_log_density_and_gradient_are_those_of_the_pymc_model(name):
    assert_same_as_pymc(LAWS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(LAWS) - set(QUICK)))
def test_log_density_and_gradient_of_every_law_are_those_of_the_pymc_model(name):
    assert_same_as_pymc(LAWS[name])


PRIORS = {
    "a": Prior("Normal", {"mu": 0.3, "sigma": 0.2}),
    "b": Prior("LogNormal", {"mu": -0.2, "sigma": 0.4}, relative=True),
    "c": Prior("HalfNormal", {"sigma": 0.7}),
    "d": Prior("Exponential", {"scale": 0.4}),
    "e": Prior("Exponential", {"lam": 2.0}),
    "f": Prior("Gamma", {"alpha": 2.5, "beta": 4.0}),
    "g": Prior("Beta", {"alpha": 2.0, "beta": 3.5}),
    "h": Prior("Uniform", {"lower": -0.5, "upper": 1.5}),
    "i": Prior("TruncatedNormal", {"mu": 0.5, "sigma": 0.4, "lower": 0.1}),
    "j": Prior("TruncatedNormal", {"mu": 0.5, "sigma": 0.4, "upper": 0.9}),
    "k": Prior("TruncatedNormal", {"mu": 0.5, "sigma": 0.4, "lower": -0.2, "upper": 1.1}),
}


def many_priors(N, *, a, b, c, d, e, f, g, h, i, j, k):
    return 1 + b + a * N**-c + d * e + abs(h) * f + i * j * g**2 + k**3


def own_law(loss, priors, name="own"):
    return Law(name=name, loss=loss, priors=priors, formula=name, reference="none")


def test_every_family_of_priors_has_the_density_that_pymc_gives_it():
    assert_same_as_pymc(own_law(many_priors, PRIORS))


def test_densities_of_priors_without_pymc_are_those_with_it():
    law = own_law(many_priors, PRIORS)
    free = draw_prior(law, 5, 1, shared=False)
    expected = prior_densities(law, free, shared=False)
    for name, prior in free_priors(law).items():  # PyTensor keeps constants in single precision
        np.testing.assert_allclose(log_density(prior, free[name]), expected[name], rtol=1e-6, atol=1e-6)


# The graph


FUNCTIONS = ("exp", "log", "log1p", "expm1", "sqrt", "tanh", "abs")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_and_its_derivative_are_those_of_numpy(name):
    graph = Graph()
    x, place, step = graph.input("free", "x"), 0.7, 1e-6
    value = graph.do(name, x * 1.5)
    (slope,) = gradient(value, [x])
    low, high = (NUMPY[name](1.5 * (place + side)) for side in (-step, step))
    program = compiled(value, [slope], [x])
    found = chains.Bound(_density(), program, program.data({}, 0)).log_density(np.array([place]))
    assert found[0] == pytest.approx(NUMPY[name](1.5 * place), rel=1e-14)
    assert found[1][0] == pytest.approx((high - low) / (2 * step), rel=1e-8)


def _density():
    return kernel_of(LAWS["chinchilla"]).density


def slope_at(value, x, place):
    program = compiled(value, gradient(value, [x]), [x])
    return chains.Bound(_density(), program, program.data({}, 0)).log_density(np.array([place]))[1][0]


def test_the_derivatives_of_powers_and_logs_of_ten_are_those_of_calculus():
    x = Graph().input("free", "x")
    found = [slope_at(each, x, 0.7) for each in (10**x, np.log10(x), x**2.5)]
    assert found == pytest.approx([10**0.7 * np.log(10), 1 / (0.7 * np.log(10)), 2.5 * 0.7**1.5], rel=1e-14)


def test_digamma_is_that_of_scipy():
    places = np.geomspace(0.5, 100, 200)
    found = computed(digamma(Graph().input("data", "x")), {"x": places})
    np.testing.assert_allclose(found, special.digamma(places), rtol=0, atol=1e-14)


def test_a_step_that_was_taken_is_not_taken_again():
    graph = Graph()
    x = graph.input("free", "x")
    assert np.exp(x) is np.exp(x)
    assert x + 0 is x
    assert x / 1 is x


def test_a_column_with_zeros_has_a_finite_gradient_by_its_exponent():
    law = own_law(
        lambda drop, *, A, alpha: A + 0.1 * drop**alpha,
        {"A": Prior("LogNormal", {"mu": 0.0, "sigma": 0.5}), "alpha": Prior("LogNormal", {"mu": 0.0, "sigma": 0.5})},
    )
    data = some_data(dataclasses.replace(law, units={"drop": 1.0}))
    data["drop_data"][:5] = 0.0
    value, slopes = kernel_of(law).with_data(data).log_density(np.full(4, 0.1))
    assert np.isfinite([value, *slopes]).all()


# What it cannot do is left to PyMC


def alternatives(N, *, A, alpha):
    return A * N**-alpha if N > 1 else A


def rounded(N, *, A, alpha):
    return np.floor(A) + N**-alpha


def plain(N, *, A, alpha):
    return A * N**-alpha


@pytest.mark.parametrize(
    ("loss", "family"),
    [(alternatives, "Normal"), (rounded, "Normal"), (plain, "Cauchy")],
    ids=["asks", "rounds", "prior"],
)
def test_a_law_that_cannot_be_written_down_is_compiled_by_pymc(loss, family, monkeypatch):
    parameters = {"alpha": 0.0, "beta": 1.0} if family == "Cauchy" else {"mu": 0.0, "sigma": 1.0}
    law = own_law(loss, {"A": Prior(family, parameters), "alpha": Prior("Normal", {"mu": 0.0, "sigma": 1.0})})
    with pytest.raises(NoMachineCode):
        kernel_of(law)
    monkeypatch.setattr(sampling, "_by_pymc", lambda law, **_: ("by PyMC", law.name))
    assert sampling.compiled_model(law) == ("by PyMC", "own")


@pytest.mark.parametrize("name", chains.NAMES)
def test_a_sampler_of_another_interface_is_left_to_pymc(name, monkeypatch):
    library = chains.sampler_library()
    others = {each: getattr(library, each) for each in chains.NAMES if each != name}
    monkeypatch.setitem(sys.modules, chains.LIBRARY, type("Other", (), others))
    with pytest.raises(NoMachineCode, match="interface"):
        kernel_of(LAWS["chinchilla"])


# Sampling


def test_the_sampler_is_answered_where_the_density_is_not_finite():
    law = LAWS["chinchilla"]
    bound = kernel_of(law).with_data(some_data(law))
    far = np.full(len(bound.density.names), 800.0)
    assert not np.isfinite(bound.log_density(far)[0])
    data = {**some_data(law), "N_data": np.full(ROWS, np.nan)}
    with pytest.raises(RuntimeError):
        kernel_of(law).with_data(data).sample(Settings(20, 20, 2, 1), target_accept=0.9, adaptation="low_rank")


def test_a_fit_and_its_allocation_import_no_compiler_of_models_and_nothing_that_draws():
    heavy = ("pymc", "pytensor", "numba", "nutpie", "arviz", "arviz_stats", "arviz_plots", "matplotlib", "scipy.stats")
    code = f"""
import sys, bayescale as bs
bs.allocate(bs.fit(bs.load_runs("chinchilla"), "chinchilla", draws=50, tune=100, cache=False), [1e22])
print([name for name in {heavy!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_posterior_is_that_of_the_pymc_model_within_monte_carlo_error(monkeypatch):
    runs, law = load_runs("chinchilla"), LAWS["chinchilla"]
    frame = canonical_frame(runs)
    data = sampler_data(law, frame, runs.response, reference_values(frame, runs.response, law))
    ours, *_ = sampling.sample_posterior(law, data, Settings(random_seed=1))
    monkeypatch.setattr(sampling, "_COMPILED", {})
    monkeypatch.setattr(sampling, "_machine_code", lambda *_, **__: None)
    theirs, *_ = sampling.sample_posterior(law, data, Settings(random_seed=2))
    for parameter in ours:
        for method in ("mean", "sd"):
            error = np.hypot(*(float(azs.mcse(each[parameter], method=method)) for each in (ours, theirs)))
            measure = {"mean": "mean", "sd": "std"}[method]
            gap = float(getattr(ours[parameter], measure)() - getattr(theirs[parameter], measure)())
            assert abs(gap) < 4.5 * error, (parameter, method, gap, error)

"""Priors written by hand: how text is read, what is refused with a remedy, and that the fit has them."""

import dataclasses
import inspect
import json
import subprocess
import sys

import numpy as np
import pymc as pm
import pytest

import bayescale as bs
from bayescale.errors import InputError
from bayescale.fits.fitting import _cache_path, is_cached
from bayescale.fits.model import build_prior
from bayescale.fits.settings import Settings
from bayescale.fits.tree import canonical_frame
from bayescale.groups.fitting import group_names
from bayescale.laws import (
    LAWS,
    Law,
    Prior,
    Share,
    laws_with_priors,
    parse_given,
    read_prior,
    with_priors,
    without_given,
)
from bayescale.laws.families import FAMILIES, distribution, signature
from bayescale.laws.priors import from_normal

ARGUMENTS = {
    "Normal": [{"mu": 0.3, "sigma": 0.1}],
    "LogNormal": [{"mu": -1.0, "sigma": 0.4}],
    "HalfNormal": [{"sigma": 0.5}],
    "TruncatedNormal": [{"mu": 0.3, "sigma": 0.2, "lower": 0.0}, {"mu": 0.3, "sigma": 0.2, "lower": 0.1, "upper": 0.5}],
    "Exponential": [{"lam": 2.0}, {"scale": 2.0}],
    "Beta": [{"alpha": 2.0, "beta": 5.0}, {"mu": 0.3, "sigma": 0.1}],
    "Gamma": [{"alpha": 3.0, "beta": 2.0}, {"mu": 0.3, "sigma": 0.1}],
    "InverseGamma": [{"alpha": 3.0, "beta": 2.0}],
    "Uniform": [{"lower": 0.1, "upper": 0.7}],
    "Triangular": [{"lower": 0.1, "upper": 0.7, "c": 0.2}],
    "StudentT": [{"nu": 4.0, "mu": 0.3, "sigma": 0.1}],
    "HalfStudentT": [{"nu": 4.0, "sigma": 0.1}],
    "Cauchy": [{"alpha": 0.3, "beta": 0.1}],
    "HalfCauchy": [{"beta": 0.1}],
    "Laplace": [{"mu": 0.3, "b": 0.1}],
    "Logistic": [{"mu": 0.3, "s": 0.1}],
    "Gumbel": [{"mu": 0.3, "beta": 0.1}],
    "SkewNormal": [{"alpha": 2.0, "mu": 0.3, "sigma": 0.1}],
    "Weibull": [{"alpha": 2.0, "beta": 0.4}],
    "Pareto": [{"alpha": 3.0, "m": 0.2}],
    "ChiSquared": [{"nu": 3.0}],
}
CASES = [(name, arguments) for name, forms in ARGUMENTS.items() for arguments in forms]


def test_every_form_of_every_distribution_is_tried_here():
    assert set(ARGUMENTS) == set(FAMILIES)
    for name, forms in ARGUMENTS.items():
        tried = [FAMILIES[name].form_of(arguments) for arguments in forms]
        assert all(form in tried for form in FAMILIES[name].arguments())


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_distribution_is_the_one_that_pymc_has_under_this_name(name, arguments):
    """The cumulative distribution of SciPy's is the log probability of PyMC's, at the quartiles and beyond."""
    known = distribution(name, arguments)
    points = known.ppf([0.05, 0.25, 0.5, 0.75, 0.95])
    with pm.Model():
        variable = getattr(pm, name)("variable", **arguments)
    grid = np.linspace(points[0], points[-1], 4001)
    density = np.exp(pm.logp(variable, grid).eval(mode="FAST_COMPILE"))
    inside = (density[1:] + density[:-1]).cumsum() / 2 * (grid[1] - grid[0])
    np.testing.assert_allclose(np.interp(points[1:], grid[1:], inside), known.cdf(points[1:]) - 0.05, atol=2e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_arguments_have_pymcs_names_and_order(name):
    taken = [word for word in inspect.signature(getattr(pm, name).dist).parameters if word not in ("args", "kwargs")]
    first, *others = FAMILIES[name].arguments()
    by_position = [each.name for each in first if not each.optional]
    assert by_position == taken[: len(by_position)]
    assert all(each.name in taken for form in (first, *others) for each in form)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_what_a_prior_prints_is_read_back_to_the_digits_that_it_shows(law):
    for prior in law.priors.values():
        found = read_prior(str(prior))
        assert str(found) == str(prior)
        if isinstance(prior, Share):
            assert found == prior
        else:
            assert (found.family, list(found.parameters), found.relative) == (
                prior.family,
                list(prior.parameters),
                prior.relative,
            )
            np.testing.assert_allclose(
                list(found.parameters.values()), list(prior.parameters.values()), rtol=5e-4, atol=0
            )


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_prior_of_any_distribution_is_read_back_as_itself(name, arguments):
    for relative in (False, True):
        prior = Prior(name, {key: round(value + 0.00125, 5) for key, value in arguments.items()}, relative)
        assert read_prior(str(prior)) == prior


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Normal(0.34, 0.05)", Prior("Normal", {"mu": 0.34, "sigma": 0.05})),
        (" Normal( 0.34, sigma = 5e-2 ) ", Prior("Normal", {"mu": 0.34, "sigma": 0.05})),
        ("Normal(sigma=1, mu=-2)", Prior("Normal", {"sigma": 1.0, "mu": -2.0})),
        ("Exponential(2)", Prior("Exponential", {"lam": 2.0})),
        ("Exponential(scale=2)", Prior("Exponential", {"scale": 2.0})),
        ("TruncatedNormal(0, 1, lower=0)", Prior("TruncatedNormal", {"mu": 0.0, "sigma": 1.0, "lower": 0.0})),
        ("LogNormal(0, 1) x typical loss", Prior("LogNormal", {"mu": 0.0, "sigma": 1.0}, relative=True)),
        ("LogNormal(0, 1) * typical loss", Prior("LogNormal", {"mu": 0.0, "sigma": 1.0}, relative=True)),
        ("Share(4)", Share(4.0)),
        ("Share(concentration=4, power=alpha)", Share(4.0, "alpha")),
        ("Share(4, power='alpha')", Share(4.0, "alpha")),
        ("typical loss x Dirichlet part(1.5)**alpha", Share(1.5, "alpha")),
    ],
)
def test_text_is_read_by_position_and_by_name(text, expected):
    assert read_prior(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Nomal(0.34, 0.05)", "did you mean Normal"),
        ("Horseshoe(1)", "unknown distribution Horseshoe; the distributions are Normal, .* and Share"),
        ("Normal(0.34)", r"expected Normal\(mu, sigma\), all numbers given; found mu"),
        ("Normal()", "found no arguments"),
        ("Normal(1, 2, 3)", "found 3 arguments by position"),
        ("Normal(0.34, mu=0.05)", "given twice"),
        ("Normal(0.34, tau=0.05)", r"expected Normal\(mu, sigma\).*found mu, tau"),
        ("Normal(0.34, -0.05)", "sigma is -0.05; expected a number above zero, as it is a width"),
        ("Beta(0, 1)", "alpha is 0; expected a number above zero"),
        ("Exponential(1, 2)", r"expected Exponential\(lam\) or Exponential\(scale\)"),
        ("Uniform(2, 1)", "no such distribution; check that bounds are in order"),
        ("Triangular(0, 1, 2)", "no such distribution"),
        ("TruncatedNormal(0, 1, lower=3, upper=2)", "no such distribution"),
        ("Beta(mu=0.5, sigma=0.6)", "no such distribution"),
        ("Normal(0.34, 1e999)", "expected finite numbers"),
        ("Normal(0.34, True)", "expected finite numbers as arguments; found True"),
        ("Normal(2 * 3, 1)", r"found 2 \* 3"),
        ("Normal(*[1, 2])", "expected finite numbers"),
        ("Normal(**{'mu': 1})", "expected finite numbers"),
        ("__import__('os').getcwd()", "expected a distribution by PyMC's name"),
        ("open('x')", "unknown distribution open"),
        ("Normal(0.34, 0.05", "expected a distribution by PyMC's name with numbers"),
        ("Normal", "expected a distribution by PyMC's name"),
        ("", "expected a distribution by PyMC's name"),
        ("0.34", "expected a distribution by PyMC's name"),
        ("Share(0)", "the concentration is 0"),
        ("Share()", "expected one concentration"),
        ("Share(1, 2)", "expected one concentration"),
        ("Share(4) x typical loss", "expected one concentration"),
        ("Share(4, power=3)", "expected the name of a parameter as power"),
    ],
)
def test_text_that_is_no_prior_is_refused_with_a_remedy(text, said):
    with pytest.raises(InputError, match=said):
        read_prior(text)


@pytest.mark.parametrize(
    ("law", "priors", "said"),
    [
        ("chinchilla", {"gamma": "Normal(0, 1)"}, r"has no parameter \['gamma'\]; it has E, A, B, alpha, beta"),
        ("chinchilla", {"alpha": "Normal(0.34, 0.2)"}, r"alpha lies above 0, and 4.46% of Normal\(.*lower=0\)"),
        ("chinchilla", {"E": "Normal(0, 1)"}, "E lies above 0, and 50%"),
        ("chinchilla", {"alpha": Prior("Normal", {"mu": 0.1, "sigma": 0.1})}, "15.9% of Normal"),
        ("chinchilla", {"alpha": "Share(4)"}, "alpha has no unit of loss"),
        ("chinchilla", {"alpha": "LogNormal(0, 1) x typical loss"}, "alpha has no unit of loss"),
        ("chinchilla", {"alpha": 0.34}, "found float"),
        ("chinchilla", "alpha=Normal(0.34, 0.05)", "expected priors by parameter"),
        ("chinchilla", {"E": "Share(4, power=gamma)"}, "raised to unknown gamma"),
    ],
)
def test_a_prior_that_does_not_suit_its_parameter_is_refused(law, priors, said):
    with pytest.raises(InputError, match=said):
        with_priors(LAWS[law], priors)


def test_a_parameter_that_may_be_of_either_sign_takes_any_distribution():
    assert with_priors(LAWS["tilt"], {"delta": "StudentT(4, 0, 1)"}).priors["delta"].family == "StudentT"


def test_a_share_as_text_keeps_the_power_of_the_laws_own():
    law = next(law for law in LAWS.values() if any(isinstance(p, Share) and p.power for p in law.priors.values()))
    name, own = next((name, prior) for name, prior in law.priors.items() if isinstance(prior, Share) and prior.power)
    assert with_priors(law, {name: "Share(7)"}).priors[name] == Share(7.0, own.power)


def test_a_law_knows_which_of_its_priors_were_given_and_takes_its_own_back():
    own = LAWS["chinchilla"]
    law = with_priors(own, {"alpha": "Normal(0.34, 0.05)", "E": "Share(9)"})
    assert law.replaced == {name: own.priors[name] for name in ("alpha", "E")}
    again = with_priors(law, {"alpha": "Normal(0.4, 0.05)", "E": str(own.priors["E"])})
    assert again.replaced == {"alpha": own.priors["alpha"]}
    assert without_given(again) == own


def test_a_prior_goes_to_each_law_that_has_the_parameter():
    laws = laws_with_priors([LAWS["chinchilla"], LAWS["compute_floor"]], {"E": "Share(9)", "alpha": "Gamma(9, 25)"})
    assert [sorted(law.replaced) for law in laws] == [["E", "alpha"], ["E"]]


def test_a_prior_of_one_law_by_name_is_for_that_law_alone_and_counts_before_others():
    pair = [LAWS["chinchilla"], LAWS["compute_floor"]]
    first, second = laws_with_priors(pair, {"chinchilla.E": "Share(9)", "E": "Share(7)"})
    assert (first.priors["E"], second.priors["E"]) == (Share(9.0), Share(7.0))


def test_a_prior_of_no_law_is_refused():
    with pytest.raises(InputError, match="no law here has the parameter omega of a prior: chinchilla has E, A, B"):
        laws_with_priors([LAWS["chinchilla"]], {"omega": "Normal(0, 1)"})
    with pytest.raises(InputError, match=r"no law here has the parameter tilt\.alpha"):
        laws_with_priors([LAWS["chinchilla"]], {"tilt.alpha": "Normal(0, 1)"})


def test_a_prior_that_suits_one_law_and_not_another_is_refused_and_says_how_to_name_the_law():
    pair = [LAWS["chinchilla"], LAWS["guo_compute"]]
    with pytest.raises(InputError, match=r"'guo_compute': alpha lies below 0, and 100%.*LAW\.PARAMETER is for that"):
        laws_with_priors(pair, {"alpha": "Normal(0.34, 0.05)"})
    assert not laws_with_priors(pair, {"chinchilla.alpha": "Normal(0.34, 0.05)"})[1].replaced


def test_options_are_read_as_parameter_and_prior():
    texts = ["alpha=Normal(mu=0.34, sigma=0.05)", "chinchilla.E = Share(4)"]
    assert parse_given(texts) == {"alpha": "Normal(mu=0.34, sigma=0.05)", "chinchilla.E": "Share(4)"}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["alpha"], "expected PARAMETER=DISTRIBUTION"),
        (["=Normal(0, 1)"], "expected PARAMETER=DISTRIBUTION"),
        (["a b=Normal(0, 1)"], "expected PARAMETER=DISTRIBUTION"),
        (["Normal(mu=0, sigma=1)"], "expected PARAMETER=DISTRIBUTION"),
        (["alpha=Normal(0, 1)", "alpha=Normal(0, 2)"], "alpha has two priors"),
        (["alpha=Normal(0)"], r"all numbers given"),
    ],
)
def test_options_that_are_no_priors_are_refused(texts, said):
    with pytest.raises(InputError, match=said):
        parse_given(texts)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_prior_of_any_distribution_has_quantiles_and_a_model(name, arguments):
    prior = Prior(name, arguments)
    found = from_normal(prior, np.array([-50.0, -1.0, 0.0, 1.0, 50.0]))
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()

    def loss(N, *, a):
        return a * N

    assert build_prior(Law("one", loss, {"a": prior})).free_RVs[0].name == "a"


def test_reading_a_prior_imports_neither_pymc_nor_evaluates():
    code = (
        "import sys; from bayescale.laws import LAWS, with_priors; "
        "with_priors(LAWS['chinchilla'], {'alpha': 'Normal(0.34, 0.05)'}); "
        "print([name for name in ('pymc', 'pytensor', 'arviz') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


QUICK = {"draws": 100, "tune": 200}


def test_a_fit_takes_text_and_its_posterior_follows_a_narrow_prior(small_runs):
    fitted = bs.fit(small_runs, "compute_floor", priors={"gamma": "Normal(0.5, 0.001)"}, **QUICK)
    assert fitted.law.priors["gamma"] == Prior("Normal", {"mu": 0.5, "sigma": 0.001})
    assert abs(np.median(fitted.draws["gamma"]) - 0.5) < 0.005  # the runs alone say 0.17
    assert abs(np.median(bs.fit(small_runs, "compute_floor", **QUICK).draws["gamma"]) - 0.17) < 0.1


def test_a_saved_fit_still_knows_which_priors_were_given(small_runs, tmp_path):
    fitted = bs.fit(small_runs, "compute_floor", priors={"gamma": "Normal(0.5, 0.001)"}, **QUICK)
    fitted.save(tmp_path / "fit.nc")
    assert bs.load_fit(tmp_path / "fit.nc").law.replaced == {"gamma": LAWS["compute_floor"].priors["gamma"]}


def test_the_cache_keeps_fits_of_other_priors_apart(small_runs):
    law, settings = LAWS["compute_floor"], Settings()
    other = with_priors(law, {"gamma": "Normal(0.5, 0.01)"})
    frame = canonical_frame(small_runs)
    paths = {_cache_path(each, small_runs, frame, settings, {}) for each in (law, other, without_given(other))}
    assert len(paths) == 2
    assert not is_cached(other, small_runs, settings)


def test_fit_laws_gives_each_law_its_priors(small_runs):
    fits = bs.fit_laws(small_runs, ["compute_floor", "compute_power"], priors={"E": "Share(9)"}, **QUICK)
    assert fits["compute_floor"].law.priors["E"] == Share(9.0)
    assert not fits["compute_power"].law.replaced
    with pytest.raises(InputError, match="no law here has the parameter omega"):
        bs.fit_laws(small_runs, ["compute_floor"], priors={"omega": "Share(9)"})


def test_fit_groups_takes_priors_of_the_law_that_groups_share(small_runs):
    frame = small_runs.frame.assign(family=["a", "b"] * 12)
    runs = dataclasses.replace(small_runs, frame=frame)
    fitted = bs.groups.fit_groups(runs, "compute_floor", priors={"gamma": "Normal(0.17, 0.01)"}, **QUICK)
    assert group_names(fitted) == ["a", "b"]
    assert fitted.law.priors["gamma"] == Prior("Normal", {"mu": 0.17, "sigma": 0.01})
    assert json.loads(fitted.data.attrs["bayescale"])["law"]["priors"]["gamma"]["family"] == "Normal"
    assert list(fitted.law.replaced) == ["gamma"]


def test_signatures_say_what_may_be_left_out():
    assert signature("TruncatedNormal") == "TruncatedNormal(mu, sigma, lower=..., upper=...)"
    assert signature("Exponential") == "Exponential(lam) or Exponential(scale)"

import json
import re
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.errors import InputError
from bayescale.laws import (
    LAWS,
    REAL_RUNS,
    Law,
    Prior,
    Share,
    get_law,
    in_ones,
    known_laws,
    law_record,
    list_laws,
    priors_from_record,
    priors_record,
    published_scale,
    real_range,
    reference_units,
    unit_columns,
)
from bayescale.laws.guo_compute import GUO_UNIT
from bayescale.laws.isoflop import from_chinchilla
from bayescale.laws.meanings import common
from bayescale.testing import check_law


def published(name, source):
    (values,) = (values for key, values in LAWS[name].published.items() if key.startswith(source))
    return values


# Published values


def test_guo_needs_256_823_units_of_compute_for_0_40_bits():
    values = published("guo_compute", "Guo")
    # The compute is printed with three decimals, which moves the loss by at most 6e-8.
    assert LAWS["guo_compute"].loss(256.823 * GUO_UNIT, **values) == pytest.approx(0.40, abs=1e-7)
    assert round(values["beta"], 6) == 2.126527
    assert LAWS["guo_compute"].derived(**values)["beta_guo"] == pytest.approx(0.572, rel=1e-12)


@pytest.mark.parametrize(("factor", "change"), [(2, -0.021488), (10, -0.071380)])
def test_guo_falls_by_the_published_step_per_doubling_and_decade(factor, change):
    law, values = LAWS["guo_compute"], published("guo_compute", "Guo")
    assert round(law.loss(factor * 1e22, **values) - law.loss(1e22, **values), 6) == change


def test_kaplan_overfits_by_the_published_part_at_22_billion_tokens():
    values = published("kaplan_nd", "Kaplan")
    loss = LAWS["kaplan_nd"].loss(1e9, 22e9, **values)
    assert round(loss / (values["A"] / 1e9 ** values["alpha_N"]) - 1, 6) == 0.021771


@pytest.mark.parametrize(
    ("source", "N", "D", "wedge"),
    [
        ("Hoffmann", 70e9, 1.4e12, 0.7134),
        ("Besiroglu", 70e9, 1.4e12, 1.0306),
        ("Hoffmann", 8e9, 15e12, 2.9259),
        ("Besiroglu", 8e9, 15e12, 5.2175),
    ],
)
def test_chinchilla_has_the_published_ratio_of_slopes(source, N, D, wedge):
    law, values, step = LAWS["chinchilla"], published("chinchilla", source), 1e-4
    on_N = law.loss(N * np.exp(step), D, **values) - law.loss(N * np.exp(-step), D, **values)
    on_D = law.loss(N, D * np.exp(step), **values) - law.loss(N, D * np.exp(-step), **values)
    assert round(on_N / on_D, 4) == wedge


# Every law, by being in LAWS


def test_every_law_is_listed_under_its_own_name():
    assert all(name == law.name for name, law in LAWS.items())
    assert [entry["name"] for entry in list_laws()] == list(LAWS)


def test_the_list_of_laws_is_plain_data_with_the_promised_fields():
    entries = json.loads(json.dumps(list_laws()))
    assert all({"name", "covariates", "response", "parameters", "reference"} <= set(entry) for entry in entries)
    assert all(entry["reference"] and entry["formula"] for entry in entries)


@pytest.mark.parametrize("random_seed", [0, 1])
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_a_law_is_what_it_says_it_is(law, random_seed):
    assert check_law(law, random_seed=random_seed).problems == ()


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_published_values_come_with_values_to_test_them_by(law):
    assert {example.source for example in law.examples} >= set(law.published)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_the_unit_of_a_parameter_names_exponents_of_its_own_law(law):
    """A meaning shared by several laws must not bring the exponent of another one."""
    derived = law.derived(**dict.fromkeys(law.parameters, 0.31)) if law.derived else {}
    for name, (_, unit) in law.meanings.items():
        exponents = set(re.findall(r"\^\(?(?:\d )?([A-Za-z]\w*)", unit))
        assert exponents <= {*law.parameters, *derived}, (name, unit)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_derived_quantities_come_after_the_parameters(law):
    reference = {name: REAL_RUNS[name][0] for name in law.covariates}
    values = dict.fromkeys(law.parameters, 0.31)
    scaled = published_scale(law, reference, values)
    assert tuple(scaled)[: len(law.parameters)] == law.parameters
    assert set(scaled) - set(law.parameters) == set(law.derived(**values) if law.derived else {})


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_parameters_return_unchanged_from_published_scale(law):
    rng = np.random.default_rng(0)
    typical = {name: np.exp(rng.uniform(*np.log(real_range(name)), 50)) for name in unit_columns(law)}
    units = reference_units(law, typical)
    before = {name: rng.uniform(0.1, 0.9, 50) for name in law.parameters}
    back = in_ones(law, {name: 1 / unit for name, unit in units.items()}, in_ones(law, units, before))
    assert tuple(back) == law.parameters
    for name in law.parameters:  # exponents times ln 1e27 cost a few digits
        np.testing.assert_allclose(back[name], before[name], rtol=1e-9)


# Nesting


@given(
    N=st.floats(0.01, 100),
    D=st.floats(0.01, 100),
    E=st.floats(0.1, 3),
    K=st.floats(0.01, 3),
    gamma=st.floats(0.02, 0.8),
)
def test_a_tilt_of_zero_is_a_law_of_compute(N, D, E, K, gamma):
    tilted = LAWS["tilt"].loss(N, D, E=E, K=K, gamma=gamma, delta=0.0)
    assert tilted == pytest.approx(LAWS["compute_floor"].loss(N * D, E=E, K=K, gamma=gamma), rel=1e-12)


@given(N=st.floats(1e6, 1e12), D=st.floats(1e8, 1e13), source=st.sampled_from(list(LAWS["chinchilla"].published)))
def test_isoflop_with_the_exponents_of_chinchilla_is_chinchilla(N, D, source):
    values = LAWS["chinchilla"].published[source]
    nested = LAWS["isoflop"].loss(N, D, **from_chinchilla(**values))
    assert nested == pytest.approx(LAWS["chinchilla"].loss(N, D, **values), rel=1e-12)


@given(
    a=st.floats(0.2, 0.8),
    alpha=st.floats(0.1, 1.5),
    beta=st.floats(0.1, 1.5),
    span=st.floats(0.5, 20),
    s=st.floats(0.01, 100),
)
def test_isoflop_is_least_at_its_best_size_and_never_more_than_the_span_above(a, alpha, beta, span, s):
    values = {"E": 2.1, "K": 1200.0, "gamma": 0.16, "a": a, "G": 0.03, "alpha": alpha, "beta": beta, "span": span}
    product = 1e20
    best = 0.03 * product**a
    least, other = (LAWS["isoflop"].loss(N, product / N, **values) for N in (best, best * s))
    assert least == pytest.approx(2.1 + 1200.0 / product**0.16, rel=1e-12)
    assert least * (1 - 1e-12) <= other < least + span


def test_kaplan_is_the_formula_of_the_paper_in_its_own_scales():
    values = published_scale(LAWS["kaplan_nd"], {"N": 1.0, "D": 1.0}, published("kaplan_nd", "Kaplan"))
    assert values["N_c"] == pytest.approx(6.4e13, rel=1e-10)
    assert values["D_c"] == pytest.approx(1.8e13, rel=1e-10)
    N, D, alpha_N, alpha_D = 3e8, 7e9, values["alpha_N"], values["alpha_D"]
    paper = ((values["N_c"] / N) ** (alpha_N / alpha_D) + values["D_c"] / D) ** alpha_D
    assert LAWS["kaplan_nd"].loss(N, D, **published("kaplan_nd", "Kaplan")) == pytest.approx(paper, rel=1e-12)
    (size_only,) = LAWS["kaplan_n"].published.values()
    assert LAWS["kaplan_n"].derived(**size_only)["N_c"] == pytest.approx(8.8e13, rel=1e-10)


def test_guo_is_the_first_order_expansion_of_a_floor_and_a_power_of_compute():
    E, K, gamma = 1.2, 0.9, 0.15

    def error(step):
        straight = LAWS["guo_compute"].loss(np.exp(step), alpha=-gamma * K, beta=E + K)
        return LAWS["compute_floor"].loss(np.exp(step), E=E, K=K, gamma=gamma) - straight

    # The next term is K (gamma step)**2 / 2; its own correction is a third of gamma * step.
    for step in (0.02, -0.02, 0.01):
        assert error(step) == pytest.approx(K * (gamma * step) ** 2 / 2, rel=gamma * abs(step))


def test_published_values_stand_beside_no_other_response(law):
    for response in ("loss", "bpc"):
        assert law.published_for(response) == (law.published if response == law.published_response else {})
    assert LAWS["guo_compute"].published_response == "bpc"
    assert law.published_response in law.responses


# What a law refuses, and what it is


def plain_loss(N, *, A, alpha):
    return A / N**alpha


PLAIN = {"A": Share(1.0), "alpha": Prior("LogNormal", {"mu": -1.0, "sigma": 0.4})}


def test_a_law_of_ones_own_reads_its_specification_from_the_formula():
    law = Law("plain", plain_loss, PLAIN)
    assert (law.covariates, law.parameters) == (("N",), ("A", "alpha"))
    assert get_law(law) is law


@pytest.mark.parametrize(
    ("priors", "missing", "unknown"),
    [
        ({"A": Share(1.0)}, "['alpha']", "[]"),
        ({**PLAIN, "beta": Share(1.0)}, "[]", "['beta']"),
        ({"A": Share(1.0), "Alpha": Share(1.0)}, "['alpha']", "['Alpha']"),
    ],
)
def test_priors_must_name_exactly_the_parameters(priors, missing, unknown):
    with pytest.raises(InputError) as caught:
        Law("plain", plain_loss, priors)
    assert str(caught.value) == (
        "law 'plain': priors must name exactly the inferred parameters ['A', 'alpha']; "
        f"missing {missing}, unknown {unknown}"
    )


def test_published_values_must_name_exactly_the_parameters():
    with pytest.raises(InputError, match=r"law 'plain': published values of 'A paper' must name exactly .*\['alpha'\]"):
        Law("plain", plain_loss, PLAIN, published={"A paper": {"A": 1.0}})


def test_a_share_cannot_be_raised_to_an_unknown_power():
    with pytest.raises(InputError, match="law 'plain': the share of A is raised to unknown beta"):
        Law("plain", plain_loss, {**PLAIN, "A": Share(1.0, power="beta")})


def test_a_scale_is_the_columns_and_their_exponents():
    def loss(N, D, *, A, alpha):
        return A * D**2 / N**alpha

    law = Law("plain", loss, PLAIN, scales={"A": {"N": "alpha", "D": -2}})
    assert in_ones(law, {"N": 8.0, "D": 5.0}, {"A": 3.0, "alpha": 2.0}) == {"A": 3.0 * 64 / 25, "alpha": 2.0}
    turned = replace(law, scales={"A": {"N": "-alpha"}})
    assert in_ones(turned, {"N": 8.0, "D": 5.0}, {"A": 3.0, "alpha": 2.0}) == {"A": 3.0 / 64, "alpha": 2.0}


def test_a_meaning_of_what_the_formula_does_not_have_is_refused():
    with pytest.raises(InputError, match="law 'plain': meanings must be among A, alpha; found B"):
        Law("plain", plain_loss, PLAIN, meanings=common("A", "B"))


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        ({"B": {"N": "alpha"}}, "scales must be among A, alpha; found B"),
        ({"A": {"D": "alpha"}}, "the columns in the scale of A must be among N; found D"),
        ({"A": {"N": "beta"}}, "the exponents in the scale of A must be among A, alpha; found beta"),
        ({"A": {"N": "-beta"}}, "the exponents in the scale of A must be among A, alpha; found beta"),
        (
            {"A": ("N", "alpha")},
            "the scale of A must be columns and their exponents, such as {'N': 'alpha'}; found ('N', 'alpha')",
        ),
    ],
)
def test_a_scale_of_what_the_formula_does_not_have_is_refused(scales, message):
    with pytest.raises(InputError) as caught:
        Law("plain", plain_loss, PLAIN, scales=scales)
    assert str(caught.value) == f"law 'plain': {message}"


@pytest.mark.parametrize("loss", [lambda N, alpha: N**alpha, lambda *, alpha: alpha])
def test_a_formula_needs_columns_and_parameters(loss):
    with pytest.raises(InputError, match="law 'odd': the formula needs positional parameters"):
        Law("odd", loss, {"alpha": Share(1.0)})


@pytest.mark.parametrize(("wrong", "right"), [("chinchila", "chinchilla"), ("kaplan", "kaplan_n"), ("tild", "tilt")])
def test_an_unknown_law_is_answered_with_the_nearest_name(wrong, right):
    with pytest.raises(InputError, match=f"unknown law '{wrong}': did you mean '{right}"):
        get_law(wrong)


def test_an_unknown_law_that_resembles_none_is_answered_with_all_names():
    with pytest.raises(InputError) as caught:
        get_law("zzz")
    assert "did you mean" not in str(caught.value)
    assert ", ".join(LAWS) in str(caught.value)


def test_the_record_of_a_law_changes_with_its_formula_constants_and_priors():
    def power(constant):
        return lambda N, *, A, alpha: A * constant / N**alpha

    first, same, other = (Law("plain", power(constant), PLAIN) for constant in (1.0, 1.0, 2.0))
    assert law_record(first) == law_record(same)
    assert law_record(first) != law_record(other)
    assert law_record(first) != law_record(replace(first, name="other"))
    assert law_record(first) != law_record(replace(first, priors={**PLAIN, "A": Share(2.0)}))


def test_priors_return_from_their_record_unchanged(law):
    record = json.loads(json.dumps(priors_record(law)))
    assert priors_from_record(record) == dict(law.priors)


def test_priors_say_in_words_what_they_are():
    assert str(Prior("LogNormal", {"mu": -1.20397, "sigma": 0.45})) == "LogNormal(mu=-1.20397, sigma=0.45)"
    assert str(Prior("Normal", {"mu": 0.0, "sigma": 1.0}, relative=True)) == "Normal(mu=0, sigma=1) x typical loss"
    assert str(Share(1.5)) == "typical loss x Dirichlet part(1.5)"
    assert str(Share(2.0, power="alpha_D")) == "typical loss x Dirichlet part(2)**alpha_D"


# Laws of other packages


@pytest.fixture
def offered(monkeypatch):
    """Let an installed package offer laws: ``offered(name=what_its_entry_point_loads)``."""

    def offer(**laws):
        def load(value):
            if isinstance(value, Exception):
                raise value
            return value

        points = [SimpleNamespace(value=f"other.laws:{name}", load=partial(load, law)) for name, law in laws.items()]
        monkeypatch.setattr("bayescale.laws.entry_points", lambda group: points if group == "bayescale.laws" else [])
        known_laws.cache_clear()

    yield offer
    known_laws.cache_clear()


def test_a_law_of_another_package_goes_by_its_name(offered):
    law = Law("plain", plain_loss, PLAIN)
    offered(plain=law)
    assert get_law("plain") is law
    assert list_laws()[-1]["name"] == "plain"
    with pytest.raises(InputError, match="did you mean 'plain'"):
        get_law("plane")


@pytest.mark.parametrize(
    ("law", "message"),
    [
        ("no law", "other.laws:theirs: expected a bayescale.Law, found str; mend or remove it"),
        (
            ImportError("no module"),
            "other.laws:theirs: the package's law cannot be loaded (no module); mend or remove it",
        ),
        (
            Law("tilt", plain_loss, PLAIN),
            "other.laws:theirs: there is a law called 'tilt' already; rename or remove this one",
        ),
    ],
)
def test_what_another_package_offers_wrongly_is_refused_and_the_built_in_laws_still_serve(offered, law, message):
    offered(theirs=law)
    assert get_law("chinchilla") is LAWS["chinchilla"]
    with pytest.raises(InputError) as caught:
        list_laws()
    assert str(caught.value) == message

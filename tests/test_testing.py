from dataclasses import replace
from math import log

import numpy as np
import pytest

from bayescale.laws import LAWS, Example, Law, Prior, Share
from bayescale.laws.meanings import common
from bayescale.testing import check_law


def power(N, *, E, A, alpha):
    return E + A / N**alpha


SOUND = Law(
    "sound",
    power,
    {"E": Share(3.0), "A": Share(2.0), "alpha": Prior("LogNormal", {"mu": log(0.3), "sigma": 0.4})},
    formula="E + A / N^alpha",
    reference="made up",
    meanings={**common("E", "alpha"), "A": ("what the term adds at N = 1", "R N^alpha")},
    scales={"A": {"N": "alpha"}},
    decreasing=("N",),
    floor="E",
    published={"a paper": {"E": 1.7, "A": 400.0, "alpha": 0.34}},
    examples=(Example("a paper", {"N": 1e9}, 2.048385, 5e-7),),
)


def problem(**changes):
    found = check_law(replace(SOUND, **changes))
    assert not found.passed
    assert str(found).count("\n- ") == len(found.problems)
    (only,) = found.problems
    return only


def test_a_sound_law_passes_and_says_what_was_checked():
    found = check_law(SOUND)
    assert found.passed
    assert str(found).startswith("law 'sound', checked for documentation, ")
    assert str(found).endswith("nothing is wrong")


def test_a_law_without_formula_is_told():
    assert problem(formula="") == "formula is empty; write it in plain text"


@pytest.mark.parametrize("stated", [{}, {"A": ("what the term adds", "")}, {"A": ("what the term adds",)}])
def test_a_parameter_whose_meaning_is_not_stated_is_told(stated):
    assert problem(meanings=common("E", "alpha") | stated) == (
        "the meaning of A is not stated; write meanings={'A': ('what it is', 'its unit at published scale')}, with R "
        "for the unit of the response and 'none' for that of a pure number"
    )


def test_a_forgotten_scale_is_told():
    with_units = replace(SOUND, published={}, examples=())
    (only,) = check_law(replace(with_units, scales={})).problems
    assert only.startswith("parameters at published scale give other values than at reference scale for ")
    assert "with E = " in only
    assert only.endswith(
        "scales (or rescale) must hold every parameter that changes when the columns are counted in ones"
    )


def test_a_wrong_scale_is_told():
    for scales in ({"A": {"N": "-alpha"}}, {"A": {"N": 0.3}}, {"A": {"N": "alpha"}, "E": {"N": 1}}):
        assert problem(scales=scales, published={}, examples=()).startswith("parameters at published scale give other")


def test_a_scale_may_be_a_function():
    assert check_law(replace(SOUND, scales={}, rescale=lambda N, *, A, alpha, **_: {"A": A * N**alpha})).passed


def test_a_formula_with_a_branch_is_told():
    def branched(N, *, E, A, alpha):
        return E + (A / N**alpha if N > 1e-30 else A)

    assert problem(loss=branched).startswith("the formula fails on NumPy arrays (ValueError: The truth value of an ")


def test_a_formula_that_pytensor_cannot_take_is_told():
    def converted(N, *, E, A, alpha):
        return E + A / np.asarray(N, dtype=object).astype(float) ** alpha

    found = check_law(replace(SOUND, loss=converted)).problems
    assert any(text.startswith("the formula fails on PyTensor") for text in found)


def test_a_wrong_claim_of_monotonicity_is_told():
    def rising(N, *, E, A, alpha):
        return E + A / N**alpha + A * N**alpha

    found = check_law(replace(SOUND, loss=rising, floor=None, published={}, examples=())).problems
    assert any(text.startswith("the law says that it never gets worse with more N, and it does for ") for text in found)


def test_a_wrong_floor_is_told():
    assert problem(floor="A").startswith("the law says that it tends to A as N grow, and it does not for 99.5% of")


def test_a_wrong_example_is_told():
    wrong = Example("a paper", {"N": 1e9}, 2.05, 5e-4)
    assert problem(examples=(wrong,)) == (
        "at N = 1e9 the law gives 2.048385436 with a paper, and the example says 2.05 (to 0.0005)"
    )


def test_published_values_in_another_unit_are_told():
    published = {"a paper": {"E": -1.7, "A": 4e-3, "alpha": 0.34}}
    assert problem(published=published, examples=()).startswith("the published values of a paper give values that are")


def test_a_prior_of_another_scale_is_told():
    absolute = {**SOUND.priors, "E": Prior("LogNormal", {"mu": log(50.0), "sigma": 0.1})}
    assert problem(priors=absolute).startswith("at a typical run the prior puts 90% of its values between ")


def test_a_law_that_falls_below_zero_is_told():
    wide = {**SOUND.priors, "E": Prior("Normal", {"mu": 0.0, "sigma": 2.0}, relative=True)}
    found = check_law(replace(SOUND, priors=wide)).problems
    assert any(text.startswith("the law is above zero for only ") for text in found)


def test_values_that_are_not_finite_are_told():
    def logarithm(N, *, E, A, alpha):
        return E + A * np.log(np.log(N)) ** alpha

    found = check_law(
        replace(SOUND, loss=logarithm, scales={}, decreasing=(), floor=None, published={}, examples=())
    ).problems
    assert any(text.startswith("the law is not a finite number for ") for text in found)


@pytest.mark.parametrize("law", [law for law in LAWS.values() if law.scales], ids=lambda law: law.name)
def test_every_built_in_law_would_be_found_out_without_its_scales(law):
    assert_found_out(replace(law, scales={}, derived=None, examples=()))


@pytest.mark.parametrize("law", [law for law in LAWS.values() if law.rescale], ids=lambda law: law.name)
def test_every_built_in_law_would_be_found_out_without_its_rescale(law):
    assert_found_out(replace(law, rescale=None, derived=None, examples=()))


def assert_found_out(law):
    assert any(text.startswith("parameters at published scale give other values") for text in check_law(law).problems)

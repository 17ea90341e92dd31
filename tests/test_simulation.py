import json

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.designs.grids import (
    crossed_design,
    fixed_ratio_design,
    isoflop_design,
    ladder_design,
    random_design,
    ridge_design,
)
from bayescale.errors import InputError
from bayescale.laws import LAWS

DESIGN = isoflop_design([1e19, 1e20], [5.0, 20.0, 80.0])


def test_an_isoflop_design_spends_each_budget_at_each_ratio():
    compute = 6 * DESIGN["N"] * DESIGN["D"]
    np.testing.assert_allclose(compute, np.repeat([1e19, 1e20], 3), rtol=1e-12)
    np.testing.assert_allclose(DESIGN["D"] / DESIGN["N"], np.tile([5.0, 20.0, 80.0], 2), rtol=1e-12)


def test_a_ridge_has_one_size_for_each_budget_and_the_chinchilla_model_on_it():
    design = ridge_design([1e20, 5.76e23, 1e25], exponent=0.46)
    np.testing.assert_allclose(6 * design["N"] * design["D"], [1e20, 5.76e23, 1e25], rtol=1e-12)
    assert design["D"][1] / design["N"][1] == pytest.approx(20.0)
    assert np.diff(np.log(design["N"])) / np.diff(np.log([1e20, 5.76e23, 1e25])) == pytest.approx([0.46, 0.46])
    flat = ridge_design([1e20, 1e25])
    np.testing.assert_allclose(flat["D"] / flat["N"], 20.0)


def test_a_ladder_trains_each_size_on_multiples_of_its_tokens():
    design = ladder_design([190e6, 1e9], [1, 2, 5])
    assert list(design["N"]) == [190e6] * 3 + [1e9] * 3
    np.testing.assert_allclose(design["D"] / design["N"], [20, 40, 100] * 2)


def test_a_fixed_ratio_cannot_be_told_apart_and_the_tool_says_so():
    design = fixed_ratio_design(np.geomspace(1e8, 1e10, 12))
    np.testing.assert_allclose(design["D"] / design["N"], 20.0)
    runs = bs.simulate(design, "chinchilla", "Besiroglu et al. (2024)")
    assert any("D is 20 N in every row" in note for note in runs.notes)
    assert any(
        text.startswith("Separate exponents of N and D") and "not identified" in text
        for text in bs.describe(runs).cannot
    )


def test_a_random_design_stays_inside_its_ranges_and_follows_its_seed():
    design = random_design(500, N=(1e8, 1e9), D=(1e9, 1e11), random_seed=3)
    assert design["N"].between(1e8, 1e9).all()
    assert design["D"].between(1e9, 1e11).all()
    assert abs(np.corrcoef(np.log(design["N"]), np.log(design["D"]))[0, 1]) < 4 / np.sqrt(500)
    pd.testing.assert_frame_equal(design, random_design(500, N=(1e8, 1e9), D=(1e9, 1e11), random_seed=3))
    assert not design.equals(random_design(500, N=(1e8, 1e9), D=(1e9, 1e11), random_seed=4))


def test_a_crossed_design_has_every_combination():
    design = crossed_design(DESIGN, {"granularity": [1, 4], "family": [0.0, 1.0, 2.0]})
    assert len(design) == 6 * 2 * 3
    assert len(design.drop_duplicates()) == len(design)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: isoflop_design([], [20.0]), "flops"),
        (lambda: isoflop_design([1e20], [0.0]), "ratios"),
        (lambda: ladder_design([1e9, float("nan")], [1.0]), "sizes"),
        (lambda: random_design(3, N=(-1.0, 1e9)), "N"),
        (lambda: random_design(0), "count"),
    ],
)
def test_a_design_of_nothing_is_refused(make, name):
    with pytest.raises(InputError, match=f"^{name} is .*expected "):
        make()


# simulate


def test_a_table_without_noise_is_the_law():
    runs = bs.simulate(DESIGN, "chinchilla", sigma=0.0)
    truth = LAWS["chinchilla"].published["Hoffmann et al. (2022)"]
    expected = LAWS["chinchilla"].loss(runs.frame["N"], runs.frame["D"], **truth)
    np.testing.assert_allclose(runs.frame["loss"], expected, rtol=1e-12)
    assert json.loads(runs.record["truth"]) == {**truth, "sigma": 0.0, "nu": 8.0}
    assert runs.name == "simulated chinchilla"


def test_noise_is_a_student_t_on_the_log_response():
    big = pd.concat([DESIGN] * 2000, ignore_index=True).assign(run=[f"r{i}" for i in range(12000)])
    quiet = bs.simulate(DESIGN, "chinchilla", sigma=0.0, nu=6.0, random_seed=1)
    noisy = bs.simulate(big, "chinchilla", sigma=0.01, nu=6.0, random_seed=1)
    noise = np.log(noisy.frame["loss"] / np.tile(quiet.frame["loss"], 2000)) / 0.01
    assert noise.std() == pytest.approx(np.sqrt(6 / 4), rel=4 * 2 / np.sqrt(12000))
    assert abs(noise.median()) < 4 * 1.3 / np.sqrt(12000)


def test_the_same_seed_gives_the_same_table():
    first, same, other = (bs.simulate(DESIGN, "chinchilla", random_seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.frame, same.frame)
    assert not first.frame["loss"].equals(other.frame["loss"])


def test_a_published_set_or_parameters_of_ones_own_are_the_truth():
    own = {"E": 1.5, "A": 300.0, "B": 900.0, "alpha": 0.3, "beta": 0.31}
    found = bs.simulate(DESIGN, "chinchilla", own, sigma=0.0).frame
    np.testing.assert_allclose(found["loss"], LAWS["chinchilla"].loss(found["N"], found["D"], **own))
    named = bs.simulate(DESIGN, "chinchilla", "Besiroglu et al. (2024)", sigma=0.0)
    assert json.loads(named.record["truth"])["E"] == 1.8172


def test_the_response_is_that_of_the_published_values():
    runs = bs.simulate(DESIGN.assign(C=6 * DESIGN["N"] * DESIGN["D"]), "guo_compute")
    assert (runs.response, runs.unit) == ("bpc", "bits per character")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((DESIGN[["N"]], "chinchilla"), "law 'chinchilla' needs D; the design has N"),
        ((DESIGN, "chinchilla", {"E": 1.0}), "law 'chinchilla' has the parameters E, A, B, alpha, beta; found E"),
        ((DESIGN, "tilt"), "law 'tilt' has no published values (none)"),
        ((DESIGN, "chinchilla", "Nobody"), "law 'chinchilla' has no published values of 'Nobody' ('Hoffmann"),
        ((DESIGN, "kaplan_n", {"A": -1.0, "alpha_N": 0.1}), "law 'kaplan_n' is not positive and finite"),
    ],
)
def test_what_cannot_be_simulated_is_refused(arguments, message):
    with pytest.raises(InputError) as caught:
        bs.simulate(*arguments)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("noise", [{"sigma": -0.1}, {"nu": 2.0}])
def test_noise_without_variance_is_refused(noise):
    with pytest.raises(InputError, match="expected sigma of at least 0 and nu above 2"):
        bs.simulate(DESIGN, "chinchilla", **noise)

import dataclasses

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.cli.commands.check import check_record
from bayescale.designs.grids import fixed_ratio_design, isoflop_design
from bayescale.designs.identifiability import DEGREES, NOISE, identify
from bayescale.errors import InputError
from bayescale.fits.fit import contraction
from bayescale.fits.fitting import fit
from bayescale.laws import LAWS, Law, Prior
from bayescale.runs import RunTable


def table_of(design, name="made"):
    """Return a table of a design, whose losses nothing here looks at."""
    return RunTable.from_frame(pd.DataFrame(design).assign(loss=np.linspace(3.0, 2.5, len(design))), name=name)


@pytest.fixture(scope="module")
def grid():
    return table_of(isoflop_design(np.geomspace(1e18, 1e21, 5), np.geomspace(1, 400, 10)))


@pytest.fixture(scope="module")
def ridge():
    return table_of(fixed_ratio_design(np.geomspace(1e6, 1e11, 200)))


def told(found):
    return {each.name: each.contraction for each in (*found.parameters, *found.questions)}


def test_a_log_linear_law_has_the_contraction_of_linear_regression():
    def loss(C, *, a, g):
        return a * C**-g

    priors = {"a": Prior("LogNormal", {"mu": 0.0, "sigma": 0.3}), "g": Prior("Normal", {"mu": 0.2, "sigma": 0.1})}
    runs = table_of(fixed_ratio_design(np.geomspace(1e8, 1e10, 7)))
    found = told(identify(runs, Law("line", loss, priors), noise=0.5))

    logs = np.log(runs.frame["C"].to_numpy())
    columns = np.column_stack([np.full(7, 0.3), -0.1 * (logs - logs.mean())])
    precision = np.eye(2) + columns.T @ columns * (DEGREES + 1) / (DEGREES + 3) / 0.5**2
    np.testing.assert_allclose([found["a"], found["g"]], 1 - np.diag(np.linalg.inv(precision)), rtol=1e-6)
    assert 0.1 < found["a"] < found["g"] < 0.95


def test_a_sound_design_tells_every_parameter_and_question(grid):
    found = identify(grid)
    assert min(told(found).values()) > 0.9
    assert [each.name for each in found.questions] == ["tilt", *(f"N* at 1e{power} FLOP" for power in (21, 22, 24))]
    tilt, *sizes = (each.width for each in found.questions)
    assert 0 < tilt < 0.1
    assert 1 < sizes[0] < sizes[1] < sizes[2] < 5
    assert all("not" not in sentence for sentence in found.statements)


def test_runs_of_one_ratio_tell_neither_tilt_nor_best_size(ridge):
    found = identify(ridge)
    expected = told(found)
    assert expected["E"] > 0.95
    assert max(expected[name] for name in ("A", "B", "alpha", "beta")) < 0.6
    assert max(each.contraction for each in found.questions) < 0.01
    assert "tilt at a typical run) would be left to the prior" in found.statements[1]
    assert "The best size at 1.2e24 FLOP, " in found.statements[2]


def test_more_runs_and_less_noise_tell_more(grid):
    once = told(identify(grid))
    twice = dataclasses.replace(grid, frame=pd.concat([grid.frame, grid.frame], ignore_index=True))
    quiet = told(identify(grid, noise=NOISE / np.sqrt(2)))
    for name, contraction_ in told(identify(twice)).items():
        assert contraction_ >= once[name] - 1e-9
        assert contraction_ == pytest.approx(quiet[name], abs=1e-7)


def test_neither_losses_nor_the_order_of_rows_matter(grid):
    frame = grid.frame.sample(frac=1.0, random_state=1).assign(loss=1.0)
    assert told(identify(dataclasses.replace(grid, frame=frame))) == pytest.approx(told(identify(grid)), abs=1e-9)


def test_the_same_seed_gives_the_same_numbers(grid):
    assert identify(grid, random_seed=3) == identify(grid, random_seed=3)
    assert told(identify(grid, random_seed=3)) == pytest.approx(told(identify(grid, random_seed=4)), abs=0.05)


def test_rows_of_a_long_table_stand_for_others():
    design = isoflop_design(np.geomspace(1e18, 1e21, 25), np.geomspace(1, 400, 60))
    thinned = told(identify(table_of(design)))
    few = isoflop_design(np.geomspace(1e18, 1e21, 25), np.geomspace(1, 400, 15))
    assert thinned == pytest.approx(told(identify(table_of(few), noise=NOISE / 2)), abs=0.01)


def test_a_law_of_compute_alone_has_no_questions(grid):
    found = identify(grid, "compute_floor")
    assert [each.name for each in found.parameters] == ["E", "K", "gamma"]
    assert (found.questions, len(found.statements)) == ((), 1)


@pytest.mark.parametrize("name", [law.name for law in LAWS.values() if set(law.covariates) <= {"N", "D", "C"}])
def test_every_law_of_these_columns_is_told_of(name, grid):
    found = identify(grid, name)
    assert {each.name for each in found.parameters} == set(LAWS[name].parameters)
    assert all(0 <= each <= 1 for each in told(found).values())


def test_a_law_without_a_best_split_says_so(grid):
    assert identify(grid, "tilt").statements[2] == "The law has no best size under most draws from its prior."


def test_what_cannot_be_told_is_refused_in_words(grid):
    with pytest.raises(InputError, match="needs column active_N, experts"):
        identify(grid, "routed")
    with pytest.raises(InputError, match=r"noise is 0\.0; expected a scale on log response above zero"):
        identify(grid, noise=0.0)
    unknown = dataclasses.replace(
        LAWS["compute_floor"],
        priors={**LAWS["compute_floor"].priors, "gamma": Prior("Rice", {"nu": 2.0, "sigma": 9.0})},
    )
    with pytest.raises(InputError, match="quantiles of the prior Rice"):
        identify(grid, unknown)


def test_check_tells_what_a_fit_will_tell(grid):
    record = check_record(grid)["identifiability"]
    assert (record["law"], record["noise"]) == ("chinchilla", NOISE)
    assert {each["name"] for each in record["parameters"]} == set(LAWS["chinchilla"].parameters)
    assert record["statements"] == identify(grid).statements
    without = dataclasses.replace(grid, frame=grid.frame.drop(columns="N"))
    assert check_record(without)["identifiability"] is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "error"),
    [("chinchilla", 0.02), ("grid", 0.1), ("ridge", 0.35)],  # a ridge's parts are told a little by its curvature
)
def test_the_contraction_of_a_fit_is_as_expected(name, error):
    designs = {
        "grid": isoflop_design(np.geomspace(1e18, 1e21, 5), np.geomspace(1, 400, 10)),
        "ridge": fixed_ratio_design(np.geomspace(1e7, 1e10, 40)),
    }
    runs = bs.simulate(designs[name], "chinchilla", sigma=NOISE) if name in designs else bs.load_runs(name)
    expected = {each.name: each.contraction for each in identify(runs).parameters}
    found = contraction(fit(runs, "chinchilla", random_seed=1))
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=error)

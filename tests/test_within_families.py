"""Families of models, each with a level of its own: asked within them, differences between families decide nothing."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale.comparison.comparison import compare, difference
from bayescale.comparison.odds import Kinds, split_odds
from bayescale.comparison.ranking import elpd_difference
from bayescale.comparison.verdict import judge
from bayescale.errors import InputError
from bayescale.fits.fitting import fit_laws
from bayescale.groups import within_families
from bayescale.runs import read_runs
from bayescale.runs.checkpoints import checkpoints_of
from bayescale.runs.families import spread_within_families
from bayescale.runs.units import counted_rows, units_are_families

FAMILIES, SIZES = 14, 6


def pooled_frame(seed, *, law_of_both, level=0.08, noise=0.004):
    """Return models of families: half of them with one number of tokens, half with one ratio; levels go with D/N."""
    rng = np.random.default_rng(seed)
    parts = []
    for family in range(FAMILIES):
        N = 10 ** rng.uniform(7.5, 8.5) * 2.2 ** np.arange(SIZES)
        ratio = 10 ** rng.uniform(1, 2.5)
        D = ratio * N if family % 2 else np.full(SIZES, ratio * np.exp(np.log(N).mean()))
        own = level * (np.log10(ratio) - 1.75) + level / 2 * rng.standard_normal()
        parts.append(pd.DataFrame({"N": N, "D": D, "family": f"family {family}", "own": own}))
    frame = pd.concat(parts, ignore_index=True)
    N, D = frame["N"], frame["D"]
    frame["C"] = 6 * N * D
    loss = 1.8 + 480 / N**0.35 + 2090 / D**0.37 if law_of_both else 1.7 + 2.6e2 / frame["C"] ** 0.12
    frame["loss"] = loss * np.exp(frame["own"] + noise * rng.standard_normal(len(frame)))
    frame["run"] = [f"model {i}" for i in range(len(frame))]
    return frame.drop(columns="own")


@pytest.fixture
def pooled(tmp_path):
    path = tmp_path / "pooled.csv"
    pooled_frame(1, law_of_both=True).to_csv(path, index=False)
    return read_runs(path)


def test_models_of_a_family_share_a_level_and_no_path_along_tokens(pooled):
    runs = within_families(pooled)
    shared = checkpoints_of(runs.frame)
    assert shared.units.max() + 1 == FAMILIES
    for rows in shared.runs():
        assert len(set(runs.frame["family"].iloc[rows])) == 1
        np.testing.assert_allclose(shared.drift(rows), np.eye(SIZES), atol=1e-12)
    assert checkpoints_of(pooled.frame) is None
    assert not units_are_families(pooled.frame)


def test_the_smallest_model_of_a_family_does_not_count(pooled):
    frame = within_families(pooled).frame.sort_values("N", ignore_index=True)
    counted = counted_rows(frame)
    assert counted.sum() == len(frame) - FAMILIES
    assert (frame["N"][~counted].to_numpy() == frame.groupby("family", sort=False)["N"].min().to_numpy()).all()
    assert counted_rows(pooled.frame).all()


def test_rows_that_do_not_count_move_neither_difference_nor_its_error():
    rng = np.random.default_rng(2)
    values, units = rng.normal(size=12), np.repeat(np.arange(4), 3)
    counted = np.tile([False, True, True], 4)
    moved = values + 1e3 * ~counted

    class Scores:
        def __init__(self, elpd_i):
            self.elpd_i = xr.DataArray(elpd_i, dims="run")

    nothing = Scores(np.zeros(12))
    first, second = (elpd_difference(Scores(each), nothing, units, counted) for each in (values, moved))
    assert first == second
    assert first.elpd_diff == pytest.approx(values[counted].sum())
    assert first.runs == 4


def test_the_spread_within_families_takes_out_their_levels_and_one_slope():
    frame = pd.DataFrame({"family": np.repeat(["a", "b"], 4), "N": np.tile(10.0 ** np.arange(6, 10), 2)})
    one_path = frame.assign(C=frame["N"] ** 2 * np.repeat([1.0, 1e3], 4))
    assert spread_within_families(one_path) == pytest.approx(0.0, abs=1e-12)
    two_paths = frame.assign(C=np.where(frame["family"] == "a", frame["N"] ** 2 * 1e3, frame["N"] * 1e12))
    slope = (
        1.5 / 2.5
    )  # of log N on log C over slopes of C on N of 2 and 1: sum of the slopes over that of their squares
    left = np.concatenate([(1 - slope * rise) * np.array([-1.5, -0.5, 0.5, 1.5]) for rise in (2, 1)])
    assert spread_within_families(two_paths) == pytest.approx(np.sqrt((left**2).sum() / 5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="family"), "needs a column family"),
        (lambda frame: frame.assign(family="one"), "two or more families.*found one family"),
        (lambda frame: frame.assign(family=frame["run"]), "found 84 families of one model each"),
        (lambda frame: frame.assign(training_run=np.arange(len(frame)) // 2), "keep the last row of each run"),
    ],
)
def test_tables_without_families_of_several_models_are_refused_with_a_remedy(pooled, change, message):
    runs = dataclasses.replace(pooled, frame=change(pooled.frame))
    with pytest.raises(InputError, match=re.compile(message)):
        within_families(runs)


@pytest.mark.slow
@pytest.mark.parametrize(("law_of_both", "answer"), [(True, "split_matters"), (False, "compute_suffices")])
def test_within_families_the_truth_is_found_though_levels_go_with_the_ratio(law_of_both, answer):
    frame = pooled_frame(3, law_of_both=law_of_both)
    runs = within_families(frame)
    fits = fit_laws(runs, ["compute_floor", "chinchilla"], draws=500, tune=500, random_seed=1)
    comparison = compare(fits, max_refits=8)
    verdict = judge(comparison)
    assert verdict.answer == answer
    assert f"within {FAMILIES} families" in verdict.statement
    assert any("standard errors are over families" in note for note in comparison.notes)
    assert verdict.difference.runs == FAMILIES
    assert difference(comparison, "compute_floor", "chinchilla").runs == FAMILIES
    odds = split_odds(comparison, Kinds(("compute_floor",), ("chinchilla",)))
    assert odds.probability == verdict.probability

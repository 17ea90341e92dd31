"""Fits from draws, both scales of a posterior, and comparisons on disk."""

import dataclasses
import json
import pickle

import arviz_stats as azs
import numpy as np
import pytest
import xarray as xr

import bayescale as bs
from bayescale.comparison.comparison import Comparison
from bayescale.errors import InputError
from bayescale.fits.fit import PUBLISHED, Fit, published_draws
from bayescale.fits.saving import load_fit
from bayescale.fits.sealing import seal
from bayescale.laws import LAWS, published_scale, reference_scale
from bayescale.words import typed


@pytest.fixture(scope="module")
def draws():
    """Draws of Chinchilla as another sampler might give them: at N = D = 1, chain by chain."""
    rng = np.random.default_rng(4)
    center = {"E": 1.8, "A": 500.0, "B": 1900.0, "alpha": 0.35, "beta": 0.37, "sigma": 0.005, "nu": 20.0}
    return {name: value * np.exp(0.01 * rng.standard_normal((4, 250))) for name, value in center.items()}


@pytest.fixture(scope="module")
def fitted(wide_runs, draws):
    return Fit.from_draws(wide_runs, "chinchilla", draws, prior=draws)


def test_a_fit_from_draws_has_these_draws(fitted, draws):
    for name, values in published_draws(fitted).items():
        np.testing.assert_allclose(values, draws[name].ravel())
    np.testing.assert_array_equal(fitted.draws["sigma"], draws["sigma"].ravel())
    assert fitted.diagnostics.passed
    assert fitted.diagnostics.draws == 1000


def test_a_fit_from_draws_predicts_splits_and_compares(fitted, wide_comparison):
    at = {"N": np.array([1e9]), "D": np.array([2e10])}
    expected = LAWS["chinchilla"].loss(1e9, 2e10, **published_draws(fitted))
    np.testing.assert_allclose(bs.predict(fitted, **at)[:, 0], expected)
    assert bs.allocate(fitted, [1e21]).table["N"][0] > 0
    compared = bs.compare({"own": fitted, "tilt": wide_comparison.fits["tilt"]}, max_refits=0)
    assert list(compared.fits) == ["own", "tilt"]


def test_a_fit_from_draws_at_reference_scale_is_the_same(fitted, wide_runs):
    values = fitted.data["posterior"].to_dataset()
    again = Fit.from_draws(wide_runs, "chinchilla", values, scale="reference", prior=values)
    for name, each in fitted.draws.items():
        np.testing.assert_array_equal(again.draws[name], each)


def test_draws_of_the_prior_and_its_density_are_of_the_law_by_default(wide_runs, draws):
    fitted = Fit.from_draws(wide_runs, "chinchilla", draws)
    assert {"prior", "log_prior"} <= set(fitted.data.children)
    median = float(np.median(fitted.data["prior"]["alpha"]))
    assert median == pytest.approx(np.exp(LAWS["chinchilla"].priors["alpha"].parameters["mu"]), rel=0.1)


def test_draws_of_one_chain_fail_the_gate_and_say_why(wide_runs, draws):
    one = Fit.from_draws(wide_runs, "chinchilla", {name: each.ravel() for name, each in draws.items()}, prior=draws)
    assert any("1 chains were run" in failure for failure in one.diagnostics.failures)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma": None}, "missing sigma"),
        ({"alpha": np.full((4, 250), np.nan)}, "finite"),
        ({"alpha": np.full((4, 20), 0.3)}, r"alpha \(4, 20\)"),
    ],
)
def test_draws_that_are_no_posterior_are_refused(wide_runs, draws, change, message):
    given = {name: each for name, each in {**draws, **change}.items() if each is not None}
    with pytest.raises(InputError, match=message):
        Fit.from_draws(wide_runs, "chinchilla", given, prior=draws)


def test_an_unknown_scale_is_refused(wide_runs, draws):
    with pytest.raises(InputError, match="scale is 'paper'"):
        Fit.from_draws(wide_runs, "chinchilla", draws, scale="paper")


def test_reference_scale_is_the_way_back_of_published_scale(law):
    rng = np.random.default_rng(1)
    reference = {name: float(np.exp(rng.uniform(0.5, 3))) for name in law.covariates}
    values = {name: float(rng.uniform(0.2, 0.9)) for name in law.parameters}
    there = published_scale(law, reference, values)
    back = reference_scale(law, reference, there)
    assert back == pytest.approx(values)


def test_the_tree_of_a_fit_has_both_scales_and_says_which_is_which(fitted):
    published, posterior = fitted.data[PUBLISHED], fitted.data["posterior"]
    for name, values in published_draws(fitted).items():
        np.testing.assert_allclose(published[name].to_numpy().ravel(), values)
    assert published.attrs["scale"].startswith("N = D = C = 1")
    assert f"N in units of {typed(fitted.reference['N'], 6)}" in posterior.attrs["scale"]
    assert posterior.attrs["response_unit"] == published.attrs["response_unit"] == "nats per token"
    summary = azs.summary(fitted.data, group=PUBLISHED, round_to="none")
    assert summary.loc["A", "mean"] == pytest.approx(500, rel=0.01)


def test_a_fit_of_before_is_given_its_published_scale(fitted, tmp_path):
    tree = fitted.data.copy()
    del tree[PUBLISHED]
    Fit(fitted.law, tree).save(tmp_path / "old.nc")
    assert load_fit(tmp_path / "old.nc").data[PUBLISHED].identical(fitted.data[PUBLISHED])


def test_a_fit_from_draws_saves_and_loads(fitted, tmp_path):
    fitted.save(tmp_path / "fit.nc")
    again = load_fit(tmp_path / "fit.nc")
    assert again == fitted
    assert pickle.loads(pickle.dumps(again)) == fitted


def test_a_comparison_saves_and_loads(wide_comparison, tmp_path):
    path = tmp_path / "new" / "comparison.nc"
    wide_comparison.save(path)
    again = Comparison.load(path)
    assert again == wide_comparison
    assert list(again.fits) == list(wide_comparison.fits)
    assert bs.judge(again) == bs.judge(wide_comparison)
    assert bs.allocate(again, [1e21]) == bs.allocate(wide_comparison, [1e21])


def test_arviz_reads_the_fits_of_a_saved_comparison(wide_comparison, tmp_path):
    wide_comparison.save(tmp_path / "comparison.nc")
    with xr.open_datatree(tmp_path / "comparison.nc") as tree:
        assert set(tree["fit_0"].children) >= {"posterior", "log_likelihood"}


def test_a_comparison_of_a_law_of_ones_own_needs_that_law(wide_comparison, wide_runs, synthetic_fit, tmp_path):
    own = dataclasses.replace(LAWS["chinchilla"], name="own")
    compared = bs.compare({"mine": synthetic_fit(own, wide_runs), "tilt": wide_comparison.fits["tilt"]}, max_refits=0)
    compared.save(tmp_path / "own.nc")
    assert Comparison.load(tmp_path / "own.nc", [own]) == compared
    with pytest.raises(InputError, match=r"own\.nc: fit of law 'own', which is not built in"):
        Comparison.load(tmp_path / "own.nc")


def test_a_file_that_is_no_whole_comparison_is_refused(wide_comparison, wide_fit, tmp_path):
    path = tmp_path / "comparison.nc"
    with pytest.raises(InputError, match="there is no such file"):
        Comparison.load(path)
    wide_comparison.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read as a saved comparison"):
        Comparison.load(path)
    wide_fit.save(path)
    with pytest.raises(InputError, match=r"saved as bayescale/fit/1; expected bayescale/comparison/1"):
        Comparison.load(path)
    xr.Dataset({"x": 1.0}).to_netcdf(path)
    with pytest.raises(InputError, match="it does not end with a checksum"):
        Comparison.load(path)
    seal(path)
    with pytest.raises(InputError, match="not a comparison saved by bayescale"):
        Comparison.load(path)


@pytest.mark.parametrize("part", ["fit_1", "loo_0", "notes"])
def test_a_comparison_that_lacks_a_part_is_refused(wide_comparison, tmp_path, part):
    wide_comparison.save(tmp_path / "whole.nc")
    with xr.open_datatree(tmp_path / "whole.nc") as opened:
        tree = opened.load()
    if part == "notes":
        record = json.loads(tree.attrs["bayescale"])
        del record["notes"]
        tree.attrs["bayescale"] = json.dumps(record)
    else:
        del tree[part]
    tree.to_netcdf(tmp_path / "part.nc")
    seal(tmp_path / "part.nc")
    with pytest.raises(InputError, match="lacks"):
        Comparison.load(tmp_path / "part.nc")


def test_writing_a_comparison_that_fails_leaves_the_old_one(wide_comparison, tmp_path, monkeypatch):
    path = tmp_path / "comparison.nc"
    wide_comparison.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(xr.DataTree, "to_netcdf", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        wide_comparison.save(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["comparison.nc"]

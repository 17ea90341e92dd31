import dataclasses
import json
import re
import shutil

import arviz_stats as azs
import netCDF4
import numpy as np
import pytest
import xarray as xr

from bayescale.errors import InputError
from bayescale.fits.fit import (
    GROUPS,
    LOG_PRIOR,
    PUBLISHED,
    SCHEMA,
    predict,
    published_draws,
    reference_values,
)
from bayescale.fits.saving import load_fit
from bayescale.fits.sealing import is_sealed, seal
from bayescale.laws import LAWS, Law, Prior, Share

SIZES = {
    "posterior": {"chain", "draw"},
    "sample_stats": {"chain", "draw"},
    "log_likelihood": {"chain", "draw", "run"},
    "posterior_predictive": {"chain", "draw", "run"},
    "prior": {"chain", "draw"},
    "observed_data": {"run"},
    "constant_data": {"run"},
}


@pytest.fixture(scope="module")
def small_fit(small_runs, synthetic_fit):
    return synthetic_fit("chinchilla", small_runs, draws=30)


@pytest.fixture(scope="module")
def saved(small_fit, tmp_path_factory):
    path = tmp_path_factory.mktemp("fits") / "fit.nc"
    small_fit.save(path)
    return path


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copy(saved, tmp_path / "fit.nc")


def refusal(path, law=None):
    with pytest.raises(InputError) as caught:
        load_fit(path, law)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def edit_record(path, **changes):
    with netCDF4.Dataset(path, "a") as file:
        record = json.loads(file.getncattr("bayescale"))
        file.setncattr("bayescale", json.dumps(record | changes))
    seal(path)


# What a fit is


def test_a_sampled_fit_has_the_promised_groups_dimensions_and_names(sampled_fit, small_runs):
    tree = sampled_fit.data
    assert set(tree.children) - {"loo", LOG_PRIOR, PUBLISHED, "discrepancy"} == set(GROUPS) == set(SIZES)
    assert set(tree[LOG_PRIOR].data_vars) == {"gamma", "level", "E_part", "sigma", "nu_above_2"}
    assert set(tree[LOG_PRIOR].dims) == {"chain", "draw"}
    assert {group: set(tree[group].dims) for group in GROUPS} == SIZES
    assert dict(tree["log_likelihood"].sizes) == {"chain": 4, "draw": 1000, "run": len(small_runs.frame)}
    parameters = {"E", "K", "gamma", "sigma", "nu"}
    assert {group: set(tree[group].data_vars) for group in GROUPS if group != "sample_stats"} == {
        "posterior": parameters,
        "prior": parameters,
        "log_likelihood": {"log_response"},
        "posterior_predictive": {"log_response"},
        "observed_data": {"log_response"},
        "constant_data": {"N", "D", "C"},
    }
    assert set(tree["constant_data"]["run"].to_numpy()) == set(small_runs.frame["run"])
    assert sampled_fit.diagnostics.passed


def test_a_sampled_fit_finds_the_law_that_made_the_runs(sampled_fit, make_runs):
    draws = {**published_draws(sampled_fit), "sigma": sampled_fit.draws["sigma"]}
    for name, value in (make_runs.floor_truth | {"sigma": 0.01}).items():
        low, high = np.quantile(draws[name], [0.005, 0.995])  # four intervals of 99%, at one fixed seed
        assert low < value < high


def test_the_made_fits_of_these_tests_have_the_layout_of_a_sampled_one(sampled_fit, small_fit):
    for group in GROUPS:
        assert set(small_fit.data[group].dims) == set(sampled_fit.data[group].dims)
        assert set(small_fit.data[group].coords) == set(sampled_fit.data[group].coords)
    assert set(small_fit.record) == set(sampled_fit.record)
    for part in ("table", "settings", "diagnostics", "law", "reference"):
        assert set(small_fit.record[part]) == set(sampled_fit.record[part])


def test_a_fit_holds_the_runs_it_was_fitted_to(small_fit, small_runs):
    runs = small_fit.runs
    assert (runs.name, runs.response, runs.unit) == (small_runs.name, small_runs.response, small_runs.unit)
    assert runs.notes == small_runs.notes
    order = small_runs.frame.sort_values(["N", "D", "C", "loss"], ignore_index=True)
    assert runs.frame["run"].tolist() == order["run"].tolist()
    for name in ("N", "D", "C"):
        assert runs.frame[name].tolist() == order[name].tolist()
    np.testing.assert_allclose(runs.frame["loss"], order["loss"], rtol=1e-14)  # through log and exp, of a few ulp each


def test_draws_are_chain_after_chain(small_fit):
    alpha = small_fit.data["posterior"]["alpha"]
    assert small_fit.draws["alpha"][:30].tolist() == alpha.sel(chain=0).to_numpy().tolist()
    assert small_fit.draws["alpha"].size == 120


def test_published_draws_describe_the_same_losses(small_fit):
    frame, law = small_fit.runs.frame, small_fit.law
    values = published_draws(small_fit)
    in_counts = law.loss(
        frame["N"].to_numpy(), frame["D"].to_numpy(), **{name: values[name][:, None] for name in law.parameters}
    )
    np.testing.assert_allclose(in_counts, predict(small_fit, frame["N"], frame["D"]), rtol=1e-10)


def test_reference_values_are_geometric_means(small_runs):
    found = reference_values(small_runs.frame, "loss")
    assert set(found) == {"N", "D", "C", "loss"}
    assert found["N"] == pytest.approx(np.prod(small_runs.frame["N"] ** (1 / 24)), rel=1e-12)


def test_a_prediction_has_one_row_per_draw_and_one_column_per_run(small_fit):
    predicted = predict(small_fit, np.array([1e8, 1e9]), np.array([2e9, 2e10]))
    assert predicted.shape == (120, 2)
    assert (predicted[:, 1] < predicted[:, 0]).all()


def test_a_prediction_by_compute_uses_6ND(sampled_fit):
    expected = sampled_fit.draws.value({"C": np.array([6 * 1e8 * 2e9])})
    np.testing.assert_array_equal(predict(sampled_fit, np.array([1e8]), np.array([2e9])), expected)


def test_predictive_draws_are_the_law_with_its_noise(sampled_fit):
    fitted = sampled_fit
    center = fitted.draws.log_value(fitted.runs.frame, "loss")
    noise = fitted.data["posterior_predictive"]["log_response"].to_numpy().reshape(center.shape) - center
    scaled = noise / fitted.draws["sigma"][:, None]
    # Half of a Student-t with nu above 2 lies within 0.82 s.d. (nu = 2) and 0.67 (normal): 24000 draws, s.e. 0.003.
    within = (np.abs(scaled) < 0.74).mean()
    assert 0.45 < within < 0.55
    assert abs((scaled > 0).mean() - 0.5) < 4 * 0.5 / np.sqrt(scaled.size)
    observed = fitted.data["observed_data"]["log_response"].to_numpy()
    low, high = np.quantile(center + noise, [0.01, 0.99], axis=0)
    assert ((low < observed) & (observed < high)).mean() > 0.85  # 24 runs made with normal noise: 98% expected


# Saving and loading


def test_a_fit_returns_from_its_file_unchanged(saved, small_fit):
    loaded = load_fit(saved)
    assert loaded.data.identical(small_fit.data)
    assert dict(loaded.record) == dict(small_fit.record)
    assert loaded.law == small_fit.law
    assert loaded.runs.frame.equals(small_fit.runs.frame)
    assert loaded.diagnostics == small_fit.diagnostics


def test_a_loaded_law_keeps_the_order_in_which_its_shares_are_drawn(saved, small_fit):
    assert list(load_fit(saved).law.priors) == list(small_fit.law.priors) != sorted(small_fit.law.priors)


def test_a_loaded_fit_leaves_its_file_free(copy, small_fit):
    loaded = load_fit(copy)
    small_fit.save(copy)
    assert loaded.data.identical(load_fit(copy).data)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_arviz_opens_the_file_as_it_is(saved, small_fit):
    with xr.open_datatree(saved) as tree:
        loo = azs.loo(tree, pointwise=True, var_name="log_response")
    expected = azs.loo(small_fit.data, pointwise=True, var_name="log_response")
    assert loo.elpd == expected.elpd
    assert loo.elpd_i.sizes["run"] == 24


def test_a_failure_while_writing_keeps_the_old_file(copy, small_fit, monkeypatch):
    before = copy.read_bytes()

    def fail(_tree, path, **_options):
        path.write_bytes(b"half a file")
        raise OSError("disk full")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", fail)
    with pytest.raises(OSError, match="disk full"):
        small_fit.save(copy)
    assert copy.read_bytes() == before
    assert list(copy.parent.iterdir()) == [copy]


def test_a_missing_file_is_refused(tmp_path):
    assert refusal(tmp_path / "absent.nc") == "there is no such file; expected a fit saved by bayescale"


def test_a_folder_is_refused(tmp_path):
    assert refusal(tmp_path) == "there is no such file; expected a fit saved by bayescale"


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.97])
def test_a_truncated_file_is_refused(copy, kept):
    content = copy.read_bytes()
    copy.write_bytes(content[: int(kept * len(content))])
    message = refusal(copy)
    assert message.startswith("cannot be read as a saved fit (")
    assert message.endswith("the file is truncated or of another kind; fit again")


@pytest.mark.parametrize(
    "content", [b"", b"run,N,D,loss\na,1e8,2e9,3.5\n", b"\x89HDF\r\n\x1a\n", b"CDF\x01" + bytes(60)]
)
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "fit.nc"
    path.write_bytes(content)
    message = refusal(path)
    assert message.startswith(("cannot be read as a saved fit (", "a NetCDF file, but not a fit"))


def test_a_netcdf_file_of_another_program_is_refused(tmp_path):
    path = tmp_path / "other.nc"
    xr.Dataset({"temperature": ("x", [1.0, 2.0])}).to_netcdf(path, engine="netcdf4")
    assert refusal(path).startswith("cannot be read as a saved fit (it does not end with a checksum)")
    assert not is_sealed(path)
    seal(path)
    assert refusal(path) == "a NetCDF file, but not a fit saved by bayescale (no attribute 'bayescale')"


def places(content):
    """Return 40 places of a file, and those of its end, where the checksum is."""
    return [*np.linspace(0, len(content) - 1, 40).astype(int), *range(len(content) - 84, len(content))]


def test_a_flipped_bit_anywhere_is_refused_before_hdf5_sees_it(copy, monkeypatch):
    content = copy.read_bytes()
    monkeypatch.setattr(xr, "open_datatree", None)
    for place in places(content):
        copy.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        assert refusal(copy).startswith("cannot be read as a saved fit (")


def test_a_block_of_zeros_or_bytes_too_many_are_refused(copy):
    content = copy.read_bytes()
    half = len(content) // 2
    for damaged in (
        content[:half] + bytes(4096) + content[half + 4096 :],
        content[:half] + b"8 bytes." + content[half:],
        content + b"x",
    ):
        copy.write_bytes(damaged)
        assert refusal(copy).startswith("cannot be read as a saved fit (")


def test_what_hdf5_meets_when_it_writes_names_the_file_and_keeps_the_old_one(copy, small_fit, monkeypatch):
    before = copy.read_bytes()

    def fail(_tree, path, **_options):
        path.write_bytes(b"half a file")
        raise RuntimeError("NetCDF: HDF error")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", fail)
    with pytest.raises(OSError, match=re.escape(f"{copy}: cannot be written: NetCDF: HDF error; is the disk full?")):
        small_fit.save(copy)
    assert copy.read_bytes() == before


@pytest.mark.parametrize("text", ["not json", "[1, 2]", json.dumps({"schema": SCHEMA})])
def test_a_netcdf_file_with_a_strange_record_is_refused(tmp_path, text):
    path = tmp_path / "other.nc"
    groups = {group: xr.Dataset() for group in GROUPS}
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["bayescale"] = text
    tree.to_netcdf(path, engine="netcdf4")
    seal(path)
    assert "fit again" in refusal(path)


def test_a_fit_of_another_version_is_refused(copy):
    edit_record(copy, schema="bayescale/fit/0")
    assert refusal(copy) == f"saved as bayescale/fit/0, this version reads {SCHEMA}; fit again with this version"


@pytest.mark.parametrize("group", GROUPS)
def test_a_fit_that_lacks_a_group_is_refused(tmp_path, small_fit, group):
    tree = small_fit.data.copy()
    del tree[group]
    path = tmp_path / "fit.nc"
    tree.to_netcdf(path, engine="netcdf4")
    seal(path)
    assert refusal(path) == f"the saved fit lacks {group}; fit again"


def test_a_fit_of_a_law_whose_formula_has_changed_is_refused(copy, monkeypatch):
    law = LAWS["chinchilla"]

    def loss(N, D, *, E, A, B, alpha, beta):
        return E + A / N**alpha + B / D**beta + 0.0

    monkeypatch.setitem(LAWS, "chinchilla", dataclasses.replace(law, loss=loss, formula="another"))
    assert refusal(copy) == (
        "fit of a law 'chinchilla' whose formula differs from the one here "
        "(E + A / N^alpha + B / D^beta there, another here); fit again"
    )


def size_law(N, *, A, slope):
    return A / N**slope


def test_a_fit_of_ones_own_law_is_read_with_that_law(tmp_path, small_runs, synthetic_fit):
    own = Law("own", size_law, {"A": Share(1.0), "slope": Prior("LogNormal", {"mu": -2.0, "sigma": 0.5})})
    fitted = synthetic_fit(own, small_runs, draws=10)
    path = tmp_path / "own.nc"
    fitted.save(path)
    assert refusal(path) == "fit of law 'own', which is not built in; pass it: load_fit(path, law=...)"
    assert load_fit(path, own).data.identical(fitted.data)


def test_a_fit_is_not_read_with_another_law(copy):
    assert "formula differs" in refusal(copy, LAWS["kaplan_n"])


def test_a_fit_keeps_the_priors_it_was_made_with(tmp_path, small_runs, synthetic_fit):
    law = LAWS["compute_floor"]
    other = dataclasses.replace(law, priors={**law.priors, "gamma": Prior("LogNormal", {"mu": -1.0, "sigma": 0.2})})
    path = tmp_path / "fit.nc"
    synthetic_fit(other, small_runs, draws=10).save(path)
    assert load_fit(path).law.priors["gamma"] == Prior("LogNormal", {"mu": -1.0, "sigma": 0.2})
    assert load_fit(path, law).law.priors == other.priors

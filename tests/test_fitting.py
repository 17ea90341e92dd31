import dataclasses
import json
from unittest.mock import Mock

import arviz_stats as azs
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale.errors import InputError
from bayescale.fits import exact, fitting, sampling
from bayescale.fits.diagnostics import Diagnostics
from bayescale.fits.exact import exact_elpd
from bayescale.fits.fit import Fit, reference_values
from bayescale.fits.fitting import check_table, fit, fit_laws, is_cached
from bayescale.fits.likelihood import log_likelihood
from bayescale.fits.settings import Settings
from bayescale.fits.tree import canonical_frame, table_hash
from bayescale.laws import LAWS, Law, Prior, Share, law_record
from bayescale.runs import RunTable
from bayescale.storage import kept

QUICK = {"draws": 20, "tune": 100, "chains": 2, "random_seed": 1}


def shuffled(runs, seed=0):
    return dataclasses.replace(runs, frame=runs.frame.sample(frac=1, random_state=seed).reset_index(drop=True))


@pytest.fixture
def counted(monkeypatch, synthetic_fit, own_cache):
    """Replace sampling by a made fit, in a cache of its own; return the list of laws that were sampled."""
    assert not own_cache.exists()
    sampled = []

    def make(law, runs, settings, _reference):
        sampled.append(law.name)
        made = synthetic_fit(law, runs, draws=settings.draws, chains=settings.chains, seed=settings.random_seed)
        made.data.attrs["bayescale"] = json.dumps(
            dict(made.record) | {"law": law_record(law), "settings": dataclasses.asdict(settings)}
        )
        return Fit(law, made.data)

    monkeypatch.setattr(fitting, "_sample_fit", make)
    return sampled


# Sampling


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # 20 draws are too few for some diagnostics
def test_the_same_fit_is_the_same_to_the_last_bit_whatever_the_order_of_the_rows(small_runs):
    first, again = (fit(runs, "compute_floor", **QUICK, cache=False) for runs in (small_runs, shuffled(small_runs)))
    assert all(first.data[group].equals(again.data[group]) for group in first.data.children)
    assert first.record["table"]["hash"] == again.record["table"]["hash"]


def test_a_sampled_fit_says_what_was_fitted_and_how(sampled_fit, small_runs):
    record = sampled_fit.record
    assert record["schema"] == "bayescale/fit/1"
    assert record["settings"] == {"draws": 1000, "tune": 300, "chains": 4, "random_seed": 1}
    assert record["table"]["name"] == "small"
    assert set(record["reference"]) == {"N", "D", "C", "loss"}
    assert {"bayescale", "pymc", "nutpie", "numpy", "model"} <= set(record["versions"])
    assert record["diagnostics"]["failures"] == []
    assert record["law"]["priors"]["gamma"]["family"] == "LogNormal"
    assert is_cached(LAWS["compute_floor"], small_runs, Settings(**record["settings"]))


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_the_density_of_a_row_left_out_is_that_of_a_refit_without_it(sampled_fit, own_cache):
    """Where Pareto k is low the exact value and PSIS agree; the tolerance is four standard errors of both."""
    found = azs.loo(sampled_fit.data, pointwise=True, var_name="log_response")
    row = int(np.argmin(found.pareto_k.to_numpy()))
    exact = exact_elpd(sampled_fit, row)
    density = sampled_fit.data["log_likelihood"]["log_response"][..., row].to_numpy().ravel()
    error = np.exp(density).std() / np.exp(density).mean() / np.sqrt(1000)  # at least 1000 effective draws
    assert exact == pytest.approx(float(found.elpd_i[row]), abs=4 * np.sqrt(2) * error)
    (path,) = own_cache.rglob("*.json")
    assert kept(path) == exact


# The cache


def test_a_cached_fit_is_not_sampled_again(counted, small_runs):
    first = fit(small_runs, "chinchilla", **QUICK)
    second = fit(small_runs, "chinchilla", **QUICK)
    assert counted == ["chinchilla"]
    assert second.data.identical(first.data)


def test_another_order_of_the_rows_reads_the_same_cached_fit(counted, small_runs):
    fit(small_runs, "chinchilla", **QUICK)
    fit(shuffled(small_runs), "chinchilla", **QUICK)
    assert counted == ["chinchilla"]


@pytest.mark.usefixtures("counted")
def test_a_cached_fit_speaks_of_the_table_that_was_asked_for(small_runs):
    fit(small_runs, "chinchilla", **QUICK)
    other = dataclasses.replace(small_runs, name="other", unit="bits per token")
    fitted = fit(other, "chinchilla", **QUICK)
    assert (fitted.runs.name, fitted.runs.unit) == ("other", "bits per token")


def test_a_fit_of_another_table_under_our_name_is_not_taken(counted, small_runs, own_cache):
    frame = small_runs.frame.assign(loss=small_runs.frame["loss"] * 1.1)
    other = dataclasses.replace(small_runs, frame=frame)
    first = fit(small_runs, "chinchilla", **QUICK)
    (path,) = own_cache.rglob("*.nc")
    fit(other, "chinchilla", **QUICK)
    (other_path,) = set(own_cache.rglob("*.nc")) - {path}
    path.write_bytes(other_path.read_bytes())
    assert fit(small_runs, "chinchilla", **QUICK).record["table"]["hash"] == first.record["table"]["hash"]
    assert counted == ["chinchilla"] * 3


@pytest.mark.parametrize("change", [{"random_seed": 3}, {"tune": 11}])
def test_a_fit_of_other_settings_under_our_name_is_not_taken(counted, small_runs, own_cache, change):
    fit(small_runs, "chinchilla", **QUICK)
    (path,) = own_cache.rglob("*.nc")
    fit(small_runs, "chinchilla", **QUICK | change)
    (other_path,) = set(own_cache.rglob("*.nc")) - {path}
    path.write_bytes(other_path.read_bytes())
    fit(small_runs, "chinchilla", **QUICK)
    assert counted == ["chinchilla"] * 3


@pytest.mark.usefixtures("counted")
def test_a_cache_that_cannot_be_written_costs_a_note_and_not_the_fit(small_runs, own_cache, monkeypatch, capsys):
    def full(_tree, path, **_options):
        path.write_bytes(b"half")
        raise RuntimeError("NetCDF: HDF error")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", full)
    assert fit(small_runs, "chinchilla", **QUICK).law.name == "chinchilla"
    said = capsys.readouterr().err
    assert said.startswith("note: nothing is kept in the cache (")
    assert str(own_cache / "fits") in said
    assert "is the disk full?" in said
    assert [path for path in own_cache.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("counted")
def test_a_folder_in_place_of_a_cache_file_costs_a_note_and_not_the_fit(small_runs, own_cache, capsys):
    fit(small_runs, "chinchilla", **QUICK)
    (path,) = own_cache.rglob("*.nc")
    path.unlink()
    path.mkdir()
    assert fit(small_runs, "chinchilla", **QUICK).law.name == "chinchilla"
    assert "a folder is in its place" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"half a file", "truncated"])
def test_a_damaged_cache_file_is_sampled_again_and_mended(counted, small_runs, own_cache, content):
    fit(small_runs, "chinchilla", **QUICK)
    (path,) = own_cache.rglob("*.nc")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content == "truncated" else content)
    fit(small_runs, "chinchilla", **QUICK)
    assert counted == ["chinchilla"] * 2
    fit(small_runs, "chinchilla", **QUICK)
    assert counted == ["chinchilla"] * 2


def test_without_the_cache_nothing_is_read_or_written(counted, small_runs, own_cache):
    fit(small_runs, "chinchilla", **QUICK, cache=False)
    assert not own_cache.exists()
    fit(small_runs, "chinchilla", **QUICK)
    fit(small_runs, "chinchilla", **QUICK, cache=False)
    assert counted == ["chinchilla"] * 3


def changed_loss(runs):
    frame = runs.frame.copy()
    frame.loc[3, "loss"] *= 1 + 1e-12
    return dataclasses.replace(runs, frame=frame)


def without_a_row(runs):
    return dataclasses.replace(runs, frame=runs.frame.iloc[1:].reset_index(drop=True))


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (None, {"random_seed": 2}),
        (None, {"draws": 21}),
        (None, {"tune": 101}),
        (None, {"chains": 3}),
        (None, {"priors": {"alpha": Prior("LogNormal", {"mu": -1.0, "sigma": 0.5})}}),
        (changed_loss, {}),
        (without_a_row, {}),
    ],
)
def test_a_fit_of_anything_else_is_sampled(counted, small_runs, change, options):
    fit(small_runs, "chinchilla", **QUICK)
    fit(change(small_runs) if change else small_runs, "chinchilla", **(QUICK | options))
    assert counted == ["chinchilla"] * 2


def test_a_law_of_the_same_name_with_another_formula_is_sampled(counted, small_runs):
    def power(constant):
        loss = lambda N, *, A, slope: A * constant / N**slope  # noqa: E731  (the constant is in its closure)
        return Law("own", loss, {"A": Share(1.0), "slope": Prior("LogNormal", {"mu": -2.0, "sigma": 0.5})})

    for constant in (1.0, 2.0, 1.0):
        fit(small_runs, power(constant), **QUICK)
    assert counted == ["own", "own"]


def test_a_fit_made_by_other_versions_is_sampled(counted, small_runs, monkeypatch):
    fit(small_runs, "chinchilla", **QUICK)
    monkeypatch.setattr(fitting, "versions", lambda: {"pymc": "7.0"})
    fit(small_runs, "chinchilla", **QUICK)
    assert counted == ["chinchilla"] * 2


def test_an_exact_density_is_read_from_the_cache(own_cache, small_runs, synthetic_fit, monkeypatch):
    fitted, asked = synthetic_fit("chinchilla", small_runs, draws=20), []
    monkeypatch.setattr(exact, "_refit_density", lambda _fitted, row: asked.append(row) or -1.5 - row)
    assert [exact_elpd(fitted, row) for row in (3, 4, 3)] == [-4.5, -5.5, -4.5]
    assert asked == [3, 4]
    assert exact_elpd(fitted, 3, cache=False) == -4.5
    assert asked == [3, 4, 3]
    assert len(list(own_cache.rglob("*.json"))) == 2


def test_a_damaged_exact_density_is_computed_again(own_cache, small_runs, synthetic_fit, monkeypatch):
    fitted = synthetic_fit("chinchilla", small_runs, draws=20)
    monkeypatch.setattr(exact, "_refit_density", Mock(return_value=-1.5))
    exact_elpd(fitted, 3)
    (path,) = own_cache.rglob("*.json")
    for damaged in ("", path.read_text().replace("-1.5", "-2.5")):
        path.write_text(damaged)
        assert exact_elpd(fitted, 3) == -1.5


def test_a_refit_leaves_out_its_row_and_keeps_the_scale(small_runs, synthetic_fit, monkeypatch):
    fitted, asked = synthetic_fit("chinchilla", small_runs, draws=20), []
    passed = Diagnostics((), 1.0, 500.0, 500.0, 1.0, 0, 0, 80)

    def sample(law, data, settings):
        asked.append((law, data, settings))
        return fitted.data["posterior"].to_dataset(), None, passed, None

    monkeypatch.setattr(sampling, "sample_posterior", sample)
    value = exact_elpd(fitted, 5, cache=False)
    ((law, data, settings),) = asked
    frame = fitted.runs.frame
    kept = np.delete(frame["N"].to_numpy(), 5)
    np.testing.assert_array_equal(data["N"], kept / fitted.reference["N"])
    assert float(data["loss_unit"]) == fitted.reference["loss"]
    assert settings == Settings(**fitted.record["settings"])
    posterior = fitted.data["posterior"].to_dataset()
    density, _ = log_likelihood(law, posterior, frame.loc[[5]], "loss", fitted.reference, random_seed=0)
    assert value == pytest.approx(float(np.log(np.exp(density["log_response"]).mean())), rel=1e-12)


def test_a_refit_that_fails_the_gate_has_no_density(small_runs, synthetic_fit, monkeypatch):
    fitted = synthetic_fit("chinchilla", small_runs, draws=20)
    failed = Diagnostics(("doubt",), 1.0, 500.0, 500.0, 1.0, 0, 0, 80)
    monkeypatch.setattr(sampling, "sample_posterior", Mock(return_value=(None, None, failed, None)))
    assert np.isnan(exact_elpd(fitted, 5, cache=False))


# Arguments


@pytest.mark.usefixtures("counted")
def test_priors_replace_those_of_the_law(small_runs):
    other = Prior("LogNormal", {"mu": -0.5, "sigma": 0.1})
    fitted = fit(small_runs, "chinchilla", priors={"alpha": other}, **QUICK)
    assert fitted.law.priors == {**LAWS["chinchilla"].priors, "alpha": other}
    assert list(fitted.law.priors) == list(LAWS["chinchilla"].priors)


def test_a_prior_of_an_unknown_parameter_is_refused(counted, small_runs):
    with pytest.raises(InputError) as caught:
        fit(small_runs, "chinchilla", priors={"gamma": Share(1.0)})
    assert str(caught.value) == "law 'chinchilla' has no parameter ['gamma']; it has E, A, B, alpha, beta"
    assert counted == []


def test_an_unknown_law_is_answered_with_the_nearest(small_runs):
    with pytest.raises(InputError, match="unknown law 'chinchila': did you mean 'chinchilla'"):
        fit(small_runs, "chinchila")
    with pytest.raises(InputError, match="unknown law 'tillt': did you mean 'tilt'"):
        fit_laws(small_runs, ["chinchilla", "tillt"])


def test_too_few_runs_for_a_law_are_refused(small_runs):
    few = dataclasses.replace(small_runs, frame=small_runs.frame.iloc[:7])
    with pytest.raises(InputError) as caught:
        fit(few, "chinchilla")
    assert str(caught.value) == (
        "small: law 'chinchilla' has 7 parameters with its noise and needs at least 8 runs, found 7; add runs or "
        "choose a simpler law"
    )
    check_table(LAWS["compute_floor"], few)  # 5 parameters with its noise


def loss_by_experts(experts, *, A, slope):
    return A / experts**slope


def test_a_table_without_a_column_of_the_law_is_refused(small_runs):
    own = Law("own", loss_by_experts, {"A": Share(1.0), "slope": Prior("LogNormal", {"mu": -2.0, "sigma": 0.5})})
    with pytest.raises(InputError) as caught:
        fit(small_runs, own)
    assert str(caught.value) == (
        "small: law 'own' needs column experts, found run, N, D, C, loss; add it, or choose a law of the columns that "
        "are there"
    )


def test_a_law_of_another_response_is_refused(small_runs):
    law = dataclasses.replace(LAWS["chinchilla"], responses=("bpc",))
    with pytest.raises(InputError, match="small: law 'chinchilla' describes bpc, the table holds loss"):
        fit(small_runs, law)


@pytest.mark.parametrize("option", ["draws", "tune", "chains"])
def test_settings_that_cannot_be_sampled_are_refused(small_runs, option):
    with pytest.raises(InputError, match=f"{option} is 0"):
        fit(small_runs, "chinchilla", **{option: 0})


# Several laws


def test_fits_come_in_the_order_asked(counted, small_runs, monkeypatch):
    monkeypatch.setattr("loky.cpu_count", lambda: 1)
    fit(small_runs, "kaplan_n", **QUICK)
    told = []
    fits = fit_laws(small_runs, ["chinchilla", "kaplan_n", "compute_floor"], **QUICK, progress=told.append)
    assert list(fits) == ["chinchilla", "kaplan_n", "compute_floor"]
    assert all(name == fitted.law.name for name, fitted in fits.items())
    assert told == ["kaplan_n", "chinchilla", "compute_floor"]  # the cached one is there first
    assert counted == told


def test_laws_that_are_all_cached_start_no_process(counted, small_runs, monkeypatch):
    laws = ["chinchilla", "kaplan_n"]
    for name in laws:
        fit(small_runs, name, **QUICK)
    monkeypatch.setattr("loky.get_reusable_executor", None)
    fit_laws(small_runs, laws, **QUICK)
    assert counted == laws


@pytest.mark.parametrize("laws", [[], ["tilt", "tilt"], ["tilt", LAWS["tilt"]]])
def test_laws_must_be_some_and_differ(small_runs, laws):
    with pytest.raises(InputError, match="expected one or more laws of different names, found"):
        fit_laws(small_runs, laws)


def test_one_unusable_law_is_refused_before_any_is_sampled(counted, small_runs):
    few = dataclasses.replace(small_runs, frame=small_runs.frame.iloc[:7])
    with pytest.raises(InputError, match="chinchilla"):
        fit_laws(few, ["compute_floor", "chinchilla"], **QUICK)
    assert counted == []


# The table


def test_a_table_is_sorted_by_what_a_fit_sees(small_runs):
    frame = canonical_frame(shuffled(small_runs))
    assert frame.equals(canonical_frame(small_runs))
    assert frame["N"].is_monotonic_increasing
    assert set(frame["run"]) == set(small_runs.frame["run"])


def test_equal_sizes_are_sorted_by_their_loss():
    frame = pd.DataFrame({"run": list("abcdef"), "N": 1e8, "D": 2e9, "C": 1.2e18, "loss": [3.0, 1, 2, 2, 2, 1]})
    frame.loc[5, "N"] = 2e8
    runs = RunTable("ties", frame, "loss", "nats per token", "6ND")
    assert canonical_frame(runs)["run"].tolist() == ["b", "c", "d", "e", "a", "f"]
    assert canonical_frame(shuffled(runs))["run"].tolist() == ["b", "c", "d", "e", "a", "f"]


def test_the_hash_of_a_table_sees_rows_order_and_response_but_no_labels(small_runs):
    frame = canonical_frame(small_runs)
    first = table_hash(frame, "loss")
    assert first == table_hash(frame.assign(comment="x"), "loss")
    assert first == table_hash(frame.assign(run=frame["run"] + "x"), "loss")
    renamed = frame.rename(columns={"loss": "bpc"})
    for other in (frame.iloc[::-1], frame.iloc[1:], frame.assign(D=1e9)):
        assert table_hash(other, "loss") != first
    assert table_hash(renamed, "bpc") != first


def test_a_table_with_given_compute_keeps_it(synthetic_fit, small_runs):
    frame = small_runs.frame.assign(C=lambda table: 1.2 * table["C"])
    runs = RunTable.from_frame(frame, name="given")
    fitted = synthetic_fit("compute_floor", runs, draws=10)
    assert fitted.reference["C"] == pytest.approx(1.2 * reference_values(small_runs.frame, "loss")["C"], rel=1e-12)
    assert fitted.runs.compute == "given"


def rate_law(N, learning_rate, *, A, alpha, slope):
    return A / N**alpha * learning_rate**slope


RATE_LAW = Law(
    "rate",
    rate_law,
    {
        "A": Share(1.0),
        "alpha": Prior("LogNormal", {"mu": -2.0, "sigma": 0.5}),
        "slope": Prior("Normal", {"mu": 0.0, "sigma": 0.3}),
    },
)


@pytest.mark.usefixtures("own_cache")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # 20 draws are too few for some diagnostics
def test_a_fit_keeps_the_columns_of_ones_own_law_and_another_value_is_another_fit(small_runs):
    rates = np.geomspace(1e-4, 1e-2, len(small_runs.frame))
    runs, other = (
        dataclasses.replace(small_runs, frame=small_runs.frame.assign(learning_rate=values))
        for values in (rates, rates[::-1])
    )
    fitted = fit(runs, RATE_LAW, **QUICK)
    kept = fitted.runs.frame.set_index("run")["learning_rate"]
    np.testing.assert_allclose(kept[runs.frame["run"]], rates)
    assert fitted.reference["learning_rate"] == pytest.approx(1e-3)
    settings = Settings(**fitted.record["settings"])
    assert is_cached(RATE_LAW, runs, settings)
    assert not is_cached(RATE_LAW, other, settings)


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0"), (float("nan"), "nan"), (-1.0, "-1")])
def test_a_column_with_gaps_is_refused_by_the_law_that_needs_it(small_runs, value, shown):
    rates = np.ones(len(small_runs.frame))
    rates[2] = value
    runs = dataclasses.replace(small_runs, frame=small_runs.frame.assign(learning_rate=rates))
    with pytest.raises(InputError) as caught:
        fit(runs, RATE_LAW)
    label = runs.frame["run"].iloc[2]
    assert str(caught.value) == (
        f"small: law 'rate' needs a number above zero in column learning_rate of every run; found {shown} for run "
        f"'{label}'; select the runs that have it, or choose another law"
    )

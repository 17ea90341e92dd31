import dataclasses
import json
import re
from unittest.mock import Mock

import arviz_stats as azs
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bayescale.comparison import comparison as module
from bayescale.comparison.comparison import compare, difference
from bayescale.comparison.ranking import Difference
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.fits.tree import canonical_frame
from bayescale.records.comparison import comparison_record
from bayescale.runs import RunTable

SAID_BY_ARVIZ = pytest.mark.filterwarnings("ignore:Estimated shape parameter")
NAMES = ["chinchilla", "compute_floor", "tilt", "kaplan_n"]


def with_density(fitted, density, **record):
    """Return the fit with other log likelihoods, and with other entries of its record."""
    tree = fitted.data.copy()
    likelihood = tree["log_likelihood"].to_dataset()
    changed = likelihood.assign(log_response=likelihood["log_response"].copy(data=density))
    tree["log_likelihood"] = xr.DataTree(changed)
    tree.attrs["bayescale"] = json.dumps(dict(fitted.record) | record)
    return Fit(fitted.law, tree)


def density_of(fitted):
    return fitted.data["log_likelihood"]["log_response"].to_numpy().copy()


def flat(fitted, values):
    """Return the fit with the same density in every draw: its LOO density is that density."""
    density = density_of(fitted)
    density[:] = np.asarray(values) + 1e-9 * np.random.default_rng(0).standard_normal(density.shape)
    return with_density(fitted, density)


def surprise(fitted, rows, k=1.5):
    """Return the fit with rows whose densities have importance ratios of this Pareto k."""
    density = density_of(fitted)
    for row in rows:
        density[..., row] -= k * np.random.default_rng(row).exponential(size=density.shape[:2])
    return with_density(fitted, density)


@pytest.fixture
def refits(monkeypatch):
    """Replace exact refits; return the list of rows that were asked for."""
    asked = []

    def exact_elpd(_fitted, row, *, cache=True):
        asked.append((row, cache))
        return -100.0 - row

    monkeypatch.setattr(module, "exact_elpd", exact_elpd)
    return asked


# Agreement with ArviZ


def test_without_refits_the_table_is_that_of_arviz(wide_comparison):
    trees = {name: fitted.data for name, fitted in wide_comparison.fits.items()}
    loos = {name: azs.loo(tree, pointwise=True, var_name="log_response") for name, tree in trees.items()}
    theirs = azs.compare(loos, method="stacking", round_to="none")
    ours = wide_comparison.table
    assert ours.index.tolist() == theirs.index.tolist()
    for column in ("rank", "elpd", "p", "elpd_diff", "dse", "p_worse"):
        # Sums of the same 120 terms in another order.
        np.testing.assert_allclose(ours[column].astype(float), theirs[column].astype(float), rtol=1e-9, atol=1e-9)
    # Both optimise the same concave score; one law holds all the weight.
    np.testing.assert_allclose(ours["weight"], theirs["weight"], atol=1e-3)
    assert ours["bad_k"].tolist() == [0] * 4


def test_the_pointwise_results_are_those_of_arviz(wide_comparison):
    for name, fitted in wide_comparison.fits.items():
        theirs = azs.loo(fitted.data, pointwise=True, var_name="log_response")
        ours = wide_comparison.pointwise[name]
        np.testing.assert_allclose(ours.elpd_i, theirs.elpd_i, rtol=1e-12)
        np.testing.assert_allclose(ours.pareto_k, theirs.pareto_k, rtol=1e-9)
        # PSIS draws nothing at random; only the order of a sum differs.
        np.testing.assert_allclose([ours.elpd, ours.p], [theirs.elpd, theirs.p], rtol=1e-9)


def test_the_standard_errors_are_those_of_arviz(wide_comparison):
    for name, fitted in wide_comparison.fits.items():
        theirs = azs.loo(fitted.data, pointwise=True, var_name="log_response")
        assert wide_comparison.pointwise[name].se == pytest.approx(theirs.se, rel=1e-9)


def test_the_best_law_comes_first_and_the_others_differ_from_it(wide_comparison):
    table = wide_comparison.table
    assert table.index[0] == "chinchilla"
    assert table["elpd"].is_monotonic_decreasing
    assert table.loc["chinchilla", "elpd_diff"] == 0
    assert (table["elpd_diff"] <= 0).all()
    assert table["weight"].sum() == pytest.approx(1, abs=1e-9)
    assert table["weight"].min() >= 0


def test_a_comparison_knows_its_runs(wide_comparison, wide_runs):
    assert wide_comparison.runs.name == wide_runs.name
    assert len(wide_comparison.runs.frame) == len(wide_runs.frame)


def test_a_fit_compared_with_itself_differs_by_nothing(wide_fit):
    found = compare({"one": wide_fit, "same": wide_fit}, max_refits=0)
    same = difference(found, "one", "same")
    assert same == Difference(0.0, 0.0, 120)
    assert not same.decided
    assert found.table["elpd_diff"].tolist() == found.table["dse"].tolist() == [0.0, 0.0]
    assert found.table["weight"].sum() == pytest.approx(1, abs=1e-9)


# What cannot be compared


def test_fits_of_different_tables_are_refused_by_name_and_count(wide_fit, small_runs, synthetic_fit):
    other = synthetic_fit("tilt", small_runs, draws=20)
    with pytest.raises(InputError) as caught:
        compare({"chinchilla": wide_fit, "tilt": other})
    assert str(caught.value) == (
        "cannot compare fits of different runs or responses: 'chinchilla' (120 runs of wide, loss), 'tilt' (24 runs of "
        "small, loss); fit all laws to one table"
    )


def test_fits_of_the_same_number_of_other_runs_are_refused(wide_runs, wide_fit, synthetic_fit):
    frame = wide_runs.frame.copy()
    frame.loc[[0, 1], "loss"] = frame.loc[[1, 0], "loss"].to_numpy()
    other = synthetic_fit("tilt", dataclasses.replace(wide_runs, frame=frame, name="swapped"), draws=20)
    with pytest.raises(InputError, match=r"'tilt' \(120 runs of swapped, loss\)"):
        compare({"chinchilla": wide_fit, "tilt": other})


def test_fits_of_another_response_are_refused(wide_runs, wide_fit, synthetic_fit):
    frame = wide_runs.frame.rename(columns={"loss": "bpc"})
    other = synthetic_fit("tilt", dataclasses.replace(wide_runs, frame=frame, response="bpc"), draws=20)
    with pytest.raises(InputError, match=r"'chinchilla' \(120 runs of wide, loss\), 'tilt' \(120 runs of wide, bpc\)"):
        compare({"chinchilla": wide_fit, "tilt": other})


def test_fits_of_the_same_runs_in_another_order_are_compared(wide_runs, wide_fit, synthetic_fit):
    mixed = dataclasses.replace(wide_runs, frame=wide_runs.frame.sample(frac=1, random_state=0, ignore_index=True))
    found = compare({"first": wide_fit, "mixed": synthetic_fit("chinchilla", mixed)}, max_refits=0)
    assert difference(found, "first", "mixed").elpd_diff == 0
    assert canonical_frame(mixed).equals(canonical_frame(wide_runs))


@pytest.mark.parametrize(("names", "said"), [((), "found 0 (none)"), (("only",), "found 1 (only)")])
def test_one_fit_or_none_is_no_comparison(wide_fit, names, said):
    with pytest.raises(InputError) as caught:
        compare(dict.fromkeys(names, wide_fit))
    assert str(caught.value) == f"expected two or more fits to compare, {said}"


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")
def test_a_density_of_zero_is_refused_not_dropped(wide_fit):
    density = density_of(wide_fit)
    density[..., 3] = -np.inf
    with pytest.raises(InputError, match="law 'chinchilla' gives a run a density of zero"):
        compare({"fine": wide_fit, "zero": with_density(wide_fit, density)}, max_refits=0)


def test_a_run_that_diverged_is_named_with_what_it_lies_above_runs_like_it(synthetic_fit, wide_runs):
    frame = wide_runs.frame.copy()
    frame.loc[7, wide_runs.response] *= 2.7
    diverged = RunTable.from_frame(frame, name="one diverged")
    label = str(frame["run"].iloc[7])
    fits = {name: synthetic_fit(name, diverged) for name in ("chinchilla", "tilt")}
    named = [note for note in compare(fits, max_refits=0).notes if "did it diverge?" in note]
    assert len(named) == 1
    assert f"of run '{label}'" in named[0]
    excess = float(re.search(r"is ([\d.]+)% above", named[0])[1])
    assert excess == pytest.approx(170, abs=10)


# High Pareto k


def test_rows_of_high_pareto_k_are_refitted_exactly(wide_fit, refits):
    rows = [5, 40, 77]
    doubtful = surprise(wide_fit, rows)
    found = compare({"fine": wide_fit, "doubtful": doubtful}, cache=False)
    assert sorted(refits) == [(row, False) for row in rows]
    assert found.exact == {"fine": (), "doubtful": (5, 40, 77)}
    pointwise = found.pointwise["doubtful"]
    assert pointwise.elpd_i[rows].to_numpy().tolist() == [-105.0, -140.0, -177.0]
    assert np.isnan(pointwise.pareto_k[rows]).all()
    assert found.table.loc["doubtful", "elpd"] == pytest.approx(float(pointwise.elpd_i.sum()), rel=1e-12)
    spread = np.sqrt(120 * np.var(pointwise.elpd_i.to_numpy()))
    assert found.table.loc["doubtful", "se"] == pytest.approx(spread, rel=0.005)  # n or n - 1
    assert found.table.loc["doubtful", "bad_k"] == 0
    assert found.table.loc["doubtful", "elpd_diff"] == pytest.approx(
        difference(found, "doubtful", "fine").elpd_diff, rel=1e-9
    )
    labels = ", ".join(wide_fit.runs.frame["run"].astype(str).iloc[rows])
    assert f"doubtful: 3 runs refitted exactly for high Pareto k ({labels})" in found.notes


@SAID_BY_ARVIZ
def test_the_worst_rows_are_refitted_first_and_the_rest_is_counted(wide_fit, refits):
    rows = [5, 40, 77]
    doubtful = surprise(wide_fit, rows)
    k = azs.loo(doubtful.data, pointwise=True, var_name="log_response").pareto_k.to_numpy()
    found = compare({"fine": wide_fit, "doubtful": doubtful}, max_refits=1)
    assert refits == [(int(np.argmax(k)), True)]
    assert found.table.loc["doubtful", "bad_k"] == 2
    assert found.table.loc["fine", "bad_k"] == 0
    assert "doubtful: Pareto k of 2 runs is too high; its elpd is doubtful" in found.notes


def test_a_refit_that_failed_leaves_its_row_counted(wide_fit, monkeypatch):
    monkeypatch.setattr(module, "exact_elpd", Mock(return_value=float("nan")))
    found = compare({"fine": wide_fit, "doubtful": surprise(wide_fit, [5])})
    assert found.exact["doubtful"] == ()
    assert found.table.loc["doubtful", "bad_k"] == 1


def test_many_rows_of_high_pareto_k_call_for_k_fold(wide_fit):
    found = compare({"fine": wide_fit, "doubtful": surprise(wide_fit, list(range(13)))}, max_refits=0)
    assert "doubtful: more than 10% of runs have high Pareto k; use K-fold instead" in found.notes


@pytest.mark.usefixtures("refits")
def test_high_pareto_k_is_a_note_and_no_warning(wide_fit):
    compare({"fine": wide_fit, "doubtful": surprise(wide_fit, [5])})


# Stacking


def test_densities_that_underflow_keep_their_weights(wide_fit):
    """Each row has a density of exp(-1e4) or less under both laws; the first is better on three quarters of them."""
    better, worse = np.full(120, -1e4), np.full(120, -1e4 - 0.5)
    better[90:], worse[90:] = worse[90:].copy(), better[90:].copy()
    found = compare({"better": flat(wide_fit, better), "worse": flat(wide_fit, worse)}, max_refits=0)
    weights = np.linspace(0, 1, 100_001)
    low = np.exp(-0.5)
    score = 90 * np.log(weights + (1 - weights) * low) + 30 * np.log(weights * low + (1 - weights))
    # The optimum of the score over a grid of 1e-5; ArviZ's optimiser stops where the score is flat.
    assert found.table.loc["better", "weight"] == pytest.approx(weights[np.argmax(score)], abs=1e-3)
    assert found.table.loc["better", "elpd_diff"] == 0
    assert found.table.loc["worse", "elpd_diff"] == pytest.approx(-30, abs=1e-6)


def test_a_law_that_is_far_worse_has_no_weight(wide_fit):
    found = compare({"good": flat(wide_fit, np.zeros(120)), "bad": flat(wide_fit, np.full(120, -1e4))}, max_refits=0)
    assert found.table["weight"].tolist() == pytest.approx([1, 0], abs=1e-6)


def apart(wide_fit, count):
    """Return a comparison of two laws, of which one explains so many rows and the other the rest."""
    first, second = np.zeros(120), np.full(120, -1e4)
    first[count:], second[count:] = -1e4, 0.0
    return compare({"first": flat(wide_fit, first), "second": flat(wide_fit, second)}, max_refits=0)


@pytest.mark.parametrize("count", [6, 24, 60, 114])
def test_laws_that_each_explain_other_rows_share_the_weight(wide_fit, count):
    found = apart(wide_fit, count)
    weights = {"first": count / 120, "second": 1 - count / 120}
    assert not any("not at their optimum" in note for note in found.notes)
    assert found.table["weight"].to_dict() == pytest.approx(weights, abs=1e-3)


def test_weights_that_the_optimiser_did_not_find_are_not_passed_off_as_found(wide_fit):
    assert any("not at their optimum" in note for note in apart(wide_fit, 1).notes)


# What counts as decided


@pytest.mark.parametrize(
    ("elpd_diff", "dse", "runs", "decided"),
    [
        (-4.0, 2.0, 100, True),
        (-3.999, 0.1, 100, False),  # below four nats, however sure
        (-4.0, 2.001, 100, False),  # below two standard errors
        (-40.0, 20.0, 100, True),
        (40.0, 20.0, 1000, True),
        (-4.0, 1.0, 99, True),
        (-4.0, 1.001, 99, False),  # few runs: four standard errors
        (-40.0, 11.0, 99, False),
        (0.0, 0.0, 500, False),
    ],
)
def test_a_difference_is_decided_by_four_nats_and_standard_errors(elpd_diff, dse, runs, decided):
    assert Difference(elpd_diff, dse, runs).decided is decided


@given(st.integers(1, 500), st.floats(-1e3, 1e3), st.floats(0, 1e3))
@hypothesis_settings(max_examples=50)
def test_a_difference_is_decided_alike_in_both_directions(runs, elpd_diff, dse):
    assert Difference(elpd_diff, dse, runs).decided is Difference(-elpd_diff, dse, runs).decided


def test_a_difference_is_the_sum_of_its_rows(wide_comparison):
    found = difference(wide_comparison, "compute_floor", "chinchilla")
    rows = (
        wide_comparison.pointwise["compute_floor"].elpd_i - wide_comparison.pointwise["chinchilla"].elpd_i
    ).to_numpy()
    assert found.elpd_diff == pytest.approx(wide_comparison.table.loc["compute_floor", "elpd_diff"], rel=1e-9)
    assert found.dse == pytest.approx(np.sqrt(120) * rows.std(), rel=1e-12)
    assert found.dse == pytest.approx(wide_comparison.table.loc["compute_floor", "dse"], rel=1e-9)
    other = difference(wide_comparison, "chinchilla", "compute_floor")
    assert (other.elpd_diff, other.dse) == (-found.elpd_diff, found.dse)


# Notes and the record


def test_sound_fits_of_many_runs_need_no_note(wide_comparison):
    assert wide_comparison.notes == ()


def test_the_notes_name_failed_diagnostics_few_runs_and_close_laws(small_runs, synthetic_fit, make_runs):
    floor = make_runs.floor_truth
    tilt = floor | {"K": floor["K"] / 6 ** floor["gamma"], "delta": 0.0}  # the same law, of N D instead of 6 N D
    narrow = {"spread": 1e-5, "sigma": 0.01}
    fits = {
        "compute_floor": synthetic_fit("compute_floor", small_runs, floor, **narrow, failures=("R-hat of E", "no ESS")),
        "tilt": synthetic_fit("tilt", small_runs, tilt, **narrow, seed=1),
    }
    found = compare(fits, max_refits=0)
    first, second = found.table.index
    assert "compute_floor: diagnostics failed (R-hat of E; no ESS)" in found.notes
    assert any(note.startswith("24 runs are fewer than 100: standard errors") for note in found.notes)
    assert f"within 4 nats of {first}, not distinguished: {second}" in found.notes


def test_more_effective_parameters_than_twice_the_real_ones_throw_doubt_on_the_noise(wide_fit):
    found = compare({"fine": wide_fit, "wild": surprise(wide_fit, range(40))}, max_refits=0)
    effective = found.table.loc["wild", "p"]
    assert effective > 14
    assert f"wild: {effective:.1f} effective parameters for 7: doubt the noise model" in found.notes


def test_the_record_has_the_promised_fields_and_is_plain_data(wide_comparison):
    record = comparison_record(wide_comparison)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    promised = {"name", "elpd", "se", "p", "elpd_diff", "dse", "weight", "bad_k"}
    assert record["runs"] == {"name": "wide", "rows": 120, "response": "loss", "unit": "nats per token"}
    assert [law["name"] for law in record["laws"]] == wide_comparison.table.index.tolist()
    for law in record["laws"]:
        assert promised <= set(law)
        assert law["diagnostics_passed"] is True
        assert type(law["bad_k"]) is int
        assert all(type(law[name]) is float for name in promised - {"name", "bad_k"})
        assert law["elpd"] == wide_comparison.table.loc[law["name"], "elpd"]

import dataclasses
import json
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm

import bayescale as bs
from bayescale.cli.program import main
from bayescale.comparison import cross_validation as module
from bayescale.comparison import refits as refitting
from bayescale.comparison.comparison import compare, difference, pointwise_difference
from bayescale.comparison.cross_validation import cross_validate, weights_by
from bayescale.comparison.ranking import rank_laws, standard_error
from bayescale.errors import InputError
from bayescale.fits import sampling
from bayescale.fits.exact import exact_elpd
from bayescale.fits.fit import Fit
from bayescale.records.comparison import cross_validation_record
from bayescale.runs.folds import ALONE, Grouping

NAMES = ("chinchilla", "compute_floor", "tilt")


def with_labels(fitted, labels, column="training_run"):
    """Return the fit with a column of text among what it keeps."""
    tree = fitted.data.copy()
    constant = tree["constant_data"].to_dataset()
    tree["constant_data"] = xr.DataTree(constant.assign({column: ("run", np.asarray(labels, dtype=str))}))
    return Fit(fitted.law, tree)


def made_up(refits, rows):
    """Stand in for a refit: densities that depend on law and run alone, better for laws of longer names."""
    rng = np.random.default_rng(7)
    noise = rng.standard_normal(len(refits.frame))
    elpd = np.round(noise[list(rows)] + 0.1 * len(refits.law.name), 6)
    return {"elpd": elpd.tolist(), "passed": True}


@pytest.fixture
def refits(monkeypatch, own_cache):
    """Replace refits by made-up densities, in this process; return the calls."""
    del own_cache
    calls = []

    def refit(refits, rows):
        calls.append((refits.law.name, tuple(rows)))
        return made_up(refits, rows)

    monkeypatch.setattr(refitting, "_refit_without", refit)
    monkeypatch.setattr("loky.cpu_count", lambda: 1)
    return calls


@pytest.fixture(scope="module")
def fits(wide_comparison):
    return {name: wide_comparison.fits[name] for name in NAMES}


# What is not scored


def test_a_fold_that_leaves_too_few_runs_is_not_scored_for_any_law(fits, refits):
    labelled = {name: with_labels(each, ["big"] * 113 + ["b"] * 4 + ["c"] * 3, "family") for name, each in fits.items()}
    found = cross_validate(labelled, "family")
    assert "big: not scored, as 7 runs are left and chinchilla needs 8" in found.notes
    assert {len(rows) for _, rows in refits} == {4, 3}
    assert np.isnan(found.elpd_i.to_numpy()[:, :113]).all()
    assert np.isfinite(found.elpd_i.to_numpy()[:, 113:]).all()


def test_where_no_fold_leaves_enough_runs_nothing_is_scored(small_runs, synthetic_fit):
    few = dataclasses.replace(small_runs, frame=small_runs.frame.iloc[:10].assign(C=np.geomspace(1e18, 1e19, 10)))
    small = {name: synthetic_fit(name, few, draws=20) for name in NAMES}
    with pytest.raises(InputError, match="5 runs are left and chinchilla needs 8; cross-validate by something else"):
        cross_validate(small, "largest")


# Scores


def test_every_run_is_scored_once_by_a_refit_without_its_group(fits, refits):
    found = cross_validate(fits, "budget")
    assert found.elpd_i.dims == ("law", "run")
    assert np.isfinite(found.elpd_i).all()
    for name in NAMES:
        rows = [row for law, held in refits if law == name for row in held]
        assert sorted(rows) == list(range(120))
    held = {rows for _, rows in refits}
    assert len(held) == 5
    for rows in held:
        assert np.unique(found.groups[list(rows)]).size == 1
        assert set(np.flatnonzero(np.isin(found.groups, found.groups[list(rows)]))) == set(rows)


def test_the_table_sums_densities_and_takes_standard_errors_over_groups(fits, refits):
    del refits
    found = cross_validate(fits, "budget")
    best = found.table.index[0]
    codes = np.unique(found.groups, return_inverse=True)[1]
    assert best == "compute_floor"  # the longest name
    for name in NAMES:
        values = found.elpd_i.sel(law=name).to_numpy()
        sums = np.bincount(codes, values)
        assert found.table.loc[name, "elpd"] == pytest.approx(values.sum(), rel=1e-12)
        # Budgets of equal size: the textbook formula for a sum of independent groups.
        assert found.table.loc[name, "se"] == pytest.approx(np.sqrt(5 * sums.var(ddof=1)), rel=1e-9)
    ahead = found.elpd_i.sel(law="tilt") - found.elpd_i.sel(law=best)
    assert found.table.loc["tilt", "elpd_diff"] == pytest.approx(float(ahead.sum()), rel=1e-9)
    assert found.table.loc[best, "weight"] == pytest.approx(1, abs=1e-3)
    assert found.table.loc[best, "best_probability"] == 1
    assert any(note.startswith("5 budgets are fewer than 100") for note in found.notes)


def test_the_largest_are_scored_alone_and_their_standard_errors_are_over_runs(fits, refits):
    found = cross_validate(fits, "largest")
    assert len(refits) == 3
    scored = found.folds == 0
    assert scored.sum() == 24
    values = found.elpd_i.sel(law="tilt").to_numpy()[scored]
    assert found.table.loc["tilt", "elpd"] == pytest.approx(values.sum(), rel=1e-12)
    assert found.table.loc["tilt", "se"] == pytest.approx(np.sqrt(24 * values.var(ddof=1)), rel=1e-9)
    assert any("one fold" in note for note in found.notes)


def test_one_unit_gives_no_standard_error_and_decides_nothing(fits, refits):
    del refits
    labelled = {name: with_labels(each, ["x"] * 120) for name, each in fits.items()}
    found = cross_validate(labelled, "largest")
    assert found.table["se"].isna().all()
    assert not found.table["decided"].any()


@pytest.mark.usefixtures("refits")
def test_refits_that_failed_the_gate_are_counted_and_noted(fits, monkeypatch):
    def doubtful(refits, rows):
        return made_up(refits, rows) | {"passed": refits.law.name != "tilt" or 0 in rows}

    monkeypatch.setattr(refitting, "_refit_without", doubtful)
    found = cross_validate(fits, "budget")
    assert found.failed == {"chinchilla": 0, "compute_floor": 0, "tilt": 4}
    assert "tilt: diagnostics failed in 4 of 5 refits; its elpd is doubtful" in found.notes


def test_results_are_kept_and_damaged_ones_made_again(fits, refits, own_cache):
    first = cross_validate(fits, "budget")
    assert len(refits) == 15
    assert cross_validate(fits, "budget").elpd_i.identical(first.elpd_i)
    assert len(refits) == 15
    broken = sorted((own_cache / "folds").glob("*.json"))[0]
    broken.write_text('{"elpd": [1')
    assert cross_validate(fits, "budget").elpd_i.identical(first.elpd_i)
    assert len(refits) == 16


def test_without_the_cache_nothing_is_read_or_kept(fits, refits, own_cache):
    cross_validate(fits, "budget", cache=False)
    cross_validate(fits, "budget", cache=False)
    assert len(refits) == 30
    assert not (own_cache / "folds").exists()


@pytest.mark.usefixtures("refits")
def test_progress_tells_the_folds_of_each_law(fits):
    told = []
    cross_validate(fits, "budget", progress=lambda *said: told.append(said))
    assert {(name, 5, 5) for name in NAMES} <= set(told)


def test_a_refit_keeps_the_reference_values_and_sees_the_other_runs_only(wide_fit, monkeypatch):
    seen = []

    def sample_posterior(_law, data, settings):
        seen.append((data, settings))
        return wide_fit.data["posterior"].to_dataset(), None, wide_fit.diagnostics, None

    monkeypatch.setattr(sampling, "sample_posterior", sample_posterior)
    folds = np.where(np.arange(120) < 24, 0, ALONE)
    refits = refitting.refits_of(wide_fit, folds)
    found = refitting._refit_without(refits, refits.folds[0])
    (data, settings), frame = seen[0], wide_fit.runs.frame
    np.testing.assert_array_equal(data["N"], frame["N"][24:] / wide_fit.reference["N"])
    np.testing.assert_array_equal(data["log_response"], np.log(frame["loss"][24:]))
    assert settings.random_seed == wide_fit.record["settings"]["random_seed"]
    # The stand-in posterior is that of all runs: the densities must be those that the fit itself holds.
    density = wide_fit.data["log_likelihood"]["log_response"].to_numpy().reshape(-1, 120)[:, :24]
    np.testing.assert_allclose(found["elpd"], np.logaddexp.reduce(density) - np.log(len(density)), rtol=1e-12)
    assert found["passed"] is True


@pytest.mark.usefixtures("refits")
def test_the_record_is_plain_data_with_the_promised_fields(fits):
    record = cross_validation_record(cross_validate(fits, "budget"))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert {"by", "groups", "laws", "notes"} <= set(record)
    assert (record["by"], record["groups"], record["folds"], record["rows"]) == ("budget", 5, 5, 120)
    promised = {"name", "elpd", "se", "elpd_diff", "dse", "weight", "best_probability"}
    assert all(promised <= set(law) for law in record["laws"])


# Side by side


@pytest.mark.usefixtures("refits")
def test_weights_stand_side_by_side_with_words_for_small_differences(fits):
    point, largest = compare(fits, max_refits=0), cross_validate(fits, "largest")
    found = weights_by({"point": point, "largest": largest})
    assert found.index.tolist() == point.table.index.tolist()
    assert found.columns.get_level_values("criterion").unique().tolist() == ["point", "largest"]
    for name, result in (("point", point), ("largest", largest)):
        assert found[name]["weight"].to_dict() == result.table["weight"].to_dict()
        assert found.loc[result.table.index[0], (name, "standing")] == "best"
    assert found.loc["compute_floor", ("point", "standing")] == "worse"
    # Made-up densities differ by 0.1 nats a letter and run, with no noise between laws, over 24 runs.
    assert found.loc["chinchilla", ("largest", "elpd_diff")] == pytest.approx(-0.3 * 24)
    assert found.loc["chinchilla", ("largest", "standing")] == "worse"


@pytest.mark.usefixtures("refits")
def test_a_difference_below_four_nats_is_not_decided(fits, monkeypatch):
    monkeypatch.setattr(
        refitting,
        "_refit_without",
        lambda refits, rows: {"elpd": [0.01 * len(refits.law.name)] * len(rows), "passed": True},
    )
    standing = weights_by({"largest": cross_validate(fits, "largest")})["largest"]["standing"]
    assert standing.to_dict() == {"compute_floor": "best", "chinchilla": "not decided", "tilt": "not decided"}


def test_criteria_of_other_laws_are_refused(wide_comparison, fits):
    with pytest.raises(InputError, match="expected the same laws on the same runs under every criterion"):
        weights_by({"four": wide_comparison, "three": compare(fits, max_refits=0)})
    with pytest.raises(InputError, match="found none"):
        weights_by({})


# Rows of one training run


def simulated_differences(rng, sizes, between, within, draws):
    """Return differences of elpd by row (draw, row) whose groups share an effect, and the group of each row."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    effects = between * rng.standard_normal((draws, len(sizes)))
    return 0.2 + effects[:, groups] + within * rng.standard_normal((draws, groups.size)), groups


@pytest.mark.parametrize("sizes", [(10,) * 42, (2, 18) * 21])
def test_the_standard_error_over_groups_is_the_spread_over_repetitions_and_that_over_rows_is_not(sizes):
    values, groups = simulated_differences(np.random.default_rng(0), sizes, 0.5, 0.5, 4000)
    spread = values.sum(axis=1).std()
    over_groups = np.mean([standard_error(row, groups) for row in values])
    over_rows = np.mean([standard_error(row, np.arange(row.size)) for row in values])
    # The spread of 4000 sums is known to 1.1%; 42 groups bias a standard error by up to 1/42 for unequal sizes.
    assert over_groups == pytest.approx(spread, rel=0.05)
    assert over_rows < 0.5 * spread


def test_where_rows_are_independent_grouping_them_changes_little():
    values, groups = simulated_differences(np.random.default_rng(1), (10,) * 42, 0.0, 0.5, 2000)
    over_groups = np.mean([standard_error(row, groups) for row in values])
    over_rows = np.mean([standard_error(row, np.arange(row.size)) for row in values])
    assert over_groups == pytest.approx(over_rows, rel=0.02)


def test_compare_takes_standard_errors_over_training_runs(fits):
    labels = [f"model {i // 4}" for i in range(120)]
    rows, grouped = (
        compare(fits, max_refits=0),
        compare({n: with_labels(f, labels) for n, f in fits.items()}, max_refits=0),
    )
    assert difference(rows, "chinchilla", "tilt").runs == 120
    found = difference(grouped, "chinchilla", "tilt")
    assert found.runs == 30
    ahead = pointwise_difference(grouped, "chinchilla", "tilt").reshape(30, 4).sum(axis=1)
    assert found.dse == pytest.approx(np.sqrt(30 * ahead.var(ddof=1)), rel=1e-9)
    assert grouped.table.loc["tilt", "dse"] == pytest.approx(found.dse, rel=1e-12)
    assert found.elpd_diff == difference(rows, "chinchilla", "tilt").elpd_diff
    assert grouped.table["weight"].to_dict() == rows.table["weight"].to_dict()
    said = "120 rows of 30 training runs: standard errors are over training runs"
    assert any(note.startswith(said) and "cross-validate by training_run" in note for note in grouped.notes)
    assert any(note.startswith("30 training runs are fewer than 100") for note in grouped.notes)


def test_of_one_training_run_there_are_no_standard_errors_and_no_probabilities(fits):
    found = compare({n: with_labels(f, ["model"] * 120) for n, f in fits.items()}, max_refits=0)
    assert found.table[["se", "dse", "best_probability"]].isna().all(axis=None)
    assert np.isnan(found.ranking_probability)
    assert not found.table["decided"].any()
    assert found.notes[0].startswith("120 rows of 1 training run: ")
    assert "cross-validate" not in found.notes[0]
    assert found.notes[1].startswith("one training run: ")
    assert not any("standard errors of differences are too small" in note for note in found.notes)


def test_labels_that_never_repeat_change_nothing(fits):
    own = {name: with_labels(each, [f"model {i}" for i in range(120)]) for name, each in fits.items()}
    first, second = compare(fits, max_refits=0), compare(own, max_refits=0)
    pd.testing.assert_series_equal(first.table["dse"], second.table["dse"], rtol=1e-12)
    assert first.notes == second.notes


# Probability of being the best


def ranking(densities, units, seed=0):
    pointwise = {
        name: module._elpd_data(np.asarray(values, dtype=float), units, STAND_IN, Grouping(*[units] * 3, ()))
        for name, values in densities.items()
    }
    return rank_laws(pointwise, units, random_seed=seed)


STAND_IN = Fit(bs.LAWS["tilt"], xr.DataTree.from_dict({"posterior": xr.Dataset({"x": (("chain", "draw"), [[0.0]])})}))


def test_the_bootstrap_agrees_with_the_normal_approximation():
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(400)
    noise -= noise.mean()
    found = ranking({"first": noise + 0.05, "second": np.zeros(400)}, np.arange(400))
    errors = 20 / (np.sqrt(400) * noise.std())
    # 4000 draws know it to 0.006, and the bootstrap of 400 rows is nearly normal.
    assert found.table.loc["first", "best_probability"] == pytest.approx(norm.cdf(errors), abs=0.025)
    assert found.probability == pytest.approx(found.table.loc["first", "best_probability"])


def test_laws_that_tie_share_the_probability():
    found = ranking({"one": np.zeros(50), "same": np.zeros(50)}, np.arange(50))
    assert found.table["best_probability"].tolist() == [0.5, 0.5]
    assert found.probability == 1


def test_a_lead_that_rests_on_one_group_is_not_sure():
    first = np.zeros(100)
    first[:10] = 3.0
    others = np.r_[np.zeros(10), np.full(90, 0.2)]
    by_row = ranking({"first": first, "second": others}, np.arange(100)).table.loc["first", "best_probability"]
    by_group = ranking({"first": first, "second": others}, np.repeat(np.arange(10), 10))
    assert by_row > 0.85
    assert by_group.table.loc["first", "best_probability"] < by_row


def test_the_bootstrap_depends_on_its_seed_alone():
    rng = np.random.default_rng(0)
    densities = {"a": rng.standard_normal(30), "b": rng.standard_normal(30), "c": rng.standard_normal(30)}
    one, again, other = (ranking(densities, np.arange(30), seed) for seed in (0, 0, 1))
    assert one.table["best_probability"].tolist() == again.table["best_probability"].tolist()
    assert one.table["best_probability"].tolist() != other.table["best_probability"].tolist()
    assert one.table["best_probability"].sum() == pytest.approx(1)


# The command line


@pytest.fixture
def command(wide_runs, wide_comparison, refits, monkeypatch):
    """Run compare on the wide table without sampling, on a window of 80 columns."""
    del refits
    monkeypatch.setenv("COLUMNS", "80")
    with (
        patch("bayescale.catalogue.resolve_runs", autospec=True, return_value=wide_runs),
        patch("bayescale.fit_laws", autospec=True, return_value=dict(wide_comparison.fits)),
    ):
        yield lambda *tokens: main(["compare", "wide", *tokens])


@pytest.mark.parametrize("tokens", [("--by", "budget,largest"), ("--by", "budget", "--by", "largest")])
def test_each_criterion_is_compared_in_turn(command, capsys, tokens):
    assert command(*tokens, "--json") == 0
    record = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [each["by"] for each in record["criteria"]] == ["budget", "largest"]
    assert [each["groups"] for each in record["criteria"]] == [5, 1]
    assert all({"best_probability", "weight"} <= set(law) for each in record["criteria"] for law in each["laws"])
    assert all("best_probability" in law for law in record["laws"])


def test_criteria_are_printed_side_by_side(command, capsys):
    assert command("--by", "budget,largest") == 0
    printed = capsys.readouterr().out
    for words in (
        "By budget: 120 runs left out in 5 refits",
        "By largest: 24 runs",
        "Stacking weights by what is left",
    ):
        assert words in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_without_a_criterion_nothing_is_refitted(command, capsys):
    assert command("--json") == 0
    assert json.loads(capsys.readouterr().out)["criteria"] == []


@pytest.mark.parametrize("by", ["size", "budget,budget", ""])
def test_a_criterion_that_is_not_known_or_named_twice_is_a_usage_error(command, capsys, by):
    assert command("--by", by) == 2
    assert "expected some of" in capsys.readouterr().err


# Real posteriors


@pytest.mark.slow
def test_a_fold_of_one_run_is_the_exact_refit(sampled_fit):
    refits = refitting.refits_of(sampled_fit, np.where(np.arange(24) == 5, 0, ALONE))
    found = refitting._refit_without(refits, refits.folds[0])
    assert found["passed"]
    assert found["elpd"] == [exact_elpd(sampled_fit, 5, cache=False)]


@pytest.mark.slow
def test_ten_folds_agree_with_point_loo_on_the_chinchilla_table():
    fits = bs.fit_laws(bs.load_runs("chinchilla"), ["compute_floor", "chinchilla"], random_seed=1)
    point, folds = bs.compare(fits), cross_validate(fits, "random")
    for name in fits:
        # Training on nine tenths costs a little, Monte Carlo error is below one nat; four nats are not told apart.
        assert folds.table.loc[name, "elpd"] == pytest.approx(point.table.loc[name, "elpd"], abs=4)
    assert folds.failed == {"compute_floor": 0, "chinchilla": 0}

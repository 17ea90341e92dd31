import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.errors import InputError
from bayescale.fits import sampling
from bayescale.fits.kernel import kernel_of
from bayescale.forecasts import alternatives
from bayescale.forecasts.backtesting import METHODS, scores_by_factor, threshold_text
from bayescale.forecasts.scores import summarise
from bayescale.records.backtest import backtest_record
from bayescale.runs import RunTable
from bayescale.runs.folds import THRESHOLDS
from bayescale.storage import keep, kept

QUICK = ("least_squares",)
OWN = ("discrepancy", "plain")
LAW = "compute_floor"  # the one law that the quick tests compile


@pytest.fixture(autouse=True)
def few_bootstraps(monkeypatch):
    monkeypatch.setattr(alternatives, "BOOTSTRAPS", 60)


@pytest.fixture(scope="module")
def table(make_runs):
    """40 runs at five budgets and of two families, in no order."""
    N, D = make_runs.isoflop(sizes=8)
    order = np.random.default_rng(0).permutation(N.size)
    families = np.array(["first", "second"])[np.arange(N.size) % 2]
    labels = np.array([f"run-{i:02d}" for i in range(N.size)])
    columns = {"run": labels[order], "family": families[order]}
    truth = make_runs.floor_truth
    return make_runs.of(N[order], D[order], law=LAW, truth=truth, noise=0.01, seed=3, name="made", **columns)


def column(table, name, labels):
    return table.frame.set_index("run").loc[list(labels), name].to_numpy()


def rest(table, labels):
    return [label for label in table.frame["run"] if label not in set(labels)]


@pytest.fixture
def compilations(monkeypatch):
    """Forget compiled models, and list what is compiled."""
    models = []
    monkeypatch.setattr(sampling, "_COMPILED", {})
    monkeypatch.setattr(sampling, "kernel_of", lambda law: models.append(law) or kernel_of(law))
    return models


# Folds


@pytest.mark.parametrize("by", ["C", "N", "D"])
def test_the_largest_are_forecast_from_the_smaller(table, by):
    found = bs.backtest(table, [LAW], by=by, thresholds=[0.2, 0.4, 10.0], methods=QUICK, cache=False)
    for threshold, points in found.points.groupby("threshold"):
        held, train = column(table, by, points["run"]), column(table, by, rest(table, points["run"]))
        assert held.min() > train.max()
        np.testing.assert_allclose(points["factor"], held / train.max())
        if threshold > 1:
            assert train.max() * threshold <= held.max() * 1.0001
            assert held.min() * threshold > held.max() * 0.9999
        else:
            assert held.size >= threshold * len(table.frame) - 1e-9
            assert (held > held.min()).sum() < threshold * len(table.frame)  # without those that tie it is fewer
    counts = found.points.groupby("threshold").size()
    assert counts[0.2] == 8 <= counts[0.4]  # one budget of five, by C; as many by N and D


def test_each_budget_is_forecast_from_the_smaller_ones(table):
    found = bs.backtest(table, [LAW], by="budget", methods=QUICK, cache=False)
    assert len(found.scores) == 4
    for i, (_, points) in enumerate(found.points.groupby("threshold", sort=False)):
        held = column(table, "C", points["run"])
        np.testing.assert_allclose(held, 10.0 ** (19 + i))
        np.testing.assert_allclose(points["factor"], 10.0 * np.ones(8))
    (note,) = found.notes  # nothing is smaller than the smallest
    assert "not fitted to 0 runs" in note


def test_each_family_is_forecast_from_all_others(table):
    found = bs.backtest(table, [LAW], by="family", methods=QUICK, cache=False)
    for family, points in found.points.groupby("threshold"):
        assert set(points["run"]) == set(table.frame.loc[table.frame["family"] == family, "run"])
        np.testing.assert_allclose(points["factor"], column(table, "C", points["run"]) / 1e22)
    assert set(found.scores["threshold"]) == {"first", "second"}


def test_labels_that_look_like_numbers_stay_as_they_are(table):
    labels = [f"{i:03d}" for i in range(38)] + ["1e5", "nan"]
    other = dataclasses.replace(table, frame=table.frame.assign(run=labels))
    found = bs.backtest(other, [LAW], by="family", methods=QUICK, cache=False)
    assert sorted(found.points["run"]) == sorted(labels)


# Scores


def test_scores_are_the_summary_of_their_points(table):
    found = bs.backtest(table, [LAW], methods=QUICK, cache=False)
    assert list(found.scores["threshold"]) == list(THRESHOLDS)
    for _, row in found.scores.iterrows():
        points = found.points[found.points["threshold"] == row["threshold"]]
        expected = summarise(points)
        assert (row["held_out"], row["factor"]) == (len(points), points["factor"].max())
        assert [row[f"coverage_{p}"] for p in (50, 80, 90, 95)] == list(expected.coverage.values())
        for name in ("width", "lpd", "crps", "bias", "rmse"):
            assert row[name] == getattr(expected, name)


def test_points_are_pooled_by_factor(table):
    found = bs.backtest(table, [LAW], methods=QUICK, cache=False)
    pooled = scores_by_factor(found.points)
    assert pooled["runs"].sum() == len(found.points)
    for _, row in pooled.iterrows():
        inside = found.points[(found.points["factor"] >= row["low"]) & (found.points["factor"] < row["high"])]
        assert len(inside) == row["runs"]
        assert row["lpd"] == pytest.approx(inside["lpd"].mean())
        assert row["coverage_90"] == pytest.approx(inside["inside_90"].mean())


def test_the_record_has_the_promised_shape_and_is_json(table):
    found = bs.backtest(table, [LAW], thresholds=[0.2, 30.0], methods=QUICK, cache=False)
    record = json.loads(json.dumps(backtest_record(found), allow_nan=False))
    asked = {"law", "method", "threshold", "held_out", "factor", "coverage", "width", "lpd", "crps", "bias", "rmse"}
    for row, (_, score) in zip(record["scores"], found.scores.iterrows(), strict=True):
        assert asked <= set(row)
        assert set(row["coverage"]) == {"0.5", "0.8", "0.9", "0.95"}
        assert row["coverage"]["0.9"] == score["coverage_90"]
        assert (row["threshold"], row["held_out"]) == (score["threshold"], score["held_out"])
    assert record["runs"] == {"name": "made", "rows": 40, "response": "loss", "unit": "nats per token"}
    assert all(len(row["factor"]) == 2 and row["factor"][0] is not None for row in record["by_factor"])
    assert record["by"] == "C"


def test_thresholds_are_told_in_words():
    texts = [threshold_text(*each) for each in ((0.2, "C"), (10.0, "N"), ("1e21 FLOP", "budget"))]
    assert texts == ["largest 20% by C", "N within 10x of the largest", "budget 1e21 FLOP"]


# Every method


def width_by_theory(table):
    """Return the width of 90% intervals around least squares, to first order, for the noise that the runs show."""
    C, loss = (table.frame[name].to_numpy() for name in ("C", "loss"))
    larger, truth = C > 5e21, np.array([1.8, np.log(2500.0), 0.17])  # make_runs.floor_truth, K by its logarithm

    def log_loss(values):
        E, log_K, gamma = values
        return np.log(E + np.exp(log_K) / C**gamma)

    slopes = np.stack([(log_loss(truth + step) - log_loss(truth - step)) / 2e-5 for step in 1e-5 * np.eye(3)], axis=1)
    sigma = np.log(loss / np.exp(log_loss(truth)))[~larger].std()
    covariance = np.linalg.inv(slopes[~larger].T @ slopes[~larger])
    spread = sigma * np.sqrt(1 + np.einsum("ri,ij,rj->r", slopes[larger], covariance, slopes[larger]))
    return 2 * 1.645 * (spread * loss[larger]).mean()


@pytest.mark.usefixtures("own_cache")
def test_every_method_forecasts_runs_of_its_own_law(table):
    found = bs.backtest(table, [LAW], thresholds=[0.2], methods=METHODS, random_seed=1)
    assert list(found.scores["method"]) == list(METHODS)
    assert found.scores["passed"].all()
    assert found.notes == ()
    scores = found.scores.set_index("method")
    noise = 2 * 1.645 * 0.01 * table.frame.loc[table.frame["C"] > 5e21, "loss"].mean()
    # Of 32 runs the noise is known to 13%, the ends of 60 bootstraps or 32 residuals to about as much again.
    assert scores["width"].between(0.7 * width_by_theory(table), 1.4 * width_by_theory(table)).all()
    assert (scores["rmse"] < noise).all()
    assert (scores["bias"].abs() < scores["width"]).all()  # the error of the one fit, which all eight runs share
    assert np.ptp(scores["lpd"]) < 1
    assert scores.loc["discrepancy", "width"] > scores.loc["plain", "width"] * 0.95


# The cache, the seed and compilations


def test_a_law_is_compiled_once_for_all_folds_and_not_at_all_from_the_cache(
    table, compilations, own_cache, monkeypatch
):
    calls = []
    first = bs.backtest(table, [LAW], methods=OWN, random_seed=2, progress=lambda *each: calls.append(each))
    assert len(first.scores) == 8
    assert len(compilations) == 1
    assert calls == [(LAW, i, 4) for i in (1, 2, 3, 4)]
    sampling._COMPILED.clear()
    monkeypatch.setattr(sampling, "sample_posterior", None)  # nothing may be sampled again
    again = bs.backtest(table, [LAW], methods=OWN, random_seed=2)
    assert len(compilations) == 1
    pd.testing.assert_frame_equal(again.points, first.points, check_exact=True)
    pd.testing.assert_frame_equal(again.scores, first.scores, check_exact=True)
    assert len(list(own_cache.glob("backtests/*.json"))) == 8


@pytest.mark.parametrize("text", ["", "{", "[]", '{"points": 3}'])
def test_a_damaged_result_is_made_again(table, own_cache, text):
    first = bs.backtest(table, [LAW], thresholds=[0.2], methods=QUICK)
    (path,) = own_cache.glob("backtests/*.json")
    whole = path.read_text()
    path.write_text(text)
    again = bs.backtest(table, [LAW], thresholds=[0.2], methods=QUICK)
    pd.testing.assert_frame_equal(again.points, first.points, check_exact=True)
    assert path.read_text() == whole


@pytest.mark.parametrize("part", ['"points"', '"passed"', '"threshold"'])
def test_a_result_without_a_part_is_made_again(table, own_cache, part):
    first = bs.backtest(table, [LAW], thresholds=[0.2], methods=QUICK)
    (path,) = own_cache.glob("backtests/*.json")
    keep(path, json.loads(json.dumps(kept(path)).replace(part, '"other"')))
    again = bs.backtest(table, [LAW], thresholds=[0.2], methods=QUICK)
    pd.testing.assert_frame_equal(again.scores, first.scores, check_exact=True)


def test_without_the_cache_the_numbers_are_the_same_and_nothing_is_kept(table, own_cache):
    arguments = {"thresholds": [0.2], "methods": (*OWN, *QUICK), "random_seed": 2}
    alone = bs.backtest(table, [LAW], cache=False, **arguments)
    assert not own_cache.exists() or not list(own_cache.glob("backtests/*"))
    kept = bs.backtest(table, [LAW], **arguments)
    pd.testing.assert_frame_equal(alone.points, kept.points, check_exact=True)


def test_the_order_of_rows_does_not_matter_and_the_seed_does(table):
    shuffled = dataclasses.replace(table, frame=table.frame.sample(frac=1, random_state=1, ignore_index=True))
    arguments = {"thresholds": [0.4], "methods": QUICK, "cache": False}
    first, second = (bs.backtest(runs, [LAW], random_seed=1, **arguments) for runs in (table, shuffled))
    other = bs.backtest(table, [LAW], random_seed=2, **arguments)
    pd.testing.assert_frame_equal(first.points, second.points, check_exact=True)
    assert first.scores.loc[0, "lpd"] != other.scores.loc[0, "lpd"]
    assert first.scores.loc[0, "lpd"] == pytest.approx(other.scores.loc[0, "lpd"], abs=0.5)


def test_another_table_law_or_method_has_results_of_its_own(table, own_cache):
    other = dataclasses.replace(table, frame=table.frame.assign(loss=table.frame["loss"] * 1.01))
    for runs, law, method in (
        (table, LAW, "least_squares"),
        (other, LAW, "least_squares"),
        (table, "compute_power", "least_squares"),
        (table, LAW, "conformal"),
    ):
        bs.backtest(runs, [law], thresholds=[0.2], methods=[method])
    assert len(list(own_cache.glob("backtests/*.json"))) == 4


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
def test_laws_in_processes_of_their_own_give_the_same_numbers_in_the_order_asked(table):
    laws, done = ("compute_power", "compute_floor"), []
    arguments = {"thresholds": [0.2, 10.0], "methods": OWN, "random_seed": 2}
    together = bs.backtest(table, laws, progress=lambda *each: done.append(each), **arguments)
    assert sorted(done) == [("compute_floor", 2, 2), ("compute_power", 2, 2)]
    assert list(dict.fromkeys(together.scores["law"])) == list(laws)
    for law in laws:
        alone = bs.backtest(table, [law], cache=False, **arguments).points
        same = together.points[together.points["law"] == law].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, same, check_exact=True)
    again = bs.backtest(table, laws, **arguments)
    pd.testing.assert_frame_equal(again.points, together.points, check_exact=True)


# What cannot be done


def test_folds_that_are_too_small_are_told(table):
    small = dataclasses.replace(table, frame=table.frame.sort_values("C")[:20])
    apart = small.frame.assign(C=small.frame["C"] * np.linspace(1, 1.001, 20))  # no two runs tie
    small = dataclasses.replace(small, frame=apart)
    found = bs.backtest(small, [LAW], thresholds=[0.2, 1000.0, 0.05], methods=QUICK, cache=False)
    assert list(found.scores["threshold"]) == [0.2]
    short = [note for note in found.notes if "too few for it (1000.0 held out)" in note]
    assert len(short) == 1
    assert "largest 5% by C: 1 run, too few to score" in found.notes


def test_runs_that_tie_are_held_out_together(table):
    found = bs.backtest(table, [LAW], thresholds=[0.05, 0.3], methods=QUICK, cache=False)
    # One run and the seven of its budget; of 12 runs four belong to the second budget, whose other four follow.
    assert found.scores.set_index("threshold")["held_out"].to_dict() == {0.05: 8, 0.3: 16}


def test_a_law_with_too_many_parameters_is_left_out_where_a_smaller_one_is_fitted(table):
    found = bs.backtest(table, ["bnsl_two", LAW], thresholds=[0.8], methods=QUICK, cache=False)
    assert set(found.scores["law"]) == {LAW}
    assert any(note.startswith("bnsl_two: not fitted to 8 runs") for note in found.notes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"methods": ["bayes"]}, r"unknown method bayes; expected some of discrepancy, plain, least_squares"),
        ({"methods": []}, r"unknown method \(none\)"),
        ({"by": "loss"}, "cannot hold out by loss; expected C, N, D, budget or family"),
        ({"by": "family", "thresholds": [0.2]}, "thresholds go with by = C, N or D"),
        ({"by": "budget", "thresholds": [0.2]}, "thresholds go with by = C, N or D"),
        ({"thresholds": [0.2, 1.0]}, "expected parts of the runs below 1, or factors above 1"),
        ({"thresholds": [-0.2]}, "expected parts of the runs below 1"),
        ({"thresholds": [np.inf]}, "expected parts of the runs below 1"),
        ({"thresholds": [np.nan]}, "expected parts of the runs below 1"),
        ({"thresholds": []}, "expected parts of the runs below 1"),
        ({"thresholds": [1e9]}, "no fold by C leaves enough runs to fit and 3 to forecast; found 40 runs"),
        ({"thresholds": [0.999]}, "no fold by C leaves enough runs"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(table, arguments, message):
    with pytest.raises(InputError, match=message):
        bs.backtest(table, [LAW], **{"methods": QUICK, "cache": False, **arguments})


@pytest.mark.parametrize("laws", [[], [LAW, LAW]])
def test_laws_must_be_some_of_different_names(table, laws):
    with pytest.raises(InputError, match="expected one or more laws of different names"):
        bs.backtest(table, laws, methods=QUICK)


def test_a_missing_column_is_named(table):
    without = dataclasses.replace(table, frame=table.frame.drop(columns="family"))
    with pytest.raises(InputError, match="holding out families needs column family"):
        bs.backtest(without, [LAW], by="family", methods=QUICK)


@pytest.mark.parametrize("by", ["C", "family", "budget"])
def test_a_table_without_compute_is_refused_in_words(by):
    rng = np.random.default_rng(0)
    D = np.geomspace(1e9, 1e11, 20)
    frame = pd.DataFrame(
        {"D": D, "loss": 30 * D**-0.1 * np.exp(0.01 * rng.standard_normal(20)), "family": ["a", "b"] * 10}
    )
    frame["budget"] = np.repeat([1e18, 1e19, 1e20, 1e21], 5)
    runs = RunTable.from_frame(frame, name="tokens", needs=("D",))
    with pytest.raises(InputError, match=r"tokens: .*needs .*C"):
        bs.backtest(runs, ["kaplan_d"], by=by, methods=QUICK, cache=False)
    found = bs.backtest(runs, ["kaplan_d"], by="D", thresholds=[0.2], methods=QUICK, cache=False)
    assert (found.points["factor"] > 1).all()

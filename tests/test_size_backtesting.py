import dataclasses
import json

import made
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayescale as bs
from bayescale.decisions import size_forecasts
from bayescale.decisions.size_backtesting import planned_size_folds, why_no_size_backtest
from bayescale.decisions.size_forecasts import LAWLESS, METHODS, bare_law, parabola
from bayescale.decisions.size_scores import overall, score_sizes, size_scores, wasted_compute
from bayescale.errors import InputError
from bayescale.forecasts import alternatives, refits
from bayescale.laws import LAWS
from bayescale.records.size_backtest import size_backtest_record
from bayescale.runs import RunTable
from bayescale.splits.minima import isoflop_minima
from bayescale.splits.optimum import find_optimum

LAW = "chinchilla"
TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}


def isoflop_runs(slices, noise=0.002, seed=0):
    """Return runs in slices a factor 3 apart, nine sizes each around the best one."""
    rng = np.random.default_rng(seed)
    C, offset = (each.ravel() for each in np.meshgrid(1e18 * 3.0 ** np.arange(slices), np.linspace(-1.2, 1.2, 9)))
    a, b = TRUTH["alpha"], TRUTH["beta"]
    N = (a * TRUTH["A"] / (b * TRUTH["B"])) ** (1 / (a + b)) * (C / 6) ** (b / (a + b)) * np.exp(offset)
    loss = LAWS[LAW].loss(N, C / (6 * N), **TRUTH) * np.exp(noise * rng.standard_normal(C.size))
    frame = pd.DataFrame({"run": [f"run {i}" for i in range(C.size)], "N": N, "D": C / (6 * N), "C": C, "loss": loss})
    return RunTable.from_frame(frame, name="slices")


def true_sizes(C):
    a, b = TRUTH["alpha"], TRUTH["beta"]
    return (a * TRUTH["A"] / (b * TRUTH["B"])) ** (1 / (a + b)) * (np.asarray(C) / 6) ** (b / (a + b))


@pytest.fixture(scope="module")
def table():
    return isoflop_runs(7)


@pytest.fixture
def sampled(monkeypatch):
    """Replace sampling by draws about a least-squares fit, and list how many runs each was made of."""
    calls = []

    def fit(law, runs, settings):
        calls.append((law.name, len(runs.frame), settings.random_seed))
        return made.simulated_fit(law, runs)

    monkeypatch.setattr(refits, "sample_posterior_alone", fit)
    monkeypatch.setattr(alternatives, "BOOTSTRAPS", 60)
    monkeypatch.setattr(size_forecasts, "BOOTSTRAPS", 200)
    return calls


# Folds


def test_the_largest_slices_are_forecast_from_all_smaller_runs(table, sampled):
    found = bs.backtest_sizes(table, [LAW], held_out=[1, 3], methods=["law", "line"], cache=False)
    assert [rows for _, rows, _ in sampled] == [54, 36]
    minima = isoflop_minima(table)
    for count, points in found.points.groupby("slices"):
        own = points[points["method"] == "law"]
        np.testing.assert_allclose(own["flops"], minima.table["flops"].to_numpy()[-count:])
        np.testing.assert_allclose(own["observed"], minima.table["N"].to_numpy()[-count:])
        np.testing.assert_allclose(own["factor"], 3.0 ** np.arange(1, count + 1), rtol=1e-6)
        np.testing.assert_allclose(own["observed_error"], minima.log_sizes.std(axis=0, ddof=1)[-count:])


def test_what_leaves_too_few_slices_is_noted_and_a_table_with_three_is_refused(table, sampled):
    del sampled
    found = bs.backtest_sizes(table, [LAW], methods=["line"], held_out=[4, 5], cache=False)
    assert set(found.points["slices"]) == {4}
    assert found.notes == ("5 slices not held out: they leave 2 of 7, expected 3",)
    three = dataclasses.replace(table, frame=table.frame[table.frame["C"] < 2e19].reset_index(drop=True))
    with pytest.raises(InputError, match="3 isoFLOP slices have their least loss among their runs"):
        bs.backtest_sizes(three, [LAW], cache=False)
    assert "3 isoFLOP slices" in why_no_size_backtest(LAWS[LAW], three)
    assert why_no_size_backtest(LAWS[LAW], table) == ""
    assert "no law of N and D" in why_no_size_backtest(LAWS["compute_floor"], table)


def test_laws_of_compute_alone_are_left_out_and_methods_without_a_law_are_done_once(table, sampled, monkeypatch):
    monkeypatch.setattr(refits, "in_processes", lambda function, items, _: map(function, items))
    laws = ["compute_floor", LAW, "kaplan_nd"]
    found = bs.backtest_sizes(table, laws, held_out=[1], methods=["law", *LAWLESS], cache=False)
    assert sorted({law for law, _, _ in sampled}) == [LAW, "kaplan_nd"]
    shown = list(zip(found.points["law"], found.points["method"], strict=True))
    assert shown == [(LAW, "law"), ("", "line"), ("", "parabola"), ("kaplan_nd", "law")]
    with pytest.raises(InputError, match="compute_floor: no law of N and D"):
        bs.backtest_sizes(table, ["compute_floor"], cache=False)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"methods": ["guess"]}, "unknown method guess; expected some of path, law, line, parabola, least_squares"),
        ({"methods": []}, r"unknown method \(none\)"),
        ({"held_out": [0]}, "expected numbers of slices from 1 up"),
        ({"held_out": [1, 1]}, "each once"),
        ({"held_out": []}, r"held_out is \[\]"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(table, asked, message):
    with pytest.raises(InputError, match=message):
        bs.backtest_sizes(table, [LAW], cache=False, **asked)


# Methods


def test_every_method_finds_the_best_size_of_runs_of_its_own_law(table, sampled):
    del sampled
    found = bs.backtest_sizes(table, [LAW], held_out=[2], cache=False)
    assert list(found.points["method"].unique()) == list(METHODS)
    off = np.log(found.points["N"] / true_sizes(found.points["flops"]))
    assert off.abs().max() < 0.2
    assert (found.points["width_90"] > 0).all()
    assert found.notes == ()


def test_the_bare_law_forecasts_the_optimum_of_its_draws(table):
    fitted = made.simulated_fit(LAWS[LAW], table)
    flops = np.array([1e22, 1e24])
    draws = bare_law(LAWS[LAW], table, flops, fitted, random_seed=0)
    np.testing.assert_allclose(draws, np.log(find_optimum(fitted.draws, flops).N))


def test_a_parabola_without_noise_has_the_exact_line():
    C = np.repeat(1e18 * 10.0 ** np.arange(4), 7)
    best = 3e8 * (C / 1e18) ** 0.46
    u = np.tile(np.linspace(-1, 1, 7), 4)
    N = best * np.exp(u)
    frame = {"run": [f"{i}" for i in range(28)], "N": N, "D": C / (6 * N), "C": C, "loss": 3 * np.exp(0.03 * u**2)}
    runs = RunTable.from_frame(frame, name="parabolas")
    draws = parabola(LAWS[LAW], runs, np.array([1e23]), None, random_seed=0)
    np.testing.assert_allclose(draws, np.log(3e8) + 0.46 * np.log(1e5), atol=1e-6)
    assert len(draws) == size_forecasts.BOOTSTRAPS


def test_a_method_that_has_no_forecast_is_noted_and_the_others_are_scored(table, sampled, monkeypatch):
    del sampled
    monkeypatch.setattr(size_forecasts, "FEWEST_SIZES", 10)
    found = bs.backtest_sizes(table, [LAW], held_out=[1], methods=["line", "parabola"], cache=False)
    assert set(found.points["method"]) == {"line"}
    (note,) = found.notes
    assert note.startswith("parabola, 1 slice held out: no forecast: slices: no slice of like C has 10 sizes")


# Scores


def test_scores_of_normal_forecasts_are_those_of_theory():
    rng = np.random.default_rng(1)
    draws = np.log(1e9) + 0.3 * rng.standard_normal((200_000, 1)) + np.zeros(3)
    minima = np.array([[np.log(1e20), np.log(1e9) + 0.3 * z, 0.4] for z in (0.0, 1.2, 3.0)])  # s.d. of both: 0.5
    points = score_sizes(draws, minima, 0)
    np.testing.assert_allclose(points["width_90"], 2 * 1.6449 * 0.3, rtol=0.02)
    np.testing.assert_allclose(points["lpd"], norm.logpdf([0.0, 0.36, 0.9], scale=0.5), atol=0.01)
    assert points["inside_50"].tolist() == [True, False, False]  # 0.674 of 0.5 is 0.337
    assert points["inside_80"].tolist() == [True, True, False]  # 1.28 of 0.5 is 0.64
    assert points["inside_90"].tolist() == [True, True, False]  # 1.645 of 0.5 is 0.82
    np.testing.assert_allclose(points["error"], [0.0, -0.36, -0.9], atol=0.005)


def test_wasted_compute_is_exact_for_a_law_of_equal_exponents():
    g = 0.35
    for factor in (0.25, 0.5, 2.0, 4.0):
        # L - E of a run of C FLOP, off by a factor, is that of the best run of C / (1 + waste) FLOP.
        off = (factor**-g + factor**g) / 2
        assert wasted_compute(np.log(factor)) == pytest.approx(off ** (2 / g) - 1)
    assert wasted_compute(np.log([2.0, 4.0])) == pytest.approx([0.18, 0.91], abs=0.005)


def test_scores_pool_points_over_all_distances_and_by_factor(table, sampled):
    del sampled
    found = bs.backtest_sizes(table, [LAW], methods=["law", "line"], held_out=[1, 2, 4], cache=False)
    total = overall(found.scores)
    assert list(total["held_out"]) == [7, 7]
    by_factor = found.scores.drop(index=total.index)
    assert by_factor.groupby("method")["held_out"].sum().to_dict() == {"law": 7, "line": 7}
    for _, row in found.scores.iterrows():
        own = found.points[found.points["method"] == row["method"]]
        own = own[(own["factor"] >= row["low"]) & (own["factor"] < row["high"])]
        assert row["coverage_90"] == own["inside_90"].mean()
        assert row["rmse"] == pytest.approx(np.sqrt((own["error"] ** 2).mean()))
        assert row["extra_95"] == pytest.approx(own["extra_compute"].quantile(0.95))
    pd.testing.assert_frame_equal(size_scores(found.points), found.scores)


def test_the_record_has_the_promised_shape_and_is_json(table, sampled):
    del sampled
    found = bs.backtest_sizes(table, [LAW], methods=["law", "line"], held_out=[1, 2], cache=False)
    record = json.loads(json.dumps(size_backtest_record(found, ["a default"]), allow_nan=False))
    assert record["schema"] == "bayescale/backtest-sizes/1"
    fields = {"law", "method", "held_out", "factor", "coverage", "width", "bias", "rmse", "lpd", "extra_compute"}
    for row in record["scores"] + record["by_factor"]:
        assert set(row) == fields
        assert set(row["coverage"]) == {"0.5", "0.8", "0.9"}
        assert {"median", "lower", "upper", "mean"} == set(row["extra_compute"])
    assert [row["law"] for row in record["scores"]] == [LAW, None]
    assert record["statement"].startswith("90% intervals of the best size held: law ")


def test_failed_diagnostics_of_a_refit_are_doubts(table, monkeypatch):
    bad = dataclasses.replace(made.GOOD, failures=("R-hat is 1.3",))
    monkeypatch.setattr(refits, "sample_posterior_alone", lambda law, runs, _: made.simulated_fit(law, runs, bad))
    found = bs.backtest_sizes(table, [LAW], methods=["law", "line"], held_out=[1], cache=False)
    assert size_backtest_record(found)["doubts"] == ["chinchilla: diagnostics failed with 1 slice held out"]


# The cache and the seed


def test_results_are_read_from_the_cache_and_are_the_same(table, sampled, own_cache):
    asked = {"held_out": [1, 2], "random_seed": 3}
    calls = []
    first = bs.backtest_sizes(table, [LAW], **asked, progress=lambda *each: calls.append(each))
    assert calls == [(LAW, 1, 2), (LAW, 2, 2)]
    assert len(sampled) == 2
    assert planned_size_folds(table, [LAW], **asked) == {LAW: (2, 2)}
    again = bs.backtest_sizes(table, [LAW], **asked)
    assert len(sampled) == 2
    pd.testing.assert_frame_equal(again.points, first.points, check_exact=True)
    assert len(list(own_cache.glob("size-backtests/*.json"))) == 10
    alone = bs.backtest_sizes(table, [LAW], **asked, cache=False)
    pd.testing.assert_frame_equal(alone.points, first.points, check_exact=True)


@pytest.mark.parametrize("text", ["", "[]", '{"points": 3}'])
@pytest.mark.usefixtures("sampled")
def test_a_damaged_result_is_made_again(table, own_cache, text):
    first = bs.backtest_sizes(table, [LAW], methods=["line"], held_out=[1])
    (path,) = own_cache.glob("size-backtests/*.json")
    path.write_text(text)
    again = bs.backtest_sizes(table, [LAW], methods=["line"], held_out=[1])
    pd.testing.assert_frame_equal(again.points, first.points, check_exact=True)


@pytest.mark.usefixtures("sampled")
def test_the_order_of_rows_does_not_matter(table):
    shuffled = dataclasses.replace(table, frame=table.frame.sample(frac=1, random_state=1, ignore_index=True))
    first, second = (
        bs.backtest_sizes(runs, [LAW], methods=["law", "line", "parabola"], held_out=[1], cache=False).points
        for runs in (table, shuffled)
    )
    pd.testing.assert_frame_equal(first, second, check_exact=True)


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
def test_on_runs_of_the_law_itself_nine_in_ten_intervals_hold():
    found = [bs.backtest_sizes(isoflop_runs(7, seed=seed), [LAW], held_out=[1, 2]).points for seed in range(10)]
    points = pd.concat(found)
    held = points.groupby("method")["inside_90"].mean()
    assert held["law"] > 0.75  # 30 forecasts, three by each fit: as few as 23 happen by chance in 1 of 100
    assert held["path"] > 0.75
    assert points.groupby("method")["extra_compute"].mean()["path"] < 0.01

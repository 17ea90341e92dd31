"""Several responses of the same runs: who gains by scale, who gets worse, and what the mean hides."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from responses_made import ALIKE, PASSED, made, of_laws, runs
from scipy.stats import multivariate_t

from bayescale.errors import InputError
from bayescale.groups import (
    Response,
    ResponseFit,
    allocate_worst,
    crossing,
    disparities,
    fit_responses,
    mean_change,
    mean_slope,
    reversal_tokens,
    sign_conflicts,
)
from bayescale.groups.coordinates import place
from bayescale.groups.response_fitting import _data, _typical
from bayescale.groups.responses import cells_of
from bayescale.laws import LAWS

PYTHIA = Path(__file__).parents[2] / "shared" / "data" / "raw" / "pythia-evals" / "evals.csv"

# Closed forms


def losses(D):
    """Two groups, of which the second gets worse with every token."""
    return np.stack([1.7 + 400 * D**-0.28, 2.5 + 0.05 * np.log10(D / 1e9)], axis=-1)


def slopes(D):
    """Their slopes on ln D."""
    second = np.full_like(D, 0.05 / np.log(10))
    return np.stack([-0.28 * 400 * D**-0.28, second], axis=-1)


TOKENS = np.array([1e9, 1e10, 1e11])


def test_the_mean_falls_while_a_group_gets_worse():
    values = losses(TOKENS)
    np.testing.assert_allclose(values @ [0.9, 0.1], [2.867183, 2.355562, 2.089435], atol=5e-7)
    assert (np.diff(values[:, 1]) > 0).all()
    assert (np.diff(values @ [0.9, 0.1]) < 0).all()


def test_progress_of_the_mean_is_split_into_groups_and_their_composition():
    first = 0.95 - 0.05 * np.log10(TOKENS / 1e9)
    weights = np.stack([first, 1 - first], axis=-1)
    moved = np.broadcast_to(np.array([-0.05, 0.05]) / np.log(10), weights.shape)
    values = losses(TOKENS)
    np.testing.assert_allclose((weights * values).sum(axis=-1), [2.887582, 2.355562, 2.117800], atol=5e-7)
    within, composition = mean_slope(weights, moved, values, slopes(TOKENS))
    np.testing.assert_allclose(within, [-0.320237, -0.157586, -0.075927], atol=5e-7)
    np.testing.assert_allclose(composition, [-0.008859, 0.004691, 0.012319], atol=5e-7)
    parts = mean_change((weights[0], weights[2]), (values[0], values[2]))
    assert sum(parts) == pytest.approx(2.117800 - 2.887582, abs=1e-6)


def test_a_curve_turns_where_what_data_add_is_what_they_take():
    found = reversal_tokens(400.0, 0.28, 0.05)
    assert found == pytest.approx(9.2294e11, rel=1e-4)
    around = (
        1.7 + 400 * (found * np.array([0.99, 1.0, 1.01])) ** -0.28 + 0.05 * np.log(found * np.array([0.99, 1, 1.01]))
    )
    assert around.argmin() == 1
    assert np.isinf(reversal_tokens(400.0, 0.28, -0.05))


def test_a_gap_that_shrinks_by_a_power_closes_where_it_is_one():
    assert crossing(1.3, -0.02) == pytest.approx(1.3**50, rel=1e-12)
    assert crossing(1.3, -0.02) == pytest.approx(4.98e5, rel=1e-3)


# Reading


def test_missing_cells_are_left_out_and_errors_come_from_their_column_or_from_items():
    frame = runs(a=[0.5, np.nan, 0.6, 0.6, 0.7, 0.7], a_se=0.02, b=[0.5, 0.5, 0.5, 1.0, 0.9, 0.8])
    _, cells = cells_of(frame, [Response("a"), Response("b", items=100)])
    assert cells.row.tolist() == [0, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]
    assert set(cells.errors[:5]) == {0.02}
    np.testing.assert_allclose(cells.errors[5:9], [0.05, 0.05, 0.05, 0.01])
    np.testing.assert_allclose(cells.columns["C"], 120 * frame["N"] ** 2)


def test_usual_headers_are_known():
    frame = runs(a=np.linspace(2, 3, 6), b=np.linspace(2, 3, 6)).rename(columns={"N": "params", "D": "tokens"})
    assert set(cells_of(frame, [Response("a"), Response("b")])[1].columns) == {"N", "D", "C"}


@pytest.mark.parametrize(
    ("frame", "law", "said"),
    [
        (runs(a=1.0), "chinchilla", "no column b"),
        (runs(a=1.0, b=["x"] * 6), "chinchilla", "column b is 'x' in row 1; expected a number"),
        (runs(a=1.0, b=-1.0), "chinchilla", "expected numbers above zero, so choose law='number'"),
        (runs(a=0.5, b=1.5), "share", "expected shares from 0 to 1, so choose law='number'"),
        (runs(a=1.0, b=[1.0, 2.0, *[np.nan] * 4]), "number", "response b has 2 values; expected at least 4"),
        (runs(a=1.0, b=1.0).drop(columns="D"), "chinchilla", "columns N and D, or C"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_what_to_do(frame, law, said):
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        fit_responses(frame, ["a", "b"], law)


def test_responses_are_two_or_more_and_say_what_is_better():
    with pytest.raises(InputError, match="two or more different responses"):
        fit_responses(runs(a=1.0), ["a", "a"])
    with pytest.raises(InputError, match="'lower', 'higher' or the best value"):
        Response("a", better="more")


@pytest.mark.parametrize(
    ("better", "worse"), [("lower", [True, False]), ("higher", [False, True]), (0.5, [True, False])]
)
def test_worse_is_what_the_response_says(better, worse):
    found = Response("a", better=better).worsening(np.array([0.6, 0.6]), np.array([0.7, 0.5]))
    assert (found > 0).tolist() == worse


# Disparities of made-up draws


def test_probabilities_are_of_the_joint_posterior():
    fitted = made([0.0, 0.0, -0.1])
    fitted.posterior["slope"][..., 1] = fitted.posterior["slope"][..., 0]  # two groups that always go together
    found = disparities(fitted, 1e19, 1e20)
    assert found.some_worsens == pytest.approx(0.5, abs=0.1)  # products would say three quarters
    assert found.some_worsens == found.table.loc["g0", "worsens"] == found.table.loc["g1", "worsens"]
    assert found.expected_worsening == pytest.approx(2 * found.some_worsens)
    assert found.table.loc["g2", "worsens"] == 0.0


def test_slopes_gaps_and_raw_slopes_are_a_decade_of_compute():
    found = disparities(made([0.1, 0.3]), 1e18, 1e20)
    np.testing.assert_allclose(found.table["slope"], [0.1, 0.3], atol=0.003)
    grown = found.gaps[:, 1, 1] - found.gaps[:, 0, 1]
    assert np.median(grown) == pytest.approx(0.4, abs=0.01)
    assert found.table["raw"].to_numpy() == pytest.approx(0.1 / 2, rel=1e-9)  # 0.1 over the two decades of the runs
    np.testing.assert_allclose(found.within + found.composition, found.within)  # the same weights at both scales


def test_a_bent_curve_turns_where_its_slope_is_nothing():
    found = disparities(made([0.0, 0.0], bend=0.1), 1e18, 1e20)
    typical = 10.0 ** float(found.fitted.typical["x"])
    assert found.table["reversal"].to_numpy() == pytest.approx(typical, rel=0.2)
    assert (found.table["reversal_inside"] > 0.99).all()
    straight = disparities(made([-0.1, -0.1]), 1e18, 1e20)
    assert straight.table["reversal"].isna().all()


def test_a_group_of_few_items_gets_no_verdict():
    found = disparities(made([0.5, -0.5], items=11), 1e18, 1e20)
    assert np.isnan(found.table.loc["g0", "worsens"])
    assert found.some_worsens == 0.0
    assert "g0 has too few items for a verdict" in found.doubts


def test_metrics_that_disagree_on_the_sign_are_named():
    table = sign_conflicts(
        disparities(made([0.2, 0.2]), 1e18, 1e20), disparities(made([0.2, -0.2], seed=1), 1e18, 1e20)
    )
    assert table["conflict"].round(2).tolist() == [0.0, 1.0]


def test_statements_speak_of_responses_and_runs():
    text = " ".join(disparities(made([0.1, -0.1]), 1e18, 1e20).statements)
    assert "responses of 6 runs of runs" in text
    assert "people" not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((1e20, 1e19), "expected the smaller first"), ((1e19, 1e20, "other"), "expected one of g0, g1")],
)
def test_wrong_scales_and_references_are_refused(arguments, said):
    flops, rest = arguments[:2], arguments[2:]
    with pytest.raises(InputError, match=said):
        disparities(made([0.1, 0.1]), *flops, **dict(zip(["reference"], rest, strict=False)))


def test_curves_of_a_law_are_the_law_of_each_group():
    law = LAWS["chinchilla"]
    frame = runs(a=np.linspace(3, 2, 6), b=np.linspace(6, 4, 6))
    responses = (Response("a"), Response("b"))
    name, cells = cells_of(frame, responses)
    typical = _typical(cells, law, "law", 2)
    own = {
        "E": [0.6, 0.7],
        "A": [0.2, 0.2],
        "B": [0.2, 0.1],
        "alpha": [0.3, 0.4],
        "beta": [0.3, 0.3],
        "turn": [0.0, 0.1],
    }
    posterior = xr.Dataset(
        {"level": (("chain", "draw", "group"), np.array([1.1, 0.9])[None, None])}
        | {f"{k}_group": (("chain", "draw", "group"), np.array(v)[None, None]) for k, v in own.items()}
    )
    fitted = ResponseFit(name, law, "law", responses, cells, typical, posterior, PASSED)
    point = {"N": np.array([3e8]), "D": np.array([1e10]), "C": np.array([1.8e19])}
    found = fitted.curves(point)[0, :, 0]
    n, d = 3e8 / float(typical["N"]), 1e10 / float(typical["D"])
    for i, scale in enumerate(typical["scale"]):
        parts = SimpleNamespace(**{key: value[i] for key, value in own.items()})
        law_there = parts.E + parts.A / n**parts.alpha + parts.B / d**parts.beta
        value = [1.1, 0.9][i] * law_there / (parts.E + parts.A + parts.B) + parts.turn * np.log(d)
        assert found[i] == pytest.approx(value * scale, rel=1e-9)
    data = _data(cells, responses, law, typical)
    np.testing.assert_allclose(np.exp(data["value"]).prod(axis=0), 1.0)
    np.testing.assert_array_equal(fitted.curves(point, most=10), fitted.curves(point))


# The model


def losses_of(groups, rows, seed=0, *, eta=0.0, run=0.003, noise=0.003):
    """Losses of groups of like laws, of which the first gains eta nats by each e-fold of tokens."""
    rng = np.random.default_rng(seed)
    N = np.exp(rng.uniform(np.log(5e7), np.log(5e9), rows))
    D = N * np.exp(rng.uniform(np.log(5), np.log(200), rows))
    E, A, B = (np.exp(rng.normal(np.log(at), 0.1, groups)) for at in (1.8, 20, 20))
    alpha, beta = (at * np.exp(rng.normal(0, 0.05, groups)) for at in (0.34, 0.28))
    loss = E + A / N[:, None] ** alpha + B / D[:, None] ** beta
    loss[:, 0] += eta * np.log(D / 1e10)
    loss = loss * np.exp(run * rng.standard_normal((rows, 1)) + noise * rng.standard_normal((rows, groups)))
    return pd.DataFrame({"N": N, "D": D, **{f"g{i}": loss[:, i] for i in range(groups)}})


def test_the_density_of_a_row_is_that_of_one_student_t_over_its_responses():
    """Against SciPy's, with the effect of the run in the covariance, and a response that was not measured left out."""
    from pytensor.tensor import as_tensor_variable  # noqa: PLC0415  (slow to import)

    from bayescale.groups.response_model import _density_of_rows  # noqa: PLC0415  (imports PyMC)

    rng = np.random.default_rng(0)
    residual, seen = rng.standard_normal((2, 3)), np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
    variance, shared = rng.uniform(0.5, 2.0, (2, 3)), rng.uniform(0.2, 1.0, (2, 3))
    found = _density_of_rows(*map(as_tensor_variable, (residual, seen, variance, shared, 5.0))).eval()
    for i, kept in enumerate(seen.astype(bool)):
        covariance = np.diag(variance[i, kept]) + np.outer(shared[i, kept], shared[i, kept])
        assert found[i] == pytest.approx(multivariate_t(None, covariance, df=5.0).logpdf(residual[i, kept]), rel=1e-9)


def test_coordinates_of_each_group_are_where_its_law_fits():
    frame = losses_of(3, 40, noise=0.002, run=0.0)
    responses = tuple(Response(f"g{i}") for i in range(3))
    _, cells = cells_of(frame, responses)
    law = LAWS["chinchilla"]
    data = _data(cells, responses, law, _typical(cells, law, "law", 3))
    found = place(law, data)
    for i in range(3):
        *logs, turn, level = found["middle"][i]
        own = dict(zip(law.parameters, np.exp(logs), strict=True))
        columns = {name: data[name] for name in law.covariates}
        value = np.exp(level) * law.loss(**columns, **own) / law.loss(N=1.0, D=1.0, **own) + turn * data["x"]
        assert np.abs(data["value"][:, i] - np.log(value)).max() < 0.03
        covariance = found["axes"][i] @ found["axes"][i].T
        assert (np.diag(covariance) < 0.2**2).all()  # less than how much groups differ


@pytest.mark.slow
def test_losses_of_eleven_groups_and_240_rows_pass_the_gate_and_find_the_group_that_turns():
    frame = losses_of(11, 240, eta=0.02)
    names = [f"g{i}" for i in range(11)]
    fitted = fit_responses(frame, names, draws=1000, tune=500, random_seed=1, cache=False)
    assert fitted.diagnostics.passed
    found = disparities(fitted, 1e19, 1e22)
    assert found.slopes.shape == (4000, 11)
    assert found.table.loc["g0", "slope"] > found.table["slope"].drop("g0").max()


def test_a_fit_is_read_from_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("BAYESCALE_CACHE", str(tmp_path))
    frame = runs(a=np.linspace(3, 2, 6), b=np.linspace(6, 4, 6))
    posterior = made([0.1, 0.2]).posterior
    with patch("bayescale.groups.response_fitting._sample", autospec=True, return_value=(posterior, PASSED)) as sample:
        first, again = (fit_responses(frame, ["a", "b"], "number") for _ in range(2))
        assert sample.call_count == 1
        xr.testing.assert_equal(first.posterior, again.posterior)
        assert again.diagnostics.passed
        fit_responses(frame.assign(a=frame["a"] * 1.01), ["a", "b"], "number")
        assert sample.call_count == 2


# The split that the worst-off regrets least


def test_groups_of_one_law_have_one_best_split_and_no_price():
    found = allocate_worst(of_laws(**ALIKE), 1e20)
    typical = {name: float(found.fitted.typical[name]) for name in ("N", "D")}
    best = typical["N"] * np.sqrt(1e20 / 6 / (typical["N"] * typical["D"]))  # alpha = beta, A = B at reference scale
    assert found.table["N"].to_numpy() == pytest.approx(best, rel=0.01)
    assert best / 1.11 < found.N < best * 1.11  # a step of the grid of sizes
    assert (found.price, found.gain) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert found.extra_compute < 0.01
    assert found.table["exponent"].to_numpy() == pytest.approx(0.5, abs=0.01)
    assert found.shared is not None


def test_groups_of_far_exponents_share_no_near_optimal_size_and_the_worst_has_a_price():
    fitted = of_laws(**(ALIKE | {"alpha": [0.6, 0.2], "beta": [0.2, 0.6]}))
    found = allocate_worst(fitted, 1e22, weights=[0.9, 0.1], tolerance=0.02)
    assert found.table["exponent"].to_numpy() == pytest.approx([0.25, 0.75], abs=0.01)  # beta / (alpha + beta)
    low, high = found.table["N"]
    assert low < found.N < high
    assert low < found.mean_N < found.N  # the mean is mostly of the first
    assert found.shared is None
    assert found.price > 0
    assert found.gain > 0
    assert "no size is near-optimal for all" in found.statements[2]
    np.testing.assert_allclose(6 * found.N * found.D, 1e22)


def test_regret_is_the_compute_that_ones_own_best_split_would_save():
    fitted = of_laws(**(ALIKE | {"alpha": [0.6, 0.2], "beta": [0.2, 0.6]}))
    found = allocate_worst(fitted, 1e22)
    for i in range(2):
        wasted = 1 / (1 + found.table["extra_compute"].iloc[i])
        at = fitted.curves({"N": np.array([found.N]), "D": np.array([found.D]), "C": np.array([1e22])})[0, i, 0]
        N = np.geomspace(1e6, 1e12, 4001)
        best = fitted.curves({"N": N, "D": wasted * 1e22 / 6 / N, "C": np.full_like(N, wasted * 1e22)})[0, i].min()
        assert best == pytest.approx(at, rel=2e-3)


@pytest.mark.parametrize(
    ("fitted", "said"),
    [
        (made([0.1, 0.2]), "trends of a number"),
        (dataclasses.replace(of_laws(**ALIKE), responses=(Response("a"), Response("b", better="higher"))), "b are not"),
    ],
)
def test_only_losses_of_a_law_with_a_split_have_a_worst_off(fitted, said):
    with pytest.raises(InputError, match=said):
        allocate_worst(fitted, 1e20)


# Public evaluations of 16 models


def pythia(metric):
    """The English groups of the pairs by one metric: 16 models, from step 1000."""
    if not PYTHIA.exists():
        pytest.skip("the Pythia evaluations are not beside the checkout")
    table = pd.read_csv(PYTHIA)
    table = table[table["task"].str.startswith("crows_pairs_english_") & (table["step"] >= 1000)]
    table = table[table["metric"] == metric].assign(group=table["task"].str.removeprefix("crows_pairs_english_"))
    keys = ["run", "step", "params"]
    wide, errors = (table.pivot_table(index=keys, columns="group", values=each) for each in ("value", "se"))
    frame = wide.join(errors.add_suffix("_se")).reset_index()
    frame["N"], frame["D"] = frame["params"].astype(float), 2_097_152.0 * frame["step"]
    return frame.rename(columns={"run": "training_run"}), list(wide.columns)


@pytest.mark.parametrize(
    ("metric", "age", "gender", "religion"),
    [("pct_stereotype", 0.052, 0.049, 0.081), ("likelihood_difference", 0.471, -0.256, 0.132)],
)
def test_raw_slopes_of_sixteen_models_are_those_of_least_squares(metric, age, gender, religion):
    """Slopes a decade of compute of the final models, weighted by 1 / (se^2 + .02^2)."""
    frame, groups = pythia(metric)
    frame = frame[frame["step"] == 143_000]
    responses = tuple(Response(group, better=0.5) for group in groups)
    name, cells = cells_of(frame, responses)
    fitted = made([0.0] * len(groups))
    fitted = ResponseFit(name, None, "number", responses, cells, fitted.typical, fitted.posterior, PASSED)
    raw = disparities(fitted, 1e20, 1e22).table["raw"].round(3)
    assert raw[["age", "gender", "religion"]].tolist() == [age, gender, religion]


@pytest.mark.slow
def test_of_sixteen_models_all_groups_rise_by_one_metric_and_two_part_by_the_other():
    """The share that prefers the stereotype rises in all ten groups; the likelihood difference parts age and gender."""
    found = {}
    for metric, law, better in (("pct_stereotype", "share", 0.5), ("likelihood_difference", "number", "lower")):
        frame, groups = pythia(metric)
        responses = [Response(group, better=better) for group in groups]
        final = frame[frame["step"] == 143_000]
        fitted = fit_responses(final, responses, law, draws=500, tune=500, random_seed=1)
        assert fitted.diagnostics.rhat < 1.02
        found[metric] = disparities(fitted, 1e20, 1e22)
    shares, differences = found.values()
    assert (shares.slopes > 0).all(axis=1).mean() > 0.8
    assert shares.some_worsens > 0.99  # further from one half
    age, gender = (differences.fitted.groups.index(name) for name in ("age", "gender"))
    assert ((differences.slopes[:, age] > 0) & (differences.slopes[:, gender] < 0)).mean() > 0.95
    assert sign_conflicts(shares, differences).loc["gender", "conflict"] > 0.9

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import without_paths

import bayescale as bs
from bayescale.cli.commands.serve import parse_demands
from bayescale.cli.program import main
from bayescale.comparison.comparison import compare
from bayescale.decisions import mixture
from bayescale.decisions.serving import data_limit, serve
from bayescale.errors import InputError
from bayescale.fits.fit import published_draws
from bayescale.plots.serving import plot_data_limit, plot_serving, save_prediction
from bayescale.records.serving import data_limit_record, serving_record
from bayescale.tradeoffs import best_for_serving

FLOPS = [1e21, 1e24]
UNIQUE = 15e12


@pytest.fixture(scope="module", autouse=True)
def law_alone():
    """Take laws at their word, so that closed forms hold; what they miss has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixture, "paths_of", without_paths)
        yield


@pytest.fixture(scope="module")
def certain(synthetic_fit, wide_runs, make_runs):
    """A posterior without spread."""
    return synthetic_fit("chinchilla", wide_runs, make_runs.truth, spread=1e-12, draws=10)


@pytest.fixture(scope="module")
def served(wide_fit):
    return serve(wide_fit, FLOPS)


@pytest.fixture(scope="module")
def ended(wide_fit):
    return data_limit(wide_fit, [1e24, 1e25, 1e26, 1e27], UNIQUE, 15.387756)


def best_tokens(values, flops):
    """Return D* of an additive law (Hoffmann et al. 2022, Eq. 4)."""
    A, B, alpha, beta = (values[name] for name in ("A", "B", "alpha", "beta"))
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    return (flops / 6) ** (alpha / (alpha + beta)) / G


# Serving


def test_the_cheapest_run_with_serving_is_that_of_the_closed_form(certain, make_runs):
    draws = serve(certain, FLOPS, [1e11, 1e13, 1e15]).draws.isel(draw=0)
    for budget in range(2):
        for demand in range(3):
            own = draws.isel(budget=budget, demand=demand)
            expected = best_for_serving(make_runs.truth, float(own["loss"]), float(own["served_tokens"]))
            assert float(own["N"]) == pytest.approx(float(expected.N), rel=2e-4)
            assert float(own["total_flops"]) == pytest.approx(float(expected.flops), rel=1e-6)
            assert float(own["saved"]) == pytest.approx(float(expected.saved), abs=1e-5)


def test_where_total_compute_is_least_the_slopes_have_the_ratio_of_the_wedge(certain, make_runs):
    draws, p = serve(certain, [1e24]).draws, make_runs.truth
    by_N = p["alpha"] * p["A"] / draws["N"] ** p["alpha"]
    by_D = p["beta"] * p["B"] / draws["D"] ** p["beta"]
    np.testing.assert_allclose(by_N / by_D / (1 + draws["served_tokens"] / (3 * draws["D"])), 1.0, rtol=1e-3)


def test_serving_keeps_the_loss_and_asks_for_a_smaller_model_on_more_tokens(served, wide_fit):
    draws = served.draws
    assert dict(draws["N"].sizes) == {"draw": draws.sizes["draw"], "budget": 2, "demand": 3}
    sizes = np.concatenate([draws["training_N"].to_numpy()[..., None], draws["N"].to_numpy()], axis=-1)
    tokens = np.concatenate([draws["training_D"].to_numpy()[..., None], draws["D"].to_numpy()], axis=-1)
    assert (np.diff(sizes, axis=-1) < 0).all()
    assert (np.diff(tokens, axis=-1) > 0).all()
    assert (np.diff(draws["saved"].to_numpy(), axis=-1) > 0).all()
    step = wide_fit.draws["E"].size // draws.sizes["draw"]
    for demand in range(3):
        own = draws.isel(budget=1, demand=demand)
        p = {name: values[::step] for name, values in published_draws(wide_fit).items()}
        loss = p["E"] + p["A"] / own["N"].to_numpy() ** p["alpha"] + p["B"] / own["D"].to_numpy() ** p["beta"]
        np.testing.assert_allclose(loss, draws["loss"].isel(budget=1), rtol=1e-6)


def test_multiples_are_of_the_training_tokens_and_tokens_stand_behind_them(wide_fit):
    draws = serve(wide_fit, FLOPS, [3e12], multiples=[1, 10]).draws
    median = draws["training_D"].median("draw").to_numpy()
    expected = np.stack([median, 10 * median, [3e12, 3e12]], axis=1)
    np.testing.assert_allclose(draws["served_tokens"], expected)


def test_the_record_of_serving_tells_probabilities(served):
    record = serving_record(served)
    json.dumps(record)
    assert [budget["flops"] for budget in record["budgets"]] == FLOPS
    for budget in record["budgets"]:
        assert [round(demand["multiple"], 6) for demand in budget["demands"]] == [1, 10, 100]
        for demand in budget["demands"]:
            assert demand["smaller"] == demand["more_tokens"] == 1.0
            assert demand["N_ratio"]["upper"] < 1 < demand["D_ratio"]["lower"]
            assert 0.5 < demand["below_training_only"] <= 1.0
    assert any(note.startswith("the runs of this answer reach") for note in record["notes"])


def test_answers_of_more_tokens_per_parameter_than_the_runs_have_say_so(wide_fit):
    notes = [serve(wide_fit, [1e21], multiples=[times]).notes for times in (1, 1e4)]
    assert [any("tokens per parameter" in note for note in each) for each in notes] == [False, True]


def test_a_small_demand_leaves_the_sign_uncertain_against_the_median(wide_fit):
    record = serving_record(serve(wide_fit, [1e26], multiples=[0.01]))
    (demand,) = record["budgets"][0]["demands"]
    assert demand["smaller"] == 1.0  # in every draw
    assert 0.4 < demand["below_training_only"] < 0.9  # against a size that is itself not known


@pytest.mark.parametrize(
    ("flops", "demands", "words"),
    [
        ([0], [1e12], "flops is"),
        ([], [1e12], "flops is"),
        ([1e21], [-1], "demands is"),
        ([1e21], [np.nan], "demands is"),
    ],
)
def test_serving_of_what_cannot_be_is_refused(wide_fit, flops, demands, words):
    with pytest.raises(InputError, match=words):
        serve(wide_fit, flops, demands)


def test_laws_without_a_best_split_are_refused(synthetic_fit, wide_runs):
    fitted = synthetic_fit("compute_floor", wide_runs)
    for call in (lambda: serve(fitted, [1e21]), lambda: data_limit(fitted, [1e21], 1e12)):
        with pytest.raises(InputError, match="no best split"):
            call()


# An end of the data


def test_the_data_end_where_the_closed_form_says(certain, make_runs):
    begins = data_limit(certain, [1e25], UNIQUE).draws["begins"]
    p = make_runs.truth
    G = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    expected = 6 * (UNIQUE * G) ** ((p["alpha"] + p["beta"]) / p["alpha"])
    np.testing.assert_allclose(begins, expected, rtol=1e-4)
    assert best_tokens(p, expected) == pytest.approx(UNIQUE)


def test_beyond_that_budget_only_a_larger_model_is_left(ended):
    draws, flops = ended.draws, ended.draws["flops"]
    binds = draws["begins"] < flops
    once, free, repeated = (draws.sel(case=case) for case in ("once", "free", "repeated"))
    np.testing.assert_allclose((once["N"] * 6 * UNIQUE / flops).where(binds, 1.0), 1.0, rtol=1e-6)
    np.testing.assert_allclose((once["N"] / free["N"]).where(~binds, 1.0), 1.0, rtol=1e-5)
    assert (once["D"] <= UNIQUE * (1 + 1e-9)).all()
    assert ((repeated["N"] >= free["N"] * (1 - 1e-5)) & (repeated["N"] <= once["N"] * (1 + 1e-5))).all()
    assert ((free["loss"] <= repeated["loss"] + 1e-9) & (repeated["loss"] <= once["loss"] + 1e-9)).all()


@settings(max_examples=5)
@given(exponent=st.floats(22, 28), unique=st.floats(11, 14))
def test_the_probability_of_an_end_is_that_of_the_budget_where_it_begins(wide_fit, exponent, unique):
    found = data_limit(wide_fit, [10.0**exponent], 10.0**unique)
    (budget,) = data_limit_record(found)["budgets"]
    begins = found.draws["begins"].to_numpy()
    assert budget["binds"] == pytest.approx((begins < 10.0**exponent).mean(), abs=2 / begins.size)
    assert budget["once"]["larger"] == budget["binds"]


def test_more_tokens_end_later(wide_fit):
    begins = [data_limit(wide_fit, [1e24], tokens).draws["begins"].to_numpy() for tokens in (1e12, 1e13)]
    assert (begins[0] < begins[1]).all()


def test_the_record_of_an_end_tells_what_it_costs(ended):
    record = data_limit_record(ended)
    json.dumps(record)
    assert record["repetition"] == 15.387756
    chances = [budget["binds"] for budget in record["budgets"]]
    assert chances == sorted(chances)
    assert (chances[0], chances[-1]) == (0.0, 1.0)
    last = record["budgets"][-1]
    assert last["once"]["epochs"]["median"] == pytest.approx(1.0)
    assert last["repeated"]["epochs"]["median"] > 1.5
    assert last["once"]["loss_excess"]["median"] > last["repeated"]["loss_excess"]["median"] > 0
    assert "repeated" not in data_limit_record(data_limit_of(ended))["budgets"][0]


def data_limit_of(found):
    """Return the same without repeats."""
    return type(found)(**{**found.__dict__, "draws": found.draws.sel(case=["free", "once"]), "repetition": None})


def test_draws_of_r_d_widen_what_repeats_are_worth(wide_fit):
    scale = np.exp(np.random.default_rng(0).normal(np.log(15.4), 1.0, 500))
    sharp, wide = (data_limit(wide_fit, [1e27], UNIQUE, each).draws.sel(case="repeated") for each in (15.4, scale))
    assert wide["D"].std() > 1.2 * sharp["D"].std()


def test_a_law_that_knows_repeats_needs_no_other(synthetic_fit, make_runs):
    N, D = make_runs.isoflop(budgets=(1e19, 1e20, 1e21), sizes=10)
    truth = {"E": 1.87, "A": 521.0, "B": 1488.0, "alpha": 0.353, "beta": 0.353, "R_D": 15.4, "R_N": 5.3}
    law = bs.LAWS["data_constrained"]
    truth = {name: truth[name] for name in law.parameters}
    runs = make_runs.of(N, D, unique_tokens=np.minimum(D, 4e9))
    fitted = synthetic_fit(law, runs, truth, spread=0.01, draws=50)
    found = data_limit(fitted, [1e24, 1e26], 1e12)
    assert list(found.draws["case"].to_numpy()) == ["free", "once", "repeated"]
    (first, last) = data_limit_record(found)["budgets"]
    assert last["once"]["epochs"]["median"] == pytest.approx(1.0)
    assert last["repeated"]["epochs"]["median"] > first["repeated"]["epochs"]["median"]
    with pytest.raises(InputError, match="leave repetition out"):
        data_limit(fitted, [1e24], 1e12, 15.4)


@pytest.mark.parametrize(("unique", "repetition"), [(0.0, None), (-1e12, None), (np.inf, None), (1e12, -1.0)])
def test_data_that_cannot_be_are_refused(wide_fit, unique, repetition):
    with pytest.raises(InputError, match="above zero"):
        data_limit(wide_fit, [1e21], unique, repetition)


def test_laws_are_averaged(synthetic_fit, wide_runs, wide_fit):
    comparison = compare(
        {"chinchilla": wide_fit, "compute_floor": synthetic_fit("compute_floor", wide_runs)}, max_refits=0
    )
    found = serve(comparison, [1e21], multiples=[10])
    assert set(found.draws["law"].to_numpy()) == {"chinchilla"}
    assert any("compute_floor" in note for note in found.notes)


# Figures


@pytest.mark.parametrize("multiples", [(1, 10), tuple(np.geomspace(0.1, 100, 6))])
def test_serving_is_drawn_over_the_training_only_optimum(wide_fit, multiples):
    found = serve(wide_fit, [1e24], multiples=multiples)
    ax = plot_serving(found)
    lines = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    np.testing.assert_allclose(lines["model size N, median"].get_xdata(), multiples)
    ratio = (found.draws["N"] / found.draws["training_N"]).median("draw").to_numpy()[0]
    np.testing.assert_allclose(lines["model size N, median"].get_ydata(), ratio)
    assert lines["training tokens D, median"].get_ydata().min() > 1


def test_an_end_of_the_data_is_drawn_where_it_begins(wide_fit, ended):
    found = data_limit(wide_fit, np.geomspace(1e24, 1e28, 9), UNIQUE, 15.4)
    labels = plot_data_limit(found).get_legend_handles_labels()[1]
    assert sum("median" in label for label in labels) == 3
    assert any(label.startswith("data end: ") for label in labels)
    assert len(labels) == len(set(labels))
    few = plot_data_limit(ended)
    x = [line.get_xdata()[0] for line in few.lines if "median" in line.get_label()]
    assert len(set(np.round(np.log(x), 3))) == 3


def test_a_figure_is_saved_or_its_name_refused(served, tmp_path):
    save_prediction(served, tmp_path / "serving.svg")
    assert (tmp_path / "serving.svg").read_text().count("What serving changes") >= 2
    with pytest.raises(InputError, match="a picture ends in"):
        save_prediction(served, tmp_path / "serving.txt")


# The command line


@pytest.fixture
def fitted_command(monkeypatch, wide_fit):
    monkeypatch.setattr(bs, "fit_laws", lambda _, names, **__: dict.fromkeys(names, wide_fit))


@pytest.mark.usefixtures("fitted_command")
def test_the_command_line_tells_what_serving_changes(capsys, tmp_path):
    tokens = ["serve", "chinchilla", "--law", "chinchilla", "--budget", "1e24", "--demand", "10x,5e12"]
    figure = tmp_path / "serving.png"
    assert main([*tokens, "--json", "--figure", str(figure)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == "bayescale/serve/1"
    assert [demand["served_tokens"] for demand in record["budgets"][0]["demands"]][1] == 5e12
    assert figure.stat().st_size > 0
    assert main(tokens) == 0
    text = capsys.readouterr().out
    assert "N over the training-only N" in text
    assert "probability that N is smaller  1.00" in text


@pytest.mark.usefixtures("fitted_command")
def test_the_command_line_tells_when_the_data_end(capsys, tmp_path):
    tokens = ["data-limit", "chinchilla", "--law", "chinchilla", "--budget", "1e27", "--unique-tokens", "15T"]
    assert main([*tokens, "--json", "--figure", str(tmp_path / "end.svg")]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == "bayescale/data-limit/1"
    assert record["budgets"][0]["binds"] == 1.0
    assert main([*tokens, "--repetition", "15.4"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "the data end with probability 1.00" in text
    assert "repeated where it helps" in text


@pytest.mark.parametrize(
    "tokens",
    [
        ["serve", "chinchilla", "--demand", "5y"],
        ["serve", "chinchilla", "--demand", "0x"],
        ["serve", "chinchilla", "--laws", "chinchilla,tilt", "--law", "tilt"],
        ["data-limit", "chinchilla"],
        ["data-limit", "chinchilla", "--unique-tokens", "0"],
        ["data-limit", "chinchilla", "--unique-tokens", "1e12", "--repetition", "-1"],
    ],
)
def test_the_command_line_refuses_what_cannot_be_meant(tokens, capsys):
    assert main(tokens) == 2
    assert capsys.readouterr().err


def test_demands_are_tokens_or_multiples():
    assert parse_demands(["10x,5T", "0.5x"]) == ([5e12], [10.0, 0.5])
    for text in ("ten", "x", "tenx", "-1x", "0"):
        with pytest.raises(ValueError, match=r"expected|found|count"):
            parse_demands([text])

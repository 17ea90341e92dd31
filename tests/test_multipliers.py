import dataclasses
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bayescale as bs
from bayescale.cli.program import main
from bayescale.errors import InputError
from bayescale.fits.fitting import fit_laws
from bayescale.groups.fitting import (
    _check_groups,
    _with_indicators,
    fit_groups,
    group_law,
    group_names,
    group_of,
    grouped_law,
    offsets,
)
from bayescale.groups.multipliers import group_table, multiplier, multiplier_statements
from bayescale.intervals import credible_interval
from bayescale.laws import LAWS, get_law, law_record
from bayescale.laws.costs import Cost
from bayescale.records.multiplier import multiplier_record
from bayescale.runs import RunTable

TRUTH = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}
SCALES = {"gain": 1.0, "turn": 0.05, "lean": 0.2, "floor": 0.01}
NAMES = ("plain", "tuned", "new")
GAINS = (1.0, 1.3, 2.0)


def table(gains=GAINS, rows=(30, 30, 30), *, names=NAMES, floors=None, noise=0.005, seed=0):
    """Runs of recipes whose compute is worth so many times that of the first, over three decades of compute."""
    rng = np.random.default_rng(seed)
    frames = []
    for name, gain, count, floor in zip(names, gains, rows, floors or [TRUTH["E"]] * len(names), strict=True):
        C = np.exp(rng.uniform(np.log(1e18), np.log(1e21), count))
        ratio = 20 * 10 ** rng.uniform(-0.8, 0.8, count)
        N = np.sqrt(C / 6 / ratio)
        D = C / (6 * N)
        loss = get_law("chinchilla").loss(N * gain**0.5, D * gain**0.5, **{**TRUTH, "E": floor})
        loss = loss * np.exp(noise * rng.standard_normal(count))
        frames.append(pd.DataFrame({"N": N, "D": D, "loss": loss, "family": name}))
    return RunTable.from_frame(pd.concat(frames, ignore_index=True), name="recipes")


@pytest.fixture(scope="module")
def runs():
    return table()


@pytest.fixture(scope="module")
def grouped(runs):
    """The table with the columns that tell groups apart."""
    return _with_indicators(runs, "family", _check_groups(runs, "family"))


@pytest.fixture(scope="module")
def fit_of(synthetic_fit, grouped):
    """Return a maker of fits without sampling, whose groups have the offsets given (in the order of group_names)."""

    def make(*, spread=1e-12, draws=50, seed=0, **given):
        scores = {
            f"{kind}_{j + 1}": given.get(kind, (0.0, 0.0, 0.0))[j] / scale
            for kind, scale in SCALES.items()
            for j in range(3)
        }
        truth = {**TRUTH, **{f"{kind}_scale": scale for kind, scale in SCALES.items()}, **scores}
        return synthetic_fit(
            grouped_law(get_law("chinchilla"), 3), grouped, truth, spread=spread, draws=draws, seed=seed
        )

    return make


def frontier_loss(fitted, group, flops):
    """Return the best loss of a group at a budget by a grid over N, from the offsets alone."""
    reference, draws = fitted.reference, {name: values[0] for name, values in fitted.draws.items()}
    scores = {kind: np.array([draws[f"{kind}_{j}"] for j in (1, 2, 3)]) for kind in SCALES}
    own = {kind: draws[f"{kind}_scale"] * (scores[kind][group] - scores[kind].mean()) for kind in SCALES}
    N = np.exp(np.linspace(np.log(np.sqrt(flops / 6) * 1e-3), np.log(np.sqrt(flops / 6) * 10), 200_001))
    D = flops / (6 * N)
    x = np.log(N / reference["N"]) + np.log(D / reference["D"])
    gain = own["gain"] + own["turn"] * x
    N, D = N / reference["N"] * np.exp((gain + own["lean"]) / 2), D / reference["D"] * np.exp((gain - own["lean"]) / 2)
    loss = draws["E"] * np.exp(own["floor"]) + draws["A"] / N ** draws["alpha"] + draws["B"] / D ** draws["beta"]
    return loss.min()


# The law of groups


def test_groups_without_offsets_follow_the_law_they_share():
    law = grouped_law(get_law("chinchilla"), 2)
    scores = {f"{kind}_{j}": 0.0 for kind in SCALES for j in (1, 2)}
    scales = {f"{kind}_scale": scale for kind, scale in SCALES.items()}
    N, D = np.array([1e9, 3e9]), np.array([2e10, 1e11])
    value = law.loss(N, D, np.array([1.0, 0.0]), np.array([0.0, 1.0]), **TRUTH, **scales, **scores)
    np.testing.assert_allclose(value, get_law("chinchilla").loss(N, D, **TRUTH), rtol=1e-12)


def test_a_gain_is_worth_so_much_compute_and_a_lean_moves_the_split_alone():
    law = get_law("chinchilla")
    scores = {f"{kind}_{j}": 0.0 for kind in SCALES for j in (1, 2)}
    scores |= {"gain_1": -np.log(2) / 2, "gain_2": np.log(2) / 2, "lean_1": -0.4, "lean_2": 0.4}
    scales = {"gain_scale": 1.0, "turn_scale": 0.1, "lean_scale": 1.0, "floor_scale": 0.01}
    N, D = 1e9, 2e10
    value = grouped_law(law, 2).loss(N, D, 0.0, 1.0, **TRUTH, **scales, **scores)
    root = 2**0.25
    assert value == pytest.approx(law.loss(N * root * np.exp(0.2), D * root * np.exp(-0.2), **TRUTH), rel=1e-12)


def test_a_law_of_compute_alone_has_groups_and_other_laws_are_refused():
    assert "lean_scale" not in grouped_law(get_law("compute_floor"), 2).parameters
    with pytest.raises(InputError, match="groups are compared by a law of N and D or of C"):
        grouped_law(get_law("kaplan_n"), 2)
    with pytest.raises(InputError, match="groups are compared by a law of N and D or of C"):
        grouped_law(LAWS["data_constrained"], 2)


def test_groups_cost_what_the_law_that_they_share_says():
    dear = Cost("12 N D", lambda N, _: 12 * N)
    grouped = grouped_law(dataclasses.replace(get_law("chinchilla"), cost=dear), 2)
    assert grouped.cost is dear
    assert group_law(grouped, 0, 2).cost is dear


def test_the_record_of_a_grouped_law_is_the_same_in_every_process_and_tells_laws_apart():
    names = ("chinchilla", "chinchilla", "kaplan_nd")
    records = [json.dumps(law_record(grouped_law(get_law(name), 3))) for name in names]
    assert records[0] == records[1] != records[2]
    assert " at 0x" not in records[0]


def test_the_record_of_a_grouped_law_holds_the_law_that_groups_share_and_what_is_done_with_it():
    law = get_law("chinchilla")

    def double(N, D, *, E, A, B, alpha, beta):
        return 2 * law.loss(N, D, E=E, A=A, B=B, alpha=alpha, beta=beta)

    doubled = dataclasses.replace(law, loss=double)
    records = [law_record(made) for made in (grouped_law(law, 3), grouped_law(doubled, 3))]
    assert records[0]["source"] != records[1]["source"]
    assert "def __call__" in records[0]["source"]
    assert "def _pooled_loss" in records[0]["source"]
    assert "def _offset" in records[0]["source"]


def test_a_grouped_law_and_its_fit_pickle(fit_of):
    fitted = fit_of(gain=(0.1, -0.2, 0.3))
    again = pickle.loads(pickle.dumps(fitted))
    assert again == fitted
    assert law_record(again.law) == law_record(fitted.law)
    assert multiplier(again, "plain", "new", [1e20]) == multiplier(fitted, "plain", "new", [1e20])
    member, law = group_law(fitted.law, 1, 3), grouped_law(get_law("compute_floor"), 2)
    for each in (member, law):
        assert pickle.loads(pickle.dumps(each)) == each
    assert grouped_law(get_law("chinchilla"), 3) != grouped_law(get_law("kaplan_nd"), 3)


def test_the_law_of_one_group_is_the_grouped_law_of_its_runs(fit_of):
    fitted = fit_of(gain=(0.1, -0.2, 0.3), lean=(0.2, 0.0, -0.1))
    named = {name: values[0] for name, values in fitted.draws.items() if name in fitted.law.parameters}
    for j in range(3):
        member = [float(j == k) for k in range(3)]
        alone = group_law(fitted.law, j, 3)
        assert alone.covariates == ("N", "D")
        assert alone.loss(2.0, 3.0, **named) == fitted.law.loss(2.0, 3.0, *member, **named)


def test_groups_are_named_in_the_fit(fit_of, runs):
    fitted = fit_of()
    assert group_names(fitted) == ["new", "plain", "tuned"]
    counts = runs.frame["family"].value_counts()
    assert [row["rows"] for row in group_table(fitted)] == [counts[name] for name in group_names(fitted)]
    own = pd.Series(np.array(group_names(fitted))[group_of(fitted)])
    losses = fitted.runs.frame.groupby(own.to_numpy())["loss"].mean()
    np.testing.assert_allclose(losses, runs.frame.groupby("family")["loss"].mean())


# The multiplier


def test_the_multiplier_is_the_ratio_of_gains_at_every_scale(fit_of):
    fitted = fit_of(gain=(np.log(2.0), 0.0, np.log(1.3)), lean=(0.3, -0.3, 0.0))
    for other, gain in (("tuned", 1.3), ("new", 2.0)):
        found = multiplier(fitted, "plain", other, [1e18, 1e21, 1e25])
        np.testing.assert_allclose(found.draws, gain, rtol=1e-5)


def test_at_the_multiplier_both_groups_reach_the_same_loss(fit_of):
    fitted = fit_of(gain=(0.5, 0.0, -0.2), turn=(0.05, 0.0, -0.04), lean=(0.2, -0.1, 0.0), floor=(0.01, 0.0, -0.004))
    flops = 1e20
    for other in ("new", "tuned"):
        m = multiplier(fitted, "plain", other, [flops]).draws[0, 0]
        names = group_names(fitted)
        ours = frontier_loss(fitted, names.index("plain"), flops * m**0.5)
        theirs = frontier_loss(fitted, names.index(other), flops / m**0.5)
        assert m != pytest.approx(1.0, rel=0.01)
        assert ours == pytest.approx(theirs, rel=1e-7)


@settings(max_examples=5)
@given(seed=st.integers(0, 10_000), exponent=st.floats(18, 25))
def test_exchanging_the_groups_gives_the_reciprocal_in_every_draw(fit_of, seed, exponent):
    fitted = fit_of(gain=(0.5, 0.0, 0.2), turn=(0.02, 0.0, 0.0), floor=(0.01, 0.0, 0.0), spread=0.1, draws=5, seed=seed)
    there, back = (multiplier(fitted, *pair, [10.0**exponent]).draws for pair in (("plain", "new"), ("new", "plain")))
    assert np.isfinite(there).all()
    np.testing.assert_allclose(there * back, 1.0, rtol=1e-12)


def test_a_record_tells_the_multiplier_in_words_and_numbers(fit_of):
    fitted = fit_of(gain=(np.log(2.0), 0.0, np.log(1.3)), spread=0.01)
    found = multiplier(fitted, "plain", "tuned", [1e20])
    record = multiplier_record(found)
    (budget,) = record["budgets"]
    assert (record["from"], record["to"], budget["flops"]) == ("plain", "tuned", 1e20)
    assert budget["multiplier"] == credible_interval(found.draws[:, 0], 0.9).record()
    assert budget["above_one"] == 1.0
    assert multiplier_statements(found)[0].startswith("around 1e20 FLOP, compute spent on tuned is worth 1.3")
    json.dumps(record)


def test_budgets_outside_the_runs_are_told(fit_of):
    notes = multiplier(fit_of(spread=0.01), "plain", "new", [1e20, 1e25]).notes
    assert len(notes) == 2
    assert notes[0].startswith("1e25 FLOP lie outside the runs of plain")


# What cannot be compared


@pytest.mark.parametrize(
    ("pair", "flops", "words"),
    [
        (("plain", "old"), None, "no group 'old'; its groups are new, plain, tuned"),
        (("plain", "plain"), None, "'plain' is compared with itself"),
        (("plain", "new"), [0.0], "each above zero"),
        (("plain", "new"), [], "one or more"),
    ],
)
def test_multipliers_that_make_no_sense_are_refused(fit_of, pair, flops, words):
    with pytest.raises(InputError, match=words):
        multiplier(fit_of(), *pair, flops)


def test_a_fit_without_groups_has_no_multiplier(wide_fit):
    with pytest.raises(InputError, match="has no groups; fit them with fit_groups"):
        multiplier(wide_fit, "a", "b")


def test_tables_whose_groups_cannot_be_told_or_compared_are_refused(runs):
    def changed(**columns):
        return dataclasses.replace(runs, frame=runs.frame.assign(**columns))

    sizes = np.where(runs.frame["family"] == "new", 50_000.0, 32_000.0)
    cases = {
        "there is no column recipe": (runs, "recipe"),
        "is empty for 30 runs": (changed(family=runs.frame["family"].where(runs.frame["family"] != "new")), "family"),
        "holds one group, all": (changed(family="all"), "family"),
        "different vocabulary cannot be compared": (changed(vocabulary=sizes), "family"),
    }
    for words, (table_of, column) in cases.items():
        with pytest.raises(InputError, match=words):
            fit_groups(table_of, "chinchilla", column)


def test_groups_that_share_no_loss_and_groups_of_few_runs_are_doubted(synthetic_fit):
    apart = table(gains=(1.0, 1e6, 1.0), rows=(30, 30, 2))
    assert apart.frame.groupby("family")["loss"].min()["plain"] > apart.frame.groupby("family")["loss"].max()["tuned"]
    law = grouped_law(get_law("chinchilla"), 3)
    scores = {f"{kind}_{j}": 0.0 for kind in SCALES for j in (1, 2, 3)}
    truth = {**TRUTH, **{f"{kind}_scale": scale for kind, scale in SCALES.items()}, **scores}
    fitted = synthetic_fit(law, _with_indicators(apart, "family", _check_groups(apart, "family")), truth, draws=20)
    assert any("share no range of loss" in doubt for doubt in multiplier(fitted, "plain", "tuned", [1e20]).doubts)
    assert any("new has 2 runs" in doubt for doubt in multiplier(fitted, "plain", "new", [1e20]).doubts)


def test_rows_of_one_training_run_are_doubted(fit_of):
    for repeats in (1, 3):
        fitted = fit_of(spread=0.01)
        frame = fitted.runs.frame
        order = frame.groupby(group_of(fitted)).cumcount() // repeats
        labels = pd.Series(group_of(fitted)).astype(str) + "-" + order.astype(str)
        fitted.__dict__["runs"] = dataclasses.replace(fitted.runs, frame=frame.assign(training_run=labels))
        doubts = multiplier(fitted, "plain", "new", [1e20]).doubts
        assert any("60 rows of plain and new come from 20 training runs" in doubt for doubt in doubts) == (repeats == 3)


def test_diagnostics_that_failed_are_told(fit_of, synthetic_fit, grouped):
    base = fit_of(spread=0.01)
    failed = synthetic_fit(
        base.law,
        grouped,
        {**TRUTH, **{name: values[0] for name, values in base.draws.items() if name in base.law.parameters}},
        draws=20,
        failures=("12 transitions diverged (none may)",),
    )
    assert "12 transitions diverged (none may)" in multiplier(failed, "plain", "new", [1e20]).doubts


# The command line


def test_the_command_line_compares_each_group_with_the_largest(monkeypatch, fit_of, runs, capsys, tmp_path):
    fitted = fit_of(gain=(np.log(2.0), 0.0, np.log(1.3)), spread=0.01)
    monkeypatch.setattr(bs.groups, "fit_groups", lambda *_, **__: fitted)
    path = tmp_path / "recipes.csv"
    runs.frame.to_csv(path, index=False)
    assert main(["multiplier", str(path), "--budget", "1e20", "--from", "plain", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == "bayescale/multiplier/1"
    assert [found["to"] for found in record["multipliers"]] == ["new", "tuned"]
    assert record["multipliers"][0]["budgets"][0]["multiplier"]["median"] == pytest.approx(2.0, rel=0.05)
    assert main(["multiplier", str(path), "--budget", "1e20", "--from", "plain", "--to", "tuned"]) == 0
    assert "compute spent on tuned is worth 1.3" in " ".join(capsys.readouterr().out.split())


def test_the_command_line_refuses_a_group_against_itself(capsys):
    assert main(["multiplier", "chinchilla", "--from", "a", "--to", "a"]) == 2
    assert "choose two groups" in capsys.readouterr().err
    assert main(["multiplier", "chinchilla", "--groups", "recipe"]) == 3
    assert "there is no column recipe" in capsys.readouterr().err


# Sampled


@pytest.mark.slow
def test_known_multipliers_are_recovered_and_groups_of_few_runs_are_left_wide():
    names, gains = (*NAMES, "few"), (*GAINS, 1.0)
    made = table(gains, (30, 30, 30, 2), names=names, seed=0)
    fitted = fit_groups(made, "chinchilla", random_seed=0)
    found = fitted.diagnostics  # a trajectory at the largest depth costs time, not correctness
    assert found.rhat <= 1.01, found.failures
    assert found.divergences == 0, found.failures
    assert min(found.ess_bulk, found.ess_tail) >= 400, found.failures
    ends = [np.quantile(multiplier(fitted, "plain", other, [1e20]).draws[:, 0], [0.05, 0.95]) for other in names[1:]]
    assert sum(low <= gain <= high for gain, (low, high) in zip(gains[1:], ends, strict=True)) >= 2
    *others, few = (np.log(high / low) for low, high in ends)
    assert few > 1.5 * max(others)
    assert offsets(fitted.draws, "gain", 4).sum(axis=1) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.slow
def test_fitting_groups_leaves_other_fits_as_they_were(small_runs, own_cache):
    before = fit_laws(small_runs, ["compute_floor"], draws=200, tune=200)["compute_floor"]
    named = dataclasses.replace(small_runs, frame=small_runs.frame.assign(family=["a", "b"] * 12))
    pooled = fit_groups(named, "compute_floor", draws=200, tune=200)
    again = fit_groups(named, "compute_floor", draws=200, tune=200)
    np.testing.assert_array_equal(pooled.draws["gain_1"], again.draws["gain_1"])
    after = fit_laws(small_runs, ["compute_floor"], draws=200, tune=200, cache=False)["compute_floor"]
    assert len(list((own_cache / "fits").glob("*.nc"))) == 2
    np.testing.assert_array_equal(before.draws["E"], after.draws["E"])

"""The page of verdicts: it names every table, and its tools agree with what is known in closed form."""

import dataclasses
import importlib
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.fits.draws import Draws
from bayescale.splits.optimum import find_optimum
from bayescale.splits.waste import extra_compute

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "verdicts.md").read_text(encoding="utf-8")


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("_disagreements")


@pytest.fixture
def maker(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("make_verdicts")


def part(title):
    """Return the text under one heading."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows():
    """Return the cells of each row of the table of tables."""
    lines = [line for line in part("Every table").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_table_of_the_catalogue_is_judged_or_refused():
    judged = [cells[0] for cells in rows()]
    lines = part("Tables of which it cannot be asked").splitlines()
    refused = [name for line in lines for name in line.removeprefix("- ").split(":")[0].split(", ")]
    for name in (table["name"] for table in bs.catalogue.list_tables()):
        assert [*judged, *refused].count(name) == 1, name


def test_each_table_that_cannot_tell_comes_with_a_reason_and_the_runs_that_would_decide():
    told = part("Why the others cannot tell, and which runs would decide")
    blocks = {block.splitlines()[0]: block for block in told.split("\n**")[1:]}
    silent = [cells[0] for cells in rows() if cells[3] == "cannot tell"]
    assert silent
    for name in silent:
        (block,) = [
            text for names, text in blocks.items() if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", names)
        ]
        assert block.count("\n- ") >= 2
        assert re.search(r"\*would decide:\* ((\d+ )?runs of one recipe at|no 200 runs)", block)


def test_the_summary_counts_the_rows(tools):
    answers = [cells[3] for cells in rows()]
    assert set(answers) <= set(tools.ANSWERS.values())
    assert f"The question can be asked of {len(answers)} of " in part("In short")


def found_of(title, answer, reasons=()):
    """Return what one made table says."""
    interval = SimpleNamespace(median=0.5, lower=0.4, upper=0.6)
    ratios = SimpleNamespace(lower=10.0, upper=40.0, tolerance=0.05)
    waste = (SimpleNamespace(factor=4.0, extra_compute=interval),)
    verdict = SimpleNamespace(answer=answer, reasons=reasons, waste=waste, effect=interval, tokens_per_parameter=ratios)
    return SimpleNamespace(job=SimpleNamespace(title=title), verdict=verdict)


def test_the_summary_counts_the_answers_and_names_the_tables(maker):
    found = [
        found_of("one", "split_matters"),
        found_of("two", "split_matters"),
        found_of("three", "probably_suffices"),
        found_of("four", "cannot_tell", ("the runs pool 7 families that differ in more than N and D",)),
    ]
    words = "\n".join(maker.in_short(found, {"five": "no C"}))
    assert "can be asked of 4 of 5 tables" in words
    assert "The split matters: 2; compute probably suffices: 1; cannot tell: 1." in words
    assert "The split matters on one, two." in words
    assert "Compute probably suffices on three." in words
    assert "1 pool families" in words


def test_tables_that_differ_by_their_errors_alone_have_no_spread(maker):
    errors = np.array([0.1, 0.2, 0.4])
    mean, error, spread = maker.random_effects(np.full(3, 0.7), errors)
    assert mean == pytest.approx(0.7)
    assert error == pytest.approx((errors**-2.0).sum() ** -0.5)
    assert spread == 0
    values = np.random.default_rng(2).normal(0.7, 0.3, size=400)
    mean, error, spread = maker.random_effects(values, np.full(400, 0.01))
    assert spread == pytest.approx(values.std(ddof=1), rel=0.01)
    assert error == pytest.approx(spread / 20, rel=0.01)


def costing(title, cost, ratios=(10.0, 40.0), runs=None):
    """Return a table whose runs locate the best split, where 4 times off costs so much."""
    effect = SimpleNamespace(factor=4.0, extra_compute=SimpleNamespace(median=cost, lower=0.9 * cost, upper=1.1 * cost))
    found = SimpleNamespace(lower=ratios[0], upper=ratios[1])
    frame = pd.DataFrame({"N": [1.0, 1.0], "D": [1.0, 1e3]}) if runs is None else runs
    return SimpleNamespace(
        job=SimpleNamespace(title=title),
        runs=SimpleNamespace(frame=frame, response="loss"),
        verdict=SimpleNamespace(effects=(effect,), tokens_per_parameter=found),
        locates=True,
        repeated=0.0,
    )


def test_the_cost_over_tables_lies_between_theirs_and_another_tables_is_less_sure(maker):
    cost = maker.pooled_cost([costing("one", 0.6), costing("two", 1.0), costing("three", 1.4)])
    assert 0.6 < cost.lower < cost.mean < cost.upper < 1.4
    assert cost.new[0] < cost.lower < cost.upper < cost.new[1]
    assert cost.spread > 1
    assert maker.pooled_cost([costing("one", 0.6)]).spread == 1


def test_tables_are_sorted_by_what_may_predict_their_cost(maker):
    narrow = pd.DataFrame({"N": [1.0, 1.0], "D": [1.0, 50.0]})
    kinds = maker.kinds_of_tables(
        [costing("chinchilla", 1.0), costing("gadre C4", 1.0), costing("other", 1.0, runs=narrow)]
    )
    titles = {name: [each.job.title for each in group] for name, group in kinds.items()}
    assert titles["D/N over 2 decades or more"] == ["chinchilla", "gadre C4"]
    assert titles["D/N over less than 2 decades"] == ["other"]
    assert titles["tokenizer: GPT-NeoX"] == ["gadre C4"]
    assert titles["schedule: cosine over each run's own tokens"] == ["chinchilla", "gadre C4"]
    assert titles["response: loss"] == titles["one family"] == ["chinchilla", "gadre C4", "other"]


def test_families_are_asked_within_where_their_sizes_differ_at_like_compute(maker, make_runs):
    runs = make_runs.of(*make_runs.isoflop())
    assert maker.asked_within(runs) is runs
    halves = dataclasses.replace(runs, frame=runs.frame.assign(family=["a", "b"] * (len(runs.frame) // 2)))
    assert (maker.asked_within(halves).frame["training_run"] == halves.frame["family"]).all()
    alone = dataclasses.replace(runs, frame=runs.frame.assign(family=runs.frame["run"]))
    assert maker.asked_within(alone) is alone


def test_a_table_without_sizes_or_with_another_response_is_refused_with_its_reason(maker, make_runs):
    runs = make_runs.of(*make_runs.isoflop())
    assert maker.unasked(runs) == ""
    gain = make_runs.of(*make_runs.isoflop(), response="gain")
    assert "its response is gain" in maker.unasked(gain)


def test_the_position_of_a_known_law_is_its_closed_form(tools, make_runs):
    truth = make_runs.truth
    values = {name: np.array([value]) for name, value in truth.items()}
    found = tools.position("known", Draws(bs.LAWS["chinchilla"], values, {"N": 1.0, "D": 1.0}))
    alpha, beta = truth["alpha"], truth["beta"]
    N = (alpha * truth["A"] / (beta * truth["B"])) ** (1 / (alpha + beta))
    N *= (tools.SHARED_BUDGET / 6) ** (beta / (alpha + beta))
    assert found.exponent == pytest.approx(beta / (alpha + beta), abs=1e-4)  # best splits to 1e-6, over a step of 0.1
    assert np.exp(found.log_ratio) == pytest.approx(tools.SHARED_BUDGET / (6 * N**2), rel=1e-4)


def test_the_loss_above_the_best_is_nothing_at_the_best(tools, wide_fit):
    flops = np.array([1e21])
    best = np.median(find_optimum(wide_fit.draws, flops).log_ratio)
    near, far = (tools.above_best(wide_fit, flops, np.array([best + step])) for step in (0.0, 3.0))
    assert (near >= 0).all()
    assert np.median(near) < 1e-4 < np.median(far)


@pytest.mark.parametrize("size_exponent", [0.04, 0.076, 0.1, 0.15, 0.3])
def test_the_form_of_the_kaplan_law_sets_the_least_cost_of_a_wrong_size(maker, size_exponent):
    values = {"A": 1e9**size_exponent, "B": 2e10**0.1, "alpha_N": size_exponent, "alpha_D": 0.1}
    arrays = {name: np.array([value]) for name, value in values.items()}
    draws = Draws(bs.LAWS["kaplan_nd"], arrays, {"N": 1.0, "D": 1.0})
    factors = np.array([1 / maker.FACTOR, maker.FACTOR])
    cost = extra_compute(draws, 1e21, factors).max()
    assert cost >= maker.KAPLAN_LEAST * (1 - 1e-4)  # Newton steps to 1e-6 in ln C
    assert (cost == pytest.approx(maker.KAPLAN_LEAST, rel=1e-4)) == (size_exponent == 0.1)


def test_as_many_runs_decide_as_their_mean_needs(tools):
    effect, noise = 0.01, 0.02
    count = tools.repeats(effect, noise)
    assert effect >= tools.ERRORS * noise * np.sqrt(2 / count)
    assert effect < tools.ERRORS * noise * np.sqrt(2 / (count - 1))
    assert tools.repeats(1.0, 0.01) == 1


def test_the_runs_between_two_tables_favour_each_by_its_own_law(tools, make_runs, synthetic_fit, wide_runs):
    truths = (make_runs.truth, {**make_runs.truth, "B": 8000.0})  # more of the loss in D: larger D/N
    fits = [synthetic_fit("chinchilla", wide_runs, truth, spread=1e-4, draws=50) for truth in truths]
    known = [
        tools.replace(tools.position(title, fit.draws), fit=fit, answer="the split matters")
        for title, fit in zip(("few", "many"), fits, strict=True)
    ]
    words = tools.duel(known)
    assert "1 of 1 pairs disagree" in words
    assert "Furthest apart are many and few" in words
    gains = [float(value) for value in re.findall(r"better by (\d+\.\d)%", words)]
    assert len(gains) == 2
    assert min(gains) > 0
    assert "No two tables that can tell disagree" in tools.duel([known[0], known[0]])
    unsure = tools.replace(known[1], answer="cannot tell")
    assert "No two tables that can tell disagree" in tools.duel([known[0], unsure])

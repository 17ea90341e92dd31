"""The calibration of verdicts: its simulated tables are what they say, and its page and numbers belong together."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from bayescale.catalogue import data_dir
from bayescale.comparison.odds import calibration
from bayescale.fits.draws import Draws
from bayescale.laws import get_law
from bayescale.splits.waste import extra_compute_at

ROOT = Path(__file__).parents[1]
RECORD = json.loads((data_dir() / "verdict-calibration.json").read_text(encoding="utf-8"))


@pytest.fixture
def maker(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("make_verdict_calibration")


@pytest.fixture
def simulator(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("simulate_verdicts")


def test_the_page_has_the_numbers_that_verdicts_read(maker):
    page = (ROOT / "docs" / "verdict-calibration.md").read_text(encoding="utf-8")
    assert page == maker.page(RECORD)
    assert calibration() == RECORD


def test_the_bins_of_the_diagram_hold_all_tables():
    for name, found in RECORD["measured"].items():
        assert sum(each["tables"] for each in found["bins"]) == found["tables"], name
        assert sum(found["answers"].values()) == found["tables"], name


def test_the_half_that_confirms_is_not_the_half_that_chose():
    chose, confirms = (RECORD["measured"][f"half that {name}"]["tables"] for name in ("chose", "confirms"))
    assert chose + confirms == RECORD["measured"]["both halves"]["tables"]
    assert abs(chose - confirms) <= 28  # tables of one half follow one another in blocks of 14


def test_both_halves_have_every_design_and_kind_of_truth_alike(maker, simulator):
    counts = {}
    for index in range(56):
        kind = index // len(simulator.DESIGNS) % 2
        half = maker.Table({"index": index}, np.empty(0)).first_half
        key = (index % len(simulator.DESIGNS), kind, half)
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 4 * len(simulator.DESIGNS)
    assert set(counts.values()) == {2}


def test_a_table_is_the_same_whenever_it_is_simulated(simulator):
    first, again = (simulator.describe_table(17, mix=False) for _ in range(2))
    assert first[0] == again[0]
    assert first[1].equals(again[1])
    assert not simulator.describe_table(31, mix=False)[1].equals(first[1])


def test_tables_of_compute_cost_nothing_and_others_what_their_law_says(simulator):
    rng = np.random.default_rng(0)
    design = simulator.isoflop(rng, 60, 1e18, 2.0, 1.0)
    values = {"E": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}
    truth = simulator._law("chinchilla", **values)
    law = Draws(
        get_law("chinchilla"), {name: np.array([value]) for name, value in values.items()}, {"N": 1.0, "D": 1.0}
    )
    own = np.log(np.quantile(design.D / design.N, simulator.OWN))
    flops = float(np.exp(np.log(6 * design.N * design.D).mean()))
    expected = extra_compute_at(law, flops, own[None]).mean()
    assert simulator.true_cost(truth, design) == pytest.approx(expected, rel=0.02)  # grids of 2% in C and 4% in D/N
    for index in range(14):
        facts, _ = simulator.describe_table(index, mix=False)
        assert (facts["cost"] > 0) == (facts["truth"] in simulator.SPLIT)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("chinchilla", {"E": 1.8, "A": 0.5, "B": 0.3, "alpha": 0.35, "beta": 0.3}),
        ("kaplan_nd", {"A": 2.2, "B": 2.0, "alpha_N": 0.08, "alpha_D": 0.1}),
    ],
)
def test_the_cost_in_closed_form_is_that_of_the_search(simulator, name, values):
    _, frame = simulator.describe_table(3, mix=False)
    reference = {"N": 1e9, "D": 2e10, "loss": 2.5}
    posterior = xr.Dataset({key: (("chain", "draw"), np.full((1, 12), value)) for key, value in values.items()})
    found = simulator.split_facts(get_law(name), posterior, frame, reference)
    draws = Draws(get_law(name), {key: np.array([value]) for key, value in values.items()}, reference)
    own = np.log(np.quantile(frame["D"] / frame["N"], simulator.OWN))
    flops = float(np.exp(np.log(frame["C"]).mean()))
    assert found["cost_draws"][0] == pytest.approx(extra_compute_at(draws, flops, own[None]).mean(), abs=1e-4)

"""What priors by hand change: a second fit with the laws' own, its numbers beside the first, and its figures."""

import json

import numpy as np
import pytest

import bayescale as bs
from bayescale.comparison.comparison import compare
from bayescale.decisions import prior_shift
from bayescale.decisions.prior_shift import against_own_priors
from bayescale.errors import InputError
from bayescale.laws import LAWS, with_priors
from bayescale.plots import figure_data, plot_given_prior
from bayescale.records.priors import given_priors, shift_record

FLOPS = [1e21, 1e23]


@pytest.fixture
def given(wide_runs, wide_comparison, synthetic_fit, monkeypatch):
    """A fit with a prior by hand whose posterior is elsewhere, and what the law's own prior gives."""
    law = with_priors(LAWS["chinchilla"], {"alpha": "Normal(0.5, 0.02)"})
    own = wide_comparison.fits["chinchilla"]
    asked = []

    def fit_again(runs, laws, **options):
        asked.append((runs, laws, options))
        return {"chinchilla": own}

    monkeypatch.setattr(prior_shift, "fit_laws", fit_again)
    return synthetic_fit(law, wide_runs), own, asked


def test_without_priors_by_hand_there_is_nothing_to_compare(wide_fit, wide_runs):
    assert against_own_priors(wide_runs, wide_fit) is None
    assert shift_record(None) is None


def test_numbers_stand_beside_those_of_a_fit_with_the_laws_own_priors(given, wide_runs):
    fitted, own, asked = given
    allocation = bs.allocate(fitted, FLOPS, probability=0.8)
    found = against_own_priors(wide_runs, fitted, allocation)
    ((_, (law,), options),) = asked
    assert law == LAWS["chinchilla"]
    assert options["draws"] == fitted.record["settings"]["draws"]
    assert [(each.flops, each.quantity) for each in found.moved] == [
        (flops, name) for flops in FLOPS for name in ("N", "D", "tokens_per_parameter", "loss")
    ]
    again = bs.allocate(own, FLOPS, probability=0.8)
    for i, each in enumerate(found.moved):
        draws = [source.optima[each.quantity].isel(budget=i // 4).to_numpy() for source in (allocation, again)]
        for interval, values in zip((each.given, each.own), draws, strict=True):
            ends = np.quantile(values, [0.1, 0.5, 0.9])
            np.testing.assert_allclose([interval.lower, interval.median, interval.upper], ends)
    N = found.moved[0]
    part = 100 * abs(N.given.median / N.own.median - 1)
    assert f"{'up' if N.given.median > N.own.median else 'down'} by {part:.2g}%" in N.sentence
    assert N.sentence.startswith("best N at 1e21 FLOP: ")
    assert "best loss at 1e23 FLOP" in found.moved[-1].sentence


def test_a_comparison_is_made_again_with_the_laws_that_had_no_priors_by_hand(given, wide_comparison, wide_runs):
    fitted, _, asked = given
    comparison = compare({**wide_comparison.fits, "chinchilla": fitted}, max_refits=0)
    found = against_own_priors(wide_runs, comparison, bs.allocate(comparison, FLOPS))
    assert [law.name for law in asked[0][1]] == ["chinchilla"]
    again = bs.allocate(wide_comparison, FLOPS)
    assert found.moved[0].own.median == pytest.approx(float(np.median(again.optima["N"].isel(budget=0))))


def test_an_allocation_that_the_laws_own_priors_do_not_have_is_a_note(given, wide_runs, monkeypatch):
    fitted, _, _ = given
    allocation = bs.allocate(fitted, FLOPS)

    def refuse(*_, **__):
        raise InputError("no law has a best split")

    monkeypatch.setattr(prior_shift, "allocate", refuse)
    found = against_own_priors(wide_runs, fitted, allocation)
    assert not found.moved
    assert found.notes == ("with the laws' own priors there is no allocation to compare with: no law has a best split",)


def test_other_runs_than_those_that_were_fitted_are_refused(given, small_runs, synthetic_fit, monkeypatch):
    fitted, _, _ = given
    other = synthetic_fit("chinchilla", small_runs)
    monkeypatch.setattr(prior_shift, "fit_laws", lambda *_, **__: {"chinchilla": other})
    with pytest.raises(InputError, match="the runs are others than those of wide that were fitted"):
        against_own_priors(small_runs, fitted, bs.allocate(fitted, FLOPS))


def test_the_record_says_whose_priors_and_by_which_method(given, wide_runs):
    fitted, _, _ = given
    record = shift_record(against_own_priors(wide_runs, fitted, bs.allocate(fitted, FLOPS)))
    assert json.loads(json.dumps(record)) == record
    assert record["method"] == "a second fit with the laws' own priors"
    assert set(record["moved"][0]) == {"flops", "quantity", "given", "own", "sentence"}
    assert given_priors(fitted)[0]["prior"] == "Normal(mu=0.5, sigma=0.02)"


def test_a_prior_by_hand_is_drawn_beside_the_posterior_and_the_laws_own(given):
    fitted, own, _ = given
    data = figure_data(plot_given_prior(fitted, "alpha", own=own))
    x, y = "alpha (at a typical run)", "probability density (per unit of alpha)"
    peaks = {name: rows.loc[rows[y].idxmax(), x] for name, rows in data.groupby("series")}
    assert list(dict.fromkeys(data["series"])) == [
        "prior by hand",
        "posterior",
        "the law's own prior",
        "posterior with the law's own prior",
    ]
    for name, draws in {"posterior": fitted.draws, "posterior with the law's own prior": own.draws}.items():
        low, high = np.quantile(draws["alpha"], [0.2, 0.8])
        assert low < peaks[name] < high
    area = {name: np.trapezoid(rows[y], rows[x]) for name, rows in data.groupby("series")}
    assert 0.97 < area["posterior"] < 1.01
    assert set(figure_data(plot_given_prior(fitted, "alpha"))["series"]) == {"prior by hand", "posterior"}


def test_a_figure_of_an_unknown_parameter_is_refused(wide_fit):
    with pytest.raises(InputError, match="'chinchilla' has no parameter gamma; it has E, A, B"):
        plot_given_prior(wide_fit, "gamma")


def test_a_report_says_which_priors_are_by_hand_draws_them_and_how_numbers_move(
    given, wide_comparison, wide_runs, tmp_path
):
    fitted, _, _ = given
    comparison = compare({**wide_comparison.fits, "chinchilla": fitted}, max_refits=0)
    allocation = bs.allocate(comparison, FLOPS)
    shift = against_own_priors(wide_runs, comparison, allocation)
    for name in ("report.html", "report.md"):
        record = bs.write_report(tmp_path / name, comparison, bs.judge(comparison), allocation, shift=shift)
        page = (tmp_path / name).read_text(encoding="utf-8")
        assert "alpha of chinchilla ~ Normal(mu=0.5, sigma=0.02)" in page
        assert shift.moved[0].sentence.replace("'", "&#39;" if name.endswith("html") else "'") in page
        assert "prior-chinchilla-alpha" in page
    assert record["posteriors"]["chinchilla"]["alpha"]["given"]
    assert not record["posteriors"]["chinchilla"]["beta"]["given"]
    assert record["prior_shift"] == shift_record(shift)
    assert "priors={'chinchilla.alpha': 'Normal(mu=0.5, sigma=0.02)'}" in page

"""Results as tables and in a few words."""

import dataclasses
import io
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread as read_png

import bayescale as bs
from bayescale.errors import InputError
from bayescale.fits.fit import published_draws
from bayescale.fits.progress import SWITCH, waiting_for
from bayescale.plots.decisions import plot_allocation
from bayescale.plots.style import SHOWN_DPI
from bayescale.values import COLUMNS
from bayescale.words import typed

BUDGETS = (1e21, 5e22)


@pytest.fixture(scope="module")
def allocation(wide_comparison):
    return bs.allocate(wide_comparison, BUDGETS, probability=0.8)


@pytest.fixture(scope="module")
def verdict(wide_comparison):
    return bs.judge(wide_comparison)


def test_an_allocation_is_a_table_of_its_budgets(allocation):
    table = allocation.table
    assert list(table["flops"]) == list(BUDGETS)
    assert list(table.index) == [0, 1]
    np.testing.assert_array_equal(table["N"], allocation.recommended["N"])
    np.testing.assert_allclose(table["tokens_per_parameter"], table["D"] / table["N"])
    for name in ("N", "D", "tokens_per_parameter", "loss", "forecast"):
        draws = allocation.optima[name].transpose(..., "budget").to_numpy()
        for i in range(len(BUDGETS)):
            interval = bs.credible_interval(draws[:, i], 0.8)
            assert table[f"{name}_lower"][i] == pytest.approx(interval.lower)
            assert table[f"{name}_upper"][i] == pytest.approx(interval.upper)
    assert (table["forecast_upper"] - table["forecast_lower"] > table["loss_upper"] - table["loss_lower"]).all()
    assert (table["loss"] <= table["expected_loss"] + 1e-3).all()
    np.testing.assert_allclose(table["extrapolation"], np.array(BUDGETS) / allocation.runs.frame["C"].max())


def test_waste_is_a_table_of_its_factors(verdict):
    table = verdict.waste_table
    assert list(table["factor"]) == [each.factor for each in verdict.waste]
    first = verdict.waste[0]
    assert table["too_small"][0] == first.too_small.median
    assert table["too_large_lower"][0] == first.too_large.lower
    assert table["extra_compute_upper"][0] == first.extra_compute.upper


def test_a_summary_holds_both_scales_prior_and_contraction(wide_fit):
    table = wide_fit.summary(0.8)
    assert list(table.index) == ["E", "A", "B", "alpha", "beta", "sigma", "nu"]
    published = bs.credible_interval(published_draws(wide_fit)["A"], 0.8)
    assert table.loc["A", "published"] == pytest.approx(published.median)
    assert table.loc["A", "published_lower"] == pytest.approx(published.lower)
    reference = bs.credible_interval(wide_fit.draws["A"], 0.8)
    assert table.loc["A", "reference_upper"] == pytest.approx(reference.upper)
    assert table.loc["A", "published"] > 100 * table.loc["A", "reference"]
    assert table["published"].isna().tolist() == [False] * 5 + [True] * 2
    prior = wide_fit.data["prior"]["alpha"].to_numpy()
    assert table.loc["alpha", "prior"] == pytest.approx(np.median(prior))
    assert table.loc["alpha", "contraction"] == pytest.approx(1 - wide_fit.draws["alpha"].var() / prior.var())


def test_a_summary_has_the_derived_quantities_of_the_paper(synthetic_fit, wide_runs):
    fitted = synthetic_fit("kaplan_nd", wide_runs)
    derived = set(published_draws(fitted)) - set(fitted.law.parameters)
    assert derived
    assert fitted.summary().loc[sorted(derived), "reference"].isna().all()


def test_a_summary_refuses_a_probability_out_of_range(wide_fit):
    with pytest.raises(InputError, match="probability"):
        wide_fit.summary(90)


def test_an_interval_has_a_probability_of_its_own():
    assert bs.credible_interval(np.arange(101.0)).probability == 0.9


def test_results_print_their_answer(wide_runs, wide_fit, wide_comparison, verdict, allocation):
    assert repr(wide_runs).startswith("120 runs of wide\nN 9.13M to 91.3B")
    assert re.match(r"Fit of chinchilla to 120 runs of wide \(4 x 500 draws, diagnostics passed\)\n", repr(wide_fit))
    assert "chinchilla predicts best" in repr(wide_comparison)
    assert repr(verdict).startswith("Split matters (probability that the split matters: above 0.99)\nOn wide")
    assert repr(allocation).startswith("For 1e21 FLOP train")


def test_a_failed_fit_prints_why(synthetic_fit, wide_runs):
    fitted = synthetic_fit("chinchilla", wide_runs, failures=("3 transitions diverged (none may)",))
    assert "diagnostics FAILED)\n3 transitions diverged (none may)\n" in repr(fitted)


def test_a_notebook_shows_the_table_and_the_notes(wide_comparison, allocation):
    page = wide_comparison._repr_html_()
    assert "<table" in page
    for law in wide_comparison.fits:
        assert law in page
    assert len(allocation.notes) > 1
    assert f"<summary>{len(allocation.notes)} notes</summary>" in allocation._repr_html_()


def shown_table(record):
    """Return the table that a notebook shows of a record, each cell as text."""
    table = ElementTree.fromstring(re.search("<table.*</table>", record._repr_html_(), re.DOTALL)[0])
    header, *rows = ([cell.text or "" for cell in row][1:] for row in table.iter("tr"))
    return pd.DataFrame(rows, columns=header)


def test_a_notebook_shows_an_interval_in_one_cell_and_the_table_itself_stays(wide_fit, verdict, allocation):
    table = allocation.table
    shown = shown_table(allocation)
    assert list(shown)[:4] == ["flops", "N", "D", "tokens_per_parameter"]
    assert shown["N"][0] == " ".join(
        (typed(table["N"][0]), f"({typed(table['N_lower'][0])}", "to", f"{typed(table['N_upper'][0])})")
    )
    for record, whole in ((wide_fit, wide_fit.summary()), (verdict, verdict.waste_table), (allocation, table)):
        assert {name.removesuffix("_lower") for name in whole if name.endswith("_lower")} <= set(whole)
        assert "_lower" not in record._repr_html_()
        assert "nan" not in record._repr_html_().lower()


def test_a_notebook_shows_few_columns_of_a_wide_table(make_runs):
    columns = {f"column {i}": 1.0 for i in range(30)}
    runs = make_runs.of(*make_runs.isoflop())
    wide = dataclasses.replace(runs, frame=runs.frame.assign(**columns))
    shown = shown_table(wide)
    assert shown.shape[1] == COLUMNS + 1
    assert "..." in shown.columns


def test_a_notebook_folds_a_long_doubt_behind_its_beginning(allocation):
    long = "; ".join(f"tail ESS of parameter {i} is <{i}>" for i in range(100))
    page = dataclasses.replace(allocation, doubts=("short", long))._repr_html_()
    assert "<li>short</li><li><details><summary>tail ESS of parameter 0 is &lt;0&gt;;" in page
    assert page.count("tail ESS of parameter 99 is &lt;99&gt;</details>") == 1
    assert page.count("parameter 0 is") == 2


def test_a_notebook_takes_names_literally(make_runs):
    runs = make_runs.of(*make_runs.isoflop(), name="<script>alert(1)</script>")
    assert "<script>" not in runs._repr_html_()


def test_a_plot_shows_itself_in_a_notebook(allocation):
    ax = plot_allocation(allocation)
    picture = read_png(io.BytesIO(ax._repr_png_()))
    width, height = ax.figure.get_size_inches() * SHOWN_DPI
    assert picture.shape[:2] == pytest.approx((height, width), abs=1)
    corner, colors = picture[0, 0], np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)
    assert (corner == 1).all()
    assert len(colors) > 50


def test_a_plot_opens_no_figure_of_pyplot():
    statement = "import sys, bayescale.plots.decisions\nprint('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_axes_of_ones_own_are_returned_as_they_are(allocation):
    own = Figure().add_subplot()
    assert plot_allocation(allocation, ax=own) is own
    assert not hasattr(own, "_repr_png_")


def test_a_fit_says_what_it_waits_for_where_somebody_watches(monkeypatch, capsys):
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with waiting_for("sampling chinchilla", progress=True):
        assert capsys.readouterr().err == "sampling chinchilla ..."
    assert re.fullmatch(r" \d+ s\n", capsys.readouterr().err)


@pytest.mark.parametrize("case", ["not asked for", "switched off", "no terminal"])
def test_a_fit_says_nothing_where_nobody_watches(monkeypatch, capsys, case):
    monkeypatch.setenv(SWITCH, "0" if case == "switched off" else "1")
    monkeypatch.setattr("sys.stderr.isatty", lambda: case != "no terminal", raising=False)
    with waiting_for("sampling chinchilla", progress=case != "not asked for"):
        pass
    assert capsys.readouterr().err == ""


def test_a_fit_that_is_sampled_says_so_and_one_from_the_cache_does_not(small_runs, sampled_fit, monkeypatch, capsys):
    monkeypatch.setattr("bayescale.fits.progress.is_watched", lambda: True)
    options = {"draws": 1000, "tune": 300, "random_seed": 1}
    assert bs.fit(small_runs, "compute_floor", **options) == sampled_fit
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("bayescale.fits.fitting._fit", lambda *_, **__: sampled_fit)
    bs.fit(small_runs, "compute_floor", cache=False)
    assert capsys.readouterr().err.startswith("sampling compute_floor on 24 runs of small ...")
    bs.fit(small_runs, "compute_floor", cache=False, progress=False)
    assert capsys.readouterr().err == ""

"""Figures of simulated results: posteriors are drawn about a least-squares fit, so no sampler is needed."""

import dataclasses
import functools
import inspect

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from made import (
    results,
    simulated_backtest,
    simulated_comparison,
    simulated_fit,
    simulated_runs,
    simulated_size_backtest,
)

from bayescale import plots
from bayescale.decisions.allocation import Allocation, allocate
from bayescale.errors import InputError
from bayescale.fits.fit import Fit
from bayescale.laws import LAWS
from bayescale.plots.rendering import render, rendering_settings, svg_text
from bayescale.plots.style import BLUE, INK
from bayescale.processes import alongside


@functools.cache
def curve() -> Allocation:
    """Return an allocation of many budgets, which bands are drawn of."""
    return allocate(results()[0].fits["chinchilla"], np.geomspace(1e18, 1e24, 9))


def fitted() -> Fit:
    return results()[0].fits["chinchilla"]


PLOTS = {
    "loss": lambda: plots.plot_loss(curve()),
    "loss of a law": lambda: plots.plot_loss(plots.loss_curve(fitted())),
    "loss of compute": lambda: plots.plot_loss(plots.loss_curve(results()[0].fits["compute_floor"])),
    "loss with forecasts": lambda: plots.plot_loss(plots.loss_curve(fitted()), held_out=simulated_backtest()),
    "answer": lambda: plots.plot_answer(curve(), results()[2]),
    "N at many": lambda: plots.plot_allocation(curve(), "N"),
    "N at few": lambda: plots.plot_allocation(results()[2], "N"),
    "D at many": lambda: plots.plot_allocation(curve(), "D"),
    "D at few": lambda: plots.plot_allocation(results()[2], "D"),
    "tokens_per_parameter at many": lambda: plots.plot_allocation(curve(), "tokens_per_parameter"),
    "tokens_per_parameter at few": lambda: plots.plot_allocation(results()[2], "tokens_per_parameter"),
    "regret": lambda: plots.plot_regret(results()[2], 1),
    "other sizes": lambda: plots.plot_other_sizes(results()[2]),
    "elpd": lambda: plots.plot_elpd(results()[0]),
    "pareto k": lambda: plots.plot_pareto_k(results()[0]),
    "pointwise": lambda: plots.plot_pointwise(results()[0], "chinchilla", "compute_floor"),
    "iso loss": lambda: plots.plot_iso_loss(plots.loss_map(fitted())),
    "ratio range": lambda: plots.plot_ratio_range(results()[1], results()[0].runs),
    "ratio range without runs": lambda: plots.plot_ratio_range(results()[1]),
    "exponents": lambda: plots.plot_exponents(results()[0].fits),
    "calibration": lambda: plots.plot_calibration(simulated_backtest()),
    "held out": lambda: plots.plot_held_out(simulated_backtest()),
    "size errors": lambda: plots.plot_size_errors(simulated_size_backtest()),
    "isoflop": lambda: plots.plot_isoflop(plots.isoflop_slices(fitted())),
    "waste": lambda: plots.plot_waste(plots.waste_curve(fitted())),
    "weights": lambda: plots.plot_weights(results()[0]),
    "check": lambda: plots.plot_predictive_check(fitted()),
    "check by D/N": lambda: plots.plot_predictive_check(fitted(), against="tokens_per_parameter"),
}
"""Every plot, drawn when it is called."""

DRAWN_ELSEWHERE = {
    "plot_data_limit",
    "plot_families",
    "plot_gaps",
    "plot_given_prior",
    "plot_loadings",
    "plot_plan",
    "plot_prior_predictive",
    "plot_score_calibration",
    "plot_scores",
    "plot_serving",
    "plot_skills",
    "plot_slopes",
    "plot_worst",
}
"""Plots whose results are made in test files of their own."""


def legend(ax) -> str:
    return "; ".join(text.get_text() for text in ax.get_legend().get_texts())


def test_every_public_plot_is_tested_here_or_with_its_result():
    source = inspect.getsource(inspect.getmodule(fitted))
    public = {name for name in vars(plots) if name.startswith("plot_")}
    assert {name for name in public if f"plots.{name}(" in source} == public - DRAWN_ELSEWHERE


@pytest.mark.parametrize("name", PLOTS)
def test_plot_has_a_title_and_labels_with_units(name):
    ax = PLOTS[name]()
    assert ax.get_title(loc="left")
    unit = ("(", "law", "tokens per parameter", "probability", "Pareto k")
    assert any(word in ax.get_xlabel() for word in unit)
    assert any(word in ax.get_ylabel() for word in unit)
    assert "<svg" in svg_text(ax, "salt")


@pytest.mark.parametrize(
    "name",
    sorted(
        {*PLOTS}
        - {
            "regret",
            "elpd",
            "pareto k",
            "calibration",
            "held out",
            "size errors",
            "weights",
            "pointwise",
            "other sizes",
        }
    ),
)
def test_plot_names_its_interval_and_probability(name):
    words = legend(PLOTS[name]())
    assert any(kind in words for kind in ("90% credible interval", "90% posterior")), words


@pytest.mark.parametrize("name", PLOTS)
def test_nothing_is_cut_or_covered(name):
    ax = PLOTS[name]()
    figure, words = ax.figure, ax.get_legend()
    svg_text(ax, "salt")
    parts = {
        "legend": words.get_window_extent(),
        "x": ax.xaxis.get_tightbbox(),
        "y": ax.yaxis.get_tightbbox(),
        "title": ax._left_title.get_window_extent(),
    }
    for part, box in parts.items():
        assert box.x0 >= 0, part
        assert box.y0 >= 0, part
    assert parts["x"].x1 <= figure.bbox.x1
    assert parts["title"].x1 < 0.86 * figure.bbox.x1  # bold type of a browser is wider
    assert parts["legend"].y1 < parts["x"].y0
    assert ax.bbox.height > 0.4 * figure.bbox.height
    assert ax.bbox.width > 0.6 * figure.bbox.width


def test_calibration_shows_the_coverage_of_each_method_and_the_promise():
    found = simulated_backtest()
    ax = plots.plot_calibration(found, probability=0.5)
    assert all(part in legend(ax) for part in ("law with discrepancy", "law, constant noise", "promised: 50%"))
    lines = {line.get_label(): line for line in ax.lines}
    drawn = lines["law, constant noise"]
    plain = found.points[found.points["method"] == "plain"]
    inside = [
        plain["inside_50"][(plain["factor"] >= low) & (plain["factor"] < high)]
        for low, high in ((1, 3), (3, 10), (10, 30))
    ]
    assert drawn.get_ydata() == pytest.approx([100 * part.mean() for part in inside if len(part)])
    assert drawn.get_linestyle() != lines["law with discrepancy"].get_linestyle()
    assert drawn.get_marker() != lines["law with discrepancy"].get_marker()
    assert set(lines["promised: 50%"].get_ydata()) == {50}
    with pytest.raises(InputError, match=r"intervals of 0\.5, 0\.8, 0\.9, 0\.95, none of 0\.7"):
        plots.plot_calibration(found, probability=0.7)


def has(handle) -> bool:
    return not hasattr(handle, "get_xdata") or len(handle.get_xdata()) > 0


@pytest.mark.parametrize("name", PLOTS)
def test_data_of_a_figure_lie_inside_it_and_have_names(name):
    ax = PLOTS[name]()
    table = plots.figure_data(ax)
    assert len(table)
    assert table["series"].str.len().gt(0).all()
    assert {ax.get_xlabel(), ax.get_ylabel()} & {*table.columns}
    drawn = [
        text.replace("\n", " ") for handle, text in zip(*ax.get_legend_handles_labels(), strict=True) if has(handle)
    ]
    assert drawn
    assert not [text for text in drawn if not table["series"].str.startswith(text).any()]


def test_data_of_bands_are_the_quantiles_and_bars_have_two_ends():
    fitted = results()[0].fits["chinchilla"]
    curve = allocate(fitted, np.geomspace(1e18, 1e24, 9))
    ax = plots.plot_allocation(curve, "N")
    table = plots.figure_data(ax)
    x, y = ax.get_xlabel(), ax.get_ylabel()
    band = table[table["series"] == "90% credible interval"]
    low, high = np.quantile(curve.optima["N"].transpose("draw", "budget").to_numpy(), [0.05, 0.95], axis=0)
    assert band[x].to_numpy() == pytest.approx(np.geomspace(1e18, 1e24, 9))
    assert band[y].to_numpy() == pytest.approx(low)
    assert band[f"{y}, end"].to_numpy() == pytest.approx(high)
    end = table[table["series"] == "beyond the largest run"]
    assert end[x].to_numpy() == pytest.approx(fitted.runs.frame["C"].max())
    assert end[y].isna().all()


def test_data_of_named_rows_carry_the_names():
    comparison = results()[0]
    table = plots.figure_data(plots.plot_weights(comparison))
    found = table[table["series"].str.startswith("stacking weight") & table.iloc[:, 2].notna()]
    weights = comparison.table["weight"]
    points = found[found.iloc[:, 4].isna()].set_index("row").iloc[:, 1]
    assert points.reindex(weights.index).to_numpy() == pytest.approx(weights.to_numpy(dtype=float))


def test_forecasts_of_held_out_runs_stand_at_their_compute():
    found, fitted = simulated_backtest(), results()[0].fits["chinchilla"]
    table = plots.figure_data(plots.plot_loss(plots.loss_curve(fitted), held_out=found))
    bars = table[table["series"] == "90% forecast of a held-out run"]
    chosen = (found.points["method"] == "discrepancy") & (found.points["threshold"] == 10)
    points = found.points[chosen].merge(fitted.runs.frame[["run", "C"]], on="run")
    assert bars.iloc[:, 1].to_numpy() == pytest.approx(points["C"].to_numpy())
    assert bars.iloc[:, 2].to_numpy() == pytest.approx(points["low_90"].to_numpy())


def test_wasted_compute_is_that_of_the_verdict():
    comparison, verdict, _ = results()
    ax = plots.plot_waste(
        plots.waste_curve(comparison.fits[verdict.split_law], flops=verdict.tokens_per_parameter.flops)
    )
    table = plots.figure_data(ax)
    median = table[table["series"] == "median"].iloc[:, 1:3].to_numpy()
    ten = next(each for each in verdict.waste if each.factor == 10)
    assert median[0, 1] - 1 == pytest.approx(ten.too_small.median, rel=0.05)
    assert median[-1, 1] - 1 == pytest.approx(ten.too_large.median, rel=0.05)
    with pytest.raises(InputError, match="has no best split"):
        plots.waste_curve(comparison.fits["tilt"])


def test_slices_show_the_runs_of_like_compute():
    fitted = results()[0].fits["chinchilla"]
    table = plots.figure_data(plots.plot_isoflop(plots.isoflop_slices(fitted)))
    labels = [text for text in dict.fromkeys(table["series"]) if "FLOP, " in text and "interval" not in text]
    counted = [int(text.split(", ")[1].split()[0]) for text in labels]
    assert 1 < len(labels) <= 5
    near = fitted.runs.frame["C"].round(-15).value_counts()
    assert sum(counted) <= near.sum()


def test_calibration_takes_the_points_of_several_tables():
    points = simulated_backtest().points
    both = pd.concat([points.assign(table="one"), points.assign(table="other")])
    once, twice = (
        [text.get_text() for text in plots.plot_calibration(each).texts] for each in (points.assign(table="one"), both)
    )
    assert [int(text.split()[0]) for text in twice] == [2 * int(text.split()[0]) for text in once]


def test_held_out_runs_stand_where_they_were_observed():
    found = simulated_backtest()
    ax = plots.plot_held_out(found, method="plain")
    points = found.points[(found.points["method"] == "plain") & (found.points["threshold"] == 10)]
    lines = {line.get_label(): line for line in ax.lines}
    outside = points[~points["inside_90"]]
    expected = 100 * (outside["observed"] / (outside["observed"] + outside["error"]) - 1)
    assert lines["run outside"].get_ydata() == pytest.approx(expected.to_numpy())
    assert f"held {points['inside_90'].sum()} of {len(points)}" in legend(ax)
    whole = dataclasses.replace(found, points=found.points.assign(factor=range(1, len(found.points) + 1)))
    assert np.isnan(
        plots.plot_held_out(whole).lines[0].get_xdata()
    ).any()  # gaps between intervals, of whole numbers too
    two = dataclasses.replace(found, points=pd.concat([found.points, found.points.assign(law="tilt")]))
    with pytest.raises(InputError, match="one law by discrepancy; found laws chinchilla, tilt"):
        plots.plot_held_out(two)


def test_figure_keeps_its_layout_after_it_was_drawn():
    ax = plots.plot_elpd(results()[0])
    engine = ax.figure.get_layout_engine()
    svg_text(ax, "salt")
    assert engine is not None
    assert ax.figure.get_layout_engine() is engine


def test_plot_draws_on_the_axes_given():
    ax = plots.plot_elpd(results()[0])
    assert plots.plot_pareto_k(results()[0], ax) is ax
    assert ax.figure.axes == [ax]


def test_allocation_marks_the_recommendation_the_end_of_the_runs_and_published_values():
    words = legend(PLOTS["N at many"]())
    near = "less than 5% extra compute, 90% sure"
    for part in ("least expected loss", near, "beyond the largest run", "Hoffmann et al. 2022"):
        assert part in words


def test_published_sizes_are_not_drawn_beside_another_response():
    allocation = results()[2]
    runs = dataclasses.replace(allocation.runs, response="bpc", frame=allocation.runs.frame.assign(bpc=0.5))
    ax = plots.plot_allocation(dataclasses.replace(allocation, runs=runs))
    assert "Hoffmann" not in legend(ax)


def test_best_law_is_at_the_top():
    comparison = results()[0]
    ax = plots.plot_elpd(comparison)
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == list(comparison.table.index)
    assert ax.yaxis_inverted()


def test_failed_diagnostics_are_marked():
    laws = (LAWS["compute_floor"], LAWS["chinchilla"])
    comparison = simulated_comparison(laws, simulated_runs(), failed=("chinchilla",))
    assert "diagnostics failed" in legend(plots.plot_elpd(comparison))


def test_names_with_dollar_signs_are_taken_literally():
    law = dataclasses.replace(LAWS["chinchilla"], name=r"mine $\frac")
    fitted = simulated_fit(law, simulated_runs())
    for ax in (
        plots.plot_exponents([fitted]),
        plots.plot_predictive_check(fitted),
        plots.plot_loss(plots.loss_curve(fitted)),
    ):
        assert r"mine $\frac" in svg_text(ax, "salt")


def test_exponents_leave_out_what_has_the_unit_of_the_response():
    comparison = results()[0]
    labels = [text.get_text() for text in plots.plot_exponents(comparison.fits).get_yticklabels()]
    assert labels == ["compute_floor gamma", "tilt gamma", "tilt delta", "chinchilla alpha", "chinchilla beta"]


def test_range_that_cannot_be_named_is_not_drawn():
    verdict = results()[1]
    ratios = dataclasses.replace(verdict.tokens_per_parameter, lower=None, upper=None)
    nowhere = (verdict.profile[0], np.zeros_like(verdict.profile[1]))
    ax = plots.plot_ratio_range(dataclasses.replace(verdict, tokens_per_parameter=ratios, profile=nowhere))
    assert "tokens per parameter" not in legend(ax)


def test_svg_is_the_same_every_time():
    first, second = (svg_text(plots.plot_elpd(results()[0]), "salt") for _ in range(2))
    assert first == second
    assert BLUE.lower() in first
    assert INK in first


def test_another_process_renders_the_same_text_under_the_settings_of_this_one(monkeypatch):
    monkeypatch.setattr("loky.cpu_count", lambda: 2)
    monkeypatch.setattr("bayescale.processes.ENOUGH", len(PLOTS))
    with mpl.rc_context({"path.simplify_threshold": 0.5, "font.sans-serif": ["Nimbus"]}):
        named = [(name, plot()) for name, plot in PLOTS.items()]
        settings = rendering_settings()
        elsewhere = alongside(functools.partial(render, settings=settings), named)
        here = [render(each, settings) for each in named]
    assert elsewhere == here
    assert all("Nimbus" in svg for svg, _ in here)
    assert all(csv.startswith("series,") for _, csv in here)


def test_runs_far_from_the_others_are_arrows_at_the_edge_and_do_not_set_the_axis():
    fitted = results()[0].fits["chinchilla"]
    frame = fitted.runs.frame.copy()
    calm = plots.plot_loss(plots.loss_curve(fitted)).get_ylim()[1]
    frame.loc[7, "loss"] = 7.83
    curve = dataclasses.replace(plots.loss_curve(fitted), runs=dataclasses.replace(fitted.runs, frame=frame))
    ax = plots.plot_loss(curve)
    assert ax.get_ylim()[1] < 1.2 * calm
    assert "1 beyond the axis, to 7.8" in legend(ax)
    assert "beyond the axis" not in legend(plots.plot_loss(plots.loss_curve(fitted)))

"""Figures of skills show the numbers of the results they are drawn of."""

import numpy as np
import pytest
from skills_made import comparison_of, made_skill_fit

from bayescale import plots
from bayescale.errors import InputError
from bayescale.plots.rendering import svg_text
from bayescale.skills import family_table, forecast_scores, with_second_skill


@pytest.fixture(scope="module")
def fitted():
    return made_skill_fit()


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def line(ax, label):
    return next(each for each in ax.lines if each.get_label() == label)


def test_families_are_drawn_by_multiplier(fitted):
    ax = plots.plot_families(fitted)
    table = family_table(fitted)
    assert line(ax, "median").get_xdata() == pytest.approx(table["multiplier"])
    assert [text.get_text() for text in ax.get_yticklabels()] == [f"{name} (4)" for name in table["family"]]
    assert "90% credible interval" in legend(ax)


def test_skills_are_drawn_against_compute(fitted):
    ax = plots.plot_skills(fitted)
    drawn = sum(len(each.get_xdata()) for each in ax.lines if each.get_label() != "the average family")
    assert drawn == len(fitted.table.models)
    assert "the average family" in legend(ax)
    assert "FLOP" in ax.get_xlabel()


def test_scores_are_drawn_with_the_models_left_out(fitted):
    flops = np.geomspace(1e21, 1e24, 8)
    forecast = forecast_scores(fitted, family="family-2", flops=flops, threshold=0.5)
    ax = plots.plot_scores(forecast, "MMLU", comparison=comparison_of(fitted.table))
    own = fitted.table.models["family"] == "family-2"
    measured = line(ax, "measured")
    assert sorted(measured.get_xdata()) == pytest.approx(sorted(fitted.table.models.loc[own, "C"]))
    assert line(ax, "threshold").get_ydata()[0] == 0.5
    assert line(ax, "median").get_ydata() == pytest.approx(
        np.median(forecast.scores[:, :, forecast.responses.index("MMLU")], axis=0)
    )
    with pytest.raises(InputError, match="is not forecast"):
        plots.plot_scores(forecast, "ARC")


def test_calibration_shows_the_part_held_of_each_response(fitted):
    ax = plots.plot_score_calibration(comparison_of(fitted.table))
    assert set(line(ax, "family_benchmark").get_xdata()) == {100}
    assert set(line(ax, "compute").get_xdata()) == {0}
    assert [text.get_text() for text in ax.get_yticklabels()] == sorted(fitted.table.names)


def test_figures_of_skills_have_titles_and_render(fitted):
    forecast = forecast_scores(fitted, flops=[1e22, 1e23])
    drawn = (
        plots.plot_families(fitted),
        plots.plot_skills(fitted),
        plots.plot_loadings(fitted),
        plots.plot_scores(forecast, "GSM8K"),
        plots.plot_score_calibration(comparison_of(fitted.table)),
    )
    for ax in drawn:
        assert ax.get_title(loc="left")
        assert "<svg" in svg_text(ax, "salt")


def test_loadings_are_drawn_steepest_first_with_those_of_a_second_skill():
    fitted = made_skill_fit(with_second_skill("family_benchmark", ["MMLU", "GSM8K", "TruthfulQA"]))
    ax = plots.plot_loadings(fitted)
    middle = dict(zip(fitted.table.names, np.median(fitted.flat("loading"), axis=0), strict=True))
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == sorted(middle, key=middle.get, reverse=True)
    assert line(ax, "skill, for ten times the compute").get_xdata() == pytest.approx([middle[name] for name in names])
    second = line(ax, "second skill, for one standard deviation")
    assert [names[round(row - 0.25)] for row in second.get_ydata()] == [name for name in names if name != "HellaSwag"]
    assert len(plots.plot_loadings(made_skill_fit()).collections) == 1

"""Figures of groups."""

import numpy as np
import pytest
from responses_made import ALIKE, made, of_laws

from bayescale import plots
from bayescale.groups import allocate_worst, disparities


@pytest.fixture(scope="module")
def found():
    return disparities(made([0.1, 0.3, -0.2]), 1e18, 1e20)


def test_slopes_are_drawn_with_their_intervals_the_largest_on_top(found):
    ax = plots.plot_slopes(found)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["g1", "g0", "g2"]
    median = next(line for line in ax.lines if line.get_label() == "median")
    np.testing.assert_allclose(median.get_xdata(), found.table["slope"].sort_values(ascending=False))
    assert any("90% credible interval" in text.get_text() for text in ax.get_legend().get_texts())
    assert "a decade of compute" in ax.get_xlabel()


def test_gaps_are_drawn_at_both_scales(found):
    ax = plots.plot_gaps(found)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["g1", "g2"]
    (line, *_), *_ = ax.containers
    np.testing.assert_allclose(line.get_ydata(), [found.table.loc["g1", "gap_from"], found.table.loc["g1", "gap_to"]])
    assert "FLOP" in ax.get_xlabel()


def test_near_optimal_sizes_are_drawn_with_those_for_the_worst_off_and_for_the_mean():
    worst = allocate_worst(of_laws(**(ALIKE | {"alpha": [0.6, 0.2], "beta": [0.2, 0.6]})), 1e22, weights=[0.9, 0.1])
    ax = plots.plot_worst(worst)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["b", "a"]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert any("for the worst-off: " in text for text in texts)
    lines = {line.get_label(): line.get_xdata()[0] for line in ax.lines}
    assert lines["for the mean"] == worst.mean_N

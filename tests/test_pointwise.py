"""The picture of where two laws differ."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from bayescale.comparison.comparison import pointwise_difference
from bayescale.errors import InputError
from bayescale.plots.pointwise import FIRST, SECOND, plot_pointwise


def drawn(ax):
    """Return what each legend entry marks: colour, marker and places."""
    return {line.get_label(): (to_hex(line.get_color()), line.get_marker(), line.get_xydata()) for line in ax.lines}


def test_every_run_is_marked_once_by_sign_and_size(wide_comparison):
    ahead = pointwise_difference(wide_comparison, "compute_floor", "chinchilla")
    lines = drawn(plot_pointwise(wide_comparison, "compute_floor", "chinchilla"))
    assert sum(len(places) for *_, places in lines.values()) == 120
    up = sum(len(places) for _, marker, places in lines.values() if marker == "^")
    assert up == (ahead >= 0).sum()
    assert {color for color, *_ in lines.values()} == {*FIRST, *SECOND}
    limit = np.quantile(np.abs(ahead), 0.9)
    far = [places for color, _, places in lines.values() if color in (FIRST[2], SECOND[2])]
    assert sum(map(len, far)) == (np.abs(ahead) >= limit).sum()


def test_swapping_the_laws_swaps_colours_and_marks(wide_comparison):
    one = drawn(plot_pointwise(wide_comparison, "tilt", "chinchilla"))
    other = drawn(plot_pointwise(wide_comparison, "chinchilla", "tilt"))
    assert set(one) == set(other)
    swapped = dict(zip((*FIRST, *SECOND), (*SECOND, *FIRST), strict=True))
    for label, (color, marker, places) in one.items():
        assert other[label][0] == swapped[color]
        assert other[label][1] != marker
        np.testing.assert_array_equal(other[label][2], places)


@pytest.mark.parametrize("second", ["tilt", "guo_compute"])
def test_two_different_laws_of_the_comparison_are_needed(wide_comparison, second):
    with pytest.raises(InputError, match=f"expected two different laws of .*; found 'tilt' and '{second}'"):
        plot_pointwise(wide_comparison, "tilt", second)


def test_the_picture_says_what_its_marks_mean(wide_comparison):
    ax = plot_pointwise(wide_comparison, "compute_floor", "chinchilla")
    assert ax.get_title(loc="left") == "Nats by which a law predicts a run left out better"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("model size N (parameters)", "training set D (tokens)")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert all("compute_floor by " in label or "chinchilla by " in label for label in drawn(ax))

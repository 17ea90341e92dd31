"""The map of a law over N and D: its region is the verdict's range, and every line says what it is."""

import dataclasses

import numpy as np
import pytest
from made import results

from bayescale.decisions.loss_map import BEYOND, loss_map
from bayescale.errors import InputError
from bayescale.hardware import FLOPS_PER_TOKEN
from bayescale.plots.regions import plot_iso_loss
from bayescale.plots.rendering import svg_text
from bayescale.runs import RunTable


@pytest.fixture(scope="module")
def axes():
    comparison, verdict, _ = results()
    return plot_iso_loss(loss_map(comparison.fits[verdict.split_law]))


def labelled(ax, words):
    (found,) = [artist for artist in (*ax.patches, *ax.collections, *ax.lines) if words in str(artist.get_label())]
    return found


def outline(ax, words):
    """Return compute and D/N of the corners of a filled region, its two sides apart."""
    N, D = labelled(ax, words).get_xy()[:-1].T  # the last corner is the first again
    flops, (there, back) = FLOPS_PER_TOKEN * N * D, np.split(D / N, 2)
    return flops[: there.size], there, back[::-1]


def test_the_region_is_the_range_of_the_verdict(axes):
    verdict = results()[1]
    flops, lower, upper = outline(axes, "split costs less than 5% more compute")
    told = verdict.tokens_per_parameter
    typical = np.abs(np.log(flops / told.flops)).argmin()
    assert (lower[typical], upper[typical]) == pytest.approx((told.lower, told.upper), rel=1e-5)
    for told in verdict.ranges:
        near = [np.exp(np.interp(np.log(told.flops), np.log(flops), np.log(side))) for side in (lower, upper)]
        # Straight lines between budgets a decade apart; 5% of D/N is a hundredth of the figure's width.
        assert near == pytest.approx([told.lower, told.upper], rel=0.05)


def test_the_region_reaches_from_the_smallest_run_to_far_beyond_the_largest(axes):
    C = results()[0].runs.frame["C"]
    flops, _, _ = outline(axes, "split costs less")
    assert (flops[0], flops[-1]) == pytest.approx((C.min(), BEYOND * C.max()))


def test_the_best_split_lies_in_its_band_and_the_band_in_the_region(axes):
    flops, lower, upper = outline(axes, "best split, 90% credible interval")
    N, D = labelled(axes, "best split, median").get_data()
    _, outer_lower, outer_upper = outline(axes, "split costs less")
    assert flops == pytest.approx(FLOPS_PER_TOKEN * N * D)
    assert (lower < D / N).all()
    assert (upper > D / N).all()
    inside = flops < results()[0].runs.frame["C"].max()  # far beyond, the band is the wider one
    assert (outer_lower < lower)[inside].all()
    assert (upper < outer_upper)[inside].all()


def test_a_larger_tolerance_draws_a_larger_region():
    fitted = results()[0].fits["chinchilla"]
    regions = [
        outline(plot_iso_loss(loss_map(fitted, tolerance=value)), "split costs less")[1:] for value in (0.1, 0.4)
    ]
    assert (regions[1][0] < regions[0][0]).all()
    assert (regions[0][1] < regions[1][1]).all()


def test_lines_of_equal_loss_carry_their_loss_and_lines_of_equal_compute_their_flop(axes):
    words = [text.get_text().strip() for text in axes.texts]
    assert {"1e19", "1e20", "1e21", "1e22"} <= set(words)
    losses = [float(text) for text in words if "e" not in text]
    assert len(losses) >= 4
    assert all(1.5 < loss < 5 for loss in losses)


def test_every_run_is_on_the_map_and_what_lies_beyond_them_is_marked(axes):
    runs = results()[0].runs.frame
    (points,) = [line for line in axes.lines if line.get_label() == "runs"]
    N, D = points.get_data()
    assert sorted(zip(N, D, strict=True)) == sorted(zip(runs["N"], runs["D"], strict=True))
    for name, limits in (("N", axes.get_xlim()), ("D", axes.get_ylim())):
        assert limits[0] < runs[name].min()
        assert runs[name].max() < limits[1]
    (edge,) = labelled(axes, "beyond the largest run").get_paths()
    flops = FLOPS_PER_TOKEN * edge.vertices[:, 0] * edge.vertices[:, 1]
    assert flops.min() == pytest.approx(runs["C"].max())


def test_budgets_without_a_range_are_not_shaded():
    fitted = results()[0].fits["chinchilla"]
    ax = plot_iso_loss(loss_map(fitted, tolerance=0.001, probability=0.99))
    assert not [patch for patch in ax.patches if "split costs less" in str(patch.get_label())]
    assert ax.get_title(loc="left") == "Loss over parameters and tokens"
    assert "best split, 99% credible interval" in svg_text(ax, "salt")


def test_a_law_without_a_best_split_cannot_be_mapped(synthetic_fit, make_runs, wide_runs):
    steep = {**make_runs.truth, "A": 1e-12}  # more tokens always help, however small the model
    fitted = synthetic_fit("chinchilla", wide_runs, steep, spread=1e-3, draws=50)
    with pytest.raises(InputError, match="law 'chinchilla' has no best split at the compute of wide"):
        loss_map(fitted)


def test_names_of_the_response_are_taken_literally(synthetic_fit, make_runs):
    frame = make_runs.of(*make_runs.isoflop()).frame
    runs = dataclasses.replace(RunTable.from_frame(frame, name="dollars"), unit=r"$\frac per token")
    assert r"$\frac per token" in svg_text(plot_iso_loss(loss_map(synthetic_fit("chinchilla", runs))), "salt")

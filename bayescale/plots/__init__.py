"""plot_*: figures of finished results; each takes a result and optional axes, and returns the axes."""

from bayescale.plots.calibration import plot_calibration, plot_held_out
from bayescale.plots.data import figure_data
from bayescale.plots.decisions import plot_allocation, plot_loss, plot_regret
from bayescale.plots.laws import plot_elpd, plot_exponents, plot_pareto_k, plot_predictive_check
from bayescale.plots.plan import plot_plan
from bayescale.plots.pointwise import plot_pointwise
from bayescale.plots.predictions import plot_data_exhausted, plot_inference
from bayescale.plots.priors import plot_prior_predictive, save_prior_predictive
from bayescale.plots.ratios import plot_ratio_range
from bayescale.plots.regions import plot_iso_loss
from bayescale.plots.slices import plot_isoflop
from bayescale.plots.style import svg_text
from bayescale.plots.waste import plot_waste, plot_weights

__all__ = [
    "figure_data",
    "plot_allocation",
    "plot_calibration",
    "plot_data_exhausted",
    "plot_elpd",
    "plot_exponents",
    "plot_held_out",
    "plot_inference",
    "plot_iso_loss",
    "plot_isoflop",
    "plot_loss",
    "plot_pareto_k",
    "plot_plan",
    "plot_pointwise",
    "plot_predictive_check",
    "plot_prior_predictive",
    "plot_ratio_range",
    "plot_regret",
    "plot_waste",
    "plot_weights",
    "save_prior_predictive",
    "svg_text",
]

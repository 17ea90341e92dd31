"""Figures of finished results, and what prepares a result for one. This is the one list of them.

Each ``plot_*`` takes a result and optional axes, draws, and returns the axes; it searches, allocates and samples
nothing. What a figure shows beyond a result has a function and a record of its own: ``plot_waste(waste_curve(fit))``.
"""

from bayescale.decisions.curves import allocation_curve as allocation_curve
from bayescale.decisions.curves import isoflop_slices as isoflop_slices
from bayescale.decisions.curves import loss_curve as loss_curve
from bayescale.decisions.curves import waste_curve as waste_curve
from bayescale.decisions.loss_map import loss_map as loss_map
from bayescale.fits.prior_predictive import prior_predictive as prior_predictive
from bayescale.plots.answer import plot_answer as plot_answer
from bayescale.plots.calibration import plot_calibration as plot_calibration
from bayescale.plots.calibration import plot_held_out as plot_held_out
from bayescale.plots.data import figure_data as figure_data
from bayescale.plots.decisions import plot_allocation as plot_allocation
from bayescale.plots.decisions import plot_loss as plot_loss
from bayescale.plots.decisions import plot_regret as plot_regret
from bayescale.plots.given import plot_given_prior as plot_given_prior
from bayescale.plots.groups import plot_gaps as plot_gaps
from bayescale.plots.groups import plot_slopes as plot_slopes
from bayescale.plots.groups import plot_worst as plot_worst
from bayescale.plots.isoflop import plot_isoflop as plot_isoflop
from bayescale.plots.laws import plot_elpd as plot_elpd
from bayescale.plots.laws import plot_exponents as plot_exponents
from bayescale.plots.laws import plot_pareto_k as plot_pareto_k
from bayescale.plots.laws import plot_predictive_check as plot_predictive_check
from bayescale.plots.other_sizes import plot_other_sizes as plot_other_sizes
from bayescale.plots.plan import plot_plan as plot_plan
from bayescale.plots.pointwise import plot_pointwise as plot_pointwise
from bayescale.plots.priors import plot_prior_predictive as plot_prior_predictive
from bayescale.plots.ratios import plot_ratio_range as plot_ratio_range
from bayescale.plots.regions import plot_iso_loss as plot_iso_loss
from bayescale.plots.serving import plot_data_limit as plot_data_limit
from bayescale.plots.serving import plot_serving as plot_serving
from bayescale.plots.sizes import plot_size_errors as plot_size_errors
from bayescale.plots.skills import plot_families as plot_families
from bayescale.plots.skills import plot_loadings as plot_loadings
from bayescale.plots.skills import plot_score_calibration as plot_score_calibration
from bayescale.plots.skills import plot_scores as plot_scores
from bayescale.plots.skills import plot_skills as plot_skills
from bayescale.plots.waste import plot_waste as plot_waste
from bayescale.plots.waste import plot_weights as plot_weights

"""Groups of runs under one law, the compute multiplier between them, and several responses of the same runs."""

from bayescale.groups.disparities import Disparities, disparities, sign_conflicts
from bayescale.groups.fitting import fit_groups, group_names
from bayescale.groups.multipliers import Multiplier, multiplier
from bayescale.groups.response_fitting import ResponseFit, fit_responses
from bayescale.groups.responses import Response
from bayescale.groups.reversals import crossing, mean_change, mean_slope, reversal_tokens
from bayescale.groups.worst import WorstAllocation, allocate_worst
from bayescale.runs.families import within_families

__all__ = [
    "Disparities",
    "Multiplier",
    "Response",
    "ResponseFit",
    "WorstAllocation",
    "allocate_worst",
    "crossing",
    "disparities",
    "fit_groups",
    "fit_responses",
    "group_names",
    "mean_change",
    "mean_slope",
    "multiplier",
    "reversal_tokens",
    "sign_conflicts",
    "within_families",
]

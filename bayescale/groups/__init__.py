"""Groups: one law over several groups of runs, and the compute multiplier between them."""

from bayescale.groups.fitting import fit_groups, group_names
from bayescale.groups.multipliers import Multiplier, multiplier

__all__ = ["Multiplier", "fit_groups", "group_names", "multiplier"]

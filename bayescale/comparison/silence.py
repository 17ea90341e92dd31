"""silent_on_split: why a table says nothing of the split of compute, before any law is compared."""

import pandas as pd

from bayescale.runs import RunTable, describe
from bayescale.runs.families import spread_within_families
from bayescale.runs.units import units_are_families

LEAST_SPREAD = 0.1
"""Least s.d. of log10 N among runs of like compute, in decades, for a table to speak about the split."""


def silent_on_split(runs: RunTable) -> list[str]:
    """Return why these runs say nothing of the split, if they do not."""
    within = units_are_families(runs.frame)
    like = "models of one family" if within else "runs"
    spread = spread_within_families(runs.frame) if within else describe(runs).spread_N_at_like_C
    if spread >= LEAST_SPREAD:
        return []
    return [
        f"{like} of like compute hardly differ in size (s.d. of log10 N is {spread:.2f}; it takes {LEAST_SPREAD} or "
        "more)"
    ]


def pooled_families(frame: pd.DataFrame) -> list[str]:
    """Return why runs that pool families say nothing of the split, if they do and were not asked within families."""
    families = frame["family"].nunique() if "family" in frame else 1
    if families < 2 or units_are_families(frame):
        return []
    spread = spread_within_families(frame)
    differ = f"the runs pool {families} families that differ in more than N and D"
    if families == len(frame):
        return [f"{differ}, with one model each"]
    if spread >= LEAST_SPREAD:
        return [f"{differ}; ask within families (--within-families, or groups.within_families)"]
    return [
        f"{differ}, and within them models of like compute hardly differ in size (s.d. of log10 N is {spread:.2f}; it "
        f"takes {LEAST_SPREAD} or more)"
    ]

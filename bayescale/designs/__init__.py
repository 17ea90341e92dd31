"""Designs: which runs to train, what simulated ones would show, and what they could identify."""

from bayescale.designs.grids import (
    crossed_design,
    fixed_ratio_design,
    isoflop_design,
    ladder_design,
    random_design,
    ridge_design,
)
from bayescale.designs.identifiability import Identifiability, identify
from bayescale.designs.simulation import simulate

__all__ = [
    "Identifiability",
    "crossed_design",
    "fixed_ratio_design",
    "identify",
    "isoflop_design",
    "ladder_design",
    "random_design",
    "ridge_design",
    "simulate",
]

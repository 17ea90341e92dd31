"""Designs that identify the laws of the main comparison, with the truth that they follow."""

import numpy as np
from recovery import Case

from bayescale.designs.grids import isoflop_design
from bayescale.laws import LAWS

DESIGN = isoflop_design(np.geomspace(1e18, 1e22, 7), [1.0, 4.0, 15.0, 60.0, 240.0])
DESIGN["C"] = 6.0 * DESIGN["N"] * DESIGN["D"]


def published(law):
    return LAWS[law].published[next(iter(LAWS[law].published))]


CASES: dict[str, Case] = {
    **{name: Case(DESIGN, published(name)) for name in ("guo_compute", "compute_power", "kaplan_n", "chinchilla")},
    # Wide enough for the law's two modes to be one: four decades of N and of D.
    "kaplan_nd": Case(
        isoflop_design(np.geomspace(1e16, 1e22, 8), [0.3, 3.0, 30.0, 300.0, 3000.0]), published("kaplan_nd")
    ),
    "compute_floor": Case(DESIGN, {"E": 1.8, "K": 2500.0, "gamma": 0.17}),
    "tilt": Case(DESIGN, {"E": 1.8, "K": 1800.0, "gamma": 0.17, "delta": -0.15}),
}

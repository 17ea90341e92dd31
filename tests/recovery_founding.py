"""Designs that identify the laws of the founding papers, with the truth that they follow."""

import itertools

import numpy as np
import pandas as pd
from recovery import Case

from bayescale.laws import LAWS
from bayescale.laws.adaptive_shape import PATCH_16
from bayescale.laws.compress import MADE_UP as COMPRESS
from bayescale.laws.moe_granular import MOE


def grid(**columns):
    """Return every combination of the values of each column."""
    rows = itertools.product(*columns.values())
    return pd.DataFrame([dict(zip(columns, row, strict=True)) for row in rows]).astype(float)


def published(law, source):
    """Return a law's published values."""
    return LAWS[law].published[source]


KAPLAN = "Kaplan et al. (2020)"

CASES: dict[str, Case] = {
    "kaplan_d": Case(grid(D=np.geomspace(2e7, 2e10, 16)), published("kaplan_d", KAPLAN)),
    "kaplan_ns": Case(
        grid(N=np.geomspace(1e6, 1e9, 6), steps=np.geomspace(2e3, 3e5, 6)), published("kaplan_ns", KAPLAN)
    ),
    "data_constrained": Case(
        # From fresh tokens to 60 epochs, and sizes on both sides of the best one for the unique tokens.
        pd.DataFrame(
            [
                {"N": N, "D": unique * epochs, "unique_tokens": unique}
                for N, unique, epochs in itertools.product(
                    (3e7, 1.5e8, 7e8, 3e9), (1e8, 1e9, 1e10), (1.0, 3.0, 8.0, 20.0, 60.0)
                )
            ]
        ),
        published("data_constrained", "Muennighoff et al. (2023)"),
    ),
    "moe_granular": Case(
        grid(N=np.geomspace(3e7, 1e10, 5), D=np.geomspace(2e9, 2e11, 4), granularity=(1, 4, 16)),
        published("moe_granular", MOE),
        loose=("c",),
    ),
    "datastore": Case(
        grid(N=np.geomspace(1e8, 1e10, 4), D=np.geomspace(3e9, 3e11, 4), datastore_tokens=(0, 1e11, 1e12)),
        {"E": 1.8, "A": 480.0, "B": 2000.0, "rho": 0.05, "alpha": 0.35, "beta": 0.37},
    ),
    "dmft": Case(
        grid(N=np.geomspace(1e4, 3e6, 6), steps=np.geomspace(1e2, 1e5, 6)),
        {"L_inf": 0.3, "C_N": 60.0, "C_t": 6.0, "a_above_1": 0.5, "b_above_1": 0.25},
    ),
    "time_size": Case(
        grid(N=np.geomspace(1e4, 3e6, 6), steps=np.geomspace(1e2, 1e5, 6)),
        {"L_inf": 0.3, "C_N": 60.0, "C_t": 6.0, "alpha_N": 0.5, "alpha_t": 0.4},
    ),
    "adaptive_shape": Case(grid(C=np.geomspace(1e18, 3e20, 40)), PATCH_16),
    "droppo_elibol": Case(
        # Parameters and hours of speech, two decades and more of each.
        grid(N=np.geomspace(1e5, 1e8, 7), D=np.geomspace(3e4, 1e8, 7)),
        {"L_inf": 0.5, "A": 1e5**0.2, "B": 1e4**0.3, "alpha": 0.5, "alpha_N": 0.2, "alpha_D": 0.3},
    ),
    "ensemble": Case(
        grid(N=np.geomspace(1e6, 3e9, 7), members=(1, 2, 4, 8)),
        {"E": 1.69, "A": 406.4, "V": 100.0, "alpha": 0.34, "v": 0.3},
    ),
    "compress": Case(
        grid(N=np.geomspace(1e7, 1e10, 4), D=np.geomspace(1e9, 1e11, 3), kept=(1, 0.6, 0.4, 0.25)), COMPRESS
    ),
}

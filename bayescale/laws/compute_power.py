"""Loss as a pure power of compute alone."""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common

PETAFLOP_DAY = 8.64e19
"""FLOP in a petaFLOP/s-day, the unit of Kaplan et al."""


def loss(C: Quantity, *, K: Quantity, gamma: Quantity) -> Quantity:
    """Return ``K / C**gamma``."""
    return K / C**gamma


COMPUTE_POWER = Law(
    name="compute_power",
    loss=loss,
    scales={"K": {"C": "gamma"}},
    formula="K / C^gamma",
    priors={
        "K": Share(1.0),
        "gamma": Prior("LogNormal", {"mu": log(0.09), "sigma": 0.5}),
    },
    meanings={**common("gamma"), "K": ("the response at C = 1 FLOP", "R C^gamma")},
    published={
        "Kaplan et al. (2020), C_min": {"K": (3.1e8 * PETAFLOP_DAY) ** 0.050, "gamma": 0.050},
        # Compute as it was spent, with one batch size for all: what others compare their own runs with.
        "Kaplan et al. (2020), C": {"K": (1.6e7 * PETAFLOP_DAY) ** 0.057, "gamma": 0.057},
    },
    decreasing=("C",),
    examples=(
        *(
            Example("Kaplan et al. (2020), C_min", {"C": days * PETAFLOP_DAY}, loss)
            for days, loss in ((1e-3, 3.754638), (1.0, 2.658080), (1e3, 1.881777))
        ),
        Example("Kaplan et al. (2020), C", {"C": 1.6e7 * PETAFLOP_DAY}, 1.0, tolerance=1e-12),  # where C is C_c
    ),
    reference="Kaplan et al. (2020), Eq. 1.3 and Table 5, arXiv:2001.08361",
)

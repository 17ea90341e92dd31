"""Loss as a pure power of compute alone."""

from math import log

from bayescale.laws.base import Law, Prior, Quantity, Share

PETAFLOP_DAY = 8.64e19
"""FLOP in a petaFLOP/s-day, the unit of Kaplan et al."""


def loss(C: Quantity, *, K: Quantity, gamma: Quantity) -> Quantity:
    """Return ``K / C**gamma``."""
    return K / C**gamma


def rescale(C: Quantity, *, K: Quantity, gamma: Quantity) -> dict[str, Quantity]:
    """Return K for C counted in single FLOP."""
    return {"K": K * C**gamma}


COMPUTE_POWER = Law(
    name="compute_power",
    loss=loss,
    rescale=rescale,
    formula="K / C^gamma",
    priors={
        "K": Share(1.0),
        "gamma": Prior("LogNormal", {"mu": log(0.09), "sigma": 0.5}),
    },
    published={
        "Kaplan et al. (2020), C_min": {"K": (3.1e8 * PETAFLOP_DAY) ** 0.050, "gamma": 0.050},
    },
    reference="Kaplan et al. (2020), Eq. 1.3, arXiv:2001.08361",
)

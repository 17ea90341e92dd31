"""Loss as a floor plus a power of compute alone."""

from math import log

from bayescale.laws.law import Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(C: Quantity, *, E: Quantity, K: Quantity, gamma: Quantity) -> Quantity:
    """Return ``E + K / C**gamma``."""
    return E + K / C**gamma


COMPUTE_FLOOR = Law(
    name="compute_floor",
    loss=loss,
    scales={"K": {"C": "gamma"}},
    formula="E + K / C^gamma",
    priors={
        "E": Share(4.0),
        "K": Share(3.0),
        "gamma": Prior("LogNormal", {"mu": log(0.15), "sigma": 0.4}),
    },
    meanings=common("E", "K", "gamma"),
    decreasing=("C",),
    floor="E",
    reference="Guo (2024), arXiv:2404.19484, with an irreducible loss added; first-order form of an additive law "
    "along its optimal ridge",
)

"""Compute alone, with one parameter for how far it is from true."""

from math import log

from bayescale.laws.law import Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(N: Quantity, D: Quantity, *, E: Quantity, K: Quantity, gamma: Quantity, delta: Quantity) -> Quantity:
    """Return ``E + K / (N**(gamma * (1 + delta)) * D**(gamma * (1 - delta)))``.

    ``delta = 0`` is a law of N times D alone; ``delta > 0`` rewards parameters, ``delta < 0`` tokens.
    """
    return E + K / (N ** (gamma * (1 + delta)) * D ** (gamma * (1 - delta)))


def rescale(
    N: Quantity, D: Quantity, *, K: Quantity, gamma: Quantity, delta: Quantity, **_: Quantity
) -> dict[str, Quantity]:
    """Return K for N and D counted in ones."""
    return {"K": K * N ** (gamma * (1 + delta)) * D ** (gamma * (1 - delta))}


TILT = Law(
    name="tilt",
    loss=loss,
    rescale=rescale,
    formula="E + K / (N^(gamma (1 + delta)) D^(gamma (1 - delta)))",
    priors={
        "E": Share(4.0),
        "K": Share(3.0),
        "gamma": Prior("LogNormal", {"mu": log(0.15), "sigma": 0.4}),
        "delta": Prior("Normal", {"mu": 0.0, "sigma": 0.5}),
    },
    meanings={
        **common("E"),
        "K": ("what is added to the floor at N = D = 1", "R (N D)^gamma, delta tilting it"),
        "gamma": ("mean slope on ln N and on ln D", "none"),
        "delta": ("tilt: 0 is compute alone, above 0 parameters count for more, below 0 tokens", "none"),
    },
    reference="bayescale: compute_floor with slopes gamma (1 + delta) on ln N and gamma (1 - delta) on ln D",
)

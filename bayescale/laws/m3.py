"""Learning curve that is a power of the data and bends into a limit.

D is the number of examples or tokens; steps or anything else can be mapped to it.
"""

from math import log

from bayescale.laws.law import Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(D: Quantity, *, beta: Quantity, gamma: Quantity, c: Quantity) -> Quantity:
    """Return ``beta * (1 / D + gamma)**c``; beyond ``1 / gamma`` more data is of no use."""
    return beta * (1 / D + gamma) ** c


def derived(*, beta: Quantity, gamma: Quantity, c: Quantity) -> dict[str, Quantity]:
    """Return the value that more data tends to."""
    return {"eps_inf": beta * gamma**c}


M3 = Law(
    name="m3",
    loss=loss,
    scales={"beta": {"D": "c"}, "gamma": {"D": -1}},
    derived=derived,
    formula="beta (1 / D + gamma)^c",
    priors={
        "beta": Share(1.0),
        "gamma": Prior("LogNormal", {"mu": -1.0, "sigma": 1.3}),
        "c": Prior("LogNormal", {"mu": log(0.2), "sigma": 0.8}),
    },
    meanings={
        **common("c"),
        "beta": ("the response where 1 / D + gamma is one", "R D^c"),
        "gamma": ("one over the amount of data beyond which more is of no use", "1 / D"),
    },
    decreasing=("D",),
    reference="Alabdulmohsin et al. (2022), M3, arXiv:2209.06640",
)

"""Learning curve that is a pure power of the data.

D is the number of examples or tokens; steps or anything else can be mapped to it.
"""

from math import log

from bayescale.laws.law import Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(D: Quantity, *, beta: Quantity, c: Quantity) -> Quantity:
    """Return ``beta / D**c``; the paper's c is minus this one."""
    return beta / D**c


M1 = Law(
    name="m1",
    loss=loss,
    scales={"beta": {"D": "c"}},
    formula="beta D^-c",
    priors={
        "beta": Share(1.0),
        "c": Prior("LogNormal", {"mu": log(0.2), "sigma": 0.7}),
    },
    meanings={**common("c"), "beta": ("the response at D = 1", "R D^c")},
    decreasing=("D",),
    reference="Alabdulmohsin et al. (2022), M1, arXiv:2209.06640",
)

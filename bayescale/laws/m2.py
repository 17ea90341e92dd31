"""Learning curve that is a power of the data above a limit.

D is the number of examples or tokens; steps or anything else can be mapped to it.
"""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(D: Quantity, *, eps_inf: Quantity, beta: Quantity, c: Quantity) -> Quantity:
    """Return ``eps_inf + beta / D**c``; the paper's c is minus this one."""
    return eps_inf + beta / D**c


M2 = Law(
    name="m2",
    loss=loss,
    scales={"beta": {"D": "c"}},
    formula="eps_inf + beta D^-c",
    priors={
        "eps_inf": Share(2.0),
        "beta": Share(2.0),
        "c": Prior("LogNormal", {"mu": log(0.4), "sigma": 0.6}),
    },
    meanings={**common("eps_inf", "c"), "beta": ("what is added to it at D = 1", "R D^c")},
    decreasing=("D",),
    floor="eps_inf",
    examples=(Example("", {"D": 100.0}, 0.3, 1e-12, parameters={"eps_inf": 0.1, "beta": 2.0, "c": 0.5}),),
    reference="Alabdulmohsin et al. (2022), M2, arXiv:2209.06640",
)

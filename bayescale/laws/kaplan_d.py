"""Loss as a power of data alone, for models so large that their size does not limit it."""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(D: Quantity, *, B: Quantity, alpha_D: Quantity) -> Quantity:
    """Return ``B / D**alpha_D``; the paper writes ``B = D_c**alpha_D``."""
    return B / D**alpha_D


def derived(*, B: Quantity, alpha_D: Quantity) -> dict[str, Quantity]:
    """Return the paper's scale D_c."""
    return {"D_c": B ** (1 / alpha_D)}


SOURCE = "Kaplan et al. (2020)"

KAPLAN_D = Law(
    name="kaplan_d",
    loss=loss,
    scales={"B": {"D": "alpha_D"}},
    derived=derived,
    formula="(D_c / D)^alpha_D",
    priors={
        "B": Share(1.0),
        "alpha_D": Prior("LogNormal", {"mu": log(0.09), "sigma": 0.5}),
    },
    meanings={**common("alpha_D"), "B": ("D_c to the power alpha_D: what data alone give at D = 1", "R D^alpha_D")},
    published={SOURCE: {"B": 5.4e13**0.095, "alpha_D": 0.095}},
    decreasing=("D",),
    examples=tuple(
        Example(SOURCE, {"D": D}, value) for D, value in ((1e8, 3.504107), (1e9, 2.815642), (22e9, 2.099168))
    ),
    reference="Kaplan et al. (2020), Eq. 1.2 and Table 5, arXiv:2001.08361; early-stopped, size not limiting",
)

"""Loss or error of an ensemble: averaging models divides the variance term and nothing else."""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(
    N: Quantity, members: Quantity, *, E: Quantity, A: Quantity, V: Quantity, alpha: Quantity, v: Quantity
) -> Quantity:
    """Return ``E + A / N**alpha + V / (N**v * members)``; N counts the parameters of one member."""
    return E + A / N**alpha + V / (N**v * members)


MADE_UP = {"E": 1.69, "A": 406.4, "V": 60.0, "alpha": 0.34, "v": 0.34}

ENSEMBLE = Law(
    name="ensemble",
    loss=loss,
    scales={"A": {"N": "alpha"}, "V": {"N": "v", "members": 1}},
    formula="E + A / N^alpha + V / (N^v members)",
    units={"members": 1.0},
    priors={
        "E": Share(4.0),
        "A": Share(3.0),
        "V": Share(1.0),  # a quarter of what is reducible, for one model
        "alpha": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "v": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.6}),
    },
    meanings={
        **common("E", "A", "alpha"),
        "V": ("variance that averaging removes, at one member of N = 1", "R N^v"),
        "v": ("how fast that variance falls with N", "none"),
    },
    decreasing=("N", "members"),
    floor="E",
    examples=tuple(
        Example("", {"N": N, "members": members}, value, parameters=MADE_UP)
        for N, members, value in (
            (1e8, 1.0, 2.578707),
            (1e8, 2.0, 2.521543),
            (1e8, 4.0, 2.492961),
            (2e8, 1.0, 2.392115),
            (4e8, 1.0, 2.244700),
        )
    ),
    reference="bayescale: bias and variance as powers of size, for the experiments of Kondratyuk et al. (2020), "
    "arXiv:2005.00570",
    unverified="Our own formalisation: the paper compares ensembles and single models and publishes no formula.",
)

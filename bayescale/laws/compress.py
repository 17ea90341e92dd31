"""Loss of a model that is trained and then compressed: what compression adds is less for a larger model."""

from math import exp, log

import numpy as np

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(
    N: Quantity,
    D: Quantity,
    kept: Quantity,
    *,
    E: Quantity,
    A: Quantity,
    B: Quantity,
    K: Quantity,
    alpha: Quantity,
    beta: Quantity,
    kappa: Quantity,
    lam: Quantity,
) -> Quantity:
    """Return ``E + A / N**alpha + B / D**beta + K / N**kappa * (exp(lam * (1 / kept - 1)) - 1)``.

    ``kept`` is the fraction of the trained size N that is left after compression; 1 is the model as trained.
    """
    return E + A / N**alpha + B / D**beta + K / N**kappa * np.expm1(lam * (1 / kept - 1))


MADE_UP = {
    "E": 1.8,
    "A": 480.0,
    "B": 2000.0,
    "K": 20.0,
    "alpha": 0.35,
    "beta": 0.37,
    "kappa": 0.25,
    "lam": 0.5,
}

COMPRESS = Law(
    name="compress",
    loss=loss,
    scales={"A": {"N": "alpha"}, "B": {"D": "beta"}, "K": {"N": "kappa"}},
    formula="E + A / N^alpha + B / D^beta + K / N^kappa (exp(lam (1 / kept - 1)) - 1)",
    units={"kept": 1.0},
    priors={
        "E": Share(4.0),
        "A": Share(1.5),
        "B": Share(1.5),
        # What compression to a half adds is K (exp(lam) - 1); a prior with lam near zero would say nothing about K.
        "K": Prior("LogNormal", {"mu": log(0.03), "sigma": 1.0}, relative=True),
        "alpha": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "beta": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "kappa": Prior("LogNormal", {"mu": log(0.20), "sigma": 0.7}),
        "lam": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.7}),
    },
    meanings={
        **common("E", "A", "B", "alpha", "beta"),
        "K": ("price of compression at N = 1", "R N^kappa"),
        "kappa": ("how fast that price falls with N", "none"),
        "lam": ("how fast it grows with 1 / kept", "none"),
    },
    decreasing=("N", "D", "kept"),
    floor="E",
    examples=(
        Example(
            "",
            {"N": 1e8, "D": 1e10, "kept": 0.25},
            1.8 + 480.0 / 1e8**0.35 + 2000.0 / 1e10**0.37 + 0.2 * (exp(1.5) - 1),
            tolerance=1e-12,
            parameters=MADE_UP,
        ),
        Example(
            "",
            {"N": 1e8, "D": 1e10, "kept": 1.0},
            1.8 + 480.0 / 1e8**0.35 + 2000.0 / 1e10**0.37,
            tolerance=1e-12,
            parameters=MADE_UP,
        ),
    ),
    reference="bayescale: the additive law with a price of compression, for the experiments of Li et al. (2020), "
    "arXiv:2002.11794",
    unverified="Our own formalisation: the paper compares models after compression and publishes no formula.",
)

"""Loss of models trained in low precision."""

from math import log

import numpy as np

from bayescale.laws.costs import LOW_PRECISION
from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def kept(bits: Quantity, gamma: Quantity) -> Quantity:
    """Return the part of the parameters that is left in a precision of so many bits."""
    return -np.expm1(-bits / gamma)


def loss(
    N: Quantity,
    D: Quantity,
    bits_weights: Quantity,
    bits_activations: Quantity,
    bits_cache: Quantity,
    *,
    E: Quantity,
    A: Quantity,
    B: Quantity,
    alpha: Quantity,
    beta: Quantity,
    gamma_w: Quantity,
    gamma_a: Quantity,
    gamma_kv: Quantity,
) -> Quantity:
    """Return ``E + A / N_eff**alpha + B / D**beta``, ``N_eff = N`` times ``1 - exp(-bits / gamma)`` of each part.

    The parts are weights, activations and key-value cache. The paper ties ``alpha = beta``.
    """
    parts = kept(bits_weights, gamma_w) * kept(bits_activations, gamma_a) * kept(bits_cache, gamma_kv)
    return E + A / (N * parts) ** alpha + B / D**beta


SOURCE = "Kumar et al. (2024)"
VALUES = {
    "E": 2.7648,
    "A": 4299.0,
    "B": 18060.0,
    "alpha": 0.4965,
    "beta": 0.4965,
    "gamma_w": 2.6745,
    "gamma_a": 2.2102,
    "gamma_kv": 0.9578,
}
MANY_BITS = 1e6
"""So many that nothing is lost."""

PRIORS: dict[str, Prior | Share] = {
    "E": Share(4.0),
    "A": Share(1.5),
    "B": Share(1.5),
    "alpha": Prior("LogNormal", {"mu": log(0.35), "sigma": 0.45}),
    "beta": Prior("LogNormal", {"mu": log(0.35), "sigma": 0.45}),
    "gamma_w": Prior("LogNormal", {"mu": log(2.0), "sigma": 0.5}),
    "gamma_a": Prior("LogNormal", {"mu": log(2.0), "sigma": 0.5}),
    "gamma_kv": Prior("LogNormal", {"mu": log(2.0), "sigma": 0.5}),
}
UNVERIFIED = (
    "the product over weights, activations and cache is from memory; the law is the main text's, without the offsets n "
    "of the bits (0.3037, 1.4072 and 2.4185), whose sign was not read: with exp(n - bits / gamma) the best precision "
    "would be 7 bits, as the paper says"
)

PRECISION = Law(
    name="precision",
    loss=loss,
    scales={"A": {"N": "alpha"}, "B": {"D": "beta"}},
    formula="E + A / N_eff^alpha + B / D^beta, "
    "N_eff = N (1 - exp(-bits_weights / gamma_w)) (1 - exp(-bits_activations / gamma_a)) "
    "(1 - exp(-bits_cache / gamma_kv))",
    units={"bits_weights": 1.0, "bits_activations": 1.0, "bits_cache": 1.0},
    priors=PRIORS,
    meanings={
        **common("E", "A", "B", "alpha", "beta"),
        "gamma_w": ("bits of the weights at which a part 1/e of the parameters is lost", "bits"),
        "gamma_a": ("the same for activations", "bits"),
        "gamma_kv": ("the same for the key-value cache", "bits"),
    },
    published={SOURCE: VALUES},
    decreasing=("N", "D", "bits_weights", "bits_activations", "bits_cache"),
    floor="E",
    examples=tuple(
        Example(
            SOURCE,
            {"N": 220e6, "D": 26e9, "bits_weights": bits, "bits_activations": MANY_BITS, "bits_cache": MANY_BITS},
            value,
        )
        for bits, value in ((16.0, 3.196994), (4.0, 3.238227))
    ),
    cost=LOW_PRECISION,
    reference="Kumar et al. (2024), Eqs. 1 and 3 and Table 2, arXiv:2411.04330; N without embeddings",
    unverified=UNVERIFIED,
)

"""The additive law of N and D for runs whose N leaves the embedding out."""

from math import log

from bayescale.laws.chinchilla import CHINCHILLA
from bayescale.laws.law import Example, Law, Prior, Quantity
from bayescale.laws.meanings import common


def loss(
    N: Quantity,
    D: Quantity,
    *,
    E: Quantity,
    A: Quantity,
    B: Quantity,
    alpha: Quantity,
    beta: Quantity,
    omega: Quantity,
) -> Quantity:
    """Return ``E + A / (N + omega N**(1/3))**alpha + B / D**beta``; N without the embedding.

    ``N + omega N**(1/3)`` are all parameters. In reference units omega is the number of embedding parameters for
    each other one at a typical run.
    """
    return E + A / (N + omega * N ** (1 / 3)) ** alpha + B / D**beta


OMEGA = 47491.0
BRIDGE = "Pearce & Song (2024) with "
VALUES = {  # the loss of 1e8 parameters and 2e9 tokens, which is not printed: worked out with decimals of 40 digits
    "Hoffmann et al. (2022)": 3.347921541609491,
    "Besiroglu et al. (2024)": 3.385285240731057,
}


NONEMBEDDING = Law(
    name="nonembedding",
    loss=loss,
    scales={"A": {"N": "alpha"}, "B": {"D": "beta"}, "omega": {"N": 2 / 3}},
    formula="E + A / (N + omega N^(1/3))^alpha + B / D^beta",
    priors={
        **CHINCHILLA.priors,
        "omega": Prior("LogNormal", {"mu": log(0.3), "sigma": 1.0}),
    },
    meanings={
        **common("E", "B", "beta"),
        "A": ("what the term of size adds at one parameter in all", "R N^alpha"),
        "alpha": ("how fast that falls with all parameters", "none"),
        "omega": ("embedding parameters for each N^(1/3)", "N^(2/3)"),
    },
    published={BRIDGE + source: {**CHINCHILLA.published[source], "omega": OMEGA} for source in VALUES},
    decreasing=("N", "D"),
    floor="E",
    examples=tuple(Example(BRIDGE + source, {"N": 1e8, "D": 2e9}, value, 1e-12) for source, value in VALUES.items()),
    reference="Pearce & Song (2024), arXiv:2406.12907, over Hoffmann et al. (2022), arXiv:2203.15556",
)

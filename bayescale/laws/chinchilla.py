"""Loss as a floor plus a power of model size plus a power of data."""

from math import exp, log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(
    N: Quantity, D: Quantity, *, E: Quantity, A: Quantity, B: Quantity, alpha: Quantity, beta: Quantity
) -> Quantity:
    """Return ``E + A / N**alpha + B / D**beta``."""
    return E + A / N**alpha + B / D**beta


PUBLISHED_ERRORS = {
    "Besiroglu et al. (2024)": {"E": 0.02566, "A": 124.58, "B": 1293.23, "alpha": 0.0154, "beta": 0.0206},
}
"""Standard errors as they are published, by source, of the parameters themselves: for people to read."""

CHINCHILLA = Law(
    name="chinchilla",
    loss=loss,
    scales={"A": {"N": "alpha"}, "B": {"D": "beta"}},
    formula="E + A / N^alpha + B / D^beta",
    priors={
        "E": Share(4.0),
        "A": Share(1.5),
        "B": Share(1.5),
        "alpha": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "beta": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
    },
    meanings=common("E", "A", "B", "alpha", "beta"),
    published={
        # Full precision: with the rounded values the B term at 1e11 tokens is 13% off.
        "Hoffmann et al. (2022)": {
            "E": exp(0.5267228),
            "A": exp(6.0073404),
            "B": exp(6.0179186),
            "alpha": 0.33917084,
            "beta": 0.2849083,
        },
        "Besiroglu et al. (2024)": {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
    },
    # On logs: a quarter of the logs of the published 95% intervals for A and B, standard errors for the others.
    published_sd={
        "Besiroglu et al. (2024)": {
            "E": 0.02566 / 1.8172,
            "A": log(744 / 285) / 3.92,
            "B": log(5810 / 1042) / 3.92,
            "alpha": 0.0154 / 0.3478,
            "beta": 0.0206 / 0.3658,
        },
    },
    published_correlation={"Besiroglu et al. (2024)": {("A", "alpha"): 0.9993, ("B", "beta"): 0.9997}},
    decreasing=("N", "D"),
    floor="E",
    examples=(
        Example("Hoffmann et al. (2022)", {"N": 70e9, "D": 1.4e12}, 1.920846),
        Example("Hoffmann et al. (2022)", {"N": 1e9, "D": 20e9}, 2.530668),
        Example("Hoffmann et al. (2022)", {"N": 8e9, "D": 15e12}, 1.943621),
        Example("Hoffmann et al. (2022)", {"N": 175e9, "D": 300e9}, 1.976448),
        Example("Besiroglu et al. (2024)", {"N": 70e9, "D": 1.4e12}, 1.973882),
        Example("Besiroglu et al. (2024)", {"N": 1e9, "D": 20e9}, 2.530050),
        Example("Besiroglu et al. (2024)", {"N": 8e9, "D": 15e12}, 2.022063),
        Example("Besiroglu et al. (2024)", {"N": 175e9, "D": 300e9}, 2.008544),
    ),
    reference="Hoffmann et al. (2022), Eq. 2, arXiv:2203.15556",
)

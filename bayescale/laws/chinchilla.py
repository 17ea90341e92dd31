"""Loss as a floor plus a power of model size plus a power of data."""

from math import exp, log

from bayescale.laws.base import Law, Prior, Quantity, Share


def loss(
    N: Quantity, D: Quantity, *, E: Quantity, A: Quantity, B: Quantity, alpha: Quantity, beta: Quantity
) -> Quantity:
    """Return ``E + A / N**alpha + B / D**beta``."""
    return E + A / N**alpha + B / D**beta


def rescale(
    N: Quantity, D: Quantity, *, E: Quantity, A: Quantity, B: Quantity, alpha: Quantity, beta: Quantity
) -> dict[str, Quantity]:
    """Return A and B for N and D counted in ones."""
    del E
    return {"A": A * N**alpha, "B": B * D**beta}


CHINCHILLA = Law(
    name="chinchilla",
    loss=loss,
    rescale=rescale,
    formula="E + A / N^alpha + B / D^beta",
    priors={
        "E": Share(4.0),
        "A": Share(1.5),
        "B": Share(1.5),
        "alpha": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "beta": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
    },
    published={
        # Full precision: with the rounded values the B term at 1e11 tokens is 13 % off.
        "Hoffmann et al. (2022)": {
            "E": exp(0.5267228),
            "A": exp(6.0073404),
            "B": exp(6.0179186),
            "alpha": 0.33917084,
            "beta": 0.2849083,
        },
        "Besiroglu et al. (2024)": {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
    },
    reference="Hoffmann et al. (2022), Eq. 2, arXiv:2203.15556",
)

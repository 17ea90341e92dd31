"""Loss as a power of model size alone: what a comparison needs to show that size is not enough."""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(N: Quantity, *, A: Quantity, alpha_N: Quantity) -> Quantity:
    """Return ``A / N**alpha_N``; the paper writes ``A = N_c**alpha_N``."""
    return A / N**alpha_N


def derived(*, A: Quantity, alpha_N: Quantity) -> dict[str, Quantity]:
    """Return the paper's scale N_c."""
    return {"N_c": A ** (1 / alpha_N)}


KAPLAN_N = Law(
    name="kaplan_n",
    loss=loss,
    scales={"A": {"N": "alpha_N"}},
    derived=derived,
    formula="(N_c / N)^alpha_N",
    priors={
        "A": Share(1.0),
        "alpha_N": Prior("LogNormal", {"mu": log(0.09), "sigma": 0.5}),
    },
    meanings={**common("alpha_N"), "A": ("N_c to the power alpha_N: what size alone gives at N = 1", "R N^alpha_N")},
    published={"Kaplan et al. (2020)": {"A": 8.8e13**0.076, "alpha_N": 0.076}},
    decreasing=("N",),
    examples=tuple(
        Example("Kaplan et al. (2020)", {"N": N}, loss)
        for N, loss in ((1e6, 4.015880), (1e8, 2.829963), (1e9, 2.375640), (1e11, 1.674097))
    ),
    reference="Kaplan et al. (2020), Eq. 1.1, arXiv:2001.08361; N without embeddings, data not limiting",
)

"""Kaplan's joint law of model size and data, without an irreducible loss."""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(N: Quantity, D: Quantity, *, A: Quantity, B: Quantity, alpha_N: Quantity, alpha_D: Quantity) -> Quantity:
    """Return ``((A / N**alpha_N)**(1/alpha_D) + (B / D**alpha_D)**(1/alpha_D))**alpha_D``.

    ``A / N**alpha_N`` is the loss with unlimited data, ``B / D**alpha_D`` that of an unlimited model; the
    paper writes ``A = N_c**alpha_N`` and ``B = D_c**alpha_D``.
    """
    return (A ** (1 / alpha_D) / N ** (alpha_N / alpha_D) + B ** (1 / alpha_D) / D) ** alpha_D


def derived(*, A: Quantity, B: Quantity, alpha_N: Quantity, alpha_D: Quantity) -> dict[str, Quantity]:
    """Return the paper's scales N_c and D_c."""
    return {"N_c": A ** (1 / alpha_N), "D_c": B ** (1 / alpha_D)}


KAPLAN_ND = Law(
    name="kaplan_nd",
    loss=loss,
    scales={"A": {"N": "alpha_N"}, "B": {"D": "alpha_D"}},
    derived=derived,
    formula="((N_c / N)^(alpha_N / alpha_D) + D_c / D)^alpha_D",
    priors={
        "A": Share(2.0, power="alpha_D"),
        "B": Share(2.0, power="alpha_D"),
        "alpha_N": Prior("LogNormal", {"mu": log(0.09), "sigma": 0.5}),
        "alpha_D": Prior("LogNormal", {"mu": log(0.09), "sigma": 0.5}),
    },
    meanings={
        **common("alpha_N", "alpha_D"),
        "A": ("N_c to the power alpha_N: what size alone gives at N = 1", "R N^alpha_N"),
        "B": ("D_c to the power alpha_D: what data alone give at D = 1", "R D^alpha_D"),
    },
    published={
        "Kaplan et al. (2020)": {
            "A": 6.4e13**0.076,
            "B": 1.8e13**0.103,
            "alpha_N": 0.076,
            "alpha_D": 0.103,
        },
    },
    decreasing=("N", "D"),
    examples=tuple(
        Example("Kaplan et al. (2020)", {"N": N, "D": D}, loss)
        for N, D, loss in (
            (1e6, 1e9, 3.932310),
            (1e8, 1e9, 2.956734),
            (1e8, 22e9, 2.774168),
            (1e9, 22e9, 2.369316),
            (1.5e9, 22e9, 2.312548),
            (1e9, 1e12, 2.320053),
            (175e9, 300e9, 1.660957),
        )
    ),
    reference="Kaplan et al. (2020), Eq. 1.5 and Table 2, arXiv:2001.08361; N without embeddings, early-stopped",
)

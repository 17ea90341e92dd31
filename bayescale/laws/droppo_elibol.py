"""Droppo and Elibol's joint law for acoustic models: Kaplan's, with an irreducible loss inside the power."""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(
    N: Quantity,
    D: Quantity,
    *,
    L_inf: Quantity,
    A: Quantity,
    B: Quantity,
    alpha: Quantity,
    alpha_N: Quantity,
    alpha_D: Quantity,
) -> Quantity:
    """Return ``(L_inf**(1/alpha) + (A / N**alpha_N)**(1/alpha) + (B / D**alpha_D)**(1/alpha))**alpha``.

    The paper writes ``A = N_C**alpha_N`` and ``B = D_C**alpha_D``.
    """
    power = 1 / alpha
    return (L_inf**power + (A / N**alpha_N) ** power + (B / D**alpha_D) ** power) ** alpha


def derived(
    *, L_inf: Quantity, A: Quantity, B: Quantity, alpha: Quantity, alpha_N: Quantity, alpha_D: Quantity
) -> dict[str, Quantity]:
    """Return the paper's scales N_C and D_C."""
    del L_inf, alpha
    return {"N_C": A ** (1 / alpha_N), "D_C": B ** (1 / alpha_D)}


KAPLAN = {
    "L_inf": 0.0,
    "A": 6.4e13**0.076,
    "B": 1.8e13**0.103,
    "alpha": 0.103,
    "alpha_N": 0.076,
    "alpha_D": 0.103,
}
"""Kaplan's joint law as a case of this one."""

DROPPO_ELIBOL = Law(
    name="droppo_elibol",
    loss=loss,
    scales={"A": {"N": "alpha_N"}, "B": {"D": "alpha_D"}},
    derived=derived,
    formula="(L_inf^(1/alpha) + (N_C / N)^(alpha_N/alpha) + (D_C / D)^(alpha_D/alpha))^alpha",
    priors={
        "L_inf": Share(4.0, power="alpha"),
        "A": Share(1.5, power="alpha"),
        "B": Share(1.5, power="alpha"),
        "alpha": Prior("LogNormal", {"mu": log(0.3), "sigma": 0.5}),
        "alpha_N": Prior("LogNormal", {"mu": log(0.2), "sigma": 0.5}),
        "alpha_D": Prior("LogNormal", {"mu": log(0.2), "sigma": 0.5}),
    },
    meanings={
        **common("L_inf", "alpha_N", "alpha_D"),
        "A": ("N_C to the power alpha_N: what size alone gives at N = 1", "R N^alpha_N"),
        "B": ("D_C to the power alpha_D: what data alone give at D = 1", "R D^alpha_D"),
        "alpha": ("how the three parts are joined", "none"),
    },
    decreasing=("N", "D"),
    floor="L_inf",
    examples=(
        # Made-up: the three terms are 0.25, 1e-2 and (1/10)**0.6.
        Example(
            "",
            {"N": 1e10, "D": 100.0},
            (0.25 + 1e-2 + 10**-0.6) ** 0.5,
            tolerance=1e-12,
            parameters={
                "L_inf": 0.5,
                "A": 1e5**0.2,
                "B": 10**0.3,
                "alpha": 0.5,
                "alpha_N": 0.2,
                "alpha_D": 0.3,
            },
        ),
        Example("", {"N": 1e9, "D": 22e9}, 2.369316, parameters=KAPLAN),
        Example("", {"N": 175e9, "D": 300e9}, 1.660957, parameters=KAPLAN),
    ),
    reference="Droppo and Elibol (2021), arXiv:2106.09488",
    unverified="That there is a joint law with an irreducible loss was read in the paper's abstract; the exact "
    "expression was not, and none of the constants.",
)

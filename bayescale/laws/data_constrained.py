"""Muennighoff's law of repeated data: each repeat of a token, and each parameter too many, is worth less."""

from math import exp, log

import numpy as np

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def effective(amount: Quantity, log_excess: Quantity, scale: Quantity) -> Quantity:
    """Return what an amount is worth when all of it beyond ``amount * exp(-log_excess)`` counts for less and less.

    With ``U = amount * exp(-max(log_excess, 0))`` and ``R = amount / U - 1`` repeats this is
    ``U * (1 + scale * (1 - exp(-R / scale)))``.
    """
    excess = (log_excess + np.abs(log_excess)) / 2  # max(log_excess, 0), which gradients and every library allow
    repeats = np.expm1(excess)
    return amount * np.exp(-excess) * (1 - scale * np.expm1(-repeats / scale))


def loss(
    N: Quantity,
    D: Quantity,
    unique_tokens: Quantity,
    *,
    E: Quantity,
    A: Quantity,
    B: Quantity,
    alpha: Quantity,
    beta: Quantity,
    R_D: Quantity,
    R_N: Quantity,
) -> Quantity:
    """Return ``E + A / N'**alpha + B / D'**beta`` with effective parameters N' and tokens D'.

    Of ``U = min(unique_tokens, D)`` distinct tokens, ``D' = U + U R_D (1 - exp(-(D / U - 1) / R_D))``; N' follows in
    the same way with ``R_N`` from ``min(N, N_opt(U))``, where N_opt(U) is the compute-optimal size for U fresh tokens.
    The paper writes R_D and R_N with a star.
    """
    log_repeats = np.log(D) - np.log(unique_tokens)
    log_unique = np.log(D) - (log_repeats + np.abs(log_repeats)) / 2
    log_best_N = (np.log(alpha) + np.log(A) - np.log(beta) - np.log(B) + beta * log_unique) / alpha
    N_effective = effective(N, np.log(N) - log_best_N, R_N)
    return E + A / N_effective**alpha + B / effective(D, log_repeats, R_D) ** beta


SOURCE = "Muennighoff et al. (2023)"

DATA_CONSTRAINED = Law(
    name="data_constrained",
    loss=loss,
    scales={"A": {"N": "alpha"}, "B": {"D": "beta"}},
    formula="E + A / N'^alpha + B / D'^beta, D' = U + U R_D (1 - exp(-(D / U - 1) / R_D)), "
    "N' the same with R_N from min(N, N_opt(U))",
    units={"unique_tokens": "D"},
    priors={
        "E": Share(4.0),
        "A": Share(1.5),
        "B": Share(1.5),
        "alpha": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "beta": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "R_D": Prior("LogNormal", {"mu": log(12.0), "sigma": 0.7}),
        "R_N": Prior("LogNormal", {"mu": log(6.0), "sigma": 0.8}),
    },
    meanings={
        **common("E", "A", "B", "alpha", "beta"),
        "R_D": ("repeats after which 1 - 1/e of all that repeating can give has come; R_D* in the paper", "repeats"),
        "R_N": ("the same for parameters beyond the best size of the distinct tokens; R_N* in the paper", "none"),
    },
    published={
        SOURCE: {
            "E": exp(0.6254804),
            "A": exp(6.255414),
            "B": exp(7.3049974),
            "alpha": 0.3526596,
            "beta": 0.3526596,
            "R_D": 15.387756,
            "R_N": 5.309743,
        },
    },
    decreasing=("N", "D", "unique_tokens"),
    floor="E",
    examples=(
        # The first two are what the authors' own code prints for the printed parameters.
        Example(SOURCE, {"N": 6.34e9, "D": 242e9, "unique_tokens": 25e9}, 2.2256440889984477, tolerance=1e-10),
        Example(SOURCE, {"N": 8.67e9, "D": 178e9, "unique_tokens": 25e9}, 2.2269634075087867, tolerance=1e-10),
        Example(SOURCE, {"N": 1e9, "D": 20e9, "unique_tokens": 20e9}, 2.5646350330, tolerance=5e-11),
        Example(SOURCE, {"N": 1e9, "D": 80e9, "unique_tokens": 20e9}, 2.4360199471, tolerance=5e-11),
        Example(SOURCE, {"N": 1e9, "D": 800e9, "unique_tokens": 20e9}, 2.3509193725, tolerance=5e-11),
        Example(SOURCE, {"N": 10e9, "D": 100e9, "unique_tokens": 1e9}, 2.7616467088, tolerance=5e-11),
    ),
    reference="Muennighoff et al. (2023), Eqs. 5 and 6, arXiv:2305.16264; the values are those of the released code",
)

"""Kaplan's law of model size and optimiser steps, without an irreducible loss."""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(N: Quantity, steps: Quantity, *, A: Quantity, B: Quantity, alpha_N: Quantity, alpha_S: Quantity) -> Quantity:
    """Return ``A / N**alpha_N + B / steps**alpha_S``.

    The paper writes ``A = N_c**alpha_N`` and ``B = S_c**alpha_S``. Steps are S_min, those that a batch far above the
    critical one would need; ``bayescale.tradeoffs.least_steps`` carries real steps to them.
    """
    return A / N**alpha_N + B / steps**alpha_S


def derived(*, A: Quantity, B: Quantity, alpha_N: Quantity, alpha_S: Quantity) -> dict[str, Quantity]:
    """Return the paper's scales N_c and S_c."""
    return {"N_c": A ** (1 / alpha_N), "S_c": B ** (1 / alpha_S)}


SOURCE = "Kaplan et al. (2020)"

KAPLAN_NS = Law(
    name="kaplan_ns",
    loss=loss,
    scales={"A": {"N": "alpha_N"}, "B": {"steps": "alpha_S"}},
    derived=derived,
    formula="(N_c / N)^alpha_N + (S_c / S_min)^alpha_S",
    priors={
        "A": Share(3.0),
        "B": Share(1.0),  # a tenth of the other term at the optimum, more before it
        "alpha_N": Prior("LogNormal", {"mu": log(0.09), "sigma": 0.5}),
        "alpha_S": Prior("LogNormal", {"mu": log(0.7), "sigma": 0.4}),
    },
    meanings={
        **common("alpha_N"),
        "A": ("N_c to the power alpha_N: what size alone gives at N = 1", "R N^alpha_N"),
        "B": ("S_c to the power alpha_S: what steps add after one", "R steps^alpha_S"),
        "alpha_S": ("how fast the term of steps falls", "none"),
    },
    published={SOURCE: {"A": 6.5e13**0.077, "B": 2.1e3**0.76, "alpha_N": 0.077, "alpha_S": 0.76}},
    decreasing=("N", "steps"),
    examples=(
        Example(SOURCE, {"N": 1e8, "steps": 1e4}, 3.108227),
        Example(SOURCE, {"N": 1e9, "steps": 1e5}, 2.400514),
    ),
    reference="Kaplan et al. (2020), Eq. 1.6 and Table 3, arXiv:2001.08361; N without embeddings",
)

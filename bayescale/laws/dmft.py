"""Loss of size and training time whose two exponents follow from one spectrum of the task."""

from math import log

import numpy as np

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def size_exponent(a_above_1: Quantity, b_above_1: Quantity) -> Quantity:
    """Return ``min(a - 1, 2 b)``, written without a branch."""
    x, y = a_above_1, 2 * (1 + b_above_1)
    return (x + y - np.abs(x - y)) / 2


def time_exponent(a_above_1: Quantity, b_above_1: Quantity) -> Quantity:
    """Return ``(a - 1) / b``."""
    return a_above_1 / (1 + b_above_1)


def loss(
    N: Quantity,
    steps: Quantity,
    *,
    L_inf: Quantity,
    C_N: Quantity,
    C_t: Quantity,
    a_above_1: Quantity,
    b_above_1: Quantity,
) -> Quantity:
    """Return ``L_inf + C_N / N**min(a - 1, 2 b) + C_t / steps**((a - 1) / b)``.

    ``k**-b`` is the decay of the eigenvalues of the features, and ``k**-a`` that of the task's power along them; the
    inferred parameters are ``a - 1`` and ``b - 1``, both above zero. In the theory N counts features.
    """
    size, time = size_exponent(a_above_1, b_above_1), time_exponent(a_above_1, b_above_1)
    return L_inf + C_N / N**size + C_t / steps**time


def rescale(
    N: Quantity,
    steps: Quantity,
    *,
    C_N: Quantity,
    C_t: Quantity,
    a_above_1: Quantity,
    b_above_1: Quantity,
    **_: Quantity,
) -> dict[str, Quantity]:
    """Return C_N and C_t for N and steps counted in ones."""
    return {
        "C_N": C_N * N ** size_exponent(a_above_1, b_above_1),
        "C_t": C_t * steps ** time_exponent(a_above_1, b_above_1),
    }


def derived(
    *, L_inf: Quantity, C_N: Quantity, C_t: Quantity, a_above_1: Quantity, b_above_1: Quantity
) -> dict[str, Quantity]:
    """Return the paper's a and b, and the two exponents."""
    del L_inf, C_N, C_t
    return {
        "a": 1 + a_above_1,
        "b": 1 + b_above_1,
        "alpha_N": size_exponent(a_above_1, b_above_1),
        "alpha_t": time_exponent(a_above_1, b_above_1),
    }


DMFT = Law(
    name="dmft",
    loss=loss,
    rescale=rescale,
    derived=derived,
    formula="L_inf + C_N / N^min(a - 1, 2 b) + C_t / steps^((a - 1) / b)",
    priors={
        "L_inf": Share(4.0),
        "C_N": Share(1.5),
        "C_t": Share(1.5),
        "a_above_1": Prior("LogNormal", {"mu": log(0.4), "sigma": 0.5}),
        "b_above_1": Prior("HalfNormal", {"sigma": 0.5}),  # a kernel of finite trace needs b above 1
    },
    meanings={
        **common("L_inf"),
        "C_N": ("what the term of size adds at N = 1", "R N^alpha_N"),
        "C_t": ("what the term of time adds after one step", "R steps^alpha_t"),
        "a_above_1": ("a - 1, where a is the decay of the task's power along the features", "none"),
        "b_above_1": ("b - 1, where b is the decay of the features' eigenvalues", "none"),
    },
    decreasing=("N", "steps"),
    floor="L_inf",
    examples=(
        # a = 1.5 and b = 1.25: exponents 0.5 and 0.4.
        Example(
            "",
            {"N": 1e4, "steps": 1e5},
            0.1 + 2.0 / 100.0 + 3.0 / 100.0,
            tolerance=1e-12,
            parameters={"L_inf": 0.1, "C_N": 2.0, "C_t": 3.0, "a_above_1": 0.5, "b_above_1": 0.25},
        ),
        # a = 5 and b = 1.1: the size exponent is the other branch, 2.2.
        Example(
            "",
            {"N": 1e5, "steps": 1e11},
            0.1 + 2e11 / 1e11 + 3e40 / 1e40,
            tolerance=1e-9,
            parameters={"L_inf": 0.1, "C_N": 2e11, "C_t": 3e40, "a_above_1": 4.0, "b_above_1": 0.1},
        ),
    ),
    reference="Bordelon, Atanasov and Pehlevan (2024), arXiv:2402.01092",
    unverified="Exponents and the sum of the two terms were read in the authors' own summary of the paper.",
)

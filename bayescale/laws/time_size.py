"""Loss of size and training time with an exponent of its own for each: what ``dmft`` is compared with."""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(
    N: Quantity,
    steps: Quantity,
    *,
    L_inf: Quantity,
    C_N: Quantity,
    C_t: Quantity,
    alpha_N: Quantity,
    alpha_t: Quantity,
) -> Quantity:
    """Return ``L_inf + C_N / N**alpha_N + C_t / steps**alpha_t``."""
    return L_inf + C_N / N**alpha_N + C_t / steps**alpha_t


TIME_SIZE = Law(
    name="time_size",
    loss=loss,
    scales={"C_N": {"N": "alpha_N"}, "C_t": {"steps": "alpha_t"}},
    formula="L_inf + C_N / N^alpha_N + C_t / steps^alpha_t",
    priors={
        "L_inf": Share(4.0),
        "C_N": Share(1.5),
        "C_t": Share(1.5),
        # Centred where dmft's prior puts its exponents, so that a comparison is about the tie between them.
        "alpha_N": Prior("LogNormal", {"mu": log(0.4), "sigma": 0.5}),
        "alpha_t": Prior("LogNormal", {"mu": log(0.3), "sigma": 0.5}),
    },
    meanings={
        **common("L_inf", "alpha_N"),
        "C_N": ("what the term of size adds at N = 1", "R N^alpha_N"),
        "C_t": ("what the term of time adds after one step", "R steps^alpha_t"),
        "alpha_t": ("how fast the term of time falls with steps", "none"),
    },
    decreasing=("N", "steps"),
    floor="L_inf",
    examples=(
        Example(
            "",
            {"N": 1e4, "steps": 1e5},
            0.1 + 2.0 / 100.0 + 3.0 / 100.0,
            tolerance=1e-12,
            parameters={"L_inf": 0.1, "C_N": 2.0, "C_t": 3.0, "alpha_N": 0.5, "alpha_t": 0.4},
        ),
    ),
    reference="Bordelon, Atanasov and Pehlevan (2024), arXiv:2402.01092, with the exponents freed",
    unverified="The sum of the two terms was read in the authors' own summary of the paper.",
)

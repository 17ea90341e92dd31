"""Loss during training from the whole learning-rate curve so far.

The columns come from a learning-rate curve by ``bayescale.tradeoffs.learning_rate_pieces``.
"""

from inspect import Parameter, Signature
from math import log

import numpy as np

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common
from bayescale.schedules import RATES, SHARES, SINCE

COVARIATES = ("lr_sum", "lr_fall", *RATES, *SINCE)
PARAMETERS = ("L_0", "A", "alpha", "B", "C", "beta", "gamma")

SIGNATURE = Signature(
    [
        *(Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in COVARIATES),
        *(Parameter(name, Parameter.KEYWORD_ONLY) for name in PARAMETERS),
    ]
)
"""The signature of the formula."""


def learnt(x: Quantity, beta: Quantity) -> Quantity:
    """Return ``1 - (x + 1)**-beta``, the part of a drop's gain that has come."""
    return -np.expm1(-beta * np.log1p(x))


def loss(*columns: Quantity, **named: Quantity) -> Quantity:
    """Return ``L_0 + A / lr_sum**alpha - B lr_fall sum_j w_j G(since_j / rate_j**gamma)``.

    ``G(x) = 1 - (1 + C x)**-beta``. lr_sum is the sum of the learning rates of all steps, with the warm-up; lr_fall
    that of their drops. The sum is over eight pieces of the fall, where the paper's is over all steps: w_j is the part
    of the fall in a piece, rate_j the mean rate that it led to, since_j the mean sum of the rates since.
    """
    at = SIGNATURE.bind(*columns, **named).arguments
    come: Quantity = 0.0
    for share, rate, since in zip(SHARES, RATES, SINCE, strict=True):
        come = come + share * learnt(at["C"] * at[since] / at[rate] ** at["gamma"], at["beta"])
    return at["L_0"] + at["A"] / at["lr_sum"] ** at["alpha"] - at["B"] * at["lr_fall"] * come


loss.__dict__["__signature__"] = SIGNATURE

VALUES = {
    "25M": (3.040, 0.525, 0.508, 363.788, 2.066, 0.583, 0.641),
    "100M": (2.651, 0.601, 0.453, 437.946, 2.132, 0.598, 0.655),
    "400M": (2.375, 0.654, 0.429, 523.425, 2.025, 0.594, 0.635),
}
PUBLISHED = {
    f"Luo et al. (2025), {size}": dict(zip(PARAMETERS, values, strict=True)) for size, values in VALUES.items()
}

EXAMPLES = {"25M": 3.321748, "100M": 2.986412, "400M": 2.746143}
"""The loss 100 steps after a drop from 3e-4 to 9e-5 at step 8000, by the sum over all steps."""

ONE_DROP = {
    "lr_sum": 8000 * 3e-4 + 100 * 9e-5,
    "lr_fall": 3e-4 - 9e-5,
    **dict.fromkeys(RATES, 9e-5),
    **dict.fromkeys(SINCE, 100 * 9e-5),
}

MULTI_POWER = Law(
    name="multi_power",
    loss=loss,
    scales={"A": {"lr_sum": "alpha"}, "B": {"lr_fall": -1}, "C": {"rate_1": "gamma", "since_1": -1}},
    formula="L_0 + A / lr_sum^alpha - B lr_fall sum_j w_j (1 - (1 + C since_j / rate_j^gamma)^-beta), "
    f"j = 1 to {len(SHARES)}, w_j = the part of the fall in piece j",
    units={
        **dict.fromkeys(("lr_fall", *RATES[1:]), "rate_1"),
        **dict.fromkeys(SINCE, "lr_sum"),
    },
    priors={
        "L_0": Share(4.0),
        "A": Share(1.5),
        "alpha": Prior("LogNormal", {"mu": log(0.5), "sigma": 0.3}),
        "B": Prior("LogNormal", {"mu": log(0.05), "sigma": 1.0}, relative=True),  # what a decay to zero gains at last
        "C": Prior("LogNormal", {"mu": log(1000.0), "sigma": 1.5}),
        "beta": Prior("LogNormal", {"mu": log(0.6), "sigma": 0.4}),
        "gamma": Prior("LogNormal", {"mu": log(0.6), "sigma": 0.4}),
    },
    meanings={
        **common("L_0"),
        "A": ("what is added at a sum of learning rates of 1", "R lr_sum^alpha"),
        "alpha": ("how fast that falls with the sum", "none"),
        "B": ("what a fall of the rate by 1 takes off in the end", "R / lr_fall"),
        "C": ("how soon the gain of a fall comes", "rate^gamma / since"),
        "beta": ("how fast the rest of that gain dies out", "none"),
        "gamma": ("how much less a sum of rates since counts at a high rate", "none"),
    },
    published=PUBLISHED,
    decreasing=("lr_sum", "lr_fall", *SINCE),
    examples=tuple(Example(f"Luo et al. (2025), {size}", ONE_DROP, value) for size, value in EXAMPLES.items()),
    reference="Luo et al. (2025), arXiv:2503.12811",
    unverified=(
        "the form and the values are those of the authors' code; the examples are the paper's sum over all steps, by "
        "this package; the released curves lie above the published laws by 0.11 (25M), 0.13 (100M) and 0.15 (400M) nats"
    ),
)

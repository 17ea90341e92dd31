"""Loss during training from the learning rates so far.

The columns come from a learning-rate curve by ``bayescale.tradeoffs.learning_rate_columns``.
"""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(lr_sum: Quantity, lr_drop: Quantity, *, L_0: Quantity, A: Quantity, alpha: Quantity, C: Quantity) -> Quantity:
    """Return ``L_0 + A / lr_sum**alpha - C * lr_drop``.

    lr_sum is the sum of the learning rates of all steps, the paper's S_1; lr_drop its annealing area S_2: every drop
    of the rate, weighted by ``1 + lambda + lambda**2 + ...`` over the steps since. The fading lambda is fixed by the
    columns, not inferred; both columns are zero or more, and a rate that rises on balance has no place here.
    """
    return L_0 + A / lr_sum**alpha - C * lr_drop


FULL_DROP = 0.1
"""Annealing area that C is stated for: a rate of 3e-4 taken down with a fading of 0.997, or of 1e-4 with 0.999."""

LR_ANNEAL = Law(
    name="lr_anneal",
    loss=loss,
    scales={"A": {"lr_sum": "alpha"}, "C": {"lr_drop": -1}},
    formula="L_0 + A / lr_sum^alpha - C lr_drop",
    units={"lr_drop": FULL_DROP},
    priors={
        "L_0": Share(4.0),
        "A": Share(1.5),
        "alpha": Prior("LogNormal", {"mu": log(0.5), "sigma": 0.3}),
        "C": Prior("LogNormal", {"mu": log(0.02), "sigma": 1.3}, relative=True),  # wide, for any peak rate
    },
    meanings={
        **common("L_0"),
        "A": ("what is added at a sum of learning rates of 1", "R lr_sum^alpha"),
        "alpha": ("how fast that falls with the sum", "none"),
        "C": ("what one unit of the annealing area takes off", "R / lr_drop"),
    },
    decreasing=("lr_sum", "lr_drop"),
    examples=(
        Example(
            "",
            {"lr_sum": 1.0, "lr_drop": 0.0},
            3.05,
            5e-9,
            parameters={"L_0": 2.6, "A": 0.45, "alpha": 0.5, "C": 0.5},
        ),
    ),
    reference="Tissue et al. (2024), arXiv:2408.11029",
    unverified="the paper's constants, and its fading of 0.99 to 0.999, were not seen; none are given",
)

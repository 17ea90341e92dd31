"""Loss of a mixture of experts whose experts are narrower than the dense layer: more granular is better."""

from math import log

from bayescale.laws.costs import Columns, Cost, expert_flops
from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(
    N: Quantity,
    D: Quantity,
    granularity: Quantity,
    *,
    c: Quantity,
    g: Quantity,
    gamma: Quantity,
    a: Quantity,
    alpha: Quantity,
    b: Quantity,
    beta: Quantity,
) -> Quantity:
    """Return ``c + (g / granularity**gamma + a) / N**alpha + b / D**beta``; a dense model has ``g = 0``.

    N counts all experts, but neither embeddings nor routers.
    """
    return c + (g / granularity**gamma + a) / N**alpha + b / D**beta


DENSE = {"c": 0.47, "g": 0.0, "gamma": 0.58, "a": 16.3, "alpha": 0.126, "b": 26.7, "beta": 0.127}
"""Table 1 for dense models; without g the value of gamma means nothing."""

MOE = "Krajewski et al. (2024)"


def flops_per_token(N: Quantity, columns: Columns) -> Quantity:
    """Return the FLOP of one training token: active parameters and routing."""
    return expert_flops(N, 1.0, columns["granularity"])


MOE_GRANULAR = Law(
    name="moe_granular",
    loss=loss,
    scales={"g": {"granularity": "gamma", "N": "alpha"}, "a": {"N": "alpha"}, "b": {"D": "beta"}},
    formula="c + (g / G^gamma + a) / N^alpha + b / D^beta",
    units={"granularity": 1.0},
    priors={
        "c": Share(2.0),  # the published floor lies far below the data
        "a": Share(2.0),
        "b": Share(2.0),
        # What granularity can remove at most, at G = 1: about an eighth of the term of N, which is a third of the loss.
        "g": Prior("LogNormal", {"mu": log(0.04), "sigma": 0.8}, relative=True),
        "gamma": Prior("LogNormal", {"mu": log(0.6), "sigma": 0.4}),
        "alpha": Prior("LogNormal", {"mu": log(0.13), "sigma": 0.5}),
        "beta": Prior("LogNormal", {"mu": log(0.13), "sigma": 0.5}),
    },
    meanings={
        **common("alpha", "beta"),
        "c": ("what no size or data gets below", "R"),
        "a": ("what the term of size adds at N = 1 with endless granularity", "R N^alpha"),
        "b": ("what the term of data adds at D = 1", "R D^beta"),
        "g": ("what granularity 1 adds to it", "R N^alpha"),
        "gamma": ("how fast that falls with granularity", "none"),
    },
    published={
        MOE: {"c": 0.47, "g": 2.1, "gamma": 0.58, "a": 18.1, "alpha": 0.115, "b": 30.8, "beta": 0.147},
    },
    decreasing=("N", "D", "granularity"),
    floor="c",
    examples=(
        Example(MOE, {"N": 1.6e9, "D": 16e9, "granularity": 1.0}, 3.209509),
        Example(MOE, {"N": 1.6e9, "D": 16e9, "granularity": 4.0}, 3.108102),
        Example(MOE, {"N": 1.6e9, "D": 16e9, "granularity": 16.0}, 3.062721),
        Example("", {"N": 1e9, "D": 20e9, "granularity": 1.0}, 2.980305, parameters=DENSE),
        Example("", {"N": 7e9, "D": 140e9, "granularity": 1.0}, 2.432467, parameters=DENSE),
    ),
    cost=Cost(
        "that of Krajewski et al. (2024), Eq. 10: active parameters and routing, 64 times as many in all experts",
        flops_per_token,
    ),
    reference="Krajewski et al. (2024), Eq. 9 and Table 1, arXiv:2402.07871; expansion rate 64",
)

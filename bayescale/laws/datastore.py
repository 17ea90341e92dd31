"""Loss of a language model that looks things up: a datastore token is worth a part of a training token."""

from math import log

from bayescale.laws.costs import DENSE, Columns, Cost, datastore_flops
from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(
    N: Quantity,
    D: Quantity,
    datastore_tokens: Quantity,
    *,
    E: Quantity,
    A: Quantity,
    B: Quantity,
    rho: Quantity,
    alpha: Quantity,
    beta: Quantity,
) -> Quantity:
    """Return ``E + A / N**alpha + B / (D + rho * datastore_tokens)**beta``.

    ``rho`` is the number of training tokens that one token of the datastore is worth.
    """
    return E + A / N**alpha + B / (D + rho * datastore_tokens) ** beta


def embedding_flops(columns: Columns) -> float:
    """Return the FLOP of embedding the datastore."""
    return float(datastore_flops(0.0, 0.0, columns["datastore_tokens"]))


DATASTORE = Law(
    name="datastore",
    loss=loss,
    scales={"A": {"N": "alpha"}, "B": {"D": "beta"}, "rho": {"D": 1, "datastore_tokens": -1}},
    formula="E + A / N^alpha + B / (D + rho S)^beta, S tokens in the datastore",
    units={"datastore_tokens": "D"},
    priors={
        "E": Share(4.0),
        "A": Share(1.5),
        "B": Share(1.5),
        # 95% between 0.003 and 0.95: on both sides of the price of a token, and seldom worth more than one read.
        "rho": Prior("LogNormal", {"mu": log(0.05), "sigma": 1.5}),
        "alpha": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "beta": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
    },
    meanings={
        **common("E", "A", "alpha", "beta"),
        "B": ("what the term of data adds at D = 1 without a datastore", "R D^beta"),
        "rho": ("training tokens that one token of the datastore is worth", "none"),
    },
    decreasing=("N", "D", "datastore_tokens"),
    floor="E",
    examples=(
        # 0.05 of 4e11 tokens add 2e10 to 2e10: the additive law at twice the tokens, 1e9 and 4e10.
        Example(
            "",
            {"N": 1e9, "D": 2e10, "datastore_tokens": 4e11},
            1.8 + 480.0 / 1e9**0.35 + 2000.0 / 4e10**0.37,
            tolerance=1e-12,
            parameters={"E": 1.8, "A": 480.0, "B": 2000.0, "rho": 0.05, "alpha": 0.35, "beta": 0.37},
        ),
    ),
    cost=Cost(
        "6 N D, and the embedding of the datastore",
        DENSE.per_token,
        embedding_flops,
    ),
    reference="bayescale: the additive law with an exchange rate, for the experiments of Shao et al. (2024), "
    "arXiv:2407.12854",
    unverified="Our own formalisation: the paper plots losses against the datastore and publishes no fitted formula.",
)

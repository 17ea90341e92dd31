"""Loss as a floor plus powers of model size, steps and batch."""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(
    N: Quantity,
    steps: Quantity,
    batch: Quantity,
    *,
    E: Quantity,
    A: Quantity,
    B: Quantity,
    K: Quantity,
    alpha: Quantity,
    beta: Quantity,
    gamma: Quantity,
) -> Quantity:
    """Return ``E + A / N**alpha + B / steps**beta + K / batch**gamma``."""
    return E + A / N**alpha + B / steps**beta + K / batch**gamma


MADE_UP = {"E": 2.0, "A": 100.0, "B": 30.0, "K": 10.0, "alpha": 0.25, "beta": 0.5, "gamma": 0.25}

THREE_TERM = Law(
    name="three_term",
    loss=loss,
    scales={"A": {"N": "alpha"}, "B": {"steps": "beta"}, "K": {"batch": "gamma"}},
    formula="E + A / N^alpha + B / steps^beta + K / batch^gamma",
    priors={
        "E": Share(4.0),
        "A": Share(1.5),
        "B": Share(1.0),
        "K": Share(1.0),
        "alpha": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "beta": Prior("LogNormal", {"mu": log(0.40), "sigma": 0.45}),
        "gamma": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
    },
    meanings={
        **common("E", "A", "alpha"),
        "B": ("what the term of steps adds after one", "R steps^beta"),
        "beta": ("how fast the term of steps falls", "none"),
        "K": ("what the term of the batch adds at one token", "R batch^gamma"),
        "gamma": ("how fast the term of the batch falls", "none"),
    },
    decreasing=("N", "steps", "batch"),
    floor="E",
    # Powers of ten, so that the sum can be checked by hand: 2 + 1 + 0.3 + 0.1.
    examples=(Example("", {"N": 1e8, "steps": 1e4, "batch": 1e8}, 3.4, 1e-12, parameters=MADE_UP),),
    reference="Schaipp (2026), arXiv:2607.01487",
    unverified="only the abstract was read, which separates size, steps and batch; the sum of powers is our own form",
)

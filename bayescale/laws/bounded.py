"""Loss between an irreducible one and that of a model that has learnt nothing, with repeated data."""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(
    N: Quantity,
    D: Quantity,
    unique_tokens: Quantity,
    *,
    E: Quantity,
    A: Quantity,
    B: Quantity,
    K: Quantity,
    alpha: Quantity,
    beta: Quantity,
    gamma: Quantity,
    delta: Quantity,
    span: Quantity,
) -> Quantity:
    """Return ``E + H / (1 + H / span)``, ``H = A / N**alpha + B / D**beta + K N**gamma / unique_tokens**delta``.

    The paper's ``E + (L_0 - E) h / (1 + h)`` with ``h = H / span`` and ``L_0 = E + span``, the loss of a model that
    has learnt nothing; its a, b and c are A, B and K over the span. H is what is added far below L_0.
    """
    added = A / N**alpha + B / D**beta + K * N**gamma / unique_tokens**delta
    return E + added / (1 + added / span)


def derived(
    *, E: Quantity, A: Quantity, B: Quantity, K: Quantity, span: Quantity, **exponents: Quantity
) -> dict[str, Quantity]:
    """Return the paper's L_0, a, b and c."""
    del exponents
    return {"L_0": E + span, "a": A / span, "b": B / span, "c": K / span}


MADE_UP = {"E": 1.8, "A": 60 * 8.6, "B": 260 * 8.6, "K": 1e-3 * 8.6, "span": 8.6}
MADE_UP |= {"alpha": 0.35, "beta": 0.366, "gamma": 0.3, "delta": 0.3}

BOUNDED = Law(
    name="bounded",
    loss=loss,
    scales={"A": {"N": "alpha"}, "B": {"D": "beta"}, "K": {"unique_tokens": "delta", "N": "-gamma"}},
    derived=derived,
    formula="E + (L_0 - E) h / (1 + h), h = a / N^alpha + b / D^beta + c N^gamma / unique_tokens^delta",
    units={"unique_tokens": "D"},
    priors={
        "E": Share(4.0),
        "A": Share(1.5),
        "B": Share(1.5),
        "K": Share(0.5),
        "alpha": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "beta": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "gamma": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "delta": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "span": Prior("LogNormal", {"mu": log(3.0), "sigma": 0.4}, relative=True),
    },
    meanings={
        **common("E", "alpha", "beta"),
        "A": ("what the term of size adds at N = 1, far below the start of learning", "R N^alpha"),
        "B": ("the same for data at D = 1", "R D^beta"),
        "K": ("price of too many parameters for the distinct tokens, at N = unique_tokens = 1", "R U^delta / N^gamma"),
        "gamma": ("how fast that price grows with N", "none"),
        "delta": ("how fast it falls with unique_tokens", "none"),
        "span": ("loss of a model that has learnt nothing, less E", "R"),
    },
    decreasing=("D", "unique_tokens"),
    examples=tuple(
        Example("", {"N": 1e9, "D": D, "unique_tokens": unique}, value, parameters=MADE_UP)
        for D, unique, value in ((2e10, 2e10, 2.488463), (2e11, 2e10, 2.301200), (2e10, 1e9, 2.492776))
    ),
    reference="Bryant & Liu (2026), arXiv:2605.09189",
    unverified="the form was read in the abstract and secondary notes only, and the examples are of made-up parameters",
)

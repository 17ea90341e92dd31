"""Loss around the best size of each budget, the minima of isoFLOP slices on a line of their own."""

from math import inf, log

from bayescale.laws.chinchilla import CHINCHILLA
from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(
    N: Quantity,
    D: Quantity,
    *,
    E: Quantity,
    K: Quantity,
    gamma: Quantity,
    a: Quantity,
    G: Quantity,
    alpha: Quantity,
    beta: Quantity,
    span: Quantity,
) -> Quantity:
    """Return ``E + V + W / (1 + W / span)`` with ``V = K / (N D)**gamma``.

    The best size of a budget is ``G (N D)**a``, and ``E + V`` the loss there. A size ``s`` times the best one adds
    ``W = V (beta s**-alpha + alpha s**beta) / (alpha + beta) - V``, which is nothing at ``s = 1``, and never more than
    span. With ``a = beta / (alpha + beta)``, ``gamma = alpha a`` and no limit to the span it is the law chinchilla, in
    which two exponents decide all four. Far from the best sizes it may rise with N or with D.
    """
    off = N / (G * (N * D) ** a)
    best = K / (N * D) ** gamma
    added = best * ((beta / off**alpha + alpha * off**beta) / (alpha + beta) - 1)
    return E + best + added / (1 + added / span)


def rescale(N: Quantity, D: Quantity, *, a: Quantity, G: Quantity, **_: Quantity) -> dict[str, Quantity]:
    """Return G for N and D counted in ones."""
    return {"G": G * N / (N * D) ** a}


def from_chinchilla(*, E: float, A: float, B: float, alpha: float, beta: float) -> dict[str, float]:
    """Return the parameters with which this law is chinchilla with these."""
    a = beta / (alpha + beta)
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    return {
        "E": E,
        "K": A / (a * G**alpha),
        "gamma": alpha * a,
        "a": a,
        "G": G,
        "alpha": alpha,
        "beta": beta,
        "span": inf,
    }


MADE_UP = {"E": 2.1, "K": 1200.0, "gamma": 0.16, "a": 0.55, "G": 0.03, "alpha": 0.3, "beta": 0.9, "span": 4.5}
"""Values like those of the runs of Porian et al. (2024), rounded."""

ISOFLOP = Law(
    name="isoflop",
    loss=loss,
    scales={"K": {"N": "gamma", "D": "gamma"}},
    rescale=rescale,
    formula="E + V + W / (1 + W / span), V = K / (N D)^gamma, "
    "W = V (beta s^-alpha + alpha s^beta) / (alpha + beta) - V, s = N / (G (N D)^a)",
    priors={
        "E": Share(4.0),
        "K": Share(3.0),
        "gamma": Prior("LogNormal", {"mu": log(0.15), "sigma": 0.4}),
        "a": Prior("Normal", {"mu": 0.5, "sigma": 0.15}),
        "G": Prior("LogNormal", {"mu": 0.0, "sigma": 1.4}),  # 90%: ten times a typical run's size either way
        "alpha": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "beta": Prior("LogNormal", {"mu": log(0.30), "sigma": 0.45}),
        "span": Prior("LogNormal", {"mu": log(2.0), "sigma": 0.5}, relative=True),
    },
    meanings={
        **common("E"),
        "K": ("what the best size of a budget adds to the floor, at N D = 1", "R (N D)^gamma"),
        "gamma": ("how fast that falls with N D", "none"),
        "a": ("how fast the best size grows with N D", "none"),
        "G": ("best size at N D = 1", "N / (N D)^a"),
        "alpha": ("how fast what a wrong size adds grows with smaller N, along a slice", "none"),
        "beta": ("the same with larger N", "none"),
        "span": ("what a wrong size adds at most", "R"),
    },
    examples=(
        Example("", {"N": 1e9, "D": 20e9}, 3.085300, parameters=MADE_UP),
        Example("", {"N": 30e6, "D": 400e9}, 4.101532, parameters=MADE_UP),
        *(
            Example("", example.at, example.value, parameters=from_chinchilla(**CHINCHILLA.published[example.source]))
            for example in CHINCHILLA.examples
        ),
    ),
    reference="bayescale: approach 2 of Hoffmann et al. (2022), arXiv:2203.15556, as a law; chinchilla whose "
    "exponents are free of one another, with a limit to what a wrong size adds",
)

"""Loss as a floor and equal powers of model size and data: what over-training costs at a given compute."""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common


def loss(N: Quantity, D: Quantity, *, E: Quantity, A: Quantity, B: Quantity, eta: Quantity) -> Quantity:
    """Return ``E + A / N**(2 eta) + B / D**(2 eta)``.

    With ``M = D / N`` tokens per parameter and ``C = 6 N D`` it is the paper's
    ``E + (a M**eta + b / M**eta) / C**eta``.
    """
    return E + A / N ** (2 * eta) + B / D ** (2 * eta)


def rescale(N: Quantity, D: Quantity, *, A: Quantity, B: Quantity, eta: Quantity, **_: Quantity) -> dict[str, Quantity]:
    """Return A and B for N and D counted in ones."""
    return {"A": A * N ** (2 * eta), "B": B * D ** (2 * eta)}


def derived(*, E: Quantity, A: Quantity, B: Quantity, eta: Quantity) -> dict[str, Quantity]:
    """Return the paper's a and b, and the tokens per parameter of least loss at any compute."""
    del E
    return {"a": A * 6**eta, "b": B * 6**eta, "best_multiplier": (B / A) ** (1 / (2 * eta))}


def _in_sizes(E: float, a: float, b: float, eta: float) -> dict[str, float]:
    return {"E": E, "A": a / 6**eta, "B": b / 6**eta, "eta": eta}


def _at(flops: float, multiplier: float) -> dict[str, float]:
    size = (flops / (6 * multiplier)) ** 0.5
    return {"N": size, "D": multiplier * size}


C4, RED_PAJAMA, REFINED_WEB = (f"Gadre et al. (2024), {corpus}" for corpus in ("C4", "RedPajama", "RefinedWeb"))
VALUES = {
    C4: (3.173532, 2.461085, 2.584936),
    RED_PAJAMA: (3.276999, 2.605102, 2.700758),
    REFINED_WEB: (3.259685, 2.583523, 2.684312),
}

OVERTRAIN = Law(
    name="overtrain",
    loss=loss,
    rescale=rescale,
    derived=derived,
    formula="E + A / N^(2 eta) + B / D^(2 eta)",
    priors={
        "E": Share(4.0),
        "A": Share(1.5),
        "B": Share(1.5),
        "eta": Prior("LogNormal", {"mu": log(0.15), "sigma": 0.4}),
    },
    meanings={
        **common("E"),
        "A": ("what the term of size adds at N = 1", "R N^(2 eta)"),
        "B": ("what the term of data adds at D = 1", "R D^(2 eta)"),
        "eta": ("half the exponent that size and data share", "none"),
    },
    published={
        # Least squares on the five runs that the authors fit, in full precision; they agree with the paper's print.
        C4: _in_sizes(1.5082604890, 141.2772443445, 189.5155033434, 0.1212361169),
        RED_PAJAMA: _in_sizes(1.8366483862, 212.2361130620, 366.6871797287, 0.1364253517),
        REFINED_WEB: _in_sizes(1.7344621015, 157.1162870359, 246.2066920097, 0.1271974230),
    },
    decreasing=("N", "D"),
    floor="E",
    examples=tuple(
        Example(source, _at(*budget), value)
        for source, values in VALUES.items()
        for budget, value in zip(((1e19, 20), (1e21, 20), (1e21, 320)), values, strict=True)
    ),
    reference="Gadre et al. (2024), Eq. 4, arXiv:2403.08540",
    unverified="the published values are a refit of the authors' data by their recipe; they were compared with the "
    "paper's from memory",
)

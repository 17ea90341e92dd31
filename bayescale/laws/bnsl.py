"""Learning curves of several straight pieces in log-log, joined by smooth breaks.

One covariate at a time: it is called D, and any other (N, C, steps) can be mapped to it,
``read_runs(path, columns={"D": "steps"}, needs=("D",))``.
"""

from collections.abc import Sequence
from math import log

import numpy as np

from bayescale.laws.law import Example, Law, Prior, Quantity, Share

type Break = tuple[Quantity, Quantity, Quantity]
"""Change of the slope c, place ln d, sharpness f (smaller is sharper)."""


def softplus(x: Quantity) -> Quantity:
    """Return ``ln(1 + exp(x))`` without overflow."""
    return (x + abs(x)) / 2 + np.log1p(np.exp(-abs(x)))


def broken_power(D: Quantity, c_0: Quantity, breaks: Sequence[Break]) -> Quantity:
    """Return ``D**-c_0`` times ``(1 + (D / d)**(1 / f))**(-c f)`` of each break, over the same at D = 1."""
    log_power = -c_0 * np.log(D)
    for change, log_place, sharpness in breaks:
        bent = softplus((np.log(D) - log_place) / sharpness) - softplus(-log_place / sharpness)
        log_power = log_power - change * sharpness * bent
    return np.exp(log_power)


def undone(breaks: Sequence[Break]) -> Quantity:
    """Return what the paper's b is over the power term at D = 1: its breaks are one at D = 0."""
    return np.exp(sum(change * sharp * softplus(-log_place / sharp) for change, log_place, sharp in breaks))


def loss(
    D: Quantity, *, a: Quantity, b_1: Quantity, c_0: Quantity, c_1: Quantity, d_1: Quantity, f_1: Quantity
) -> Quantity:
    """Return ``a + b / D**c_0 * (1 + (D / d_1)**(1 / f_1))**(-c_1 f_1)``, where ``a + b_1`` is the value at D = 1."""
    return a + b_1 * broken_power(D, c_0, [(c_1, np.log(d_1), f_1)])


def rescale(
    D: Quantity, *, b_1: Quantity, c_0: Quantity, c_1: Quantity, d_1: Quantity, f_1: Quantity, **_: Quantity
) -> dict[str, Quantity]:
    """Return b_1 for D counted in ones."""
    return {"b_1": b_1 * broken_power(1 / D, c_0, [(c_1, np.log(d_1), f_1)])}


def derived(
    *, a: Quantity, b_1: Quantity, c_0: Quantity, c_1: Quantity, d_1: Quantity, f_1: Quantity
) -> dict[str, Quantity]:
    """Return the paper's b."""
    del a, c_0
    return {"b": b_1 * undone([(c_1, np.log(d_1), f_1)])}


# The first of the three breaks of a figure of the paper; the others are too far up to be told at D = 1.
ONE_BREAK = {"a": 1e-3, "c_0": 0.05, "c_1": 0.49, "d_1": 3e6, "f_1": 1.1}
ONE_BREAK["b_1"] = float(4.66e3 / undone([(0.49, log(3e6), 1.1)]))

MEANINGS = {
    "a": ("what no amount of data gets below", "R"),
    "b_1": ("what is added to it at D = 1", "R"),
    "c_0": ("exponent before the first break", "none"),
    "c_1": ("change of the exponent at the first break", "none"),
    "d_1": ("place of the first break", "D"),
    "f_1": ("how gradual the first break is; smaller is sharper", "none"),
}

BNSL = Law(
    name="bnsl",
    loss=loss,
    scales={"d_1": {"D": 1}},
    rescale=rescale,
    derived=derived,
    formula="a + b D^-c_0 (1 + (D / d_1)^(1 / f_1))^(-c_1 f_1)",
    priors={
        "a": Share(2.0),
        "b_1": Share(2.0),
        "c_0": Prior("LogNormal", {"mu": log(0.2), "sigma": 0.7}),
        "c_1": Prior("Normal", {"mu": 0.0, "sigma": 0.5}),
        "d_1": Prior("LogNormal", {"mu": 0.0, "sigma": 2.3}),  # one decade either way
        "f_1": Prior("LogNormal", {"mu": log(0.3), "sigma": 0.7}),
    },
    meanings=MEANINGS,
    examples=(Example("", {"D": 1.0}, 4659.9978, 5e-5, parameters=ONE_BREAK),),
    reference="Caballero et al. (2022), Eq. 1 with one break, arXiv:2210.14891",
)

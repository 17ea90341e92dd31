"""Learning curves of three straight pieces in log-log, joined by two smooth breaks; see bnsl.

Its priors are narrower than those of one break, for sharp breaks at unknown places leave a posterior of many peaks. A
last break that flattens the curve and the limit a can stand for each other.
"""

from math import log

import numpy as np

from bayescale.laws.bnsl import MEANINGS, Break, broken_power, undone
from bayescale.laws.law import Example, Law, Prior, Quantity, Share


def _breaks(
    *, c_1: Quantity, d_1: Quantity, f_1: Quantity, c_2: Quantity, gap: Quantity, f_2: Quantity
) -> tuple[Break, Break]:
    return (c_1, np.log(d_1), f_1), (c_2, np.log(d_1) + gap, f_2)


def loss(
    D: Quantity,
    *,
    a: Quantity,
    b_1: Quantity,
    c_0: Quantity,
    c_1: Quantity,
    d_1: Quantity,
    f_1: Quantity,
    c_2: Quantity,
    gap: Quantity,
    f_2: Quantity,
) -> Quantity:
    """Return ``a + b / D**c_0`` times ``(1 + (D / d_i)**(1 / f_i))**(-c_i f_i)`` for i = 1 and 2.

    ``a + b_1`` is the value at D = 1, and ``d_2 = d_1 exp(gap)`` with a positive gap, so that the breaks keep their
    order.
    """
    return a + b_1 * broken_power(D, c_0, _breaks(c_1=c_1, d_1=d_1, f_1=f_1, c_2=c_2, gap=gap, f_2=f_2))


def rescale(D: Quantity, *, a: Quantity, b_1: Quantity, c_0: Quantity, **breaks: Quantity) -> dict[str, Quantity]:
    """Return b_1 for D counted in ones."""
    del a
    return {"b_1": b_1 * broken_power(1 / D, c_0, _breaks(**breaks))}


def derived(
    *,
    a: Quantity,
    b_1: Quantity,
    c_0: Quantity,
    c_1: Quantity,
    d_1: Quantity,
    f_1: Quantity,
    c_2: Quantity,
    gap: Quantity,
    f_2: Quantity,
) -> dict[str, Quantity]:
    """Return the paper's b, and the place of the second break."""
    del a, c_0
    return {"b": b_1 * undone(_breaks(c_1=c_1, d_1=d_1, f_1=f_1, c_2=c_2, gap=gap, f_2=f_2)), "d_2": d_1 * np.exp(gap)}


# The first two of the three breaks of a figure of the paper; the third, at 2e20 and very sharp, cannot be told here.
FIGURE = {"c_1": 0.49, "d_1": 3e6, "f_1": 1.1, "c_2": -0.811, "gap": log(1e14 / 3e6), "f_2": 1.425}
PARAMETERS = {"a": 1e-3, "b_1": float(4.66e3 / undone(_breaks(**FIGURE))), "c_0": 0.05, **FIGURE}

BNSL_TWO = Law(
    name="bnsl_two",
    loss=loss,
    scales={"d_1": {"D": 1}},
    rescale=rescale,
    derived=derived,
    formula="a + b D^-c_0 (1 + (D / d_1)^(1 / f_1))^(-c_1 f_1) (1 + (D / d_2)^(1 / f_2))^(-c_2 f_2)",
    priors={
        "a": Share(2.0),
        "b_1": Share(2.0),
        "c_0": Prior("LogNormal", {"mu": log(0.2), "sigma": 0.7}),
        "c_1": Prior("Normal", {"mu": 0.0, "sigma": 0.4}),
        "d_1": Prior("LogNormal", {"mu": -2.3, "sigma": 1.5}),
        "f_1": Prior("LogNormal", {"mu": log(0.5), "sigma": 0.5}),
        "c_2": Prior("Normal", {"mu": 0.0, "sigma": 0.4}),
        "gap": Prior("LogNormal", {"mu": log(4.6), "sigma": 0.4}),
        "f_2": Prior("LogNormal", {"mu": log(0.5), "sigma": 0.5}),
    },
    meanings={
        **MEANINGS,
        "c_2": ("change of the exponent at the second break", "none"),
        "gap": ("e-folds of D from the first break to the second", "none"),
        "f_2": ("how gradual the second break is", "none"),
    },
    examples=tuple(
        Example("", {"D": at}, value, tolerance, parameters=PARAMETERS)
        for at, value, tolerance in (
            (1.0, 4659.9978, 5e-5),
            (1e4, 2931.4281, 5e-5),
            (1e8, 325.6435, 5e-5),
            (1e12, 2.4087539, 5e-8),
            (1e16, 0.69861262, 5e-9),
        )
    ),
    reference="Caballero et al. (2022), Eq. 1 with two breaks, arXiv:2210.14891",
)

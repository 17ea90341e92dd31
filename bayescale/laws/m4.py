"""Learning curve that is a sigmoid in log-log: from the error before training to a limit.

D is the number of examples or tokens; steps or anything else can be mapped to it.
"""

from math import log

import numpy as np

from bayescale.laws.bnsl import softplus
from bayescale.laws.law import Example, Law, Prior, Quantity, Share
from bayescale.laws.meanings import common

NEWTON_STEPS = 5
"""Enough for 1e-14 in the learnt part for alpha of the prior, and 1e-9 for alpha from 0.05 to 20."""

SMALLEST_ALPHA = 1e-12
"""Added where the start divides by alpha, so that alpha = 0 is M2."""


def learnt(log_ratio: Quantity, alpha: Quantity) -> Quantity:
    """Return u between 0 and 1 with ``ln(u) - alpha ln(1 - u) = log_ratio``.

    Newton steps on the logit of u. The function is concave in the logit for ``alpha < 1`` and convex beyond, with
    asymptotes of slope 1 and alpha; a start on these is on the side from which every step comes nearer.
    """
    size = abs(log_ratio)
    logit = (log_ratio - size) / 2 + (log_ratio + size) / 2 / (alpha + SMALLEST_ALPHA)
    for _ in range(NEWTON_STEPS):
        rise = 1 / (1 + np.exp(-logit))
        gap = alpha * softplus(logit) - softplus(-logit) - log_ratio
        logit = logit - gap / (1 - rise + alpha * rise)
    return 1 / (1 + np.exp(-logit))


def loss(D: Quantity, *, eps_inf: Quantity, amount: Quantity, c: Quantity, alpha: Quantity, span: Quantity) -> Quantity:
    """Return y with ``y - eps_inf = amount / D**c * (1 - (y - eps_inf) / span)**alpha``.

    The paper's ``(y - eps_inf) / (eps_0 - y)**alpha = beta / D**c`` with ``eps_0 = eps_inf + span`` and
    ``beta = amount / span**alpha``: an ``amount`` added at D = 1 far below eps_0. The paper's c is
    minus this one.
    """
    return eps_inf + span * learnt(np.log(amount / span) - c * np.log(D), alpha)


def derived(
    *, eps_inf: Quantity, amount: Quantity, c: Quantity, alpha: Quantity, span: Quantity
) -> dict[str, Quantity]:
    """Return the paper's eps_0 and beta."""
    del c
    return {"eps_0": eps_inf + span, "beta": amount / span**alpha}


M4 = Law(
    name="m4",
    loss=loss,
    scales={"amount": {"D": "c"}},
    derived=derived,
    formula="(loss - eps_inf) / (eps_0 - loss)^alpha = beta D^-c",
    priors={
        "eps_inf": Share(2.0),
        "amount": Share(2.0),
        "c": Prior("LogNormal", {"mu": log(0.4), "sigma": 0.6}),
        "alpha": Prior("LogNormal", {"mu": 0.0, "sigma": 0.5}),
        "span": Prior("LogNormal", {"mu": log(2.0), "sigma": 0.6}, relative=True),
    },
    meanings={
        **common("eps_inf", "c"),
        "amount": ("what is added at D = 1, far below the start of learning", "R D^c"),
        "alpha": ("how the curve leaves its start; 0 is m2", "none"),
        "span": ("response before training, less eps_inf", "R"),
    },
    decreasing=("D",),
    floor="eps_inf",
    examples=(
        Example(
            "",
            {"D": 100.0},
            0.3,
            1e-9,
            parameters={"eps_inf": 0.1, "amount": 2.0, "c": 0.5, "alpha": 0.0, "span": 10.0},
        ),
        Example(
            "",
            {"D": 4.0},
            0.5,
            1e-9,
            parameters={"eps_inf": 0.0, "amount": 2.0, "c": 0.5, "alpha": 1.0, "span": 1.0},
        ),
    ),
    reference="Alabdulmohsin et al. (2022), M4, arXiv:2209.06640",
)

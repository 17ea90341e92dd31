"""Compression as a straight line in the logarithm of compute."""

from math import log

import numpy as np

from bayescale.laws.law import Example, Law, Prior, Quantity, Share

GUO_UNIT = 6e21
"""FLOP in one billion parameters times one trillion tokens, the paper's unit of compute."""


def loss(C: Quantity, *, alpha: Quantity, beta: Quantity) -> Quantity:
    """Return ``alpha * ln(C) + beta``; alpha is negative."""
    return alpha * np.log(C) + beta


def rescale(C: Quantity, *, alpha: Quantity, beta: Quantity) -> dict[str, Quantity]:
    """Return beta for C counted in single FLOP."""
    return {"beta": beta - alpha * np.log(C)}


def derived(*, alpha: Quantity, beta: Quantity) -> dict[str, Quantity]:
    """Return the intercept for C counted as billions of parameters times trillions of tokens."""
    return {"beta_guo": beta + alpha * log(GUO_UNIT)}


GUO_COMPUTE = Law(
    name="guo_compute",
    loss=loss,
    rescale=rescale,
    derived=derived,
    formula="alpha ln C + beta",
    priors={
        "alpha": Prior("TruncatedNormal", {"mu": 0.0, "sigma": 0.13, "upper": 0.0}, relative=True),
        "beta": Share(1.0),
    },
    meanings={
        "alpha": ("change of the response for each e-fold of compute; negative", "R"),
        "beta": ("the straight line's value at C = 1 FLOP", "R"),
    },
    published={
        # -0.031 and 0.572 are as quoted by readers of the paper; the paper's own print was not seen, but
        # least squares on 18 public models gives -0.03084 (0.00164) and 0.5728 (0.0066).
        "Guo (2024)": {"alpha": -0.031, "beta": 0.572 + 0.031 * log(GUO_UNIT)},
    },
    published_response="bpc",
    decreasing=("C",),
    examples=tuple(
        Example("Guo (2024)", {"C": 6 * N * D}, bpc)
        for N, D, bpc in (
            (7e9, 1e12, 0.511677),
            (7e9, 2e12, 0.490189),
            (70e9, 2e12, 0.418809),
            (8e9, 15e12, 0.423588),
            (70e9, 15e12, 0.356347),
            (405e9, 15.6e12, 0.300714),
        )
    ),
    unverified="-0.031 and 0.572 were read in reviews of the paper, not in it; a refit of 18 public models agrees",
    reference="Guo (2024), arXiv:2404.19484",
)

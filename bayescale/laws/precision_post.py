"""Loss of models trained in low precision and then quantised further."""

from math import exp, log

import numpy as np

from bayescale.laws import precision
from bayescale.laws.costs import LOW_PRECISION
from bayescale.laws.law import Example, Law, Prior, Quantity

USUAL_BITS = 4.0
"""Unit of the bits after training: what quantising adds is stated there; at none it would be many times the loss."""


def damage(
    N: Quantity,
    D: Quantity,
    bits_post: Quantity,
    *,
    C_1: Quantity,
    gamma_D: Quantity,
    gamma_N: Quantity,
    gamma_post: Quantity,
) -> Quantity:
    """Return ``C_1 D**gamma_D / N**gamma_N exp(-(bits_post - 1) / gamma_post)``: what quantising adds."""
    return C_1 * D**gamma_D / N**gamma_N * np.exp(-(bits_post - 1) / gamma_post)


def loss(  # noqa: PLR0917  (six columns)
    N: Quantity,
    D: Quantity,
    bits_weights: Quantity,
    bits_activations: Quantity,
    bits_cache: Quantity,
    bits_post: Quantity,
    *,
    E: Quantity,
    A: Quantity,
    B: Quantity,
    alpha: Quantity,
    beta: Quantity,
    gamma_w: Quantity,
    gamma_a: Quantity,
    gamma_kv: Quantity,
    C_1: Quantity,
    gamma_D: Quantity,
    gamma_N: Quantity,
    gamma_post: Quantity,
) -> Quantity:
    """Return the loss of ``precision`` plus ``C_T D**gamma_D / N**gamma_N exp(-bits_post / gamma_post)``.

    ``C_1 = C_T exp(-1 / gamma_post)`` is what quantising adds at ``N = D = bits_post = 1``; in the model, which counts
    bits_post in fours, at 4 bits of a typical run.
    """
    trained = precision.loss(
        N,
        D,
        bits_weights,
        bits_activations,
        bits_cache,
        E=E,
        A=A,
        B=B,
        alpha=alpha,
        beta=beta,
        gamma_w=gamma_w,
        gamma_a=gamma_a,
        gamma_kv=gamma_kv,
    )
    return trained + damage(N, D, bits_post, C_1=C_1, gamma_D=gamma_D, gamma_N=gamma_N, gamma_post=gamma_post)


def rescale(
    N: Quantity,
    D: Quantity,
    bits_post: Quantity,
    *,
    C_1: Quantity,
    gamma_D: Quantity,
    gamma_N: Quantity,
    gamma_post: Quantity,
    **_: Quantity,
) -> dict[str, Quantity]:
    """Return C_1 for N, D and bits_post counted in ones."""
    return {"C_1": C_1 * np.exp((1 - 1 / bits_post) / gamma_post) * N**gamma_N / D**gamma_D}


def derived(*, C_1: Quantity, gamma_post: Quantity, **others: Quantity) -> dict[str, Quantity]:
    """Return the paper's C_T."""
    del others
    return {"C_T": C_1 * np.exp(1 / gamma_post)}


SOURCE = precision.SOURCE
VALUES = {
    **precision.VALUES,
    "C_1": 0.0598 * exp(-1 / 0.5907),
    "gamma_D": 0.5068,
    "gamma_N": 0.3439,
    "gamma_post": 0.5907,
}
FULL = dict.fromkeys(("bits_weights", "bits_activations", "bits_cache"), precision.MANY_BITS)

PRECISION_POST = Law(
    name="precision_post",
    loss=loss,
    scales={**precision.PRECISION.scales, "gamma_post": {"bits_post": 1}},
    rescale=rescale,
    derived=derived,
    formula=precision.PRECISION.formula + "; plus C_T D^gamma_D / N^gamma_N exp(-bits_post / gamma_post)",
    units={**precision.PRECISION.units, "bits_post": USUAL_BITS},
    priors={
        **precision.PRIORS,
        "C_1": Prior("LogNormal", {"mu": log(0.005), "sigma": 1.0}, relative=True),
        "gamma_D": Prior("LogNormal", {"mu": log(0.4), "sigma": 0.4}),
        "gamma_N": Prior("LogNormal", {"mu": log(0.4), "sigma": 0.4}),
        "gamma_post": Prior("LogNormal", {"mu": log(0.6 / USUAL_BITS), "sigma": 0.4}),
    },
    meanings={
        **precision.PRECISION.meanings,
        "C_1": ("what quantising to one bit adds at N = D = 1", "R N^gamma_N / D^gamma_D"),
        "gamma_D": ("how fast the damage grows with D", "none"),
        "gamma_N": ("how fast the damage falls with N", "none"),
        "gamma_post": ("bits after training that bring the damage down by a factor e", "bits"),
    },
    published={SOURCE: VALUES},
    decreasing=("N", "bits_weights", "bits_activations", "bits_cache", "bits_post"),
    # Not printed anywhere: worked out with decimals of 40 digits.
    examples=(
        Example(SOURCE, {"N": 220e6, "D": 26e9, **FULL, "bits_post": precision.MANY_BITS}, 3.196605075295717, 1e-12),
        Example(SOURCE, {"N": 220e6, "D": 26e9, **FULL, "bits_post": 4.0}, 3.214191207265078, 1e-12),
        Example(SOURCE, {"N": 30e6, "D": 26e9, **FULL, "bits_post": 4.0}, 3.755140427128932, 1e-12),
        Example(SOURCE, {"N": 220e6, "D": 1.5e9, **FULL, "bits_post": 4.0}, 3.581035764958432, 1e-12),
    ),
    cost=LOW_PRECISION,
    reference="Kumar et al. (2024), Eqs. 1 to 3 and Table 2, arXiv:2411.04330; N without embeddings",
    unverified=precision.UNVERIFIED,
)

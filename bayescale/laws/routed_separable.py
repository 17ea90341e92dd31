"""Loss of language models with routed experts where size and experts act apart: routed with c = 0."""

import numpy as np

from bayescale.laws.law import Law, Prior, Quantity
from bayescale.laws.routed import MEANINGS, PRIORS, saturating


def loss(
    active_N: Quantity,
    experts: Quantity,
    *,
    A: Quantity,
    a: Quantity,
    b: Quantity,
    E_start: Quantity,
    E_max: Quantity,
) -> Quantity:
    """Return ``10**(a log10(active_N) + b log10(x) + d)``, x the saturating count and ``A = 10**d``; see routed."""
    return A * 10 ** (a * np.log10(active_N) + b * np.log10(saturating(experts, E_start, E_max)))


def derived(*, A: Quantity, a: Quantity, b: Quantity, E_start: Quantity, E_max: Quantity) -> dict[str, Quantity]:
    """Return the paper's d."""
    del a, b, E_start, E_max
    return {"d": np.log10(A)}


ROUTED_SEPARABLE = Law(
    name="routed_separable",
    loss=loss,
    scales={"A": {"active_N": "-a"}},
    derived=derived,
    formula="10^(a log10 N + b log10 x + d), N active, 1/x = 1/(experts - 1 + 1/(1/E_start - 1/E_max)) + 1/E_max",
    units={"experts": 1.0},
    priors={name: prior for name, prior in PRIORS.items() if name not in ("b", "c")}
    | {"b": Prior("TruncatedNormal", {"mu": -0.04, "sigma": 0.04, "upper": 0.0})},
    meanings=MEANINGS,
    decreasing=("active_N", "experts"),
    reference="Clark et al. (2022), arXiv:2202.01169, without the product of size and experts",
)

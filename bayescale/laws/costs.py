"""What a run costs: the FLOP of training and serving, by the law that describes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bayescale.designs.grids import FLOPS_PER_TOKEN
from bayescale.laws import Law
from bayescale.tradeoffs.datastore import datastore_flops
from bayescale.tradeoffs.moe import expert_flops
from bayescale.tradeoffs.precision_tradeoffs import precision_flops
from bayescale.tradeoffs.serving import FLOPS_PER_SERVED_TOKEN

SERVING_PART = FLOPS_PER_SERVED_TOKEN / FLOPS_PER_TOKEN
"""A token served costs the forward third of what a training token costs, whatever the kind of model."""

type Columns = Mapping[str, float]


@dataclass(frozen=True)
class Cost:
    """FLOP of a run: ``per_token(N) * (D + served tokens / 3) + fixed``.

    Attributes
    ----------
    formula : str
        The training part in words.
    per_token : callable
        Takes N (any shape) and the further columns; returns the FLOP of one training token.
    fixed : callable
        Takes the further columns; returns the FLOP that neither N nor D change.
    """

    formula: str
    per_token: Callable[[np.ndarray, Columns], np.ndarray]
    fixed: Callable[[Columns], float] = lambda _: 0.0


def cost_of(law: Law) -> Cost:
    """Return what runs of a law cost: the law's own, or 6 FLOP per parameter and token."""
    return COSTS.get(law.name, DENSE)


def _bits(columns: Columns) -> float:
    """Return the bits that a product of weights and activations takes: those of the wider."""
    return max(columns["bits_weights"], columns["bits_activations"])


DENSE = Cost("6 N D", lambda N, _: FLOPS_PER_TOKEN * N)
LOW_PRECISION = Cost(
    "6 N D bits / 16, bits the wider of weights and activations",
    lambda N, columns: precision_flops(N, 1.0, _bits(columns)),
)

COSTS: Mapping[str, Cost] = {
    "moe_granular": Cost(
        "that of Krajewski et al. (2024), Eq. 10: active parameters and routing, 64 times as many in all experts",
        lambda N, columns: expert_flops(N, 1.0, columns["granularity"]),
    ),
    "datastore": Cost(
        "6 N D, and the embedding of the datastore",
        lambda N, _: FLOPS_PER_TOKEN * N,
        lambda columns: float(datastore_flops(0.0, 0.0, columns["datastore_tokens"])),
    ),
    "precision": LOW_PRECISION,
    "precision_post": LOW_PRECISION,
    "vocabulary": Cost(
        "6 (N + vocabulary width) D",
        lambda N, columns: FLOPS_PER_TOKEN * (N + columns["vocabulary"] * columns["width"]),
    ),
}
"""Of the laws whose runs cost something else than 6 N D."""

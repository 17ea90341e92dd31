"""Downstream error as an exponential of the loss."""

from math import exp, log

import numpy as np

from bayescale.laws.law import Example, Law, Prior, Quantity, Share


def error(loss: Quantity, *, epsilon: Quantity, learnt: Quantity, gamma: Quantity) -> Quantity:
    """Return ``epsilon * (1 - learnt * exp(-gamma (loss - 1)))``, the paper's ``epsilon - k exp(-gamma loss)``.

    ``epsilon`` is the error of a model that knows nothing, and ``learnt`` the part of it that is gone at a loss of
    one: of a typical run where losses are counted in those, of 1 nat at published scale, where it may exceed 1.
    """
    return epsilon * (1 - learnt * np.exp(-gamma * (loss - 1)))


def rescale(loss: Quantity, *, learnt: Quantity, gamma: Quantity, **_: Quantity) -> dict[str, Quantity]:
    """Return the part that is learnt for a loss in nats."""
    return {"learnt": learnt * np.exp(gamma * (1 - 1 / loss))}


def derived(*, epsilon: Quantity, learnt: Quantity, gamma: Quantity) -> dict[str, Quantity]:
    """Return the paper's k."""
    return {"k": epsilon * learnt * np.exp(gamma)}


def _at_one_nat(k: float, gamma: float, epsilon: float) -> dict[str, float]:
    return {"epsilon": epsilon, "learnt": k * exp(-gamma) / epsilon, "gamma": gamma}


GADRE = {  # k, gamma, epsilon, and the error at a loss of 3 nats
    "C4, 17 tasks": (2.0789, 0.75612, 0.84974, 0.634612),
    "RedPajama, 17 tasks": (2.2065, 0.71459, 0.85699, 0.598361),
    "RefinedWeb, 17 tasks": (2.2148, 0.70705, 0.86528, 0.599739),
    "C4, 46 tasks": (1.2885, 0.97216, 0.75895, 0.689211),
    "RedPajama, 46 tasks": (1.3229, 0.89071, 0.76085, 0.669431),
    "RefinedWeb, 46 tasks": (1.1281, 0.82152, 0.76768, 0.671739),
}
SOURCE = "Gadre et al. (2024), "

LOSS_TO_ERROR = Law(
    name="loss_to_error",
    loss=error,
    scales={"gamma": {"loss": -1}},
    rescale=rescale,
    derived=derived,
    formula="epsilon - k exp(-gamma loss)",
    priors={
        "epsilon": Share(1.0),
        "learnt": Prior("Beta", {"alpha": 1.5, "beta": 9.0}),
        "gamma": Prior("LogNormal", {"mu": log(0.7 * 3.0), "sigma": 0.3}),  # 0.7 per nat at a loss of 3 nats
    },
    meanings={
        "epsilon": ("error of a model that knows nothing", "R"),
        "learnt": ("part of epsilon that is gone at a loss of one; may exceed 1 at published scale", "none"),
        "gamma": ("how fast error rises with loss", "1 / nat"),
    },
    published={SOURCE + which: _at_one_nat(*values[:3]) for which, values in GADRE.items()},
    published_response="error",
    responses=("error",),
    examples=tuple(Example(SOURCE + which, {"loss": 3.0}, values[3]) for which, values in GADRE.items()),
    reference="Gadre et al. (2024), Eq. 5, arXiv:2403.08540; the loss is that of the same model",
    unverified="the published values are a refit of the authors' data by their recipe; they were compared with the "
    "paper's from memory",
)

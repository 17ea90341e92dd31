"""Loss of language models with routed experts, at one number of training tokens."""

from math import log

import numpy as np

from bayescale.laws.law import Example, Law, Prior, Quantity, Share


def saturating(experts: Quantity, E_start: Quantity, E_max: Quantity) -> Quantity:
    """Return the paper's saturating expert count: E_start for one expert, E_max for very many."""
    start = 1 / (1 / E_start - 1 / E_max)
    return 1 / (1 / (experts - 1 + start) + 1 / E_max)


def loss(
    active_N: Quantity,
    experts: Quantity,
    *,
    A: Quantity,
    a: Quantity,
    b: Quantity,
    c: Quantity,
    E_start: Quantity,
    E_max: Quantity,
) -> Quantity:
    """Return ``10**(a log10(active_N) + b log10(x) + c log10(active_N) log10(x) + d)``, x the saturating count.

    active_N are the parameters that work on each token, which is the size of the dense model; ``A = 10**d`` is the
    loss at ``active_N = x = 1``. Data do not enter: the law is for runs of one D.
    """
    size = np.log10(active_N)
    count = np.log10(saturating(experts, E_start, E_max))
    return A * 10 ** (a * size + b * count + c * size * count)


def rescale(active_N: Quantity, *, b: Quantity, c: Quantity, **_: Quantity) -> dict[str, Quantity]:
    """Return b for active_N counted in ones."""
    return {"b": b - c * np.log10(active_N)}


def derived(
    *, A: Quantity, a: Quantity, b: Quantity, c: Quantity, E_start: Quantity, E_max: Quantity
) -> dict[str, Quantity]:
    """Return the paper's d."""
    del a, b, c, E_start, E_max
    return {"d": np.log10(A)}


def _clark(*, a: float, b: float, c: float, d: float, E_start: float, E_max: float) -> dict[str, float]:
    return {"A": 10**d, "a": a, "b": b, "c": c, "E_start": E_start, "E_max": E_max}


S_BASE, RL_R, HASH = (f"Clark et al. (2022), {router}" for router in ("S-Base", "RL-R", "Hash"))

PRIORS: dict[str, Prior | Share] = {
    "A": Share(1.0),
    "a": Prior("TruncatedNormal", {"mu": -0.08, "sigma": 0.03, "upper": 0.0}),
    "b": Prior("Normal", {"mu": -0.04, "sigma": 0.04}),  # of a typical size, where c has done most of its work
    "c": Prior("Normal", {"mu": 0.0, "sigma": 0.02}),
    "E_start": Prior("LogNormal", {"mu": log(2.0), "sigma": 0.5}),
    "E_max": Prior("LogNormal", {"mu": log(400.0), "sigma": 0.7}),
}

MEANINGS = {
    "A": ("10^d: the response at one active parameter and x = 1", "R"),
    "a": ("slope on the log of active parameters", "none"),
    "b": ("slope on the log of the saturating count of experts", "none"),
    "E_start": ("what the saturating count x is for one expert: a dense model", "experts"),
    "E_max": ("what x tends to with very many experts", "experts"),
}

ROUTED = Law(
    name="routed",
    loss=loss,
    scales={"A": {"active_N": "-a"}},
    rescale=rescale,
    derived=derived,
    formula="10^(a log10 N + b log10 x + c log10 N log10 x + d), N active, "
    "1/x = 1/(experts - 1 + 1/(1/E_start - 1/E_max)) + 1/E_max",
    units={"experts": 1.0},
    priors=PRIORS,
    meanings={**MEANINGS, "c": ("how both slopes change together", "none")},
    published={
        S_BASE: _clark(a=-0.082, b=-0.108, c=0.009, d=1.104, E_start=1.847, E_max=314.478),
        RL_R: _clark(a=-0.083, b=-0.126, c=0.012, d=1.111, E_start=1.880, E_max=469.982),
        HASH: _clark(a=-0.087, b=-0.136, c=0.012, d=1.157, E_start=4.175, E_max=477.741),
    },
    examples=(
        Example(S_BASE, {"active_N": 25e6, "experts": 1.0}, 3.06431, 5e-6),
        Example(S_BASE, {"active_N": 25e6, "experts": 64.0}, 2.66497, 5e-6),
        Example(S_BASE, {"active_N": 370e6, "experts": 128.0}, 2.19200, 5e-6),
        Example(HASH, {"active_N": 1.3e9, "experts": 512.0}, 1.99674, 5e-6),
        # Not printed anywhere: worked out with decimals of 40 digits.
        Example(RL_R, {"active_N": 25e6, "experts": 64.0}, 2.701497483434464, 1e-12),
    ),
    reference="Clark et al. (2022), arXiv:2202.01169; runs of 130 billion tokens",
    unverified="the published values are from memory; a refit of the released losses agrees with them to about their "
    "rounding, which costs up to 0.006 in log10 of the loss",
)

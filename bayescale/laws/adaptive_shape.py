"""Loss or error of one shape of a model (a width, a patch size) as a shifted power of compute."""

from math import log

from bayescale.laws.law import Example, Law, Prior, Quantity, Share


def loss(C: Quantity, *, a: Quantity, b: Quantity, c: Quantity, d: Quantity) -> Quantity:
    """Return ``a * (C + d)**-b + c``; d keeps it finite without any compute. One fit describes one shape."""
    return a / (C + d) ** b + c


EXAFLOP = 1e18


def _shape(a: float, b: float, c: float, d: float) -> dict[str, float]:
    """Return made-up parameters, given for C in exaFLOP, for C in FLOP."""
    return {"a": a * EXAFLOP**b, "b": b, "c": c, "d": d * EXAFLOP}


PATCH_32 = _shape(a=0.60, b=0.33, c=0.18, d=0.02)
PATCH_16 = _shape(a=0.90, b=0.36, c=0.12, d=0.30)
"""Made-up parameters of two shapes, for examples and tests: the first learns faster, the second gets further."""

ADAPTIVE_SHAPE = Law(
    name="adaptive_shape",
    loss=loss,
    scales={"a": {"C": "b"}, "d": {"C": 1}},
    formula="a (C + d)^-b + c",
    priors={
        "c": Share(2.0),
        "a": Share(3.0),
        "b": Prior("LogNormal", {"mu": log(0.35), "sigma": 0.4}),
        # In units of the typical compute: it bends the curve only where runs are nearly that small.
        "d": Prior("LogNormal", {"mu": log(0.03), "sigma": 1.5}),
    },
    meanings={
        "a": ("what compute removes, at C + d = 1 FLOP", "R C^b"),
        "b": ("how fast the response falls with compute", "none"),
        "c": ("what no compute gets below", "R"),
        "d": ("compute that the curve is shifted by, so that it is finite at C = 0", "C"),
    },
    responses=("error", "loss"),
    decreasing=("C",),
    floor="c",
    examples=tuple(
        Example("", {"C": compute * EXAFLOP}, value, parameters=shape)
        for shape, values in ((PATCH_32, (0.776092, 0.460456, 0.311257)), (PATCH_16, (0.938885, 0.508706, 0.291307)))
        for compute, value in zip((1.0, 10.0, 100.0), values, strict=True)
    ),
    reference="Anagnostidis et al. (2024), arXiv:2311.03233; form as in Zhai et al. (2022), arXiv:2106.04560",
    unverified="The form was taken from the work it follows; the paper's own notation and constants were not read.",
)

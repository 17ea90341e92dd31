"""Meanings that parameters of several laws share, for laws to refer to by name."""

NONE = "none"
"""The unit of a pure number, such as an exponent."""

COMMON = {
    "E": ("what no size, data or compute gets below", "R"),
    "L_inf": ("what no size, data or time gets below", "R"),
    "L_0": ("what no amount of training gets below", "R"),
    "eps_inf": ("what no amount of data gets below", "R"),
    "A": ("what the term of size adds at N = 1", "R N^alpha"),
    "B": ("what the term of data adds at D = 1", "R D^beta"),
    "K": ("what the term of compute adds at C = 1", "R C^gamma"),
    "alpha": ("how fast the term of size falls with N", NONE),
    "beta": ("how fast the term of data falls with D", NONE),
    "gamma": ("how fast loss falls with compute", NONE),
    "alpha_N": ("how fast the term of size falls with N", NONE),
    "alpha_D": ("how fast the term of data falls with D", NONE),
    "c": ("how fast it falls with D", NONE),
}
"""What a parameter of this name usually is, and its unit at published scale, where R is the unit of the response."""


def common(*names: str) -> dict[str, tuple[str, str]]:
    """Return the usual meanings of parameters, for a law in which they have no other."""
    return {name: COMMON[name] for name in names}

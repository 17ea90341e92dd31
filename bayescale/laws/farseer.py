"""Loss whose data exponent and data amplitude depend on model size."""

from math import exp, log

import numpy as np

from bayescale.laws.law import Example, Law, Prior, Quantity, Share


def curve(log_size: Quantity, slope: Quantity, power: Quantity) -> Quantity:
    """Return ``slope * (exp(power * log_size) - 1) / power``: a line in log_size that bends."""
    return slope * np.expm1(power * log_size) / power


def loss(
    N: Quantity,
    D: Quantity,
    *,
    floor: Quantity,
    amplitude: Quantity,
    exponent: Quantity,
    floor_slope: Quantity,
    amplitude_slope: Quantity,
    exponent_slope: Quantity,
    q: Quantity,
    b: Quantity,
    a: Quantity,
    N_0: Quantity,
    D_0: Quantity,
) -> Quantity:
    """Return ``floor(N) + amplitude(N) / (D / D_0)**exponent(N)``.

    Each of the three is its value at ``N = N_0`` times the exponential of a curve in ``ln(N / N_0)`` with a slope
    there and a power by which it bends (q, b and a). The paper's
    ``exp(s N**q + S) + exp(B N**b + Q) / D**exp(A N**a + E)`` is this with ``D_0 = 1``. N_0 and D_0 say where the
    other numbers are stated and are not learnt: their prior keeps them at the table's typical run.
    """
    size = np.log(N / N_0)
    lowest = floor * np.exp(curve(size, floor_slope, q))
    added = amplitude * np.exp(curve(size, amplitude_slope, b))
    return lowest + added / (D / D_0) ** (exponent * np.exp(curve(size, exponent_slope, a)))


def derived(
    *,
    floor: Quantity,
    amplitude: Quantity,
    exponent: Quantity,
    floor_slope: Quantity,
    amplitude_slope: Quantity,
    exponent_slope: Quantity,
    q: Quantity,
    b: Quantity,
    a: Quantity,
    N_0: Quantity,
    D_0: Quantity,
) -> dict[str, Quantity]:
    """Return the paper's coefficients; B and Q are for tokens counted in D_0."""
    del D_0
    return {
        "s": floor_slope / q / N_0**q,
        "S": np.log(floor) - floor_slope / q,
        "B": amplitude_slope / b / N_0**b,
        "Q": np.log(amplitude) - amplitude_slope / b,
        "A": exponent_slope / a / N_0**a,
        "E": np.log(exponent) - exponent_slope / a,
    }


def _stated_at(
    N_0: float,
    *,
    s: float,
    q: float,
    S: float,
    B: float,
    b: float,
    Q: float,
    A: float,
    a: float,
    E: float,
) -> dict[str, float]:
    """Return the paper's coefficients as values and slopes at N_0 and one token."""
    return {
        "floor": exp(s * N_0**q + S),
        "amplitude": exp(B * N_0**b + Q),
        "exponent": exp(A * N_0**a + E),
        "floor_slope": s * q * N_0**q,
        "amplitude_slope": B * b * N_0**b,
        "exponent_slope": A * a * N_0**a,
        "q": q,
        "b": b,
        "a": a,
        "N_0": N_0,
        "D_0": 1.0,
    }


SOURCE = "Li et al. (2025)"

FARSEER = Law(
    name="farseer",
    loss=loss,
    scales={"N_0": {"N": 1}, "D_0": {"D": 1}},
    derived=derived,
    formula="exp(s N^q + S) + exp(B N^b + Q) D^-exp(A N^a + E)",
    priors={
        "floor": Share(4.0),
        "amplitude": Share(3.0),
        "exponent": Prior("LogNormal", {"mu": log(0.3), "sigma": 0.4}),
        "floor_slope": Prior("Normal", {"mu": -0.1, "sigma": 0.1}),
        "amplitude_slope": Prior("Normal", {"mu": 0.0, "sigma": 0.3}),
        "exponent_slope": Prior("Normal", {"mu": 0.0, "sigma": 0.15}),
        "q": Prior("Normal", {"mu": 0.0, "sigma": 0.2}),
        "b": Prior("Normal", {"mu": 0.0, "sigma": 0.2}),
        "a": Prior("Normal", {"mu": 0.0, "sigma": 0.2}),
        "N_0": Prior("LogNormal", {"mu": 0.0, "sigma": 0.05}),
        "D_0": Prior("LogNormal", {"mu": 0.0, "sigma": 0.05}),
    },
    meanings={
        "floor": ("what no amount of data gets below, at N = N_0", "R"),
        "amplitude": ("what is added to it at N = N_0 and D = D_0", "R"),
        "exponent": ("how fast that falls with D, at N = N_0", "none"),
        "floor_slope": ("slope of ln floor on ln N at N_0", "none"),
        "amplitude_slope": ("slope of ln amplitude on ln N at N_0", "none"),
        "exponent_slope": ("slope of ln exponent on ln N at N_0", "none"),
        "q": ("how the floor's slope bends", "none"),
        "b": ("how the amplitude's slope bends", "none"),
        "a": ("how the exponent's slope bends", "none"),
        "N_0": ("size at which the others are stated; not learnt", "N"),
        "D_0": ("data at which the others are stated; not learnt", "D"),
    },
    published={
        SOURCE: _stated_at(
            1e9,
            s=-0.062465473,
            q=0.13,
            S=0.1284880679,
            B=230.7343708,
            b=-0.1729,
            Q=-1.544209554,
            A=-1.665630816,
            a=0.0459,
            E=3.133347199,
        )
    },
    decreasing=("D",),
    examples=tuple(
        Example(SOURCE, {"N": N, "D": D}, value, 5e-9)
        for N, D, value in (
            (2e8, 1e10, 0.60420531),
            (1e9, 2e10, 0.53940864),
            (1e9, 1e11, 0.50502859),
            (7e9, 2e11, 0.44468131),
        )
    ),
    reference="Li et al. (2025), arXiv:2506.10972; for N of at least 1e8",
)

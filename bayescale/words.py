"""Numbers and names as people read them: one function for each kind, used by errors, notes, tables and the report."""

import math
import re
from collections.abc import Mapping
from typing import Any

UNITS = ((1e15, "Q"), (1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that steer a terminal or turn the direction of writing, and halves of characters."""

LONGEST = 200
"""Characters of a name or cell that a message shows."""


def clean(text: str) -> str:
    """Return text with what could steer a terminal, or cannot be written, as its number."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shortened(text: str, most: int = LONGEST) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= most else f"{text[:most]}..."


def capital(text: str) -> str:
    """Return the beginning of a sentence with a capital letter."""
    return text[:1].upper() + text[1:]


def short(value: float, digits: int = 2) -> str:
    """Return a number with so many significant digits, 45, 0.36, 2.0; very large or small as :func:`typed`, 8e19."""
    rounded = float(f"{value:.{digits - 1}e}")
    if rounded == 0 or 1e-3 <= abs(rounded) < 1e5:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0
        return f"{rounded:.{decimals}f}"
    return typed(rounded, digits)


def typed(value: float, digits: int = 3) -> str:
    """Return a number as people type it, FLOP above all: 5.76e23, 1e21, 0.05, 1500."""
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    if exponent and 1e-4 < abs(value) < 1e5:
        return f"{float(mantissa) * 10.0 ** int(exponent):.12g}"
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def count_text(value: float, digits: int = 3) -> str:
    """Return a count of parameters or tokens with its unit: 86.8B, 1.11T, 400M."""
    for unit, letter in UNITS:
        if value >= unit * (1 - 0.5 * 10**-digits):
            return f"{_bare(value / unit, digits)}{letter}"
    return _bare(value, digits)


def percent(part: float, digits: int = 3) -> str:
    """Return a part of one as a percentage: 90%, 5%, 91.8%."""
    return f"{typed(100 * part, digits)}%"


def chance(value: float) -> str:
    """Return a probability, or a weight among weights that sum to one: 0.93."""
    return f"{value:.2f}"


def odds(probability: float) -> str:
    """Return a probability, never as certain: 0.97, above 0.99, below 0.01."""
    if probability >= 0.995:
        return "above 0.99"
    return "below 0.01" if probability <= 0.005 else chance(probability)


def nats(value: float) -> str:
    """Return a sum of log predictive densities, which means nothing beyond one decimal: 12.3."""
    return f"{value:.1f}"


def _bare(value: float, digits: int) -> str:
    """Return a number without zeros at its end."""
    text = short(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def safe_sizes(near: Mapping[str, Any], recommended: Mapping[str, float], digits: int = 2) -> str:
    """Return which sizes cost little extra compute with what probability, or what the recommended one costs.

    Parameters
    ----------
    near : mapping
        ``tolerance``, ``probability`` and the ends ``N``, None where no size costs so little.
    recommended : mapping
        ``N``, and its ``extra_compute`` and ``extra_compute_95`` as parts of the budget.
    digits : int
        Of the sizes.
    """
    part, sure = percent(near["tolerance"]), percent(near["probability"])
    if near["N"] is not None:
        low, high = (count_text(end, digits) for end in near["N"])
        return f"any size from {low} to {high} costs less than {part} extra compute with {sure} probability"
    costs = (percent(recommended[name], 2) for name in ("extra_compute", "extra_compute_95"))
    return (
        f"no size is safe to {part} extra compute with {sure} probability; {count_text(recommended['N'], digits)} "
        f"costs {' in the median, '.join(costs)} at the 95% point"
    )

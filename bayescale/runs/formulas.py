"""What a canonical name is mapped to: a header, or a product of headers and numbers such as ``C/6N``."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?")
Vector = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Formula:
    """A product of columns and a number.

    Attributes
    ----------
    text : str
        As written.
    factor : float
        The number.
    above, below : tuple of str
        Headers that are multiplied, and those that are divided by.
    """

    text: str
    factor: float
    above: tuple[str, ...]
    below: tuple[str, ...] = ()

    @property
    def single(self) -> bool:
        """Whether it is one column, times a number."""
        return len(self.above) == 1 and not self.below

    def value(self, columns: Mapping[str, Vector]) -> Vector:
        """Return the product of the columns (run,)."""
        top = math.prod((columns[name] for name in self.above), start=np.float64(self.factor))
        bottom = math.prod((columns[name] for name in self.below), start=np.float64(1.0))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.asarray(top / bottom)


def parse_formula(text: str, headers: Sequence[str], meant: Mapping[str, str]) -> Formula | None:
    """Read ``Model Size (M) * 1e6``, ``steps*batch`` or ``C/6N``; None where a name or a sign is not known.

    Parameters
    ----------
    text : str
        Headers as they are in the table, names such as C and N, and numbers, joined by ``*`` and ``/``. A number
        before a name multiplies it, as in ``6N``, ahead of ``/``. A minus before a number changes the sign, as in
        ``log_likelihood * -1``.
    headers : sequence of str
        The headers there are.
    meant : mapping of str to str
        Canonical name to its header.
    """
    names = sorted({*headers, *meant}, key=len, reverse=True)
    factor, sides, rest, sign = 1.0, {"*": list[str](), "/": list[str]()}, text.strip(), "*"
    while True:
        number = NUMBER.match(rest)
        name = next((each for each in names if _begins(rest, each)), None)
        if name is None and number is None:
            return None
        if name is None and number is not None:
            factor = factor * float(number[0]) if sign == "*" else factor / float(number[0])
            rest = rest[number.end() :].lstrip()
            name = next((each for each in names if _begins(rest, each)), None)
        if name is not None:
            sides[sign].append(name if name in headers else meant[name])
            rest = rest[len(name) :].lstrip()
        if not rest:
            break
        sign, rest = rest[0], rest[1:].lstrip()
        if sign not in sides or not rest:
            return None
    if not sides["*"] or not math.isfinite(factor) or factor == 0:
        return None
    return Formula(text, factor, tuple(sides["*"]), tuple(sides["/"]))


def _begins(text: str, name: str) -> bool:
    """Tell whether a text begins with a whole name."""
    return text.startswith(name) and re.match(r"\s*(?:[*/]|$)", text[len(name) :]) is not None

"""A law's formula as JavaScript, found by calling the formula itself with names in place of numbers."""

from typing import Any

import numpy as np

from bayescale.laws import Law

FUNCTIONS = {
    np.exp: "exp",
    np.log: "log",
    np.log10: "log10",
    np.log1p: "log1p",
    np.expm1: "expm1",
    np.sqrt: "sqrt",
    np.tanh: "tanh",
    np.absolute: "abs",
    np.maximum: "max",
    np.minimum: "min",
}
"""NumPy's functions by their names in JavaScript's ``Math``."""

OPERATORS = {np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/"}


class Tape:
    """The steps of a calculation in JavaScript, in order; a step that was taken before is not taken again.

    Attributes
    ----------
    steps : dict of str to str
        Name of the result by its expression.
    """

    def __init__(self) -> None:
        self.steps: dict[str, str] = {}

    def name(self, expression: str) -> str:
        """Return the name of what an expression gives."""
        return self.steps.setdefault(expression, f"t{len(self.steps)}")

    def body(self, result: str) -> str:
        """Return the steps as the body of a function."""
        lines = [f"const {name} = {expression};" for expression, name in self.steps.items()]
        return " ".join([*lines, f"return {result};"])


class Traced:
    """A number that is not known yet: what is done to it is written down as JavaScript.

    Attributes
    ----------
    text : str
        Its name.
    tape : Tape
        Where the steps are written.
    log : str or None
        Its logarithm, where the page has it at hand: a power of it is then an exponential, which is much quicker.
    """

    def __init__(self, text: str, tape: Tape, log: str | None = None) -> None:
        self.text = text
        self.tape = tape
        self.log = log

    def step(self, expression: str) -> "Traced":
        """Return the result of an expression of this number."""
        return Traced(self.tape.name(expression), self.tape)

    def joined(self, operator: str, left: object, right: object) -> "Traced":
        """Return two numbers, of which this is one, joined by an operator."""
        return self.step(f"{_written(left)} {operator} {_written(right)}")

    def called(self, function: str, *inputs: object) -> "Traced":
        """Return a function of numbers, of which this is one."""
        return self.step(f"Math.{function}({', '.join(_written(value) for value in inputs)})")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: object, **options: object) -> Any:  # noqa: ANN401
        """Write one of NumPy's functions of this, or refuse what has no twin."""
        if method != "__call__" or options:
            return NotImplemented
        if ufunc in OPERATORS:
            return self.joined(OPERATORS[ufunc], *inputs)
        if ufunc is np.log and self.log:
            return Traced(self.log, self.tape)
        if ufunc is np.power:
            return _power(*inputs)
        if ufunc in FUNCTIONS:
            return self.called(FUNCTIONS[ufunc], *inputs)
        return NotImplemented

    def __add__(self, other: object) -> "Traced":
        return self.joined("+", self, other)

    def __radd__(self, other: object) -> "Traced":
        return self.joined("+", other, self)

    def __sub__(self, other: object) -> "Traced":
        return self.joined("-", self, other)

    def __rsub__(self, other: object) -> "Traced":
        return self.joined("-", other, self)

    def __mul__(self, other: object) -> "Traced":
        return self.joined("*", self, other)

    def __rmul__(self, other: object) -> "Traced":
        return self.joined("*", other, self)

    def __truediv__(self, other: object) -> "Traced":
        return self.joined("/", self, other)

    def __rtruediv__(self, other: object) -> "Traced":
        return self.joined("/", other, self)

    def __pow__(self, other: object) -> "Traced":
        return _power(self, other)

    def __rpow__(self, other: object) -> "Traced":
        return _power(other, self)

    def __neg__(self) -> "Traced":
        return self.step(f"-{self.text}")

    def __abs__(self) -> "Traced":
        return self.called("abs", self)

    def __bool__(self) -> bool:
        raise TypeError("a formula that asks whether a number is true has no twin")


def _written(value: object) -> str:
    if isinstance(value, Traced):
        return value.text
    number = float(value)  # type: ignore[arg-type]
    if not np.isfinite(number):
        raise TypeError(f"{number} has no twin")
    return repr(number) if number >= 0 else f"({number!r})"


def _power(base: object, exponent: object) -> Traced:
    if isinstance(base, Traced) and base.log:
        return base.step(f"Math.exp({_written(exponent)} * {base.log})")
    either = base if isinstance(base, Traced) else exponent
    assert isinstance(either, Traced)
    return either.called("pow", base, exponent)


def javascript(law: Law) -> str | None:
    """Return a law's formula as the body of a JavaScript function, or None where it has none.

    Parameters
    ----------
    law : Law
        A law of any covariates.

    Returns
    -------
    str or None
        Of the covariates over their reference values, their logs (``ln_N``) and ``p.NAME[i]`` for parameters; None for
        a formula that branches or uses functions that are not element-wise ones of NumPy.
    """
    tape = Tape()
    covariates = [Traced(name, tape, log=f"ln_{name}") for name in law.covariates]
    parameters: dict[str, Any] = {name: Traced(tape.name(f"p.{name}[i]"), tape) for name in law.parameters}
    try:
        found = law.loss(*covariates, **parameters)
    except (TypeError, ValueError, AttributeError):
        return None
    return tape.body(found.text) if isinstance(found, Traced) else None

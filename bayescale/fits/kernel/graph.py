"""Calculations written down as graphs, and their derivatives."""

import functools
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

type Number = Node | float

FUNCTIONS = {
    np.exp: "exp",
    np.log: "log",
    np.log1p: "log1p",
    np.expm1: "expm1",
    np.sqrt: "sqrt",
    np.tanh: "tanh",
    np.absolute: "abs",
    np.negative: "neg",
    np.add: "add",
    np.subtract: "sub",
    np.multiply: "mul",
    np.divide: "div",
    np.maximum: "max",
    np.minimum: "min",
}
"""NumPy's functions by the operations that they are."""

WHOLE_POWERS = 4
"""Up to this whole power, a number is multiplied with itself."""

DIGAMMA_STEPS = 10
DIGAMMA_SERIES = (-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760, -1 / 12)
"""Coefficients of digamma's asymptotic series in 1 / x**2 (Abramowitz and Stegun 1964, 6.3.18), for x from
``DIGAMMA_STEPS`` up, where it is exact to rounding."""


class Node:
    """A number that is not known yet: what is done to it is written down.

    Attributes
    ----------
    graph : Graph
        Where it is written.
    place : int
        Its place there; a node stands behind all that it is made of.
    operation : str
        What it is: ``number``, ``data``, ``column``, ``free``, ``sum`` or an operation.
    inputs : tuple
        The nodes it is made of; of a number its value, of data, a column or a free variable its name.
    by_row : bool
        Whether it has a value for every row.
    varies : bool
        Whether it depends on free variables.
    """

    __slots__ = ("by_row", "graph", "inputs", "operation", "place", "varies")

    def __init__(self, graph: "Graph", place: int, operation: str, inputs: tuple[Any, ...]) -> None:
        nodes: list[Node] = [each for each in inputs if isinstance(each, Node)]
        self.graph, self.place, self.operation, self.inputs = graph, place, operation, inputs
        self.by_row: bool = operation == "column" or (operation != "sum" and any(each.by_row for each in nodes))
        self.varies: bool = operation == "free" or any(each.varies for each in nodes)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: object, **options: object) -> Any:  # noqa: ANN401
        """Write down one of NumPy's functions, or refuse one that has no derivative here."""
        if method != "__call__" or options:
            return NotImplemented
        if ufunc is np.log10:
            return self.graph.do("log", *inputs) * (1 / math.log(10))
        if ufunc is np.power:
            return power(self.graph, *inputs)
        return self.graph.do(FUNCTIONS[ufunc], *inputs) if ufunc in FUNCTIONS else NotImplemented

    def __add__(self, other: Number) -> "Node":
        return self.graph.do("add", self, other)

    def __radd__(self, other: Number) -> "Node":
        return self.graph.do("add", other, self)

    def __sub__(self, other: Number) -> "Node":
        return self.graph.do("sub", self, other)

    def __rsub__(self, other: Number) -> "Node":
        return self.graph.do("sub", other, self)

    def __mul__(self, other: Number) -> "Node":
        return self.graph.do("mul", self, other)

    def __rmul__(self, other: Number) -> "Node":
        return self.graph.do("mul", other, self)

    def __truediv__(self, other: Number) -> "Node":
        return self.graph.do("div", self, other)

    def __rtruediv__(self, other: Number) -> "Node":
        return self.graph.do("div", other, self)

    def __pow__(self, other: Number) -> "Node":
        return power(self.graph, self, other)

    def __rpow__(self, other: Number) -> "Node":
        return power(self.graph, other, self)

    def __neg__(self) -> "Node":
        return self.graph.do("neg", self)

    def __abs__(self) -> "Node":
        return self.graph.do("abs", self)

    def __bool__(self) -> bool:
        raise TypeError("a formula that asks whether a number is true cannot be written down")


class Graph:
    """Steps of a calculation in their order; a step that was taken before is not taken again.

    Attributes
    ----------
    nodes : list of Node
        All of them.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[tuple[Any, ...], Node] = {}

    def input(self, kind: str, name: str) -> Node:
        """Return data of the table (``data``), one of its columns (``column``), or a variable (``free``)."""
        return self._node(kind, (name,))

    def number(self, value: object) -> Node:
        """Return a number as a node."""
        return value if isinstance(value, Node) else self._node("number", (float(value),))  # type: ignore[arg-type]

    def do(self, operation: str, *inputs: object) -> Node:
        """Return the node of an operation, or a simpler one of the same value."""
        nodes = tuple(self.number(each) for each in inputs)
        simple = _simpler(operation, *nodes)
        return self._node(operation, nodes) if simple is None else simple

    def total(self, node: Node) -> Node:
        """Return the sum over rows."""
        return self._node("sum", (node,))

    def _node(self, operation: str, inputs: tuple[Any, ...]) -> Node:
        key = (operation, *(each.place if isinstance(each, Node) else repr(each) for each in inputs))
        if key not in self._known:
            self._known[key] = Node(self, len(self.nodes), operation, inputs)
            self.nodes.append(self._known[key])
        return self._known[key]


def _simpler(operation: str, left: Node, right: Node | None = None) -> Node | None:
    """Return what needs no operation: plus or minus nothing, times or over one."""
    if operation == "neg" and left.operation == "neg":
        return left.inputs[0]  # type: ignore[no-any-return]
    neutral = {"add": 0.0, "sub": 0.0, "mul": 1.0, "div": 1.0}.get(operation)
    if right is None or neutral is None:
        return None
    if _is(right, neutral):
        return left
    return right if operation in ("add", "mul") and _is(left, neutral) else None


def _is(node: Node, value: float) -> bool:
    return node.operation == "number" and node.inputs[0] == value


def power(graph: Graph, base: object, exponent: object) -> Node:
    """Return a power; of a fixed exponent by the C library, otherwise by logarithms, with nothing to any power as 0."""
    low, high = graph.number(base), graph.number(exponent)
    if high.operation != "number":
        return graph.do("power", graph.do("log", low), high)
    value = high.inputs[0]
    if value in range(1, WHOLE_POWERS + 1):
        return functools.reduce(operator.mul, [low] * int(value))
    return graph.do("sqrt", low) if value == 0.5 else graph.do("fixed_power", low, high)


def digamma(x: Node) -> Node:
    """Return the derivative of the log of the gamma function, of an argument above zero."""
    graph, shifted, found = x.graph, x, x.graph.number(0.0)
    for _ in range(DIGAMMA_STEPS):
        found, shifted = found - 1 / shifted, shifted + 1.0
    square, series = 1 / (shifted * shifted), graph.number(0.0)
    for coefficient in reversed(DIGAMMA_SERIES):
        series = (series + coefficient) * square
    return found + graph.do("log", shifted) - 0.5 / shifted + series


def _slopes(node: Node) -> tuple[Node, ...]:
    """Return the derivative of a node by each of its inputs."""
    graph = node.graph
    found = OF_ONE[node.operation](node, *node.inputs) if len(node.inputs) == 1 else OF_TWO[node.operation](node)
    return tuple(map(graph.number, found if isinstance(found, tuple) else (found,)))


def _of_product(node: Node) -> tuple[Number, Number]:
    return node.inputs[1], node.inputs[0]


def _of_quotient(node: Node) -> tuple[Number, Number]:
    return 1 / node.inputs[1], -node / node.inputs[1]


def _of_power(node: Node) -> tuple[Number, Number]:
    """By the logarithm of the base, which is what the graph has, and by the exponent."""
    log_base, exponent = node.inputs
    return node * exponent, node.graph.do("product", node, log_base)


def _of_fixed_power(node: Node) -> tuple[Number, Number]:
    base, exponent = node.inputs[0], node.inputs[1].inputs[0]
    return exponent * power(node.graph, base, exponent - 1.0), 0.0


def _of_max(node: Node) -> tuple[Number, Number]:
    first = node.graph.do("at_least", *node.inputs)
    return first, 1 - first


def _of_min(node: Node) -> tuple[Number, Number]:
    second = node.graph.do("at_least", *node.inputs)
    return 1 - second, second


OF_ONE: Mapping[str, Callable[[Node, Node], Number]] = {
    "neg": lambda _, __: -1.0,
    "exp": lambda value, _: value,
    "log": lambda _, x: 1 / x,
    "log1p": lambda _, x: 1 / (1 + x),
    "expm1": lambda value, _: value + 1,
    "sqrt": lambda value, _: 0.5 / value,
    "tanh": lambda value, _: 1 - value * value,
    "abs": lambda value, x: value.graph.do("sign", x),
    "erfc": lambda value, x: -2 / math.sqrt(math.pi) * value.graph.do("exp", -(x * x)),
    "lgamma": lambda _, x: digamma(x),
    "sum": lambda _, __: 1.0,
}
"""Derivatives of functions of one number, from the value and the number."""

OF_TWO: Mapping[str, Callable[[Node], tuple[Number, Number]]] = {
    "add": lambda _: (1.0, 1.0),
    "sub": lambda _: (1.0, -1.0),
    "mul": _of_product,
    "div": _of_quotient,
    "power": _of_power,
    "fixed_power": _of_fixed_power,
    "max": _of_max,
    "min": _of_min,
}
"""Derivatives of operations on two numbers, by each of them."""


def gradient(value: Node, variables: Iterable[Node]) -> list[Node]:
    """Return the derivative of a node by each variable, in one sweep backwards (one node each)."""
    graph = value.graph
    whole: dict[int, Node] = {value.place: graph.number(1.0)}
    parts: dict[int, Node] = {}
    """What comes from single rows, still to be summed."""
    for node in reversed(graph.nodes[: value.place + 1]):
        adjoint = _collected(node, whole, parts)
        if adjoint is None or not node.varies or node.operation == "free":
            continue
        for each, slope in zip(node.inputs, _slopes(node), strict=True):
            if each.varies:
                share = adjoint * slope
                into = parts if share.by_row and not each.by_row else whole
                into[each.place] = into[each.place] + share if each.place in into else share
    return [whole.get(each.place, graph.number(0.0)) for each in variables]


def _collected(node: Node, whole: dict[int, Node], parts: Mapping[int, Node]) -> Node | None:
    """Return all that has come to a node, that of rows summed."""
    if node.place in parts:
        total = node.graph.total(parts[node.place])
        whole[node.place] = whole[node.place] + total if node.place in whole else total
    return whole.get(node.place)

"""Conditions over the columns of a table, such as ``10 <= D / N <= 40``: parsed and computed here, never evaluated.

A condition may come from a file of settings or a web form, so it can name columns, compare, calculate and join, and
nothing else: no calls, no attributes, no powers, no names from elsewhere.
"""

import ast
import functools
import operator
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.runs.numerals import cell_text

LONGEST = 2000
"""Characters of the longest condition that is read."""

DEEPEST = 300
"""Levels of parts within one another that are read; Python would stop at some depth of its own, or crash."""

TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]+`|[&|]""")
"""Text in quotes, a name in backquotes, or a sign that stands for a word."""

SIGNS = {"&": " and ", "|": " or "}

NUMBER, TEXT, TRUTH = "a number", "text", "true or false"

type Plain = float | str | bool
type Column = np.ndarray
type Operand = Plain | Column

COMPARISONS: dict[type[ast.cmpop], Callable[[Operand, Operand], Operand]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
ARITHMETIC: dict[type[ast.operator], np.ufunc] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
}


class ConditionError(ValueError):
    """A condition that cannot be read, or not of these columns; the message says where and why."""


@dataclass(frozen=True)
class _Written:
    """A condition as Python's grammar has it, and where each of its characters was written."""

    text: str
    names: dict[str, str]  # what stands in the text for a name in backquotes -> the name
    origins: tuple[int, ...]

    def place(self, node: ast.expr) -> str:
        """Say where a part of the condition was written."""
        line = self.text.encode()
        before = len(line[: node.col_offset].decode(errors="ignore"))
        return f"at character {self.origins[min(before, len(self.origins) - 1)] + 1}"


def rows_where(frame: pd.DataFrame, condition: str) -> np.ndarray:
    """Return for each row whether a condition holds (row,).

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    condition : str
        Columns by name (in backquotes where the name is no plain word), numbers, text in quotes, ``+ - * / // %``,
        comparisons, also chained, ``in`` and ``not in`` with a list, and ``and``, ``or``, ``not`` (or ``& | ~``).

    Raises
    ------
    ConditionError
        If the condition has anything else in it, is not of these columns, or is no yes-or-no question of each row.
    """
    written = _written(condition)
    try:
        tree = _parsed(written)
        _check_depth(tree)
        with np.errstate(all="ignore"):
            found = _Reading(frame, written).value(tree)
    except RecursionError:
        raise ConditionError("too many parts stand within one another") from None
    if not isinstance(found, np.ndarray) or found.dtype != bool:
        raise ConditionError("it is true or false of no row")
    return found


def _check_depth(tree: ast.AST) -> None:
    """Raise ConditionError where parts stand too far within one another, whatever recursion Python allows."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise ConditionError("too many parts stand within one another")


def _written(condition: str) -> _Written:
    if len(condition) > LONGEST:
        raise ConditionError(f"it has {len(condition):,} characters; at most {LONGEST:,} are read")
    names: dict[str, str] = {}

    def stand_in(found: re.Match[str]) -> str:
        token = found[0]
        if not token.startswith("`"):
            return SIGNS.get(token, token)
        names[f"_column_{len(names)}_"] = token[1:-1]
        return f"_column_{len(names) - 1}_"

    pieces, origins, end = [], [], 0
    for found in TOKEN.finditer(condition):
        piece = stand_in(found)
        pieces += [condition[end : found.start()], piece]
        origins += [*range(end, found.start()), *[found.start()] * len(piece)]
        end = found.end()
    text = "".join([*pieces, condition[end:]])
    origins += [*range(end, len(condition) + 1)]
    indent = len(text) - len(text.lstrip())
    return _Written(re.sub(r"[\r\n]", " ", text[indent:]), names, tuple(origins[indent:]))


def _parsed(written: _Written) -> ast.expr:
    try:
        with warnings.catch_warnings(action="ignore"):  # of a backslash in a text
            return ast.parse(written.text, mode="eval").body
    except SyntaxError as error:
        place = min(max((error.offset or 1) - 1, 0), len(written.origins) - 1)
        raise ConditionError(f"at character {written.origins[place] + 1}: {error.msg}") from None
    except (ValueError, MemoryError) as error:
        raise ConditionError(str(error) or "it is too long") from None


class _Reading:
    """What the parts of a condition come to over the rows of a table."""

    def __init__(self, frame: pd.DataFrame, written: _Written) -> None:
        self.frame, self.written = frame, written
        self.readers: dict[type[ast.expr], Callable[..., Operand]] = {
            ast.Name: self.name,
            ast.Constant: self.constant,
            ast.UnaryOp: self.unary,
            ast.BinOp: self.binary,
            ast.BoolOp: self.joined,
            ast.Compare: self.compared,
        }

    def refusal(self, node: ast.expr, words: str) -> ConditionError:
        return ConditionError(f"{self.written.place(node)}: {words}")

    def value(self, node: ast.expr) -> Operand:
        if type(node) not in self.readers:
            raise self.refusal(node, f"{_noun(node)} cannot stand in a condition")
        return self.readers[type(node)](node)

    def name(self, node: ast.Name) -> Column:
        name = self.written.names.get(node.id, node.id)
        if name not in self.frame:
            raise self.refusal(node, f"there is no column {name!r}")
        return _column(self.frame[name])

    def constant(self, node: ast.Constant) -> Plain:
        if isinstance(node.value, bool | str):
            return node.value
        if not isinstance(node.value, int | float):
            raise self.refusal(node, f"{node.value!r} is neither a number nor text in quotes")
        try:
            return float(node.value)
        except OverflowError:
            raise self.refusal(node, "the number is too large") from None

    def unary(self, node: ast.UnaryOp) -> Operand:
        if isinstance(node.op, ast.Not | ast.Invert):
            return np.logical_not(self.of_kind(TRUTH, node.operand))
        number = self.of_kind(NUMBER, node.operand)
        return np.negative(number) if isinstance(node.op, ast.USub) else number

    def binary(self, node: ast.BinOp) -> Operand:
        calculate = ARITHMETIC.get(type(node.op))
        if calculate is None:
            raise self.refusal(node, "only + - * / // % calculate here")
        found: Operand = calculate(self.of_kind(NUMBER, node.left), self.of_kind(NUMBER, node.right))
        return found

    def joined(self, node: ast.BoolOp) -> Operand:
        join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        parts = [self.of_kind(TRUTH, part) for part in node.values]  # noqa: PD011  (parts of the sentence)
        return functools.reduce(join, parts)

    def compared(self, node: ast.Compare) -> Operand:
        found: Operand = True
        left = node.left
        for comparison, right in zip(node.ops, node.comparators, strict=True):
            found = np.logical_and(found, self.pair(left, comparison, right))
            left = right
        return found

    def pair(self, left: ast.expr, comparison: ast.cmpop, right: ast.expr) -> Operand:
        if isinstance(comparison, ast.In | ast.NotIn):
            inside = self.inside(left, right)
            return inside if isinstance(comparison, ast.In) else np.logical_not(inside)
        compare = COMPARISONS.get(type(comparison))
        if compare is None:
            raise self.refusal(right, "compare by == != < <= > >= or in")
        one, other = self.value(left), self.value(right)
        if _kind(one) != _kind(other):
            raise self.refusal(right, f"this is {_kind(other)}, and is compared with {_kind(one)}")
        return compare(one, other)

    def inside(self, left: ast.expr, right: ast.expr) -> Operand:
        if not isinstance(right, ast.List | ast.Tuple | ast.Set):
            raise self.refusal(right, "after in stands a list, such as ['a', 'b']")
        found: Operand = np.zeros(len(self.frame), dtype=bool)
        for entry in right.elts:
            found = np.logical_or(found, self.pair(left, ast.Eq(), entry))
        return found

    def of_kind(self, kind: str, node: ast.expr) -> Operand:
        found = self.value(node)
        if _kind(found) != kind:
            raise self.refusal(node, f"expected {kind}; this is {_kind(found)}")
        return found


def _kind(value: Operand) -> str:
    if isinstance(value, np.ndarray | np.generic):
        return {"b": TRUTH, "O": TEXT}.get(value.dtype.kind, NUMBER)
    return TRUTH if isinstance(value, bool) else TEXT if isinstance(value, str) else NUMBER


def _column(values: "pd.Series[float]") -> Column:
    """Return a column as numbers, as yes and no, or as text with empty cells for missing ones."""
    if pd.api.types.is_bool_dtype(values.dtype) or all(isinstance(cell, bool | np.bool_) for cell in values):
        truths: Column = values.to_numpy(dtype=bool, na_value=False)
        return truths
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers: Column = values.to_numpy(dtype=float, na_value=np.nan)
        return numbers
    return np.array([cell_text(cell) for cell in values], dtype=object)


def _noun(node: ast.expr) -> str:
    return {ast.Call: "a call", ast.Attribute: "an attribute", ast.Subscript: "an index"}.get(
        type(node), f"this ({type(node).__name__})"
    )

"""Measure the code from its syntax trees, a row a package: ``python benchmarks/code_measures.py [PACKAGE_FOLDER]``.

Body: lines from a function's first statement to its last, without docstring and signature. Branches: ``if``, loops,
comprehensions, handlers, ``and`` and ``or``, plus 1. Typed: every argument and the return. Comments: lines with a
comment for each 100 lines. Code: lines that hold neither docstrings (of constants, too) nor comments alone nor nothing.
"""

import ast
import statistics
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

BRANCHES = (ast.If, ast.IfExp, ast.For, ast.While, ast.comprehension, ast.ExceptHandler, ast.match_case)
"""Statements and expressions that make a way through a function longer by one."""

type Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Measures:
    """What was counted over the files of one package."""

    lines: list[int] = field(default_factory=list)
    bodies: list[int] = field(default_factory=list)
    parameters: list[int] = field(default_factory=list)
    branches: list[int] = field(default_factory=list)
    typed: list[bool] = field(default_factory=list)
    documented: list[bool] = field(default_factory=list)
    comments: int = 0
    code: int = 0
    docstrings: int = 0

    def row(self, name: str) -> str:
        """Return the measures as a row of a table."""
        cells = [
            name,
            f"{len(self.lines)}",
            f"{sum(self.lines):,}",
            f"{self.code:,}",
            f"{self.docstrings:,}",
            f"{statistics.median(self.lines):.0f} / {max(self.lines)}",
            f"{statistics.median(self.bodies):.0f} / {_part(self.bodies)} / {max(self.bodies)}",
            f"{_part(self.parameters)} / {max(self.parameters)}",
            f"{_percent(self.typed)}",
            f"{_percent(self.documented)} ({len(self.documented)})",
            f"{100 * self.comments / sum(self.lines):.1f}",
            f"{_part(self.branches)} / {max(self.branches)}",
        ]
        return f"| {' | '.join(cells)} |"


HEAD = (
    "| | files | lines | code | docstrings | file median / max | body median / 90% / max | parameters 90% / max "
    "| typed | public docstrings | comments per 100 | branches 90% / max |\n"
    f"{'|---' * 12}|"
)


def _part(values: list[int]) -> int:
    return sorted(values)[int(0.9 * (len(values) - 1))]


def _percent(values: list[bool]) -> str:
    return f"{100 * sum(values) / len(values):.0f}%" if values else ""


def measure(paths: list[Path]) -> Measures:
    """Measure Python files together."""
    found = Measures()
    for path in paths:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        found.lines.append(len(text.splitlines()))
        told = _docstring_lines(tree)
        lines = enumerate(map(str.strip, text.splitlines()), 1)
        found.code += sum(bool(line) and not line.startswith("#") and number not in told for number, line in lines)
        found.docstrings += len(told)
        with path.open("rb") as file:
            found.comments += sum(token.type == tokenize.COMMENT for token in tokenize.tokenize(file.readline))
        for function, public in _functions(tree):
            _measure_function(function, found)
            if public:
                found.documented.append(ast.get_docstring(function) is not None)
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
        found.documented += [ast.get_docstring(node) is not None for node in classes]
    return found


def _docstring_lines(tree: ast.Module) -> set[int]:
    """Return the lines of text that stands alone as a statement: docstrings of functions, classes and constants."""
    alone = [
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    return {
        line
        for node in alone
        if isinstance(node.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def _functions(tree: ast.Module) -> Iterator[tuple[Function, bool]]:
    """Yield every function, and whether it is public."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, node in tree.body and not node.name.startswith("_")


def _measure_function(function: Function, found: Measures) -> None:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if body:
        found.bodies.append((body[-1].end_lineno or 0) - body[0].lineno + 1)
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    asked = [argument for argument in arguments if argument.arg not in ("self", "cls")]
    found.parameters.append(len(asked))
    found.typed.append(function.returns is not None and all(argument.annotation for argument in asked))
    nodes = list(ast.walk(function))
    extra = sum(len(node.values) - 1 for node in nodes if isinstance(node, ast.BoolOp))
    found.branches.append(1 + extra + sum(isinstance(node, BRANCHES) for node in nodes))


def main() -> None:
    """Print a row for the package, one for each package in it, and one for the tests."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "bayescale"
    print(HEAD)
    print(measure(sorted(root.rglob("*.py"))).row(f"**{root.name}**"))
    flat = sorted(root.glob("*.py"))
    print(measure(flat).row("flat modules"))
    for folder in sorted(path for path in root.iterdir() if (path / "__init__.py").exists()):
        print(measure(sorted(folder.rglob("*.py"))).row(folder.name))
    print(measure(sorted((root.parent / "tests").rglob("*.py"))).row("tests"))


if __name__ == "__main__":
    main()

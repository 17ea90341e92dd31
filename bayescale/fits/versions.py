"""Versions that decide a posterior's digits."""

import ast
import functools
import hashlib
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from bayescale.storage import cache_dir, content_hash, keep_quietly, kept

LIBRARIES = ("bayescale", "pymc", "pytensor", "nutpie", "llvmlite", "arviz", "numpy", "scipy")

SOURCES = (
    "fits",
    "laws/costs.py",
    "laws/given.py",
    "laws/identity.py",
    "laws/law.py",
    "laws/measured.py",
    "laws/priors.py",
    "laws/published.py",
    "laws/scales.py",
    "laws/usual.py",
    "runs/checkpoints.py",
    "runs/units.py",
)
"""What decides the numbers of a fit of a given law: all of ``fits``, and the modules of other packages that it uses."""


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of bayescale and of the libraries that sample, without importing them.

    ``model`` is a hash of the code of ``SOURCES``, so that a fit kept from before a change of theirs is never taken
    for one after it. A law's own formula is not among them: each fit has that of its law.
    """
    return {name: version(name) for name in LIBRARIES} | {"model": source_hash(*SOURCES)}


@functools.cache
def source_hash(*places: str) -> str:
    """Return a hash of what modules do, whatever their comments, docstrings and layout say.

    It takes half a second, so the hash of sources as they are is kept in the cache.

    Parameters
    ----------
    *places : str
        Paths in the package: of a module, or of a folder, which stands for all modules in it.

    Returns
    -------
    str
        The same for the same code under one version of Python.
    """
    sources = [(path.name, path.read_text()) for path in _modules(*places)]
    path = cache_dir() / "sources" / f"{content_hash([sys.version, *sources])[:24]}.json"
    known = kept(path)
    if isinstance(known, str):
        return known
    hashed = hashlib.sha256()
    for name, source in sources:
        hashed.update(f"{name}: {code_of(source)}".encode())
    keep_quietly(path, hashed.hexdigest()[:12])
    return hashed.hexdigest()[:12]


def _modules(*places: str) -> Iterator[Path]:
    for place in places:
        path = Path(__file__).parents[1] / place
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def code_of(source: str) -> str:
    """Return the syntax tree of a module as text, without its docstrings, comments and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_text(part)]
    return ast.dump(tree)


def _is_text(node: ast.stmt) -> bool:
    """Return whether a statement is a string that stands by itself: a docstring of a module, function or constant."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)

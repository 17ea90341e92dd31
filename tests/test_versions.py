"""The hash that keeps stale fits out of the cache: of all code that decides their numbers, and of nothing else."""

import ast
import shutil
from pathlib import Path

import pytest

import bayescale
from bayescale.fits import versions

PACKAGE = Path(bayescale.__file__).parent
REGISTRY = {"LAWS", "get_law", "known_laws"}  # of laws/__init__.py: which laws there are, not what a fit of one is


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Let hashes be of a copy of the package's sources; return its folder."""
    place = tmp_path / "bayescale"
    for folder in ("fits", "laws", "forecasts", "runs"):
        shutil.copytree(PACKAGE / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(versions, "__file__", str(place / "fits" / "versions.py"))
    return place


def hash_now():
    return versions.source_hash.__wrapped__(*versions.SOURCES)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    "module", sorted(str(path.relative_to(PACKAGE / "fits")) for path in (PACKAGE / "fits").rglob("*.py"))
)
def test_a_change_of_any_module_of_fits_changes_the_hash(copied, module):
    before = hash_now()
    path = copied / "fits" / module
    path.write_text(path.read_text() + "\nADDED = 1\n")
    assert hash_now() != before


def test_a_changed_number_changes_the_hash(copied):
    before = hash_now()
    edit(copied / "fits" / "sampling.py", "SCOUTS = 12", "SCOUTS = 13")
    assert hash_now() != before


def test_comments_docstrings_and_layout_do_not(copied):
    before = hash_now()
    path = copied / "fits" / "loo.py"
    edit(path, '"""PSIS-LOO of one fit', '"""The PSIS-LOO of one fit')
    edit(path, 'GROUP = "loo"\n', 'GROUP = "loo"  # what it is called\n"""Of a constant."""\n\n\n')
    edit(path, '    """Return PSIS-LOO of a', '    """Return the PSIS-LOO of a')
    edit(path, "def loo_group(fitted: Fit) ->", "def loo_group(\n    fitted: Fit,\n) ->")
    assert hash_now() == before


def test_a_law_file_is_no_part_of_the_hash_as_each_fit_has_its_own_formula(copied):
    before = hash_now()
    edit(copied / "laws" / "chinchilla.py", "CHINCHILLA = ", "ADDED = 1\nCHINCHILLA = ")
    assert hash_now() == before


def imported_from_laws(path):
    """Yield module and name of all that a module takes from the package ``laws``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bayescale.laws"):
            yield from ((node.module, alias.name) for alias in node.names)


def test_every_module_of_laws_that_fits_takes_something_from_is_hashed():
    home = {name: module for module, name in imported_from_laws(PACKAGE / "laws" / "__init__.py")}
    taken = {each for path in (PACKAGE / "fits").glob("*.py") for each in imported_from_laws(path)}
    modules = {home[name] if module == "bayescale.laws" else module for module, name in taken if name not in REGISTRY}
    assert len(modules) >= 3
    assert {f"{module.removeprefix('bayescale.').replace('.', '/')}.py" for module in modules} <= set(versions.SOURCES)

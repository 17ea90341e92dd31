"""Sentences that users read: the words that docs/style.md forbids."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WORST = re.compile(r"\b(?:told|tells|torn|dealt|lies at)\b", re.IGNORECASE)
MODULES = sorted((ROOT / "bayescale").rglob("*.py"))
TEMPLATES = sorted((ROOT / "bayescale").rglob("*.j2"))
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/how-to").glob("*.md")]
WRITTEN = sorted(page for page in PAGES if page.name not in ("style.md", "command-line.md", "references.md"))


def strings(source):
    """Yield line and text of the strings of a module that are no docstrings."""
    tree = ast.parse(source)
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def found(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        parts = strings(text)
    else:
        text = re.sub(r"\{[{%].*?[}%]\}|```.*?```|`[^`]*`", " ", text, flags=re.DOTALL)
        parts = enumerate(text.splitlines(), 1)
    return [f"{path.relative_to(ROOT)}:{line}: {WORST.search(part)[0]}" for line, part in parts if WORST.search(part)]


def test_no_sentence_of_the_program_has_one_of_the_worst_words():
    assert [each for path in [*MODULES, *TEMPLATES] for each in found(path)] == []


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_no_page_has_one_of_the_worst_words(path):
    assert found(path) == []


def test_the_style_guide_names_the_words_and_the_check_finds_them(tmp_path, monkeypatch):
    named = re.search(r"checked by a test: \*(.+)\*", (ROOT / "docs/style.md").read_text())[1].split(", ")
    assert len(named) == 5
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    for word in named:
        page = tmp_path / "bad.py"
        page.write_text(f'"""It is {word}."""\nx = f"it {word} {{1}}"\n')
        assert len(found(page)) == 1

"""Formulas as MathML, which all browsers draw since 2023: no script, no network and no picture.

The style sheet names the mathematical fonts of the usual systems. Where a system has none of them, Chromium leaves
indices on the line.
"""

from functools import cache
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Offer the renderer ``mathml``."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def visit_inline(translator: Any, node: nodes.math) -> None:  # noqa: ANN401  (translators have no common type)
    """Write a formula within a line."""
    translator.body.append(formula(node.astext(), block=False))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:  # noqa: ANN401  (as above)
    """Write a formula on lines of its own; what is wider than the page scrolls."""
    translator.body.append(f'<div class="formula" tabindex="0">{formula(node.astext(), block=True)}</div>\n')
    raise nodes.SkipNode


@cache
def formula(latex: str, *, block: bool) -> str:
    """Return a formula as MathML.

    Raises
    ------
    docutils.utils.math.MathError
        If docutils cannot read the formula.
    """
    return str(tex2mathml(" ".join(latex.split()), as_block=block))

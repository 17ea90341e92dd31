"""Formulas as drawings in the page: no script, no network, and no mathematical font that a reader may lack.

Matplotlib sets them as outlines in the colour of the text. Screen readers get the same formula as MathML, which is not
shown, for browsers without a mathematical font put its indices on the line.
"""

import html
from functools import cache
from typing import Any

import numpy as np
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextToPath
from sphinx.application import Sphinx

EM = 100.0
"""Units of a drawing for one em of the text around it."""

LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}
FONT = FontProperties(size=EM, math_fontfamily="stix")


def setup(app: Sphinx) -> dict[str, Any]:
    """Offer the renderer ``svg``."""
    app.add_html_math_renderer("svg", (visit_inline, None), (visit_block, None))
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
    """Return a formula as HTML: a drawing, and MathML for those who do not see it.

    Raises
    ------
    ValueError
        If matplotlib cannot read the formula.
    """
    text = " ".join(latex.split())
    return f'<span class="math">{drawing(text)}<span class="math-text">{tex2mathml(text, as_block=block)}</span></span>'


def drawing(latex: str) -> str:
    """Return a formula as SVG, in em, standing on the line of the text."""
    setter = TextToPath()
    width, height, depth = (
        float(size) for size in setter.get_text_width_height_descent(f"${latex}$", FONT, ismath=True)
    )
    vertices, codes = setter.get_text_path(FONT, f"${latex}$", ismath=True)
    return (
        f'<svg aria-hidden="true" viewBox="0 {depth - height:g} {width:g} {height:g}" '
        f'style="width:{width / EM:.3f}em;height:{height / EM:.3f}em;vertical-align:{-depth / EM:.3f}em" '
        f'data-latex="{html.escape(latex)}"><path d="{outline(np.asarray(vertices), codes)}"/></svg>'
    )


def outline(vertices: np.ndarray, codes: Any) -> str:  # noqa: ANN401  (a list or an array)
    """Return a path of matplotlib as one of SVG, where y grows downwards."""
    parts, last = [], None
    for (x, y), code in zip(vertices, codes, strict=True):
        if code == Path.CLOSEPOLY:
            parts.append("Z")
        else:
            letter = LETTERS[code] if code != last or code in (Path.MOVETO, Path.LINETO) else ""
            parts.append(f"{letter}{x:.0f} {-y:.0f}")
        last = code
    return " ".join(parts)

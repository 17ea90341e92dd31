"""How Sphinx builds the documentation: offline, and with every warning an error."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from api_pages import file_names

import bayescale

project = "bayescale"
copyright = "bayescale developers"
version = release = bayescale.__version__

extensions = [
    "generated",
    "mathml",
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
templates_path = ["_templates"]
exclude_patterns = ["_ext", "_templates"]
nitpicky = True
smartquotes = False  # two hyphens are an option's
nitpick_ignore = [  # functions that docstrings name, and that are not public
    ("py:func", name)
    for name in (
        "bayescale.forecasts.scores.pointwise",
        "bayescale.runs.read_runs",
        "group_names",
        "law_in_use",
        "table_names",
    )
]
rst_epilog = r".. |delta| replace:: \|delta\|"  # docstrings write an absolute value so

myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # else from another host
nb_merge_streams = True

autosummary_generate = True
autosummary_filename_map = file_names()
autosummary_ignore_module_all = False
autodoc_preserve_defaults = True
autodoc_typehints = "none"  # the docstrings tell them, with dimensions and units
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "bayescale"
html_static_path = ["_static"]
html_css_files = ["bayescale.css"]
html_js_files = ["filter.js"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "bayescale"},
    "show_toc_level": 2,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": {"**": ["page-toc"], "laws/index": [], "other-tools": [], "verdicts": [], "index": []},
}
html_sidebars = {page: [] for page in ("index", "tutorial", "contract", "glossary", "other-tools", "command-line")}
html_context = {"default_mode": "auto"}

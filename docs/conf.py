"""How Sphinx builds the documentation: `nox -s docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import pages  # noqa: E402 - beside this file

import ser_cli  # noqa: E402

project, author = "ser", "the ser authors"
version = release = ser_cli.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "ser"
html_static_path = ["_static"]
html_show_sphinx = html_show_copyright = False
nitpicky = False
linkcheck_anchors = False


def setup(app: Sphinx) -> None:
    """Write the pages that are made from the program itself before anything is read."""
    app.connect("builder-inited", lambda _: pages.write(DOCS))

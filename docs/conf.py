"""How Sphinx builds these pages: ``make docs``."""

from __future__ import annotations

import flask_jwt_extended

project = "Flask-JWT-Extended"
author = "The Flask-JWT-Extended authors"
copyright = author  # noqa: A001  # Sphinx's name
release = flask_jwt_extended.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"Flask-JWT-Extended {release}"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_theme_options = {"navigation_with_keys": True}
html_show_sphinx = False
html_copy_source = False
# A copied command is one that runs: no prompt, and no output.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

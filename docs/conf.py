"""How Sphinx builds the site: `make docs`."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

import blurb_tune

project = "blurb-tune"
author = "the blurb-tune authors"
release = version = blurb_tune.__version__
copyright = author

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "blurb-tune"
html_static_path: list[str] = []
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
copybutton_exclude = ".linenos, .gp, .go"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
default_role = "code"
add_module_names = False
python_use_unqualified_type_names = True
# Types of the standard library and of numpy are named, not linked: that would take the network.
nitpick_ignore_regex = [("py:.*", r"(?!blurb_tune\.).*")]

# Pages link to files of the repository; of these only the benchmarks are a page of the site, the others become their names.
_PAGES = {"../benchmarks/README.md": "benchmarks.md"}
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((\.\./[^)]+)\)")


def setup(app: Sphinx) -> None:
    app.connect("source-read", lambda app, name, source: source.__setitem__(0, _OUTSIDE.sub(_inside, source[0])))


def _inside(link: re.Match[str]) -> str:
    return f"[{link[1]}]({_PAGES[link[2]]})" if link[2] in _PAGES else f"`{link[2].removeprefix('../')}`"

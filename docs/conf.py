"""The documentation site: ``nox -s docs`` builds it into build/docs, and any warning is an error."""

import importlib
import inspect
from importlib.metadata import version as version_of

project = "vecblade"
author = "the vecblade developers"
copyright = author
version = release = version_of("vecblade")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "myst_parser"]
exclude_patterns = ["_templates"]
templates_path = ["_templates"]

# ---- pages -------------------------------------------------------------------------------------

# Plain Markdown, readable where it is kept: links to headings are GitHub's.
myst_heading_anchors = 3
highlight_language = "none"  # of blocks that name no language: diagrams and formulas


def without_last_line(app, docname, source):
    """Examples end in an empty line, where they are run; on the site it would be a gap."""
    source[0] = source[0].replace("\n\n```\n", "\n```\n")


def setup(app):
    app.connect("source-read", without_last_line)


# ---- docstrings --------------------------------------------------------------------------------

autosummary_generate = True
autodoc_typehints = "none"  # docstrings tell the types
numpydoc_show_class_members = False  # the templates list them
numpydoc_attributes_as_param_list = True
# Unknown sections and their order, parameters that do not exist, a colon without a space.
numpydoc_validation_checks = {"GL06", "GL07", "PR02", "PR10"}

# `name` is a link to what has the name. Only parameters, and what other libraries have, are no links.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [("py:obj", r"(numpy|scipy|sklearn)\..*")]


def parameters():
    """The names of the parameters of all documented functions."""
    for name in ("", ".numpy", ".numpy.linalg", ".scipy", ".sklearn"):
        module = importlib.import_module(f"vecblade{name}")
        for public in module.__all__:
            documented = getattr(module, public)
            functions = vars(documented).values() if inspect.isclass(documented) else [documented]
            for function in map(inspect.unwrap, (getattr(f, "__func__", f) for f in functions)):
                if callable(function) and not inspect.isclass(function):
                    yield from inspect.signature(function).parameters


nitpick_ignore = [("py:obj", name) for name in sorted(set(parameters()))]

# ---- the site ----------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = f"vecblade {version}"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"*": []}  # pages of sections have the section's pages there, others would have nothing
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

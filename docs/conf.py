"""How Sphinx builds the documentation; `python docs/build.py` calls it."""

from __future__ import annotations

from typing import Any

import soundclf

project = "soundclf"
author = "The soundclf developers"
copyright = author  # noqa: A001 - Sphinx's name for it
version = release = soundclf.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["soundclf.css"]
html_theme = "pydata_sphinx_theme"
html_title = f"soundclf {version}"
html_show_sourcelink = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "secondary_sidebar_items": {
        "*": ["page-toc"],
        "api/*": ["page-toc"],
        "gallery/*": ["page-toc", "sg_download_links"],
    },
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"start": [], "api": []}

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc docstrings contain the types
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# References within the package must lead somewhere. Those to other packages are shown as code: no net is needed.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!soundclf).*")]

sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "api/examples",
    "doc_module": ("soundclf",),
    "reference_url": {"soundclf": None},
    "write_computation_times": False,
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "capture_repr": ("_repr_html_",),
    "min_reported_time": 1000,
}


def _skip(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what other packages define, such as scikit-learn's `get_params`."""
    module = getattr(getattr(thing, "fget", thing), "__module__", None)
    return True if module is not None and not module.startswith("soundclf") else None


def setup(app: Any) -> None:
    """Connect what is above."""
    app.connect("autodoc-skip-member", _skip)

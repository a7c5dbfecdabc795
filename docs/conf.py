"""How Sphinx makes the site of these pages; `make docs` builds it into ``site/``."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOMS = (
    "kernels/despejado",
    "images/despejado_images",
    "spawner/despejado_spawner",
    "hub/despejado_hub",
    "services/despejado_services",
    "labextension/despejado_lab",
    "notebooks/despejado_tutorials",
)

project = "Despejado"
author = "The Despejado developers"
copyright = f"2026, {author}"
release = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["version"]
version = release

extensions = ["myst_parser", "sphinx.ext.apidoc", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
napoleon_google_docstring = False
exclude_patterns = ["api/*/modules.rst"]
myst_heading_anchors = 3
default_role = "code"
# Annotations name classes shortly, and two rooms may each have a Catalogue.
suppress_warnings = ["ref.python"]

# A page a package, from the code: a module that moves needs no change here. What moved away
# since the last build must not stay.
shutil.rmtree(HERE / "api", ignore_errors=True)
apidoc_module_first = True
apidoc_max_depth = 1
apidoc_modules = [
    {
        "path": f"../{room}",
        "destination": f"api/{Path(room).name}",
        # Read by other programs, not imported by anybody.
        "exclude_patterns": ["**/lean_site/**", "**/jupyterhub_config/file.py"],
    }
    for room in ROOMS
]
autodoc_default_options = {"members": True, "show-inheritance": True, "ignore-module-all": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"

html_theme = "pydata_sphinx_theme"
html_title = "Despejado"
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "collapse_navigation": True,  # whole trees of modules on each page cost most of the build
    "navigation_depth": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_copy_source = False
html_show_sourcelink = False

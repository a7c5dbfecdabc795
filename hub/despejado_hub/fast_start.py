"""Imports that JupyterHub makes and this platform never needs.

Measured on two cores: ``import jupyterhub.app`` takes 3.2 s with them and 1.5 s without, and the
process is 30 MB smaller.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

# jsonschema looks for these to check formats (international resource identifiers, durations)
# that no schema of JupyterHub's events has; the first builds a grammar for a second at import
# (jupyter-server/jupyter_server#1559).
UNUSED = ("rfc3987_syntax", "rfc3987", "isoduration")


def skip_imports() -> None:
    """Make the imports of unused packages fail at once, as if they were not installed."""
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    for name in UNUSED:
        # None there means ImportError (The import system, section 5.3.1).
        modules.setdefault(name, None)

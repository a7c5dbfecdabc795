"""Run the idle culler with its token from a file.

``jupyterhub-idle-culler`` wants it in the environment, which processes started from it inherit
and listings show; here it stands in the environment of this process alone, after its start.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Run the culler; arguments are the token's file, then the culler's own."""
    token_file, *rest = arguments
    os.environ["JUPYTERHUB_API_TOKEN"] = Path(token_file).read_text().strip()
    sys.argv = ["jupyterhub-idle-culler", *rest]
    runpy.run_module("jupyterhub_idle_culler", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])

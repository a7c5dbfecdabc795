"""Build hook: notebooks lie beside the package in the source tree and inside it in the wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NotebooksHook(BuildHookInterface):
    """Puts the notebooks into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add each notebook beside the package to the wheel, below it."""
        # An editable install finds them where they are; the sdist keeps them in place.
        if self.target_name != "wheel" or version == "editable":
            return
        for notebook in sorted(Path(self.root).rglob("*.ipynb")):
            place = notebook.relative_to(self.root)
            if not any(part.startswith(".") for part in place.parts):
                build_data["force_include"][str(notebook)] = (
                    f"despejado_tutorials/notebooks/{place.as_posix()}"
                )

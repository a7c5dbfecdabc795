"""The server extension: its settings and its routes."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode, default

from despejado_lab.handlers import ConfigHandler, ExitHandler, TutorialCopyHandler, TutorialsHandler
from despejado_lab.lab import Lab


class DespejadoLab(ExtensionApp):
    """Settings are traits: ``--DespejadoLab.tutorials_dir=...`` or a Jupyter configuration file."""

    name = "despejado_lab"
    description = "Status badge, exits and tutorials of a lab"

    runtime_dir = Unicode(
        help="""Runtime folder of the lab, with config/lab.json. Default: $DESPEJADO_RUNTIME_DIR."""
    ).tag(config=True)

    tutorials_dir = Unicode(
        help="""Folder of tutorials. Default: the one that lab.json names, else those of the
        installed package that offers the entry point despejado_lab.tutorials."""
    ).tag(config=True)

    tutorials_target = Unicode(
        "notebooks/tutorials",
        help="""Folder below the server's root that tutorials are copied to.""",
    ).tag(config=True)

    @default("runtime_dir")
    def _default_runtime_dir(self) -> str:
        return os.environ.get("DESPEJADO_RUNTIME_DIR", "")

    lab: Lab

    def initialize_settings(self) -> None:
        self.lab = Lab(
            root=Path(self.settings["server_root_dir"]).expanduser(),
            target=PurePosixPath(self.tutorials_target),
            runtime_dir=Path(self.runtime_dir) if self.runtime_dir else None,
            tutorials_dir=Path(self.tutorials_dir) if self.tutorials_dir else None,
            environ=os.environ,
        )

    def initialize_handlers(self) -> None:
        self.handlers += [
            (r"/despejado/config", ConfigHandler, {"name": self.name}),
            (r"/despejado/tutorials", TutorialsHandler, {"name": self.name}),
            (r"/despejado/tutorials/copy", TutorialCopyHandler, {"name": self.name}),
            (r"/despejado/exit", ExitHandler, {"name": self.name}),
        ]

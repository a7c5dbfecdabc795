"""The server extension: its settings and its routes."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode, default

from despejado_lab.cgroup import CGROUP_DIR, read_memory
from despejado_lab.handlers import (
    ConfigHandler,
    ExitHandler,
    MemoryHandler,
    TutorialCopyHandler,
    TutorialsHandler,
)
from despejado_lab.kernel_deaths import KernelDeaths
from despejado_lab.lab import Lab
from despejado_lab.memory_watch import MemoryWatch, Stop

STOPPED_EVENT = "urn:despejado:lab:program-stopped"
"""Tells JupyterLab at once to ask for ``memory`` (Jupyter Server's event bus)."""


_STOPPED_SCHEMA = {
    "$id": STOPPED_EVENT,
    "version": "1",
    "title": "A program of the lab was stopped because memory was used up",
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string", "title": "Which of the stops of GET memory"}},
}


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

    cgroup_dir = Unicode(
        CGROUP_DIR,
        help="""Folder of the control group whose memory is shown and watched.""",
    ).tag(config=True)

    @default("runtime_dir")
    def _default_runtime_dir(self) -> str:
        return os.environ.get("DESPEJADO_RUNTIME_DIR", "")

    lab: Lab

    def initialize_settings(self) -> None:
        """Make the lab that the handlers answer from, out of the traits."""
        cgroup_dir = Path(self.cgroup_dir)
        self.lab = Lab(
            root=Path(self.settings["server_root_dir"]).expanduser(),
            target=PurePosixPath(self.tutorials_target),
            runtime_dir=Path(self.runtime_dir) if self.runtime_dir else None,
            tutorials_dir=Path(self.tutorials_dir) if self.tutorials_dir else None,
            environ=os.environ,
            cgroup_dir=cgroup_dir,
            watch=MemoryWatch(read_memory(cgroup_dir), self._tell_of_stop),
        )
        events = self.settings["event_logger"]
        events.register_event_schema(_STOPPED_SCHEMA)
        KernelDeaths(
            self.settings["kernel_manager"], self.settings["session_manager"], self.lab.kernel_died
        ).follow(events)

    def _tell_of_stop(self, stop: Stop) -> None:
        what = f"The kernel of {stop.document}" if stop.document else "A program"
        self.log.warning("%s was stopped: the lab's memory is used up.", what)
        self.settings["event_logger"].emit(schema_id=STOPPED_EVENT, data={"id": stop.id})

    def initialize_handlers(self) -> None:
        """Add the routes of the package's README."""
        self.handlers += [
            (r"/despejado/config", ConfigHandler, {"name": self.name}),
            (r"/despejado/tutorials", TutorialsHandler, {"name": self.name}),
            (r"/despejado/tutorials/copy", TutorialCopyHandler, {"name": self.name}),
            (r"/despejado/memory", MemoryHandler, {"name": self.name}),
            (r"/despejado/exit", ExitHandler, {"name": self.name}),
        ]

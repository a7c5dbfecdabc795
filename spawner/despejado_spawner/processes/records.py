"""Which process a lab is: found again by another hub, and never mistaken for a later one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from despejado_images.files import write_text

from despejado_spawner.processes.files import storage_errors
from despejado_spawner.processes.process_table import boot_id, start_time

RECORD_NAME = "lab.json"


@dataclass(frozen=True)
class LabRecord:
    """A running lab.

    ``started`` is the process's start time as the kernel counts it, which together with ``boot``
    tells this process from any other that gets the same ``pid``. ``lab_id`` is in the environment
    of every process of the lab.
    """

    pid: int
    started: str
    boot: str
    lab_id: str
    ip: str
    port: int
    digest: str
    tag: str
    uid: int

    def alive(self) -> bool:
        """Whether this very process runs (a zombie does not)."""
        return self.boot == boot_id() and start_time(self.pid) == self.started

    def to_json(self) -> dict[str, Any]:
        """The document that :meth:`from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: object) -> LabRecord | None:
        """The record in a JSON document; None if the document is not one."""
        if not isinstance(document, Mapping):
            return None
        fields = cls.__dataclass_fields__
        values: dict[str, Any] = {name: document.get(name) for name in fields}
        numbers = ("pid", "port", "uid")
        if any(
            not isinstance(value, int if name in numbers else str) for name, value in values.items()
        ):
            return None
        return cls(**values)  # each value has just been checked against its type


def write_record(folder: Path, record: LabRecord) -> None:
    """Write ``lab.json`` of a lab's folder at once or not at all; raises ``LabFolderError``."""
    with storage_errors(folder):
        # not forced to the disk: what would lose it ends the lab, too
        write_text(folder / RECORD_NAME, json.dumps(record.to_json(), indent=2), 0o600)


def read_record(folder: Path) -> LabRecord | None:
    """The record of a lab's folder; None if there is none or it cannot be read as one."""
    try:
        return LabRecord.from_json(json.loads((folder / RECORD_NAME).read_text("utf-8")))
    except (OSError, ValueError):
        return None


def remove_record(folder: Path) -> None:
    """Forget the lab of a folder; one without a record is left as it is."""
    (folder / RECORD_NAME).unlink(missing_ok=True)

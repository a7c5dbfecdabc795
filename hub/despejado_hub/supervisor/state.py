"""The state folder of a platform on one machine: where it is, what it holds, who has it."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from despejado_images.files import write_text

from despejado_hub.supervisor.errors import SupervisorError

# Labs run as other users when the platform runs as root: what they go through is open to pass,
# what holds secrets is closed.
MODES: Mapping[str, int] = {
    ".": 0o755,
    "hub": 0o700,
    "environments": 0o755,
    "data": 0o755,
    "services": 0o711,
    "services/tap": 0o700,
    "homes": 0o711,
    "labs": 0o711,
    "run": 0o700,
    "logs": 0o700,
}


@dataclass(frozen=True)
class StateFolder:
    """The folders of docs/developers.md, "The state folder"; ``root`` is absolute."""

    root: Path

    @property
    def run(self) -> Path:
        """Process records, rendered configuration and secrets."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """Logs, one a process."""
        return self.root / "logs"

    @property
    def labs(self) -> Path:
        """Runtime folders of labs."""
        return self.root / "labs"

    @property
    def environments(self) -> Path:
        """Software environments and the progress of their builds."""
        return self.root / "environments"

    @property
    def data(self) -> Path:
        """Catalogue caches and the sample repository."""
        return self.root / "data"

    def create(self) -> None:
        """Make what is missing and close what must be closed; raises ``SupervisorError``."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if self.root.stat().st_mode & stat.S_IWOTH:
                # /tmp, say: others could put their folders in the place of ours, and the mode
                # below would close it for everybody.
                raise SupervisorError(
                    f"Everybody may write to the state folder {self.root}. Name a folder of its "
                    f"own with --state, for example {self.root / 'despejado'}."
                )
            for name, mode in MODES.items():
                folder = self.root / name
                folder.mkdir(exist_ok=True)
                if stat.S_IMODE(folder.stat().st_mode) != mode:
                    folder.chmod(mode)
        except OSError as error:
            raise SupervisorError(
                f"The state folder {self.root} cannot be used: {error.strerror} "
                f"({error.filename}). Choose another folder with --state."
            ) from error


def closed_ancestor(path: Path) -> Path | None:
    """The topmost folder on the way to ``path`` that other users cannot pass, or None."""
    for folder in (*reversed(path.parents), path):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def require_reachable(state: StateFolder) -> None:
    """Refuse a state folder that the users of the labs could not reach (only matters for root)."""
    closed = closed_ancestor(state.root)
    if closed is not None:
        mode = stat.S_IMODE(closed.stat().st_mode)
        raise SupervisorError(
            f"Labs run as their own users and could not reach the state folder {state.root}: "
            f"{closed} is closed to other users (mode {mode:04o}). Choose a folder elsewhere "
            f"with --state, for example /var/lib/despejado."
        )


@contextmanager
def locked(state: StateFolder) -> Iterator[None]:
    """Hold the state folder; raises ``SupervisorError`` when another supervisor has it.

    The kernel releases the lock when the process ends, however it ends.
    """
    path = state.run / "supervisor.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 32).decode().strip() or "unknown"
            raise SupervisorError(
                f"A platform already runs on the state folder {state.root} (process {holder}). "
                f"Stop it with Ctrl-C, or give this one a folder of its own with --state."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def write_secret(path: Path, secret: str) -> None:
    """A secret in a file that only its owner reads (0400)."""
    write_text(path, secret, 0o400)


def write_json(path: Path, document: Mapping[str, Any], mode: int = 0o600) -> None:
    """A JSON file, replaced atomically."""
    write_text(path, json.dumps(document, indent=2) + "\n", mode)

"""A real JupyterHub in a process of its own, with ``LocalLabSpawner`` and real environments."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

CONFIG = Path(__file__).parent / "data" / "local_hub_config.py"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class LocalHub:
    """A hub whose folder, ports and settings survive its process, as after a crash."""

    folder: Path
    ui: Path
    kernel: Path
    settings: dict[str, Any] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    port: int = field(default_factory=free_port)
    api_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.api_port}/hub/api"

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"token {token or self.token}"}
        return httpx.Client(base_url=self.api, headers=headers, timeout=60)

    def start(self) -> None:
        self.state.mkdir(exist_ok=True)
        (self.folder / "settings.json").write_text(
            json.dumps(
                {
                    "state": str(self.state),
                    "ui": str(self.ui),
                    "kernel": str(self.kernel),
                    "token": self.token,
                    "port": self.port,
                    "api_port": self.api_port,
                    **self.settings,
                }
            )
        )
        with (self.folder / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)],
                cwd=self.folder,
                env={**os.environ, "TEST_HUB_FOLDER": str(self.folder)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(self.log())
            try:
                if httpx.get(f"{self.api}/health").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError("the hub does not answer:\n" + self.log())

    def log(self) -> str:
        return (self.folder / "hub.log").read_text()

    def kill(self) -> None:
        """As a crash: no chance to clean up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the hub and whatever labs are left."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
        for record in self.state.glob("labs/*/*/lab.json"):
            try:
                os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)
            except ProcessLookupError:
                continue

    def add_user(self, name: str) -> None:
        with self.client() as client:
            client.post("/users", json={"usernames": [name]}).raise_for_status()

    def events(self, user: str) -> Iterator[dict[str, Any]]:
        """The progress page's event stream."""
        with (
            self.client() as client,
            client.stream("GET", f"/users/{user}/server/progress") as response,
        ):
            for line in response.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))

    def spawn(self, user: str, options: object = None) -> dict[str, Any]:
        """Start a lab and wait for the end of its start; the last event."""
        with self.client() as client:
            response = client.post(f"/users/{user}/server", json=options or {})
        assert response.status_code in (201, 202), response.text
        last: dict[str, Any] = {}
        for event in self.events(user):
            last = event
        return last

    def record(self, user: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            (self.state / "labs" / user / "default" / "lab.json").read_text()
        )
        return found

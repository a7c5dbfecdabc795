"""A real JupyterHub on this machine whose labs are pods of the tests' cluster."""

from __future__ import annotations

import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

CONFIG = Path(__file__).parent / "data" / "pod_hub_config.py"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


PYTHON = os.environ.get("DESPEJADO_TEST_HUB_PYTHON", sys.executable)
"""What runs hubs; that of an environment with another JupyterHub shows whether labs work there."""


@dataclass
class PodHub:
    """A hub whose folder, ports and settings survive its process, as after a crash.

    ``address`` is how pods reach this machine. ``settings`` become traits: ``lab`` of LabSpawner,
    ``kubespawner`` of KubeSpawner, ``users`` of the spawners of single users by their names;
    ``stock`` runs KubeSpawner itself.
    """

    folder: Path
    kubeconfig: Path
    address: str
    namespace: str
    settings: dict[str, Any] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    port: int = field(default_factory=free_port)
    api_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def api(self) -> str:
        scheme = "https" if self.encrypted else "http"
        return f"{scheme}://{self.address}:{self.api_port}/hub/api"

    @property
    def encrypted(self) -> bool:
        return bool(self.settings.get("internal_ssl"))

    def context(self, part: str = "") -> ssl.SSLContext:
        """What one part of a hub with ``internal_ssl`` trusts, and shows of itself."""
        folder = self.folder / "internal-ssl"
        context = ssl.create_default_context(cafile=str(folder / "hub-ca_trust.crt"))
        if part:
            pair = folder / part / part
            context.load_cert_chain(f"{pair}.crt", f"{pair}.key")
        return context

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"token {token or self.token}"}
        trusted = self.context("proxy-client") if self.encrypted else True
        return httpx.Client(
            base_url=self.api, headers=headers, timeout=300, trust_env=False, verify=trusted
        )

    def start(self) -> None:
        """Start the hub and wait until it answers."""
        document = {
            "token": self.token,
            "port": self.port,
            "api_port": self.api_port,
            "address": self.address,
            "namespace": self.namespace,
            **self.settings,
        }
        (self.folder / "settings.json").write_text(json.dumps(document))
        environment = {
            **os.environ,
            "TEST_HUB_FOLDER": str(self.folder),
            "KUBECONFIG": str(self.kubeconfig),
        }
        with (self.folder / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                [PYTHON, "-m", "jupyterhub", "-f", str(CONFIG)],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(self.log())
            try:
                with self.client() as client:
                    if client.get("/health").status_code == 200:
                        return
            except (httpx.TransportError, FileNotFoundError, ssl.SSLError):
                # Certificates are missing, or half written.
                time.sleep(0.05)
        raise AssertionError("the hub does not answer:\n" + self.log())

    @property
    def names_reasons(self) -> bool:
        """Whether this JupyterHub logs (and counts) the reason codes of failed starts: from 6.1."""
        return "Running JupyterHub version 5" not in self.log()

    def log(self) -> str:
        return (self.folder / "hub.log").read_text()

    def kill(self) -> None:
        """As a crash: no chance to clean up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the hub; labs stay, as they would."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)

    def add_user(self, name: str) -> None:
        with self.client() as client:
            client.post("/users", json={"usernames": [name]}).raise_for_status()

    def user(self, name: str) -> dict[str, Any]:
        with self.client() as client:
            found: dict[str, Any] = (
                client.get(f"/users/{name}", params={"include_stopped_servers": True})
                .raise_for_status()
                .json()
            )
        return found

    def lab_url(self, user: str, name: str = "") -> str:
        """Where the lab itself answers; the tests' proxy forwards nothing."""
        with self.client() as client:
            routes: dict[str, Any] = client.get("/proxy").raise_for_status().json()
        prefix = f"/user/{user}/{name}/" if name else f"/user/{user}/"
        target: str = routes[prefix]["target"]
        return f"{target.rstrip('/')}{prefix}"

    def server(self, user: str, name: str = "") -> dict[str, Any]:
        """The hub's model of a server; empty if there is none."""
        found: dict[str, Any] = self.user(user)["servers"].get(name, {})
        return found

    def state(self, user: str, name: str = "") -> dict[str, Any]:
        """What the spawner keeps in the hub's database."""
        found: dict[str, Any] = self.server(user, name).get("state") or {}
        return found

    def events(self, user: str, name: str = "") -> Iterator[dict[str, Any]]:
        """The progress page's event stream."""
        path = (
            f"/users/{user}/servers/{name}/progress" if name else f"/users/{user}/server/progress"
        )
        with self.client() as client, client.stream("GET", path) as response:
            for line in response.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))

    def ask(self, user: str, options: object = None) -> httpx.Response:
        """Ask for a lab; answers when it is up, has failed, or after the hub's patience."""
        with self.client() as client:
            return client.post(f"/users/{user}/server", json=options or {})

    def spawn(self, user: str, options: object = None) -> list[dict[str, Any]]:
        """Start a lab and follow it to the end of its start; all events."""
        response = self.ask(user, options)
        assert response.status_code in (201, 202), response.text
        if response.status_code == 201:
            return []
        return list(self.events(user))

    def token_for(self, user: str, server: str = "") -> str:
        """A token that may use one lab."""
        with self.client() as client:
            body = {"scopes": [f"access:servers!server={user}/{server}"], "expires_in": 600}
            answer = client.post(f"/users/{user}/tokens", json=body).raise_for_status()
        token: str = answer.json()["token"]
        return token

    def end(self, user: str, name: str = "") -> None:
        """Stop a lab and wait until the hub says that it is stopped."""
        path = f"/users/{user}/servers/{name}" if name else f"/users/{user}/server"
        with self.client() as client:
            client.delete(path)
        self.wait(lambda: not self.server(user, name).get("pending"), f"{user} to stop")

    def wait(self, condition: Callable[..., object], what: str, timeout: float = 60) -> None:
        """Ask the hub until something holds; it has no event for its own states."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout:g} s for {what}\n{self.log()[-4000:]}")
            time.sleep(0.1)

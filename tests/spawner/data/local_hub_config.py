"""JupyterHub configuration of the tests' hub; settings come from a JSON file in its folder."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from despejado_images.environments import (
    BuildProgress,
    Environment,
    EnvironmentStore,
)
from despejado_images.environments.models import BuildState, EnvironmentKind
from despejado_images.image import Image
from despejado_spawner.models import Group, Identity
from despejado_spawner.processes.spawner import LocalLabSpawner
from jupyterhub.proxy import Proxy
from traitlets import Dict, default

c: Any = globals()["get_config"]()
folder = Path(os.environ["TEST_HUB_FOLDER"])
settings = json.loads((folder / "settings.json").read_text())


class NoProxy(Proxy):
    """Keeps routes and forwards nothing: the tests talk to hub and labs directly."""

    should_start = False
    routes = Dict()

    async def add_route(self, routespec: str, target: str, data: object) -> None:
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec: str) -> None:
        self.routes.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, Any]:
        return self.routes


def environment(tag: str, title: str, kind: EnvironmentKind, folder: str) -> Environment:
    prefix = Path(folder)
    return Environment(
        tag=tag,
        title=title,
        kind=kind,
        prefix=prefix,
        python=prefix / "bin" / "python",
        digest="0" * 64,
        versions={"ipykernel": "7"},
        size_bytes=1,
        added_bytes=1,
        created=datetime.now(UTC),
    )


class TwoEnvironments(EnvironmentStore):
    """Real virtual environments under the store's interface; one tag builds until told."""

    made: ClassVar[dict[str, Environment]] = {
        "ui": environment("ui", "JupyterLab", "ui", settings["ui"]),
        "plain": environment("plain", "Plain", "kernel", settings["kernel"]),
    }

    def resolve(self, name: str) -> str:
        return "plain" if name == "recommended" else name

    def ready(self, tag: str) -> Environment | None:
        return self.made.get(tag)

    def choices(self) -> list[Image]:
        return [
            Image("plain", "Plain", recommended=True),
            Image("w_2026_43", "Weekly 2026_43", state="absent", expected_seconds=100.0),
            Image("w_2026_42", "Weekly 2026_42", state="absent"),
        ]

    async def build(self, tag: str) -> AsyncIterator[BuildProgress]:
        started = datetime.now(UTC)

        def step(state: BuildState, message: str, reason: str | None = None) -> BuildProgress:
            return BuildProgress(
                tag, "downloading", 0.4, message, state, 1, started, datetime.now(UTC), reason
            )

        yield step("building", "downloading 120 MB")
        if tag == "w_2026_42":
            yield step("failed", "failed", "no answer from the index")
            return
        (folder / "building").touch()
        try:
            await asyncio.Event().wait()
        finally:
            (folder / "build-left").touch()


class TestSpawner(LocalLabSpawner):
    @default("environment_store")
    def _store(self) -> EnvironmentStore:
        return TwoEnvironments(Path(settings["state"]) / "environments")


def identity(spawner: Any) -> Identity:
    uid = 5000 + sum(spawner.user.name.encode()) % 1000
    return Identity(
        spawner.user.name,
        uid,
        uid,
        (Group("stars", 6100), Group("clouds", 6101)),
        f"Dr. {spawner.user.name.title()}",
    )


c.JupyterHub.log_level = "INFO"
c.JupyterHub.bind_url = f"http://127.0.0.1:{settings['port']}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{settings['api_port']}"
c.JupyterHub.db_url = f"sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(folder / "cookie_secret")
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
c.JupyterHub.spawner_class = TestSpawner
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.allow_all = True
c.JupyterHub.services = [{"name": "tests", "api_token": settings["token"]}]
c.JupyterHub.load_roles = [
    {
        "name": "tests",
        "services": ["tests"],
        "scopes": [
            "admin:users",
            "admin:groups",
            "admin:servers",
            "tokens",
            "access:servers",
            "read:metrics",
        ],
    }
]
c.LocalLabSpawner.state_dir = settings["state"]
c.LocalLabSpawner.sizes = {
    "small": {"cpu": 1.0, "memory": "3Gi"},
    "large": {"cpu": 2.0, "memory": "8Gi"},
}
c.LocalLabSpawner.discovery = {
    "datasets": {
        "sample": {
            "butler_config": "/data/butler/sample",
            "services": {"tap": {"url": "http://localhost:8000/services/tap"}},
        }
    },
    "services": {"internal": {}},
    "influxdb_databases": {},
    "despejado": {"hub_url": "http://127.0.0.1:8000/hub/", "default_dataset": "sample"},
}


def give_token(spawner: Any) -> None:
    spawner.secrets["token"] = "data-token"
    (folder / "hook-ran").touch()


c.Spawner.pre_spawn_hook = give_token
if os.geteuid() == 0:
    c.LocalLabSpawner.identity_hook = identity
for name, value in settings.get("spawner", {}).items():
    setattr(c.LocalLabSpawner, name, value)
if "patience" in settings:
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": settings["patience"]}
    c.Spawner.http_timeout = settings["patience"]
if "stock" in settings:  # the peer of the benchmark
    c.JupyterHub.spawner_class = "simple"
    c.SimpleLocalProcessSpawner.home_dir_template = str(folder / "homes" / "{username}")
    c.Spawner.cmd = [f"{settings['stock']}/bin/jupyterhub-singleuser"]
    c.Spawner.args = ["--allow-root"] if os.geteuid() == 0 else []
    c.Spawner.pre_spawn_hook = None
sys.dont_write_bytecode = True

"""The exit under a real JupyterHub: what the stand-in of the other tests must be like."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.labextension.lab_process import HUB_SCOPES, Log, unused_port

SERVICE_TOKEN = "token-of-the-tests-service"

# JupyterHub without a proxy: the labs are asked at their own ports.
CONFIG = """
import json, sys
from pathlib import Path
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import SimpleLocalProcessSpawner

settings = json.loads(Path("settings.json").read_text())


class NoProxy(Proxy):
    should_start = False
    routes = {}

    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)

    async def get_all_routes(self):
        return dict(self.routes)


def choose_port(spawner):
    spawner.port = settings["ports"][spawner.user.name]


def scopes(spawner):
    own = ["users:activity!user", "access:servers!server"]
    return own if spawner.user.name == "stuck" else [*own, "delete:servers!server"]


c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.bind_url = f"http://127.0.0.1:{settings['public']}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{settings['hub']}"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = SimpleLocalProcessSpawner
c.JupyterHub.services = [{"name": "tests", "api_token": settings["token"]}]
c.JupyterHub.load_roles = [
    {
        "name": "tests",
        "scopes": ["admin:users", "admin:servers", "access:servers"],
        "services": ["tests"],
    },
]
c.Authenticator.allow_all = True
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.pre_spawn_hook = choose_port
c.Spawner.server_token_scopes = scopes
c.SimpleLocalProcessSpawner.home_dir_template = str(Path("homes").resolve()) + "/{username}"
"""


@dataclass(frozen=True)
class Hub:
    """A running JupyterHub and the ports of its labs."""

    api: httpx.Client
    ports: dict[str, int]
    log: Log

    def start_lab(self, user: str) -> httpx.Client:
        """Start the lab of a user and return a client of its ``despejado`` routes."""
        self.api.post(f"/users/{user}").raise_for_status()
        self.api.post(f"/users/{user}/server").raise_for_status()
        with self.api.stream("GET", f"/users/{user}/server/progress") as progress:
            for line in progress.iter_lines():
                event = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if event.get("ready"):
                    break
            else:
                raise AssertionError("the lab is not up:\n" + "".join(self.log.lines))
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.ports[user]}/user/{user}/despejado",
            headers={"Authorization": f"token {SERVICE_TOKEN}"},
            timeout=60,
        )

    def servers(self, user: str) -> dict[str, object]:
        servers: dict[str, object] = self.api.get(f"/users/{user}").json()["servers"]
        return servers


@pytest.fixture(scope="module")
def real_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    ports = {"rachel": unused_port(), "stuck": unused_port()}
    settings = {"public": unused_port(), "hub": unused_port(), "token": SERVICE_TOKEN}
    (folder / "settings.json").write_text(json.dumps({**settings, "ports": ports}))
    (folder / "config.py").write_text(CONFIG)
    for user in ports:
        (folder / "homes" / user).mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterhub", "-f", "config.py"],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    log = Log(process)
    url = f"http://127.0.0.1:{settings['hub']}/hub/api"
    headers = {"Authorization": f"token {SERVICE_TOKEN}"}
    try:
        log.wait_for("JupyterHub is now running")
        with httpx.Client(base_url=url, headers=headers, timeout=60) as api:
            yield Hub(api, ports, log)
            for user in ports:
                api.delete(f"/users/{user}/server")
    finally:
        process.terminate()
        process.wait(timeout=60)


def test_the_hub_stops_the_lab_that_asks(real_hub: Hub) -> None:
    with real_hub.start_lab("rachel") as lab:
        pages = lab.get("config").raise_for_status().json()["hub"]
        assert pages["home_url"].endswith("/hub/home")
        answer = lab.post("exit", json={})
    assert answer.status_code == 202
    real_hub.log.wait_for("server took")
    assert real_hub.servers("rachel") == {}


def test_a_hub_that_gives_no_right_to_stop_is_told_and_the_lab_goes_on(real_hub: Hub) -> None:
    with real_hub.start_lab("stuck") as lab:
        answer = lab.post("exit", json={})
        assert answer.status_code == 403
        assert answer.json()["reason"] == "hub-refused"
        assert "delete:servers" in answer.json()["message"]
        assert lab.get("config").status_code == 200
    assert list(real_hub.servers("stuck")) == [""]


def test_the_stand_in_answers_as_the_hub_does(real_hub: Hub) -> None:
    whoami = real_hub.api.get("/user").raise_for_status().json()
    assert isinstance(whoami["scopes"], list)
    assert {scope.partition("!")[0] for scope in HUB_SCOPES} <= {
        scope.partition("!")[0] for scope in whoami["scopes"]
    }

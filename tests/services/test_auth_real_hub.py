"""The service against a real JupyterHub: its tokens, its answers, and its absence."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.services.conftest import Starter

DATA = Path(__file__).parent / "data"
CONFIG = """
from jupyterhub.proxy import Proxy

class NoProxy(Proxy):
    should_start = False
    async def add_route(self, routespec, target, data): pass
    async def delete_route(self, routespec): pass
    async def get_all_routes(self): return {{}}

c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.hub_port = {port}
c.JupyterHub.bind_url = "http://127.0.0.1:{proxy}"
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret_file = "cookie"
c.JupyterHub.custom_scopes = {{"custom:tap:query": {{"description": "Query the TAP service"}}}}
c.JupyterHub.load_roles = [
    {{"name": "user", "scopes": ["self", "custom:tap:query"]}},
    {{"name": "tests", "services": ["tests"],
      "scopes": ["admin:users", "tokens", "custom:tap:query"]}},
]
c.JupyterHub.services = [{{"name": "tests", "api_token": "{token}"}}]
"""


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@dataclass
class RealHub:
    process: subprocess.Popen[str]
    api_url: str
    client: httpx.Client

    def token(self, user: str, *scopes: str) -> str:
        self.client.post(f"/users/{user}")
        answer = self.client.post(f"/users/{user}/tokens", json={"scopes": list(scopes)})
        token: str = answer.raise_for_status().json()["token"]
        return token

    def revoke(self, user: str) -> None:
        for token in self.client.get(f"/users/{user}/tokens").json()["api_tokens"]:
            self.client.delete(f"/users/{user}/tokens/{token['id']}").raise_for_status()


@pytest.fixture
def real_hub(tmp_path: Path) -> Iterator[RealHub]:
    folder = tmp_path / "hub"
    folder.mkdir()
    port, proxy = _free_ports(2)
    token = secrets.token_hex(16)
    config = folder / "jupyterhub_config.py"
    config.write_text(CONFIG.format(port=port, proxy=proxy, token=token))
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterhub", "-f", str(config)],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if "JupyterHub is now running" in line:
            break
    else:
        raise AssertionError(seen)
    url = f"http://127.0.0.1:{port}/hub/api"
    headers = {"Authorization": f"token {token}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        yield RealHub(process, url, client)
    process.kill()
    process.wait()


def test_tokens_of_a_real_hub(start: Starter, real_hub: RealHub) -> None:
    good = real_hub.token("vera", "custom:tap:query")
    narrow = real_hub.token("edwin", "read:users:name!user")
    service = start(small=True, hub_api_url=real_hub.api_url)
    with service.client(good) as client:
        assert client.get("/async").status_code == 200
        job = client.post("/async", data={"QUERY": "SELECT 1 AS a"})
        assert client.get(job.headers["location"] + "/owner").text == "vera"
    with service.client(narrow) as client:
        assert client.get("/async").status_code == 403
    with service.client("0" * 32) as client:
        assert client.get("/async").status_code == 401
    late = real_hub.token("late", "custom:tap:query")
    real_hub.revoke("late")
    with service.client(late) as client:
        assert client.get("/async").status_code == 401
    real_hub.process.kill()
    real_hub.process.wait()
    with service.client(late + "1") as client:
        assert client.get("/async").status_code == 503


def test_the_recorded_answers_have_the_shape_of_a_real_hub(real_hub: RealHub) -> None:
    token = real_hub.token("vera", "custom:tap:query")
    url = f"{real_hub.api_url}/user"
    real = httpx.get(url, headers={"Authorization": f"token {token}"}).json()
    recorded = json.loads((DATA / "hub_user.json").read_text())
    assert real.keys() == recorded.keys()
    assert {**real, "token_id": ""} == {**recorded, "token_id": ""}
    unknown = httpx.get(url, headers={"Authorization": "token nonsense"})
    assert unknown.status_code == 403
    assert unknown.json() == json.loads((DATA / "hub_user_unknown.json").read_text())

"""JupyterHub configuration of a hub with profiles whose labs end in words instead of pods."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import kubespawner.spawner
from despejado_spawner.pods.spawner import LabSpawner
from jupyterhub.proxy import Proxy
from tornado.web import HTTPError

c: Any = globals()["get_config"]()
folder = Path(os.environ["TEST_HUB_FOLDER"])
settings = json.loads((folder / "settings.json").read_text())
kubespawner.spawner.load_config = lambda **_: None  # there is no cluster


class NoProxy(Proxy):
    should_start = False

    async def add_route(self, routespec: str, target: str, data: object) -> None: ...

    async def delete_route(self, routespec: str) -> None: ...

    async def get_all_routes(self) -> dict[str, Any]:
        return {
            "/": {"routespec": "/", "target": f"http://127.0.0.1:{settings['port']}", "data": {}}
        }


class Labs(LabSpawner):
    def start(self) -> asyncio.Future[str]:
        return asyncio.ensure_future(self._refused())

    async def _refused(self) -> str:
        await self.load_user_options()
        raise HTTPError(503, f"would start {self.image}")

    async def stop(self, now: bool = False) -> None: ...

    async def poll(self) -> int:
        return 0


async def profiles(spawner: Any) -> list[dict[str, Any]]:
    return [
        {
            "display_name": "CPU",
            "slug": "cpu",
            "profile_options": {
                "image": {
                    "display_name": "Image",
                    "choices": {
                        "one": {"display_name": "One", "kubespawner_override": {"image": "lab:1"}},
                        "two": {"display_name": "Two", "kubespawner_override": {"image": "lab:2"}},
                    },
                    "unlisted_choice": {
                        "enabled": True,
                        "validation_regex": r"mine:\w+",
                        "kubespawner_override": {"image": "{value}"},
                    },
                }
            },
        },
        {"display_name": "GPU", "slug": "gpu", "kubespawner_override": {"image": "gpu:1"}},
    ]


c.JupyterHub.bind_url = f"http://127.0.0.1:{settings['port']}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{settings['port']}"
c.JupyterHub.db_url = f"sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(folder / "cookie_secret")
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.spawner_class = Labs
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.allow_all = True
c.JupyterHub.services = [{"name": "tests", "api_token": settings["token"]}]
c.JupyterHub.load_roles = [
    {"name": "tests", "services": ["tests"], "scopes": ["admin:users", "admin:servers", "tokens"]}
]
c.KubeSpawner.profile_list = profiles

"""JupyterHub configuration of the cluster tests' hub; settings come from a JSON file."""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp.connector
from despejado_spawner.models import Group, Identity
from jupyterhub.proxy import Proxy
from traitlets import Dict

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


def uid_of(name: str) -> int:
    return 5000 + sum(name.encode()) % 1000


def identity(spawner: Any) -> Identity:
    name = spawner.user.name
    uid = uid_of(name)
    groups = (Group("stars", 6100), Group("clouds", 6101))
    return Identity(name, uid, uid, groups, f"Dr. {name.title()}")


def prepare(spawner: Any) -> None:
    for trait, given in settings.get("users", {}).get(spawner.user.name, {}).items():
        setattr(spawner, trait, given)
    if hasattr(spawner, "secrets"):
        spawner.secrets["token"] = "data-token"


def new_token(spawner: Any) -> dict[str, str]:
    path = folder / "next-token"
    return {"token": path.read_text()} if path.exists() else {}


c.JupyterHub.log_level = settings.get("log_level", "INFO")
c.JupyterHub.bind_url = f"http://127.0.0.1:{settings['port']}"
c.JupyterHub.hub_bind_url = f"http://{settings['address']}:{settings['api_port']}"
c.JupyterHub.hub_connect_url = f"http://{settings['address']}:{settings['api_port']}"
c.JupyterHub.db_url = f"sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(folder / "cookie_secret")
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
c.JupyterHub.init_spawners_timeout = 1
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.allow_all = True
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.tornado_settings = {
    "slow_spawn_timeout": settings.get("patience", 60),
    "slow_stop_timeout": settings.get("stop_patience", 10),
}
c.JupyterHub.allow_named_servers = True
c.JupyterHub.services = [{"name": "tests", "api_token": settings["token"]}]
c.JupyterHub.load_roles = [
    {
        "name": "tests",
        "services": ["tests"],
        "scopes": [
            "admin:users",
            "admin:servers",
            "tokens",
            "access:servers",
            "read:metrics",
            "proxy",
        ],
    }
]
c.Spawner.consecutive_failure_limit = 0
c.Spawner.pre_spawn_hook = prepare
c.KubeSpawner.namespace = settings["namespace"]
for name, value in settings.get("kubespawner", {}).items():
    setattr(c.KubeSpawner, name, value)
if settings.get("stock"):
    c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
else:
    c.JupyterHub.spawner_class = "despejado_spawner.pods.spawner.LabSpawner"
    if settings.get("identity", True):
        c.LabSpawner.identity_hook = identity
    c.LabSpawner.refresh_secrets_hook = new_token
    for name, value in settings.get("lab", {}).items():
        setattr(c.LabSpawner, name, value)
if settings.get("internal_ssl"):
    # Labs have names then, which a hub outside of the cluster must resolve by itself.
    addresses: dict[str, str] = {}
    look_up = socket.getaddrinfo
    vars(aiohttp.connector)["DefaultResolver"] = aiohttp.ThreadedResolver

    def lab_address(spawner: Any, pod: dict[str, Any]) -> str:
        if spawner.user.name != "lost":
            addresses[spawner.dns_name] = pod["status"]["podIP"]
        return f"https://{spawner.dns_name}:{spawner.port}"

    def known_names(host: Any, *more: Any, **named: Any) -> Any:
        return look_up(addresses.get(host, host), *more, **named)

    socket.getaddrinfo = known_names
    c.JupyterHub.internal_ssl = True
    c.JupyterHub.internal_certs_location = str(folder / "internal-ssl")
    c.JupyterHub.trusted_alt_names = [f"IP:{settings['address']}"]
    c.JupyterHub.hub_bind_url = f"https://{settings['address']}:{settings['api_port']}"
    c.JupyterHub.hub_connect_url = f"https://{settings['address']}:{settings['api_port']}"
    c.KubeSpawner.get_pod_url = lab_address
if "proxy" in settings:  # the platform's own proxy and pages, for a browser
    from despejado_hub.handlers import handlers
    from despejado_hub.jupyterhub_config.configure import PAGES
    from despejado_hub.jupyterhub_config.security import HEADERS

    c.JupyterHub.proxy_class = "jupyterhub.proxy.ConfigurableHTTPProxy"
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = settings["proxy"]["api_url"]
    c.ConfigurableHTTPProxy.auth_token = settings["proxy"]["token"]
    c.JupyterHub.template_paths = [str(PAGES / "templates")]
    c.JupyterHub.template_vars = {
        "platform_name": "Observatory of the tests",
        "demo_login": False,
        "data_scopes": "",
    }
    c.JupyterHub.logo_file = str(PAGES / "static" / "mark.svg")
    c.JupyterHub.extra_handlers = handlers(PAGES / "static")
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0, "headers": HEADERS}
sys.dont_write_bytecode = True

"""Set everything on a traitlets configuration; nothing else does.

The same function serves a demo on a laptop, a hub on one machine and a hub on a cluster: what
differs stands in the platform and in the runtime.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from despejado_hub.authenticator import DemoAuthenticator
from despejado_hub.config import Platform, derive
from despejado_hub.config.relations import is_loopback
from despejado_hub.handlers import handlers
from despejado_hub.jupyterhub_config.database import engine_options
from despejado_hub.jupyterhub_config.limits import configure_limits
from despejado_hub.jupyterhub_config.roles import (
    CULLER,
    SUPERVISOR,
    TAP,
    custom_scopes,
    roles,
)
from despejado_hub.jupyterhub_config.security import HEADERS
from despejado_hub.labs import Labs, labs_of
from despejado_hub.labs.hub_settings import configure_labs
from despejado_hub.runtime import Runtime

PAGES = Path(__file__).parent.parent / "pages"


class ConfigurationRefused(Exception):
    """A combination that would be unsafe; the text says what and why."""


def configure(c: Any, platform: Platform, runtime: Runtime) -> None:
    """Configure JupyterHub 6 for ``platform``, running at ``runtime``.

    ``c`` is a traitlets ``Config``. Reads the tokens of ``runtime.run`` (``<name>.token``, 0400)
    and nothing else. Raises ``ConfigurationRefused`` for what would be unsafe.
    """
    _addresses(c, platform, runtime)
    _database(c, runtime)
    _login(c, platform, runtime)
    _services(c, platform, runtime)
    configure_limits(c, platform)
    labs = labs_of(platform)
    _pages(c, labs, runtime)
    configure_labs(c, labs, runtime)


def _token(runtime: Runtime, name: str) -> str:
    return (runtime.run / f"{name}.token").read_text().strip()


def _addresses(c: Any, platform: Platform, runtime: Runtime) -> None:
    public = platform.public
    host = derive.url_host(public.host)
    c.JupyterHub.bind_url = f"http://{host}:{runtime.port}{public.prefix}"
    c.JupyterHub.hub_bind_url = f"http://{derive.url_host(runtime.hub_host)}:{runtime.hub_port}"
    c.JupyterHub.hub_connect_url = c.JupyterHub.hub_bind_url
    # The proxy is a process of its own: it goes on while the hub restarts, and labs with it.
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{runtime.proxy_api_port}"
    c.ConfigurableHTTPProxy.auth_token = _token(runtime, "proxy")
    # Nor does the hub end what it did not start: whoever wants labs to end says so.
    c.JupyterHub.cleanup_proxy = False
    c.JupyterHub.cleanup_servers = False


def _database(c: Any, runtime: Runtime) -> None:
    folder = runtime.state / "hub"
    database = folder / "jupyterhub.sqlite"
    c.JupyterHub.db_url = f"sqlite:///{database}"
    c.JupyterHub.db_kwargs = engine_options(database)
    c.JupyterHub.cookie_secret_file = os.fspath(folder / "cookie_secret")


def _login(c: Any, platform: Platform, runtime: Runtime) -> None:
    if not is_loopback(platform.public.host):
        # The platform file is checked for this too; a door like this one has two locks.
        raise ConfigurationRefused(
            f"With the demo login anybody with the password is anybody, and public.host is "
            f"{platform.public.host}. It listens on loopback (127.0.0.1) only."
        )
    c.JupyterHub.authenticator_class = DemoAuthenticator
    c.DemoAuthenticator.password_file = os.fspath(runtime.run / "password.json")
    c.Authenticator.allow_all = True


def _services(c: Any, platform: Platform, runtime: Runtime) -> None:
    services: list[dict[str, Any]] = [
        {"name": SUPERVISOR, "api_token": _token(runtime, "supervisor"), "display": False},
        {"name": CULLER, "api_token": _token(runtime, "culler"), "display": False},
    ]
    if platform.services.tap is not None:
        services.append(
            {
                "name": TAP,
                # With a URL and without a command: the hub makes the route and knows the token,
                # and the service is a process that outlives the hub.
                "url": derive.tap_service_url(runtime),
                "api_token": _token(runtime, "tap"),
                "display": False,
                "oauth_no_confirm": False,
            }
        )
    c.JupyterHub.services = services
    c.JupyterHub.load_roles = roles(platform)
    c.JupyterHub.custom_scopes = custom_scopes(platform)
    # A service that ends is started again at once by the supervisor.
    c.JupyterHub.service_check_interval = 0


def _pages(c: Any, labs: Labs, runtime: Runtime) -> None:
    platform = labs.platform
    c.JupyterHub.template_paths = [os.fspath(PAGES / "templates")]
    c.JupyterHub.template_vars = {
        "platform_name": platform.name,
        "demo_login": platform.hub.login.kind == "demo",
        "data_scopes": " ".join(derive.data_scopes(platform)),
    }
    c.JupyterHub.logo_file = os.fspath(PAGES / "static" / "mark.svg")
    c.JupyterHub.extra_handlers = handlers(PAGES / "static")
    c.JupyterHub.tornado_settings = {
        "headers": HEADERS,
        # The page with the phases comes at once, not after ten seconds of waiting.
        "slow_spawn_timeout": 0,
        "despejado_discovery": derive.public_discovery_document(platform, runtime),
        "despejado_menu": labs.menu(runtime),
    }

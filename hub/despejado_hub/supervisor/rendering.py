"""The configuration of each process, as plain values; no I/O."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from despejado_hub.config import Platform, derive
from despejado_hub.config.relations import is_loopback
from despejado_hub.labs import labs_of
from despejado_hub.runtime import Runtime
from despejado_hub.supervisor.settings import Settings

EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 (compared with, not listened on)


def proxy_configuration(platform: Platform, runtime: Runtime, error_pages: Path) -> dict[str, Any]:
    """The file that ``hub/proxy/proxy.mjs`` reads."""
    host = platform.public.host
    # Data services are reached under the name localhost, which has two addresses: whoever held
    # the other one would be handed the tokens of this machine's users. The proxy takes both.
    hosts = ["127.0.0.1", "::1"] if is_loopback(host) else [host]
    if host == "::1":
        hosts.reverse()
    if runtime.hub_host not in hosts and host not in EVERY_ADDRESS:
        hosts.append(runtime.hub_host)  # pods come this way to the data services
    hub = f"http://{derive.url_host(runtime.hub_host)}:{runtime.hub_port}"
    return {
        "hosts": hosts,
        "port": runtime.port,
        "api_port": runtime.proxy_api_port,
        "token_file": os.fspath(runtime.run / "proxy.token"),
        "default_target": hub,
        "error_target": f"{hub}{platform.public.prefix}hub/error",
        "error_path": os.fspath(error_pages),
        "log_level": "info",
    }


def culler_arguments(platform: Platform, runtime: Runtime) -> tuple[str, ...] | None:
    """Arguments of the idle culler (``jupyterhub-idle-culler``); None if nothing is ever culled."""
    idle = platform.hub.idle
    if idle.stop_after is None and idle.max_age is None:
        return None
    # It has no way to say "however long idle", but ten years are that.
    timeout = 10 * 365 * 86400 if idle.stop_after is None else int(idle.stop_after)
    arguments = [
        f"--url={derive.hub_api_url(platform, runtime)}",
        f"--timeout={timeout}",
        f"--cull-every={int(idle.check_every)}",
        "--concurrency=2",
    ]
    if idle.max_age is not None:
        arguments.append(f"--max-age={int(idle.max_age)}")
    return tuple(arguments)


def hub_configuration(platform_file: str, runtime: Runtime) -> dict[str, Any]:
    """The file that the hub's process reads (``despejado_hub.jupyterhub_config.file``)."""
    values = dataclasses.asdict(runtime)
    return {"platform": platform_file, "runtime": {**values, "state": os.fspath(runtime.state)}}


def settings_of(platform: Platform, runtime: Runtime, platform_file: str) -> Settings:
    """The platform for its supervisor."""
    hub_api = derive.hub_api_url(platform, runtime)
    runs_tap = platform.services.tap is not None
    check = f"{derive.tap_service_url(runtime)}{derive.tap_prefix(platform)}/availability"
    return Settings(
        name=platform.name,
        platform=platform_file,
        state=os.fspath(runtime.state),
        url=derive.public_url(platform, runtime),
        hub_url=hub_api.removesuffix("api"),
        hub_api_url=hub_api,
        proxy_api_url=f"http://127.0.0.1:{runtime.proxy_api_port}/api/routes",
        tap_url=derive.public_tap_url(platform, runtime) if runs_tap else None,
        tap_check_url=check if runs_tap else None,
        culler=culler_arguments(platform, runtime),
        lab_namespace=labs_of(platform).namespace,
    )

"""How much at a time, and how often; no I/O."""

from __future__ import annotations

from typing import Any

from despejado_hub.config import Platform, derive


def configure_limits(c: Any, platform: Platform) -> None:
    """Limits of the hub, from the platform."""
    limits = platform.hub.limits
    c.JupyterHub.concurrent_spawn_limit = limits.concurrent_spawns
    c.JupyterHub.active_server_limit = limits.active_labs or 0
    # Labs are asked whether they still run behind the login page, not before it.
    c.JupyterHub.init_spawners_timeout = 1
    interval = derive.activity_interval(platform.hub.idle.stop_after)
    c.JupyterHub.activity_resolution = interval // 2
    c.JupyterHub.last_activity_interval = interval
    named = platform.labs.named_servers
    c.JupyterHub.allow_named_servers = named > 0
    c.JupyterHub.named_server_limit_per_user = named

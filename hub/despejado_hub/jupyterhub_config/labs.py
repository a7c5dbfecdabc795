"""The part of JupyterHub's configuration that is about labs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Awaitable, Callable
from typing import Any

from despejado_spawner.models import Identity

from despejado_hub.config import Platform, derive, pods
from despejado_hub.identity import EmbeddedRegistry
from despejado_hub.jupyterhub_config.limits import activity_interval
from despejado_hub.jupyterhub_config.roles import data_scopes
from despejado_hub.jupyterhub_config.tokens import DataTokens
from despejado_hub.menu import environment_store
from despejado_hub.runtime import Runtime

MENU_PATH = "despejado/menu"


def data_tokens(platform: Platform) -> DataTokens:
    """The data tokens of this platform's labs."""
    if platform.labs.pods is not None:
        return DataTokens(tuple(data_scopes(platform)), pods.TOKEN_LIFETIME)
    oldest = platform.hub.idle.max_age
    return DataTokens(
        tuple(data_scopes(platform)),
        # A lab that is ended for its age has a token until then, and an hour for the ending.
        None if oldest is None else int(oldest) + 3600,
    )


def lab_settings(platform: Platform, runtime: Runtime) -> dict[str, Any]:
    """What the hub's own handlers need of labs: the environments, where labs are processes."""
    if platform.labs.pods is not None:
        return {}
    return {"despejado_store": environment_store(platform, runtime.environments)}


def configure_labs(c: Any, platform: Platform, runtime: Runtime) -> None:
    """Set everything that makes and ends labs."""
    tokens = data_tokens(platform)
    spawner = c.Spawner
    spawner.start_timeout = int(platform.hub.limits.start_timeout)
    spawner.default_url = "/lab"
    spawner.pre_spawn_hook = tokens.mint
    spawner.post_stop_hook = tokens.revoke
    # A user's own configuration must not decide what answers under the lab's address.
    spawner.disable_user_config = True
    # A hub that counts failures of labs as its own ends itself; labs fail for users' reasons.
    spawner.consecutive_failure_limit = 0
    interval = activity_interval(platform.hub.idle.stop_after)
    spawner.environment = {"JUPYTERHUB_ACTIVITY_INTERVAL": str(interval)}
    if platform.labs.pods is not None:
        configure_pods(c, platform, runtime, tokens)
    else:
        configure_processes(c, platform, runtime)


def configure_processes(c: Any, platform: Platform, runtime: Runtime) -> None:
    """Labs as processes of this machine."""
    from despejado_spawner.processes.spawner import LocalLabSpawner

    c.JupyterHub.spawner_class = LocalLabSpawner
    lab = c.LocalLabSpawner
    lab.state_dir = os.fspath(runtime.state)
    lab.environment_policy = dataclasses.asdict(derive.menu_policy(platform))
    lab.sizes = derive.spawner_sizes(platform)
    lab.default_size = platform.labs.default_size
    lab.discovery = derive.discovery_document(platform, runtime)
    lab.menu_path = MENU_PATH
    lab.identity_hook = _identity_hook(platform, runtime)


def configure_pods(c: Any, platform: Platform, runtime: Runtime, tokens: DataTokens) -> None:
    """Labs as pods of a cluster."""
    from despejado_spawner.pods.spawner import LabSpawner

    c.JupyterHub.spawner_class = LabSpawner
    lab = c.LabSpawner
    for name, value in pods.lab_traits(platform, runtime).items():
        setattr(lab, name, value)
    lab.identity_hook = _identity_hook(platform, runtime)
    lab.refresh_secrets_hook = tokens.renew
    c.Spawner.environment = {**c.Spawner.environment, **pods.lab_environment(platform)}


def _identity_hook(platform: Platform, runtime: Runtime) -> Callable[[Any], Awaitable[Identity]]:
    registry = EmbeddedRegistry(runtime.identities, platform.identity)

    async def identity(spawner: Any) -> Identity:
        state = await spawner.user.get_auth_state()
        return await registry.identity(spawner.user.name, state)

    return identity

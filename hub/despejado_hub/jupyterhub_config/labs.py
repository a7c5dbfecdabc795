"""The part of JupyterHub's configuration that is about labs."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from despejado_spawner.local_spawner import LocalLabSpawner
from despejado_spawner.models import Identity

from despejado_hub.config import Platform, derive
from despejado_hub.identity import EmbeddedRegistry
from despejado_hub.jupyterhub_config.limits import activity_interval
from despejado_hub.jupyterhub_config.roles import data_scopes
from despejado_hub.jupyterhub_config.tokens import DataTokens
from despejado_hub.runtime import Runtime

MENU_PATH = "despejado/menu"


def _without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _sizes(platform: Platform) -> dict[str, dict[str, Any]]:
    sizes = (_without_nothing(dataclasses.asdict(size)) for size in derive.lab_sizes(platform))
    return {size.pop("name"): size for size in sizes}


def data_tokens(platform: Platform) -> DataTokens:
    """The data tokens of this platform's labs."""
    oldest = platform.hub.idle.max_age
    return DataTokens(
        tuple(data_scopes(platform)),
        # A lab that is ended for its age has a token until then, and an hour for the ending.
        None if oldest is None else int(oldest) + 3600,
    )


def configure_labs(c: Any, platform: Platform, runtime: Runtime) -> None:
    """Set everything that makes and ends labs."""
    registry = EmbeddedRegistry(runtime.identities, platform.identity)
    tokens = data_tokens(platform)

    async def identity(spawner: Any) -> Identity:
        state = await spawner.user.get_auth_state()
        return await registry.identity(spawner.user.name, state)

    c.JupyterHub.spawner_class = LocalLabSpawner
    lab = c.LocalLabSpawner
    lab.state_dir = os.fspath(runtime.state)
    lab.environment_policy = dataclasses.asdict(derive.menu_policy(platform))
    lab.sizes = _sizes(platform)
    lab.default_size = platform.labs.default_size
    lab.discovery = derive.discovery_document(platform, runtime)
    lab.menu_path = MENU_PATH
    lab.identity_hook = identity
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

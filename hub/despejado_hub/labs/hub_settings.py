"""The part of JupyterHub's configuration that is about labs, of either kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from despejado_spawner.models import Identity

from despejado_hub.config import derive
from despejado_hub.identity import source_of
from despejado_hub.runtime import Runtime

from .interface import Labs
from .tokens import DataTokens


def configure_labs(c: Any, labs: Labs, runtime: Runtime) -> None:
    """Set everything that makes and ends labs."""
    platform = labs.platform
    tokens = DataTokens(tuple(derive.data_scopes(platform)), labs.token_lifetime)
    spawner = c.Spawner
    spawner.start_timeout = int(platform.hub.limits.start_timeout)
    spawner.default_url = "/lab"
    spawner.pre_spawn_hook = tokens.mint
    spawner.post_stop_hook = tokens.revoke
    # A user's own configuration must not decide what answers under the lab's address.
    spawner.disable_user_config = True
    # A hub that counts failures of labs as its own ends itself; labs fail for users' reasons.
    spawner.consecutive_failure_limit = 0
    interval = derive.activity_interval(platform.hub.idle.stop_after)
    spawner.environment = {"JUPYTERHUB_ACTIVITY_INTERVAL": str(interval)}
    labs.configure(c, runtime, tokens=tokens, identity_hook=_identity_hook(labs, runtime))
    lab = c[c.JupyterHub.spawner_class.__name__]
    lab.lab_options = platform.labs.options
    lab.groups_hook = _groups_hook(labs, runtime)


def _identity_hook(labs: Labs, runtime: Runtime) -> Callable[[Any], Awaitable[Identity]]:
    source = source_of(labs.platform, runtime.state)

    async def identity(spawner: Any) -> Identity:
        state = await spawner.user.get_auth_state()
        return await source.identity(spawner.user.name, state)

    return identity


def _groups_hook(labs: Labs, runtime: Runtime) -> Callable[[Any], Awaitable[Collection[str]]]:
    source = source_of(labs.platform, runtime.state)

    async def groups(spawner: Any) -> Collection[str]:
        state = await spawner.user.get_auth_state()
        return await source.groups(spawner.user.name, state)

    return groups

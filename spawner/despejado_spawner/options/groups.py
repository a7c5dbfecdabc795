"""Which groups a user of the hub is in, for options that are not everybody's."""

from __future__ import annotations

from typing import Any, Protocol

from jupyterhub.utils import maybe_future


class GroupedUser(Protocol):
    """A spawner: its user, and who is asked for the user's groups."""

    user: Any
    groups_hook: Any


async def groups_of(spawner: GroupedUser) -> frozenset[str]:
    """The names of the user's groups: what the site's hook says, else JupyterHub's own."""
    if spawner.groups_hook is None:
        return frozenset(group.name for group in spawner.user.groups)
    return frozenset(await maybe_future(spawner.groups_hook(spawner)))

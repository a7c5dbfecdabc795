"""Which groups a user of the hub is in, for options that are not everybody's."""

from __future__ import annotations

import inspect
from typing import Any, Protocol


class GroupedUser(Protocol):
    """A spawner: its user, and who is asked for the user's groups."""

    user: Any
    groups_hook: Any


async def groups_of(spawner: GroupedUser) -> frozenset[str]:
    """The names of the user's groups: what the site's hook says, else JupyterHub's own.

    A hook that need not wait is not waited for: JupyterHub answers a request of REST at the first
    pause, and a wrong option shall be that answer.
    """
    if spawner.groups_hook is None:
        return frozenset(group.name for group in spawner.user.groups)
    said = spawner.groups_hook(spawner)
    return frozenset(await said if inspect.isawaitable(said) else said)

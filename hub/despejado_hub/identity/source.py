"""The interface of everything that knows users' UIDs and GIDs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from despejado_spawner.models import Identity


class IdentitySource(Protocol):
    """Answers who a user of the hub is to the operating system.

    ``username`` is the name as JupyterHub's authenticator normalised it; a source compares it as
    it is and never normalises again. ``auth_state`` is what the authenticator keeps about the
    user (claims of a token, headers), or None.

    ``Identity.username`` of the answer is the POSIX login name, which differs from the hub's
    name where that cannot be one.

    Raises IdentityError if no lab may be started for this user, with a sentence for the reader.
    """

    async def identity(self, username: str, auth_state: Mapping[str, Any] | None) -> Identity: ...

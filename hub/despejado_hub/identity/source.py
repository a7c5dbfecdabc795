"""What the platform asks of everything that knows users' UIDs and GIDs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from despejado_spawner.errors import IdentityError
from despejado_spawner.models import Identity

from despejado_hub.check.result import Result
from despejado_hub.config.identity import IdentitySettings


class IdentitySource(ABC):
    """Answers who a user of the hub is to the operating system.

    ``username`` is the name as JupyterHub's authenticator normalised it; a source compares it as
    it is and never normalises again. A source is a line of ``despejado_hub.config.identity``, or
    an entry point of the group ``despejado.identity_sources``.
    """

    settings_model: ClassVar[type[IdentitySettings]] = IdentitySettings
    """The keys of ``identity`` in a platform file that names this source."""

    @classmethod
    @abstractmethod
    def of(cls, settings: Any, state: Path) -> IdentitySource:
        """The source with its section of the file (a ``settings_model``) and the state folder."""

    @abstractmethod
    async def identity(self, username: str, auth_state: Mapping[str, Any] | None) -> Identity:
        """The identity of a user who starts a lab.

        ``auth_state`` is what the authenticator keeps about the user (claims of a token,
        headers), or None. ``Identity.username`` of the answer is the POSIX login name, which
        differs from the hub's name where that cannot be one.

        Raises
        ------
        IdentityError
            If no lab may be started for this user, with a sentence for the reader.
        """

    async def preview(self, username: str) -> Identity:
        """What ``identity`` would answer now, without keeping anything; raises as it does."""
        return await self.identity(username, None)

    async def seen(self, username: str) -> Identity | None:
        """The identity of a user who is known; None for somebody who never came."""
        return await self.preview(username)

    def check(self) -> Iterator[Result]:
        """Whether the source can answer, for ``despejado check``."""
        yield Result("identity", "ok", f"{type(self).__name__} says who users are")

    def retire(self, username: str) -> None:
        """Forget a user, whose numbers nobody else may get; raises IdentityError if it cannot."""
        raise IdentityError(
            f"{type(self).__name__} keeps no users of its own: remove {username!r} there."
        )

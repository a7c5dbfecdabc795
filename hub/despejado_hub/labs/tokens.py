"""The data token of a lab: minted when the lab starts, revoked when it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from jupyterhub.utils import utcnow

NOTE = "Data services, lab"
ON_ITS_WAY = timedelta(hours=1)
"""How long a file of a lab may be behind, at the very most: the kubelet takes about a minute."""


@dataclass(frozen=True)
class DataTokens:
    """Tokens with the scopes of data services only; see docs/developers.md, "A lab".

    It is not the lab's own API token: whoever reads it can query, and not act as the user on the
    hub. ``lifetime`` is in seconds; None lasts until the lab stops.
    """

    scopes: Sequence[str]
    lifetime: int | None

    def mint(self, spawner: Any) -> None:
        """Put a new token in ``spawner.secrets["token"]``; earlier ones of the lab are deleted.

        ``spawner`` is a JupyterHub spawner (a pre-spawn hook gets one).
        """
        self.revoke(spawner)
        if not self.scopes:
            return
        spawner.secrets["token"] = self._new(spawner)

    def renew(self, spawner: Any) -> dict[str, str]:
        """A new token for a running lab, as ``LabSpawner.refresh_secrets_hook`` gives it.

        The newest of those before and all of the last hour stay valid: one of them is in the
        lab's file until the cluster has brought the new one there, and a hub that is restarted
        renews at once.
        """
        if not self.scopes:
            return {}
        earlier = sorted(self._tokens(spawner), key=lambda token: int(token.id))
        young = utcnow(with_tz=False) - ON_ITS_WAY
        for token in earlier[:-1]:
            if token.created < young:
                spawner.user.db.delete(token)
        value: str = self._new(spawner)
        return {"token": value}

    def _new(self, spawner: Any) -> str:
        token: str = spawner.user.new_api_token(
            note=self.note(spawner.name), scopes=list(self.scopes), expires_in=self.lifetime
        )
        return token

    def _tokens(self, spawner: Any) -> list[Any]:
        note = self.note(spawner.name)
        return [token for token in spawner.user.api_tokens if token.note == note]

    def revoke(self, spawner: Any) -> None:
        """Delete the tokens of this lab from the hub's database."""
        spawner.secrets.pop("token", None)
        session = spawner.user.db
        # A hub that was killed never ran the stop of its labs: this is also where their tokens go.
        for token in self._tokens(spawner):
            session.delete(token)
        session.commit()

    @staticmethod
    def note(server_name: str) -> str:
        """What the token page shows; it also tells the tokens of one lab from all others."""
        return f"{NOTE} {server_name or 'default'}"

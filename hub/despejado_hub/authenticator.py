"""The demo's login: any name, one password, on this machine only."""

from __future__ import annotations

import hmac
import json
import re
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator
from tornado.web import HTTPError
from traitlets import Unicode

from despejado_hub.passwords import hash_password

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
LONGEST_NAME = 64
NAME_RULE = (
    "A user name has letters from a to z, digits, and dots, hyphens or underscores between them; "
    f"at least one letter and at most {LONGEST_NAME} characters."
)


def refused_name(name: str) -> str | None:
    """Why a name cannot be a user's, for the person who typed it; None if it can."""
    if not name:
        return "Type a user name."
    shown = name if len(name) <= 32 else f"{name[:32]}…"
    if len(name) > LONGEST_NAME:
        return f"The user name “{shown}” is too long. {NAME_RULE}"
    if not NAME.fullmatch(name) or ".." in name or not re.search("[a-z]", name):
        return f"The user name “{shown}” cannot be used. {NAME_RULE}"
    return None


class DemoAuthenticator(Authenticator):
    """Any user name with the password that was printed at start."""

    password_file = Unicode(
        help="JSON with salt and scrypt hash of the password, both in hexadecimal digits."
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        record = json.loads(Path(self.password_file).read_text())
        self._salt = bytes.fromhex(record["salt"])
        self._hash = bytes.fromhex(record["scrypt"])

    def normalize_username(self, username: str) -> str:
        """The name as it was typed, without spaces around it, in small letters."""
        return username.strip().lower()

    def validate_username(self, username: str) -> bool:
        """Whether :func:`refused_name` has nothing against the name."""
        return refused_name(username) is None

    def _is_password(self, typed: str) -> bool:
        digest = hash_password(typed, self._salt)
        return hmac.compare_digest(digest, self._hash)

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        """The user's name; None for a wrong password, HTTP 400 for a name that cannot be one."""
        name = self.normalize_username(data.get("username", ""))
        problem = refused_name(name)
        if problem is not None:
            # JupyterHub shows the text on the login form.
            raise HTTPError(400, problem)
        return name if self._is_password(data.get("password", "")) else None

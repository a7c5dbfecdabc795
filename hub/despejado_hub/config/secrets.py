"""Read a secret from where a platform file says it is kept."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from .types import SecretReference

_LONGEST = 65_536


class SecretError(Exception):
    """A secret that cannot be read; the message names its place and never its content."""


def read_secret(reference: SecretReference, environment: Mapping[str, str] | None = None) -> str:
    """The secret without the newline at its end.

    Raises SecretError if it is missing, unreadable, empty or no text.
    """
    source = reference.secret
    if source.file is not None:
        return _from_file(source.file)
    name = source.env or ""
    value = (os.environ if environment is None else environment).get(name)
    if not value:
        raise SecretError(f"The environment variable {name} is not set. Set it for the hub.")
    return value


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
    except OSError as error:
        raise SecretError(
            f"The secret file {path} cannot be read: {error.strerror}. "
            "Write the secret there, mode 0400, owned by the hub's user."
        ) from error
    if len(content) > _LONGEST:
        raise SecretError(f"The secret file {path} is longer than {_LONGEST} bytes.")
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretError(f"The secret file {path} is not UTF-8 text.") from None
    if not text:
        raise SecretError(f"The secret file {path} is empty. Write the secret there.")
    return text


def loose_mode(path: Path) -> str | None:
    """The mode of a secret file as ``0644`` if others than its owner may use it, else None."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"{mode:04o}" if mode & 0o077 else None

"""With which name and password a registry is asked, by reference to where they are kept."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from despejado_images.errors import RegistryError
from despejado_images.reference import DOCKER_HUB, Repository

Login = tuple[str, str]
Credentials = Callable[[], Login]
"""Asked before each look at the registry, so that a renewed secret counts at once."""

_ENVIRONMENT = "env:"
_HUB_KEYS = ("index.docker.io", "registry-1.docker.io", DOCKER_HUB)
_LONGEST = 65_536


def credentials_at(place: str, repository: Repository) -> Credentials:
    """The credentials in a file, or in a variable (``env:NAME``)."""
    return lambda: parse_login(_read(place), repository)


def parse_login(text: str, repository: Repository) -> Login:
    """Name and password from ``user:password`` or a Docker ``config.json``.

    The latter is what a Secret of type ``kubernetes.io/dockerconfigjson`` holds; of several
    entries the one whose path is most of the repository's counts.

    Raises
    ------
    RegistryError
        If there is none for the repository's registry; the text has nothing of the secret.
    """
    text = text.strip()
    if text.startswith("{"):
        return _of_docker(text, repository)
    user, colon, password = text.partition(":")
    if not user or not colon or not password or not text.isprintable():
        raise RegistryError(
            "The credentials for the registry are neither user:password nor a Docker config.json."
        )
    return user, password


def _read(place: str) -> str:
    if place.startswith(_ENVIRONMENT):
        name = place.removeprefix(_ENVIRONMENT)
        value = os.environ.get(name, "")
        if not value:
            raise RegistryError(f"The variable {name} with the registry's credentials is not set.")
        return value
    try:
        with Path(place).open("rb") as file:
            return file.read(_LONGEST).decode()
    except OSError as error:
        raise RegistryError(
            f"The registry's credentials in {place} cannot be read: {error.strerror}."
        ) from None
    except UnicodeDecodeError:
        raise RegistryError(f"The registry's credentials in {place} are no text.") from None


def _of_docker(text: str, repository: Repository) -> Login:
    try:
        auths = json.loads(text)["auths"]
        matching = {
            path: entry
            for key, entry in auths.items()
            if (path := _path_within(key, repository)) is not None
        }
        return _login(matching[max(matching, key=len)])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise RegistryError(
            f"The Docker config.json has no user name and password for {repository.host}."
        ) from None


def _path_within(key: str, repository: Repository) -> str | None:
    """The path of an entry's key, if the repository is below it."""
    host, _, path = key.partition("://")[2].partition("/") if "://" in key else key.partition("/")
    if host in _HUB_KEYS:
        host = DOCKER_HUB
    path = "" if path.strip("/") in ("v1", "v2") else path.strip("/")
    below = not path or f"{repository.path}/".startswith(f"{path}/")
    return path if host == repository.host and below else None


def _login(entry: Mapping[str, Any]) -> Login:
    if entry.get("username"):
        return str(entry["username"]), str(entry["password"])
    user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    if not user or not password:
        raise ValueError
    return user, password

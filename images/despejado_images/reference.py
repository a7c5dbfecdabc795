"""Names of images: here, and in a registry. Pure."""

from __future__ import annotations

import re

from despejado_images.containers.errors import ImageBuildError

LOCAL = "localhost"
_DEFAULT_PREFIX = "despejado"
_HOST = re.compile(
    r"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?", re.ASCII
)
# The OCI distribution specification 1.1, "Pulling manifests": the grammar of a name.
_PATH = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII
)
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?", re.ASCII)


def local_reference(repository: str, tag: str) -> str:
    """The name of an image in this machine's storage."""
    return f"{LOCAL}/{repository}:{tag}"


def remote_reference(registry: str, repository: str, tag: str) -> str:
    """The name of an image in a registry.

    ``registry`` is ``HOST[:PORT]`` or ``HOST[:PORT]/PATH``; a path takes the place of the
    first part of ``repository``. Raises ``ImageBuildError`` for anything else.
    """
    host, slash, path = registry.rstrip("/").partition("/")
    if "://" in registry or not _HOST.fullmatch(host) or (slash and not _PATH.fullmatch(path)):
        raise ImageBuildError(
            f"{registry!r} is no registry: write HOST[:PORT] or HOST[:PORT]/PATH, "
            "such as registry.example.org/observatory, without https://."
        )
    if path and repository.startswith(f"{_DEFAULT_PREFIX}/"):
        repository = repository.removeprefix(f"{_DEFAULT_PREFIX}/")
    return f"{host}/{path}/{repository}:{tag}" if path else f"{host}/{repository}:{tag}"


def speaks_plain_http(reference: str) -> bool:
    """Whether an image's registry is on this machine's loopback, where nobody uses TLS."""
    return _LOOPBACK.fullmatch(reference.partition("/")[0]) is not None

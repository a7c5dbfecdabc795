"""Names of images, repositories and registries: the one parser of them. Pure.

The grammar is that of the OCI distribution specification 1.1 ("Pulling manifests"), what is left
out is that of Docker: a name without a registry is one of Docker Hub.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from despejado_images.errors import ImageNameError
from despejado_images.tags import LEGAL_TAG

DOCKER_HUB = "docker.io"
_HUB_HOSTS = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")
_HUB_API = "registry-1.docker.io"

_HOST = re.compile(
    r"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?", re.ASCII
)
_PATH = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of a registry: ``registry.example.org:5000`` and ``despejado/lab``."""

    host: str
    path: str

    @property
    def api_host(self) -> str:
        """Where the registry's API is; Docker Hub's is at another name than its images'."""
        return _HUB_API if self.host == DOCKER_HUB else self.host

    @property
    def url(self) -> str:
        """The repository in the API: by https, and by http on this machine's loopback only."""
        scheme = "http" if is_loopback(self.host) else "https"
        return f"{scheme}://{self.api_host}/v2/{self.path}"

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


@dataclass(frozen=True, slots=True)
class Reference:
    """An image of a repository, by tag, by digest or by both; either may be empty."""

    repository: Repository
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


def parse_repository(text: str) -> Repository:
    """A repository with its registry: ``registry.example.org/lab``, ``docker.io/library/lab``.

    Raises
    ------
    ImageNameError
        If the text is anything else, such as a name without a registry or with a tag.
    """
    host, rest = _split(text.strip())
    if not host or not _HOST.fullmatch(host) or not _PATH.fullmatch(rest):
        raise ImageNameError(
            f"{text!r} is no repository with its registry, such as registry.example.org/lab"
        )
    return _repository(host, rest)


def parse_reference(text: str) -> Reference:
    """The name of an image as it is pulled: ``[HOST[:PORT]/]PATH[:TAG][@DIGEST]``.

    Raises
    ------
    ImageNameError
        If the text is no name of an image.
    """
    name, at, digest = text.partition("@")
    host, rest = _split(name)
    path, colon, tag = rest.partition(":")
    whole = (
        (not host or _HOST.fullmatch(host))
        and _PATH.fullmatch(path)
        and (not colon or LEGAL_TAG.fullmatch(tag))
        and (not at or _DIGEST.fullmatch(digest))
    )
    if not whole:
        raise ImageNameError(
            f"{text!r} is no name of an image, such as registry.example.org/lab:w_2026_43"
        )
    return Reference(_repository(host or DOCKER_HUB, path), tag, digest)


def parse_registry(text: str) -> tuple[str, str]:
    """Host and path of ``HOST[:PORT]`` or ``HOST[:PORT]/PATH``; the path may be empty.

    Raises
    ------
    ImageNameError
        If the text is no registry.
    """
    host, slash, path = text.rstrip("/").partition("/")
    if "://" in text or not _HOST.fullmatch(host) or (slash and not _PATH.fullmatch(path)):
        raise ImageNameError(
            f"{text!r} is no registry: write HOST[:PORT] or HOST[:PORT]/PATH, "
            "such as registry.example.org/observatory, without https://."
        )
    return host, path


def registry_of(text: str) -> str:
    """The registry that an image comes from, for messages; also of names that are none."""
    return _split(text)[0] or DOCKER_HUB


def is_digest(text: str) -> bool:
    """Whether this is the digest of a manifest or a blob."""
    return _DIGEST.fullmatch(text) is not None


def is_loopback(host: str) -> bool:
    """Whether a registry (``HOST[:PORT]``) is on this machine, where nobody uses TLS."""
    return _LOOPBACK.fullmatch(host) is not None


def _split(name: str) -> tuple[str, str]:
    """Host and the rest of a name; the first part is a host if it can be no part of a path."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return "", name


def _repository(host: str, path: str) -> Repository:
    if host not in _HUB_HOSTS:
        return Repository(host, path)
    return Repository(DOCKER_HUB, path if "/" in path else f"library/{path}")

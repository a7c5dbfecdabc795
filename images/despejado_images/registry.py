"""An OCI registry's side of the image menu: tags, digests and labels over its HTTP API.

OCI Distribution Specification 1.1, sections "Listing Tags" and "Pulling manifests". Anonymous
registries, HTTP basic credentials and the token service that a registry names are understood.
Credentials go to the registry itself, and to a token service only on its host or over https.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp

from despejado_images.errors import ImagesError

MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_MOST_PAGES = 200
_REFERENCE = re.compile(
    r"(?P<host>[a-z0-9.-]+(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?)/(?P<path>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)",
    re.I,
)


class RegistryError(ImagesError):
    """A registry that did not answer as it should; the text says which, and what it said."""

    reason = "image_registry"


@dataclass(frozen=True)
class Repository:
    """A repository of a registry: ``registry.example.org:5000`` and ``despejado/lab``."""

    host: str
    path: str

    @property
    def url(self) -> str:
        """Where its API is: https, and http on this machine only."""
        local = self.host.startswith(_LOCAL)
        return f"{'http' if local else 'https'}://{self.host}/v2/{self.path}"

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


@dataclass(frozen=True)
class ImageFacts:
    """What a registry knows of one tag; ``size_bytes`` is that of all layers, compressed."""

    tag: str
    digest: str
    size_bytes: int
    labels: Mapping[str, str] = field(default_factory=dict)
    created: str = ""


def parse_repository(text: str) -> Repository:
    """A repository with its host; raises ``ValueError`` naming what is wrong."""
    match = _REFERENCE.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is no repository with its registry, such as registry.example.org/lab"
        )
    return Repository(match["host"], match["path"])


class Registry:
    """Questions to one repository. ``credentials`` are a user's name and password."""

    def __init__(
        self,
        repository: Repository,
        credentials: tuple[str, str] | None = None,
        timeout: float = 10.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.repository = repository
        self._credentials = credentials
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._tls = tls or True
        self._token = ""

    async def tags(self, session: aiohttp.ClientSession) -> list[str]:
        """All tags, page by page."""
        url = f"{self.repository.url}/tags/list?n=1000"
        found: list[str] = []
        for _ in range(_MOST_PAGES):
            body, headers = await self._get(session, url, "application/json")
            names = _json(body, self.repository).get("tags") or []
            found += [name for name in names if isinstance(name, str)]
            following = _next_page(headers.get("Link", ""))
            if following is None:
                break
            url = f"{_origin(self.repository.url)}{following}"
        return found

    async def facts(self, session: aiohttp.ClientSession, tag: str) -> ImageFacts:
        """Digest, size and labels of a tag; of several platforms that of linux/amd64."""
        accept = ", ".join((*MANIFESTS, *INDEXES))
        body, headers = await self._get(session, f"{self.repository.url}/manifests/{tag}", accept)
        manifest = _json(body, self.repository)
        digest = headers.get("Docker-Content-Digest", "")
        if manifest.get("mediaType") in INDEXES or "manifests" in manifest:
            own = _for_this_platform(manifest)
            body, _ = await self._get(
                session, f"{self.repository.url}/manifests/{own}", ", ".join(MANIFESTS)
            )
            manifest = _json(body, self.repository)
            digest = digest or own
        config = manifest.get("config") or {}
        body, _ = await self._get(
            session, f"{self.repository.url}/blobs/{config.get('digest')}", "*/*"
        )
        document = _json(body, self.repository)
        labels = (document.get("config") or {}).get("Labels") or {}
        return ImageFacts(
            tag=tag,
            digest=digest,
            size_bytes=sum(int(layer.get("size", 0)) for layer in manifest.get("layers") or []),
            labels={str(key): str(value) for key, value in labels.items()},
            created=str(document.get("created", "")),
        )

    async def _get(
        self, session: aiohttp.ClientSession, url: str, accept: str
    ) -> tuple[bytes, Mapping[str, str]]:
        for attempt in (1, 2):
            headers = {"Accept": accept}
            auth = None
            if self._token:
                headers["Authorization"] = f"Bearer {self._token}"
            elif self._credentials is not None:
                auth = aiohttp.BasicAuth(*self._credentials)
            try:
                async with session.get(
                    url, headers=headers, auth=auth, timeout=self._timeout, ssl=self._tls
                ) as answer:
                    body = await answer.read()
                    if answer.status == 200:
                        return body, answer.headers
                    challenge = answer.headers.get("WWW-Authenticate", "")
                    if answer.status == 401 and attempt == 1 and challenge.startswith("Bearer"):
                        self._token = await self._ask_for_token(session, challenge)
                        continue
                    raise self._refused(answer.status, body)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise RegistryError(
                    f"The registry {self.repository.host} does not answer: "
                    f"{error or type(error).__name__}"
                ) from error
        raise self._refused(401, b"")

    async def _ask_for_token(self, session: aiohttp.ClientSession, challenge: str) -> str:
        said = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = urlsplit(said.get("realm", ""))
        trusted = realm.scheme == "https" or realm.netloc == self.repository.host
        if not trusted:
            raise RegistryError(
                f"The registry {self.repository.host} sends its users to {realm.geturl()!r} for a "
                "token, which is neither https nor itself."
            )
        auth = aiohttp.BasicAuth(*self._credentials) if self._credentials else None
        query = {key: said[key] for key in ("service", "scope") if key in said}
        async with session.get(
            realm.geturl(), params=query, auth=auth, timeout=self._timeout, ssl=self._tls
        ) as answer:
            body = await answer.read()
            if answer.status != 200:
                raise self._refused(answer.status, body)
        document = _json(body, self.repository)
        return str(document.get("token") or document.get("access_token") or "")

    def _refused(self, status: int, body: bytes) -> RegistryError:
        try:
            said = json.loads(body)["errors"][0]["message"]
        except (ValueError, KeyError, IndexError, TypeError):
            said = body[:200].decode(errors="replace")
        what = {
            401: "does not let the platform in; its credentials are missing or wrong",
            403: "does not let the platform in",
            404: "has no such repository or tag",
            429: "has been asked too often",
        }.get(status, f"answered {status}")
        return RegistryError(f"The registry of {self.repository} {what}: {said}".strip(" :"))


def _next_page(link: str) -> str | None:
    match = re.match(r'<([^>]+)>;\s*rel="?next"?', link)
    if match is None:
        return None
    parts = urlsplit(match[1])
    # Only the path counts: a registry does not send its clients elsewhere.
    return f"{parts.path}?{parts.query}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _for_this_platform(index: Mapping[str, Any]) -> str:
    entries = index.get("manifests") or []
    for entry in entries:
        platform = entry.get("platform") or {}
        if platform.get("os") == "linux" and platform.get("architecture") == "amd64":
            return str(entry.get("digest"))
    raise RegistryError("The image is not there for linux/amd64.")


def _json(body: bytes, repository: Repository) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RegistryError(f"The registry of {repository} answered something that is no JSON.")
    return cast(dict[str, Any], found)


async def all_facts(
    registry: Registry, session: aiohttp.ClientSession, tags: list[str], at_once: int = 6
) -> list[ImageFacts]:
    """The facts of several tags, a few at a time; raises the first failure."""
    places = asyncio.Semaphore(at_once)

    async def one(tag: str) -> ImageFacts:
        async with places:
            return await registry.facts(session, tag)

    return list(await asyncio.gather(*map(one, tags)))

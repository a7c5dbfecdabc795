"""An OCI registry's side of the image menu: tags, digests and labels over its HTTP API.

OCI Distribution Specification 1.1, sections "Listing Tags" and "Pulling manifests". Anonymous
registries, HTTP basic credentials and the token service that a registry names are understood.
Credentials go to the registry itself, and to a token service only over https or on loopback.
Whatever is answered, nothing but a ``RegistryError`` is raised.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp

from despejado_images.credentials import Credentials, Login
from despejado_images.errors import ImageFaultError, RegistryError
from despejado_images.manifests import (
    INDEXES,
    MANIFESTS,
    ImageFacts,
    choose_manifest,
    clean,
    facts_of,
    is_index,
    layers_of,
)
from despejado_images.reference import Repository, is_digest, is_loopback
from despejado_images.tags import LEGAL_TAG

_MOST_PAGES = 200
_MOST_BYTES = 16 * 2**20
_TOKEN = re.compile(r"[\x21-\x7e]+")


class Registry:
    """Questions to one repository."""

    def __init__(
        self,
        repository: Repository,
        credentials: Credentials | None = None,
        timeout: float = 10.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.repository = repository
        self._credentials = credentials
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._tls = tls or True
        self._login: Login | None = None
        self._token = ""

    async def tags(self, session: aiohttp.ClientSession) -> list[str]:
        """All tags, page by page; what is no tag is left out."""
        self._login = self._credentials() if self._credentials is not None else None
        url = f"{self.repository.url}/tags/list?n=1000"
        found: list[str] = []
        for _ in range(_MOST_PAGES):
            body, headers = await self._get(session, url, "application/json")
            names = _json(body, self.repository).get("tags")
            if not isinstance(names, list | None):
                raise RegistryError(f"The registry of {self.repository} gave no list of tags.")
            found += [each for each in names or () if isinstance(each, str)]
            following = _next_page(headers.get("Link", ""))
            if following is None:
                break
            url = f"{_origin(self.repository.url)}{following}"
        return [tag for tag in dict.fromkeys(found) if LEGAL_TAG.fullmatch(tag)]

    async def facts(
        self, session: aiohttp.ClientSession, tag: str, architectures: Sequence[str]
    ) -> ImageFacts:
        """Digest, size and labels of a tag, for the first of the architectures that it is for.

        Raises
        ------
        ImageFaultError
            If the image itself cannot be used.
        RegistryError
            If the registry does not tell.
        """
        accept = ", ".join((*MANIFESTS, *INDEXES))
        body, headers = await self._get(session, f"{self.repository.url}/manifests/{tag}", accept)
        manifest = _json(body, self.repository)
        digest = headers.get("Docker-Content-Digest", "")
        if not is_digest(digest):
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if is_index(manifest):
            own = choose_manifest(manifest, architectures)
            body, _ = await self._get(
                session, f"{self.repository.url}/manifests/{own}", ", ".join(MANIFESTS)
            )
            manifest = _json(body, self.repository)
        config, size = layers_of(manifest)
        body, _ = await self._get(session, f"{self.repository.url}/blobs/{config}", "*/*")
        return facts_of(digest, size, _json(body, self.repository), architectures)

    async def _get(
        self, session: aiohttp.ClientSession, url: str, accept: str
    ) -> tuple[bytes, Mapping[str, str]]:
        try:
            status, body, headers = await self._ask(session, url, accept)
            challenge = headers.get("WWW-Authenticate", "")
            if status == 401 and challenge.lower().startswith("bearer"):
                self._token = await self._ask_for_token(session, challenge)
                status, body, headers = await self._ask(session, url, accept)
        # Of texts that go into URLs and headers, aiohttp refuses some with a ValueError.
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise RegistryError(
                f"The registry {self.repository.host} does not answer: "
                f"{clean(str(error)) or type(error).__name__}"
            ) from error
        if status != 200:
            raise self._refused(status, body)
        return body, headers

    async def _ask(
        self, session: aiohttp.ClientSession, url: str, accept: str
    ) -> tuple[int, bytes, Mapping[str, str]]:
        bearer = {"Authorization": f"Bearer {self._token}"} if self._token else self._basic()
        headers = {"Accept": accept, **bearer}
        async with session.get(
            url, headers=headers, timeout=self._timeout, ssl=self._tls
        ) as answer:
            return answer.status, await self._body(answer), answer.headers

    def _basic(self) -> dict[str, str]:
        if self._login is None:
            return {}
        encoded = base64.b64encode(":".join(self._login).encode()).decode()
        return {"Authorization": f"Basic {encoded}"}

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise RegistryError(f"The registry of {self.repository} answers without end.")
        return bytes(body)

    async def _ask_for_token(self, session: aiohttp.ClientSession, challenge: str) -> str:
        said = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = urlsplit(said.get("realm", ""))
        local = is_loopback(realm.netloc) and is_loopback(self.repository.host)
        if realm.scheme != "https" and not (realm.scheme == "http" and local):
            raise RegistryError(
                f"The registry {self.repository.host} sends its users to {clean(realm.geturl())!r} "
                "for a token, which is not https."
            )
        query = {key: said[key] for key in ("service", "scope") if key in said}
        async with session.get(
            realm.geturl(),
            params=query,
            headers=self._basic(),
            timeout=self._timeout,
            ssl=self._tls,
        ) as answer:
            body = await self._body(answer)
            if answer.status != 200:
                raise self._refused(answer.status, body)
        document = _json(body, self.repository)
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise RegistryError(f"The token service of {self.repository} gave no token.")
        return token

    def _refused(self, status: int, body: bytes) -> RegistryError:
        try:
            said = clean(json.loads(body)["errors"][0]["message"])
        except (ValueError, LookupError, TypeError, RecursionError):
            said = clean(body[:200].decode(errors="replace"))
        what = {
            401: "does not let the platform in; its credentials are missing or wrong",
            403: "does not let the platform in",
            404: "has no such repository or tag",
            429: "has been asked too often",
        }.get(status, f"answered {status}")
        kind = ImageFaultError if status == 404 else RegistryError
        return kind(f"The registry of {self.repository} {what}: {said}".strip(" :"))


def _next_page(link: str) -> str | None:
    match = re.match(r'<([^>]+)>;\s*rel="?next"?', link)
    if match is None:
        return None
    try:
        parts = urlsplit(match[1])
    except ValueError:
        return None
    # Only the path counts: a registry does not send its clients elsewhere.
    return f"{parts.path}?{parts.query}" if parts.path.startswith("/") else None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _json(body: bytes, repository: Repository) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ImageFaultError(f"The registry of {repository} answered something that is no JSON.")
    return cast(dict[str, Any], found)


async def all_facts(
    registry: Registry,
    session: aiohttp.ClientSession,
    tags: Sequence[str],
    architectures: Sequence[str],
    at_once: int = 6,
) -> dict[str, ImageFacts | RegistryError]:
    """Of each tag its facts, or why there are none; a few are asked for at a time."""
    places = asyncio.Semaphore(at_once)

    async def one(tag: str) -> ImageFacts | RegistryError:
        async with places:
            try:
                return await registry.facts(session, tag, architectures)
            except RegistryError as error:
                return error

    return dict(zip(tags, await asyncio.gather(*map(one, tags)), strict=True))

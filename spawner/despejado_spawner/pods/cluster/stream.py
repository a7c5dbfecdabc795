"""Lists in pages and watches in lines, as the API server sends them: plain JSON, no models."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from despejado_spawner.pods.models import Manifest

GONE = 410


class Response(Protocol):
    """What is used of an ``aiohttp.ClientResponse``."""

    status: int
    reason: str | None
    content: Any

    async def read(self) -> bytes:
        """The whole body."""

    def close(self) -> None:
        """Give the connection up."""


Call = Callable[..., Awaitable[Response]]
"""A bound ``list_...`` method of ``kubernetes_asyncio``, with its selectors."""


class ApiStatus(Exception):
    """The API server answered with an error; ``body`` is its Status object, or text."""

    def __init__(self, status: int, reason: str | None, body: Manifest | str) -> None:
        self.status = status
        self.reason = reason
        self.body = body
        message = body.get("message") if isinstance(body, dict) else body
        super().__init__(f"{status} {reason or ''}: {message or 'no message'}")


def api_status(status: int, reason: str | None, body: bytes) -> ApiStatus:
    """The error that an answer stands for. The reason is Kubernetes' where the body has one."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return ApiStatus(status, found.get("reason") or reason, found)
    return ApiStatus(status, reason, body.decode(errors="replace")[:2000])


async def list_pages(
    call: Call, *, page_size: int, timeout: float
) -> AsyncIterator[tuple[list[Manifest], str]]:
    """The pages of a list: their objects, and the resource version of the whole.

    Raises
    ------
    ApiStatus
        If the server refuses; 410 says that the list changed too much to be continued.
    """
    token: str | None = None
    while True:
        more = {"_continue": token} if token else {}
        response = await call(
            limit=page_size, _preload_content=False, _request_timeout=timeout, **more
        )
        body = await response.read()
        if response.status != 200:
            raise api_status(response.status, response.reason, body)
        page = json.loads(body)
        metadata = page.get("metadata") or {}
        yield page.get("items") or [], str(metadata.get("resourceVersion") or "")
        token = metadata.get("continue")
        if not token:
            return


async def watch_lines(response: Response) -> AsyncIterator[tuple[str, Manifest]]:
    """The type and the object of each event of a watch, until the server ends it.

    Lines may be of any length: ``StreamReader.readline`` refuses those above its buffer.

    Raises
    ------
    ApiStatus
        If the server sends an ERROR event.
    ValueError
        If what it sends is not JSON.
    """
    rest = bytearray()
    async for chunk in response.content.iter_any():
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            if rest:
                rest += chunk[start:end]
                line = bytes(rest)
                rest.clear()
            else:
                line = chunk[start:end]
            start = end + 1
            if line.strip():
                yield _event(line)
        rest += chunk[start:]


def _event(line: bytes) -> tuple[str, Manifest]:
    event = json.loads(line)
    try:
        kind, found = str(event["type"]), event["object"]
        found.get("kind")
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"Not a watch event: {line[:200]!r}") from None
    if kind == "ERROR":
        raise ApiStatus(int(found.get("code") or 500), found.get("reason"), found)
    return kind, found

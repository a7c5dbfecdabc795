"""The few HTTP requests that the supervisor makes, without an HTTP library.

The supervisor runs all the time; a library for this would double its memory.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit


async def status_of(
    method: str,
    url: str,
    *,
    token: str = "",
    body: Mapping[str, Any] | None = None,
    seconds: float = 5.0,
) -> int | None:
    """The status code of one request to this machine; None if nobody answers in time."""
    address = urlsplit(url)
    content = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"{method} {address.path or '/'} HTTP/1.1",
        f"Host: {address.netloc}",
        "Connection: close",
        f"Content-Length: {len(content)}",
        "Content-Type: application/json",
    ]
    if token:
        lines.append(f"Authorization: token {token}")
    request = ("\r\n".join(lines) + "\r\n\r\n").encode() + content
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            try:
                writer.write(request)
                await writer.drain()
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    words = line.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None


async def answers(url: str) -> bool:
    """Whether a page of this machine is there (status 2xx)."""
    status = await status_of("GET", url)
    return status is not None and 200 <= status < 300


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again, twenty times a second, until the answer is yes."""
    # Another process comes up by itself and tells nobody.
    while not await check():  # noqa: ASYNC110
        await asyncio.sleep(0.05)

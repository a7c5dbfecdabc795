"""What a busy hub must not hold against the API server: its own waiting.

A hub whose users all come in the same minute has a thousand requests to make. Sent together they
wait in the client's pool of connections, and the hub is too busy to read what came: measured with
500 labs at once, its event loop took up to 8 s for a turn. Requests that nobody had sent yet, or
whose answers were there, were given up after their three seconds and made anew, and starts failed
by a time-out of an API server that was well. So requests wait their turn, and an answer that is
there counts however late the hub is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Hashable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from despejado_spawner.pods.cluster.deadline import Deadline

UNDER_WAY = 90
"""Of the 100 connections that the client keeps (``connection_pool_maxsize``); watches need some.

Fewer are slower: a busy hub takes a second to see an answer, so a place is held for seconds.
"""
SLICES = 12
"""A request's time is counted in so many parts, each of which is one at most, however long it took:
so an event loop that takes seconds for a turn still has the turns that reading an answer needs."""

Answer = TypeVar("Answer")

_lines: WeakKeyDictionary[Hashable, asyncio.Semaphore] = WeakKeyDictionary()


@asynccontextmanager
async def turn(client: Hashable, deadline: Deadline) -> AsyncIterator[None]:
    """Wait for a place among the requests of a client, first come, first served, and hold it.

    Raises
    ------
    TimeoutError
        If there is none before the deadline.
    """
    line = _lines.get(client)
    if line is None:
        line = _lines[client] = asyncio.Semaphore(UNDER_WAY)
    async with asyncio.timeout(deadline.timeout):
        await line.acquire()
    try:
        yield
    finally:
        line.release()


async def answered(request: Coroutine[Any, Any, Answer], seconds: float) -> Answer:
    """The result of a request within so many seconds; those of a busy loop do not count.

    Raises
    ------
    TimeoutError
        If there is no answer. What the request itself raises is raised.
    """
    task = asyncio.ensure_future(request)
    try:
        for _ in range(SLICES):
            done, _ = await asyncio.wait({task}, timeout=seconds / SLICES)
            if done:
                return task.result()
        raise TimeoutError
    finally:
        task.cancel()

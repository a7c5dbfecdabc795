"""Does the server in the pod answer? Noticed when it happens, not by a poll that backs off."""

from __future__ import annotations

import asyncio
import ssl as tls
import time
from dataclasses import dataclass

import aiohttp

from despejado_spawner.errors import SpawnerError
from despejado_spawner.pods.cluster.deadline import Deadline

LONGEST_PAUSE = 0.5
FIRST_CONNECT = 1.0
LONGEST_CONNECT = 8.0


@dataclass(frozen=True)
class Answer:
    """What a single-user server said first; ``hub_version`` is that of its JupyterHub package."""

    status: int
    hub_version: str | None
    attempts: int


class NoAnswer(SpawnerError):
    """The server did not answer in time; ``last`` says what was seen of it."""

    reason = "timeout"

    def __init__(self, url: str, seconds: float, attempts: int, last: str) -> None:
        self.url, self.seconds, self.attempts, self.last = url, seconds, attempts, last
        super().__init__(
            f"The server at {url} did not answer within {seconds:.0f} s"
            f" ({attempts} attempt{'s' if attempts != 1 else ''}). {last}"
        )


async def answers(
    url: str,
    *,
    deadline: Deadline,
    ssl: tls.SSLContext | None = None,
    refused_delay: float = 0.05,
) -> Answer:
    """Wait until ``url`` (``<address><base URL>api``) gives any HTTP answer below 500.

    A connection that was accepted is waited for: our launcher listens before it imports
    anything, so the first request is answered when the server is ready. A refused one is tried
    again after ``refused_delay`` seconds, growing to half a second.

    Raises
    ------
    NoAnswer
        If there is none before the deadline.
    """
    began = time.monotonic()
    last = "No connection could be made."
    attempts, pause, connect = 0, refused_delay, FIRST_CONNECT

    async def connected(*_: object) -> None:
        nonlocal last
        last = "The connection was accepted, but no answer came."

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(connected)
    # Each lab has an address of its own: there is no connection that a session of longer life
    # could use again, and none is to be left open at the lab.
    connector = aiohttp.TCPConnector(
        ssl=ssl or True, force_close=True, use_dns_cache=False, resolver=aiohttp.ThreadedResolver()
    )
    jar = aiohttp.DummyCookieJar()
    try:
        async with (
            asyncio.timeout(deadline.timeout),
            aiohttp.ClientSession(
                connector=connector, cookie_jar=jar, trace_configs=[trace]
            ) as session,
        ):
            while True:
                attempts += 1
                timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect)
                try:
                    async with session.get(url, timeout=timeout, allow_redirects=False) as answer:
                        if answer.status < 500:
                            version = answer.headers.get("X-JupyterHub-Version")
                            return Answer(answer.status, version, attempts)
                        last = f"Its last answer was {answer.status} {answer.reason}."
                except aiohttp.ConnectionTimeoutError:
                    # A packet that was lost before the pod's route was there: the kernel's own
                    # second try comes later and later.
                    last = f"No connection could be made in {connect:g} s."
                    connect = min(LONGEST_CONNECT, connect * 2)
                    continue
                except (aiohttp.ClientError, OSError) as error:
                    last = f"The last error was: {str(error) or type(error).__name__}."
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 1.5)
    except TimeoutError:
        raise NoAnswer(url, time.monotonic() - began, attempts, last) from None

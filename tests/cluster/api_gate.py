"""A door before the API server: it counts calls, and lets tests fail any of them.

A hub whose kubeconfig names the door talks to the real API server through it. Watches stream. The
door runs in a thread of its own, so that tests may block.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from tests.cluster.kube import Kube, _tls

_PATH = re.compile(
    r"/apis?/(?:[^/]+/)?v[^/]+/(?:namespaces/(?P<ns>[^/]+)/)?(?P<kind>[a-z]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?$"
)
_NOT_FORWARDED = frozenset({"host", "content-length", "transfer-encoding", "connection"})


@dataclass(frozen=True)
class Call:
    """One request: verb as RBAC has it, plural kind, name and namespace where it has one."""

    verb: str
    kind: str
    name: str | None
    namespace: str | None

    def __str__(self) -> str:
        return f"{self.verb} {self.kind}"


@dataclass
class Gate:
    """What the door knows and does. ``fail`` decides for each call what is answered instead.

    ``fail`` returns None to let a call pass, an HTTP status to answer at once, or ``"drop"`` to
    close the connection without an answer.
    """

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    fail: Callable[[Call], int | str | None] = lambda call: None
    failed: list[Call] = field(default_factory=list)

    def counted(self) -> Counter[str]:
        return Counter(map(str, self.calls))


SESSION = web.AppKey("session", aiohttp.ClientSession)
TLS: web.AppKey[Any] = web.AppKey("tls", object)
GATE = web.AppKey("gate", Gate)
UPSTREAM = web.AppKey("upstream", str)


def read_call(method: str, path: str, *, watch: bool) -> Call | None:
    """The call that a request is; None for discovery and the like."""
    found = _PATH.match(path)
    if found is None:
        return None
    kind, name = found["kind"], found["name"]
    if found["sub"]:
        kind = f"{kind}/{found['sub']}"
    verb = {
        "GET": ("get" if name else "watch" if watch else "list"),
        "POST": "create",
        "PATCH": "patch",
        "PUT": "update",
        "DELETE": "delete" if name else "deletecollection",
    }[method]
    return Call(verb, kind, name, found["ns"])


@contextmanager
def api_gate(kubeconfig: Path, folder: Path, port: int = 0) -> Iterator[tuple[Gate, Path]]:
    """An open door before the API server of ``kubeconfig``, and a kubeconfig that names it."""
    kube = Kube(kubeconfig)
    gate = Gate()
    loop = asyncio.new_event_loop()
    ready: threading.Event = threading.Event()
    thread = threading.Thread(target=_run, args=(loop, gate, kube, ready, port), daemon=True)
    thread.start()
    assert ready.wait(10), "the door did not open"
    document = yaml.safe_load(kubeconfig.read_text())
    for cluster in document["clusters"]:
        cluster["cluster"] = {"server": gate.url}
    path = folder / "gate.kubeconfig"
    path.write_text(yaml.safe_dump(document))
    try:
        yield gate, path
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _run(
    loop: asyncio.AbstractEventLoop, gate: Gate, kube: Kube, ready: threading.Event, port: int
) -> None:
    asyncio.set_event_loop(loop)

    async def begin() -> web.AppRunner:
        document = yaml.safe_load(kube.kubeconfig.read_text())
        user = document["users"][0]["user"]
        tls: ssl.SSLContext | bool = _tls(kube.cluster, user)
        session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=64 * 2**20)
        app[SESSION], app[TLS], app[GATE] = session, tls, gate
        app[UPSTREAM] = kube.cluster["server"]
        app.router.add_route("*", "/{path:.*}", _forward)
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        address: Any = runner.addresses[0]
        gate.url = f"http://127.0.0.1:{address[1]}"
        ready.set()
        return runner

    runner = loop.run_until_complete(begin())
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(runner.app[SESSION].close())
        loop.run_until_complete(runner.cleanup())
        loop.close()


async def _forward(request: web.Request) -> web.StreamResponse:
    gate: Gate = request.app[GATE]
    watch = request.query.get("watch", "").lower() == "true"
    call = read_call(request.method, request.path, watch=watch)
    if call is not None:
        gate.calls.append(call)
        answer = gate.fail(call)
        if answer is not None:
            gate.failed.append(call)
            if answer == "drop":
                assert request.transport is not None
                request.transport.close()
                return web.Response(status=502)
            return web.json_response(_status(int(answer)), status=int(answer))
    headers = {k: v for k, v in request.headers.items() if k.lower() not in _NOT_FORWARDED}
    body = await request.read()
    session: aiohttp.ClientSession = request.app[SESSION]
    url = f"{request.app[UPSTREAM]}{request.raw_path}"
    try:
        async with session.request(
            request.method,
            url,
            headers=headers,
            data=body or None,
            ssl=request.app[TLS],
            timeout=aiohttp.ClientTimeout(total=None),
        ) as upstream:
            answered = {
                k: v for k, v in upstream.headers.items() if k.lower() not in _NOT_FORWARDED
            }
            response = web.StreamResponse(status=upstream.status, headers=answered)
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response
    except (aiohttp.ClientError, OSError):
        assert request.transport is not None
        request.transport.close()
        return web.Response(status=502)


def _status(code: int) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "failed by the test",
        "reason": {403: "Forbidden", 500: "InternalError", 503: "ServiceUnavailable"}.get(code),
        "code": code,
    }

"""A small API server: lists in pages, watches with bookmarks, and every way in which they break.

It speaks as the real one does (``test_watch_cluster.py`` runs the same code against that); what it
adds is that a test can make it forget, refuse, hang and drop connections at a given moment.
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from kubernetes_asyncio.client import Configuration

Manifest = dict[str, Any]
KINDS = {
    "pods": "Pod",
    "events": "Event",
    "secrets": "Secret",
    "configmaps": "ConfigMap",
    "networkpolicies": "NetworkPolicy",
    "services": "Service",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "jobs": "Job",
}
PATH = re.compile(
    r"/(?:api/v1|apis/[^/]+/v1)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?$"
)


@dataclass
class Fault:
    """What happens to the next ``times`` requests that match; -1: to all."""

    method: str
    path: re.Pattern[str]
    times: int = 1
    status: int | None = None
    reason: str = "Fault"
    message: str = "made to fail"
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: bool = False
    after: bool = False
    """Carry the request out first: only its answer is lost."""
    watch: bool | None = None


@dataclass(eq=False)
class Watcher:
    plural: str
    namespace: str | None
    labels: str
    fields: str
    bookmarks: bool
    cut: bool = False
    deaf: bool = False
    queue: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)


class FakeApi:
    """The server. ``requests`` are those it got; ``faults`` what it does to them."""

    def __init__(self) -> None:
        self.version = 100
        self.compacted = 0
        self.objects: dict[tuple[str, str, str], Manifest] = {}
        self.history: list[tuple[int, str, str, Manifest]] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.bodies: list[Any] = []
        self.faults: list[Fault] = []
        self.watchers: list[Watcher] = []
        self.logs: dict[str, str] = {}
        self.pages_expire = 0
        """How many lists are continued too late."""
        self.snapshots: dict[str, tuple[int, list[Manifest]]] = {}
        """What a list that is read in pages shows, whatever changes meanwhile."""
        self.changed: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.runner: web.AppRunner | None = None
        self.port = 0

    # -- life ---------------------------------------------------------------------------------

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        self.runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", port or self.port)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        """The server goes, connections and all; what it stores stays."""
        self.drop_watches(cut=True)
        if self.runner is not None:
            runner, self.runner = self.runner, None
            await runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # -- what tests do to it ------------------------------------------------------------------

    def fail(self, method: str, path: str, **what: Any) -> Fault:
        fault = Fault(method, re.compile(path), **what)
        self.faults.append(fault)
        return fault

    def put(self, plural: str, item: Manifest, *, tell: bool = True) -> Manifest:
        """Create or change an object."""
        item = copy.deepcopy(item)
        metadata = item.setdefault("metadata", {})
        metadata.setdefault("namespace", "labs")
        key = (plural, metadata["namespace"], metadata["name"])
        before = self.objects.get(key)
        self.version += 1
        if before is not None:
            metadata["uid"] = before["metadata"]["uid"]
            metadata["creationTimestamp"] = before["metadata"]["creationTimestamp"]
        metadata.setdefault("uid", str(uuid.uuid4()))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata.setdefault("creationTimestamp", now)
        metadata["resourceVersion"] = str(self.version)
        item.setdefault("kind", KINDS[plural])
        self.objects[key] = item
        self._happened("MODIFIED" if before else "ADDED", plural, item, tell)
        return item

    def remove(self, plural: str, name: str, namespace: str = "labs", *, tell: bool = True) -> None:
        item = copy.deepcopy(self.objects.pop((plural, namespace, name)))
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self._happened("DELETED", plural, item, tell)

    def compact(self) -> None:
        """Forget what happened until now: who watches from before is told 410."""
        self.version += 1
        self.compacted = self.version

    def bookmark(self, plural: str) -> None:
        """Tell watchers how far the world is."""
        item = {"kind": KINDS[plural], "metadata": {"resourceVersion": str(self.version)}}
        for watcher in self._of(plural):
            if watcher.bookmarks:
                watcher.queue.put_nowait(_line("BOOKMARK", item))

    def send(self, plural: str, line: bytes) -> None:
        """Any bytes into the watches."""
        for watcher in self._of(plural):
            watcher.queue.put_nowait(line)

    def drop_watches(self, *, cut: bool = False) -> None:
        """End all watches as a server does after their time, or cut their connections."""
        for watcher in list(self.watchers):
            watcher.cut = cut
            watcher.queue.put_nowait(None)

    def forget_watches(self) -> None:
        """Send nothing any more and say nothing of it, like a connection lost in a network."""
        for watcher in list(self.watchers):
            watcher.deaf = True

    def made(self, method: str, plural: str, *, watch: bool | None = None) -> int:
        """How many such requests there were."""
        return sum(
            1
            for each, path, query in self.requests
            if each == method
            and f"/{plural}" in path
            and (watch is None or ("watch" in query) is watch)
        )

    async def until(self, condition: Any, timeout: float = 5.0) -> None:
        """Wait for a condition that a request to this server brings about."""
        async with asyncio.timeout(timeout):
            while not condition():
                event = self.changed["any"]
                event.clear()
                await event.wait()

    async def until_watched(self, plural: str, count: int = 1) -> None:
        await self.until(lambda: len(self._of(plural)) >= count)

    # -- requests -----------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path, query))
        self.bodies.append(body)
        self._note()
        fault = self._fault(request)
        if fault is not None and not fault.after:
            return await self._break(request, fault)
        answer = await self._answer(request, query, body)
        if fault is not None:
            return await self._break(request, fault)
        return answer

    async def _answer(
        self, request: web.Request, query: dict[str, str], body: Any
    ) -> web.StreamResponse:
        match = PATH.match(request.path)
        assert match is not None, request.path
        plural, namespace, name = match["plural"], match["namespace"], match["name"]
        if match["sub"] == "log":
            text = self.logs.get(name or "")
            return web.Response(text=text) if text is not None else _status(404, "NotFound")
        if request.method == "POST":
            return self._create(plural, namespace, body, request)
        if name is None:
            if query.get("watch"):
                return await self._watch(request, plural, namespace, query)
            return self._list(plural, namespace, query, request)
        item = self.objects.get((plural, namespace, name))
        if item is None:
            return _status(404, "NotFound", f'{plural} "{name}" not found')
        if request.method == "DELETE":
            wanted = ((body or {}).get("preconditions") or {}).get("uid")
            if wanted and wanted != item["metadata"]["uid"]:
                message = f"Operation cannot be fulfilled on {name}: the UID in the precondition"
                return _status(409, "Conflict", message)
            self.remove(plural, name, namespace)
            return web.json_response(item)
        if request.method == "PATCH":
            item = copy.deepcopy(item)
            if request.content_type == "application/strategic-merge-patch+json":
                _strategic_merge(item, body)
            else:
                _merge(item, body)
            item = self.put(plural, item)
        return web.json_response(_as_asked(item, request))

    def _create(
        self, plural: str, namespace: str, body: Manifest, request: web.Request
    ) -> web.Response:
        name = body["metadata"]["name"]
        if (plural, namespace, name) in self.objects:
            return _status(409, "AlreadyExists", f'{plural} "{name}" already exists')
        body["metadata"]["namespace"] = namespace
        made = self.put(plural, body)
        return web.json_response(_as_asked(made, request), status=201)

    def _list(
        self, plural: str, namespace: str | None, query: dict[str, str], request: web.Request
    ) -> web.Response:
        token, _, start_text = query.get("continue", "").partition(":")
        start = int(start_text or 0)
        if token and self.pages_expire:
            self.pages_expire -= 1
            return _status(410, "Expired", "The provided continue parameter is too old")
        if token:
            version, found = self.snapshots[token]
        else:
            version, found = (
                self.version,
                [
                    item
                    for (each, where, _), item in sorted(
                        self.objects.items(), key=lambda pair: pair[0]
                    )
                    if each == plural
                    and namespace in (None, where)
                    and _chosen(
                        item, query.get("labelSelector", ""), query.get("fieldSelector", "")
                    )
                ],
            )
        limit = int(query.get("limit") or 0) or len(found) or 1
        metadata = {"resourceVersion": str(version)}
        if start + limit < len(found):
            token = token or str(len(self.snapshots))
            self.snapshots[token] = version, found
            metadata["continue"] = f"{token}:{start + limit}"
        items = [_as_asked(item, request) for item in found[start : start + limit]]
        return web.json_response({"kind": "List", "metadata": metadata, "items": items})

    async def _watch(
        self, request: web.Request, plural: str, namespace: str | None, query: dict[str, str]
    ) -> web.StreamResponse:
        watcher = Watcher(
            plural,
            namespace,
            query.get("labelSelector", ""),
            query.get("fieldSelector", ""),
            query.get("allowWatchBookmarks") == "True",
        )
        since = int(query["resourceVersion"])
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        if since < self.compacted:
            await response.write(_error(410, "Expired", f"too old resource version: {since}"))
            return response
        for version, kind, each, item in self.history:
            if version > since and each == plural and self._concerns(watcher, item):
                watcher.queue.put_nowait(_line(kind, item))
        self.watchers.append(watcher)
        self._note()
        try:
            async with asyncio.timeout(float(query.get("timeoutSeconds") or 3600)):
                while (line := await watcher.queue.get()) is not None:
                    await response.write(line)
        except (ConnectionError, TimeoutError):
            pass  # the client went away, or its time is over
        finally:
            self.watchers.remove(watcher)
            self._note()
        if watcher.cut and request.transport is not None:
            request.transport.abort()
        return response

    async def _break(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.hang:
            await asyncio.Event().wait()
        if fault.drop:
            assert request.transport is not None
            request.transport.abort()
        answer = _status(fault.status or 500, fault.reason, fault.message)
        answer.headers.update(fault.headers)
        return answer

    def _fault(self, request: web.Request) -> Fault | None:
        for fault in self.faults:
            if fault.method != request.method or not fault.path.search(request.path):
                continue
            if fault.watch is not None and ("watch" in request.query) is not fault.watch:
                continue
            if fault.times > 0:
                fault.times -= 1
                if not fault.times:
                    self.faults.remove(fault)
            return fault
        return None

    def _happened(self, kind: str, plural: str, item: Manifest, tell: bool) -> None:
        self.history.append((self.version, kind, plural, copy.deepcopy(item)))
        if tell:
            for watcher in self._of(plural):
                if self._concerns(watcher, item):
                    watcher.queue.put_nowait(_line(kind, item))

    def _of(self, plural: str) -> list[Watcher]:
        return [each for each in self.watchers if each.plural == plural and not each.deaf]

    def _concerns(self, watcher: Watcher, item: Manifest) -> bool:
        if watcher.namespace not in (None, item["metadata"]["namespace"]):
            return False
        return _chosen(item, watcher.labels, watcher.fields)

    def _note(self) -> None:
        self.changed["any"].set()

    def counts(self) -> Counter[str]:
        """Objects by plural."""
        return Counter(plural for plural, _, _ in self.objects)


@asynccontextmanager
async def running_api() -> AsyncIterator[FakeApi]:
    """A fake API server that clients of ``kubernetes_asyncio`` talk to by default."""
    api = FakeApi()
    await api.start()
    before = Configuration.get_default_copy()
    settings = Configuration()
    settings.host = api.url
    Configuration.set_default(settings)
    try:
        yield api
    finally:
        Configuration.set_default(before)
        await api.stop()


def pod(name: str, **more: Any) -> Manifest:
    """A pod of a lab."""
    metadata = {
        "name": name,
        "namespace": more.pop("namespace", "labs"),
        "labels": {"component": "singleuser-server", **more.pop("labels", {})},
        "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}],
        **more.pop("metadata", {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "notebook", "image": "lab:1"}]},
        "status": {"phase": more.pop("phase", "Pending")},
    }


def event(name: str, about: Manifest, **more: Any) -> Manifest:
    """An event of a pod."""
    metadata = about["metadata"]
    return {
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "involvedObject": {
            "kind": "Pod",
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
        "type": "Normal",
        "reason": "Scheduled",
        "message": "Successfully assigned",
        "count": 1,
        "firstTimestamp": None,
        "lastTimestamp": None,
        "eventTime": None,
        **more,
    }


def _as_asked(item: Manifest, request: web.Request) -> Manifest:
    if "PartialObjectMetadata" in request.headers.get("Accept", ""):
        return {"kind": "PartialObjectMetadata", "metadata": item["metadata"]}
    return item


def _chosen(item: Manifest, labels: str, fields: str) -> bool:
    has = item["metadata"].get("labels") or {}
    for part in filter(None, labels.split(",")):
        name, equals, value = part.partition("=")
        if name not in has or (equals and has[name] != value):
            return False
    for part in filter(None, fields.split(",")):
        path, _, value = part.partition("=")
        found: Any = item
        for step in path.split("."):
            found = found.get(step, "")
        if found != value:
            return False
    return True


def _merge(target: Manifest, patch: Manifest) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value


def _strategic_merge(target: Manifest, patch: Manifest) -> None:
    """As the API server merges a pod's scheduling gates: a list whose key is the name."""
    for each in patch["spec"].pop("schedulingGates", []):
        assert each.get("$patch") == "delete"
        gates = target["spec"].get("schedulingGates") or []
        left = [gate for gate in gates if gate["name"] != each["name"]]
        target["spec"]["schedulingGates"] = left
    _merge(target, patch)


def _line(kind: str, item: Manifest) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def _error(code: int, reason: str, message: str) -> bytes:
    status = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return _line("ERROR", status)


def _status(code: int, reason: str, message: str = "") -> web.Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
    }
    return web.json_response(body, status=code)

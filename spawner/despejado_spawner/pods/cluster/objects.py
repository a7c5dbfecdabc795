"""Objects of the cluster as plain manifests: made, read, changed, deleted, found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.requests import (
    JSON,
    MERGE_PATCH,
    ONLY_METADATA,
    ONLY_METADATA_LIST,
    Calls,
    Reply,
    Request,
)
from despejado_spawner.pods.cluster.stream import GONE
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.names import START_LABEL

PATHS = {
    "Pod": ("/api/v1", "pods"),
    "Secret": ("/api/v1", "secrets"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Service": ("/api/v1", "services"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "Job": ("/apis/batch/v1", "jobs"),
    "Event": ("/api/v1", "events"),
}
"""Where the API has the kinds of objects that a lab is made of."""
UNREAD = frozenset({"Secret", "ConfigMap", "NetworkPolicy", "Service"})
"""Kinds of which an answer's metadata is enough; the hub may not read a Secret at all."""
GOES_AWAY = 3
"""How often something may be there when it is created and gone when it is looked at."""
PAGE = 500
LOG_BYTES = 64 * 1024
LOG_TYPES = "application/json, */*"


class ObjectApi:
    """Calls in one namespace, all of them within one deadline.

    Every method raises the :class:`~despejado_spawner.errors.SpawnerError` that
    ``refusals.refusal`` makes of an answer, or of no answer in time. ``calls`` counts requests by
    method and resource ("POST pods"); give the same counter to several for a sum. ``trouble`` is
    called when the API server does not answer and is asked again.
    """

    def __init__(
        self,
        namespace: str,
        *,
        deadline: Deadline,
        request_timeout: float,
        retry_timeout: float,
        log: Any,
        calls: Counter[str] | None = None,
        trouble: Callable[[], None] | None = None,
    ) -> None:
        self.namespace = namespace
        self._deadline = deadline
        self._log = log
        self._request_timeout = request_timeout
        self._calls = Calls(
            deadline=deadline,
            request_timeout=request_timeout,
            retry_timeout=retry_timeout,
            log=log,
            made=calls,
            trouble=trouble,
        )

    @property
    def calls(self) -> Counter[str]:
        """How many requests were made, by method and resource."""
        return self._calls.made

    async def create(self, manifest: Manifest) -> Manifest:
        """Create an object and return it; one that this start has made already is returned.

        An attempt whose answer was lost may have made it, and so may the hub before this one. Of
        what is in ``UNREAD`` only the metadata is returned.
        """
        made = await self._create(manifest)
        if isinstance(made, Reply):
            raise self._calls.refusal(self._creation(manifest), made)
        return made

    async def replace(self, manifest: Manifest) -> Manifest:
        """As :meth:`create`, but one of this name that another start has left is deleted first."""
        made = await self._create(manifest)
        for _ in range(GOES_AWAY):
            if not isinstance(made, Reply):
                return made
            await self.delete(manifest["kind"], manifest["metadata"]["name"])
            made = await self._create(manifest)
        if isinstance(made, Reply):
            raise self._calls.refusal(self._creation(manifest), made)
        return made

    async def create_pod(self, manifest: Manifest) -> Manifest | None:
        """As :meth:`create`, but None if there is another pod of this name."""
        made = await self._create(manifest)
        return None if isinstance(made, Reply) else made

    async def _create(self, manifest: Manifest) -> Manifest | Reply:
        """The object, or the refusal because another one has its name."""
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        start = labels_of(manifest).get(START_LABEL)
        namespace = self._namespace(manifest)
        reply = await self._calls.ask(self._creation(manifest))
        for _ in range(GOES_AWAY):
            if reply.status != 409:
                break
            found = await self.find(
                kind, namespace=namespace, fields=f"metadata.name={name}", only_metadata=True
            )
            if found:
                if start is None or labels_of(found[0]).get(START_LABEL) != start:
                    return reply
                if kind != "Pod":
                    return found[0]
                pod = await self.read("Pod", name, namespace=namespace)
                if pod is not None:
                    return pod
            reply = await self._calls.ask(self._creation(manifest))
        return reply if reply.status == 409 else _manifest(reply)

    async def try_create(self, manifest: Manifest) -> None:
        """Have the API server judge an object without keeping it (``dryRun=All``)."""
        request = replace(self._creation(manifest), query={"dryRun": "All"})
        reply = await self._calls.ask(request)
        if reply.status == 409 and (reply.reason or "") != "AlreadyExists":
            raise self._calls.refusal(request, reply)

    def _creation(self, manifest: Manifest) -> Request:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        namespace = self._namespace(manifest)
        return Request(
            "POST",
            object_path(kind, namespace),
            f"create the {kind} {name} in namespace {namespace}",
            body=manifest,
            accept=ONLY_METADATA if kind in UNREAD else JSON,
            expected=frozenset({409}),
        )

    async def read(self, kind: str, name: str, *, namespace: str | None = None) -> Manifest | None:
        """The object, None if there is none."""
        where = namespace or self.namespace
        reply = await self._calls.ask(
            Request(
                "GET",
                object_path(kind, where, name),
                f"read the {kind} {name} in namespace {where}",
                expected=frozenset({404}),
            )
        )
        return None if reply.status == 404 else _manifest(reply)

    async def patch(
        self,
        kind: str,
        name: str,
        patch: Manifest,
        *,
        namespace: str | None = None,
        content_type: str = MERGE_PATCH,
    ) -> Manifest | None:
        """Apply a patch, by default a merge patch (RFC 7386); None without such an object.

        What is returned of a Secret is its metadata.
        """
        where = namespace or self.namespace
        reply = await self._calls.ask(
            Request(
                "PATCH",
                object_path(kind, where, name),
                f"change the {kind} {name} in namespace {where}",
                body=patch,
                content_type=content_type,
                accept=ONLY_METADATA if kind in UNREAD else JSON,
                expected=frozenset({404}),
            )
        )
        return None if reply.status == 404 else _manifest(reply)

    async def delete(
        self,
        kind: str,
        name: str,
        *,
        namespace: str | None = None,
        grace: int | None = None,
        uid: str | None = None,
    ) -> bool:
        """Delete an object and what it owns; False if it (the one with this ``uid``) is not there.

        A pod goes on being there until its containers have ended.
        """
        where = namespace or self.namespace
        options: Manifest = {"propagationPolicy": "Background"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        reply = await self._calls.ask(
            Request(
                "DELETE",
                object_path(kind, where, name),
                f"delete the {kind} {name} in namespace {where}",
                body=options,
                expected=frozenset({404, 409} if uid is not None else {404}),
            )
        )
        return reply.status not in (404, 409)

    async def find(
        self,
        kind: str,
        *,
        labels: str = "",
        fields: str = "",
        namespace: str | None = None,
        only_metadata: bool = False,
    ) -> list[Manifest]:
        """The objects that the selectors choose, read in pages."""
        found: list[Manifest] = []
        token, restarted = "", False
        where = namespace or self.namespace
        while True:
            query = {"limit": str(PAGE), "labelSelector": labels, "fieldSelector": fields}
            reply = await self._calls.ask(
                Request(
                    "GET",
                    object_path(kind, where),
                    f"list the {kind} objects of namespace {where}",
                    query={key: text for key, text in {**query, "continue": token}.items() if text},
                    accept=ONLY_METADATA_LIST if only_metadata else JSON,
                    expected=frozenset({GONE}) if token and not restarted else frozenset(),
                )
            )
            if reply.status == GONE:
                found, token, restarted = [], "", True
                continue
            page = _manifest(reply)
            found += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return found

    async def log_tail(
        self, pod: str, container: str, *, lines: int = 50, namespace: str | None = None
    ) -> list[str]:
        """The last lines that a container has written; none if it never ran or is gone."""
        where = namespace or self.namespace
        query = {"container": container, "tailLines": str(lines), "limitBytes": str(LOG_BYTES)}
        reply = await self._calls.ask(
            Request(
                "GET",
                f"{object_path('Pod', where, pod)}/log",
                f"read the log of {container} in the Pod {pod}",
                query=query,
                accept=LOG_TYPES,
                expected=frozenset({400, 404}),
            )
        )
        return str(reply.body).splitlines() if reply.status == 200 else []

    def _namespace(self, manifest: Manifest) -> str:
        return str(manifest["metadata"].get("namespace") or self.namespace)


def object_path(kind: str, namespace: str, name: str | None = None) -> str:
    """The address of an object, or of all of its kind."""
    group, plural = PATHS[kind]
    path = f"{group}/namespaces/{namespace}/{plural}"
    return f"{path}/{name}" if name else path


def _manifest(reply: Reply) -> Manifest:
    found: Manifest = reply.body
    return found


def labels_of(item: Manifest) -> Mapping[str, str]:
    """The labels of an object."""
    found: Mapping[str, str] = item["metadata"].get("labels") or {}
    return found

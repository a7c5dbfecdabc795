"""The calls that the life of a lab makes: one pod, and all objects of one start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kubespawner.clients import shared_client

from despejado_spawner.errors import SpawnerError
from despejado_spawner.pods.cluster.backoff import Backoff
from despejado_spawner.pods.cluster.objects import ObjectApi, labels_of, object_path
from despejado_spawner.pods.cluster.requests import (
    JSON,
    STRATEGIC_MERGE_PATCH,
    TRANSPORT,
    Request,
)
from despejado_spawner.pods.cluster.stream import ApiStatus, api_status, watch_lines
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.names import LAB_LABEL, MANAGED_BY, START_LABEL

DEPENDENTS = ("Secret", "ConfigMap", "NetworkPolicy")


class LabApi(ObjectApi):
    """Objects of labs in one namespace, and the jobs that belong to them in another."""

    async def ensure_namespace(self, manifest: Manifest) -> None:
        """Create a namespace unless it is there."""
        name = manifest["metadata"]["name"]
        what = f"create the namespace {name}"
        path = "/api/v1/namespaces"
        there = frozenset({409})
        await self._calls.ask(Request("POST", path, what, body=manifest, expected=there))

    async def open_gate(self, pod: str, gate: str) -> Manifest | None:
        """Take one scheduling gate from a pod and leave others; None if there is no such pod.

        By name: the place of a gate in the list changes when somebody else opens theirs.
        """
        patch = {"spec": {"schedulingGates": [{"$patch": "delete", "name": gate}]}}
        return await self.patch("Pod", pod, patch, content_type=STRATEGIC_MERGE_PATCH)

    async def patch_secret(self, name: str, values: Mapping[str, str]) -> bool:
        """Set values of a Secret; False if there is no such Secret."""
        return await self.patch("Secret", name, {"stringData": dict(values)}) is not None

    async def delete_pod(self, name: str, grace: int | None = None, uid: str | None = None) -> bool:
        """:meth:`delete` a pod."""
        return await self.delete("Pod", name, grace=grace, uid=uid)

    async def delete_job(self, namespace: str, name: str) -> bool:
        """:meth:`delete` a job of another namespace, with its pods."""
        return await self.delete("Job", name, namespace=namespace)

    async def pods_of_job(self, namespace: str, name: str) -> AsyncIterator[Manifest]:
        """The states of a job's pods as they come, until the deadline has passed."""
        selector = f"batch.kubernetes.io/job-name={name}"
        backoff = Backoff(0.1, 2.0)
        while not self._deadline.passed:
            try:
                found, version = await self._first_pods(namespace, selector)
                for pod in found:
                    yield pod
                async for pod in self._further_pods(namespace, selector, version):
                    backoff.reset()
                    yield pod
            except (*TRANSPORT, ApiStatus, ValueError) as error:
                self._log.debug("The watch of the job %s/%s: %s", namespace, name, error)
            except SpawnerError as error:
                if error.reason != "api":
                    raise
                self._log.debug("The pods of the job %s/%s: %s", namespace, name, error)
            await asyncio.sleep(min(backoff.next(), self._deadline.left))

    async def _first_pods(self, namespace: str, selector: str) -> tuple[Sequence[Manifest], str]:
        reply = await self._calls.ask(
            Request(
                "GET",
                object_path("Pod", namespace),
                f"list the pods of {selector} in namespace {namespace}",
                query={"labelSelector": selector},
            )
        )
        page: Manifest = reply.body
        return page.get("items") or [], page["metadata"]["resourceVersion"]

    async def _further_pods(
        self, namespace: str, selector: str, version: str
    ) -> AsyncIterator[Manifest]:
        self.calls["WATCH pods"] += 1
        left = min(max(self._deadline.left, 1.0), 3600.0)
        client = shared_client("CoreV1Api").api_client
        response = await client.call_api(
            object_path("Pod", namespace),
            "GET",
            query_params=[
                ("watch", "true"),
                ("labelSelector", selector),
                ("resourceVersion", version),
                ("timeoutSeconds", str(round(left))),
            ],
            header_params={"Accept": JSON},
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=(self._request_timeout, left),
        )
        try:
            if response.status != 200:
                raise api_status(response.status, response.reason, await response.read())
            async for kind, pod in watch_lines(response):
                if kind != "BOOKMARK":
                    yield pod
        finally:
            response.close()

    # -- all of one start ---------------------------------------------------------------------

    async def adopt(self, objects: Sequence[Manifest], pod: Manifest) -> None:
        """Make the pod the owner of objects, so that they go with it."""
        metadata = pod["metadata"]
        owner = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": False,
            "blockOwnerDeletion": False,
        }
        patch = {"metadata": {"ownerReferences": [owner]}}
        await _all(self.patch(each["kind"], each["metadata"]["name"], patch) for each in objects)

    async def adopt_start(self, pod: Manifest) -> None:
        """Go on where a hub ended between creating a pod and giving it what was made for it."""
        start = labels_of(pod).get(START_LABEL)
        if start is None:
            return
        found = await self._dependents(f"{START_LABEL}={start}")
        await self.adopt([each for each in found if not _owned(each)], pod)

    async def remove_start(self, start_id: str, job_namespace: str | None = None) -> None:
        """Delete everything of one start; what fails is told when the rest is done.

        A pod's network policy stays until the pod is gone: its owner is, and it is collected.
        """
        selector = f"{START_LABEL}={start_id}"
        removals: list[Awaitable[Any]] = [self._remove_pods(selector)]
        if job_namespace is not None:
            removals.append(self._remove_jobs(selector, job_namespace))
        await _all(removals)
        found = await self._dependents(selector)
        await _all(
            self.delete(each["kind"], each["metadata"]["name"])
            for each in found
            if not (each["kind"] == "NetworkPolicy" and _owned(each))
        )

    async def sweep(self, before: datetime, pause: float = 0.0) -> list[str]:
        """Delete dependents older than ``before`` that no pod owns and whose pod never came.

        Returns their kinds and names. What is found is looked at again after ``pause`` seconds: it
        may belong to a start of this moment, of another hub or by a clock that differs.
        """
        left = await self._ownerless(before)
        if left and pause:
            await asyncio.sleep(pause)
            seen = {each["metadata"]["uid"] for each in left}
            again = await self._ownerless(before)
            left = [each for each in again if each["metadata"]["uid"] in seen]
        await _all(
            self.delete(each["kind"], each["metadata"]["name"], uid=each["metadata"]["uid"])
            for each in left
        )
        return [f"{each['kind']} {each['metadata']['name']}" for each in left]

    async def _ownerless(self, before: datetime) -> list[Manifest]:
        managed = f"{MANAGED_BY[0]}={MANAGED_BY[1]},{START_LABEL},{LAB_LABEL}"
        found = await self._dependents(managed)
        # Listed after them: a pod that was created meanwhile is seen.
        pods = await self.find("Pod", labels=START_LABEL, only_metadata=True)
        starts = {labels_of(pod)[START_LABEL] for pod in pods}
        # Times of creation are of whole seconds, and so are rounded down.
        second = before.replace(microsecond=0)
        return [
            each
            for each in found
            if not _owned(each)
            and _born(each) < second
            and labels_of(each)[START_LABEL] not in starts
        ]

    async def _dependents(self, selector: str) -> list[Manifest]:
        lists = await _all(
            self.find(kind, labels=selector, only_metadata=True) for kind in DEPENDENTS
        )
        # Metadata alone has the kind PartialObjectMetadata.
        return [
            {**each, "kind": kind}
            for kind, found in zip(DEPENDENTS, lists, strict=True)
            for each in found
        ]

    async def _remove_pods(self, selector: str) -> None:
        pods = await self.find("Pod", labels=selector, only_metadata=True)
        found = [pod["metadata"] for pod in pods]
        await _all(self.delete_pod(each["name"], grace=1, uid=each["uid"]) for each in found)

    async def _remove_jobs(self, selector: str, namespace: str) -> None:
        jobs = await self.find("Job", labels=selector, namespace=namespace, only_metadata=True)
        await _all(self.delete_job(namespace, job["metadata"]["name"]) for job in jobs)


def _owned(item: Manifest) -> bool:
    return bool(item["metadata"].get("ownerReferences"))


def _born(item: Manifest) -> datetime:
    return datetime.fromisoformat(item["metadata"]["creationTimestamp"])


async def _all(calls: Iterable[Awaitable[Any]]) -> list[Any]:
    """At once; a failure is raised when the others are over, so that they have their chance."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results

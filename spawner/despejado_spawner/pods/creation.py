"""Making the objects of a lab, in the one order that leaves nothing half done.

What the pod needs comes first and without owner; then the pod; then it is given what was made for
it, while the cluster starts it already. So the kubelet never meets a pod whose ConfigMap is
missing, and a hub that dies in between leaves either things without a pod, which are swept up, or
a pod with all that it needs, with which the next hub goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from despejado_spawner.errors import HomeError, LabFailed
from despejado_spawner.homes import HomeReport
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.names import HOME_GATE
from despejado_spawner.pods.plan.home_job import read_home_verdict


class Objects(Protocol):
    """The calls that a start makes (:class:`~despejado_spawner.pods.cluster.lab_api.LabApi`)."""

    async def create(self, manifest: Manifest) -> Manifest:
        """Create an object; the one that is there, if this start has made it already.

        Raises
        ------
        SpawnerError
            If the cluster refuses.
        """
        ...

    async def replace(self, manifest: Manifest) -> Manifest:
        """As `create`, in place of one of this name that another start has left."""
        ...

    async def create_pod(self, manifest: Manifest) -> Manifest | None:
        """The created pod; None if another of this name is there."""
        ...

    async def read(self, kind: str, name: str) -> Manifest | None:
        """The object; None if there is none."""
        ...

    async def adopt(self, objects: Sequence[Manifest], pod: Manifest) -> None:
        """Make the pod the owner of objects, so that they go with it."""
        ...

    async def remove_start(self, start_id: str) -> None:
        """Delete everything that has this start's label."""
        ...


async def create_lab(
    api: Objects,
    dependents: Sequence[Manifest],
    pod: Manifest,
    end_earlier: Callable[[], Awaitable[None]],
) -> Manifest:
    """Create the objects of a lab and return the pod as the cluster has it.

    ``end_earlier`` removes a pod that has the name of this one; a lab that a stop has not quite
    ended, say. Adoption is awaited too: it overlaps with the start of the pod in the cluster.
    """
    await _together([api.replace(each) for each in dependents])
    created = await api.create_pod(pod)
    if created is None:
        await end_earlier()
        created = await api.create_pod(pod)
        if created is None:
            raise LabFailed("api", "An earlier lab of this name could not be removed.")
    await api.adopt(dependents, created)
    return created


async def ensure_claim(api: Objects, manifest: Manifest) -> None:
    """Create a claim unless it is there; a quota that is used up is no matter then.

    Raises
    ------
    LabFailed
        If it is not there and cannot be made.
    """
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    if await api.read(kind, name) is None:
        await api.create(manifest)


def gated(pod: Manifest) -> bool:
    """Whether the pod waits for its home."""
    gates = pod.get("spec", {}).get("schedulingGates") or []
    return any(gate.get("name") == HOME_GATE for gate in gates)


def home_report(pod: Manifest) -> HomeReport | None:
    """What the home job's pod found, None while it runs.

    Raises
    ------
    HomeError
        With the job's own words, or with how it ended if it had none.
    """
    status = pod.get("status", {})
    for container in status.get("containerStatuses") or []:
        ended = (container.get("state") or {}).get("terminated")
        if ended is None:
            continue
        message = ended.get("message") or ""
        if message:
            return read_home_verdict(message)
        raise HomeError(
            f"The job that prepares home folders ended with exit code {ended.get('exitCode')} "
            f"({ended.get('reason', 'no reason given')}) and said nothing."
        )
    if status.get("phase") == "Failed":
        raise HomeError(
            "The job that prepares home folders failed: "
            f"{status.get('message') or status.get('reason') or 'no reason given'}."
        )
    return None


async def _together(calls: Sequence[Awaitable[Manifest]]) -> None:
    """All at once; a failure is raised when the others are over, so that none comes late."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result

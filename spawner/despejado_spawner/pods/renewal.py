"""The secrets of a running lab, renewed: the kubelet brings new values into it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Protocol

from jupyterhub.utils import maybe_future

from despejado_spawner.errors import SpawnerError
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.names import START_LABEL, object_name

_SPREAD = 60.0
"""Seconds over which a hub that comes back spreads the renewals of all its labs."""


class RenewedLab(Protocol):
    """What of a spawner is about the secrets of its lab."""

    log: Any
    pod_name: str
    secrets: dict[str, str]
    refresh_secrets_hook: Any
    refresh_secrets_interval: float


class SecretCalls(Protocol):
    """The one call that a renewal makes."""

    async def patch_secret(self, name: str, values: Mapping[str, str]) -> bool:
        """Set values of a Secret; False if there is no such Secret.

        Raises
        ------
        SpawnerError
            If the cluster refuses.
        """
        ...


class RenewedCluster(Protocol):
    """The lab's pod (:class:`~despejado_spawner.pods.lab_cluster.LabCluster`)."""

    def pod(self) -> Manifest | None:
        """The lab's pod as last seen; None without one."""
        ...

    def api(self) -> SecretCalls:
        """Calls to the cluster."""
        ...


class SecretRenewal:
    """Asks the site's hook again and again while a lab runs."""

    def __init__(self, lab: RenewedLab, cluster: RenewedCluster) -> None:
        self._lab = lab
        self._cluster = cluster
        self._task: asyncio.Task[None] | None = None

    def start(self, *, fresh: bool) -> None:
        """Begin, where the site wants it. ``fresh`` says that this hub has made the secrets.

        Another one does not know how old they are; nor shall it renew all in one moment.
        """
        self.stop()
        interval = self._lab.refresh_secrets_interval
        if self._lab.refresh_secrets_hook is None or not interval:
            return
        first = interval if fresh else random.uniform(0, min(_SPREAD, interval))  # noqa: S311
        self._task = asyncio.ensure_future(self._renew_always(first))

    def stop(self) -> None:
        """The lab is not there any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _renew_always(self, wait: float) -> None:
        while True:
            await asyncio.sleep(wait)
            wait = self._lab.refresh_secrets_interval
            try:
                await self.renew()
            except SpawnerError as error:
                self._lab.log.warning(
                    "Secrets of %s were not renewed: %s", self._lab.pod_name, error
                )

    async def renew(self) -> None:
        """Ask the hook for new values and put them into the lab's Secret.

        Raises
        ------
        LabFailed
            If the cluster refuses.
        """
        values = await maybe_future(self._lab.refresh_secrets_hook(self._lab))
        pod = self._cluster.pod()
        if not values or pod is None:
            return
        start_id = (pod["metadata"].get("labels") or {}).get(START_LABEL)
        if start_id is None:
            return
        await self._cluster.api().patch_secret(object_name(self._lab.pod_name, start_id), values)
        self._lab.secrets.update(values)

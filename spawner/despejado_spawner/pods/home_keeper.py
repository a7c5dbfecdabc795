"""A home before the lab: the platform's small job makes it, then the pod's gate is opened."""

from __future__ import annotations

import logging
from typing import Any

from despejado_spawner.errors import HomeError
from despejado_spawner.pods.cluster.lab_api import LabApi
from despejado_spawner.pods.creation import home_report
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.names import HOME_GATE
from despejado_spawner.progress import Phase, SpawnProgress


class HomeKeeper:
    """Runs the job of one start. ``api`` is of the labs' namespace, the job names its own."""

    def __init__(self, api: LabApi, job: Manifest, log: logging.Logger | Any) -> None:
        self._api = api
        self._job = job
        self._log = log

    async def open_gate(self, pod: Manifest, progress: SpawnProgress) -> None:
        """Make the home and let the pod be scheduled.

        Running it twice does no harm: a hub that comes back in this phase runs it again.

        Raises
        ------
        HomeError
            With the reason of the job, which has changed nothing then.
        """
        progress.tell(Phase.HOME, "Preparing your home folder.")
        await self._provision()
        await self._api.open_gate(pod["metadata"]["name"], HOME_GATE)

    async def _provision(self) -> None:
        metadata = self._job["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        await self._api.create(self._job)
        try:
            async for found in self._api.pods_of_job(namespace, name):
                report = home_report(found)
                if report is None:
                    continue
                for warning in report.warnings:
                    self._log.warning("Home: %s", warning)
                return
        finally:
            await self._api.delete_job(namespace, name)
        raise HomeError(
            "The job that prepares home folders did not end in time.",
            "Try again; if it happens again, tell the administrator.",
        )

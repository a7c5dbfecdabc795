"""The fake API server with somebody who runs its pods, and a lab that answers."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.spawner.pods.fake_api import FakeApi, running_api


@asynccontextmanager
async def running_cluster() -> AsyncIterator[tuple[FakeApi, int]]:
    """An API server whose pods run at once at 127.0.0.1, and the port at which a lab answers."""
    app = web.Application()
    app.router.add_get("/{path:.*}", _answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with running_api() as api:
        task = asyncio.ensure_future(_run_pods(api))
        try:
            yield api, runner.addresses[0][1]
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await runner.cleanup()


async def _answer(request: web.Request) -> web.Response:
    return web.json_response({"version": "2.20.0"})


async def _run_pods(api: FakeApi) -> None:
    def waiting() -> list[dict[str, Any]]:
        return [
            item
            for (plural, _, _), item in api.objects.items()
            if plural == "pods" and "status" not in item
        ]

    while True:
        await api.until(waiting, timeout=3600)
        for item in waiting():
            api.put("pods", {**copy.deepcopy(item), "status": running_status(item)})


def running_status(pod: dict[str, Any]) -> dict[str, Any]:
    """The status of a pod all of whose containers are ready."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "phase": "Running",
        "podIP": "127.0.0.1",
        "startTime": now,
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": now}
            for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ],
        "containerStatuses": [
            {
                "name": each["name"],
                "image": each["image"],
                "imageID": "",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            }
            for each in pod["spec"]["containers"]
        ],
    }

"""Labs without containers: kwok runs their pods, and one small server answers for all of them."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiohttp import web

from tests.cluster.harness.simulated import fake_node
from tests.cluster.kube import Kube

LABEL = {"despejado.dev/bench": "scale"}
"""What the labs must select; they must tolerate ``harness.simulated.TOLERATION`` too."""
POD_ADDRESSES = "198.18.0.0/16"
"""The addresses of simulated pods (``harness/commands.py``)."""
PODS_A_NODE = 250


@contextmanager
def simulated_nodes(kube: Kube, labs: int) -> Iterator[None]:
    """Nodes for so many labs, which other users of the cluster neither use nor remove."""
    names = [f"bench-scale-{number}" for number in range(-(-labs // PODS_A_NODE))]
    try:
        for name in names:
            node = fake_node(0, pods=str(PODS_A_NODE))
            labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **LABEL}
            node["metadata"] |= {"name": name, "labels": labels}
            kube.delete("Node", name)  # of a run that was killed
            kube.create(node)
        for name in names:
            kube.wait("Node", name, _is_ready)
        yield
    finally:
        for name in names:
            kube.delete("Node", name)


def _is_ready(node: dict[str, Any] | None) -> bool:
    conditions = (node or {}).get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@contextmanager
def answered_here() -> Iterator[None]:
    """This machine takes what is sent to simulated pods."""
    route = ["local", POD_ADDRESSES, "dev", "lo"]
    subprocess.run(["ip", "route", "replace", *route], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "route", "del", *route], check=True)


@asynccontextmanager
async def single_user_servers(port: int) -> AsyncIterator[None]:
    """What all simulated labs answer."""

    async def answer(request: web.Request) -> web.Response:
        headers = {"X-JupyterHub-Version": "6.1.1"}
        return web.json_response({"version": "2.17.0"}, headers=headers)

    app = web.Application()
    app.router.add_get("/user/{name}/api", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port, backlog=2048).start()
    try:
        yield
    finally:
        await runner.cleanup()

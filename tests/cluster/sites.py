"""A small observatory for a test: namespaces, shared homes, and a hub with just its Role."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from despejado_hub.kubernetes_role import Right, role, role_objects

from tests.cluster.api_gate import Gate
from tests.cluster.clusters import Cluster
from tests.cluster.kube import Kube, Manifest, fresh_namespace
from tests.cluster.pod_hub import PodHub

ENFORCE = "pod-security.kubernetes.io/enforce"
PLAIN = "despejado/lab:plain"
STOCK = "despejado-tests/stock:1"


@dataclass
class Site:
    """``labs`` is the namespace of labs, ``platform`` that of the platform's own jobs."""

    kube: Kube
    labs: str
    platform: str
    hub: PodHub
    homes: Path | None = None

    def pod(self, user: str) -> Manifest | None:
        return self.kube.get("Pod", f"jupyter-{user}")

    def left(self) -> list[str]:
        """What of labs is still there, in both namespaces."""
        found = []
        for kind in ("Pod", "Secret", "ConfigMap", "NetworkPolicy"):
            for each in self.kube.list(kind):
                labels = each["metadata"].get("labels") or {}
                if "despejado.dev/lab" in labels or kind == "Pod":
                    found.append(f"{kind} {each['metadata']['name']}")
        for job in self.kube.list("Job", self.platform):
            found.append(f"Job {job['metadata']['name']}")
        return found

    def run(self, user: str, *command: str) -> str:
        """The output of a command in a lab, from a kernel as its owner has it."""
        code = (
            "import subprocess;"
            f"r = subprocess.run({list(command)!r}, capture_output=True, text=True);"
            "print(r.stdout + r.stderr, end='')"
        )
        return self.cell(user, code)

    def cell(self, user: str, code: str, server: str = "") -> str:
        """The output of a cell in a lab."""
        return execute(self.hub.lab_url(user, server), self.hub.token_for(user, server), code)


def execute(url: str, token: str, code: str) -> str:
    """The output of a cell in a new kernel of a lab."""
    import asyncio
    import uuid

    import aiohttp

    async def go() -> str:
        headers = {"Authorization": f"token {token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.post(f"{url}api/kernels") as answer:
                answer.raise_for_status()
                kernel = (await answer.json())["id"]
            name = uuid.uuid4().hex
            channel = f"{url}api/kernels/{kernel}/channels?session_id={name}"
            async with session.ws_connect(channel) as socket:
                message = uuid.uuid4().hex
                await socket.send_json(
                    {
                        "header": {
                            "msg_id": message,
                            "msg_type": "execute_request",
                            "username": "",
                            "session": name,
                            "version": "5.3",
                        },
                        "parent_header": {},
                        "metadata": {},
                        "content": {"code": code, "silent": False},
                        "channel": "shell",
                        "buffers": [],
                    }
                )
                output = ""
                async for received in socket:
                    found = json.loads(received.data)
                    if found.get("parent_header", {}).get("msg_id") != message:
                        continue
                    kind, content = found["msg_type"], found["content"]
                    if kind == "stream":
                        output += content["text"]
                    elif kind == "error":
                        output += "\n".join(content["traceback"])
                    elif kind == "status" and content["execution_state"] == "idle":
                        break
            await session.delete(f"{url}api/kernels/{kernel}")
            return output

    # A browser's driver has the event loop of the tests' own thread.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asyncio.wait_for(go(), 60)).result()


@contextmanager
def site(
    cluster: Cluster,
    folder: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    homes: Path | None = None,
    restricted: bool = True,
    door: Callable[[Path, Path], AbstractContextManager[tuple[Gate, Path]]] | None = None,
    doors: dict[str, Gate] | None = None,
    ports: tuple[int, int] | None = None,
    rights: Sequence[Right] = (),
) -> Iterator[Site]:
    """A site with a running hub. ``homes`` is a folder of the node that all labs share.

    ``rights`` are what its account has beside the Role that the documentation lists.

    ``door`` opens something before the API server, which is put into ``doors["gate"]``. ``ports``
    are those of the hub and its API where somebody must know them beforehand.
    """
    kube = Kube(cluster.kubeconfig)
    with ExitStack() as stack:
        labels = {ENFORCE: "restricted"} if restricted else {}
        labs = stack.enter_context(fresh_namespace(kube, "labs", **labels))
        platform = stack.enter_context(fresh_namespace(kube, "platform", **{ENFORCE: "baseline"}))
        kube.namespace = labs
        for manifest in role_objects(labs, platform, account="hub"):
            if manifest["kind"] == "Role" and manifest["metadata"]["namespace"] == labs:
                manifest["rules"] += role(labs, rights)["rules"]
            kube.create(manifest)
        account = kube.as_account("hub", platform, folder)
        if door is not None and doors is not None:
            doors["gate"], account = stack.enter_context(door(account, folder))
        lab: dict[str, Any] = {
            "images": {
                "plain": {"image": cluster.image(PLAIN), "title": "Plain", "launcher": True},
                "stock": {"image": cluster.image(STOCK), "title": "Stock"},
            },
            "sizes": {
                "small": {"cpu": 1.0, "memory": "1Gi", "cpu_guarantee": 0.05},
                "large": {"cpu": 1.0, "memory": "2Gi", "cpu_guarantee": 0.05},
            },
        }
        if homes is not None:
            for namespace in (labs, platform):
                stack.enter_context(shared_volume(kube, namespace, "homes", homes))
            lab["homes"] = {
                "claim": "homes",
                "provisioner": {
                    "namespace": platform,
                    "claim": "homes",
                    "image": cluster.image(PLAIN),
                },
            }
        given = dict(settings or {})
        lab |= given.pop("lab", {})
        kubespawner = {"image_pull_policy": "IfNotPresent", **given.pop("kubespawner", {})}
        hub = PodHub(
            folder,
            account,
            cluster.node_address,
            labs,
            {"lab": lab, "kubespawner": kubespawner, **given},
        )
        if ports is not None:
            hub.port, hub.api_port = ports
        # Labs may be reached from this machine and reach its hub, and DNS; nothing else.
        here = {"cidr": f"{cluster.node_address}/32"}
        lab.setdefault("network", {"hub": {**here, "port": hub.api_port}, "proxy": here})
        stack.callback(hub.stop)
        hub.start()
        yield Site(kube, labs, platform, hub, homes)


@contextmanager
def shared_volume(kube: Kube, namespace: str, claim: str, folder: Path) -> Iterator[None]:
    """A claim on a folder of the node, as a file server would give it to several namespaces."""
    name = f"{namespace}-{claim}"
    storage = {"storage": "10Gi"}
    kube.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "capacity": storage,
                "accessModes": ["ReadWriteMany"],
                "hostPath": {"path": str(folder)},
                "storageClassName": "",
                "claimRef": {"namespace": namespace, "name": claim},
            },
        }
    )
    kube.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim, "namespace": namespace},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "storageClassName": "",
                "volumeName": name,
                "resources": {"requests": storage},
            },
        }
    )
    try:
        yield
    finally:
        kube.delete("PersistentVolume", name)

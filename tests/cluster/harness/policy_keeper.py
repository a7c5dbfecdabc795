"""The process that keeps the nftables table in step with the policies of the cluster.

Three watches, and a socket at which the CNI plugin `await-policies` asks whether the rules of a new
pod hold; its processes start only then.
"""

from __future__ import annotations

import json
import logging
import queue
import socketserver
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from tests.cluster.harness.api import Api, ApiError, Json
from tests.cluster.harness.policies import Pod, parse_pod, parse_policy
from tests.cluster.harness.policy_table import render_table

log = logging.getLogger("policies")

_WATCH_SECONDS = 300
_RETRY_SECONDS = 0.5
_PATIENCE = 8.0
"""How long a new pod waits for its rules; less than the plugin's own patience."""


@dataclass
class World:
    """What the watches have told so far; the thread that applies rules reads it."""

    lock: threading.Condition = field(default_factory=threading.Condition)
    items: dict[str, dict[str, Json]] = field(default_factory=dict)
    """For each kind, objects by uid."""
    addresses: dict[str, str] = field(default_factory=dict)
    """Of pods, by uid: told by the CNI plugin, before the API server knows them."""
    changed: int = 0
    applied: int = 0
    problem: str = ""
    """Why the rules could not be applied the last time, or empty."""

    def replace(self, kind: str, items: list[Json]) -> None:
        with self.lock:
            self.items[kind] = {item["metadata"]["uid"]: item for item in items}
            self._change()

    def put(self, kind: str, item: Json) -> None:
        with self.lock:
            self.items[kind][item["metadata"]["uid"]] = item
            self._change()

    def remove(self, kind: str, item: Json) -> None:
        with self.lock:
            uid = item["metadata"]["uid"]
            self.items[kind].pop(uid, None)
            if kind == "pods":
                self.addresses.pop(uid, None)
            self._change()

    def admit(self, pod: Json, address: str) -> str:
        """Note a new pod's address and wait until its rules hold; returns what is wrong."""
        with self.lock:
            uid = pod["metadata"]["uid"]
            self.items["pods"].setdefault(uid, pod)
            # Put last: who got an address last has it.
            self.addresses.pop(uid, None)
            self.addresses[uid] = address
            self._change()
            mine = self.changed
            if not self.lock.wait_for(lambda: self.applied >= mine, _PATIENCE):
                return self.problem or "rules were not applied in time"
        return ""

    def table(self) -> tuple[str, int]:
        """Wait for a change; the table as it should be, and which change it includes."""
        with self.lock:
            self.lock.wait_for(lambda: self.changed > self.applied)
            policies = list(self.items["networkpolicies"].values())
            order = {uid: place for place, uid in enumerate(self.addresses, 1)}
            pods = sorted(self.items["pods"].items(), key=lambda pod: order.get(pod[0], 0))
            spaces = list(self.items["namespaces"].values())
            addresses, number = dict(self.addresses), self.changed
        parsed = [parse_pod(item, addresses.get(uid)) for uid, item in pods]
        labels = {it["metadata"]["name"]: it["metadata"].get("labels") or {} for it in spaces}
        known: list[Pod] = [pod for pod in parsed if pod is not None]
        return render_table([parse_policy(it) for it in policies], known, labels), number

    def hold(self, number: int, problem: str) -> None:
        with self.lock:
            self.problem = problem
            if not problem:
                self.applied = number
            self.lock.notify_all()

    def _change(self) -> None:
        self.changed += 1
        self.lock.notify_all()


def run(api: Api, node: str, socket_path: Path) -> None:
    """Keep the table in step until the process is ended."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    world = World()
    listed: queue.SimpleQueue[str] = queue.SimpleQueue()
    watches = {
        "namespaces": ("/api/v1/namespaces", {}),
        "networkpolicies": ("/apis/networking.k8s.io/v1/networkpolicies", {}),
        # Simulated pods of other nodes have no traffic.
        "pods": ("/api/v1/pods", {"fieldSelector": f"spec.nodeName={node}"}),
    }
    for kind, (path, query) in watches.items():
        threading.Thread(
            target=_follow, args=(api, world, kind, path, query, listed), daemon=True
        ).start()
    for _ in watches:
        listed.get()
    _apply_next(world, "")
    with _Server(str(socket_path), world, api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        log.info("rules hold; new pods may ask at %s", socket_path)
        last = ""
        while True:
            last = _apply_next(world, last)


def _apply_next(world: World, last: str) -> str:
    """Wait for a change and apply it; returns the table that holds."""
    text, number = world.table()
    if text == last:
        world.hold(number, "")
        return last
    result = subprocess.run(
        ["nft", "-f", "-"], input=text, capture_output=True, text=True, check=False
    )
    if result.returncode == 0:
        world.hold(number, "")
        return text
    problem = f"nft refused the rules: {result.stderr.strip()}"
    log.error("%s\n%s", problem, text)
    world.hold(number, problem)
    time.sleep(_RETRY_SECONDS)
    return last


def _follow(
    api: Api,
    world: World,
    kind: str,
    path: str,
    query: dict[str, str],
    listed: queue.SimpleQueue[str],
) -> None:
    """List, then watch, for ever; while the API server is away, what was known holds."""
    version = ""
    while True:
        try:
            if not version:
                answer = api.get(path, **query)
                world.replace(kind, answer["items"])
                version = answer["metadata"]["resourceVersion"]
                listed.put(kind)
            for event in api.watch(path, version, _WATCH_SECONDS, **query):
                version = _take(world, kind, event)
                if not version:
                    break
        except (ApiError, HTTPException, OSError, ValueError) as error:
            # 410: too old to be continued. Other refusals are those of a server that starts.
            if isinstance(error, ApiError) and error.status == 410:
                version = ""
            log.info("%s: %s; trying again", kind, error)
            time.sleep(_RETRY_SECONDS)


def _take(world: World, kind: str, event: Json) -> str:
    """Take an event in; returns the version to go on from, or "" for a new list."""
    item: Json = event["object"]
    if event["type"] == "ERROR":
        return ""
    if event["type"] in ("ADDED", "MODIFIED"):
        world.put(kind, item)
    elif event["type"] == "DELETED":
        world.remove(kind, item)
    version: str = item["metadata"]["resourceVersion"]
    return version


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, world: World, api: Api) -> None:
        # A killed predecessor leaves its socket; two keepers are excluded by the process record.
        Path(path).unlink(missing_ok=True)
        self.world, self.api = world, api
        super().__init__(path, _Question)
        Path(path).chmod(0o600)


class _Question(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        """One line of JSON from the CNI plugin: namespace, name, uid and address of a pod."""
        line = self.rfile.readline()
        if not line:
            return  # Somebody only looked whether anyone listens.
        asked: dict[str, str] = json.loads(line)
        self.wfile.write(f"{self._answer(asked) or 'ok'}\n".encode())

    def _answer(self, asked: dict[str, str]) -> str:
        world, uid = self.server.world, asked["uid"]
        with world.lock:
            pod = world.items["pods"].get(uid)
        if pod is None:
            # The kubelet saw the pod before our watch did.
            path = f"/api/v1/namespaces/{asked['namespace']}/pods/{asked['name']}"
            try:
                pod = self.server.api.get(path)
            except (ApiError, HTTPException, OSError) as error:
                return f"the pod is not known: {error}"
            if pod["metadata"]["uid"] != uid:
                return "another pod of that name has taken its place"
        return world.admit(pod, asked["address"])

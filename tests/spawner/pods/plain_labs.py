"""A lab, its cluster and its hub as the plain classes need them: values, no KubeSpawner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.models import Manifest
from despejado_spawner.site.model import Site

NOTHING: Mapping[str, Any] = {}


@dataclass
class PlainLab:
    """What a spawner's public names say of rachel's lab."""

    site: Site = field(default_factory=lambda: Site(default_size="small", sizes=SIZES))
    name: str = ""
    user: Any = field(default_factory=lambda: SimpleNamespace(name="rachel"))
    user_options: Any = field(default_factory=dict)
    orm_spawner: Any = None
    server: Any = None
    hub: Any = field(default_factory=lambda: SimpleNamespace(base_url="/hub/"))
    menu_path: str = ""
    namespace: str = "labs"
    pod_name: str = "jupyter-rachel"
    pvc_name: str = "claim-rachel"
    port: int = 8888
    environment: Mapping[str, Any] = field(default_factory=lambda: {"SITE": "cerro"})
    default_url: str = ""
    secrets: dict[str, str] = field(default_factory=lambda: {"token": "data-token"})
    discovery: Mapping[str, Any] = field(default_factory=dict)
    base_passwd: str = ""
    base_group: str = ""
    identity_hook: Any = None
    uid: Any = 5001
    gid: Any = 5001
    lowest_uid: int = 1000
    quick_start: bool = True
    cpu_limit: float | None = None
    cpu_guarantee: float | None = None
    mem_limit: Any = None
    mem_guarantee: Any = None
    delete_grace_period: int = 1
    delete_stopped_pods: bool = True
    stop_timeout: float = 30.0
    refresh_secrets_hook: Any = None
    refresh_secrets_interval: float = 0.0
    working_dir: str | None = None
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("test"))

    def get_env(self) -> Mapping[str, Any]:
        return {"JUPYTERHUB_USER": "rachel", "JUPYTERHUB_API_TOKEN": "t", **self.environment}

    def get_args(self) -> Sequence[str]:
        return ()


SIZES: dict[str, Any] = {
    "small": {"cpu": 1, "memory": "3Gi"},
    "large": {"cpu": 4, "memory": "16Gi"},
}


class PlainSource:
    """The site's own pod: one container."""

    def __init__(self, lab: PlainLab) -> None:
        self._lab = lab
        self.hook: Callable[[Manifest], Manifest] = lambda pod: pod

    async def base_pod(self) -> Manifest:
        container = {"name": "notebook", "image": "site:1", "args": ["jupyterhub-singleuser"]}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "jupyter-rachel", "labels": {}},
            "spec": {"containers": [container], "nodeSelector": {"pool": "labs"}},
        }

    async def own_pod(self) -> Manifest:
        return self.hook(await self.base_pod())

    async def modified(self, pod: Manifest) -> Manifest:
        return self.hook(pod)

    def variables(self, base: Manifest) -> dict[str, str]:
        return {name: str(value) for name, value in self._lab.get_env().items()}

    def certificates(self, start_id: str) -> tuple[Manifest, ...]:
        return ()

    def expand(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.expand(each) for key, each in value.items()}
        return value.replace("{username}", "rachel") if isinstance(value, str) else value


class PlainCluster:
    """One pod, and what was asked of it; it goes when it is deleted, unless it is ``stuck``."""

    def __init__(self, pod: Manifest | None = None, events: Sequence[Manifest] = ()) -> None:
        self.found = pod
        self.of_pod = events
        self.deleted: list[int | None] = []
        self.renewed: list[tuple[str, dict[str, str]]] = []
        self.stuck = 0
        """How many deletions the pod survives."""
        self.refusals: list[Exception] = []
        """What the next starts of the watches raise."""
        self.told: Callable[[Any], None] | None = None

    def pod(self) -> Manifest | None:
        return self.found

    def events(self, uid: str | None) -> Sequence[Manifest]:
        return self.of_pod

    def watch(self) -> PlainCluster:
        return self

    def __enter__(self) -> PlainCluster:
        return self

    def __exit__(self, *error: object) -> None: ...

    async def until_gone(self, timeout: float) -> bool:
        return self.found is None

    def api(self, deadline: Deadline | None = None) -> PlainCluster:
        return self

    async def delete_pod(self, name: str, grace: int | None = None) -> bool:
        self.deleted.append(grace)
        there = self.found is not None
        if self.stuck:
            self.stuck -= 1
        else:
            self.found = None
        return there

    async def patch_secret(self, name: str, values: Mapping[str, str]) -> bool:
        self.renewed.append((name, dict(values)))
        return True

    def on_change(self, told: Callable[[Any], None]) -> Callable[[], None]:
        self.told = told

        def end() -> None:
            self.told = None

        return end

    async def start_watching(self) -> None:
        if self.refusals:
            raise self.refusals.pop(0)

    def happens(self, kind: str, pod: Manifest) -> None:
        """Tell who listens of a change."""
        if self.told is not None:
            self.told(SimpleNamespace(type=kind, object=pod))


class PlainHub:
    """The hub's side of a lab."""

    log_name = "rachel"

    def __init__(self, *, unchecked: bool = False) -> None:
        self.unchecked = unchecked
        self.saved = 0
        self.ended = asyncio.Event()

    def url(self, pod: Manifest) -> str:
        return f"http://{pod['status']['podIP']}:8888"

    def save(self) -> None:
        self.saved += 1

    async def end(self) -> None:
        self.ended.set()

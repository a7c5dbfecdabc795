"""The cluster under the tests: the one that KUBECONFIG names, else that of ``make cluster``."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.cluster.harness import foreign, registry
from tests.cluster.harness.api import Api
from tests.cluster.harness.bringup import control_of
from tests.cluster.harness.components import Components
from tests.cluster.harness.images import busybox, import_base
from tests.cluster.harness.layout import Layout
from tests.cluster.harness.settings import Settings, load

NEEDED = ("despejado/lab:plain", "despejado-tests/stock:1", "despejado/lab:w_2026_43")
"""The images of the cluster tier."""
LOCK = Path(tempfile.gettempdir()) / "despejado-tests-images.lock"
_TARGETS = {"despejado-tests/stock:1": "stock"}
_BUSYBOX = ("library/busybox", "latest")
_REGISTRY_VARIABLE = "DESPEJADO_TEST_REGISTRY"
_ADDRESS_VARIABLE = "DESPEJADO_TEST_ADDRESS"


@dataclass
class Cluster:
    """``node_address`` is how pods reach this machine, ``registry`` where images are pulled from.

    ``controls`` stop and start parts of the own cluster; None on somebody else's.
    """

    kubeconfig: Path
    node_address: str
    registry: str
    controls: Components | None = None
    settings: Settings | None = None
    _there: set[str] = field(default_factory=set)

    @property
    def ours(self) -> bool:
        return self.controls is not None

    @property
    def api(self) -> Api:
        """The harness's own door to the API; of the own cluster only."""
        assert self.settings is not None
        return Api.of(Layout(), self.settings)

    def image(self, name: str) -> str:
        """The reference of an image (``despejado/lab:plain``), which is built if it is missing."""
        if name not in self._there and not self._has(name):
            with LOCK.open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be building it
                if not self._has(name):
                    if self.ours:
                        import_base()  # machines that run the tests may not reach Docker Hub
                    build(_TARGETS.get(name, name.rpartition(":")[2]), self.registry)
        self._there.add(name)
        return f"{self.registry}/{name}"

    def _has(self, name: str) -> bool:
        repository, _, tag = name.rpartition(":")
        url = f"http://{self.registry}/v2/{repository}/manifests/{tag}"
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        return httpx.head(url, headers=accept, trust_env=False).status_code == 200


def build(target: str, registry: str) -> None:
    """Build and push an image by the command that operators use."""
    command = [sys.executable, "-m", "despejado_hub.cli", "images", "build", target, "--image"]
    subprocess.run([*command, "--push", registry], check=True)


def standing(layout: Layout | None = None) -> bool:
    """Whether there is a cluster to test on; asks nobody."""
    return bool(os.environ.get("KUBECONFIG")) or (layout or Layout()).kubeconfig.exists()


def find_cluster() -> Cluster | None:
    """The cluster, None where there is none.

    For somebody else's, ``DESPEJADO_TEST_REGISTRY`` names a registry that it pulls from and
    ``DESPEJADO_TEST_ADDRESS`` this machine's address as its pods see it.
    """
    layout = Layout()
    theirs = foreign.named(layout)
    if theirs is not None:
        registry = os.environ.get(_REGISTRY_VARIABLE, "")
        return Cluster(theirs, os.environ.get(_ADDRESS_VARIABLE, "127.0.0.1"), registry)
    settings = load(layout.settings)
    if settings is None or not layout.kubeconfig.exists():
        return None
    return Cluster(
        layout.kubeconfig,
        settings.node_address,
        settings.registry,
        control_of(layout, settings),
        settings,
    )


def main() -> None:
    """Build what the tests need beforehand: on a new machine that takes minutes."""
    cluster = find_cluster()
    if cluster is None:
        raise SystemExit("no cluster: make cluster brings one up")
    if not cluster.registry:
        raise SystemExit(f"{_REGISTRY_VARIABLE} must name a registry (HOST:PORT) of the cluster")
    if not registry.has(cluster.registry, *_BUSYBOX):  # the own cluster came with it
        registry.push(cluster.registry, *_BUSYBOX, busybox())
    for name in NEEDED:
        print(cluster.image(name), flush=True)


if __name__ == "__main__":
    main()

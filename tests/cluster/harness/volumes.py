"""Volumes that several namespaces share: folders of this machine, since it has no NFS client."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.cluster.harness.api import Api, Json
from tests.cluster.harness.components import until
from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.layout import Layout


def host_volume(
    api: Api, layout: Layout, name: str, namespaces: Sequence[str], size: str = "10Gi"
) -> Path:
    """A ReadWriteMany claim ``name`` in each of ``namespaces``, all of one folder; its path.

    The folder belongs to root (0755), as the root of an exported file system does.
    """
    folder = layout.volumes / name
    folder.mkdir(parents=True, exist_ok=True)
    for namespace in namespaces:
        for item in claim(name, namespace, size, folder):
            api.apply(item)
    for namespace in namespaces:
        path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}"
        if not until(partial(_bound, api, path), 20.0):
            raise HarnessError(
                f"claim {namespace}/{name} is not bound; does controller-manager run?"
            )
    return folder


def remove_volume(api: Api, name: str, namespaces: Sequence[str]) -> None:
    """Remove the claims and volumes; the folder and its files stay until the cluster goes."""
    for namespace in namespaces:
        api.delete(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}")
        api.delete(f"/api/v1/persistentvolumes/{name}-{namespace}")


def claim(name: str, namespace: str, size: str, folder: Path) -> list[Json]:
    """The volume and the claim that it is kept for."""
    modes = ["ReadWriteMany"]
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{name}-{namespace}"},
        "spec": {
            "accessModes": modes,
            "capacity": {"storage": size},
            "claimRef": {"name": name, "namespace": namespace},
            "hostPath": {"path": str(folder), "type": "Directory"},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
        },
    }
    wanted = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "accessModes": modes,
            "resources": {"requests": {"storage": size}},
            "storageClassName": "",
            "volumeName": f"{name}-{namespace}",
        },
    }
    return [volume, wanted]


def _bound(api: Api, path: str) -> bool:
    return bool(api.get(path)["status"].get("phase") == "Bound")

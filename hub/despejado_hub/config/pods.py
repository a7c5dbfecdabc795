"""What ``LabSpawner`` gets of a platform whose labs are pods. Pure: no I/O."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from despejado_hub.runtime import Runtime

from . import derive
from .kubernetes import KubernetesLabs, Mount, PodHomes, PodImages
from .model import Platform
from .relations import address_block

TOKEN_LIFETIME = 24 * 3600
RENEWAL = 6 * 3600
"""Seconds that a data token of a pod is good for, and after which it is renewed: a hub may be down
for most of a day before a lab notices."""


def kubernetes_of(platform: Platform) -> KubernetesLabs:
    """How labs run as pods; raises ValueError where they are processes."""
    found = platform.labs.pods
    if found is None:
        raise ValueError("labs.spawner is not kubernetes")
    return found


def lab_traits(platform: Platform, runtime: Runtime) -> dict[str, Any]:
    """Traits of ``LabSpawner`` by name; hooks are the hub's own matter."""
    labs = kubernetes_of(platform)
    hub = runtime.state / "hub"
    traits: dict[str, Any] = {
        "namespace": labs.namespace,
        "image_repository": labs.images.repository,
        "image_policy": dataclasses.asdict(derive.menu_policy(platform)),
        "image_credentials": image_credentials(labs.images),
        "image_cache": os.fspath(hub / "images.json"),
        "image_pull_policy": labs.images.pull_policy,
        "image_pull_secrets": list(labs.images.pull_secrets),
        "history_path": os.fspath(hub / "starts.json"),
        "sizes": derive.spawner_sizes(platform),
        "default_size": platform.labs.default_size,
        "discovery": derive.discovery_document(platform, runtime),
        "lab_mounts": [mount.model_dump() for mount in _mounts(labs)],
        "network": network_of(labs, runtime),
        "node_selector": labs.node_selector,
        "tolerations": [each.model_dump(exclude_none=True) for each in labs.tolerations],
        "pod_security": labs.pod_security,
        "autoscaler": labs.autoscaler,
        "refresh_secrets_interval": float(RENEWAL),
    }
    if labs.homes is not None:
        traits |= _homes(labs.homes, platform.storage.homes.layout)
    if labs.ephemeral_storage is not None:
        traits["ephemeral_storage"] = str(labs.ephemeral_storage)
    temporary = labs.temporary
    if temporary.size is not None or temporary.in_memory:
        size = {} if temporary.size is None else {"size": str(temporary.size)}
        traits["temporary"] = {**size, "in_memory": temporary.in_memory}
    return traits


def image_credentials(images: PodImages) -> str:
    """The trait ``image_credentials``: where they are kept; empty for none."""
    if images.credentials is None:
        return ""
    source = images.credentials.secret
    return f"env:{source.env}" if source.file is None else os.fspath(source.file)


def network_of(labs: KubernetesLabs, runtime: Runtime) -> dict[str, Any]:
    """The trait ``network``: what the file says, with the platform's own hub, proxy and services.

    Where ``platform_host`` is a name, the file itself must say where hub and proxy are.
    """
    if labs.network is None:
        return {}
    network = dict(labs.network)
    here = address_block(labs.platform_host)
    if here is not None:
        network.setdefault("hub", {"cidr": here})
        network.setdefault("proxy", {"cidr": here})
        services = {"cidr": here, "ports": [runtime.port]}
        network["allow"] = [*_entries(network.get("allow")), services]
    network["hub"] = [{"port": runtime.hub_port, **hub} for hub in _entries(network.get("hub"))]
    return network


def _entries(value: Any) -> list[dict[str, Any]]:
    """The entries of a key that takes one or a list of them."""
    return [value] if isinstance(value, dict) else list(value or ())


def lab_environment(platform: Platform) -> dict[str, str]:
    """Variables of labs beside those of every spawner."""
    scratch = kubernetes_of(platform).scratch
    return {} if scratch is None else {"DESPEJADO_SCRATCH": scratch.path}


def _homes(homes: PodHomes, layout: str) -> dict[str, Any]:
    found: dict[str, Any] = {"layout": layout, "path": homes.path}
    if homes.claim is None:
        traits: dict[str, Any] = {
            "homes": {**found, "own_claim": True},
            "storage_capacity": str(homes.capacity),
            # Labs of one user share the user's home.
            "pvc_name_template": "home-{username}",
        }
        if homes.storage_class is not None:
            traits["storage_class"] = homes.storage_class
        return traits
    found["claim"] = homes.claim
    if homes.provisioner is not None:
        found["provisioner"] = homes.provisioner.model_dump()
    return {"homes": found}


def _mounts(labs: KubernetesLabs) -> list[Mount]:
    found = list(labs.mounts)
    if labs.scratch is not None:
        found.append(labs.scratch)
    if labs.data is not None:
        data = labs.data
        found.append(
            Mount(claim=data.claim, path=data.path, sub_path=data.sub_path, read_only=True)
        )
    return found

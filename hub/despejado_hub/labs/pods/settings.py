"""What ``LabSpawner`` gets of a platform whose labs are pods. Pure: no I/O."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from despejado_spawner.site.homes import HomeClaims, Homes, Layout
from despejado_spawner.site.model import PodSettings, trait_of
from despejado_spawner.site.network import Destination, HubPeer, Network, Peer
from despejado_spawner.site.storage import Mount

from despejado_hub.config import Platform, derive
from despejado_hub.config.kubernetes import KubernetesLabs, PodHomes, PodImages
from despejado_hub.config.relations import address_block
from despejado_hub.runtime import Runtime

TOKEN_LIFETIME = 24 * 3600
RENEWAL = 6 * 3600
"""Seconds that a data token of a pod is good for, and after which it is renewed: a hub may be down
for most of a day before a lab notices."""


def kubernetes_of(platform: Platform) -> KubernetesLabs:
    """How labs run as pods; raises ValueError where they are processes."""
    found = platform.labs.kubernetes
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
        "node_selector": labs.node_selector,
        "tolerations": [each.model_dump(exclude_none=True) for each in labs.tolerations],
        "refresh_secrets_interval": float(RENEWAL),
    }
    settings = {name: getattr(labs, name) for name in PodSettings.model_fields}
    settings |= {"mounts": _mounts(labs), "network": network_of(labs, runtime)}
    traits |= {trait_of(name): value for name, value in settings.items()}
    if labs.homes is not None:
        traits |= _homes(labs.homes, platform.storage.homes.layout)
    return traits


def image_credentials(images: PodImages) -> str:
    """The trait ``image_credentials``: where they are kept; empty for none."""
    if images.credentials is None:
        return ""
    source = images.credentials.secret
    return f"env:{source.env}" if source.file is None else os.fspath(source.file)


def network_of(labs: KubernetesLabs, runtime: Runtime) -> Network | None:
    """The site's network: what the file says, with the platform's own hub, proxy and services.

    Where ``platform_host`` is a name, the file itself must say where hub and proxy are.
    """
    network = labs.network
    if network is None:
        return None
    hub, proxy, allow = network.hub, network.proxy, network.allow
    here = address_block(labs.platform_host)
    if here is not None:
        said = network.model_fields_set
        hub = hub if "hub" in said else (HubPeer(cidr=here),)
        proxy = proxy if "proxy" in said else (Peer(cidr=here),)
        allow = (*allow, Destination(cidr=here, ports=(runtime.port,)))
    at_its_port = [
        each if each.port is not None else each.model_copy(update={"port": runtime.hub_port})
        for each in hub
    ]
    return network.model_copy(update={"hub": tuple(at_its_port), "proxy": proxy, "allow": allow})


def lab_environment(platform: Platform) -> dict[str, str]:
    """Variables of labs beside those of every spawner."""
    scratch = kubernetes_of(platform).scratch
    return {} if scratch is None else {"DESPEJADO_SCRATCH": scratch.path}


def _homes(homes: PodHomes, layout: Layout) -> dict[str, Any]:
    alike = {name: getattr(homes, name) for name in HomeClaims.model_fields}
    own = homes.claim is None
    traits: dict[str, Any] = {"homes": Homes(**alike, own_claim=own, layout=layout)}
    if own:
        traits["storage_capacity"] = str(homes.capacity)
        # Labs of one user share the user's home.
        traits["pvc_name_template"] = "home-{username}"
        if homes.storage_class is not None:
            traits["storage_class"] = homes.storage_class
    return traits


def _mounts(labs: KubernetesLabs) -> tuple[Mount, ...]:
    found = [*labs.mounts]
    if labs.scratch is not None:
        found.append(labs.scratch)
    if labs.data is not None:
        found.append(Mount(**dict(labs.data), read_only=True))
    return tuple(found)

"""``despejado render lab`` and ``render role`` where labs are pods: manifests, nothing created."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from despejado_spawner.kubernetes.render import write_yaml

from despejado_hub.config import Platform, derive, pods
from despejado_hub.identity import EmbeddedRegistry
from despejado_hub.kubernetes_role import role_objects
from despejado_hub.runtime import Runtime, hosts_of

from .output import complain, load, say, say_json, told

if TYPE_CHECKING:
    from despejado_spawner.lab_preview import Preview

HIDDEN = "(a secret, not shown)"


def print_lab(
    platform: Platform, state: Path, user: str, asked: Mapping[str, str], *, as_json: bool
) -> int:
    """Print all objects of a lab; what should be known of them goes to standard error."""
    found = asyncio.run(lab_preview(platform, state, user, asked))
    if as_json:
        say_json({"items": found.documents, "warnings": found.warnings})
        return 0
    for warning in found.warnings:
        complain(warning)
    say(write_yaml(found.documents))
    return 0


async def lab_preview(
    platform: Platform, state: Path, user: str, asked: Mapping[str, str]
) -> Preview:
    """The objects that the hub would create; no UID is given away."""
    from despejado_spawner.lab_preview import preview_lab
    from traitlets.config import Config

    # Nobody needs to hear that there is no kubeconfig: no cluster is asked.
    logging.getLogger("kubernetes_asyncio.config").setLevel(logging.ERROR)
    public = platform.public
    runtime = Runtime(
        state=state,
        port=public.port,
        hub_port=8081,
        proxy_api_port=0,
        tap_port=0,
        **hosts_of(platform),
    )
    registry = EmbeddedRegistry(runtime.identities, platform.identity)
    identity = registry.preview(user)
    config = Config(
        {
            "LabSpawner": pods.lab_traits(platform, runtime),
            "Spawner": {"environment": pods.lab_environment(platform), "default_url": "/lab"},
        }
    )
    config.LabSpawner.identity_hook = lambda spawner: identity
    return await preview_lab(
        config,
        user,
        asked,
        base_url=public.prefix,
        hub_api_url=derive.hub_api_url(platform, runtime),
        secrets={"token": HIDDEN},
    )


@told
def role(options: argparse.Namespace) -> int:
    """Print the service account, Roles and bindings that the hub needs."""
    platform = load(options)
    if platform.labs.kubernetes is None:
        complain("labs.kubernetes is missing: labs that are processes need no Role.")
        return 1
    objects = role_objects_of(platform, options.service_account)
    if options.json:
        say_json({"items": objects})
    else:
        say(write_yaml(objects))
    return 0


def role_objects_of(platform: Platform, account: str) -> list[dict[str, object]]:
    """Everything for the namespaces that the platform names."""
    labs = pods.kubernetes_of(platform)
    maker = None if labs.homes is None else labs.homes.provisioner
    return role_objects(labs.namespace, None if maker is None else maker.namespace, account)

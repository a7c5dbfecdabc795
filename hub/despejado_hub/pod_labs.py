"""What commands and checks ask of a platform whose labs are pods; nothing is created or kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from despejado_hub.config import Platform, derive, pods
from despejado_hub.identity import EmbeddedRegistry
from despejado_hub.kubernetes_role import role_objects
from despejado_hub.runtime import Runtime, hosts_of

# Libraries that only such a platform needs are imported where they are used.
if TYPE_CHECKING:
    from despejado_images.catalogue import ImageCatalogue
    from despejado_spawner.pods.preview import Preview

HUB_PORT = 8081
"""In place of the port that is chosen at a start."""
HIDDEN = "(a secret, not shown)"


async def lab_preview(
    platform: Platform, state: Path, user: str, asked: Mapping[str, str]
) -> Preview:
    """The objects that the hub would create, by the hub's own configuration; no UID is given away.

    Raises ``SpawnerError`` if no lab can start.
    """
    from despejado_spawner.pods.preview import preview_lab
    from traitlets.config import Config

    from despejado_hub.jupyterhub_config.labs import configure_labs

    runtime = Runtime(
        state=state,
        port=platform.public.port,
        hub_port=HUB_PORT,
        proxy_api_port=0,
        tap_port=0,
        **hosts_of(platform),
    )
    identity = EmbeddedRegistry(runtime.identities, platform.identity).preview(user)
    config = Config()
    configure_labs(config, platform, runtime)
    config.LabSpawner.identity_hook = lambda spawner: identity
    return await preview_lab(
        config,
        user,
        asked,
        base_url=platform.public.prefix,
        hub_api_url=derive.hub_api_url(platform, runtime),
        secrets={"token": HIDDEN},
    )


def image_catalogue(platform: Platform) -> ImageCatalogue:
    """The registry's menu; ``refresh`` it before it is read."""
    from despejado_images import catalogue

    images = pods.kubernetes_of(platform).images
    return catalogue.image_catalogue(
        images.repository, derive.menu_policy(platform), pods.image_credentials(images)
    )


def rights(platform: Platform, account: str) -> list[dict[str, Any]]:
    """The service account, Roles and bindings for the namespaces that the platform names."""
    labs = pods.kubernetes_of(platform)
    maker = None if labs.homes is None else labs.homes.provisioner
    return role_objects(labs.namespace, None if maker is None else maker.namespace, account)

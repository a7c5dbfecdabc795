"""The objects of a lab, by the hub's own configuration; no UID is given away."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from despejado_spawner.pods import preview
from traitlets.config import Config

from despejado_hub.config import derive
from despejado_hub.identity import source_of
from despejado_hub.labs.hub_settings import configure_labs
from despejado_hub.labs.interface import HIDDEN, Labs
from despejado_hub.runtime import Runtime

HUB_PORT = 8081
"""In place of the port that is chosen at a start."""


async def preview_lab(
    labs: Labs, state: Path, user: str, asked: Mapping[str, str]
) -> preview.Preview:
    """The objects that the hub would create; raises ``SpawnerError`` if no lab can start."""
    platform = labs.platform
    runtime = Runtime(
        state=state,
        port=platform.public.port,
        hub_port=HUB_PORT,
        proxy_api_port=0,
        tap_port=0,
        **labs.places(),
    )
    identity = await source_of(platform, state).preview(user)
    config = Config()
    configure_labs(config, labs, runtime)
    config.LabSpawner.identity_hook = lambda spawner: identity
    groups = [group.name for group in identity.groups]
    config.LabSpawner.groups_hook = lambda spawner: groups
    return await preview.preview_lab(
        config,
        user,
        asked,
        base_url=platform.public.prefix,
        hub_api_url=derive.hub_api_url(platform, runtime),
        secrets={"token": HIDDEN},
    )

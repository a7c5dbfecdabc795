"""``despejado render lab`` where labs are pods: their manifests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from despejado_spawner.pods.plan.render import write_yaml

from despejado_hub.config import Platform
from despejado_hub.pod_labs import lab_preview

from .output import complain, say, say_json


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

"""What is made ready for labs that are pods: images are a registry's, samples are made here."""

from __future__ import annotations

from pathlib import Path

from despejado_images.environments import EnvironmentStore
from despejado_images.image import RECOMMENDED

from despejado_hub.config import Platform, derive
from despejado_hub.labs.building import build, build_samples, wants_samples
from despejado_hub.labs.interface import Say


async def make_samples(platform: Platform, state: Path, say: Say) -> None:
    """Build the sample repository once, with an environment of this machine."""
    if not wants_samples(platform) or (state / "data" / "butler" / "sample").exists():
        return
    store = EnvironmentStore(state / "environments", derive.menu_policy(platform))
    await store.refresh_catalogue()
    stack = await build(store, RECOMMENDED, "The stack that makes the samples", say)
    if stack is not None:
        await build_samples(stack.python, state / "data", say)

"""What is made ready for labs that are processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from despejado_images.environments import PLAIN_TAG, UI_TAG, EnvironmentImages
from despejado_images.image import RECOMMENDED

from despejado_hub.config import Platform
from despejado_hub.labs.building import build, build_samples, wants_samples
from despejado_hub.labs.interface import Say

from .menu import environment_store


async def make_ready(platform: Platform, state: Path, say: Say) -> None:
    """What the first login needs, then the recommended image, then samples, made with it."""
    store = environment_store(platform, state / "environments")
    # The menu shall offer weeklies from the first login on: ask for them while JupyterLab builds.
    catalogue, _ = await asyncio.gather(
        store.refresh_catalogue(), build(store, UI_TAG, "JupyterLab", say)
    )
    await build(store, PLAIN_TAG, "The plain environment", say)
    if catalogue.problem is not None:
        say(f"The list of stack versions could not be refreshed: {catalogue.problem}")
    for warning in EnvironmentImages(store).warnings:
        say(warning)
    recommended = next((choice for choice in store.choices() if choice.recommended), None)
    if recommended is None or recommended.tag == PLAIN_TAG:
        say("No stack version is known yet; the plain environment can be used.")
        return
    stack = await build(store, RECOMMENDED, f"{recommended.title} (recommended)", say)
    if stack is not None and wants_samples(platform):
        await build_samples(stack.python, state / "data", say)

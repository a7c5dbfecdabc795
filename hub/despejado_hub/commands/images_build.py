"""``despejado images build``: a software environment of this machine, or a container image."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from despejado_images.amounts import decimal_size
from despejado_images.environments import BuildProgress, EnvironmentStore

from despejado_hub.config import Platform, derive
from despejado_hub.labs import labs_of
from despejado_hub.runtime import state_folder
from despejado_hub.tables import about

from .output import complain, load, say, told

if TYPE_CHECKING:
    from despejado_images.containers import ImageProgress

PARTS = ("hub", "services")
"""Names that mean images of the platform's own parts, not tags of labs."""


@told
def main(options: argparse.Namespace) -> int:
    """Build what labs of this platform are made from."""
    platform = load(options)
    state = state_folder(platform, options.state)
    if wants_image(options, labs_of(platform).images_are_containers):
        if options.local:
            complain("--local makes an environment of this machine: leave out what is for images.")
            return 2
        return build_image(options, platform, state)
    store = EnvironmentStore(state / "environments", derive.menu_policy(platform))
    return asyncio.run(build_environment(store, options.tag, as_json=options.json))


def wants_image(options: argparse.Namespace, containers: bool) -> bool:
    """Whether a container image is meant: it was said, or labs are made of ``containers``."""
    for_images = options.push or options.builder or options.sources or options.fresh
    if options.image or for_images or options.tag in PARTS:
        return True
    return containers and not options.local


# Container images


def build_image(options: argparse.Namespace, platform: Platform, state: Path) -> int:
    """Build, test and push a container image."""
    from despejado_images.containers import ImageBuilder

    show = _json_steps if options.json else _terminal_steps(sys.stdout.isatty())
    builder = ImageBuilder(
        state,
        show,
        engine=options.builder,
        folder=options.sources,
        registry=options.push,
        fresh=options.fresh,
        policy=derive.menu_policy(platform),
    )
    image = builder.build(options.tag)
    if options.json:
        say(json.dumps({"ok": True, "image": image.document()}))
        return 0
    say(f"{image.title}: {image.reference} ({decimal_size(image.size_bytes)})")
    if image.pushed is not None:
        say(f"Pushed as {image.pushed}@{image.digest}")
    return 0


def _json_steps(progress: ImageProgress) -> None:
    say(json.dumps(progress.document()))
    sys.stdout.flush()


def _terminal_steps(is_terminal: bool) -> Callable[[ImageProgress], None]:
    """What shows progress: one line that changes on a terminal, a line a step elsewhere."""
    said = ""

    def show(progress: ImageProgress) -> None:
        nonlocal said
        line = step_line(progress)
        if is_terminal:
            text = line if progress.phase == "ready" else f"{line}  {progress.detail}"[:110]
            sys.stdout.write(f"\r\x1b[K{'' if progress.phase == 'ready' else text}")
        elif line != said and progress.phase != "ready":
            said = line
            say(line)
        sys.stdout.flush()

    return show


def step_line(progress: ImageProgress) -> str:
    """A step in words: ``3/7 Building lab-ui (about 20 s)``."""
    expected = progress.expected_seconds
    takes = "" if expected is None or expected < 1 else f" (about {about(expected)})"
    return f"{progress.step}/{progress.steps} {progress.message}{takes}"


# Environments of this machine


async def build_environment(store: EnvironmentStore, tag: str, *, as_json: bool) -> int:
    """Build the environment of a tag, or follow the process that does."""
    last: BuildProgress | None = None
    said = ""
    async for progress in store.build(tag):
        last = progress
        line = f"{progress.tag}: {progress.message}"
        if as_json:
            say(json.dumps(progress_document(progress)))
        elif sys.stdout.isatty() and progress.state == "building":
            percent = "" if progress.fraction is None else f"{100 * progress.fraction:3.0f} %  "
            sys.stdout.write(f"\r\x1b[K{percent}{line}")
        elif line != said:
            said = line
            say(line)
        sys.stdout.flush()
    if not as_json and sys.stdout.isatty():
        sys.stdout.write("\r\x1b[K")
    if last is None or last.state != "ready":
        reason = "the build ended without a word" if last is None else last.reason or last.message
        complain(f"{tag} could not be built: {reason}")
        return 1
    if not as_json:
        say(f"{last.tag} is ready.")
    return 0


def progress_document(progress: BuildProgress) -> dict[str, Any]:
    """One step of a build as JSON, times in ISO 8601."""
    times = {"started": progress.started.isoformat(), "updated": progress.updated.isoformat()}
    return {**asdict(progress), **times}

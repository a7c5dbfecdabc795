"""Checks of a platform whose labs are processes of this machine."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from despejado_images.environments import EnvironmentImages
from despejado_spawner.units import format_memory

from despejado_hub.check.result import Result
from despejado_hub.config import Platform, derive

from .menu import environment_store


def check_labs(platform: Platform, state: Path) -> Iterator[Result]:
    """What labs as processes of this machine can have of what the file says."""
    if os.geteuid() != 0:
        yield Result(
            "labs",
            "warn",
            f"all labs will run as {_own_name()}, who can read every home",
            "start the platform as root to give each user a UID of their own",
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    large = [size for size in derive.lab_sizes(platform) if size.memory > memory]
    if large:
        names = ", ".join(size.name for size in large)
        yield Result(
            "sizes",
            "warn",
            f"larger than this machine's memory ({memory / 2**30:.0f} GiB): {names} "
            f"(up to {format_memory(max(size.memory for size in large))})",
            "make them smaller, or take them away with null",
        )
    else:
        yield Result("sizes", "ok", f"{len(platform.labs.sizes)} on the menu fit this machine")
    yield _images(platform, state)


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"UID {os.geteuid()}"


def _images(platform: Platform, state: Path) -> Result:
    source = EnvironmentImages(environment_store(platform, state / "environments"))
    images = source.choices()
    ready = [image.tag for image in images if image.state == "ready"]
    failed = [image for image in images if image.state == "failed"]
    if failed:
        return Result(
            "images",
            "warn",
            f"{failed[0].tag} could not be built: {failed[0].reason}",
            f"despejado images build {failed[0].tag}",
        )
    if source.warnings:
        message = " ".join(source.warnings).rstrip(".")
        return Result("images", "warn", message, "change labs.images.recommended")
    if not ready:
        return Result("images", "ok", "none is built yet; the first start builds what it needs")
    return Result("images", "ok", f"ready: {', '.join(ready)}")

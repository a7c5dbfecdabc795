"""Build an environment or the sample repository, with a line of text for each step.

What fails says so and raises nothing, so that the other parts go on.
"""

from __future__ import annotations

import asyncio
from importlib import resources
from pathlib import Path

from despejado_images.environments import (
    BuildProgress,
    Environment,
    EnvironmentBuildError,
    EnvironmentStore,
)

from despejado_hub.config import Platform
from despejado_hub.config.types import BUILT_IN

from .interface import Say

QUIET_PHASES = ("waiting", "resolving", "ready")
"""What a ready environment goes through when there is nothing to renew."""


def is_earlier_build(progress: BuildProgress) -> bool:
    """Whether a build ended with what was there before, because it could not be renewed."""
    return progress.state == "ready" and progress.message != "Ready"


def describe(title: str, progress: BuildProgress, expected: float | None) -> str:
    """One line about a build."""
    if progress.state == "failed":
        return f"{title} could not be built: {progress.reason or progress.message}"
    if is_earlier_build(progress):
        return f"{title}: {progress.message}"
    if progress.state == "ready":
        return f"{title} is ready."
    usually = "" if expected is None else f" (usually {expected:.0f} s in all)"
    return f"{title}: {progress.message}{usually}"


async def build(store: EnvironmentStore, tag: str, title: str, say: Say) -> Environment | None:
    """Build an environment, or bring a ready one up to date; None if it failed, which is said."""
    was_ready = store.ready(tag)
    expected = next((c.expected_seconds for c in store.choices() if c.tag == tag), None)
    phase = None
    try:
        async for progress in store.renew(tag):
            quiet = progress.phase in QUIET_PHASES and not is_earlier_build(progress)
            if was_ready is not None and quiet:
                continue  # it is up to date so far: nothing to tell
            if progress.phase != phase or progress.state != "building":
                phase = progress.phase
                say(describe(title, progress, expected))
                expected = None
    except EnvironmentBuildError as error:
        say(f"{title} could not be built: {error}")
        return None
    return store.ready(tag)


async def build_samples(python: Path, data: Path, say: Say) -> None:
    """Build the sample repository with an environment that has the middleware, if it is missing.

    ``python -m despejado.samples build`` writes it at once or not at all (docs/developers.md).
    """
    repository = data / "butler" / "sample"
    if repository.exists():
        return
    say("Sample images: simulating visits of the Pleiades into a Butler repository.")
    process = await asyncio.create_subprocess_exec(
        str(python),
        # Neither the folder that the supervisor was started in nor the PYTHONPATH of the person's
        # own stack has a say in what runs here, as root perhaps.
        "-I",
        "-m",
        "despejado.samples",
        "build",
        "--stars",
        str(resources.files("despejado_services") / "sample" / "stars.parquet"),
        "--out",
        str(repository),
        "--obscore",
        str(data / "obscore.parquet"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=None,
    )
    code = await process.wait()
    if code == 0:
        say("The sample images are ready.")
    else:
        say(f"The sample images could not be built (status {code}).")


def wants_samples(platform: Platform) -> bool:
    """Whether a data set is the built-in Butler repository."""
    return any(data.butler == BUILT_IN for data in platform.datasets.values())

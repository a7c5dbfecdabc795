"""Make ready what the platform offers, behind the login page; one line of text for each step.

``python -m despejado_hub.supervisor.builds PLATFORM STATE``. Order: what the first login needs,
then the recommended image, then the sample repository, which is built with it. Each part that
fails says so and lets the others go on.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from despejado_images.environments import (
    PLAIN_TAG,
    UI_TAG,
    BuildProgress,
    Environment,
    EnvironmentBuildError,
    EnvironmentImages,
    EnvironmentStore,
)
from despejado_images.image import RECOMMENDED

from despejado_hub.config import Platform, load_platform
from despejado_hub.config.types import BUILT_IN
from despejado_hub.menu import environment_store

Say = Callable[[str], None]

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
        # Neither the folder that the demo was started in nor the PYTHONPATH of the person's own
        # stack has a say in what runs here, as root perhaps.
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


async def prepare(platform: Platform, state: Path, say: Say) -> None:
    """Everything in its order."""
    store = environment_store(platform, state / "environments")
    wants_samples = any(data.butler == BUILT_IN for data in platform.datasets.values())
    if platform.labs.pods is not None:
        # Labs have images of a registry; only the samples are made here, once.
        if wants_samples and not (state / "data" / "butler" / "sample").exists():
            await store.refresh_catalogue()
            stack = await build(store, RECOMMENDED, "The stack that makes the samples", say)
            if stack is not None:
                await build_samples(stack.python, state / "data", say)
        return
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
    if stack is not None and wants_samples:
        await build_samples(stack.python, state / "data", say)


def main(arguments: list[str]) -> None:
    platform, state = arguments

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    asyncio.run(prepare(load_platform(platform), Path(state), say))


if __name__ == "__main__":
    main(sys.argv[1:])

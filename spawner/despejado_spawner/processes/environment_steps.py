"""Getting an environment during a start, with the building shown as a phase."""

from __future__ import annotations

import math
from datetime import datetime

from despejado_images.environments import (
    BuildProgress,
    Environment,
    EnvironmentBuildError,
    EnvironmentStore,
)
from despejado_images.menu import title_of

from despejado_spawner.errors import EnvironmentFailed
from despejado_spawner.progress import Phase, SpawnProgress


async def environment_for(
    store: EnvironmentStore, name: str, progress: SpawnProgress
) -> Environment:
    """The environment of a tag or alias, built first if it is not ready.

    Cancelling leaves the build running: it is the machine's, and the next start follows it.

    Raises
    ------
    EnvironmentFailed
        If the build fails or the tag is unknown, with the reason and what to do.
    """
    try:
        tag = store.resolve(name)
        environment = store.ready(tag)
        if environment is None:
            await _follow_build(store, tag, progress)
            environment = store.ready(tag)
    except EnvironmentBuildError as error:
        raise EnvironmentFailed(str(error)) from error
    if environment is None:
        raise EnvironmentFailed(
            f"The software environment {tag!r} was built but is not there.", "Try again."
        )
    return environment


async def _follow_build(store: EnvironmentStore, tag: str, progress: SpawnProgress) -> None:
    choice = next((choice for choice in store.choices() if choice.tag == tag), None)
    title = choice.title if choice else title_of(tag)
    expected = choice.expected_seconds if choice else None
    progress.tell(Phase.QUEUED, f"{title} is not on this machine yet.", expected_seconds=expected)
    step = None
    async for step in store.build(tag):
        if step.state == "building":
            left = time_left(expected, step.started, step.updated)
            progress.tell(
                Phase.ENVIRONMENT,
                f"Preparing {title}: {step.message}{left}",
                fraction=step.fraction or 0.0,
                expected_seconds=expected,
            )
    if step is not None and step.state == "failed":
        raise _failure(title, step)


def _failure(title: str, step: BuildProgress) -> EnvironmentFailed:
    reason = (step.reason or step.message).rstrip(". ")
    return EnvironmentFailed(
        f"{title} could not be built: {reason}.",
        "Choose an environment that is ready, or try again later; nothing half-made was kept.",
    )


def time_left(expected: float | None, started: datetime, now: datetime) -> str:
    """What to add to a message about a build that usually takes ``expected`` seconds."""
    if not expected:
        return ""
    left = expected - (now - started).total_seconds()
    if left < 10:
        return " (nearly done)" if left > 0 else ""
    if left < 90:
        return f" (about {math.ceil(left / 10) * 10} s left)"
    return f" (about {math.ceil(left / 60)} min left)"

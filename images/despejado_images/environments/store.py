"""The environments of one machine: which are ready, which can be chosen, and how to get one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path

from despejado_images.environments.catalogue import nearest, plainly, refresh
from despejado_images.environments.errors import UnknownTagError
from despejado_images.environments.layout import Layout
from despejado_images.environments.models import (
    BuildProgress,
    Catalogue,
    Environment,
    Sort,
    sort_of,
)
from despejado_images.environments.recipe import Recipe, recipe_of
from despejado_images.environments.records import (
    expectations,
    is_building,
    now,
    read_catalogue,
    read_current,
    read_progress,
)
from despejado_images.environments.uv import clean_environment
from despejado_images.image import RECOMMENDED, Image
from despejado_images.menu import (
    MenuPolicy,
    menu_tags,
    recommended_tag,
    title_of,
)
from despejado_images.tags import TagError, parse_tag

POLL_SECONDS = 0.1
"""How often a builder's progress file is looked at: it belongs to another process."""

INTERRUPTED = "The build was interrupted. Choose it again to start over."


class EnvironmentStore:
    """Software environments below ``root`` (``STATE/environments``).

    All state is in files, written by atomic rename, so any number of processes may look at one
    store; builds are processes of their own and survive the process that asked for them.
    """

    def __init__(self, root: Path, policy: MenuPolicy | None = None) -> None:
        self.root = root
        self.policy = policy or MenuPolicy()
        self._layout = Layout(root)

    def resolve(self, name: str) -> str:
        """The tag behind a name: ``recommended`` becomes the tag that it stands for now."""
        if name != RECOMMENDED:
            return name
        return recommended_tag(self.policy, self.catalogue.tags, list(self._layout.ready_tags()))

    @property
    def catalogue(self) -> Catalogue:
        """The last list of tags that the package index gave, and what is the matter with it."""
        return read_catalogue(self._layout)

    def ready(self, tag: str) -> Environment | None:
        """The finished environment of a tag (or alias), or None."""
        try:
            return read_current(self._layout, self.resolve(tag))
        except UnknownTagError:
            return None

    def choices(self) -> list[Image]:
        """The menu: recommended first, then plain, then by type and newest first.

        Reads files only and never touches the network.
        """
        tags = self.catalogue.tags
        built = list(self._layout.ready_tags())
        expected = expectations(self._layout)
        recommended = recommended_tag(self.policy, tags, built)
        return [
            replace(self._choice(tag, expected), recommended=tag == recommended)
            for tag in menu_tags(self.policy, tags, built)
        ]

    def _choice(self, tag: str, expected: dict[Sort, tuple[float, int]]) -> Image:
        environment = read_current(self._layout, tag)
        if environment is not None:
            return environment.image
        seconds, size = expected[sort_of(tag)]
        image = Image(
            tag,
            title_of(tag),
            kind="environment",
            state="absent",
            expected_seconds=seconds,
            size_bytes=size,
        )
        progress = read_progress(self._layout, tag)
        if progress is None or progress.state == "ready":  # removed since
            return image
        if is_building(self._layout, progress):
            return replace(
                image, state="building", phase=progress.message, fraction=progress.fraction
            )
        return replace(image, state="failed", reason=progress.reason or INTERRUPTED)

    async def refresh_catalogue(self) -> Catalogue:
        """Ask the package index which tags exist; on failure keep the last list and say so."""
        return await refresh(self._layout)

    async def build(self, tag: str) -> AsyncIterator[BuildProgress]:
        """Start the builder, or follow the one that runs; the last item is ready or failed.

        A tag that is ready yields one item at once, without the network. The builder goes on if
        the caller stops listening. Raises ``UnknownTagError`` for what cannot be a tag of an
        environment; a tag that merely does not exist ends in failed, with the nearest tags.
        """
        tag = self.resolve(tag)
        check_tag(tag, read_catalogue(self._layout).tags)
        if self.ready(tag) is not None:
            yield BuildProgress(tag, "ready", 1.0, "Ready", "ready", 0, now(), now())
            return
        async for item in self._run_builder(tag):
            yield item

    async def renew(self, tag: str) -> AsyncIterator[BuildProgress]:
        """As `build`, but replace what is ready if it would be built differently today.

        That is so after an update of the platform (its client, its locks) or of Python. A ready
        environment that is up to date costs a fraction of a second, without the network; one that
        cannot be renewed stays in use, and the last message says why.
        """
        tag = self.resolve(tag)
        check_tag(tag, read_catalogue(self._layout).tags)
        async for item in self._run_builder(tag):
            yield item

    async def _run_builder(self, tag: str) -> AsyncIterator[BuildProgress]:
        self._layout.make()
        progress = read_progress(self._layout, tag)
        if progress is not None and is_building(self._layout, progress):
            async for item in self._follow(progress, None):
                yield item
            return
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "despejado_images.environments", "build", tag, "--root", str(self.root)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=clean_environment(),
        )
        first = BuildProgress(
            tag, "waiting", 0.0, "Starting", "building", process.pid, now(), now()
        )
        async for item in self._follow(first, process):
            yield item

    async def _follow(
        self, first: BuildProgress, process: asyncio.subprocess.Process | None
    ) -> AsyncIterator[BuildProgress]:
        yield first
        last = first
        while True:
            ended = process is not None and process.returncode is not None
            item = read_progress(self._layout, first.tag)
            # Until our builder has the lock, the file may be about an earlier build.
            if item is not None and item != last and (process is None or _newer(item, first)):
                last = item
                yield item
            if last.state != "building":
                return
            # When our builder is through, another one that waited may be looking at the same tag.
            if (ended or process is None) and not is_building(self._layout, last):
                newest = read_progress(self._layout, first.tag)
                if newest is None or newest == last or not is_building(self._layout, newest):
                    yield self._ending(last)
                    return
                continue
            await asyncio.sleep(POLL_SECONDS)

    def _ending(self, last: BuildProgress) -> BuildProgress:
        """The last item when the builder is gone without a word."""
        if self.ready(last.tag) is not None:
            return replace(last, phase="ready", message="Ready", fraction=1.0, state="ready")
        final = read_progress(self._layout, last.tag)
        if final is not None and final.state != "building" and final.updated >= last.updated:
            return final
        return replace(last, state="failed", fraction=None, reason=INTERRUPTED, updated=now())


def _newer(item: BuildProgress, first: BuildProgress) -> bool:
    return item.updated >= first.started


def find_recipe(layout: Layout, tag: str) -> Recipe:
    """The recipe of a tag; the index is asked once for a tag that the catalogue lacks."""
    try:
        return recipe_of(tag, read_catalogue(layout).tags)
    except UnknownTagError as missing:
        catalogue = asyncio.run(refresh(layout))
        if catalogue.problem is None:
            return recipe_of(tag, catalogue.tags)
        note = f"The list of tags could not be renewed: {catalogue.problem}."
        raise UnknownTagError(tag, missing.nearest, note) from None


def check_tag(tag: str, tags: Iterable[str]) -> None:
    """Raise ``UnknownTagError`` unless a tag is of a kind that can be built here.

    ``tags`` are those of the catalogue; one that it lacks may be newer than it and passes.
    """
    if sort_of(tag) != "stack":
        return
    try:
        parsed = parse_tag(tag) if tag else None
    except TagError:
        parsed = None
    if parsed is None or not plainly(parsed):
        kinds = "There are plain, weeklies (w_2026_43), releases (r30_0_11) and candidates."
        raise UnknownTagError(tag, nearest(parsed, tags) if parsed else (), kinds)

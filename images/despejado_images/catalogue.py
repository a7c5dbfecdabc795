"""The image menu of a cluster: what a registry's repository offers, by the site's policy.

The menu answers from memory, and from a file after a restart; looking at the registry is something
that happens now and then, and a registry that does not answer leaves the last good menu in place.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from despejado_images.environments.catalogue import in_menu_order
from despejado_images.environments.models import PLAIN_TAG, RECOMMENDED_TAG, MenuPolicy
from despejado_images.menu import menu_tags, recommended_tag
from despejado_images.registry import (
    ImageFacts,
    Registry,
    RegistryError,
    all_facts,
    parse_repository,
)

TITLE_LABEL = "org.opencontainers.image.title"
LAUNCHER_LABEL = "dev.despejado.launcher"
VERSIONS_LABEL = "dev.despejado.versions"
_FRESH_SECONDS = 300.0


@dataclass(frozen=True)
class RepositoryImage:
    """One image of the menu. ``reference`` names it by digest; sizes in bytes, compressed."""

    tag: str
    title: str
    reference: str
    digest: str
    versions: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    size_bytes: int | None = None
    recommended: bool = False
    launcher: bool = False


class ImageCatalogue:
    """The menu of one repository. ``cache`` is a file for the last good list."""

    def __init__(
        self, registry: Registry, policy: MenuPolicy | None = None, cache: Path | None = None
    ) -> None:
        self._registry = registry
        self._policy = policy or MenuPolicy()
        self._cache = cache
        self._images: tuple[RepositoryImage, ...] = _read_cache(cache)
        self._looking: asyncio.Future[None] | None = None
        self._looked = 0.0
        self.problem: str | None = None
        """Why the list is not of now; None after a good look."""

    def choices(self) -> Sequence[RepositoryImage]:
        """The menu, the recommended image first. Starts a look at the registry when it is old."""
        if time.monotonic() - self._looked > _FRESH_SECONDS:
            self._begin()
        return self._images

    def resolve(self, name: str) -> RepositoryImage:
        """The image of a tag, or the recommended one; raises ``KeyError`` for any other name."""
        for image in self._images:
            if image.tag == name or (name == RECOMMENDED_TAG and image.recommended):
                return image
        raise KeyError(name)

    async def refresh(self) -> None:
        """Look at the registry now; callers at one time share one look. Never raises."""
        looking = self._begin()
        if looking is not None:
            await asyncio.shield(looking)

    def _begin(self) -> asyncio.Future[None] | None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return None  # asked from a command: what is known counts
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())
        return self._looking

    async def _look(self) -> None:
        try:
            self._images = await self._ask()
            self.problem = None
        except RegistryError as error:
            self.problem = str(error)
        else:
            _write_cache(self._cache, self._images)
        self._looked = time.monotonic()

    async def _ask(self) -> tuple[RepositoryImage, ...]:
        async with aiohttp.ClientSession() as session:
            tags = await self._registry.tags(session)
            wanted = shown_tags(self._policy, tags)
            facts = await all_facts(self._registry, session, wanted)
        recommended = recommended_tag(self._policy, tags, tags)
        return tuple(
            repository_image(str(self._registry.repository), each, each.tag == recommended)
            for each in facts
        )


def shown_tags(policy: MenuPolicy, tags: Sequence[str]) -> list[str]:
    """The tags of a repository that the policy offers, in the order of the menu."""
    there = set(tags)
    ordered = menu_tags(policy, sorted(there), ())
    return [tag for tag in ordered if tag in there]


def repository_image(repository: str, facts: ImageFacts, recommended: bool) -> RepositoryImage:
    """A line of the menu from what the registry says of a tag."""
    labels = facts.labels
    title = labels.get(TITLE_LABEL) or _title(facts.tag)
    return RepositoryImage(
        tag=facts.tag,
        title=title,
        reference=f"{repository}@{facts.digest}" if facts.digest else f"{repository}:{facts.tag}",
        digest=facts.digest,
        versions=_versions(labels.get(VERSIONS_LABEL, "")),
        created=facts.created,
        size_bytes=facts.size_bytes,
        recommended=recommended,
        launcher=labels.get(LAUNCHER_LABEL) == "true",
    )


def shared_catalogue(
    repository: str,
    policy: Mapping[str, Any],
    cache: Path | None,
    kept: dict[tuple[str, str], ImageCatalogue],
) -> ImageCatalogue:
    """One catalogue for all spawners of a hub, kept in ``kept``; raises ``ValueError``."""
    key = (repository, json.dumps(policy, sort_keys=True))
    if key not in kept:
        registry = Registry(parse_repository(repository))
        kept[key] = ImageCatalogue(registry, MenuPolicy(**policy), cache)
    return kept[key]


def _title(tag: str) -> str:
    if tag == PLAIN_TAG:
        return "Plain Python"
    found = in_menu_order([tag])
    return found[0].display_name if found else tag


def _versions(text: str) -> dict[str, str]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _read_cache(cache: Path | None) -> tuple[RepositoryImage, ...]:
    if cache is None:
        return ()
    try:
        return tuple(RepositoryImage(**each) for each in json.loads(cache.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return ()  # a menu that is lost is looked up again


def _write_cache(cache: Path | None, images: Sequence[RepositoryImage]) -> None:
    if cache is None:
        return
    text = json.dumps([{**asdict(each), "versions": dict(each.versions)} for each in images])
    try:
        descriptor, name = tempfile.mkstemp(prefix=".images-", dir=cache.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).replace(cache)
    except OSError:
        return  # costs a look after the next restart

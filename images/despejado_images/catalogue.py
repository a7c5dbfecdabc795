"""The image menu of a cluster: what a registry's repository offers, by the site's policy.

The menu answers from memory, and from a file after a restart; looking at the registry is something
that happens now and then, and a registry that does not answer leaves the last good menu in place.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from despejado_images.credentials import credentials_at
from despejado_images.errors import ImageFaultError, RegistryError
from despejado_images.files import write_text
from despejado_images.image import Image, find_image
from despejado_images.listing import Listing, architectures_of, list_images, shown_tags
from despejado_images.menu import MenuPolicy, parse_policy
from despejado_images.reference import parse_repository
from despejado_images.registry import Registry, all_facts

_FRESH_SECONDS = 300.0


class ImageCatalogue:
    """`ImageSource` of one repository. ``cache`` is a file for the last good list."""

    def __init__(
        self, registry: Registry, policy: MenuPolicy | None = None, cache: Path | None = None
    ) -> None:
        self._registry = registry
        self._policy = policy or MenuPolicy()
        self._cache = cache
        self._listing = Listing(_read_cache(cache))
        self._looking: asyncio.Future[None] | None = None
        self._looked = -math.inf
        self.problem: str | None = None
        """Why the list is not of now; None after a good look."""

    @property
    def warnings(self) -> Sequence[str]:
        """What is wrong with images of the list, and with the recommended one."""
        return self._listing.warnings

    def choices(self) -> Sequence[Image]:
        """The menu, the recommended image first. Starts a look at the registry when it is old."""
        if time.monotonic() - self._looked > _FRESH_SECONDS:
            self._begin()
        return self._listing.images

    def resolve(self, name: str) -> Image:
        """The image of a name, as `find_image`."""
        return find_image(self._listing.images, name)

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
            self._listing = await self._ask()
            self.problem = None
        except RegistryError as error:
            self.problem = str(error)
        else:
            _write_cache(self._cache, self._listing.images)
        self._looked = time.monotonic()

    async def _ask(self) -> Listing:
        architectures = architectures_of(self._policy)
        async with aiohttp.ClientSession() as session:
            tags = await self._registry.tags(session)
            wanted = shown_tags(self._policy, tags)
            answers = await all_facts(self._registry, session, wanted, architectures)
        errors = [each for each in answers.values() if isinstance(each, RegistryError)]
        away = [each for each in errors if not isinstance(each, ImageFaultError)]
        if away and len(errors) == len(answers):
            raise away[0]
        repository = str(self._registry.repository)
        return list_images(repository, self._policy, answers, self._listing.images)


def image_catalogue(
    repository: str,
    policy: MenuPolicy | None = None,
    credentials: str = "",
    cache: Path | None = None,
) -> ImageCatalogue:
    """The menu of a repository by its name.

    ``credentials`` says where a name and a password are: a file, ``env:NAME``, or nothing for a
    registry that asks for none. Raises ``ImageNameError`` (a ``ValueError``).
    """
    place = parse_repository(repository)
    login = credentials_at(credentials, place) if credentials else None
    return ImageCatalogue(Registry(place, login), policy, cache)


def shared_catalogue(
    repository: str,
    policy: Mapping[str, Any],
    credentials: str,
    cache: Path | None,
    kept: dict[tuple[str, ...], ImageCatalogue],
) -> ImageCatalogue:
    """One catalogue for all spawners of a hub, kept in ``kept``; raises ``ValueError``."""
    key = (repository, json.dumps(policy, sort_keys=True), credentials)
    if key not in kept:
        kept[key] = image_catalogue(repository, parse_policy(policy), credentials, cache)
    return kept[key]


def _read_cache(cache: Path | None) -> tuple[Image, ...]:
    if cache is None:
        return ()
    try:
        return tuple(
            Image(**{**each, "also": tuple(each.get("also", ()))})
            for each in json.loads(cache.read_bytes())
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return ()  # a menu that is lost is looked up again


def _write_cache(cache: Path | None, images: Sequence[Image]) -> None:
    if cache is None:
        return
    try:
        write_text(cache, json.dumps([image.document() for image in images]))
    except OSError:
        return  # costs a look after the next restart

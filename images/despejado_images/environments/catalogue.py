"""Which tags exist: the versions of the Butler on the package index, and what they mean.

The Rubin middleware is published with its weeklies: ``30.2026.4300`` is ``w_2026_43``,
``30.0.11`` is ``r30_0_11`` and ``30.0.8rc2`` is ``r30_0_8_rc2``.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace

from packaging.version import InvalidVersion, Version

from despejado_images.environments.errors import UnknownTagError
from despejado_images.environments.layout import Layout
from despejado_images.environments.models import Catalogue
from despejado_images.environments.records import now, read_catalogue, write_catalogue
from despejado_images.menu import in_menu_order
from despejado_images.tags import Tag, TagType, parse_tag

ANCHOR = "lsst-daf-butler"
"""The distribution whose versions are the tags."""
BUILDABLE = (TagType.RELEASE, TagType.WEEKLY, TagType.CANDIDATE)

_WEEK = re.compile(r"(\d+)\.(\d{4})\.(\d{1,2})(\d{2})", re.ASCII)
_WEEKLY_FORM = re.compile(r"w_(\d{4})_(\d+)", re.ASCII)
_SECONDS = 60


class IndexUnreachableError(Exception):
    """The package index gave no list; the text says why."""


def tag_of(version: str) -> str | None:
    """The tag that a version of the Butler is published for, or None (development versions)."""
    if week := _WEEK.fullmatch(version):
        tag = f"w_{week[2]}_{int(week[3]):02}"
        return tag if parse_tag(tag).type is TagType.WEEKLY else None
    try:
        parsed = Version(version)
    except InvalidVersion:
        return None
    if len(parsed.release) != 3 or parsed.dev is not None or parsed.post is not None:
        return None
    tag = "r" + "_".join(map(str, parsed.release))
    if parsed.pre is None:
        return tag
    return f"{tag}_rc{parsed.pre[1]}" if parsed.pre[0] == "rc" else None


def tags_of(versions: Iterable[str]) -> dict[str, str]:
    """Tag to version, in the order of the menu of types and newest first; the last patch wins."""
    newest: dict[str, str] = {}
    for version in versions:
        tag = tag_of(version)
        if tag is None:
            continue
        if tag not in newest or Version(newest[tag]) < Version(version):
            newest[tag] = version
    return {tag.text: newest[tag.text] for tag in in_menu_order(newest)}


def version_of(tag: str, tags: Mapping[str, str]) -> str:
    """The version of the Butler that a tag means; ``UnknownTagError`` names the nearest tags."""
    parsed = parse_tag(tag)
    for text, version in tags.items():
        known = parse_tag(text)  # w_2026_5 and w_2026_05 are one week
        if known.type is parsed.type and known.version == parsed.version and plainly(parsed):
            return version
    raise UnknownTagError(tag, nearest(parsed, tags))


def plainly(tag: Tag) -> bool:
    """Whether a tag is a version and nothing else, so that the index can hold it."""
    more = (tag.cycle, tag.rsp_build, tag.extra, tag.architecture)
    return tag.type in BUILDABLE and not any(more)


def nearest(tag: Tag, tags: Iterable[str]) -> tuple[str, ...]:
    """Up to three tags that were probably meant: neighbours in time, else similar text."""
    known = in_menu_order(tags)
    kind, version = tag.type, tag.version
    if week := _WEEKLY_FORM.match(tag.text):  # also weeks that no calendar has
        kind, version = TagType.WEEKLY, (int(week[1]), int(week[2]), 0, 1, 0)
    if version is None:
        return tuple(difflib.get_close_matches(tag.text, [one.text for one in known], 3, 0.5))
    same = [one for one in known if one.type is kind and one.version is not None]
    newer = [one.text for one in same if one.version and one.version > version]
    older = [one.text for one in same if one.version and one.version <= version]
    return (*newer[-1:], *older[:2])


async def refresh(layout: Layout, python_version: str | None = None) -> Catalogue:
    """Ask the index and keep the answer; on failure keep the last good list and say why."""
    try:
        catalogue = Catalogue(tags=tags_of(await ask_index(python_version)), checked=now())
    except IndexUnreachableError as error:
        catalogue = replace(read_catalogue(layout), problem=str(error))
    layout.make()
    write_catalogue(layout, catalogue)
    return catalogue


async def ask_index(python_version: str | None = None) -> list[str]:
    """Versions of the Butler on the index that pip is configured for.

    pip is asked, not the index itself: mirrors, credentials, proxies and certificates are then
    those that the user has set up. Raises ``IndexUnreachableError``.
    """
    command = [sys.executable, "-m", "pip", "index", "versions", "--pre", "--json"]
    command += ["--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "15"]
    if python_version is not None:
        command += ["--python-version", python_version]
    process = await asyncio.create_subprocess_exec(
        *command,
        ANCHOR,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    try:
        async with asyncio.timeout(_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise IndexUnreachableError(
            f"the package index did not answer within {_SECONDS} s"
        ) from None
    if process.returncode != 0:
        raise IndexUnreachableError(_why(errors.decode(errors="replace")))
    try:
        versions = json.loads(output)["versions"]
        return [str(version) for version in versions]
    except (ValueError, KeyError, TypeError) as error:
        raise IndexUnreachableError(f"pip's answer was not understood: {error}") from None


def _why(errors: str) -> str:
    if "No module named pip" in errors:
        return "pip is missing: install despejado-images[environments]"
    if "No matching distribution" in errors:
        # pip says the same whether the index is out of reach or lacks the package.
        return f"the package index could not be reached or has no {ANCHOR} (no network?)"
    lines = [line for line in errors.splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ") if lines else "pip failed without a word"

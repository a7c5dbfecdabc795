"""The menu of images: which tags are shown, and which is recommended. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from despejado_images.image import PLAIN_TAG, RECOMMENDED, UI_TAG
from despejado_images.tags import LEGAL_TAG, Tag, TagType, parse_tag


@dataclass(frozen=True, slots=True)
class MenuPolicy:
    """What the menu shows: how many of the newest of each type, one line a version.

    Zero means none of that type. ``recommended`` is a tag, or None for the newest weekly. With a
    ``cycle`` (SAL cycle) only images of that cycle are shown, without only those of none.
    ``architectures`` are those that images may be for beside amd64 (``arm64``). ``aliases`` are
    names of moving tags in the repository (``recommended``, ``latest_weekly``).
    """

    recommended: str | None = None
    weeklies: int = 3
    releases: int = 1
    candidates: int = 0
    dailies: int = 0
    cycle: int | None = None
    architectures: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


def parse_policy(configured: Mapping[str, Any]) -> MenuPolicy:
    """A policy from configuration, by the names of the fields.

    Raises
    ------
    ValueError
        Naming the key that is unknown or has a wrong value.
    """
    names = [each.name for each in fields(MenuPolicy)]
    values: dict[str, Any] = {}
    for key, value in configured.items():
        if key not in names:
            raise ValueError(f"{key!r} is unknown. Allowed: {', '.join(names)}.")
        parse, wanted = _PARSERS.get(key, (_count, "a number, 0 or more"))
        try:
            values[key] = parse(value)
        except ValueError:
            raise ValueError(f"{key} must be {wanted}, not {value!r}.") from None
    return MenuPolicy(**values)


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError
    return value


def _tag(value: object) -> str:
    if not isinstance(value, str) or not LEGAL_TAG.fullmatch(value):
        raise ValueError
    return value


def _tags(value: object) -> tuple[str, ...]:
    return tuple(map(_tag, value if isinstance(value, list | tuple) else (None,)))


_PARSERS: dict[str, tuple[Callable[[object], Any], str]] = {
    "recommended": (lambda value: None if value is None else _tag(value), "a tag"),
    "cycle": (lambda value: None if value is None else _count(value), "a number, 0 or more"),
    "architectures": (_tags, "a list of names such as arm64"),
    "aliases": (_tags, "a list of tags"),
}


# The laptop's menu: what the package index has and what is built


def menu_tags(policy: MenuPolicy, tags: Collection[str], built: Collection[str]) -> list[str]:
    """Tags to show: recommended, plain, then by type and newest first; each tag once."""
    shown = set(built) - {UI_TAG, PLAIN_TAG}
    shown.update(tag.text for tag in newest(policy, map(_parsed, tags)))
    first = [recommended_tag(policy, tags, built), PLAIN_TAG]
    ordered = [*first, *(tag.text for tag in in_menu_order(shown))]
    return list(dict.fromkeys(ordered))


def recommended_tag(policy: MenuPolicy, tags: Collection[str], built: Collection[str]) -> str:
    """What ``recommended`` stands for: as configured, else the newest weekly or release.

    Without a catalogue the newest that is built, else ``plain``; never a tag that nobody can get.
    """
    wanted = policy.recommended
    if wanted is not None and is_there(wanted, tags, built):
        return wanted
    best = best_tag(policy, map(_parsed, tags)) or best_tag(policy, map(_parsed, built))
    return PLAIN_TAG if best is None else best.text


def is_there(wanted: str, tags: Collection[str], built: Collection[str]) -> bool:
    """Whether a tag can be had; without a catalogue nobody knows, and it may be tried."""
    if not tags or wanted == PLAIN_TAG or wanted in tags or wanted in built:
        return True
    meant = _parsed(wanted)  # w_2026_5 and w_2026_05 are one week
    return meant.version is not None and any(
        tag.type is meant.type and tag.version == meant.version for tag in map(_parsed, tags)
    )


# Both menus


def newest(policy: MenuPolicy, tags: Iterable[Tag]) -> list[Tag]:
    """The newest versions of each type as the policy has it, one tag for each.

    That is the plain tag of a version (of a cycle: the plain one of its newest build), or else the
    newest build. An architecture's own tags are further lines of the same versions.
    """
    numbers = {
        TagType.WEEKLY: policy.weeklies,
        TagType.RELEASE: policy.releases,
        TagType.CANDIDATE: policy.candidates,
        TagType.DAILY: policy.dailies,
    }
    chosen: dict[tuple[TagType, object, str | None], Tag] = {}
    for tag in tags:
        if not numbers.get(tag.type) or not _wanted(policy, tag):
            continue
        key = (tag.type, tag.version, tag.architecture)
        known = chosen.get(key)
        if known is None or _build(tag) > _build(known):
            chosen[key] = tag
    shown: list[Tag] = []
    for kind, number in numbers.items():
        versions = {tag.version for tag in chosen.values() if tag.type is kind and tag.version}
        last = set(sorted(versions, reverse=True)[:number])
        shown += [tag for tag in chosen.values() if tag.type is kind and tag.version in last]
    return shown


def best_tag(policy: MenuPolicy, tags: Iterable[Tag]) -> Tag | None:
    """The newest weekly, else the newest release, without an architecture's own; None for none."""
    plain = [tag for tag in tags if tag.architecture is None and _wanted(policy, tag)]
    for kind in (TagType.WEEKLY, TagType.RELEASE):
        of_kind = [tag for tag in plain if tag.type is kind]
        if of_kind:
            return max(of_kind, key=lambda tag: (tag.version or (), _build(tag)))
    return None


def _wanted(policy: MenuPolicy, tag: Tag) -> bool:
    return cycle_of(tag) == policy.cycle and fits_nodes(policy, tag)


def fits_nodes(policy: MenuPolicy, tag: Tag) -> bool:
    """Whether a tag is of no architecture's own, or of one that labs may run on."""
    return tag.architecture is None or tag.architecture in policy.architectures


def cycle_of(tag: Tag) -> int | None:
    """The SAL cycle of a tag as a number."""
    return None if tag.cycle is None else int(tag.cycle)


def _build(tag: Tag) -> tuple[Any, ...]:
    """Which of several tags of one version is shown: the greatest."""
    plain = tag.rsp_build is None and tag.extra is None
    return (int(tag.cycle_build or -1), plain, tag.sort_key)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Tag:
    return parse_tag(text)  # the menu asks for the same few hundred again and again


def in_menu_order(texts: Iterable[str]) -> list[Tag]:
    """Tags by type, newest first within one."""
    return sort_tags(map(_parsed, texts))


def sort_tags(tags: Iterable[Tag]) -> list[Tag]:
    """Parsed tags by type, newest first within one."""
    by_type: dict[TagType, list[Tag]] = {}
    for tag in tags:
        by_type.setdefault(tag.type, []).append(tag)
    return [
        tag
        for kind in sorted(by_type, key=lambda kind: kind.menu_order)
        for tag in sorted(by_type[kind], reverse=True)
    ]


def wanted_name(policy: MenuPolicy) -> str | None:
    """The name that the policy recommends; None for the newest weekly."""
    return policy.recommended or (RECOMMENDED if RECOMMENDED in policy.aliases else None)


def recommendation_warning(policy: MenuPolicy, names: Sequence[str]) -> str | None:
    """What an operator is told unless the recommended image is what the policy asks for.

    ``names`` are the tags of the recommended image, that of its line first; none if there is none.
    """
    wanted = wanted_name(policy)
    if wanted is None:
        if any(_parsed(name).type is TagType.WEEKLY for name in names):
            return None
        what = "There is no weekly to recommend"
    elif wanted in names:
        return None
    else:
        what = f"The recommended image {wanted!r} is not on offer"
    return f"{what}; {names[0]} is recommended instead." if names else f"{what}."


def title_of(tag: str) -> str:
    """How a tag reads on the menu."""
    if tag == UI_TAG:
        return "JupyterLab"
    return "Plain Python (astropy, pyvo)" if tag == PLAIN_TAG else _parsed(tag).display_name
